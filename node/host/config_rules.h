/* What each value of kontord.conf may be, checked while its line is being read, so that a complaint names the line.
 *
 * Installed on a libconfuse parser whose options are config.c's; for config.c alone.  See config.h for the table. */
#ifndef KT_HOST_CONFIG_RULES_H
#define KT_HOST_CONFIG_RULES_H

#include "host/config.h"

#include <confuse.h>

/* Where the first complaint goes; later ones are dropped.  Every section's options hold a pointer to it (libconfuse
 * has no place for a caller's own), under a name nobody can set. */
struct kt_config_complaint {
    char *why; /* KT_CONFIG_WHY_BYTES_MAX bytes */
};
#define KT_CONFIG_COMPLAINT_OPTION " complaint"

/* Makes the parser check values, and complain to the complaint its options hold. */
void kt_config_rules_install(cfg_t *cfg);
/* What can only be seen once all is read.  KT_OK or KT_ECONFIG, with a complaint. */
int kt_config_rules_whole(cfg_t *cfg) KT_MUST;

#endif
