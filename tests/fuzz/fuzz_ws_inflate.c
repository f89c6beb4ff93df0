/* fuzz_ws_inflate - compressed payloads: bounded output, bounded memory, no state
 * that leaks into the next message; and what we deflate inflates to itself.
 *
 * Input: 1 byte of window bits, 2 bytes of limit, then the payload.
 */
#include "net/ws_deflate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00};

static void check_hostile(struct ws_inflater *in, const uint8_t *p, size_t len, size_t limit)
{
    struct ws_bytes out;
    uint8_t *first = NULL;
    size_t first_len = 0;
    int rc = ws_inflate(in, p, len, limit, &out);

    assert(rc == 0 || rc == SK_EBADMSG || rc == SK_ETOOBIG);
    assert(rc == 0 ? out.len <= limit : out.p == NULL);
    if (rc == 0) {
        first = malloc(out.len + 1);
        first_len = out.len;
        memcpy(first, out.p, out.len);
    }
    /* Whatever it was, the next message starts from nothing... */
    assert(ws_inflate(in, hello, sizeof(hello), 5, &out) == 0);
    assert(out.len == 5 && memcmp(out.p, "Hello", 5) == 0);
    /* ...and the same payload gives the same result. */
    assert(ws_inflate(in, p, len, limit, &out) == rc);
    if (rc == 0)
        assert(out.len == first_len && memcmp(out.p, first, first_len) == 0);
    free(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mem_account a;
    struct ws_inflater *in;
    struct ws_deflater *out;
    struct ws_bytes packed, back;
    unsigned bits;
    size_t limit;

    if (size < 3)
        return 0;
    bits = WS_WINDOW_BITS_MIN + data[0] % (WS_WINDOW_BITS_MAX - WS_WINDOW_BITS_MIN + 1);
    limit = (size_t)data[1] << 8 | data[2];
    data += 3;
    size -= 3;
    mem_account_init(&a, "fuzz", NULL, 0);
    in = ws_inflater_new(&a);
    out = ws_deflater_new(&a, 1);
    check_hostile(in, data, size, limit);
    assert(ws_deflate(out, bits, data, size, &packed) == 0);
    assert(ws_inflate(in, packed.p, packed.len, size, &back) == 0);
    assert(back.len == size && (size == 0 || memcmp(back.p, data, size) == 0));
    ws_deflater_free(out);
    ws_inflater_free(in);
    mem_account_fini(&a);
    return 0;
}
