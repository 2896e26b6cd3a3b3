/* Names people could have, in the scripts people write them in, each with the form an office without that script
 * stores.  Common names put together at random; nobody in particular.
 *
 * All tables are constant, in UTF-8 (NFC) and ended by a row without a name. */
#ifndef KT_SUPPORT_GENERATE_NAMES_H
#define KT_SUPPORT_GENERATE_NAMES_H

/* One name, as its owner writes it and in plain Latin letters. */
struct name {
    const char *own, *latin;
};

struct culture {
    const char *language; /* BCP 47 */
    unsigned weight;      /* how many of a hundred or so people */
    const struct name *women, *men, *families;
};

extern const struct culture cultures[]; /* ended by a NULL language */
extern const char *const streets[];     /* NULL-ended, like all below */
extern const char *const places[][2];   /* postal name, postcode prefix */
extern const char *const occupations[];

#endif
