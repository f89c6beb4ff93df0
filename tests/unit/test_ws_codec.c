#include "net/ws_codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define MESSAGE_MAX 300

/* A transcript of events: one line each, compared as text. */
struct log {
    char text[4096];
    size_t len;
};

static void log_line(struct log *l, const char *what, const struct ws_event *ev)
{
    size_t room = sizeof(l->text) - l->len;
    int n;

    if (ev->len > 100) {
        for (size_t i = 0; i < ev->len; i++)
            CHECK_EQ(ev->p[i], 'a');
        n = snprintf(l->text + l->len, room, "%s %zu letters\n", what, ev->len);
    } else {
        n = snprintf(l->text + l->len, room, "%s %.*s\n", what, (int)ev->len,
                     ev->p == NULL ? "" : (const char *)ev->p);
    }
    l->len += (size_t)n;
    CHECK(l->len < sizeof(l->text));
}

static void log_event(struct log *l, const struct ws_event *ev)
{
    char what[32];

    switch (ev->type) {
    case WS_EVENT_NEED_MORE:
        return;
    case WS_EVENT_MESSAGE:
        snprintf(what, sizeof(what), "%s%s", ev->opcode == WS_OP_TEXT ? "text" : "binary",
                 ev->is_compressed ? "*" : "");
        break;
    case WS_EVENT_PING:
    case WS_EVENT_PONG:
        snprintf(what, sizeof(what), ev->type == WS_EVENT_PING ? "ping" : "pong");
        break;
    case WS_EVENT_CLOSE:
        snprintf(what, sizeof(what), "close %u", ev->close_code);
        break;
    case WS_EVENT_ERROR:
        snprintf(what, sizeof(what), "error %u", ev->close_code);
        CHECK(ev->words != NULL && strlen(ev->words) <= 123);
        break;
    }
    log_line(l, what, ev);
}

/* Feeds a copy of exactly len bytes, so that ASan sees one byte too many. */
static void feed_all(struct ws_parser *p, const uint8_t *bytes, size_t len, struct log *l)
{
    uint8_t *copy = test_dup(bytes, len);
    struct ws_event ev;
    size_t off = 0;

    do {
        size_t n = ws_parser_feed(p, copy + off, len - off, &ev);

        CHECK(n <= len - off);
        off += n;
        log_event(l, &ev);
    } while (ev.type != WS_EVENT_NEED_MORE);
    CHECK_EQ(off, len);
    test_free(copy);
}

/* Feeds the stream cut at `cut` and, if step > 0, into pieces of that size. */
static void run(const uint8_t *bytes, size_t len, size_t cut, size_t step, unsigned flags,
                struct log *l)
{
    struct mem_account a;
    struct ws_parser p;

    mem_account_init(&a, "test", NULL, 0);
    ws_parser_init(&p, &a, MESSAGE_MAX, flags);
    l->len = 0;
    l->text[0] = 0;
    if (step > 0) {
        for (size_t i = 0; i < len; i += step)
            feed_all(&p, bytes + i, len - i < step ? len - i : step, l);
    } else {
        feed_all(&p, bytes, cut, l);
        feed_all(&p, bytes + cut, len - cut, l);
    }
    ws_parser_fini(&p);
    mem_account_fini(&a);
}

struct stream {
    uint8_t bytes[2048];
    size_t len;
};

static void put_frame(struct stream *s, unsigned b0, const void *payload, size_t len, bool masked)
{
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    unsigned flags = b0 & 0xc0;
    uint8_t *start = s->bytes + s->len;
    size_t n = masked ? ws_frame_header_masked(start, (enum ws_opcode)(b0 & 0x0f), flags, len, key)
                      : ws_frame_header(start, (enum ws_opcode)(b0 & 0x0f), flags, len);

    start[0] = (uint8_t)b0; /* also the bits that the encoder would not write */
    if (len > 0)
        memcpy(start + n, payload, len);
    if (masked)
        ws_mask(start + n, len, key, 0);
    s->len += n + len;
}

static void put(struct stream *s, unsigned b0, const char *payload)
{
    put_frame(s, b0, payload, strlen(payload), true);
}

/* script: space-separated frames "b0:payload" in hex and text; the payload "-"
 * is empty, "#n" is n letters a, "\xx" a byte. Built once and checked in every
 * way of cutting it. */
static void build(struct stream *s, const char *script)
{
    char word[512];
    int used;

    s->len = 0;
    while (sscanf(script, " %511s%n", word, &used) == 1) {
        uint8_t payload[1024];
        size_t n = 0;
        unsigned b0 = (unsigned)strtoul(word, NULL, 16);
        const char *p = strchr(word, ':') + 1;

        if (*p == '#') {
            n = strtoul(p + 1, NULL, 10);
            memset(payload, 'a', n);
        } else if (strcmp(p, "-") != 0) {
            for (; *p != 0; p++) {
                if (*p == '\\') {
                    char hex[3] = {p[1], p[2], 0};

                    payload[n++] = (uint8_t)strtoul(hex, NULL, 16);
                    p += 2;
                } else {
                    payload[n++] = (uint8_t)*p;
                }
            }
        }
        put_frame(s, b0, payload, n, true);
        script += used;
    }
}

static const struct {
    const char *name;
    const char *script;
    const char *want;
    unsigned flags;
} rows[] = {
    {"text", "81:hello", "text hello\n", 0},
    {"binary", "82:hello", "binary hello\n", 0},
    {"empty text", "81:-", "text \n", 0},
    {"two messages", "81:a 82:b", "text a\nbinary b\n", 0},
    {"ping and pong", "89:x 8a:y 89:-", "ping x\npong y\nping \n", 0},
    {"longest ping", "89:#125", "ping 125 letters\n", 0},
    {"126 needs two more bytes", "82:#126", "binary 126 letters\n", 0},
    {"the limit", "82:#300", "binary 300 letters\n", 0},
    {"one over the limit", "82:#301", "error 1009 \n", 0},
    {"fragments", "01:ab 00:cd 80:ef", "text abcdef\n", 0},
    {"empty fragments", "01:- 00:- 80:-", "text \n", 0},
    {"last fragment empty", "02:ab 80:-", "binary ab\n", 0},
    {"ping inside fragments", "01:ab 89:p 00:cd 8a:q 80:ef", "ping p\npong q\ntext abcdef\n", 0},
    {"close inside fragments", "01:ab 88:\\03\\e8 80:ef", "close 1000 \n", 0},
    {"fragments up to the limit", "02:#200 80:#100", "binary 300 letters\n", 0},
    {"fragments over the limit", "02:#200 80:#101", "error 1009 \n", 0},
    {"two fragmented messages", "01:ab 80:c 02:d 80:e", "text abc\nbinary de\n", 0},
    {"continuation of nothing", "80:a", "error 1002 \n", 0},
    {"continuation after the end", "81:a 80:b", "text a\nerror 1002 \n", 0},
    {"text inside a message", "01:a 81:b", "error 1002 \n", 0},
    {"binary inside a message", "01:a 02:b", "error 1002 \n", 0},
    {"reserved bit 1", "c1:a", "error 1002 \n", 0},
    {"reserved bit 2", "a1:a", "error 1002 \n", 0},
    {"reserved bit 3", "91:a", "error 1002 \n", 0},
    {"reserved bits after an answer", "81:x 89:y f1:a", "text x\nping y\nerror 1002 \n", 0},
    {"reserved bit of a ping", "c9:a", "error 1002 \n", WS_PARSER_DEFLATE},
    {"reserved bit of a continuation", "41:a c0:b", "error 1002 \n", WS_PARSER_DEFLATE},
    {"compressed", "c1:\\ff", "text* \xff\n", WS_PARSER_DEFLATE},
    {"compressed fragments", "42:a 80:\\ff", "binary* a\xff\n", WS_PARSER_DEFLATE},
    {"plain beside compressed", "c2:a 82:b", "binary* a\nbinary b\n", WS_PARSER_DEFLATE},
    {"opcode 3", "83:a", "error 1002 \n", 0},
    {"opcode 7", "87:a", "error 1002 \n", 0},
    {"opcode b", "8b:a", "error 1002 \n", 0},
    {"opcode f", "8f:a", "error 1002 \n", 0},
    {"fragmented ping", "09:a", "error 1002 \n", 0},
    {"fragmented close", "08:\\03\\e8", "error 1002 \n", 0},
    {"long ping", "89:#126", "error 1002 \n", 0},
    {"long close", "88:#126", "error 1002 \n", 0},
    {"empty close", "88:-", "close 1005 \n", 0},
    {"close with a reason", "88:\\03\\e8bye", "close 1000 bye\n", 0},
    {"half a close code", "88:\\03", "error 1002 \n", 0},
    {"bad UTF-8 in a reason", "88:\\03\\e8\\ff", "error 1007 \n", 0},
    {"cut UTF-8 in a reason", "88:\\03\\e8\\c3", "error 1007 \n", 0},
    {"after the close nothing counts", "88:\\03\\e8 81:a ff:b", "close 1000 \n", 0},
    {"UTF-8 over fragments", "01:\\e2 00:\\82 80:\\ac", "text \xe2\x82\xac\n", 0},
    {"bad UTF-8", "81:a\\ffb", "error 1007 \n", 0},
    {"bad UTF-8 in a fragment", "01:a 00:\\c0 80:b", "error 1007 \n", 0},
    {"text ends in a character", "81:a\\c3", "error 1007 \n", 0},
    {"fragments end in a character", "01:a 80:\\c3", "error 1007 \n", 0},
    {"binary may hold anything", "82:\\ff\\fe", "binary \xff\xfe\n", 0},
    {"ping may hold anything", "89:\\ff", "ping \xff\n", 0},
};

/* Whole, in two pieces at every place, in pieces of every small size: always
 * the same events. */
TEST(ws_codec, rows_and_every_split)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct stream s;
        struct log l;

        TEST_CASE(rows[i].name);
        build(&s, rows[i].script);
        for (size_t cut = 0; cut <= s.len; cut++) {
            run(s.bytes, s.len, cut, 0, rows[i].flags, &l);
            CHECK_STR(l.text, rows[i].want);
        }
        for (size_t step = 1; step < 20; step++) {
            run(s.bytes, s.len, 0, step, rows[i].flags, &l);
            CHECK_STR(l.text, rows[i].want);
        }
    }
}

/* Cut off at any byte, a stream gives a prefix of its events and no error that
 * the whole does not give. */
TEST(ws_codec, every_truncation_is_a_prefix)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct stream s;
        struct log whole, l;

        TEST_CASE(rows[i].name);
        build(&s, rows[i].script);
        run(s.bytes, s.len, s.len, 0, rows[i].flags, &whole);
        for (size_t n = 0; n < s.len; n++) {
            run(s.bytes, n, n, 0, rows[i].flags, &l);
            CHECK(strncmp(l.text, whole.text, l.len) == 0);
        }
    }
}

static const struct {
    const char *name;
    uint8_t bytes[16];
    size_t len;
    const char *want;
} raw_rows[] = {
    {"not masked", {0x81, 0x01, 'a'}, 3, "error 1002 \n"},
    {"not masked, seen after two bytes", {0x81, 0x7f}, 2, "error 1002 \n"},
    {"125 in two bytes", {0x82, 0xfe, 0x00, 125}, 4, "error 1002 \n"},
    {"0 in two bytes", {0x82, 0xfe, 0x00, 0x00}, 4, "error 1002 \n"},
    {"65535 in eight bytes", {0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 10, "error 1002 \n"},
    {"negative", {0x82, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0}, 10, "error 1002 \n"},
    {"2^63 - 1 announced, refused before a byte of it",
     {0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4},
     14,
     "error 1009 \n"},
    {"ping of two-byte length", {0x89, 0xfe}, 2, "error 1002 \n"},
    {"half a close code, seen early", {0x88, 0x81}, 2, "error 1002 \n"},
};

TEST(ws_codec, raw_rows)
{
    for (size_t i = 0; i < ARRAY_LEN(raw_rows); i++) {
        struct log l;

        TEST_CASE(raw_rows[i].name);
        for (size_t cut = 0; cut <= raw_rows[i].len; cut++) {
            run(raw_rows[i].bytes, raw_rows[i].len, cut, 0, 0, &l);
            CHECK_STR(l.text, raw_rows[i].want);
        }
    }
}

/* The bytes that make a text hopeless fail it at once, in the middle of a frame
 * whose rest never comes. */
TEST(ws_codec, bad_text_fails_in_mid_frame)
{
    static const struct {
        const char *text;
        size_t ok; /* so many bytes may come without an error */
    } texts[] = {
        {"abc\xf4\x90\x80\x80xyz", 4},
        {"\xed\xa0\x80xyz", 1},
        {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"
         "edited",
         12},
        {"\xc0\xaf", 0},
        {"\x80xx", 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct stream s = {.len = 0};
        struct log l;

        put(&s, 0x81, texts[i].text);
        TEST_CASE(texts[i].text);
        run(s.bytes, 6 + texts[i].ok, 3, 0, 0, &l);
        CHECK_STR(l.text, "");
        run(s.bytes, 6 + texts[i].ok + 1, 3, 0, 0, &l);
        CHECK_STR(l.text, "error 1007 \n");
    }
}

TEST(ws_codec, close_codes)
{
    static const struct {
        unsigned from, to;
        bool valid;
    } ranges[] = {
        {0, 999, false},     {1000, 1003, true}, {1004, 1006, false},  {1007, 1014, true},
        {1015, 2999, false}, {3000, 4999, true}, {5000, 65535, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        for (unsigned code = ranges[i].from; code <= ranges[i].to; code++) {
            uint8_t payload[2] = {(uint8_t)(code >> 8), (uint8_t)code};
            struct stream s = {.len = 0};
            struct log l;
            char want[32];

            put_frame(&s, 0x88, payload, 2, true);
            run(s.bytes, s.len, s.len, 0, 0, &l);
            snprintf(want, sizeof(want), ranges[i].valid ? "close %u \n" : "error 1002 \n", code);
            CHECK_STR(l.text, want);
        }
    }
}

/* A message that lies whole in the receive buffer is handed out from there, and
 * nothing is allocated. */
TEST(ws_codec, whole_messages_are_not_copied)
{
    struct mem_account a;
    struct stream s = {.len = 0};
    struct ws_parser p;
    struct ws_event ev;
    size_t n;

    mem_account_init(&a, "test", NULL, 1); /* any allocation fails */
    ws_parser_init(&p, &a, MESSAGE_MAX, 0);
    CHECK(sizeof(p) <= 32);
    put(&s, 0x81, "one");
    put(&s, 0x89, "two");
    put(&s, 0x82, "three");
    n = ws_parser_feed(&p, s.bytes, s.len, &ev);
    CHECK_EQ(n, 9);
    CHECK(ev.p == s.bytes + 6);
    n += ws_parser_feed(&p, s.bytes + n, s.len - n, &ev);
    CHECK_EQ(ev.type, WS_EVENT_PING);
    n += ws_parser_feed(&p, s.bytes + n, s.len - n, &ev);
    CHECK_MEM(ev.p, ev.len, "three", 5);
    CHECK_EQ(n, s.len);
    CHECK_EQ(ws_parser_feed(&p, s.bytes, 0, &ev), 0);
    CHECK_EQ(ev.type, WS_EVENT_NEED_MORE);
    ws_parser_fini(&p);
    mem_account_fini(&a);
}

/* Memory follows what has arrived, not what was announced, and is gone with
 * the message. */
TEST(ws_codec, memory_follows_the_bytes)
{
    static const uint8_t header[] = {0x82, 0xff, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0};
    static uint8_t chunk[4096], head[sizeof(header)];
    const size_t total = 16u << 20;
    struct mem_account a;
    struct ws_parser p;
    struct ws_event ev;
    size_t base;

    mem_account_init(&a, "test", NULL, 0);
    ws_parser_init(&p, &a, (uint32_t)total, 0);
    memcpy(head, header, sizeof(header));
    CHECK_EQ(ws_parser_feed(&p, head, sizeof(head), &ev), sizeof(head));
    base = mem_account_used(&a);
    CHECK(base < 512);
    for (size_t n = 0; n < total; n += sizeof(chunk)) {
        CHECK(mem_account_used(&a) <= base + 2 * n + 4096);
        CHECK_EQ(mem_account_used(&a), ws_parser_part_bytes(&p));
        CHECK_EQ(ws_parser_feed(&p, chunk, sizeof(chunk), &ev), sizeof(chunk));
    }
    CHECK_EQ(ev.type, WS_EVENT_MESSAGE);
    CHECK_EQ(ev.len, total);
    CHECK_EQ(mem_account_used(&a), base + total);
    ws_parser_feed(&p, chunk, 0, &ev);
    CHECK_EQ(mem_account_used(&a), 0);
    ws_parser_fini(&p);
    mem_account_fini(&a);
}

TEST(ws_codec, no_memory_is_try_again_later)
{
    struct mem_account a;
    struct ws_parser p;
    struct ws_event ev;
    struct stream s = {.len = 0};

    mem_account_init(&a, "test", NULL, 300);
    ws_parser_init(&p, &a, MESSAGE_MAX, 0);
    build(&s, "02:#200");
    ws_parser_feed(&p, s.bytes, s.len, &ev);
    CHECK_EQ(ev.type, WS_EVENT_ERROR);
    CHECK_EQ(ev.close_code, WS_CLOSE_TRY_LATER);
    CHECK_EQ(mem_account_used(&a), 0);
    ws_parser_fini(&p);
}

TEST(ws_codec, empty_fragments_are_bounded)
{
    struct mem_account a;
    struct ws_parser p;
    struct ws_event ev;
    struct stream first = {.len = 0}, more = {.len = 0};
    unsigned n = 0;

    mem_account_init(&a, "test", NULL, 0);
    ws_parser_init(&p, &a, MESSAGE_MAX, 0);
    put(&first, 0x01, "");
    ws_parser_feed(&p, first.bytes, first.len, &ev);
    put(&more, 0x00, "");
    while (ev.type == WS_EVENT_NEED_MORE && n < 100000) {
        ws_parser_feed(&p, more.bytes, more.len, &ev);
        n++;
    }
    CHECK_EQ(ev.type, WS_EVENT_ERROR);
    CHECK_EQ(ev.close_code, WS_CLOSE_POLICY);
    CHECK_EQ(n, WS_EMPTY_FRAGMENTS_MAX);
    ws_parser_fini(&p);
    mem_account_fini(&a);
}

/* The client's role: frames come unmasked, and masked ones are refused. */
TEST(ws_codec, client_role)
{
    struct stream s = {.len = 0}, masked = {.len = 0};
    struct log l;

    put_frame(&s, 0x81, "hello", 5, false);
    put_frame(&s, 0x01, "a", 1, false);
    put_frame(&s, 0x80, "b", 1, false);
    put_frame(&s, 0x88, "\x03\xe9", 2, false);
    for (size_t cut = 0; cut <= s.len; cut++) {
        run(s.bytes, s.len, cut, 0, WS_PARSER_CLIENT, &l);
        CHECK_STR(l.text, "text hello\ntext ab\nclose 1001 \n");
    }
    put(&masked, 0x81, "hello");
    run(masked.bytes, masked.len, masked.len, 0, WS_PARSER_CLIENT, &l);
    CHECK_STR(l.text, "error 1002 \n");
}

TEST(ws_codec, headers_are_shortest)
{
    static const struct {
        uint64_t len;
        uint8_t bytes[10];
        size_t n;
    } headers[] = {
        {0, {0x82, 0}, 2},
        {125, {0x82, 125}, 2},
        {126, {0x82, 126, 0, 126}, 4},
        {65535, {0x82, 126, 0xff, 0xff}, 4},
        {65536, {0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}, 10},
        {UINT64_C(0x123456789ab), {0x82, 127, 0, 0, 1, 0x23, 0x45, 0x67, 0x89, 0xab}, 10},
    };
    uint8_t out[WS_HEADER_BYTES_MAX];

    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        size_t n = ws_frame_header(out, WS_OP_BINARY, WS_FLAG_FIN, headers[i].len);

        CHECK_MEM(out, n, headers[i].bytes, headers[i].n);
    }
}

TEST(ws_codec, close_frames)
{
    uint8_t out[2 + WS_CONTROL_BYTES_MAX];
    char reason[200];

    CHECK_EQ(ws_close_frame(out, WS_CLOSE_NO_STATUS, "ignored"), 2);
    CHECK_MEM(out, 2, "\x88\x00", 2);
    CHECK_EQ(ws_close_frame(out, 4401, "no"), 6);
    CHECK_MEM(out, 6, "\x88\x04\x11\x31no", 6);
    CHECK_EQ(ws_close_frame(out, 1000, NULL), 4);
    memset(reason, 'a', sizeof(reason));
    memcpy(reason + 122, "\xe2\x82\xac", 3); /* would be cut in the middle */
    reason[150] = 0;
    CHECK_EQ(ws_close_frame(out, 1000, reason), 2 + 2 + 122);
}

/* Every length, alignment and offset against the definition. */
TEST(ws_codec, mask_against_the_definition)
{
    static const uint8_t key[4] = {1, 0x20, 0xff, 0x80};

    for (size_t len = 0; len < 150; len++) {
        for (size_t shift = 0; shift < 4; shift++) {
            for (size_t offset = 0; offset < 5; offset++) {
                uint8_t *p = malloc(len + shift + 1);

                for (size_t i = 0; i < len; i++)
                    p[shift + i] = (uint8_t)(i * 7);
                ws_mask(p + shift, len, key, offset);
                for (size_t i = 0; i < len; i++)
                    CHECK_EQ(p[shift + i], (uint8_t)(i * 7) ^ key[(offset + i) & 3]);
                free(p);
            }
        }
    }
}
