/* The rules of reading that are about a whole entity (proto/view/view.h has those about one register). */
#ifndef KT_PROTO_RULES_H
#define KT_PROTO_RULES_H

#include "proto/view/view.h"

/* Is an entity deleted?  A delete replaces what it saw: values that are live beside it came from writers who had not
 * seen it, and are a conflict in the field `deleted`; the entity is shown until that is settled. */
enum kt_deletion { KT_NOT_DELETED, KT_DELETED, KT_DELETED_IN_CONFLICT };
enum kt_deletion kt_entity_deletion(const struct kt_view_value *values, uint32_t n);

/* Order in time: by stamp, then by dot. */
int kt_view_value_compare_time(const struct kt_view_value *a, const struct kt_view_value *b);

#endif
