/* A first lookup: who has this identifier, where do they live, and what is open for them?
 *
 *     first_lookup ipc:///run/kontor/kontor.sock tax 123-45 */
#include <kontor/kontor.h>

#include <stdio.h>

static void show_customer(const struct kontor_entity *customer)
{
    const struct kontor_value *v = NULL;
    const char *legal = kontor_entity_text(customer, "legalName");
    if (legal) printf("%s\n", legal);
    while ((v = kontor_value_next(customer, "name", v))) {
        const char *given = kontor_value_column(v, "givenName", 0), *family = kontor_value_column(v, "familyName", 0);
        printf("%s %s\n", given ? given : "", family ? family : "");
    }
    while ((v = kontor_value_next(customer, "contactPoint", v)))
        printf("  %s %s\n", kontor_value_column(v, "system", 0), kontor_value_column(v, "value", 0));
}

static void show_view(struct kontor_view *view)
{
    struct kontor_match match;
    for (size_t i = 0; kontor_view_match(view, i, &match); i++) printf("%s  %s\n", match.id, match.name);

    const struct kontor_entity *customer = kontor_view_entity(view, KONTOR_CUSTOMER, 0), *one;
    if (customer) show_customer(customer);
    for (size_t i = 0; (one = kontor_view_entity(view, KONTOR_CASES, i)); i++) {
        const char *number = kontor_entity_text(one, "number"), *status = kontor_entity_text(one, "status");
        const char *subject = kontor_entity_text(one, "subject");
        printf("  %s %s: %s\n", number ? number : "?", status ? status : "?", subject ? subject : "");
    }

    uint64_t age_ms;
    if (kontor_view_worst_age_ms(view, &age_ms)) printf("complete up to %.1f s ago\n", (double)age_ms / 1000);
}

int main(int argc, char **argv)
{
    struct kontor *kontor = NULL;
    struct kontor_view *view = NULL;
    if (argc != 4) {
        fprintf(stderr, "usage: first_lookup URL SYSTEM VALUE\n");
        return 2;
    }
    int err = kontor_open(argv[1], NULL, &kontor);
    if (!err) {
        const struct kontor_lookup what = {
            .by = KONTOR_BY_ID, .system = argv[2], .value = argv[3], .actor = "first_lookup", .purpose = "example"};
        err = kontor_lookup(kontor, &what, &view);
    }
    if (err)
        fprintf(stderr, "first_lookup: %s: %s\n", kontor_error_text(err), kontor_error_advice(err));
    else
        show_view(view);
    kontor_view_free(view);
    kontor_close(kontor);
    return err ? 1 : 0;
}
