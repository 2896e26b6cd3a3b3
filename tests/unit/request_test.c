/* Requests and replies: what a client asks and is told, there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "proto/client/client.pb-c.h"
#include "proto/client/request.h"
#include "support/wire.h"

#define ARENA_BYTES (8u << 20)

static struct kt_bytes some(struct wire_random *r, struct kt_arena *a, uint32_t max)
{
    return wire_bytes(r, a, 1 + wire_below(r, max));
}

static struct kt_bytes *some_list(struct wire_random *r, struct kt_arena *a, uint32_t n, uint32_t max)
{
    struct kt_bytes *l = kt_arena_array(a, n + 1, sizeof(*l));
    assert_non_null(l);
    for (uint32_t i = 0; i < n; i++) l[i] = some(r, a, max);
    return l;
}

static void random_record(struct wire_random *r, struct kt_arena *a, struct kt_record *x)
{
    *x = (struct kt_record){.line = wire_below(r, 9999),
                            .kind = 1 + wire_below(r, 12),
                            .source_system = some(r, a, 9),
                            .source_id = some(r, a, 30),
                            .parent_system = some(r, a, 9),
                            .parent_id = some(r, a, 30),
                            .parent_kind = wire_below(r, 3),
                            .deleted = wire_below(r, 5) == 0,
                            .fields_len = 1 + wire_below(r, 6)};
    x->fields = kt_arena_array(a, x->fields_len, sizeof(*x->fields));
    assert_non_null(x->fields);
    for (uint32_t i = 0; i < x->fields_len; i++) {
        struct kt_record_field *f = &x->fields[i];
        *f = (struct kt_record_field){.field = 256 + i,
                                      .clear = wire_below(r, 4) == 0,
                                      .add_len = wire_below(r, 4),
                                      .remove_len = wire_below(r, 3)};
        f->add = some_list(r, a, f->add_len, 60);
        f->remove = some_list(r, a, f->remove_len, 60);
    }
}

static struct kt_request random_request(struct wire_random *r, struct kt_arena *a, enum kt_request_kind kind)
{
    struct kt_request q = {.kind = kind,
                           .actor = some(r, a, 20),
                           .purpose = some(r, a, 20),
                           .case_ref = some(r, a, 20),
                           .deadline_ms = wire_below(r, 10000)};
    if (kind == KT_ASK_PUT) {
        q.put.records_len = 1 + wire_below(r, 8);
        q.put.records = kt_arena_array(a, q.put.records_len, sizeof(*q.put.records));
        for (uint32_t i = 0; i < q.put.records_len; i++) random_record(r, a, &q.put.records[i]);
        q.put.basis = some(r, a, 100);
        q.put.copies = wire_below(r, 3);
    } else if (kind == KT_ASK_LOOKUP) {
        q.lookup.by = (enum kt_lookup_by)(KT_BY_ID + wire_below(r, KT_BY_EMAIL));
        q.lookup.system = some(r, a, 10);
        q.lookup.value = some(r, a, 30);
        q.lookup.wait_len = wire_below(r, 4);
        q.lookup.wait = some_list(r, a, q.lookup.wait_len, 150);
        q.lookup.page = wire_below(r, 3);
    } else if (kind == KT_ASK_CONFLICTS || kind == KT_ASK_RESOLVE) {
        q.conflict.id = some(r, a, 32);
        q.conflict.value = some(r, a, 32);
        q.conflict.clear = wire_below(r, 2);
    }
    return q;
}

static int decode_request(struct kt_bytes in, void *context)
{
    struct kt_request q;
    kt_arena_reset(context);
    return kt_request_decode(in, context, &q);
}

/* Every kind of request with random content: decoded and encoded again it is the same, protobuf-c agrees, and cut at
 * any byte it is refused. */
static void requests(void **state)
{
    (void)state;
    struct wire_random r = wire_random(61);
    struct kt_arena a, b;
    struct kt_buf out, again;
    kt_arena_init(&a, ARENA_BYTES);
    kt_arena_init(&b, ARENA_BYTES);
    kt_buf_init(&out, 2 * KT_REQUEST_BYTES_MAX);
    kt_buf_init(&again, 2 * KT_REQUEST_BYTES_MAX);
    for (uint32_t i = 0; i < 300; i++) {
        struct kt_request q = random_request(&r, &a, (enum kt_request_kind)(KT_ASK_PUT + i % KT_ASK_VERIFY)), back;
        kt_buf_clear(&out);
        kt_buf_clear(&again);
        assert_int_equal(kt_request_encode(&q, &out), KT_OK);
        assert_int_equal(kt_request_decode(kt_buf_bytes(&out), &b, &back), KT_OK);
        assert_int_equal(back.kind, q.kind);
        assert_true(kt_bytes_equal(back.actor, q.actor) && back.deadline_ms == q.deadline_ms);
        assert_int_equal(kt_request_encode(&back, &again), KT_OK);
        assert_true(kt_bytes_equal(kt_buf_bytes(&out), kt_buf_bytes(&again)));
        wire_same_as_protobuf(&kontor__request__descriptor, kt_buf_bytes(&out));
        if (i < 30 && out.len < 3000) wire_cut_everywhere(kt_buf_bytes(&out), decode_request, &b);
        wire_flip(kt_buf_bytes(&out), &r, 20, decode_request, &b);
        kt_arena_reset(&a);
        kt_arena_reset(&b);
    }
    kt_buf_free(&out);
    kt_buf_free(&again);
    kt_arena_free(&a);
    kt_arena_free(&b);
}

/* A clerk puts one customer and looks it up again: the examples of PROTOCOL.md, member by member. */
static void examples(void **state)
{
    (void)state;
    struct kt_arena a;
    struct kt_buf out;
    kt_arena_init(&a, ARENA_BYTES);
    kt_buf_init(&out, KT_REQUEST_BYTES_MAX);
    struct kt_bytes add[] = {kt_str("teacher")}, gone[] = {kt_str("x")}, wait[] = {kt_str("token")};
    struct kt_record_field fields[] = {
        {.field = 0x10a, .add = add,     .add_len = 1   },
        { .field = 0x10b, .clear = true, .remove = gone, .remove_len = 1}
    };
    struct kt_record record = {.line = 1,
                               .kind = 1,
                               .source_system = kt_str("revenue"),
                               .source_id = kt_str("C-1"),
                               .fields = fields,
                               .fields_len = 2};
    struct kt_request put =
                          {
                              .kind = KT_ASK_PUT,
                              .actor = kt_str("ada"),
                              .purpose = kt_str("service"),
                              .deadline_ms = 5000,
                              .put = {&record, 1, kt_str("basis"), 2}
    },
                      q;
    assert_int_equal(kt_request_encode(&put, &out), KT_OK);
    wire_vector("request-put", kt_buf_bytes(&out));
    assert_int_equal(kt_request_decode(kt_buf_bytes(&out), &a, &q), KT_OK);
    assert_true(q.put.records_len == 1 && q.put.copies == 2 && q.put.records[0].fields_len == 2);
    assert_true(kt_bytes_equal(q.put.records[0].source_id, kt_str("C-1")));
    assert_true(kt_bytes_equal(q.put.records[0].fields[0].add[0], kt_str("teacher")));
    assert_true(q.put.records[0].fields[1].clear && q.put.records[0].fields[1].remove_len == 1);

    struct kt_request look = {
        .kind = KT_ASK_LOOKUP,
        .actor = kt_str("ada"),
        .purpose = kt_str("service"),
        .case_ref = kt_str("SR-1"),
        .deadline_ms = 5000,
        .lookup = {KT_BY_SOURCE, kt_str("revenue"), kt_str("C-1"), wait, 1, 3}
    };
    kt_buf_clear(&out);
    assert_int_equal(kt_request_encode(&look, &out), KT_OK);
    wire_vector("request-lookup", kt_buf_bytes(&out));
    assert_int_equal(kt_request_decode(kt_buf_bytes(&out), &a, &q), KT_OK);
    assert_true(q.lookup.by == KT_BY_SOURCE && q.lookup.page == 3 && q.lookup.wait_len == 1);
    assert_true(kt_bytes_equal(q.lookup.value, kt_str("C-1")) && kt_bytes_equal(q.case_ref, kt_str("SR-1")));
    kt_buf_free(&out);
    kt_arena_free(&a);
}

static struct kt_reply random_reply(struct wire_random *r, struct kt_arena *a)
{
    struct kt_reply y = {.kind = (enum kt_request_kind)(KT_ASK_PUT + wire_below(r, KT_ASK_VERIFY)),
                         .code = wire_below(r, 2) ? KT_OK : -(int)wire_below(r, 99),
                         .reason = some(r, a, 60),
                         .json = some(r, a, 300)};
    struct kt_put_result *results = kt_arena_array(a, 3, sizeof(*results));
    struct kt_view_section *sections = kt_arena_array(a, 3, sizeof(*sections));
    struct kt_match *matches = kt_arena_array(a, 3, sizeof(*matches));
    struct kt_office_freshness *offices = kt_arena_array(a, 3, sizeof(*offices));
    struct kt_conflict *conflicts = kt_arena_array(a, 3, sizeof(*conflicts));
    for (uint32_t i = 0; i < 3; i++) {
        results[i] =
            (struct kt_put_result){i, i ? KT_EFIELD : KT_OK, 7 * i, some(r, a, 40), some(r, a, 90), some(r, a, 20)};
        sections[i] = (struct kt_view_section){i + 1, some(r, a, 9), some(r, a, 2000)};
        matches[i] = (struct kt_match){some(r, a, 32), some(r, a, 32), some(r, a, 10), some(r, a, 8)};
        offices[i] = (struct kt_office_freshness){some(r, a, 20), i != 1, wire_next(r)};
        struct kt_conflict_value *v = kt_arena_array(a, 2, sizeof(*v));
        v[0] = (struct kt_conflict_value){some(r, a, 30), true, some(r, a, 9), some(r, a, 9), wire_next(r)};
        v[1] = (struct kt_conflict_value){
            {NULL, 0},
            false, some(r, a, 9), some(r, a, 9), wire_next(r)
        };
        conflicts[i] = (struct kt_conflict){some(r, a, 32), some(r, a, 32), 3 + i, some(r, a, 9), v, 2};
    }
    y.put.results = results, y.put.results_len = wire_below(r, 4);
    y.lookup.sections = sections, y.lookup.sections_len = wire_below(r, 4);
    y.lookup.matches = matches, y.lookup.matches_len = wire_below(r, 4);
    y.lookup.offices = offices, y.lookup.offices_len = wire_below(r, 4);
    y.lookup.more = wire_below(r, 2);
    y.lookup.withheld_len = wire_below(r, 4), y.lookup.withheld = some_list(r, a, y.lookup.withheld_len, 10);
    y.lookup.basis = some(r, a, 100);
    y.lookup.now_ms = wire_next(r);
    wire_fill(r, &y.lookup.display_id, sizeof(y.lookup.display_id));
    y.conflicts.items = conflicts, y.conflicts.len = wire_below(r, 4);
    return y;
}

static int decode_reply(struct kt_bytes in, void *context)
{
    struct kt_reply y;
    kt_arena_reset(context);
    return kt_reply_decode(in, context, &y);
}

/* Replies with random content, as the requests above. */
static void replies(void **state)
{
    (void)state;
    struct wire_random r = wire_random(62);
    struct kt_arena a, b;
    struct kt_buf out, again;
    kt_arena_init(&a, ARENA_BYTES);
    kt_arena_init(&b, ARENA_BYTES);
    kt_buf_init(&out, 1u << 20);
    kt_buf_init(&again, 1u << 20);
    for (uint32_t i = 0; i < 200; i++) {
        struct kt_reply y = random_reply(&r, &a), back;
        kt_buf_clear(&out);
        kt_buf_clear(&again);
        assert_int_equal(kt_reply_encode(&y, &out), KT_OK);
        assert_int_equal(kt_reply_decode(kt_buf_bytes(&out), &b, &back), KT_OK);
        assert_true(back.kind == y.kind && back.code == y.code && back.lookup.now_ms == y.lookup.now_ms);
        assert_true(back.lookup.offices_len == y.lookup.offices_len && back.lookup.more == y.lookup.more);
        assert_memory_equal(&back.lookup.display_id, &y.lookup.display_id, 16);
        for (uint32_t k = 0; k < back.put.results_len; k++)
            assert_int_equal(back.put.results[k].code, y.put.results[k].code);
        assert_int_equal(kt_reply_encode(&back, &again), KT_OK);
        assert_true(kt_bytes_equal(kt_buf_bytes(&out), kt_buf_bytes(&again)));
        wire_same_as_protobuf(&kontor__reply__descriptor, kt_buf_bytes(&out));
        if (i < 5) wire_cut_everywhere(kt_buf_bytes(&out), decode_reply, &b);
        wire_flip(kt_buf_bytes(&out), &r, 20, decode_reply, &b);
        kt_arena_reset(&a);
        kt_arena_reset(&b);
    }
    kt_buf_free(&out);
    kt_buf_free(&again);
    kt_arena_free(&a);
    kt_arena_free(&b);
}

/* What the clerk is told: the example of PROTOCOL.md. */
static void example_reply(void **state)
{
    (void)state;
    struct kt_buf out;
    kt_buf_init(&out, KT_REPLY_BYTES_MAX);
    struct kt_put_result results[] = {
        {1, KT_OK,     0, kt_str(""),                      kt_str("token"), kt_str("DESK-1")},
        {2, KT_EFIELD, 0, kt_str("no field of this name"), kt_str(""),      kt_str("")      }
    };
    struct kt_view_section section = {1, kt_str("core"), kt_str("view")};
    struct kt_match match = {kt_str("00ff"), kt_str("Ada Okafor"), kt_str("1980-02-29"), kt_str("phone")};
    struct kt_bytes withheld = kt_str("health");
    struct kt_office_freshness offices[] = {
        {kt_str("office-2"), true,  1767225600123},
        {kt_str("office-3"), false, 0            }
    };
    struct kt_conflict_value values[] = {
        {kt_str("nurse"), true,  kt_str("office-3"), kt_str("ada"), 1767225600123 << 16},
        {kt_str(""),      false, kt_str("office-1"), kt_str("bo"),  1767225600000 << 16}
    };
    struct kt_conflict conflict = {kt_str("0f0f"), kt_str("revenue:C-1"), 0x10a, kt_str("x"), values, 2};
    struct kt_reply y = {
        .kind = KT_ASK_LOOKUP,
        .code = KT_EREFUSED,
        .reason = kt_str("why, and what to do"),
        .put = {results,  2},
        .lookup = {&section, 1, &match, 1, true, &withheld, 1, kt_str("basis"), offices, 2, 1767225600999, {{0xd1}}},
        .json = kt_str("{}"),
        .conflicts = {&conflict,       1   },
    };
    assert_int_equal(kt_reply_encode(&y, &out), KT_OK);
    wire_vector("reply", kt_buf_bytes(&out));
    kt_buf_free(&out);
}

/* Nonsense of every sort: no kind, an unknown one, a lookup by nothing, and more of everything than may be. */
static void refused(void **state)
{
    (void)state;
    struct kt_arena a;
    struct kt_buf out;
    struct kt_request q = {.kind = KT_ASK_VERIFY}, bad = {0};
    struct kt_reply y;
    kt_arena_init(&a, ARENA_BYTES);
    kt_buf_init(&out, 2 * KT_REPLY_BYTES_MAX);
    assert_int_equal(kt_request_decode(kt_str(""), &a, &q), KT_EMALFORMED);
    assert_int_equal(kt_request_decode(kt_bytes("\x78\x00", 2), &a, &q), KT_EMALFORMED);
    assert_int_equal(kt_request_decode(kt_bytes("\x78\x07", 2), &a, &q), KT_EMALFORMED);
    assert_int_equal(kt_request_decode(kt_bytes("\x78\x02", 2), &a, &q), KT_EMALFORMED); /* a lookup of nothing */
    assert_int_equal(kt_request_decode(kt_bytes("\x32\x02\x08\x00\x78\x02", 6), &a, &q), KT_EMALFORMED); /* by 0 */
    assert_int_equal(kt_request_decode(kt_bytes("\x32\x02\x08\x07\x78\x02", 6), &a, &q), KT_EMALFORMED); /* by 7 */
    assert_int_equal(kt_request_decode(kt_bytes("\x78\x03", 2), &a, &q), KT_OK);
    assert_int_equal(q.kind, KT_ASK_STATUS);
    assert_int_equal(kt_reply_decode(kt_bytes("\x78\x00", 2), &a, &y), KT_EMALFORMED);
    assert_int_equal(kt_request_encode(&bad, &out), KT_EINVAL);
    bad.kind = KT_ASK_LOOKUP;
    assert_int_equal(kt_request_encode(&bad, &out), KT_EINVAL);

    struct wire_random r = wire_random(63);
    bad = (struct kt_request){.kind = KT_ASK_STATUS, .actor = wire_bytes(&r, &a, KT_NAME_BYTES_MAX + 1)};
    assert_int_equal(kt_request_encode(&bad, &out), KT_EOVERSIZE);
    kt_buf_pb_bytes(&out, 1, bad.actor);
    kt_buf_pb_uint(&out, 15, KT_ASK_STATUS);
    assert_int_equal(kt_request_decode(kt_buf_bytes(&out), &a, &q), KT_EOVERSIZE);

    kt_buf_clear(&out); /* a put of too many records, all empty */
    size_t mark = kt_buf_pb_open(&out, 5);
    for (uint32_t i = 0; i <= KT_RECORDS_PER_PUT_MAX; i++) kt_buf_pb_bytes(&out, 1, kt_str(""));
    kt_buf_pb_close(&out, mark);
    kt_buf_pb_uint(&out, 15, KT_ASK_PUT);
    assert_int_equal(kt_request_decode(kt_buf_bytes(&out), &a, &q), KT_EOVERSIZE);

    struct kt_bytes value = wire_bytes(&r, &a, KT_VALUE_BYTES_MAX), many[] = {value, value, value};
    struct kt_record_field field = {.field = 1, .add = many, .add_len = 3};
    struct kt_record record = {.kind = 1, .fields = &field, .fields_len = 1};
    bad = (struct kt_request){
        .kind = KT_ASK_PUT, .put = {.records = &record, .records_len = 1}
    };
    kt_buf_clear(&out);
    assert_int_equal(kt_request_encode(&bad, &out), KT_EOVERSIZE); /* one record past KT_RECORD_BYTES_MAX */
    assert_int_equal(out.len, 0);

    assert_non_null(kt_buf_extend(&out, KT_REQUEST_BYTES_MAX + 1));
    memset(out.data, 0, out.len);
    assert_int_equal(kt_request_decode(kt_buf_bytes(&out), &a, &q), KT_EOVERSIZE);
    assert_non_null(kt_buf_extend(&out, KT_REPLY_BYTES_MAX - out.len + 1));
    assert_int_equal(kt_reply_decode(kt_buf_bytes(&out), &a, &y), KT_EOVERSIZE);
    kt_buf_free(&out);
    kt_arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(requests), cmocka_unit_test(examples),
                                       cmocka_unit_test(replies), cmocka_unit_test(example_reply),
                                       cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
