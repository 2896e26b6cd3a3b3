/* The rules of reading that are about a whole entity (proto/view/view.h has those about one register). */
#ifndef KT_PROTO_RULES_H
#define KT_PROTO_RULES_H

#include "proto/view/view.h"

/* Is an entity deleted?  A delete replaces what it saw: values that are live beside it came from writers who had not
 * seen it, and are a conflict in the field `deleted`; the entity is shown until that is settled. */
enum kt_deletion { KT_NOT_DELETED, KT_DELETED, KT_DELETED_IN_CONFLICT };
enum kt_deletion kt_entity_deletion(const struct kt_view_value *values, uint32_t n);
/* The two halves of that rule, for who does not hold all values at once: does this value say that its entity is
 * deleted, and does a live value of this field speak against it?  What the node writes by itself (source, created,
 * histories) says nothing new. */
bool kt_value_deletes(uint32_t field, struct kt_bytes value);
bool kt_field_outlives(uint32_t field);

/* Order in time: by stamp, then by dot. */
int kt_view_value_compare_time(const struct kt_view_value *a, const struct kt_view_value *b);

#endif
