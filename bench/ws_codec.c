/* bench_ws_codec - what the codecs cost by themselves, without a socket.
 *
 *     build/release/bench_ws_codec
 *
 * Prints the best of several rounds, since everything that disturbs only ever
 * adds: nanoseconds per frame or head, gigabytes a second for what is per byte.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/http_parse.h"
#include "net/utf8.h"
#include "net/ws_codec.h"
#include "net/ws_deflate.h"

#define ROUNDS 15
#define BUFFER (512u << 10)

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct work {
    uint8_t *bytes;
    uint8_t *copy;
    size_t len;
    size_t frames;
    uint64_t sum; /* printed, so that no work can be left out */
};

static void best_of(const char *name, void (*run)(struct work *), struct work *w, size_t units,
                    size_t bytes)
{
    double best = 1e18;

    for (int i = 0; i < ROUNDS; i++) {
        double t0, t;

        memcpy(w->copy, w->bytes, w->len); /* the parser unmasks in place */
        t0 = now_ns();
        run(w);
        t = now_ns() - t0;
        best = t < best ? t : best;
    }
    printf("%-44s %9.1f ns each %8.2f GB/s\n", name, best / (double)units, (double)bytes / best);
}

static size_t put_frame(uint8_t *to, enum ws_opcode op, const uint8_t *payload, size_t len)
{
    static const uint8_t key[4] = {0x9a, 0x31, 0x07, 0xe4};
    size_t n = ws_frame_header_masked(to, op, WS_FLAG_FIN, len, key);

    memcpy(to + n, payload, len);
    ws_mask(to + n, len, key, 0);
    return n + len;
}

static void run_parser(struct work *w)
{
    struct ws_parser p;
    struct ws_event ev;
    size_t off = 0;

    ws_parser_init(&p, mem_process(), 16u << 20, 0);
    do {
        off += ws_parser_feed(&p, w->copy + off, w->len - off, &ev);
        w->sum += ev.len;
    } while (ev.type != WS_EVENT_NEED_MORE);
    ws_parser_fini(&p);
}

static void bench_parser(const char *name, enum ws_opcode op, const uint8_t *payload, size_t len)
{
    struct work w = {.bytes = malloc(BUFFER * 2), .copy = malloc(BUFFER * 2)};

    while (w.len + len + WS_HEADER_MASKED_BYTES_MAX <= BUFFER || w.frames == 0) {
        w.len += put_frame(w.bytes + w.len, op, payload, len);
        w.frames++;
    }
    best_of(name, run_parser, &w, w.frames, w.frames * len);
    free(w.bytes);
    free(w.copy);
}

/* So often that the clock's own cost does not show. */
#define REPEATS 1000

static void run_mask(struct work *w)
{
    static const uint8_t key[4] = {1, 2, 3, 4};

    for (int i = 0; i < REPEATS; i++)
        ws_mask(w->copy, w->len, key, 1);
    w->sum += w->copy[0];
}

static void run_utf8(struct work *w)
{
    for (int i = 0; i < REPEATS; i++)
        w->sum += utf8_is_valid(w->copy, w->len);
}

static void fill_text(uint8_t *p, size_t len, const char *pattern)
{
    size_t unit = strlen(pattern), i = 0;

    for (; i + unit <= len; i += unit)
        memcpy(p + i, pattern, unit);
    memset(p + i, 'x', len - i);
}

static void bench_bytes(size_t len)
{
    static const struct {
        const char *name, *pattern;
    } texts[] = {
        {"ASCII", "hello, world "},
        {"Latin", "Stra\xc3\x9f"
                  "e "},
        {"Chinese", "\xe4\xbd\xa0\xe5\xa5\xbd"},
        {"emoji", "\xf0\x9f\x98\x80"},
    };
    struct work w = {.bytes = malloc(len), .copy = malloc(len), .len = len};
    char name[64];

    memset(w.bytes, 'a', len);
    snprintf(name, sizeof(name), "unmask %zu bytes", len);
    best_of(name, run_mask, &w, REPEATS, REPEATS * len);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        fill_text(w.bytes, len, texts[i].pattern);
        snprintf(name, sizeof(name), "UTF-8 %zu bytes, %s", len, texts[i].name);
        best_of(name, run_utf8, &w, REPEATS, REPEATS * len);
    }
    free(w.bytes);
    free(w.copy);
}

static const char head[] =
    "GET /api/ws?type=yjs&room=demo%2Fmain HTTP/1.1\r\n"
    "Host: app.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari/537.36\r\n"
    "Accept: */*\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Sec-WebSocket-Version: 13\r\nOrigin: https://app.example.com\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Connection: keep-alive, Upgrade\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n"
    "Upgrade: websocket\r\n\r\n";

static void run_head(struct work *w)
{
    static struct http_request req;
    struct http_error err;

    for (int i = 0; i < REPEATS; i++) {
        size_t scanned = 0;

        w->sum += (uint64_t)http_parse_head((const char *)w->copy, w->len, &scanned, &req, &err);
    }
}

static void bench_head(void)
{
    struct work w = {
        .bytes = malloc(sizeof(head)), .copy = malloc(sizeof(head)), .len = sizeof(head) - 1};
    char name[64];

    memcpy(w.bytes, head, w.len);
    snprintf(name, sizeof(name), "request head of %zu bytes, 13 fields", w.len);
    best_of(name, run_head, &w, REPEATS, REPEATS * w.len);
    free(w.bytes);
    free(w.copy);
}

static struct ws_deflater *deflater;
static struct ws_inflater *inflater;
static struct ws_bytes packed;

static void run_deflate(struct work *w)
{
    for (int i = 0; i < 10; i++)
        w->sum += (uint64_t)ws_deflate(deflater, 15, w->copy, w->len, &packed);
}

static void run_inflate(struct work *w)
{
    struct ws_bytes out;

    for (int i = 0; i < 10; i++)
        w->sum += (uint64_t)ws_inflate(inflater, packed.p, packed.len, w->len, &out);
}

static void bench_deflate(size_t len)
{
    struct work w = {.bytes = malloc(len), .copy = malloc(len), .len = len};
    char name[64];
    unsigned seed = 1;

    for (size_t i = 0; i < len; i++) {
        seed = seed * 1103515245u + 12345u;
        w.bytes[i] = (uint8_t)("etaoin shrdlu{}:,\"0123"[(seed >> 16) % 22]);
    }
    snprintf(name, sizeof(name), "deflate %zu bytes of text, level 1", len);
    best_of(name, run_deflate, &w, 10, 10 * len);
    snprintf(name, sizeof(name), "inflate them (%zu packed)", packed.len);
    best_of(name, run_inflate, &w, 10, 10 * len);
    free(w.bytes);
    free(w.copy);
}

int main(void)
{
    static uint8_t payload[BUFFER];

    memset(payload, 'a', sizeof(payload));
    bench_parser("frame of 20 bytes, binary", WS_OP_BINARY, payload, 20);
    bench_parser("frame of 20 bytes, text", WS_OP_TEXT, payload, 20);
    bench_parser("frame of 125 bytes, text", WS_OP_TEXT, payload, 125);
    bench_parser("frame of 1,024 bytes, text", WS_OP_TEXT, payload, 1024);
    bench_parser("frame of 64 KB, text", WS_OP_TEXT, payload, 65536);
    bench_bytes(20);
    bench_bytes(1024);
    bench_bytes(65536);
    bench_head();
    deflater = ws_deflater_new(mem_process(), 1);
    inflater = ws_inflater_new(mem_process());
    bench_deflate(256);
    bench_deflate(1024);
    bench_deflate(65536);
    ws_deflater_free(deflater);
    ws_inflater_free(inflater);
    return 0;
}
