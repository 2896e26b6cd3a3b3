/* What kontord does when its files were found damaged at start: keys and journal are salvaged, loudly.
 *
 * Nothing of it asks: what is got back is what the damaged file proves, all else is asked of peers, and the damaged
 * file is kept.  Status names it as a problem until somebody has looked and removed it. */
#ifndef KT_HOST_RESCUE_H
#define KT_HOST_RESCUE_H

#include "engine/keys/keyring.h"
#include "host/config.h"
#include "host/log.h"

/* Opens the keyring (host/node_files.h), over keys that are salvaged first where they have to be.  Keys that cannot be
 * opened for want of a file of the operator's are salvaged again at the next start. */
int kt_rescue_keyring(const struct kt_config *c, struct kt_store *store, struct kt_world *world, struct kt_log *log,
                      struct kt_keyring **out) KT_MUST;
/* Salvages the journal where it has to be; before the engine is opened. */
int kt_rescue_journal(struct kt_store *store, struct kt_keyring *keyring, struct kt_log *log) KT_MUST;
/* Keys (where the keyring is NULL: it did not open) or journal and store open and do not hold together: condemned, to be
 * salvaged when opened again.  KT_ELIMIT: many damaged files are kept already, somebody has to look first. */
int kt_rescue_incoherent(struct kt_store *store, const struct kt_keyring *keyring, struct kt_log *log) KT_MUST;
/* A row of the store is not what was written: since the store is a function of the journal, it is made again at the next
 * start. */
void kt_rescue_condemn(struct kt_store *store, struct kt_log *log);

#endif
