/* Looking things up in the table. */
#include "proto/schema/schema.h"
#include "proto/schema/schema_table.h"

const struct kt_schema_kind *kt_schema_kind(uint32_t kind)
{
    return kind >= 1 && kind < KT_KIND_COUNT ? &kt_schema_kind_table[kind - 1] : NULL;
}

const struct kt_schema_kind *kt_schema_kind_named(struct kt_bytes name)
{
    for (uint32_t i = 0; i < KT_KIND_COUNT - 1; i++)
        if (kt_bytes_equal(kt_str(kt_schema_kind_table[i].name), name)) return &kt_schema_kind_table[i];
    return NULL;
}

/* The first field whose number is not below. */
static uint32_t lower_bound(uint32_t number)
{
    uint32_t low = 0, high = kt_schema_field_table_len;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (kt_schema_field_table[mid].number < number)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct kt_schema_field *kt_schema_field(uint32_t number)
{
    const struct kt_schema_field *f = &kt_schema_field_table[lower_bound(number)];
    return number && f->number == number ? f : NULL;
}

const struct kt_schema_field *kt_schema_fields(uint32_t kind, uint32_t *len)
{
    *len = 0;
    if (kind == 0 || kind >= KT_KIND_COUNT) return NULL;
    uint32_t first = lower_bound(kind << 8);
    *len = lower_bound((kind + 1) << 8) - first;
    return *len ? &kt_schema_field_table[first] : NULL;
}

const struct kt_schema_field *kt_schema_field_named(uint32_t kind, struct kt_bytes name)
{
    uint32_t len;
    const struct kt_schema_field *f = kt_schema_fields(kind, &len);
    for (uint32_t i = 0; i < len; i++)
        if (kt_bytes_equal(kt_str(f[i].name), name)) return &f[i];
    return NULL;
}

const struct kt_schema_column *kt_schema_column(const struct kt_schema_field *f, uint32_t number)
{
    for (const struct kt_schema_column *c = f->columns; c && c->number; c++)
        if (c->number == number) return c;
    return NULL;
}

const struct kt_schema_column *kt_schema_column_named(const struct kt_schema_field *f, struct kt_bytes name)
{
    for (const struct kt_schema_column *c = f->columns; c && c->number; c++)
        if (kt_bytes_equal(kt_str(c->name), name)) return c;
    return NULL;
}

const char *kt_schema_authority(uint32_t field)
{
    /* No field of this schema has the rule yet; an organisation that wants one adds a line: {KT_F_..., "registry"}. */
    static const struct {
        uint32_t field;
        const char *system;
    } authorities[] = {
        {0, NULL}
    };
    for (uint32_t i = 0; authorities[i].field; i++)
        if (authorities[i].field == field) return authorities[i].system;
    return NULL;
}
