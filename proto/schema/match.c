#include "proto/schema/match.h"
#include "proto/schema/fields.h"

#include <stdlib.h>
#include <utf8proc.h>

static int map(struct kt_bytes in, utf8proc_option_t options, struct kt_arena *arena, struct kt_bytes *out)
{
    uint8_t *mapped = NULL;
    utf8proc_ssize_t len = utf8proc_map(in.data, (utf8proc_ssize_t)in.len, &mapped, options | UTF8PROC_STABLE);
    if (len < 0) return len == UTF8PROC_ERROR_NOMEM ? KT_ENOMEM : KT_EUTF8;
    struct kt_bytes copy = kt_arena_copy(arena, kt_bytes(mapped, (size_t)len));
    free(mapped);
    if (len && !copy.data) return KT_ELIMIT;
    *out = copy;
    return KT_OK;
}

/* Blanks of any kind become one space; none at either end.  In place: a space is no longer than what it stands for. */
static struct kt_bytes single_blanks(uint8_t *text, size_t len)
{
    size_t to = 0;
    bool blank = false;
    for (size_t at = 0; at < len;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate(text + at, (utf8proc_ssize_t)(len - at), &c);
        if (n <= 0) break;
        bool is_blank = c == '\t' || c == '\n' || c == '\r' || utf8proc_category(c) == UTF8PROC_CATEGORY_ZS;
        if (is_blank) {
            blank = true;
        } else {
            if (blank && to) text[to++] = ' ';
            memmove(text + to, text + at, (size_t)n);
            to += (size_t)n;
            blank = false;
        }
        at += (size_t)n;
    }
    return kt_bytes(text, to);
}

static int map_single(struct kt_bytes in, utf8proc_option_t options, struct kt_arena *arena, struct kt_bytes *out)
{
    struct kt_bytes mapped;
    int err = map(in, options, arena, &mapped);
    if (!err) *out = single_blanks((uint8_t *)mapped.data, mapped.len); /* our own copy */
    return err;
}

int kt_match_text(struct kt_bytes in, struct kt_arena *arena, struct kt_bytes *out)
{
    return map_single(in, UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD, arena, out);
}

/* Letters with a stroke or a tie have no marks to take off. */
static const struct {
    utf8proc_int32_t letter;
    const char *plain;
} foldings[] = {
    {0xdf,   "ss"},
    {0xe6,   "ae"},
    {0xf0,   "d" },
    {0xf8,   "o" },
    {0xfe,   "th"},
    {0x111,  "d" },
    {0x127,  "h" },
    {0x131,  "i" },
    {0x138,  "k" },
    {0x142,  "l" },
    {0x14b,  "ng"},
    {0x153,  "oe"},
    {0x167,  "t" },
    {0x180,  "b" },
    {0x1b6,  "z" },
    {0x1e5,  "g" },
    {0x237,  "j" },
    {0x247,  "e" },
    {0x249,  "j" },
    {0x24d,  "r" },
    {0x253,  "b" },
    {0x257,  "d" },
    {0x268,  "i" },
    {0x289,  "u" },
    {0x1e9e, "ss"},
};

int kt_match_name(struct kt_bytes in, struct kt_arena *arena, struct kt_bytes *out)
{
    struct kt_bytes bare;
    int err =
        map_single(in, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_STRIPMARK, arena, &bare);
    if (err) return err;
    uint8_t *text = kt_arena_alloc(arena, bare.len + 1); /* no folding is longer than its letter: all take two bytes */
    if (!text) return KT_ELIMIT;
    size_t to = 0;
    for (size_t at = 0; at < bare.len;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate(bare.data + at, (utf8proc_ssize_t)(bare.len - at), &c);
        if (n <= 0) return KT_EUTF8;
        const char *plain = NULL;
        for (size_t i = 0; c >= 0x80 && i < sizeof foldings / sizeof foldings[0] && !plain; i++)
            if (foldings[i].letter == c) plain = foldings[i].plain;
        struct kt_bytes piece = plain ? kt_str(plain) : kt_bytes(bare.data + at, (size_t)n);
        memcpy(text + to, piece.data, piece.len);
        to += piece.len;
        at += (size_t)n;
    }
    *out = kt_bytes(text, to);
    return KT_OK;
}

int kt_match_email(struct kt_bytes in, struct kt_arena *arena, struct kt_bytes *out)
{
    return kt_match_text(in, arena, out);
}

/* The digits of a phone as written, with a + before them where one stood there.  A letter, comma, semicolon or # after
 * digits begins an extension; "(0)" after a country code is not dialled. */
static size_t phone_digits(struct kt_bytes in, bool *international, uint8_t *out)
{
    size_t len = 0;
    *international = false;
    for (size_t at = 0; at < in.len; at++) {
        uint8_t c = in.data[at];
        if (c == '+' && len == 0) *international = true;
        if (*international && len && in.len - at >= 3 && memcmp(in.data + at, "(0)", 3) == 0) {
            at += 2;
            continue;
        }
        if (c >= '0' && c <= '9')
            out[len++] = c;
        else if (len && ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
            break;
        else if (len && (c == ',' || c == ';' || c == '#'))
            break;
    }
    return len;
}

int kt_match_phone(struct kt_bytes in, struct kt_bytes country, struct kt_arena *arena, struct kt_bytes *out)
{
    bool international;
    uint8_t *buffer = kt_arena_alloc(arena, country.len + in.len + 1);
    if (!buffer) return KT_ELIMIT;
    uint8_t *digits = buffer + country.len;
    size_t len = phone_digits(in, &international, digits);
    if (len == 0) return KT_ETYPE;
    if (len > 2 && !international && digits[0] == '0' && digits[1] == '0') {
        *out = kt_bytes(digits + 2, len - 2);
        return KT_OK;
    }
    /* national: a leading 0 gives way to the country's code; ten digits are a whole number in North America */
    bool trunk = digits[0] == '0' && len > 1;
    bool national = !international && country.len && (trunk || (kt_bytes_equal(country, kt_str("1")) && len == 10));
    if (national) {
        uint8_t *start = digits + trunk - country.len;
        memcpy(start, country.data, country.len);
        *out = kt_bytes(start, len - trunk + country.len);
    } else {
        *out = kt_bytes(digits, len);
    }
    return KT_OK;
}

int kt_index_form(enum kt_index index, struct kt_bytes system, struct kt_bytes value, struct kt_bytes phone_country,
                  struct kt_arena *arena, struct kt_bytes *out)
{
    if (index == KT_INDEX_PHONE) return kt_match_phone(value, phone_country, arena, out);
    if (index == KT_INDEX_EMAIL) return kt_match_email(value, arena, out);
    if (index == KT_INDEX_CASE_NUMBER) return kt_match_text(value, arena, out);
    if (index != KT_INDEX_IDENTIFIER) return KT_EINVAL;

    struct kt_bytes s, v;
    int err = kt_match_text(system, arena, &s);
    if (!err) err = kt_match_text(value, arena, &v);
    if (err) return err;
    uint8_t *p = kt_arena_alloc(arena, 4 + s.len + v.len);
    if (!p) return KT_ELIMIT;
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(s.len >> (24 - 8 * i));
    if (s.len) memcpy(p + 4, s.data, s.len);
    if (v.len) memcpy(p + 4 + s.len, v.data, v.len);
    *out = kt_bytes(p, 4 + s.len + v.len);
    return KT_OK;
}

int kt_value_index(const struct kt_schema_field *f, struct kt_bytes value, struct kt_bytes phone_country,
                   struct kt_arena *arena, enum kt_index *index, struct kt_bytes *form)
{
    struct kt_bytes system = {0}, text = value;
    enum kt_index in = f->index;
    if (f->number == KT_F_LICENCE_NUMBER) {
        system = kt_str(KT_LICENCE_NUMBER_SYSTEM);
    } else if (f->number == KT_F_CUSTOMER_IDENTIFIER) {
        if (!kt_value_column(value, KT_C_IDENTIFIER_SYSTEM, &system)) in = KT_INDEX_NONE;
        if (!kt_value_column(value, KT_C_IDENTIFIER_VALUE, &text)) in = KT_INDEX_NONE;
    } else if (f->number == KT_F_CUSTOMER_CONTACT_POINT) {
        if (!kt_value_column(value, KT_C_CONTACT_SYSTEM, &system)) in = KT_INDEX_NONE;
        if (!kt_value_column(value, KT_C_CONTACT_VALUE, &text)) in = KT_INDEX_NONE;
        if (kt_bytes_equal(system, kt_str("email")))
            in = in ? KT_INDEX_EMAIL : in;
        else if (kt_bytes_equal(system, kt_str("url")))
            in = KT_INDEX_NONE;
    }
    *index = KT_INDEX_NONE;
    if (in == KT_INDEX_NONE) return KT_OK;
    int err = kt_index_form(in, system, text, phone_country, arena, form);
    if (err == KT_ETYPE || err == KT_EUTF8) return KT_OK; /* nothing to find it by */
    if (!err) *index = in;
    return err;
}
