#include "engine/ward/workset_state.h"

#include <stdlib.h>

#define ARENA_BYTES_MAX (512u << 20)
#define STATE_BYTES_MAX (64u << 20) /* one row in the clear */

int kt_workset_create(struct kt_store *store, struct kt_keyring *keyring, struct kt_world *world,
                      struct kt_workset **out)
{
    struct kt_workset *w = calloc(1, sizeof *w);
    if (!w) return KT_ENOMEM;
    w->store = store;
    w->keyring = keyring;
    w->world = world;
    kt_arena_init(&w->arena, ARENA_BYTES_MAX);
    *out = w;
    return KT_OK;
}

/* Everything here lives in the arena: only the tables of the hashes are freed one by one. */
static void forget(struct kt_workset *w)
{
    HASH_CLEAR(hh, w->wards);
    HASH_CLEAR(hh, w->rows);
    kt_arena_reset(&w->arena);
    w->txn = NULL;
    w->err = KT_OK;
}

void kt_workset_free(struct kt_workset *w)
{
    if (!w) return;
    kt_workset_abort(w);
    kt_workset_digests_drop(w);
    kt_arena_free(&w->arena);
    free(w);
}

int kt_workset_begin(struct kt_workset *w, bool write)
{
    w->write = write;
    return w->store->ops->begin(w->store, KT_ENV_STORE, write, &w->txn);
}

void kt_workset_lost_key(struct kt_origin origin, uint64_t number, uint8_t out[KT_LOST_KEY_BYTES])
{
    out[0] = 'h';
    kt_origin_pack(origin, out + 1);
    for (unsigned i = 0; i < 8; i++) out[1 + KT_ORIGIN_BYTES + i] = (uint8_t)(number >> (56 - 8 * i));
}

void kt_workset_set_lost(struct kt_workset *w, bool some) { w->lost = some; }

struct kt_txn *kt_workset_txn(struct kt_workset *w) { return w->txn; }
struct kt_store *kt_workset_store(struct kt_workset *w) { return w->store; }
struct kt_keyring *kt_workset_keyring(struct kt_workset *w) { return w->keyring; }
struct kt_arena *kt_workset_arena(struct kt_workset *w) { return &w->arena; }
struct kt_world *kt_workset_world(struct kt_workset *w) { return w->world; }

void kt_workset_abort(struct kt_workset *w)
{
    if (!w->txn) return;
    w->store->ops->abort(w->txn);
    if (w->write) kt_workset_digests_drop(w);
    forget(w);
}

void kt_workset_exchanged(struct kt_workset *w) { kt_workset_digests_drop(w); }

int kt_workset_commit(struct kt_workset *w)
{
    int e = w->err ? w->err : kt_workset_flush(w);
    if (e) {
        kt_workset_abort(w);
        return e;
    }
    e = w->store->ops->commit(w->txn);
    if (e) kt_workset_digests_drop(w);
    forget(w);
    return e;
}

/* -------------------------------------------------------------------------------------------------------- wards */

void kt_workset_ward_key(kt_compartment c, const struct kt_entity_id *id, uint8_t out[KT_WARD_KEY_BYTES])
{
    out[0] = (uint8_t)(c >> 24), out[1] = (uint8_t)(c >> 16), out[2] = (uint8_t)(c >> 8), out[3] = (uint8_t)c;
    memcpy(out + 4, id->b, sizeof id->b);
}

/* Row: the generation it was last written at be32 (the keyring says which is due), then the slots. */
static int decode_ward(struct kt_workset *w, struct kt_ws_ward *x, struct kt_bytes plain)
{
    struct kt_reader r = kt_reader(plain);
    x->ward.generation = kt_take_be32(&r);
    struct kt_slot *slots;
    size_t n;
    int e = r.err ? KT_EDAMAGED : kt_slots_decode(kt_take(&r, kt_reader_left(&r)), &w->arena, &slots, &n);
    if (e) return e == KT_ELIMIT ? e : KT_EDAMAGED;
    x->ward.slots = kt_arena_array(&w->arena, n + 1, sizeof *x->ward.slots);
    if (!x->ward.slots) return KT_ELIMIT;
    for (size_t i = 0; i < n; i++) x->ward.slots[i] = &slots[i];
    x->ward.slots_len = (uint32_t)n;
    x->ward.slots_cap = (uint32_t)n + 1;
    return KT_OK;
}

int kt_workset_open_row(struct kt_workset *w, enum kt_table table, struct kt_bytes key, kt_compartment c,
                        struct kt_bytes sealed, struct kt_bytes *plain)
{
    const uint8_t *secret = kt_keyring_store_key(w->keyring, KT_LABEL_STORE_STATE, c);
    if (!secret) return KT_EKEY;
    struct kt_buf b;
    kt_buf_init(&b, STATE_BYTES_MAX);
    int e = kt_row_open(secret, table, key, c, sealed, &b);
    if (!e) {
        *plain = kt_arena_copy(&w->arena, kt_buf_bytes(&b));
        if (b.len && !plain->data) e = KT_ELIMIT;
    }
    kt_buf_wipe_free(&b);
    return e == KT_EOPEN ? KT_EDAMAGED : e;
}

static int load_ward(struct kt_workset *w, struct kt_ws_ward *x)
{
    struct kt_bytes sealed, plain, key = kt_bytes(x->key, sizeof x->key);
    int e = w->store->ops->get(w->txn, KT_T_store_state, key, &sealed);
    if (e) return e == KT_ENOTFOUND ? KT_OK : e;
    x->ward.found = true;
    if ((e = kt_workset_open_row(w, KT_T_store_state, key, x->ward.compartment, sealed, &plain))) return e;
    return decode_ward(w, x, plain);
}

int kt_workset_ward(struct kt_workset *w, kt_compartment c, const struct kt_entity_id *id, struct kt_ward **out)
{
    uint8_t key[KT_WARD_KEY_BYTES];
    kt_workset_ward_key(c, id, key);
    struct kt_ws_ward *x;
    HASH_FIND(hh, w->wards, key, sizeof key, x);
    if (!x) {
        if (!kt_keyring_compartment(w->keyring, c)) return KT_EKEY;
        x = kt_arena_alloc(&w->arena, sizeof *x);
        if (!x) return KT_ELIMIT;
        memcpy(x->key, key, sizeof key);
        x->ward.compartment = c;
        x->ward.id = *id;
        int e = load_ward(w, x);
        if (e) return e;
        if (kt_keyring_erasures(w->keyring)) {
            const struct kt_tag tag = kt_tag_of(kt_keyring_compartment(w->keyring, c), id);
            x->ward.generation = kt_keyring_generation(w->keyring, c, &tag);
        }
        HASH_ADD(hh, w->wards, key, sizeof x->key, x);
        if (!x->hh.tbl) return KT_ENOMEM;
    }
    *out = &x->ward;
    return KT_OK;
}

/* Where the slot stands, or would stand. */
static uint32_t slot_place(const struct kt_ward *ward, const struct kt_slot *wanted, bool *found)
{
    uint32_t low = 0, high = ward->slots_len;
    while (low < high) {
        const uint32_t mid = low + (high - low) / 2;
        if (kt_slot_compare(ward->slots[mid], wanted) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *found = low < ward->slots_len && kt_slot_compare(ward->slots[low], wanted) == 0;
    return low;
}

struct kt_slot *kt_ward_slot(const struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field,
                             struct kt_bytes element)
{
    const struct kt_slot wanted = {.entity = *entity, .field = field, .element = element};
    bool found;
    const uint32_t at = slot_place(ward, &wanted, &found);
    return found ? ward->slots[at] : NULL;
}

uint32_t kt_ward_field(const struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field, uint32_t *first)
{
    const struct kt_slot wanted = {.entity = *entity, .field = field};
    bool found;
    uint32_t at = slot_place(ward, &wanted, &found), n = 0;
    *first = at;
    while (at + n < ward->slots_len && ward->slots[at + n]->field == field &&
           memcmp(&ward->slots[at + n]->entity, entity, sizeof *entity) == 0)
        n++;
    return n;
}

/* A new empty slot, in its place. */
static int insert_slot(struct kt_workset *w, struct kt_ward *ward, const struct kt_slot *wanted, struct kt_slot **out)
{
    bool found;
    const uint32_t at = slot_place(ward, wanted, &found);
    if (ward->slots_len == ward->slots_cap) {
        const uint32_t cap = ward->slots_cap ? ward->slots_cap * 2 : 16;
        struct kt_slot **grown = kt_arena_array(&w->arena, cap, sizeof *grown);
        if (!grown) return KT_ELIMIT;
        if (ward->slots_len) memcpy(grown, ward->slots, ward->slots_len * sizeof *grown);
        ward->slots = grown;
        ward->slots_cap = cap;
    }
    struct kt_slot *s = kt_arena_alloc(&w->arena, sizeof *s);
    if (!s) return KT_ELIMIT;
    *s = (struct kt_slot){
        .entity = wanted->entity, .field = wanted->field, .element = kt_arena_copy(&w->arena, wanted->element)};
    memmove(ward->slots + at + 1, ward->slots + at, (ward->slots_len - at) * sizeof *ward->slots);
    ward->slots[at] = s;
    ward->slots_len++;
    *out = s;
    return KT_OK;
}

int kt_workset_slot(struct kt_workset *w, struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field,
                    struct kt_bytes element, bool create, struct kt_slot **out)
{
    if (kt_field_is_list(field)) {
        struct kt_ws_row *row;
        int e = kt_workset_row_load(w, ward, entity, field, element, create, &row);
        if (!e) *out = row ? &row->slot : NULL;
        return e;
    }
    *out = kt_ward_slot(ward, entity, field, element);
    if (*out || !create) return KT_OK;
    const struct kt_slot wanted = {.entity = *entity, .field = field, .element = element};
    return insert_slot(w, ward, &wanted, out);
}

/* -------------------------------------------------------------------------------------------------------- flush */

static int put_row(struct kt_workset *w, enum kt_table table, struct kt_bytes key, kt_compartment c,
                   struct kt_bytes plain)
{
    const uint8_t *secret = kt_keyring_store_key(w->keyring, KT_LABEL_STORE_STATE, c);
    if (!secret) return KT_EKEY;
    uint8_t nonce[24];
    struct kt_buf sealed;
    w->world->random(w->world, nonce, sizeof nonce);
    kt_buf_init(&sealed, STATE_BYTES_MAX);
    kt_row_seal(secret, nonce, table, key, c, plain, &sealed);
    int e = sealed.err ? sealed.err : w->store->ops->put(w->txn, table, key, kt_buf_bytes(&sealed));
    kt_buf_free(&sealed);
    return e;
}

static int flush_ward(struct kt_workset *w, struct kt_ws_ward *x)
{
    struct kt_bytes key = kt_bytes(x->key, sizeof x->key);
    const struct kt_slot **live = kt_arena_array(&w->arena, x->ward.slots_len + 1, sizeof *live);
    if (!live) return KT_ELIMIT;
    size_t n = 0;
    for (uint32_t i = 0; i < x->ward.slots_len; i++)
        if (x->ward.slots[i]->live_len) live[n++] = x->ward.slots[i];
    if (n == 0) return w->store->ops->del(w->txn, KT_T_store_state, key);
    struct kt_buf plain;
    kt_buf_init(&plain, STATE_BYTES_MAX);
    kt_buf_be32(&plain, x->ward.generation);
    int e = kt_slots_encode(live, n, &plain);
    if (!e) e = put_row(w, KT_T_store_state, key, x->ward.compartment, kt_buf_bytes(&plain));
    kt_buf_wipe_free(&plain);
    return e;
}

static int flush_row(struct kt_workset *w, struct kt_ws_row *x)
{
    struct kt_bytes key = kt_bytes(x->key, x->key_len);
    x->slot.dirty = false;
    if (x->slot.live_len == 0) return x->existed ? w->store->ops->del(w->txn, KT_T_store_list, key) : KT_OK;
    const struct kt_slot *one = &x->slot;
    struct kt_buf plain;
    kt_buf_init(&plain, STATE_BYTES_MAX);
    int e = kt_slots_encode(&one, 1, &plain);
    if (!e) e = put_row(w, KT_T_store_list, key, x->ward->compartment, kt_buf_bytes(&plain));
    kt_buf_wipe_free(&plain);
    x->existed = true;
    return e;
}

static int by_ward_key(const void *a, const void *b)
{
    const struct kt_ws_ward *const *x = a, *const *y = b;
    return memcmp((*x)->key, (*y)->key, sizeof(*x)->key);
}

static int by_row_key(const void *a, const void *b)
{
    const struct kt_ws_row *const *x = a, *const *y = b;
    return kt_bytes_compare(kt_bytes((*x)->key, (*x)->key_len), kt_bytes((*y)->key, (*y)->key_len));
}

/* In key order: neighbours share pages. */
static int flush_wards(struct kt_workset *w)
{
    struct kt_ws_ward **dirty = kt_arena_array(&w->arena, HASH_COUNT(w->wards) + 1, sizeof(struct kt_ws_ward *));
    size_t n = 0;
    int e = dirty ? KT_OK : KT_ELIMIT;
    for (struct kt_ws_ward *x = w->wards; x && !e; x = x->hh.next)
        if (x->row_dirty) dirty[n++] = x;
    if (n) qsort(dirty, n, sizeof *dirty, by_ward_key);
    for (size_t i = 0; i < n && !e; i++) {
        e = flush_ward(w, dirty[i]);
        dirty[i]->row_dirty = false;
    }
    return e;
}

static int flush_rows(struct kt_workset *w)
{
    struct kt_ws_row **dirty = kt_arena_array(&w->arena, HASH_COUNT(w->rows) + 1, sizeof(struct kt_ws_row *));
    size_t n = 0;
    int e = dirty ? KT_OK : KT_ELIMIT;
    for (struct kt_ws_row *x = w->rows; x && !e; x = x->hh.next)
        if (x->slot.dirty) dirty[n++] = x;
    if (n) qsort(dirty, n, sizeof *dirty, by_row_key);
    for (size_t i = 0; i < n && !e; i++) e = flush_row(w, dirty[i]);
    return e;
}

int kt_workset_flush(struct kt_workset *w)
{
    int e = w->err;
    if (!e) e = flush_wards(w);
    if (!e) e = flush_rows(w);
    return e ? e : kt_workset_digests_flush(w);
}

int kt_workset_dirty(struct kt_workset *w, int (*give)(void *ctx, struct kt_ward *ward), void *ctx)
{
    int e = KT_OK;
    struct kt_ws_ward *x, *next;
    HASH_ITER(hh, w->wards, x, next)
    {
        if (x->ward.dirty && (e = give(ctx, &x->ward))) break;
    }
    return e;
}
