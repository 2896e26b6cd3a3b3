/* Drives a fuzz target without a fuzzer, with any compiler: every seed as it is, cut at every length, with every bit of
 * its first bytes flipped, and changed at random (the seed of it is printed).
 *
 *     fuzz-NAME [--write DIR] FILE.hex...      --write: the seeds as files for libFuzzer, nothing else */
#include "fuzz/fuzz.h"

#include <inttypes.h>
#include <sodium.h>

#define SEED_BYTES_MAX (1u << 20)
#define CUTS_MAX       2048u
#define FLIPPED_BYTES  512u
#define RANDOM_ROUNDS  2000u
#define RANDOM_CHANGES 8u
#define TEXT_BYTES_MAX (4u << 20)

struct seed {
    uint8_t *bytes;
    size_t len;
};

static uint64_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 24;
}

/* A copy of its own size, so that a sanitizer sees every step beyond its end. */
static void run(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    fuzz_must(copy != NULL, "out of memory");
    if (len) memcpy(copy, bytes, len);
    (void)LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

/* A line of hexadecimal after another; "#" begins a remark.  Any other file is its own seed. */
static struct seed read_seed(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct seed s = {malloc(SEED_BYTES_MAX), 0};
    char *text = malloc(TEXT_BYTES_MAX), *line, *rest = NULL;
    if (!f) perror(path);
    fuzz_must(f && s.bytes && text, "a seed cannot be read");
    const size_t n = fread(text, 1, TEXT_BYTES_MAX - 1, f);
    text[n] = '\0';
    fclose(f);
    const char *dot = strrchr(path, '.');
    if (!dot || strcmp(dot, ".hex")) {
        s.len = n < SEED_BYTES_MAX ? n : SEED_BYTES_MAX;
        memcpy(s.bytes, text, s.len);
    } else {
        for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
            size_t got = 0;
            if (*line == '#') continue;
            fuzz_must(!sodium_hex2bin(s.bytes + s.len, SEED_BYTES_MAX - s.len, line, strlen(line), " \r", &got, NULL),
                      "a seed is no hexadecimal");
            s.len += got;
        }
    }
    free(text);
    return s;
}

static void write_seed(const char *dir, unsigned number, const struct seed *s)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/seed-%u", dir, number);
    FILE *f = fopen(path, "wb");
    const bool written = f && fwrite(s->bytes, 1, s->len, f) == s->len && fclose(f) == 0;
    if (!written) perror(path);
    fuzz_must(written, "a seed cannot be written");
}

static void change_at_random(const struct seed *s, uint64_t state)
{
    uint8_t *copy = malloc(s->len + RANDOM_CHANGES);
    size_t len = s->len;
    fuzz_must(copy != NULL, "out of memory");
    if (len) memcpy(copy, s->bytes, len);
    for (uint64_t changes = next(&state) % RANDOM_CHANGES + 1; changes && len; changes--) {
        const size_t at = next(&state) % len, from = next(&state) % len;
        switch (next(&state) % 5) {
        case 0:
            copy[at] = (uint8_t)next(&state);
            break;
        case 1:
            copy[at] = (uint8_t)((next(&state) & 1) ? 0xff : 0x80);
            break;
        case 2: /* a piece of it somewhere else */
            memmove(copy + at, copy + from, len - (at > from ? at : from));
            break;
        case 3: /* one byte more */
            memmove(copy + at + 1, copy + at, len++ - at);
            break;
        default: /* one byte less */
            memmove(copy + at, copy + at + 1, --len - at);
        }
    }
    run(copy, len);
    free(copy);
}

static void replay(const struct seed *s, uint64_t state)
{
    run(s->bytes, s->len);
    for (size_t cut = 0; cut < s->len && cut < CUTS_MAX; cut++) run(s->bytes, cut);
    for (size_t bit = 0; bit < 8 * s->len && bit < 8 * FLIPPED_BYTES; bit++) {
        s->bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        run(s->bytes, s->len);
        s->bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (unsigned round = 0; round < RANDOM_ROUNDS; round++) change_at_random(s, state + round);
}

int main(int argc, char **argv)
{
    const char *given = getenv("KONTOR_SEED");
    const char *dir = argc > 2 && strcmp(argv[1], "--write") == 0 ? argv[2] : NULL;
    const uint64_t state = given ? strtoull(given, NULL, 0) : 1;
    fuzz_must(sodium_init() >= 0, "libsodium does not start");
    if (!dir) printf("seed %" PRIu64 "\n", state);
    for (int i = dir ? 3 : 1; i < argc; i++) {
        struct seed s = read_seed(argv[i]);
        if (dir)
            write_seed(dir, (unsigned)i, &s);
        else
            replay(&s, state);
        free(s.bytes);
    }
    if (!dir) run(NULL, 0);
    return 0;
}
