/* Which of two links to one member stays.  Pure; both ends come to the same answer:
 *
 * - A dialler that learns (from message 2) that a link to that member stands, or is about to, drops its own new one.
 * - An acceptor, once the dialler has proved who it is, compares with what it has:
 *     nothing                          take the new one
 *     one that the same member dialled take the new one: the dialler would have dropped it, had it not lost the old
 *     one we dialled                   the lower member number's dial stays.  If that is ours and it was up already,
 *                                      the other side has lost it, or its answer is on the way: refuse, and ask over
 *                                      the old one whether it still lives */
#ifndef KT_NET_REGISTER_H
#define KT_NET_REGISTER_H

#include "proto/ids.h"

/* What there is already for a member. */
enum kt_standing { KT_STANDING_NONE, KT_STANDING_WAITING /* dialled, not yet welcomed */, KT_STANDING_UP };

enum kt_verdict {
    KT_VERDICT_TAKE,    /* and close the old one, where there is one */
    KT_VERDICT_DROP,    /* refuse the new one */
    KT_VERDICT_ENQUIRE, /* refuse the new one, and ping the old one with a short deadline */
};

enum kt_verdict kt_register_judge(kt_member own, kt_member other, bool new_is_dialled, enum kt_standing old,
                                  bool old_is_dialled);

#endif
