/* Lines between offices.  A link carries whole frames in order, until it ends; what was on its way then is lost (of a
 * frame that came in part the session gives nothing on), and the two ends learn of it in their own time.  Lines do not
 * wait for each other.  Some seeds have two lines between any two offices: links of one pair that overlap, as while a
 * dead one is not noticed yet, so that the same batches come twice, and in another order.  Some have a chain or a hub
 * in place of a mesh. */
#include "sim/sim.h"

#include <stdlib.h>

#define REDIAL_MS_MAX 3000u
#define SILENT_MS     15000u

static void lay(struct sim *s, unsigned a, unsigned b)
{
    struct sim_line *l = &s->lines[s->lines_len++];
    *l = (struct sim_line){.office = {a, b}, .redial_ms = dice_below(&s->dice, 200)};
    l->latency_ms = 1 + dice_below(&s->dice, dice_in(&s->dice, 4) ? 400 : 40);
    l->bytes_per_ms = dice_in(&s->dice, 4) ? 2 + dice_below(&s->dice, 20) : 1000;
}

void network_open(struct sim *s)
{
    const unsigned each = dice_in(&s->dice, 5) ? 2 : 1;
    const enum { MESH, CHAIN, HUB, MESHES } shape = dice_in(&s->dice, 2) ? MESH : dice_below(&s->dice, MESHES);
    s->mesh = shape == MESH;
    for (unsigned a = 0; a < s->offices_len; a++)
        for (unsigned b = a + 1; b < s->offices_len; b++)
            for (unsigned i = 0; i < each && (shape == MESH || (shape == HUB ? a == 0 : b == a + 1)); i++) lay(s, a, b);
}

static void drop_frames(struct sim_line *l, int way, uint64_t later_than_ms)
{
    struct sim_frame **at = &l->first[way];
    l->last[way] = NULL;
    while (*at) {
        struct sim_frame *f = *at;
        if (f->at_ms <= later_than_ms) {
            l->last[way] = f;
            at = &f->next;
            continue;
        }
        *at = f->next;
        l->queued_bytes[way] -= f->len;
        free(f);
    }
}

static void forget(struct sim_line *l)
{
    for (int way = 0; way < 2; way++) {
        while (l->first[way]) {
            struct sim_frame *f = l->first[way];
            l->first[way] = f->next;
            free(f);
        }
        l->last[way] = NULL;
        l->queued_bytes[way] = 0;
        l->last_at_ms[way] = 0;
        l->told_up[way] = l->told_down[way] = false;
    }
    l->link = 0;
    l->dead = false;
}

void network_close(struct sim *s)
{
    for (unsigned i = 0; i < s->lines_len; i++) forget(&s->lines[i]);
}

/* ------------------------------------------------------------------------------------------------------------- ends */

static int side_of(const struct sim_line *l, unsigned office) { return l->office[0] == office ? 0 : 1; }

static struct sim_line *line_of(struct sim *s, uint64_t link)
{
    for (unsigned i = 0; i < s->lines_len; i++)
        if (s->lines[i].link == link) return &s->lines[i];
    return NULL;
}

void network_break(struct sim *s, struct sim_line *l, uint64_t notice_ms_max)
{
    if (!l->link || l->dead) return;
    l->dead = true;
    sim_say(s, "the link between office-%u and office-%u breaks", l->office[0] + 1, l->office[1] + 1);
    for (int side = 0; side < 2; side++) {
        l->down_at_ms[side] = s->now_ms + dice_below(&s->dice, (uint32_t)notice_ms_max + 1);
        drop_frames(l, side, s->now_ms);
    }
}

void network_office_gone(struct sim *s, unsigned office, uint64_t notice_ms_max)
{
    for (unsigned i = 0; i < s->lines_len; i++) {
        struct sim_line *l = &s->lines[i];
        if (!l->link || (l->office[0] != office && l->office[1] != office)) continue;
        const int side = side_of(l, office);
        network_break(s, l, notice_ms_max);
        l->told_up[side] = l->told_down[side] = true;
        drop_frames(l, !side, 0);
    }
}

void network_hang_up(struct sim_office *o, uint64_t link, const char *why)
{
    struct sim *s = o->sim;
    struct sim_line *l = line_of(s, link);
    if (!l || l->dead) return;
    sim_say(s, "office-%u hangs up on office-%u: %s", o->number + 1, l->office[!side_of(l, o->number)] + 1, why);
    network_break(s, l, 200);
    l->down_at_ms[side_of(l, o->number)] = s->now_ms;
}

static void tell_down(struct sim *s, struct sim_line *l)
{
    for (int side = 0; side < 2; side++) {
        struct sim_office *o = &s->offices[l->office[side]];
        if (l->told_down[side] || s->now_ms < l->down_at_ms[side]) continue;
        l->told_down[side] = true;
        if (!l->told_up[side]) continue;
        const struct kt_input in = {.kind = KT_IN_LINK_DOWN, .link = l->link};
        office_input(o, &in);
    }
    if (!l->told_down[0] || !l->told_down[1]) return;
    forget(l);
    l->redial_ms = s->now_ms + 10 + dice_below(&s->dice, REDIAL_MS_MAX);
}

/* ----------------------------------------------------------------------------------------------------------- begins */

static void dial(struct sim *s, struct sim_line *l)
{
    if (s->now_ms < l->redial_ms) return;
    const bool cut = s->now_ms < l->cut_until_ms[0] || s->now_ms < l->cut_until_ms[1];
    const struct sim_office *a = &s->offices[l->office[0]], *b = &s->offices[l->office[1]];
    if (cut || !a->up || !b->up || s->now_ms < a->paused_until_ms || s->now_ms < b->paused_until_ms) {
        l->redial_ms = s->now_ms + 10 + dice_below(&s->dice, REDIAL_MS_MAX);
        return;
    }
    l->link = ++s->last_link;
    for (int side = 0; side < 2; side++) {
        l->up_at_ms[side] = s->now_ms + dice_below(&s->dice, (uint32_t)l->latency_ms + 1);
        l->last_at_ms[side] = 0;
    }
}

static void tell_up(struct sim *s, struct sim_line *l)
{
    for (int side = 0; side < 2; side++) {
        struct sim_office *o = &s->offices[l->office[side]];
        if (l->told_up[side] || l->told_down[side] || s->now_ms < l->up_at_ms[side]) continue;
        l->told_up[side] = true;
        const unsigned other = l->office[!side];
        sim_say(s, "office-%u has a link to office-%u", o->number + 1, other + 1);
        const struct kt_input in = {.kind = KT_IN_LINK_UP, .link = l->link, .member = other + 1};
        office_input(o, &in);
    }
}

/* ----------------------------------------------------------------------------------------------------------- frames */

static uint64_t frame_hash(struct kt_bytes b)
{
    uint64_t h = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < b.len; i++) h = (h ^ b.data[i]) * 0x100000001b3ull;
    return h;
}

static int carry(struct sim_office *from, uint64_t link, struct kt_bytes frame);

int network_send(struct sim_office *from, uint64_t link, struct kt_bytes frame)
{
    struct kt_buf b;
    if (from->sim->now_ms >= from->lies_until_ms) return carry(from, link, frame);
    kt_buf_init(&b, KT_FRAME_BYTES_MAX);
    const int e = liar_says(from, frame, &b) ? carry(from, link, kt_buf_bytes(&b)) : KT_OK;
    kt_buf_free(&b);
    return e;
}

static int carry(struct sim_office *from, uint64_t link, struct kt_bytes frame)
{
    struct sim *s = from->sim;
    struct sim_line *l = line_of(s, link);
    if (!l) return KT_EGONE;
    const int way = side_of(l, from->number);
    if (l->told_down[way]) return KT_EGONE;
    if (l->queued_bytes[way] > 0 && l->queued_bytes[way] + frame.len > KT_LINK_QUEUE_BYTES_MAX) return KT_EAGAIN;
    sim_say(s, "office-%u to office-%u: %zu bytes (%016llx)%s", from->number + 1, l->office[!way] + 1, frame.len,
            (unsigned long long)frame_hash(frame), l->dead ? ", in vain" : "");
    s->frames++;
    if (l->dead) return KT_OK;
    struct sim_frame *f = malloc(sizeof *f + frame.len);
    sim_must(f != NULL, "out of memory");
    uint64_t start = l->last_at_ms[way] > s->now_ms + l->latency_ms ? l->last_at_ms[way] : s->now_ms + l->latency_ms;
    if (start < l->cut_until_ms[way]) start = l->cut_until_ms[way];
    *f = (struct sim_frame){.at_ms = start + frame.len / l->bytes_per_ms, .len = frame.len};
    memcpy(f->bytes, frame.data, frame.len);
    l->last_at_ms[way] = f->at_ms;
    l->queued_bytes[way] += f->len;
    if (l->last[way])
        l->last[way]->next = f;
    else
        l->first[way] = f;
    l->last[way] = f;
    return KT_OK;
}

static void deliver(struct sim *s, struct sim_line *l, int way)
{
    struct sim_office *to = &s->offices[l->office[!way]];
    while (l->first[way] && l->first[way]->at_ms <= s->now_ms && l->told_up[!way] && !l->told_down[!way] && to->up &&
           to->inbox_len < KT_INBOX_FRAMES_MAX && s->now_ms >= l->cut_until_ms[way]) {
        struct sim_frame *f = l->first[way];
        l->first[way] = f->next;
        if (!f->next) l->last[way] = NULL;
        l->queued_bytes[way] -= f->len;
        s->running = to;
        struct kt_input in = {.kind = KT_IN_FRAME, .link = l->link};
        in.intake = kt_intake_frame(to->keyring, to->packer, l->link, kt_bytes(f->bytes, f->len));
        s->running = NULL;
        sim_must(in.intake != NULL, "out of memory");
        office_input(to, &in);
        free(f);
    }
}

/* A way that is cut for longer than anybody waits ends the link. */
static void check_silence(struct sim *s, struct sim_line *l)
{
    for (int way = 0; way < 2 && !l->dead; way++)
        if (l->cut_until_ms[way] > s->now_ms + SILENT_MS && dice_in(&s->dice, SILENT_MS / SIM_QUANTUM_MS))
            network_break(s, l, SILENT_MS);
}

void network_run(struct sim *s)
{
    for (unsigned i = 0; i < s->lines_len; i++) {
        struct sim_line *l = &s->lines[i];
        if (!l->link) dial(s, l);
        if (!l->link) continue;
        tell_up(s, l);
        deliver(s, l, 0);
        deliver(s, l, 1);
        if (l->dead)
            tell_down(s, l);
        else
            check_silence(s, l);
    }
}

bool network_on_its_way(const struct sim *s, unsigned office)
{
    bool any = false;
    for (unsigned i = 0; i < s->offices_len; i++) any = any || (i != office && s->offices[i].inbox_len > 0);
    for (unsigned i = 0; i < s->lines_len; i++) {
        const struct sim_line *l = &s->lines[i];
        const bool its = l->office[0] == office || l->office[1] == office;
        any = any || (its && l->first[side_of(l, office)] != NULL);
    }
    return any;
}

void network_isolate(struct sim *s, unsigned office, uint64_t ms)
{
    for (unsigned i = 0; i < s->lines_len; i++) {
        struct sim_line *l = &s->lines[i];
        if (l->office[0] != office && l->office[1] != office) continue;
        l->cut_until_ms[0] = l->cut_until_ms[1] = s->now_ms + ms;
        network_break(s, l, 100);
    }
}

void network_heal(struct sim *s)
{
    for (unsigned i = 0; i < s->lines_len; i++) {
        s->lines[i].cut_until_ms[0] = s->lines[i].cut_until_ms[1] = 0;
        s->lines[i].bytes_per_ms = 1000;
        const uint64_t soon = s->now_ms + s->lines[i].latency_ms;
        for (int way = 0; way < 2; way++) {
            for (struct sim_frame *f = s->lines[i].first[way]; f; f = f->next)
                if (f->at_ms > soon) f->at_ms = soon;
            if (s->lines[i].last_at_ms[way] > soon)
                s->lines[i].last_at_ms[way] = soon; /* what follows queues no longer */
        }
    }
}
