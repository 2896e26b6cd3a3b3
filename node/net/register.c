#include "net/register.h"

enum kt_verdict kt_register_judge(kt_member own, kt_member other, bool new_is_dialled, enum kt_standing old,
                                  bool old_is_dialled)
{
    if (old == KT_STANDING_NONE) return KT_VERDICT_TAKE;
    if (new_is_dialled) return KT_VERDICT_DROP;
    if (!old_is_dialled || other < own) return KT_VERDICT_TAKE;
    return old == KT_STANDING_UP ? KT_VERDICT_ENQUIRE : KT_VERDICT_DROP;
}
