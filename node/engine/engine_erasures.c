/* The engine's erasures: they travel ahead of batches, from whoever has them to whoever is linked, whether or not this
 * node reads what they are about. */
#include "engine/engine_state.h"

#define ERASURES_PER_FRAME_BYTES (120u << 10)
#define ERASE_AGAIN_MS           500u /* between two tries that the disk stops */

/* --------------------------------------------------------------------------------------------------------- giving */

/* One frame as it fills. */
struct gift {
    struct kt_engine *e;
    uint64_t link;
    struct kt_arena arena;
    struct kt_peer_message m;
    uint32_t cap;
    size_t bytes;
};

static int send_gift(struct gift *g)
{
    const int err = g->m.erasures.len ? kt_engine_send(g->e, g->link, &g->m) : KT_OK;
    kt_arena_reset(&g->arena);
    g->m = (struct kt_peer_message){.part = KT_PEER_ERASURES};
    g->cap = 0;
    g->bytes = 0;
    return err;
}

static int add(void *ctx, struct kt_bytes erasure)
{
    struct gift *g = ctx;
    int err = g->bytes + erasure.len > ERASURES_PER_FRAME_BYTES ? send_gift(g) : KT_OK;
    if (!err && g->m.erasures.len == g->cap) {
        const uint32_t cap = g->cap ? g->cap * 2 : 16;
        struct kt_bytes *grown = kt_arena_array(&g->arena, cap, sizeof *grown);
        if (!grown) return KT_ELIMIT;
        if (g->cap) memcpy(grown, g->m.erasures.items, g->cap * sizeof *grown);
        g->m.erasures.items = grown;
        g->cap = cap;
    }
    const struct kt_bytes copy = err ? kt_bytes(NULL, 0) : kt_arena_copy(&g->arena, erasure);
    if (!err && !copy.data) err = KT_ELIMIT;
    if (err) return err;
    g->m.erasures.items[g->m.erasures.len++] = copy;
    g->bytes += copy.len;
    return KT_OK;
}

int kt_engine_send_erasures(struct kt_engine *e, uint64_t link)
{
    struct gift g = {.e = e, .link = link, .m = {.part = KT_PEER_ERASURES}};
    kt_arena_init(&g.arena, 2 * ERASURES_PER_FRAME_BYTES);
    int err = kt_keyring_give_erasures(e->keyring, add, &g);
    if (!err) err = send_gift(&g);
    kt_arena_free(&g.arena);
    return err;
}

/* --------------------------------------------------------------------------------------------------------- taking */

/* An error of this machine; what is wrong with the erasure itself is its sender's. */
static bool of_the_store(int err) { return err == KT_EIO || err == KT_EFULL || err == KT_ENOMEM || err == KT_EDAMAGED; }

/* Keeps those that are good and new: *news holds them on return. */
static int keep_new(struct kt_engine *e, const struct kt_bytes_list *list, struct kt_bytes_list *news)
{
    for (uint32_t n = 0; n < list->len; n++) {
        bool is_new;
        const int err = kt_keyring_take_erasure(e->keyring, list->items[n], &is_new);
        if (of_the_store(err)) return err;
        if (err) kt_engine_note(e, "erasure-refused", "a peer's erasure was refused: %s", kt_error_text(err));
        if (!err && is_new) news->items[news->len++] = list->items[n];
    }
    return KT_OK;
}

int kt_engine_take_erasures(struct kt_engine *e, struct kt_intake *i)
{
    const struct kt_engine_link *from = kt_engine_link(e, i->link);
    struct kt_peer_message m = {.part = KT_PEER_ERASURES};
    if (from->roster_only) return KT_OK;
    int err = kt_engine_commit(e); /* the group may be writing keys, and values that are dead from now on */
    m.erasures.items = kt_arena_array(&i->arena, i->message.erasures.len + 1, sizeof *m.erasures.items);
    if (!err && !m.erasures.items) err = KT_ELIMIT;
    if (!err) err = keep_new(e, &i->message.erasures, &m.erasures);
    if (m.erasures.len == 0) return err;
    kt_engine_note(e, "erased", "%u erasures of peers are in force", m.erasures.len);
    e->keys_came = true; /* what is held for keys that are no more is let go */
    for (uint32_t n = 0; n < e->links_len && !err; n++)
        if (!e->links[n].roster_only && e->links[n].id != i->link) err = kt_engine_send(e, e->links[n].id, &m);
    return err ? err : kt_engine_erase_on(e);
}

int kt_engine_erase_on(struct kt_engine *e)
{
    const uint64_t now = kt_engine_mono_ms(e);
    if (e->erase_failed && now - e->erase_mono_ms < ERASE_AGAIN_MS) return KT_OK;
    int err = e->group ? kt_engine_commit(e) : KT_OK;
    if (!err) err = kt_ledger_erase(e->ledger);
    if (!err) err = kt_ledger_sweep(e->ledger);
    e->erase_failed = err == KT_EFULL || err == KT_EDAMAGED; /* what is damaged is for verify and repair to name */
    e->erase_mono_ms = now;
    return e->erase_failed ? KT_OK : err;
}
