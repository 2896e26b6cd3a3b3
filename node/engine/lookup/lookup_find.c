/* From what somebody is known by to the rows of views.
 *
 * A miss by source or id is confirmed by a second structure: a record without a head row whose state is there says that
 * the disk is damaged, not that there is no such customer; a miss by identifier, phone, address or case number is held
 * against the sum of its bucket of the index. */
#include "engine/view/index.h"
#include "engine/lookup/lookup_state.h"
#include "proto/schema/composite.h"
#include "proto/schema/match.h"

/* Keeps the row of the view, each once, ascending. */
static int add_row(struct kt_looking *k, uint64_t row)
{
    struct kt_view_row view;
    int e = kt_view_row_get(k->w, &row, &view);
    if (e) return e == KT_ENOTFOUND ? KT_EDAMAGED : e; /* an index entry without its view */
    uint32_t at = k->rows_len;
    while (at > 0 && k->rows[at - 1] >= row) at--;
    if (at < k->rows_len && k->rows[at] == row) return KT_OK;
    if (k->rows_len == k->rows_cap) {
        const uint32_t cap = k->rows_cap ? k->rows_cap * 2 : 8;
        uint64_t *grown = kt_arena_array(kt_workset_arena(k->w), cap, sizeof *grown);
        if (!grown) return KT_ELIMIT;
        if (k->rows_len) memcpy(grown, k->rows, k->rows_len * sizeof *grown);
        k->rows = grown;
        k->rows_cap = cap;
    }
    memmove(k->rows + at + 1, k->rows + at, (k->rows_len - at) * sizeof *k->rows);
    k->rows[at] = row;
    k->rows_len++;
    return KT_OK;
}

/* Past the matches that are shown, one more tells that there are more. */
static bool enough(const struct kt_looking *k) { return k->rows_len > KT_MATCHES_MAX; }

static int find_term(struct kt_looking *k, kt_compartment c, enum kt_index index, struct kt_bytes form)
{
    uint8_t term[KT_TERM_BYTES];
    uint64_t *rows;
    uint32_t len;
    uint64_t unlisted;
    int e = kt_index_term(k->w, c, index, form, term);
    if (!e) e = kt_index_find(k->w, term, &rows, &len, &unlisted);
    if (!e && unlisted) k->more = true;
    for (uint32_t i = 0; !e && i < len && !enough(k); i++) e = add_row(k, rows[i]);
    return e;
}

static int confirm_term_missed(struct kt_looking *k, kt_compartment c, enum kt_index index, struct kt_bytes form)
{
    uint8_t term[KT_TERM_BYTES];
    int e = kt_index_term(k->w, c, index, form, term);
    return e ? e : kt_index_confirm_miss(k->w, term);
}

/* Contact points are core; identifiers and case numbers are in the compartments of their systems. */
static int find_indexed(struct kt_looking *k, enum kt_index index, bool everywhere)
{
    struct kt_bytes form;
    int e = kt_index_form(index, k->request->lookup.system, k->request->lookup.value, k->l->config.phone_country,
                          kt_workset_arena(k->w), &form);
    if (e) return e == KT_ELIMIT || e == KT_ENOMEM ? e : KT_EINVAL;
    if (form.len == 0) return KT_EINVAL;
    int (*steps[])(struct kt_looking *, kt_compartment, enum kt_index, struct kt_bytes) = {find_term,
                                                                                           confirm_term_missed};
    for (uint32_t step = 0; step < 2 && !k->rows_len; step++)
        for (uint32_t i = 0; !e && i < k->roster->compartments_len && !enough(k); i++) {
            const kt_compartment c = k->roster->compartments[i].number;
            if ((everywhere || c == KT_CORE) && kt_looking_reads(k, c)) e = steps[step](k, c, index, form);
        }
    return e;
}

static int confirm_miss(struct kt_looking *k, const struct kt_entity_id *id)
{
    for (uint32_t i = 0; i < k->roster->compartments_len; i++) {
        struct kt_ward *ward;
        if (!kt_keyring_compartment(k->l->config.keyring, k->roster->compartments[i].number)) continue;
        int e = kt_workset_ward(k->w, k->roster->compartments[i].number, id, &ward);
        if (e) return e;
        if (ward->slots_len) return KT_EDAMAGED;
    }
    return KT_OK;
}

static int find_entity(struct kt_looking *k, const struct kt_entity_id *id)
{
    struct kt_ward_head head;
    int e = kt_head_load(k->w, id, &head);
    if (e) return e;
    if (head.kind == 0) return confirm_miss(k, id);
    return head.row ? add_row(k, head.row) : KT_OK;
}

static int find_source(struct kt_looking *k)
{
    struct kt_entity_id id;
    int e = kt_ref_entity(k->id_key, KT_CUSTOMER, k->request->lookup.system, k->request->lookup.value, &id);
    return e ? e : find_entity(k, &id);
}

static int find_customer(struct kt_looking *k)
{
    struct kt_entity_id id;
    char hex[2 * KT_ENTITY_ID_BYTES + 1] = {0};
    const struct kt_bytes value = k->request->lookup.value;
    if (value.len != sizeof hex - 1) return KT_EINVAL;
    memcpy(hex, value.data, value.len);
    return kt_unhex(hex, id.b, sizeof id.b) ? KT_EINVAL : find_entity(k, &id);
}

int kt_looking_find(struct kt_looking *k)
{
    if (k->request->lookup.value.len == 0 || k->request->lookup.value.len > KT_TEXT_BYTES_MAX) return KT_EINVAL;
    switch (k->request->lookup.by) {
    case KT_BY_ID:
        return find_indexed(k, KT_INDEX_IDENTIFIER, true);
    case KT_BY_SOURCE:
        return find_source(k);
    case KT_BY_CUSTOMER:
        return find_customer(k);
    case KT_BY_CASE:
        return find_indexed(k, KT_INDEX_CASE_NUMBER, true);
    case KT_BY_PHONE:
        return find_indexed(k, KT_INDEX_PHONE, false);
    case KT_BY_EMAIL:
        return find_indexed(k, KT_INDEX_EMAIL, false);
    }
    return KT_EINVAL;
}
