/* fuzz_ws_parser - a stream of frames gives the same events however it is cut,
 * memory stays within its bound, and nothing is left when the parser ends.
 *
 * Input: 1 byte of flags (1 client, 2 deflate, 4 mask the frames), 4 bytes of
 * piece sizes, then the stream. With flag 4 the stream is a list of unmasked
 * frames, each of which is given a mask here: the fuzzer finds more that way
 * than by guessing keys.
 */
#include "net/ws_codec.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "net/utf8.h"

#define MESSAGE_MAX 5000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct log {
    uint8_t *p;
    size_t len, cap;
};

static void put(struct log *l, const void *p, size_t n)
{
    if (n > l->cap - l->len) {
        l->cap = (l->cap + n) * 2;
        l->p = realloc(l->p, l->cap);
    }
    if (n > 0)
        memcpy(l->p + l->len, p, n);
    l->len += n;
}

static void put_event(struct log *l, const struct ws_event *ev)
{
    uint8_t head[5] = {(uint8_t)ev->type, ev->opcode, ev->is_compressed,
                       (uint8_t)(ev->close_code >> 8), (uint8_t)ev->close_code};

    if (ev->type == WS_EVENT_NEED_MORE)
        return;
    put(l, head, sizeof(head));
    put(l, &ev->len, sizeof(ev->len));
    put(l, ev->p, ev->len);
    switch (ev->type) {
    case WS_EVENT_MESSAGE:
        assert(ev->p != NULL && ev->len <= MESSAGE_MAX);
        assert(ev->opcode == WS_OP_TEXT || ev->opcode == WS_OP_BINARY);
        if (ev->opcode == WS_OP_TEXT && !ev->is_compressed)
            assert(utf8_is_valid(ev->p, ev->len));
        break;
    case WS_EVENT_PING:
    case WS_EVENT_PONG:
        assert(ev->p != NULL && ev->len <= WS_CONTROL_BYTES_MAX);
        break;
    case WS_EVENT_CLOSE:
        assert(ev->close_code == WS_CLOSE_NO_STATUS || ws_close_code_is_valid(ev->close_code));
        assert(utf8_is_valid(ev->p, ev->len));
        break;
    default:
        assert(ev->words != NULL && ws_close_code_is_valid(ev->close_code));
        break;
    }
}

static void run(const uint8_t *data, size_t size, const uint8_t *steps, size_t n_steps,
                unsigned flags, struct log *l)
{
    struct mem_account a;
    struct ws_parser p;
    size_t i = 0, turn = 0;

    mem_account_init(&a, "fuzz", NULL, 0);
    ws_parser_init(&p, &a, MESSAGE_MAX, flags);
    while (i < size) {
        size_t want = n_steps == 0 ? size : 1u + steps[turn++ % n_steps];
        size_t n = size - i < want ? size - i : want, off = 0;
        uint8_t *copy = malloc(n);
        struct ws_event ev;

        memcpy(copy, data + i, n);
        do {
            size_t used = ws_parser_feed(&p, copy + off, n - off, &ev);

            assert(used <= n - off && (used > 0 || ev.type != WS_EVENT_MESSAGE));
            off += used;
            put_event(l, &ev);
        } while (ev.type != WS_EVENT_NEED_MORE);
        assert(off == n);
        assert(mem_account_used(&a) <= 2 * MESSAGE_MAX + 4096 + 512);
        free(copy);
        i += n;
    }
    ws_parser_fini(&p);
    mem_account_fini(&a);
}

/* Gives every frame of an unmasked stream a mask, as far as it looks like one. */
static void mask_stream(const uint8_t *in, size_t size, struct log *out)
{
    static const uint8_t key[4] = {0x12, 0x34, 0xab, 0xcd};
    size_t i = 0;

    while (size - i >= 2) {
        size_t wide = (in[i + 1] & 0x7f) < 126 ? 0 : (in[i + 1] & 0x7f) == 126 ? 2 : 8;
        size_t len = wide == 0 ? in[i + 1] & 0x7f : 0;
        uint8_t second = in[i + 1] | 0x80;

        if (size - i - 2 < wide)
            break;
        for (size_t k = 0; k < wide; k++)
            len = len << 8 | in[i + 2 + k];
        put(out, in + i, 1);
        put(out, &second, 1);
        put(out, in + i + 2, wide);
        put(out, key, 4);
        i += 2 + wide;
        if (len > size - i)
            len = size - i;
        put(out, in + i, len);
        ws_mask(out->p + out->len - len, len, key, 0);
        i += len;
    }
    put(out, in + i, size - i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t ones[] = {0};
    struct log stream = {0}, whole = {0}, pieces = {0}, bytes = {0};
    unsigned flags;

    if (size < 5)
        return 0;
    flags = data[0] & 3;
    if ((data[0] & 4) != 0) {
        mask_stream(data + 5, size - 5, &stream);
        flags &= ~WS_PARSER_CLIENT;
    } else {
        put(&stream, data + 5, size - 5);
    }
    run(stream.p, stream.len, NULL, 0, flags, &whole);
    run(stream.p, stream.len, data + 1, 4, flags, &pieces);
    run(stream.p, stream.len, ones, 1, flags, &bytes);
    assert(whole.len == pieces.len && whole.len == bytes.len);
    assert(whole.len == 0 || memcmp(whole.p, pieces.p, whole.len) == 0);
    assert(whole.len == 0 || memcmp(whole.p, bytes.p, whole.len) == 0);
    free(stream.p);
    free(whole.p);
    free(pieces.p);
    free(bytes.p);
    return 0;
}
