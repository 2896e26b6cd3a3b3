/* The metrics, in the text format of Prometheus (exposition format 0.0.4).  What is not known has no sample. */
#include "host/health_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define METRICS_ARENA_BYTES_MAX (32u << 20)

__attribute__((format(printf, 2, 3))) static void line(struct kt_buf *b, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > 0) kt_buf_put(b, kt_bytes(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
}

static void head(struct kt_buf *b, const char *name, const char *type, const char *help)
{
    line(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* One value per peer: how it is found, and when it is known. */
struct peer_metric {
    const char *name, *help;
    bool (*value)(const struct kt_health_config *c, const struct kt_engine_status *s, const struct kt_peer_status *p,
                  double *out);
};

static bool lag(const struct kt_health_config *c, const struct kt_engine_status *s, const struct kt_peer_status *p,
                double *out)
{
    (void)c;
    *out = s->now_ms > p->complete_through_ms ? (double)(s->now_ms - p->complete_through_ms) / 1000.0 : 0.0;
    return p->complete_through_ms != 0;
}

static bool linked(const struct kt_health_config *c, const struct kt_engine_status *s, const struct kt_peer_status *p,
                   double *out)
{
    (void)c, (void)s;
    *out = p->linked;
    return true;
}

static bool silent(const struct kt_health_config *c, const struct kt_engine_status *s, const struct kt_peer_status *p,
                   double *out)
{
    (void)c;
    *out = kt_health_silent(s, p);
    return true;
}

static bool batches_behind(const struct kt_health_config *c, const struct kt_engine_status *s,
                           const struct kt_peer_status *p, double *out)
{
    (void)c, (void)s;
    *out = (double)p->batches_behind;
    return p->behind_known;
}

static bool bytes_behind(const struct kt_health_config *c, const struct kt_engine_status *s,
                         const struct kt_peer_status *p, double *out)
{
    *out = (double)kt_health_bytes(c, s, p->batches_behind);
    return p->behind_known;
}

static bool unacknowledged(const struct kt_health_config *c, const struct kt_engine_status *s,
                           const struct kt_peer_status *p, double *out)
{
    (void)c;
    const uint64_t since = kt_hlc_ms(p->oldest_unacknowledged);
    *out = since && s->now_ms > since ? (double)(s->now_ms - since) / 1000.0 : 0.0;
    return p->behind_known;
}

static bool agrees(const struct kt_health_config *c, const struct kt_engine_status *s, const struct kt_peer_status *p,
                   double *out)
{
    (void)c, (void)s;
    *out = p->digest_agrees;
    return p->digest_known;
}

static bool skew(const struct kt_health_config *c, const struct kt_engine_status *s, const struct kt_peer_status *p,
                 double *out)
{
    (void)c, (void)s;
    *out = (double)p->skew_ms / 1000.0;
    return p->last_pulse_mono_ms != 0;
}

static const struct peer_metric peer_metrics[] = {
    {"kontor_peer_lag_seconds",            "age of the moment through which all of this office's work is here", lag           },
    {"kontor_peer_linked",                 "1 while a link to this office stands",                              linked        },
    {"kontor_peer_silent",                 "1 while this office has said nothing for too long",                 silent        },
    {"kontor_peer_behind_batches",         "batches held here that this office lacks",                          batches_behind},
    {"kontor_peer_behind_bytes",           "about how many bytes these take",                                   bytes_behind  },
    {"kontor_peer_unacknowledged_seconds", "age of our oldest batch this office has not acknowledged",          unacknowledged},
    {"kontor_peer_digest_agreement",       "1 where equal vectors show equal digests, 0 where they do not",     agrees        },
    {"kontor_peer_clock_skew_seconds",     "this office's clock minus ours when its last pulse came",           skew          },
};

static void peers(struct kt_buf *b, const struct kt_health_config *c, const struct kt_engine_status *s)
{
    for (size_t i = 0; i < sizeof peer_metrics / sizeof *peer_metrics; i++) {
        const struct peer_metric *m = &peer_metrics[i];
        head(b, m->name, "gauge", m->help);
        for (uint32_t j = 0; j < s->peers_len; j++) {
            double value;
            if (!m->value(c, s, &s->peers[j], &value)) continue;
            line(b, "%s{office=\"%s\",member=\"%u\"} %.15g\n", m->name, kt_health_office(c, s->peers[j].member),
                 s->peers[j].member, value);
        }
    }
}

static void origins(struct kt_buf *b, const struct kt_health_config *c, const struct kt_engine_status *s)
{
    head(b, "kontor_origin_batches", "gauge", "last batch held of each origin");
    for (size_t i = 0; i < s->vector->len; i++) {
        const struct kt_vector_entry *v = &s->vector->entries[i];
        line(b, "kontor_origin_batches{office=\"%s\",member=\"%u\",incarnation=\"%016" PRIx64 "\"} %" PRIu64 "\n",
             kt_health_office(c, v->origin.member), v->origin.member, v->origin.incarnation, v->number);
    }
    head(b, "kontor_origin_last_change_seconds", "gauge", "age of the last batch held of each origin");
    for (size_t i = 0; i < s->vector->len; i++) {
        const struct kt_vector_entry *v = &s->vector->entries[i];
        const uint64_t at = kt_hlc_ms(v->hlc);
        if (at == 0) continue;
        line(b, "kontor_origin_last_change_seconds{office=\"%s\",member=\"%u\",incarnation=\"%016" PRIx64 "\"} %.3f\n",
             kt_health_office(c, v->origin.member), v->origin.member, v->origin.incarnation,
             s->now_ms > at ? (double)(s->now_ms - at) / 1000.0 : 0.0);
    }
}

/* Durations in buckets that double: below first_s * 2^i, the last one open. */
static void histogram(struct kt_buf *b, const char *name, const char *help, const uint64_t *buckets, uint32_t n,
                      double first_s, uint64_t sum_ns)
{
    uint64_t total = 0;
    double bound = first_s;
    head(b, name, "histogram", help);
    for (uint32_t i = 0; i + 1 < n; i++, bound *= 2) {
        total += buckets[i];
        line(b, "%s_bucket{le=\"%.9g\"} %" PRIu64 "\n", name, bound, total);
    }
    total += buckets[n - 1];
    line(b, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.9f\n%s_count %" PRIu64 "\n", name, total, name,
         (double)sum_ns / 1e9, name, total);
}

static void counts(struct kt_buf *b, const struct kt_engine_status *s, uint32_t problems)
{
    const struct {
        const char *name, *type, *help;
        uint64_t value;
    } all[] = {
        {"kontor_problems",               "gauge",   "problems listed by kontor status",                  problems                },
        {"kontor_held_envelopes",         "gauge",   "envelopes whose key or version is missing",         s->ledger.held          },
        {"kontor_conflicts",              "gauge",   "conflicts to be resolved by people",                s->ledger.conflicts     },
        {"kontor_contradictions",         "gauge",   "records joined in spite of a verdict that parts them",
         s->ledger.contradictions                                                                                                 },
        {"kontor_void_envelopes_total",   "counter", "envelopes that count for nothing, since the start",
         s->ledger.voided                                                                                                         },
        {"kontor_opened_late_total",      "counter", "held envelopes that opened, since the start",       s->ledger.opened_late   },
        {"kontor_journal_position",       "gauge",   "batches taken into the journal",                    s->ledger.position      },
        {"kontor_store_position",         "gauge",   "of these, shown by the store",                      s->ledger.store_position},
        {"kontor_puts_total",             "counter", "records accepted, since the start",                 s->puts                 },
        {"kontor_puts_refused_total",     "counter", "records refused, since the start",                  s->puts_refused         },
        {"kontor_batches_received_total", "counter", "batches taken from peers, since the start",         s->batches_in           },
        {"kontor_batches_sent_total",     "counter", "batches sent to peers, since the start",            s->batches_out          },
        {"kontor_bytes_sent_total",       "counter", "bytes of frames sent to peers, since the start",    s->bytes_out            },
        {"kontor_batches_refused_total",  "counter", "batches of peers that could not be taken",          s->refused_batches      },
        {"kontor_stamps_ahead_total",     "counter", "batches whose clock was too far ahead to follow",   s->skewed_stamps        },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        head(b, all[i].name, all[i].type, all[i].help);
        line(b, "%s %" PRIu64 "\n", all[i].name, all[i].value);
    }
}

static void disks(struct kt_buf *b, const struct kt_health_config *c)
{
    static const char *const names[KT_ENV_COUNT] = {"keys", "journal", "store"};
    struct kt_env_info info[KT_ENV_COUNT];
    bool known[KT_ENV_COUNT];
    for (int i = 0; i < KT_ENV_COUNT; i++) known[i] = c->store->ops->info(c->store, (enum kt_env)i, &info[i]) == KT_OK;
    head(b, "kontor_map_used_bytes", "gauge", "bytes in use of each environment");
    for (int i = 0; i < KT_ENV_COUNT; i++)
        if (known[i]) line(b, "kontor_map_used_bytes{environment=\"%s\"} %" PRIu64 "\n", names[i], info[i].used_bytes);
    head(b, "kontor_map_size_bytes", "gauge", "largest size each environment can grow to");
    for (int i = 0; i < KT_ENV_COUNT; i++)
        if (known[i]) line(b, "kontor_map_size_bytes{environment=\"%s\"} %" PRIu64 "\n", names[i], info[i].map_bytes);
    head(b, "kontor_disk_free_bytes", "gauge", "bytes free on the disk of data_dir");
    if (known[KT_ENV_JOURNAL]) line(b, "kontor_disk_free_bytes %" PRIu64 "\n", info[KT_ENV_JOURNAL].disk_free_bytes);
}

int kt_health_metrics(const struct kt_health_config *c, struct kt_engine *e, struct kt_buf *out)
{
    struct kt_arena a;
    struct kt_engine_status s;
    kt_arena_init(&a, METRICS_ARENA_BYTES_MAX);
    int err = kt_engine_status(e, &a, &s);
    struct kt_problems *problems = kt_arena_alloc(&a, sizeof *problems);
    if (!err && !problems) err = KT_ELIMIT;
    if (!err) {
        struct kt_desk_count desk;
        kt_desk_count(c->desk, &desk);
        kt_health_problems(c, &s, &a, problems);
        peers(out, c, &s);
        origins(out, c, &s);
        counts(out, &s, problems->len);
        disks(out, c);
        histogram(out, "kontor_commit_seconds", "from sealing to visible, per group", s.commit_buckets,
                  sizeof s.commit_buckets / sizeof *s.commit_buckets, 100e-6, s.commit_sum_ns);
        histogram(out, "kontor_lookup_seconds", "lookups answered from the store", desk.buckets,
                  sizeof desk.buckets / sizeof *desk.buckets, 2e-6, desk.sum_ns);
        err = out->err;
    }
    kt_arena_free(&a);
    return err;
}
