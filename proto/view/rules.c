#include "proto/view/rules.h"
#include "proto/schema/composite.h"
#include "proto/schema/fields.h"
#include "proto/keys/hash.h"

int kt_view_value_compare_time(const struct kt_view_value *a, const struct kt_view_value *b)
{
    if (a->stamp != b->stamp) return a->stamp < b->stamp ? -1 : 1;
    return kt_dot_compare(&a->dot, &b->dot);
}

/* A code's place in the list of those allowed; what the list does not know is least strict of all. */
static uint32_t place_in(const char *const *allowed, struct kt_bytes code)
{
    uint32_t at = 0;
    for (; allowed && allowed[at]; at++)
        if (kt_bytes_equal(kt_str(allowed[at]), code)) break;
    return at;
}

static uint32_t strictness(const struct kt_schema_field *f, struct kt_bytes value)
{
    const char *const *allowed;
    struct kt_bytes code = kt_value_deciding(f, value, &allowed);
    return place_in(allowed, code);
}

/* What a person decided about two records counts before what a program guessed. */
static uint32_t by_whom(const struct kt_schema_field *f, struct kt_bytes value)
{
    struct kt_bytes by = {0};
    if (f->number != KT_F_IDENTITY_LINK_VERDICT) return 0;
    return kt_value_column(value, KT_C_VERDICT_BY, &by) && kt_bytes_equal(by, kt_str("MANUAL")) ? 0 : 1;
}

/* Below 0: a is shown before b. */
static int shown_before(const struct kt_schema_field *f, const struct kt_view_value *a, const struct kt_view_value *b)
{
    int time = kt_view_value_compare_time(a, b);
    if (f->rule == KT_EARLIEST) return time;
    if (f->rule == KT_STRICTEST) {
        uint32_t x = by_whom(f, a->value), y = by_whom(f, b->value);
        if (x != y) return x < y ? -1 : 1;
        x = strictness(f, a->value);
        y = strictness(f, b->value);
        if (x != y) return x < y ? -1 : 1;
    }
    return -time;
}

uint32_t kt_rule_pick(const struct kt_schema_field *f, const struct kt_view_value *values, uint32_t n, bool *conflict)
{
    uint32_t best = 0;
    bool differ = false;
    for (uint32_t i = 1; i < n; i++) {
        if (shown_before(f, &values[i], &values[best]) < 0) best = i;
        differ = differ || !kt_bytes_equal(values[i].value, values[0].value);
    }
    *conflict = differ && f->rule != KT_EARLIEST;
    return best;
}

bool kt_value_deletes(uint32_t field, struct kt_bytes value)
{
    return (field & 0xffu) == KT_N_DELETED && kt_bytes_equal(value, kt_str("true"));
}

bool kt_field_outlives(uint32_t field)
{
    const struct kt_schema_field *f = kt_schema_field(field);
    const uint32_t n = field & 0xffu;
    return n != KT_N_DELETED && n != KT_N_RETENTION_UNTIL && !(f && f->derived);
}

enum kt_deletion kt_entity_deletion(const struct kt_view_value *values, uint32_t n)
{
    bool deleted = false, outlived = false;
    for (uint32_t i = 0; i < n; i++) {
        deleted = deleted || kt_value_deletes(values[i].field, values[i].value);
        outlived = outlived || kt_field_outlives(values[i].field);
    }
    return !deleted ? KT_NOT_DELETED : outlived ? KT_DELETED_IN_CONFLICT : KT_DELETED;
}

void kt_conflict_id(kt_compartment c, const struct kt_entity_id *ward, const struct kt_entity_id *entity,
                    uint32_t field, struct kt_bytes element, uint8_t out[16])
{
    struct kt_hasher h;
    uint8_t compartment[4], number[4];
    for (int i = 0; i < 4; i++) {
        compartment[i] = (uint8_t)(c >> (24 - 8 * i));
        number[i] = (uint8_t)(field >> (24 - 8 * i));
    }
    kt_hash_begin(&h, "conflict", NULL, 16);
    kt_hash_part(&h, kt_bytes(compartment, sizeof compartment));
    kt_hash_part(&h, KT_BYTES_OF(*ward));
    kt_hash_part(&h, KT_BYTES_OF(*entity));
    kt_hash_part(&h, kt_bytes(number, sizeof number));
    kt_hash_part(&h, element);
    kt_hash_end(&h, out);
}
