/* One op, and the change that carries ops: what somebody did to one ward in one compartment.
 *
 * On the wire: change.proto (messages Change, Op, Dot).  The encoded change is the plaintext of an envelope.  Decoding
 * borrows from its input; arrays come from the arena. */
#ifndef KT_PROTO_OP_H
#define KT_PROTO_OP_H

#include "proto/arena.h"
#include "proto/ids.h"
#include "proto/limits.h"

/* Sets, adds or removes one value.  What is live is what was added and not replaced (DESIGN section 4). */
struct kt_op {
    struct kt_entity_id entity; /* the ward itself, or an entity that lives in it (a task of a case) */
    uint32_t field;             /* schema number: kind of entity << 8 | field; unknown ones merge as well */
    struct kt_bytes element;    /* empty: a plain register; else the element's id, KT_ELEMENT_BYTES_MAX at most.  A list
                                   row without a source id has none on the wire and is named by its dot */
    bool has_value;             /* false: only replaces (a removal) */
    struct kt_bytes value;
    const struct kt_dot *replaces;
    uint32_t replaces_len;
};

struct kt_change {
    struct kt_entity_id ward;
    struct kt_bytes actor, purpose; /* who did it and what for; UTF-8, KT_NAME_BYTES_MAX; may be empty */
    struct kt_bytes basis;          /* the legal basis or the case reference given; may be empty */
    const struct kt_op *ops;
    uint32_t ops_len;
};

#define KT_CHANGE_ARENA_BYTES (512u << 10) /* room for any change within its limits */

/* KT_EOVERSIZE: a field, or the whole, past its limit; KT_ELIMIT: too many ops or replaces; KT_EUTF8: actor, purpose or
 * basis.  On failure `out` keeps its length. */
int kt_change_encode(const struct kt_change *c, struct kt_buf *out) KT_MUST;
/* KT_ETRUNCATED, KT_EMALFORMED, KT_EOVERSIZE, KT_EUTF8: its author's doing, the same on every node.  KT_ELIMIT: past the
 * arena's cap, our own doing. */
int kt_change_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_change *out) KT_MUST;

#endif
