/* The examples of proto/PROTOCOL.md: made from fixed inputs, kept in tests/vectors, shown on the page; all three agree.
 */
#include "support/format_samples.h"
#include "support/wire.h"

#include "proto/batch/section.h"

/* Randomness that is none, so that a sealed bundle is the same every time. */
static void counted_bytes(void *const out, const size_t len) { sample_fill(out, len, 0x40); }
static uint32_t counted_number(void) { return 0x40414243; }
static const char *counted_name(void) { return "counted"; }
static struct randombytes_implementation counted = {
    .implementation_name = counted_name, .random = counted_number, .buf = counted_bytes};

static struct kt_buf fresh(void)
{
    struct kt_buf b;

    kt_buf_init(&b, 1 << 20);
    return b;
}

static void show(const char *name, struct kt_buf *b)
{
    assert_int_equal(b->err, KT_OK);
    wire_vector(name, kt_buf_bytes(b));
    kt_buf_free(b);
}

/* Scenario: the names derived from keys, one after the other: entity id, tag, id of a data key, item hash. */
static void names(void **state)
{
    struct kt_compartment_keys *k = sample_keys(SAMPLE_COMPARTMENT);
    struct kt_entity_id id = kt_entity_id_of(k->id_key, 1, kt_str("revenue"), kt_str("C-1"));
    struct kt_tag tag = sample_tag(SAMPLE_COMPARTMENT);
    struct kt_dek dek = sample_dek(SAMPLE_COMPARTMENT);
    struct kt_hash body = kt_item_body_hash(kt_str("clear"), kt_str("cipher"));
    struct kt_hash item = kt_item_hash(&tag, SAMPLE_GENERATION, &body);
    struct kt_dot dot = {
        {SAMPLE_MEMBER, SAMPLE_INCARNATION},
        41, kt_envelope_number(2, 1), 2
    };
    uint8_t packed[KT_DOT_BYTES];
    struct kt_buf b = fresh();

    (void)state;
    kt_buf_put(&b, KT_BYTES_OF(id.b));
    kt_buf_put(&b, KT_BYTES_OF(tag.b));
    kt_buf_put(&b, KT_BYTES_OF(dek.id.b));
    kt_buf_put(&b, KT_BYTES_OF(body.b));
    kt_buf_put(&b, KT_BYTES_OF(item.b));
    show("names", &b);
    b = fresh();
    kt_dot_pack(&dot, packed);
    kt_buf_put(&b, KT_BYTES_OF(packed));
    show("dot-packed", &b);
    kt_compartment_keys_free(k);
}

/* Scenario: a change, and a dot in it. */
static void change(void **state)
{
    struct sample_change s;
    struct kt_buf b = fresh();

    (void)state;
    sample_change(&s);
    assert_int_equal(kt_change_encode(&s.change, &b), KT_OK);
    struct kt_bytes first_op = wire_field(kt_buf_bytes(&b), 5);
    wire_vector("dot", wire_field(first_op, 5));
    show("change", &b);
}

/* Scenario: an envelope, with what is sealed and what authenticates it shown beside it. */
static void envelope(void **state)
{
    struct kt_envelope_place at = sample_place();
    struct kt_clear clear = sample_clear();
    struct sample_change s;
    struct kt_buf b = fresh(), c = fresh(), cipher = fresh();

    (void)state;
    sample_change(&s);
    s.change.ops_len = 1;
    assert_int_equal(kt_clear_encode(&clear, &b), KT_OK);
    assert_int_equal(kt_change_encode(&s.change, &c), KT_OK);
    assert_int_equal(
        kt_envelope_seal(&at, sample_dek(SAMPLE_COMPARTMENT).key, kt_buf_bytes(&b), kt_buf_bytes(&c), &cipher), KT_OK);
    show("clear", &b);
    show("envelope", &cipher);
    kt_buf_free(&c);
}

/* Scenario: a batch, its seal, the header of its second section, and the same batch with one item erased. */
static void batch(void **state)
{
    struct kt_buf b = fresh(), erased = fresh();
    struct kt_hash seal_hash;
    struct kt_arena arena;
    struct kt_batch back;

    (void)state;
    kt_arena_init(&arena, KT_BATCH_ARENA_BYTES);
    sample_batch(&b, &seal_hash);
    assert_int_equal(kt_batch_decode(kt_buf_bytes(&b), &arena, &back), KT_OK);
    wire_vector("seal", back.seal_bytes);
    wire_vector("seal-hash", KT_BYTES_OF(seal_hash.b));
    wire_vector("section-header", back.sections[1].header);
    back.sections[1].items[0].erased = true;
    assert_int_equal(kt_batch_encode(&back, &erased), KT_OK);
    struct kt_bytes section = kt_bytes(NULL, 0);
    struct kt_reader r = kt_reader(kt_buf_bytes(&erased));
    for (struct kt_pb f; kt_pb_next(&r, &f);) section = f.bytes;
    wire_vector("item-erased", wire_field(section, KT_SECTION_ITEM));
    show("batch", &b);
    kt_buf_free(&erased);
    kt_arena_free(&arena);
}

/* Scenario: keys as they travel and stand: a wrap, a bundle, a sealed identity, a sealed row. */
static void keys(void **state)
{
    const uint8_t root[KT_KEY_BYTES] = {1}, key[KT_KEY_BYTES] = {2}, nonce[24] = {3};
    struct kt_compartment_keys *k = sample_keys(SAMPLE_COMPARTMENT), *back = NULL;
    struct kt_identity *id = sample_identity(0);
    struct kt_buf b = fresh();

    (void)state;
    sample_wrap(SAMPLE_COMPARTMENT, &b);
    struct kt_hash hash = kt_wrap_hash(kt_buf_bytes(&b));
    wire_vector("wrap-hash", KT_BYTES_OF(hash.b));
    show("wrap", &b);
    b = fresh();
    assert_int_equal(kt_compartment_keys_encode(k, &b), KT_OK);
    show("compartment-keys", &b);
    b = fresh();
    assert_int_equal(kt_bundle_seal(k, id->pub.receive, &b), KT_OK);
    assert_int_equal(kt_bundle_open(kt_buf_bytes(&b), id, &back), KT_OK);
    show("bundle", &b);
    b = fresh();
    assert_int_equal(kt_identity_seal(id, root, nonce, &b), KT_OK);
    show("identity", &b);
    b = fresh();
    kt_row_seal(key, nonce, 4, kt_str("row"), SAMPLE_COMPARTMENT, kt_str("what stands in it"), &b);
    show("row", &b);
    kt_compartment_keys_free(k);
    kt_compartment_keys_free(back);
    kt_identity_free(id);
}

/* Scenario: an erasure signed by two members. */
static void erasure(void **state)
{
    struct kt_erasure e = {sample_cluster(), SAMPLE_COMPARTMENT, sample_tag(2), 1, SAMPLE_HLC};
    struct kt_erasure_signature s[2];
    struct kt_buf b = fresh(), body = fresh();

    (void)state;
    assert_int_equal(kt_erasure_encode_body(&e, &body), KT_OK);
    for (uint8_t i = 0; i < 2; i++) {
        struct kt_identity *id = sample_identity(i);
        assert_int_equal(kt_erasure_sign(kt_buf_bytes(&body), i + 1u, id->sign_secret, &s[i]), KT_OK);
        kt_identity_free(id);
    }
    assert_int_equal(kt_erasure_encode(kt_buf_bytes(&body), s, 2, &b), KT_OK);
    show("erasure", &b);
    kt_buf_free(&body);
}

/* Appends the hexadecimal digits of a line, up to '#'. */
static void digits(const char *line, char *hex, size_t room)
{
    size_t len = strlen(hex);

    for (; *line && *line != '#' && len + 1 < room; line++)
        if (strchr("0123456789abcdef", *line)) hex[len++] = *line;
    hex[len] = 0;
}

static void vector_digits(const char *name, char *hex, size_t room)
{
    char path[128], line[256];

    snprintf(path, sizeof(path), "tests/vectors/%s.hex", name);
    FILE *f = fopen(path, "r");
    if (!f) fail_msg("PROTOCOL.md shows %s, and %s is not there", name, path);
    hex[0] = 0;
    while (fgets(line, sizeof(line), f)) digits(line, hex, room);
    fclose(f);
}

/* Scenario: somebody reads PROTOCOL.md with the vectors beside it: each block marked `kontor NAME` shows just them. */
static void page_shows_the_same(void **state)
{
    static char shown[1 << 16], kept[1 << 16];
    char line[512], name[64] = "";
    int blocks = 0;
    FILE *f = fopen("proto/PROTOCOL.md", "r");

    (void)state;
    if (!f) fail_msg("proto/PROTOCOL.md: run from the root of the project");
    while (fgets(line, sizeof(line), f)) {
        if (!name[0] && sscanf(line, "```kontor %63s", name) == 1) {
            shown[0] = 0;
        } else if (name[0] && strncmp(line, "```", 3) == 0) {
            vector_digits(name, kept, sizeof(kept));
            if (strcmp(kept, shown) != 0) fail_msg("PROTOCOL.md shows another %s:\n%s\n%s", name, shown, kept);
            name[0] = 0;
            blocks++;
        } else if (name[0]) {
            digits(line, shown, sizeof(shown));
        }
    }
    fclose(f);
    assert_true(blocks >= 18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(change),
        cmocka_unit_test(envelope),
        cmocka_unit_test(batch),
        cmocka_unit_test(keys),
        cmocka_unit_test(erasure),
        cmocka_unit_test(page_shows_the_same),
    };

    if (randombytes_set_implementation(&counted) || sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
