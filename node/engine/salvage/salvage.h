/* Salvage: keys and journal made again from what a damaged file still holds (ports/salvage.h), with distrust.
 *
 * Both run before anything else uses the environment, which is empty; they are run again from the beginning where they
 * were cut off.  What they leave behind is sound: what is not there is asked of peers like anything else a node lacks.
 * Whoever calls them sees to it that the node learns its own head again before it writes (kt_store.files_moved). */
#ifndef KT_ENGINE_SALVAGE_H
#define KT_ENGINE_SALVAGE_H

#include "engine/keys/keyring.h"
#include "ports/salvage.h"

struct kt_salvaged_journal {
    uint64_t batches; /* got back */
    uint64_t lost;    /* known by name, since later ones of their origin were got back; left as holes */
    uint64_t left;    /* found, and not put back: not what their author signed, naming a roster that is not here, or
                         behind a gap too wide for holes */
};
/* Batches count by their seals: form, hashes, signature, and the chain of their origin.  They are put in the order in
 * which they lay, so that a reader sees each after what its author had seen; where one is missing before others of its
 * origin, its place is a hole (engine/journal/journal.h), and peers are asked for it.  Everything else in a journal is
 * made from that.  The keyring is open.  KT_EFULL, KT_EIO, KT_ENOMEM. */
int kt_salvage_journal(struct kt_salvage *from, struct kt_store *to, struct kt_keyring *keyring,
                       struct kt_salvaged_journal *out) KT_MUST;

struct kt_salvaged_keys {
    bool identity, certificate;
    uint32_t rosters, bundles;
    uint64_t erasures, wraps, wraps_refused;
};
/* An identity counts if it opens under the root key, rosters by their chain, a certificate by the roster, bundles by
 * their hash, erasures by their signatures.  Not got back: the incarnation, since an older one may lie in the file as
 * well: the node takes a new one.  The clock's ceiling is set above now, and above what the file says within reason.
 * What is missing afterwards is for the caller to bring. */
int kt_salvage_keys(struct kt_salvage *from, struct kt_store *to, struct kt_world *world,
                    const uint8_t root_key[KT_KEY_BYTES], struct kt_salvaged_keys *out) KT_MUST;
/* Wraps, once the keyring is open over the rest: those of keys that this node reads count if they open, the others if
 * they read (who uses one proves it).  Those that an erasure covers stay lost.  Counted in `out`. */
int kt_salvage_wraps(struct kt_salvage *from, struct kt_keyring *keyring, struct kt_salvaged_keys *out) KT_MUST;

#endif
