/* One view: its sections, what was left out of it, and the token that names this moment. */
#include "engine/lookup/lookup_state.h"
#include "proto/schema/fields.h"
#include "proto/schema/value.h"
#include "proto/view/view.h"

static struct kt_bytes compartment_name(const struct kt_looking *k, kt_compartment c)
{
    const struct kt_roster_compartment *rc = kt_roster_compartment(k->roster, c);
    return kt_arena_copy(k->arena, kt_str(rc ? rc->name : ""));
}

int kt_looking_open(struct kt_looking *k, uint64_t row, const struct kt_view_row *view,
                    struct kt_view_section **sections, uint32_t *len)
{
    struct kt_view_section *s = kt_arena_array(k->arena, view->sections_len + 1u, sizeof *s);
    uint32_t n = 0;
    int e = KT_OK;
    if (!s) return KT_ELIMIT;
    for (uint32_t i = 0; i < view->sections_len && !e; i++) {
        if (!kt_looking_reads(k, view->sections[i].compartment)) continue;
        s[n].compartment = view->sections[i].compartment;
        s[n].name = compartment_name(k, s[n].compartment);
        e = kt_view_row_open(k->w, row, &view->sections[i], k->arena, &s[n++].bytes);
    }
    *sections = s;
    *len = n;
    return e;
}

/* ------------------------------------------------------------------------------------------------------- withheld */

static void withhold(struct kt_looking *k, kt_compartment c, bool *noted)
{
    if (c == 0 || kt_looking_reads(k, c) || noted[c % KT_COMPARTMENTS_MAX]) return;
    noted[c % KT_COMPARTMENTS_MAX] = true;
    k->reply->lookup.withheld[k->reply->lookup.withheld_len++] = compartment_name(k, c);
}

/* The compartments of the systems that this customer's source records are from. */
static int withhold_sources(struct kt_looking *k, struct kt_bytes core, bool *noted)
{
    struct kt_view_record *records;
    uint32_t n;
    uint64_t cases;
    int e = kt_view_section_decode(core, k->arena, &records, &n, &cases);
    for (uint32_t i = 0; !e && i < n; i++)
        for (uint32_t v = 0; v < records[i].values_len; v++) {
            struct kt_bytes system;
            if (records[i].values[v].field != KT_F_CUSTOMER_SOURCE) continue;
            if (kt_value_column(records[i].values[v].value, KT_C_SOURCE_SYSTEM, &system))
                withhold(k, kt_roster_system(k->roster, system), noted);
        }
    return e;
}

static bool reads_all(const struct kt_looking *k)
{
    for (uint32_t i = 0; i < k->roster->compartments_len; i++)
        if (!kt_looking_reads(k, k->roster->compartments[i].number)) return false;
    return true;
}

static int list_withheld(struct kt_looking *k, const struct kt_view_row *view)
{
    bool noted[KT_COMPARTMENTS_MAX] = {false};
    int e = KT_OK;
    if (reads_all(k)) return KT_OK;
    k->reply->lookup.withheld = kt_arena_array(k->arena, KT_COMPARTMENTS_MAX, sizeof *k->reply->lookup.withheld);
    if (!k->reply->lookup.withheld) return KT_ELIMIT;
    for (uint32_t i = 0; i < view->sections_len; i++) withhold(k, view->sections[i].compartment, noted);
    for (uint32_t i = 0; i < k->reply->lookup.sections_len && !e; i++)
        if (k->reply->lookup.sections[i].compartment == KT_CORE)
            e = withhold_sources(k, k->reply->lookup.sections[i].bytes, noted);
    return e;
}

/* ---------------------------------------------------------------------------------------------------------- basis */

/* The journal position that this transaction reflects. */
static int position(struct kt_looking *k, uint64_t *out)
{
    struct kt_bytes value;
    int e = kt_workset_store(k->w)->ops->get(kt_workset_txn(k->w), KT_T_store_meta, kt_str("position"), &value);
    if (e == KT_ENOTFOUND) {
        *out = 0;
        return KT_OK;
    }
    if (e) return e;
    struct kt_reader r = kt_reader(value);
    *out = kt_take_be64(&r);
    return r.err ? KT_EDAMAGED : KT_OK;
}

static int make_basis(struct kt_looking *k, const struct kt_view_about *about)
{
    struct kt_token t = {.issuer = kt_keyring_self(k->l->config.keyring), .store = k->l->config.store_life};
    char text[KT_TOKEN_CHARS_MAX + 1];
    int e = position(k, &t.sequence);
    if (e) return e;
    memcpy(t.heads, about->heads, sizeof t.heads);
    t.heads_len = about->heads_len;
    if ((e = kt_token_encode(&t, k->id_key, text))) return e;
    k->reply->lookup.basis = kt_arena_copy(k->arena, kt_str(text));
    return k->reply->lookup.basis.data ? KT_OK : KT_ELIMIT;
}

int kt_looking_answer(struct kt_looking *k)
{
    struct kt_view_row view;
    uint64_t row = k->rows[0];
    int e = kt_view_row_get(k->w, &row, &view);
    if (e) return e;
    if (view.sections_len == 0) return KT_ENOTFOUND; /* named by somebody, and nothing more */
    k->reply->lookup.display_id = view.about.display_id;
    e = kt_looking_open(k, row, &view, &k->reply->lookup.sections, &k->reply->lookup.sections_len);
    if (!e) e = list_withheld(k, &view);
    if (!e) e = make_basis(k, &view.about);
    if (!e && k->request->lookup.page)
        e = kt_looking_page(k, k->reply->lookup.sections, &k->reply->lookup.sections_len, k->request->lookup.page);
    return e;
}
