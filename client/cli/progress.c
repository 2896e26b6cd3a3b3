#include "client/cli/progress.h"

#include "client/service.h"

#include <stdio.h>
#include <unistd.h>

#define WIDTH   40
#define WAIT_MS 1000u
#define STEP_MS 100u

void kt_progress_start(struct kt_progress *p, uint64_t total)
{
    *p = (struct kt_progress){.on = isatty(STDERR_FILENO), .start_ms = kt_line_now_ms(), .total = total};
}

void kt_progress_show(struct kt_progress *p, uint64_t done, uint64_t count, const char *what)
{
    if (!p->on) return;
    uint64_t now = kt_line_now_ms();
    if (now - p->start_ms < WAIT_MS || now - p->drawn_ms < STEP_MS) return;
    unsigned filled = p->total ? (unsigned)(done >= p->total ? WIDTH : done * WIDTH / p->total) : 0;
    fprintf(stderr, "\r[");
    for (unsigned i = 0; i < WIDTH; i++) fputc(i < filled ? '#' : '.', stderr);
    fprintf(stderr, "] %llu %s, %llu/s ", (unsigned long long)count, what,
            (unsigned long long)(count * 1000 / (now - p->start_ms)));
    fflush(stderr);
    p->drawn = true;
    p->drawn_ms = now;
}

void kt_progress_clear(struct kt_progress *p)
{
    if (p->drawn) fprintf(stderr, "\r\033[K");
    p->drawn = false;
}
