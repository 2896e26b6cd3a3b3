/* The rows of the journal environment, byte by byte (ports/store.h has the tables; the other environments' rows stand
 * with the code that writes them).
 *
 * Numbers are big-endian (be), so that packed keys sort as what they mean; keys of integer tables are uint64_t in
 * native order, as the port asks.  The examples: member 7, incarnation 0x0123456789abcdef, its batch number 5, taken at
 * position 9, seal hash aa..aa, clock 0x0000019000000001, roster version 3.
 *
 * origin = member be32, incarnation be64                                       (kt_origin_pack)
 *     00000007 0123456789abcdef
 *
 * journal_batch    position -> origin 12, number be64, the batch as received
 *     9  ->  00000007 0123456789abcdef 0000000000000005 [batch]
 *   The name before the batch lets the journal be walked, cut and checked without opening what is in it.
 *
 * journal_where    origin 12, number be64 -> position be64
 *     00000007 0123456789abcdef 0000000000000005  ->  0000000000000009
 *
 * journal_head     origin 12 -> number be64, seal hash 32, clock be64, roster version be32
 *     00000007 0123456789abcdef  ->  0000000000000005 aa..aa 0000019000000001 00000003
 *
 * journal_pulse    member -> the pulse as received
 *     7  ->  [pulse]
 *
 * journal_meta
 *   "next"                          -> position be64: where the next batch goes; 1 in an empty journal
 *     6e657874  ->  000000000000000a
 *   "base"                          -> position be64: the first that is kept; what lies below was cut away
 *     62617365  ->  0000000000000001
 *   "base/" origin 12               -> number be64: of this origin, batches up to here were cut away, or came in a
 *                                      snapshot and never were here
 *     626173652f 00000007 0123456789abcdef  ->  0000000000000004
 *   "proof/" origin 12, number be64 -> the proof of a fork as received
 *     70726f6f662f 00000007 0123456789abcdef 0000000000000005  ->  [proof]
 *   "hole/" origin 12, number be64  -> position be64 of a batch that is held and was lost by the disk
 *     686f6c652f 00000007 0123456789abcdef 0000000000000005  ->  0000000000000009 */
#ifndef KT_ENGINE_LAYOUT_H
#define KT_ENGINE_LAYOUT_H

#include "proto/ids.h"

#define KT_JOURNAL_NAME_BYTES     (KT_ORIGIN_BYTES + 8u) /* origin, number */
#define KT_JOURNAL_HEAD_BYTES     (8u + KT_HASH_BYTES + 8u + 4u)
#define KT_JOURNAL_META_KEY_BYTES (6u + KT_JOURNAL_NAME_BYTES) /* the longest: "proof/" */
#define KT_JOURNAL_POSITION_FIRST 1u

#define KT_JOURNAL_NEXT  "next"
#define KT_JOURNAL_BASE  "base"
#define KT_JOURNAL_BASES "base/"
#define KT_JOURNAL_PROOF "proof/"
#define KT_JOURNAL_HOLE  "hole/"

#endif
