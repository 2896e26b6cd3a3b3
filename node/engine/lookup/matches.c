/* Several people answer to one phone or address: who they are, briefly. */
#include "engine/lookup/lookup_state.h"
#include "proto/schema/fields.h"
#include "proto/schema/value.h"
#include "proto/view/view.h"

#include <stdlib.h>

static struct kt_bytes why(enum kt_lookup_by by)
{
    switch (by) {
    case KT_BY_PHONE:
        return kt_str("phone");
    case KT_BY_EMAIL:
        return kt_str("email");
    case KT_BY_CASE:
        return kt_str("case number");
    default:
        return kt_str("identifier");
    }
}

static void append(struct kt_buf *b, struct kt_bytes word)
{
    if (b->len && word.len) kt_buf_u8(b, ' ');
    kt_buf_put(b, word);
}

/* "Ada Okafor" from a name's parts, or its text. */
static int name_text(struct kt_looking *k, struct kt_bytes name, struct kt_bytes *out)
{
    struct kt_buf b;
    struct kt_bytes part;
    struct kt_reader at = {0};
    kt_buf_init(&b, KT_VALUE_BYTES_MAX);
    while (kt_value_column_next(name, KT_C_NAME_GIVEN, &at, &part)) append(&b, part);
    if (kt_value_column(name, KT_C_NAME_FAMILY, &part)) append(&b, part);
    if (b.len == 0 && kt_value_column(name, KT_C_NAME_TEXT, &part)) append(&b, part);
    *out = kt_arena_copy(k->arena, kt_buf_bytes(&b));
    const int e = b.err ? b.err : b.len && !out->data ? KT_ELIMIT : KT_OK;
    kt_buf_free(&b);
    return e;
}

static int describe(struct kt_looking *k, uint64_t row, struct kt_match *m)
{
    struct kt_view_row row_view;
    struct kt_view_section *sections;
    uint32_t n;
    struct kt_view view;
    char hex[2 * KT_ENTITY_ID_BYTES + 1];
    int e = kt_view_row_get(k->w, &row, &row_view);
    if (!e) e = kt_looking_open(k, row, &row_view, &sections, &n);
    struct kt_section_in *in = e ? NULL : kt_arena_array(k->arena, n + 1u, sizeof *in);
    if (!e && !in) e = KT_ELIMIT;
    if (e) return e;
    for (uint32_t i = 0; i < n; i++) in[i] = (struct kt_section_in){sections[i].compartment, sections[i].bytes};
    if ((e = kt_view_compose(in, n, &row_view.about.display_id, k->arena, &view))) return e;
    kt_hex(KT_BYTES_OF(row_view.about.display_id), hex);
    m->id = kt_arena_copy(k->arena, kt_str(hex));
    m->why = why(k->request->lookup.by);
    for (uint32_t i = 0; i < view.customer.shown_len && !e; i++) {
        const struct kt_shown *s = &view.customer.shown[i];
        if (s->field->number == KT_F_CUSTOMER_BIRTH_DATE) m->birth_date = s->value;
        if (s->field->number == KT_F_CUSTOMER_LEGAL_NAME && !m->name.len) m->name = s->value;
        if (s->field->number == KT_F_CUSTOMER_NAME && !m->name.len) e = name_text(k, s->value, &m->name);
    }
    return e;
}

/* Row numbers are this node's own: people come in an order that every office gives them. */
static int by_id(const void *a, const void *b)
{
    return kt_bytes_compare(((const struct kt_match *)a)->id, ((const struct kt_match *)b)->id);
}

int kt_looking_matches(struct kt_looking *k)
{
    const uint32_t n = k->rows_len < KT_MATCHES_MAX ? k->rows_len : KT_MATCHES_MAX;
    struct kt_match *m = kt_arena_array(k->arena, n + 1u, sizeof *m);
    int e = m ? KT_OK : KT_ELIMIT;
    for (uint32_t i = 0; i < n && !e; i++) e = describe(k, k->rows[i], &m[i]);
    if (!e && n > 1) qsort(m, n, sizeof *m, by_id);
    k->reply->lookup.matches = m;
    k->reply->lookup.matches_len = n;
    k->reply->lookup.more = k->more || k->rows_len > n;
    return e;
}
