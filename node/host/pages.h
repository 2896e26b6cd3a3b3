/* Pages over HTTP on 127.0.0.1: /metrics (Prometheus text), /healthz (the process answers), /readyz (it serves).
 * libmicrohttpd; each page is made by a call on the engine thread, waited for at most KT_PAGE_WAIT_MS. */
#ifndef KT_HOST_PAGES_H
#define KT_HOST_PAGES_H

#include "host/health.h"
#include "host/runner.h"

#define KT_PAGE_WAIT_MS 2000u

struct kt_pages;
/* port 0 opens nothing and gives NULL.  `health` and `runner` outlive the pages.  KT_EUNREACHABLE: the port is taken.
 */
int kt_pages_open(uint16_t port, const struct kt_health_config *health, struct kt_runner *runner,
                  struct kt_pages **out) KT_MUST;
void kt_pages_close(struct kt_pages *p); /* NULL is nothing */

#endif
