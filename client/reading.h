/* Inside libkontor: values and entities as a program reads them, and the arena their texts come from. */
#ifndef KT_CLIENT_READING_H
#define KT_CLIENT_READING_H

#include "client/handle.h"
#include "proto/view/view.h"

/* Texts are made when they are asked for.  `view` says what references name; NULL: none is at hand. */
struct kt_texts {
    struct kt_arena *arena;
    const struct kt_view *view;
};

struct kontor_value {
    struct kt_texts *texts;
    const struct kt_schema_field *field;
    struct kt_bytes value;
    kt_hlc stamp;
};

struct kontor_entity {
    struct kt_texts *texts;
    const struct kt_shown_entity *shown;
    struct kontor_value *values; /* shown->shown_len of them, and an end without a field */
    char id[2 * KT_ENTITY_ID_BYTES + 1];
};

/* "" past the arena's end as for an empty text. */
const char *kt_text(struct kt_texts *t, struct kt_bytes b);
/* "revenue:C-1", or "customer:HEX" where the record is not in the view. */
const char *kt_ref_text(struct kt_texts *t, uint32_t kind, struct kt_bytes id);
/* KT_ELIMIT */
int kt_entity_read(struct kt_texts *t, const struct kt_shown_entity *shown, struct kontor_entity *out) KT_MUST;

#endif
