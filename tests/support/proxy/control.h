/* How the proxy is told what to do: text lines over a unix socket, one command each, answered by one line
 * ("ok", "ok PORT", or "error: ..."), which for `list` follows a line for every line of the proxy.
 *
 *     line NAME LISTEN TARGET   a new line; LISTEN 0 takes a free port, given in the answer; TARGET is a
 *                               port of loopback or ADDRESS:PORT
 *     cut NAME | hang NAME | heal NAME
 *     delay NAME MS             each way
 *     capture NAME [FILE]       append what is carried to FILE; without FILE: stop
 *     list
 *     quit
 *
 * The socket's file mode lets only its owner in.  Same single thread as line.h. */
#ifndef KT_SUPPORT_PROXY_CONTROL_H
#define KT_SUPPORT_PROXY_CONTROL_H

#include "support/proxy/line.h"

struct control;

/* Listens at path; *quit becomes true when somebody said so.  NULL with errno set on failure (EADDRINUSE: a proxy
 * answers there already; ENAMETOOLONG).  ls, quit and path are borrowed until control_close, which unlinks path. */
struct control *control_open(int epoll_fd, const char *path, struct lines *ls, bool *quit);
void control_close(struct control *c);
void control_settle(struct control *c); /* frees clients that left; after each round of events */

/* The other side: sends one command to the proxy at path and prints its answer.  0: ok; 1: the proxy said error;
 * 3: nobody answers at path. */
int control_ask(const char *path, int words, char *const *word);

#endif
