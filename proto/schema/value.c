#include "proto/schema/value.h"
#include "proto/schema/datetime.h"
#include "proto/limits.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <utf8proc.h>

/* A canonical scalar: the input itself, or made anew in `made`. */
struct scalar {
    struct kt_bytes text;
    char made[KT_DATETIME_CHARS_MAX];
    const char *why;
};

static int refuse(struct scalar *s, int code, const char *why)
{
    s->why = why;
    return code;
}

static void made(struct scalar *s) { s->text = kt_str(s->made); }

/* Well-formed UTF-8 without NUL; without any control character where `plain`. */
static int check_utf8(struct kt_bytes in, bool plain, struct scalar *s)
{
    for (size_t at = 0; at < in.len;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate(in.data + at, (utf8proc_ssize_t)(in.len - at), &c);
        if (n <= 0) return refuse(s, KT_EUTF8, "is not UTF-8");
        if (c == 0) return refuse(s, KT_EUTF8, "holds a NUL character");
        if (plain && (c < 0x20 || (c >= 0x7f && c < 0xa0))) return refuse(s, KT_ETYPE, "holds a control character");
        at += (size_t)n;
    }
    return KT_OK;
}

static int scalar_text(struct kt_bytes in, struct scalar *s)
{
    if (in.len == 0) return refuse(s, KT_ETYPE, "is empty");
    if (in.len > KT_TEXT_BYTES_MAX) return refuse(s, KT_EOVERSIZE, "is longer than 16384 bytes");
    s->text = in;
    return check_utf8(in, false, s);
}

static int scalar_code(const char *const *allowed, struct kt_bytes in, struct scalar *s)
{
    if (in.len == 0) return refuse(s, KT_ETYPE, "is empty");
    if (in.len > KT_NAME_BYTES_MAX) return refuse(s, KT_EOVERSIZE, "is longer than 256 bytes");
    s->text = in;
    if (!allowed) return check_utf8(in, true, s);
    for (; *allowed; allowed++)
        if (kt_bytes_equal(kt_str(*allowed), in)) return KT_OK;
    return refuse(s, KT_ETYPE, "is none of the codes allowed here");
}

static int scalar_integer(struct kt_bytes in, struct scalar *s)
{
    char text[24], *end;
    if (in.len == 0 || in.len >= sizeof text) return refuse(s, KT_ETYPE, "is not a whole number");
    memcpy(text, in.data, in.len);
    text[in.len] = 0;
    if (strspn(text, "+-0123456789") != in.len) return refuse(s, KT_ETYPE, "is not a whole number");
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (errno || end != text + in.len) return refuse(s, KT_ETYPE, "is not a whole number");
    snprintf(s->made, sizeof s->made, "%lld", v);
    made(s);
    return KT_OK;
}

static int scalar_number(struct kt_bytes in, struct scalar *s)
{
    char text[64], *end;
    if (in.len == 0 || in.len >= sizeof text) return refuse(s, KT_ETYPE, "is not a number");
    memcpy(text, in.data, in.len);
    text[in.len] = 0;
    /* the host program's locale may write "1,5": numbers here are read and written in the C locale */
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c_locale) return refuse(s, KT_ENOMEM, "out of memory");
    locale_t before = uselocale(c_locale);
    double v = strspn(text, "+-0123456789.eE") == in.len ? strtod(text, &end) : NAN;
    bool good = isfinite(v) && end == text + in.len;
    if (v == 0) v = 0; /* no minus before a zero */
    for (int precision = 15; good && precision <= 17; precision++) {
        snprintf(s->made, sizeof s->made, "%.*g", precision, v);
        if (strtod(s->made, NULL) == v) break;
    }
    uselocale(before);
    freelocale(c_locale);
    if (!good) return refuse(s, KT_ETYPE, "is not a number");
    made(s);
    return KT_OK;
}

static int scalar_boolean(struct kt_bytes in, struct scalar *s)
{
    s->text = in;
    if (kt_bytes_equal(in, kt_str("true")) || kt_bytes_equal(in, kt_str("false"))) return KT_OK;
    return refuse(s, KT_ETYPE, "is neither true nor false");
}

static int scalar_ref(struct kt_bytes in, struct scalar *s)
{
    const uint8_t *colon = in.len ? memchr(in.data, ':', in.len) : NULL;
    size_t system = colon ? (size_t)(colon - in.data) : 0;
    if (system == 0 || system + 1 == in.len) return refuse(s, KT_ETYPE, "is not a reference");
    if (system > KT_NAME_BYTES_MAX || in.len - system - 1 > KT_NAME_BYTES_MAX)
        return refuse(s, KT_EOVERSIZE, "is a reference with a part longer than 256 bytes");
    s->text = in;
    return check_utf8(in, true, s);
}

static int scalar(enum kt_type type, const char *const *allowed, struct kt_bytes in, struct scalar *s)
{
    switch (type) {
    case KT_TEXT:
        return scalar_text(in, s);
    case KT_CODE:
        return scalar_code(allowed, in, s);
    case KT_DATE:
        s->text = in;
        return kt_date_check(in) ? refuse(s, KT_ETYPE, "is not a date of the calendar") : KT_OK;
    case KT_DATETIME:
        if (kt_datetime_canonical(in, s->made))
            return refuse(s, KT_ETYPE, "is not a time with its zone");
        made(s);
        return KT_OK;
    case KT_INTEGER:
        return scalar_integer(in, s);
    case KT_NUMBER:
        return scalar_number(in, s);
    case KT_BOOLEAN:
        return scalar_boolean(in, s);
    case KT_REF:
        return scalar_ref(in, s);
    case KT_COMPOSITE:
        break;
    }
    return refuse(s, KT_ETYPE, "is not a single value");
}

int kt_scalar_canonical(enum kt_type type, const char *const *allowed, struct kt_bytes in, struct kt_arena *arena,
                        struct kt_bytes *out, const char **why)
{
    struct scalar s = {0};
    int err = scalar(type, allowed, in, &s);
    struct kt_bytes copy = {0};
    if (!err) {
        copy = kt_arena_copy(arena, s.text);
        if (!copy.data) err = refuse(&s, KT_ELIMIT, "does not fit into memory");
    }
    if (err)
        *why = s.why;
    else
        *out = copy;
    return err;
}

/* As in ops: a ref may also be the 16 bytes it became. */
static int check_scalar(enum kt_type type, const char *const *allowed, struct kt_bytes in)
{
    struct scalar s = {0};
    if (type == KT_REF && in.len == KT_ENTITY_ID_BYTES) return KT_OK;
    int err = scalar(type, allowed, in, &s);
    return err ? err : kt_bytes_equal(s.text, in) ? KT_OK : KT_ETYPE;
}

int kt_value_check(const struct kt_schema_field *f, struct kt_bytes value)
{
    if (value.len > KT_VALUE_BYTES_MAX) return KT_EOVERSIZE;
    if (f->type != KT_COMPOSITE) return check_scalar(f->type, f->allowed, value);
    struct kt_reader r = kt_reader(value);
    struct kt_pb pb;
    uint32_t last = 0;
    while (kt_pb_next(&r, &pb)) {
        const struct kt_schema_column *c = kt_schema_column(f, pb.field);
        if (!c) return KT_EFIELD;
        if (pb.wire != 2 || pb.field < last || (pb.field == last && !c->repeated)) return KT_EMALFORMED;
        int err = check_scalar(c->type, c->allowed, pb.bytes);
        if (err) return err;
        last = pb.field;
    }
    return r.err ? r.err : last ? KT_OK : KT_ETYPE;
}

bool kt_value_column_next(struct kt_bytes value, uint32_t column, struct kt_reader *at, struct kt_bytes *out)
{
    struct kt_pb pb;
    if (!at->at && !at->err) *at = kt_reader(value);
    while (kt_pb_next(at, &pb)) {
        if (pb.field != column || pb.wire != 2) continue;
        *out = pb.bytes;
        return true;
    }
    return false;
}

bool kt_value_column(struct kt_bytes value, uint32_t column, struct kt_bytes *out)
{
    struct kt_reader at = {0};
    return kt_value_column_next(value, column, &at, out);
}
