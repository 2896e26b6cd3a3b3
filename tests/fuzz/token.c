/* A token from a client; the input is the text. */
#include "proto/client/token.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint8_t key[KT_KEY_BYTES] = {5};
    char text[KT_TOKEN_CHARS_MAX + 1] = {0};
    struct kt_token t;
    if (len > KT_TOKEN_CHARS_MAX) return 0;
    if (len) memcpy(text, data, len);
    fuzz_must(kt_token_decode(text, key, &t) != KT_OK, "nobody issued it");
    return 0;
}
