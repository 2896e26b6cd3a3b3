/* What indexes look for: one form for each thing people may name a customer or a case by, the same whoever writes it.
 */
#ifndef KT_PROTO_MATCH_H
#define KT_PROTO_MATCH_H

#include "proto/schema/value.h"

/* A name for comparing: case folded, marks off, and letters that no normal form takes apart written plainly
 * ("Ærø" -> "aero", "Łódź" -> "lodz", "Straße" -> "strasse"); blanks single.  For likeness, never for identity.
 * KT_EUTF8, KT_ELIMIT. */
int kt_match_name(struct kt_bytes in, struct kt_arena *arena, struct kt_bytes *out) KT_MUST;

/* The text of an index entry: identifiers as be32 length of the system, system, value, both as kt_match_text; phones,
 * e-mail addresses and case numbers in their matching forms.  `system` counts for identifiers only. */
int kt_index_form(enum kt_index index, struct kt_bytes system, struct kt_bytes value, struct kt_bytes phone_country,
                  struct kt_arena *arena, struct kt_bytes *out) KT_MUST;

/* Which index a value of a field stands in, and as what; *index is KT_INDEX_NONE where it stands in none (a URL among
 * the contact points, a phone without digits). */
int kt_value_index(const struct kt_schema_field *f, struct kt_bytes value, struct kt_bytes phone_country,
                   struct kt_arena *arena, enum kt_index *index, struct kt_bytes *form) KT_MUST;

/* The system that licence numbers have as identifiers. */
#define KT_LICENCE_NUMBER_SYSTEM "licence-number"

#endif
