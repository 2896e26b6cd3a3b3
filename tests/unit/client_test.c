/* libkontor: what a program builds arrives as what a put line says, and what a node answers can be read. */
#include "client/cli/json/json.h"
#include "proto/schema/fields.h"
#include "proto/schema/schema.h"
#include "proto/view/view.h"
#include "support/scripted_node.h"

#include <kontor/kontor.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

/* What the node saw last, as its bytes. */
struct script {
    pthread_mutex_t lock;
    struct kt_buf record; /* the first record of the last put, in a request of its own */
    atomic_int puts, lookups, vanish;
    struct kt_buf section;
};

static void keep_record(struct script *s, const struct kt_request *r)
{
    struct kt_record first = r->put.records[0];
    struct kt_request one = {
        .kind = KT_ASK_PUT, .put = {.records = &first, .records_len = 1}
    };
    first.line = 1;
    pthread_mutex_lock(&s->lock);
    kt_buf_clear(&s->record);
    int err = kt_request_encode(&one, &s->record);
    assert(!err);
    pthread_mutex_unlock(&s->lock);
}

static void answer_lookup(struct script *s, const struct kt_request *r, struct kt_arena *arena, struct kt_reply *reply)
{
    atomic_fetch_add(&s->lookups, 1);
    if (kt_bytes_equal(r->lookup.value, kt_str("nobody"))) {
        reply->code = KT_ENOTFOUND;
        return;
    }
    if (r->lookup.wait_len) {
        reply->code = KT_EDEADLINE;
        return;
    }
    reply->lookup.sections = kt_arena_array(arena, 1, sizeof *reply->lookup.sections);
    reply->lookup.sections[0] =
        (struct kt_view_section){.compartment = KT_CORE, .name = kt_str("core"), .bytes = kt_buf_bytes(&s->section)};
    reply->lookup.sections_len = 1;
    reply->lookup.display_id = (struct kt_entity_id){{7}};
    reply->lookup.basis = kt_str("basis-token");
    reply->lookup.withheld = kt_arena_array(arena, 1, sizeof *reply->lookup.withheld);
    reply->lookup.withheld[0] = kt_str("health");
    reply->lookup.withheld_len = 1;
    reply->lookup.offices = kt_arena_array(arena, 2, sizeof *reply->lookup.offices);
    reply->lookup.offices[0] = (struct kt_office_freshness){kt_str("office-2"), true, 9000};
    reply->lookup.offices[1] = (struct kt_office_freshness){kt_str("office-3"), true, 7000};
    reply->lookup.offices_len = 2;
    reply->lookup.now_ms = 10000;
}

static void answer_conflicts(struct kt_arena *arena, struct kt_reply *reply)
{
    struct kt_conflict *c = kt_arena_array(arena, 1, sizeof *c);
    struct kt_conflict_value *v = kt_arena_array(arena, 2, sizeof *v);
    v[0] = (struct kt_conflict_value){
        .value = kt_str("nurse"), .has_value = true, .office = kt_str("office-3"), .stamp = (kt_hlc)2000 << 16};
    v[1] = (struct kt_conflict_value){.office = kt_str("office-1"), .by = kt_str("ada"), .stamp = (kt_hlc)1000 << 16};
    *c = (struct kt_conflict){.id = kt_str("0123456789abcdef0123456789abcdef"),
                              .ref = kt_str("revenue:C-1"),
                              .field = KT_F_CUSTOMER_OCCUPATION,
                              .values = v,
                              .values_len = 2};
    reply->conflicts.items = c;
    reply->conflicts.len = 1;
}

static bool answer(void *ctx, const struct kt_request *r, struct kt_arena *arena, struct kt_reply *reply)
{
    struct script *s = ctx;
    if (atomic_load(&s->vanish)) return false;
    switch (r->kind) {
    case KT_ASK_PUT:
        atomic_fetch_add(&s->puts, 1);
        keep_record(s, r);
        scripted_accept(r, arena, reply);
        if (r->put.copies) reply->code = KT_EDEADLINE;
        break;
    case KT_ASK_LOOKUP:
        answer_lookup(s, r, arena, reply);
        break;
    case KT_ASK_CONFLICTS:
        answer_conflicts(arena, reply);
        break;
    case KT_ASK_RESOLVE:
        assert(kt_bytes_equal(r->conflict.value, kt_str("teacher")) && !r->conflict.clear);
        scripted_accept(
            &(struct kt_request){
                .put = {.records = &(struct kt_record){.line = 1}, .records_len = 1}
        },
            arena, reply);
        break;
    case KT_ASK_STATUS:
        reply->json = kt_str("{\"office\":\"office-1\"}");
        break;
    case KT_ASK_VERIFY:
        reply->code = KT_EDAMAGED;
        reply->json = kt_str("{\"sound\":false}");
        break;
    }
    return true;
}

static struct kt_view_value value(uint32_t field, const char *element, const char *bytes, size_t len, uint32_t op)
{
    return (struct kt_view_value){
        .field = field,
        .element = kt_str(element),
        .value = kt_bytes(bytes, len),
        .dot = {{1, 1}, 1, 1, op},
        .stamp = (kt_hlc)(5000 + op) << 16
    };
}
#define VALUE(field, element, bytes, op) value(field, element, bytes, sizeof(bytes) - 1, op)

/* One customer with a name, two phones, and one open case; composites as they stand on the wire. */
static void make_section(struct script *s)
{
    struct kt_view_value of_customer[] = {
        VALUE(KT_F_CUSTOMER_SOURCE, "",
              "\x0a\x07revenue\x12\x03"
              "C-1",
              0),
        VALUE(KT_F_CUSTOMER_NAME, "e0",
              "\x12\x06Okafor\x1a\x03"
              "Ada\x1a\x02"
              "Bo",
              1),
        VALUE(KT_F_CUSTOMER_CONTACT_POINT, "e1", "\x0a\x05phone\x12\x02+1", 2),
        VALUE(KT_F_CUSTOMER_CONTACT_POINT, "e2",
              "\x0a\x03"
              "fax\x12\x02+2",
              3),
    };
    struct kt_view_value of_case[] = {
        VALUE(KT_F_CASE_SOURCE, "",
              "\x0a\x03"
              "311\x12\x04SR-1",
              4),
        VALUE(KT_F_CASE_NUMBER, "", "SR-1", 5),
        VALUE(KT_F_CASE_CUSTOMER, "e3", "\x0a\x10\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x12\x09requester", 6),
        VALUE(KT_F_CASE_STATUS, "", "open", 7),
    };
    struct kt_view_record records[] = {
        {.kind = KT_CUSTOMER, .id = {{7}}, .values = of_customer, .values_len = 4},
        {.kind = KT_CASE,     .id = {{8}}, .values = of_case,     .values_len = 4},
    };
    kt_buf_init(&s->section, 1u << 16);
    assert_int_equal(kt_view_section_encode(records, 2, 1, &s->section), KT_OK);
}

struct world {
    struct script script;
    struct scripted_node *node;
    struct kontor *k;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    pthread_mutex_init(&w->script.lock, NULL);
    kt_buf_init(&w->script.record, KT_REQUEST_BYTES_MAX);
    make_section(&w->script);
    w->node = scripted_node_start(answer, &w->script);
    if (kontor_open(scripted_node_url(w->node), NULL, &w->k)) return -1;
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    kontor_close(w->k);
    scripted_node_stop(w->node);
    kt_buf_free(&w->script.record);
    kt_buf_free(&w->script.section);
    pthread_mutex_destroy(&w->script.lock);
    free(w);
    return 0;
}

/* Puts the record and holds what arrived against what the line makes. */
static void arrives_as(struct world *w, struct kontor_record *r, const char *line)
{
    struct kontor_result result;
    struct kt_arena arena;
    struct kt_buf want;
    struct kt_json_fault fault = {0};
    struct kt_record record;
    kt_arena_init(&arena, 1u << 20);
    kt_buf_init(&want, KT_REQUEST_BYTES_MAX);
    assert_int_equal(kontor_put(w->k, &r, 1, NULL, &result), KONTOR_OK);
    if (result.code) print_error("%s: %s\n", result.field, result.reason);
    assert_int_equal(result.code, KONTOR_OK);
    assert_string_equal(result.token, "t1");
    assert_int_equal(kt_json_record(kt_str(line), 1, &arena, &record, &fault), KT_OK);
    struct kt_request one = {
        .kind = KT_ASK_PUT, .put = {.records = &record, .records_len = 1}
    };
    assert_int_equal(kt_request_encode(&one, &want), KT_OK);
    assert_int_equal(want.len, w->script.record.len);
    assert_memory_equal(want.data, w->script.record.data, want.len);
    kt_buf_free(&want);
    kt_arena_free(&arena);
    kontor_record_free(r);
}

#define COLUMNS(...)                                                                                                   \
    (const struct kontor_column[]){__VA_ARGS__},                                                                       \
        sizeof((const struct kontor_column[]){__VA_ARGS__}) / sizeof(struct kontor_column)

/* Scenario: a customer, a case, a row, a link and a removal, built by calls: the node sees what put lines say. */
static void built_as_written(void **state)
{
    struct world *w = *state;
    struct kontor_record *r;
    assert_int_equal(kontor_record_new("customer", "revenue", "C-1", &r), KONTOR_OK);
    kontor_record_text(r, "kind", "person");
    kontor_record_text(r, "birthDate", "1980-02-29");
    kontor_record_add(r, "name",
                      COLUMNS({"familyName", "Okafor"}, {"givenName", "Ada"}, {"givenName", "Bo"}, {"suffix", ""}));
    kontor_record_add(r, "contactPoint", COLUMNS({"value", "+1"}, {"system", "phone"}));
    kontor_record_add(r, "contactPoint", COLUMNS({"value", "+2"}, {"system", "fax"}));
    kontor_record_add(r, "contactPoint", COLUMNS({"value", "+3"}, {"system", "sms"}));
    kontor_record_text(r, "tradeName", "Ada's");
    kontor_record_clear(r, "occupation");
    arrives_as(w, r,
               "{\"entity\":\"customer\",\"source_system\":\"revenue\",\"source_id\":\"C-1\",\"kind\":\"person\","
               "\"birthDate\":\"1980-02-29\",\"name\":{\"familyName\":\"Okafor\",\"givenName\":[\"Ada\",\"Bo\"]},"
               "\"contactPoint\":[{\"system\":\"phone\",\"value\":\"+1\"},{\"system\":\"fax\",\"value\":\"+2\"},"
               "{\"system\":\"sms\",\"value\":\"+3\"}],\"tradeName\":\"Ada's\",\"occupation\":null}");

    assert_int_equal(kontor_record_new("case", "311", "SR-1", &r), KONTOR_OK);
    kontor_record_add(r, "customer", COLUMNS({"ref", "revenue:C-1"}, {"role", "requester"}));
    kontor_record_text(r, "requested_datetime", "2026-03-01T22:10:00+01:00");
    kontor_record_ref(r, "parent", "311", "SR-0");
    kontor_record_add(r, "location", COLUMNS({"lat", "37.50"}, {"text", "here"}));
    arrives_as(
        w, r,
        "{\"entity\":\"case\",\"source_system\":\"311\",\"source_id\":\"SR-1\",\"customer\":[{\"ref\":\"revenue:C-1\","
        "\"role\":\"requester\"}],\"requested_datetime\":\"2026-03-01T21:10:00Z\",\"parent\":\"311:SR-0\","
        "\"location\":{\"text\":\"here\",\"lat\":37.5}}");

    assert_int_equal(kontor_record_new("interaction", "311", "I-1", &r), KONTOR_OK);
    kontor_record_parent(r, "case", "311", "SR-1");
    kontor_record_text(r, "channel", "phone");
    kontor_record_bool(r, "internal", true);
    arrives_as(w, r,
               "{\"entity\":\"interaction\",\"source_system\":\"311\",\"source_id\":\"I-1\",\"case\":\"311:SR-1\","
               "\"channel\":\"phone\",\"internal\":true}");

    assert_int_equal(kontor_record_new("identity_link", NULL, NULL, &r), KONTOR_OK);
    kontor_record_ref(r, "a", "revenue", "C-1");
    kontor_record_ref(r, "b", "motor", "M-9");
    kontor_record_text(r, "verdict", "MATCH");
    kontor_record_text(r, "by", "MANUAL");
    kontor_record_number(r, "score", 0.25);
    arrives_as(w, r,
               "{\"entity\":\"identity_link\",\"a\":\"revenue:C-1\",\"b\":\"motor:M-9\",\"verdict\":\"MATCH\","
               "\"by\":\"MANUAL\",\"score\":0.25}");

    assert_int_equal(kontor_record_new("customer", "revenue", "C-1", &r), KONTOR_OK);
    kontor_record_remove(r, "contactPoint", COLUMNS({"system", "phone"}, {"value", "+1"}));
    kontor_record_delete(r);
    arrives_as(w, r,
               "{\"entity\":\"customer\",\"source_system\":\"revenue\",\"source_id\":\"C-1\",\"deleted\":true,"
               "\"remove\":{\"contactPoint\":[{\"system\":\"phone\",\"value\":\"+1\"}]}}");
}

/* Scenario: builders that were told nonsense are refused here, each with its code, and the good one beside them goes.
 */
static void refused_at_home(void **state)
{
    struct world *w = *state;
    struct kontor_record *r[4];
    struct kontor_result results[4];
    assert_int_equal(kontor_record_new("dragon", "s", "1", &r[0]), KONTOR_EFIELD);
    for (int i = 0; i < 4; i++) assert_int_equal(kontor_record_new("customer", "s", "1", &r[i]), KONTOR_OK);
    assert_int_equal(kontor_record_text(r[0], "wings", "two"), KONTOR_EFIELD);
    assert_int_equal(kontor_record_text(r[0], "kind", "person"), KONTOR_EFIELD); /* the first error stays */
    assert_int_equal(kontor_record_text(r[1], "birthDate", "yesterday"), KONTOR_ETYPE);
    assert_int_equal(kontor_record_add(r[2], "name", COLUMNS({"wings", "two"})), KONTOR_EFIELD);
    assert_int_equal(kontor_record_text(r[3], "kind", "person"), KONTOR_OK);
    assert_int_equal(kontor_put(w->k, r, 4, NULL, results), KONTOR_OK);
    assert_int_equal(results[0].code, KONTOR_EFIELD);
    assert_int_equal(results[1].code, KONTOR_ETYPE);
    assert_int_equal(results[2].code, KONTOR_EFIELD);
    assert_int_equal(results[3].code, KONTOR_OK);
    assert_string_equal(results[3].token, "t4");
    assert_int_equal(kontor_put(w->k, r + 3, 1, &(struct kontor_put){.copies = 2}, results), KONTOR_EDEADLINE);
    assert_string_equal(results[0].token, "t1");
    assert_int_equal(kontor_put(w->k, r, 0, NULL, results), KONTOR_EINVAL);
    for (int i = 0; i < 4; i++) kontor_record_free(r[i]);
}

/* Scenario: a view is read: who, by what names, how to reach them, which cases, how fresh, what is kept back. */
static void a_view_is_read(void **state)
{
    struct world *w = *state;
    struct kontor_view *v = NULL;
    const struct kontor_lookup what = {.by = KONTOR_BY_SOURCE, .system = "revenue", .value = "C-1"};
    assert_int_equal(kontor_lookup(w->k, &what, &v), KONTOR_OK);
    const struct kontor_entity *c = kontor_view_entity(v, KONTOR_CUSTOMER, 0),
                               *s = kontor_view_entity(v, KONTOR_CASES, 0);
    assert_non_null(c);
    assert_string_equal(kontor_entity_kind(c), "customer");
    assert_string_equal(kontor_entity_id(c), "07000000000000000000000000000000");
    assert_string_equal(kontor_entity_source(kontor_view_entity(v, KONTOR_SOURCES, 0)), "revenue:C-1");
    const struct kontor_value *name = kontor_value_next(c, "name", NULL),
                              *phone = kontor_value_next(c, "contactPoint", NULL);
    assert_non_null(name);
    assert_string_equal(kontor_value_column(name, "familyName", 0), "Okafor");
    assert_string_equal(kontor_value_column(name, "givenName", 1), "Bo");
    assert_null(kontor_value_column(name, "givenName", 2));
    assert_null(kontor_value_column(name, "wings", 0));
    assert_null(kontor_value_next(c, "name", name));
    assert_string_equal(kontor_value_column(phone, "value", 0), "+1");
    phone = kontor_value_next(c, "contactPoint", phone);
    assert_string_equal(kontor_value_column(phone, "value", 0), "+2");
    assert_null(kontor_value_next(c, "contactPoint", phone));
    assert_non_null(s);
    assert_string_equal(kontor_entity_text(s, "number"), "SR-1");
    assert_string_equal(kontor_entity_text(s, "status"), "open");
    assert_null(kontor_entity_text(s, "queue"));
    assert_string_equal(kontor_value_column(kontor_value_next(s, "customer", NULL), "ref", 0), "revenue:C-1");
    assert_null(kontor_view_entity(v, KONTOR_CASES, 1));
    assert_null(kontor_view_entity(v, KONTOR_LICENCES, 0));
    uint64_t age;
    struct kontor_office o;
    assert_true(kontor_view_worst_age_ms(v, &age) && age == 3000);
    assert_true(kontor_view_office(v, 1, &o) && o.known && o.complete_through_ms == 7000);
    assert_string_equal(o.name, "office-3");
    assert_false(kontor_view_office(v, 2, &o));
    assert_string_equal(kontor_view_withheld(v, 0), "health");
    assert_null(kontor_view_withheld(v, 1));
    assert_string_equal(kontor_view_basis(v), "basis-token");
    kontor_view_free(v);
}

/* Scenario: nobody there, a token that does not come, conflicts and their end, the node's own words. */
static void other_answers(void **state)
{
    struct world *w = *state;
    struct kontor_view *v = NULL;
    struct kontor_conflicts *all;
    struct kontor_conflict c;
    struct kontor_claim claim;
    char token[KONTOR_TOKEN_CHARS_MAX + 1], *json = NULL;
    struct kontor_lookup what = {.by = KONTOR_BY_PHONE, .value = "nobody"};
    assert_int_equal(kontor_lookup(w->k, &what, &v), KONTOR_ENOTFOUND);
    what = (struct kontor_lookup){.by = KONTOR_BY_PHONE, .value = "x", .wait = (const char *[]){"t"}, .wait_len = 1};
    assert_int_equal(kontor_lookup(w->k, &what, &v), KONTOR_EDEADLINE);
    assert_null(v);
    assert_int_equal(kontor_conflicts(w->k, NULL, &all), KONTOR_OK);
    assert_true(kontor_conflict_at(all, 0, &c));
    assert_string_equal(c.ref, "revenue:C-1");
    assert_string_equal(c.field, "occupation");
    assert_true(kontor_conflict_claim(all, 0, 0, &claim));
    assert_string_equal(kontor_value_text(claim.value), "nurse");
    assert_string_equal(claim.office, "office-3");
    assert_true(kontor_conflict_claim(all, 0, 1, &claim) && claim.cleared && claim.at_ms == 1000);
    assert_false(kontor_conflict_claim(all, 0, 2, &claim));
    assert_false(kontor_conflict_at(all, 1, &c));
    assert_int_equal(kontor_resolve(w->k, c.id, "teacher", NULL, 0, NULL, token), KONTOR_OK);
    assert_string_equal(token, "t1");
    kontor_conflicts_free(all);
    assert_int_equal(kontor_status(w->k, &json), KONTOR_OK);
    assert_string_equal(json, "{\"office\":\"office-1\"}");
    kontor_free(json);
    assert_int_equal(kontor_verify(w->k, 1000, &json), KONTOR_EDAMAGED);
    assert_string_equal(json, "{\"sound\":false}");
    kontor_free(json);
}

static void *asks_often(void *arg)
{
    struct world *w = arg;
    const struct kontor_lookup what = {.by = KONTOR_BY_SOURCE, .system = "revenue", .value = "C-1"};
    for (int i = 0; i < 50; i++) {
        struct kontor_view *v;
        if (kontor_lookup(w->k, &what, &v)) return w; /* any pointer: it failed */
        bool good = strcmp(kontor_view_basis(v), "basis-token") == 0;
        kontor_view_free(v);
        if (!good) return w;
    }
    return NULL;
}

/* Scenario: more threads than connections share one handle; each gets its own answers. */
static void many_threads(void **state)
{
    struct world *w = *state;
    pthread_t threads[12];
    kontor_close(w->k);
    assert_int_equal(kontor_open(scripted_node_url(w->node), &(struct kontor_options){.connections = 3}, &w->k),
                     KONTOR_OK);
    for (int i = 0; i < 12; i++) assert_int_equal(pthread_create(&threads[i], NULL, asks_often, w), 0);
    for (int i = 0; i < 12; i++) {
        void *why;
        pthread_join(threads[i], &why);
        assert_null(why);
    }
    assert_int_equal(atomic_load(&w->script.lookups), 600);
}

static void *vanish(void *node)
{
    scripted_node_vanish(node);
    return NULL;
}

/* Scenario: the node goes while we wait for its word, and is not there afterwards. */
static void a_node_that_dies(void **state)
{
    struct world *w = *state;
    struct kontor_record *r;
    struct kontor_result result;
    char *json;
    pthread_t killer;
    assert_int_equal(kontor_record_new("customer", "s", "1", &r), KONTOR_OK);
    atomic_store(&w->script.vanish, 1);
    assert_int_equal(pthread_create(&killer, NULL, vanish, w->node), 0);
    assert_int_equal(kontor_put(w->k, &r, 1, NULL, &result), KONTOR_EGONE);
    pthread_join(killer, NULL);
    assert_int_equal(kontor_status(w->k, &json), KONTOR_EUNREACHABLE);
    kontor_record_free(r);
    struct kontor *other = NULL;
    assert_int_equal(kontor_open("tcp://127.0.0.1:9", NULL, &other), KONTOR_EINVAL); /* without a key */
    assert_int_equal(kontor_open("smoke://signals", NULL, &other), KONTOR_EINVAL);
    assert_null(other);
}

#define WITH_NODE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_NODE(built_as_written), WITH_NODE(refused_at_home), WITH_NODE(a_view_is_read),
        WITH_NODE(other_answers),    WITH_NODE(many_threads),    WITH_NODE(a_node_that_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
