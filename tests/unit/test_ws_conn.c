#include "net/ws.h"

#include <stdatomic.h>

#include "net/worker.h"
#include "net/ws_deflate.h"
#include "net/ws_echo.h"
#include "net_client.h"

static char text[1 << 16];
static struct frame f;
static atomic_uint n_closed, last_code, n_messages;
static uint64_t seed = 1;

/* --- what the server does with each path ------------------------------------ */

static void on_closed(struct ws *w, uint16_t code)
{
    (void)w;
    atomic_store(&last_code, code);
    atomic_fetch_add(&n_closed, 1);
}

static void on_moved(struct ws *w)
{
    uintptr_t moves = (uintptr_t)ws_get_user(w);
    char words[32];

    if (!loop_is_current(ws_loop(w)))
        abort();
    snprintf(words, sizeof(words), "moved to %u", loop_index(ws_loop(w)));
    ws_send(w, WS_TEXT, words, strlen(words));
    ws_set_user(w, &ws_echo_ops, (void *)(moves + 1));
}

static void on_command(struct ws *w, enum ws_kind kind, uint8_t *p, size_t n);

static const struct ws_ops command_ops = {
    .on_message = on_command,
    .on_moved = on_moved,
    .on_closed = on_closed,
};

static struct ws *paused;

static void on_resume(struct loop *l, struct loop_timer *t)
{
    (void)l;
    (void)t;
    ws_send(paused, WS_TEXT, "resumed", 7);
    ws_pause_reading(paused, false);
}

static void on_command(struct ws *w, enum ws_kind kind, uint8_t *p, size_t n)
{
    static struct loop_timer resume;
    char words[32] = "";

    atomic_fetch_add(&n_messages, 1);
    memcpy(words, p, n < sizeof(words) ? n : sizeof(words) - 1);
    if (strcmp(words, "move") == 0) {
        ws_send(w, WS_TEXT, "moving", 6);
        ws_move(w, http_server_loop(server, 1 - loop_index(ws_loop(w))));
    } else if (strcmp(words, "stay") == 0) {
        ws_move(w, ws_loop(w));
    } else if (strcmp(words, "close") == 0) {
        ws_send(w, WS_TEXT, "last", 4);
        ws_close(w, 4401, "go away");
        ws_send(w, WS_TEXT, "too late", 8);
    } else if (strcmp(words, "small") == 0) {
        ws_set_message_max(w, 100);
    } else if (strcmp(words, "pause") == 0) {
        paused = w;
        ws_pause_reading(w, true);
        resume.run = on_resume;
        loop_timer_start(ws_loop(w), &resume, 20);
    } else {
        ws_send(w, kind, p, n);
    }
}

/* Sends frames of 64 KB as long as the socket takes them, TORRENT_FRAMES in all. */
#define TORRENT_FRAMES 500
#define TORRENT_BYTES 65536
static unsigned torrent_sent, torrent_calls;
static struct rbuf *torrent_frame;

static void on_torrent_message(struct ws *w, enum ws_kind kind, uint8_t *p, size_t n)
{
    static uint8_t zeros[TORRENT_BYTES];
    struct iovec part = {zeros, sizeof(zeros)};

    (void)kind;
    if (n == 5 && memcmp(p, "flood", 5) == 0) {
        for (unsigned i = 0; i < TORRENT_FRAMES; i++)
            ws_send(w, WS_BINARY, zeros, sizeof(zeros));
        return;
    }
    torrent_frame = ws_frame_new(mem_process(), WS_BINARY, &part, 1);
    ws_want_write(w);
}

static void on_torrent_writable(struct ws *w)
{
    torrent_calls++;
    while (torrent_sent < TORRENT_FRAMES && ws_can_take(w)) {
        ws_send_frame_take(w, rbuf_ref(torrent_frame));
        torrent_sent++;
    }
}

static const struct ws_ops torrent_ops = {
    .on_message = on_torrent_message,
    .on_writable = on_torrent_writable,
    .on_moved = on_moved,
    .on_closed = on_closed,
};

static void on_request(void *ctx, struct http_exchange *x)
{
    const struct http_request *req = http_exchange_request(x);

    (void)ctx;
    if (http_str_is(req->path, "/echo"))
        http_upgrade(x, &ws_echo_ops, NULL, NULL);
    else if (http_str_is(req->path, "/command"))
        http_upgrade(x, &command_ops, NULL, "words");
    else if (http_str_is(req->path, "/torrent"))
        http_upgrade(x, &torrent_ops, NULL, NULL);
    else
        http_respond_text(x, 404, "no");
}

static void start(unsigned workers)
{
    struct http_server_options o = default_options();

    o.on_request = on_request;
    o.workers = workers;
    atomic_store(&n_closed, 0);
    start_server(&o);
}

static void stop(void)
{
    stop_server();
    free(f.p);
    f.p = NULL;
}

/* --- handshake ------------------------------------------------------------ */

static const struct {
    const char *name, *request, *status, *part;
} handshake_rows[] = {
    {"no upgrade", "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", " 426 ", "Upgrade: websocket\r\n"},
    {"bad version",
     "GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
     "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
     " 426 ", "Sec-WebSocket-Version: 13\r\n"},
    {"no key",
     "GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
     "Sec-WebSocket-Version: 13\r\n\r\n",
     " 400 ", "text/plain"},
    {"foreign page", WS_REQUEST("/echo", "Origin: https://evil.example\r\n"), " 403 ", "origin"},
    {"null page", WS_REQUEST("/echo", "Origin: null\r\n"), " 403 ", "origin"},
    {"own page", WS_REQUEST("/echo", "Origin: http://a\r\n"), " 101 ", "s3pPLMBiTxaQ9kYGzzhZRbK"},
    {"subprotocol", WS_REQUEST("/command", "Sec-WebSocket-Protocol: x, words\r\n"), " 101 ",
     "Sec-WebSocket-Protocol: words\r\n"},
};

TEST(ws, handshake)
{
    start(1);
    for (size_t i = 0; i < ARRAY_LEN(handshake_rows); i++) {
        TEST_CASE(handshake_rows[i].name);
        ask(handshake_rows[i].request, text, sizeof(text));
        CHECK(has(text, handshake_rows[i].status));
        CHECK(has(text, handshake_rows[i].part));
    }
    stop();
}

/* Frames may arrive in the same packet as the request. */
TEST(ws, frames_behind_the_handshake)
{
    uint8_t bytes[512];
    int fd;

    start(1);
    fd = connect_client();
    strcpy((char *)bytes, WS_REQUEST("/echo", ""));
    send_bytes(fd, bytes,
               (size_t)(put_frame(bytes + strlen((char *)bytes), WS_OP_TEXT, WS_FLAG_FIN, "a", 1) -
                        bytes));
    read_head(fd, text, sizeof(text));
    expect_frame(fd, &f, 0x81, "a", 1);
    close(fd);
    stop();
}

/* --- messages ------------------------------------------------------------- */

/* Whatever the size, and however it is cut, the same comes back. */
TEST(ws, echo_of_all_sizes_in_pieces)
{
    static const size_t sizes[] = {0, 1, 125, 126, 65535, 65536, 500000};
    static uint8_t payload[500000], bytes[500100];
    int fd;

    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 7);
    start(1);
    fd = connect_ws("/echo");
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        size_t n = (size_t)(put_frame(bytes, WS_OP_BINARY, WS_FLAG_FIN, payload, sizes[i]) - bytes);
        size_t step = n / 5 + 1;

        for (size_t at = 0; at < n; at += step)
            send_bytes(fd, bytes + at, step < n - at ? step : n - at);
        expect_frame(fd, &f, 0x82, payload, sizes[i]);
    }
    close(fd);
    stop();
}

TEST(ws, byte_by_byte_fragments_with_a_ping_between)
{
    uint8_t bytes[100], *end = bytes;
    int fd;

    start(1);
    fd = connect_ws("/echo");
    end = put_frame(end, WS_OP_TEXT, 0, "he", 2);
    end = put_frame(end, WS_OP_PING, WS_FLAG_FIN, "p", 1);
    end = put_frame(end, WS_OP_CONTINUATION, WS_FLAG_FIN, "y", 1);
    for (uint8_t *p = bytes; p < end; p++)
        send_bytes(fd, p, 1);
    expect_frame(fd, &f, 0x8a, "p", 1);
    expect_frame(fd, &f, 0x81, "hey", 3);
    close(fd);
    stop();
}

/* Of a flood of pings the first are answered each, and the last one is. */
TEST(ws, flood_of_pings)
{
    static uint8_t bytes[3000 * 10];
    unsigned pongs = 0;
    char number[8];
    uint8_t *end = bytes;
    int fd;

    start(1);
    fd = connect_ws("/echo");
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(number, sizeof(number), "%04u", i);
        end = put_frame(end, WS_OP_PING, WS_FLAG_FIN, number, 4);
    }
    send_bytes(fd, bytes, (size_t)(end - bytes));
    do {
        read_frame(fd, &f);
        CHECK_EQ(f.first, 0x8a);
        pongs++;
    } while (memcmp(f.p, "2999", 4) != 0);
    CHECK(pongs >= 65 && pongs < 2000);
    close(fd);
    stop();
}

/* Messages that arrive together are answered in one write. */
TEST(ws, pipelined_echoes_leave_in_few_writes)
{
    static uint8_t bytes[1000 * 26];
    uint8_t *end = bytes;
    struct http_server_stats st;
    int fd;

    start(1);
    fd = connect_ws("/echo");
    for (unsigned i = 0; i < 1000; i++)
        end = put_frame(end, WS_OP_BINARY, WS_FLAG_FIN, "01234567890123456789", 20);
    send_bytes(fd, bytes, (size_t)(end - bytes));
    for (unsigned i = 0; i < 1000; i++)
        expect_frame(fd, &f, 0x82, "01234567890123456789", 20);
    st = get_stats();
    CHECK_EQ(st.messages_in, 1000);
    CHECK_EQ(st.frames_out, 1000);
    CHECK(st.writes_total < 20);
    close(fd);
    stop();
}

/* --- the closing handshake ------------------------------------------------ */

TEST(ws, peer_closes)
{
    int fd;

    start(1);
    fd = connect_ws("/command");
    send_frame(fd, WS_OP_CLOSE,
               "\x0f\xa0"
               "bye",
               5);
    expect_close(fd, &f, 4000);
    expect_end(fd);
    close(fd);
    stop();
    CHECK_EQ(atomic_load(&n_closed), 1);
    CHECK_EQ(atomic_load(&last_code), 4000);
}

TEST(ws, server_closes)
{
    int fd;

    start(1);
    fd = connect_ws("/command");
    send_frame(fd, WS_OP_TEXT, "close", 5);
    send_frame(fd, WS_OP_TEXT, "ignored", 7);
    expect_frame(fd, &f, 0x81, "last", 4);
    expect_close(fd, &f, 4401);
    CHECK_MEM(f.p + 2, f.len - 2, "go away", 7);
    send_frame(fd, WS_OP_CLOSE, "\x11\x31", 2);
    expect_end(fd);
    close(fd);
    stop();
    CHECK_EQ(atomic_load(&n_closed), 1);
    CHECK_EQ(atomic_load(&last_code), 4401);
}

/* A peer that does not answer the close frame is dropped. */
TEST(ws, server_closes_and_peer_is_silent)
{
    int fd;

    start(1);
    fd = connect_ws("/command");
    send_frame(fd, WS_OP_TEXT, "close", 5);
    expect_frame(fd, &f, 0x81, "last", 4);
    expect_close(fd, &f, 4401);
    expect_end(fd);
    close(fd);
    stop();
    CHECK_EQ(atomic_load(&n_closed), 1);
}

TEST(ws, connection_breaks)
{
    struct linger now = {1, 0};
    int fd;

    start(1);
    fd = connect_ws("/command");
    send_frame(fd, WS_OP_TEXT, "x", 1);
    expect_frame(fd, &f, 0x81, "x", 1);
    close(fd);
    while (atomic_load(&n_closed) < 1) {
    }
    CHECK_EQ(atomic_load(&last_code), WS_CLOSE_ABNORMAL);
    fd = connect_ws("/command");
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd); /* a reset */
    while (atomic_load(&n_closed) < 2) {
    }
    stop();
}

/* What came before a violation is answered before the close frame, in the same packet or not. */
TEST(ws, echo_leaves_before_the_protocol_error)
{
    uint8_t bytes[100], *end = bytes;
    int fd;

    start(1);
    fd = connect_ws("/echo");
    end = put_frame(end, WS_OP_TEXT, WS_FLAG_FIN, "ok", 2);
    end = put_frame(end, WS_OP_TEXT, WS_FLAG_FIN | WS_FLAG_RSV1, "no", 2);
    end = put_frame(end, WS_OP_TEXT, WS_FLAG_FIN, "never", 5);
    send_bytes(fd, bytes, (size_t)(end - bytes));
    expect_frame(fd, &f, 0x81, "ok", 2);
    expect_close(fd, &f, 1002);
    expect_end(fd);
    close(fd);
    stop();
}

static const struct {
    const char *name, *bytes;
    size_t n;
    unsigned code;
} violation_rows[] = {
    {"unmasked",
     "\x81\x01"
     "a",
     3, 1002},
    {"reserved opcode", "\x83\x80\0\0\0\0", 6, 1002},
    {"continuation of nothing", "\x80\x80\0\0\0\0", 6, 1002},
    {"bad utf-8", "\x81\x81\0\0\0\0\xff", 7, 1007},
    {"too large", "\x82\xff\0\0\0\0\x10\0\0\0\0\0\0\0", 14, 1009},
};

TEST(ws, violations)
{
    start(1);
    for (size_t i = 0; i < ARRAY_LEN(violation_rows); i++) {
        int fd = connect_ws("/echo");

        TEST_CASE(violation_rows[i].name);
        send_bytes(fd, violation_rows[i].bytes, violation_rows[i].n);
        expect_close(fd, &f, violation_rows[i].code);
        expect_end(fd);
        close(fd);
    }
    stop();
}

TEST(ws, message_max_of_one_connection)
{
    int fd;

    start(1);
    fd = connect_ws("/command");
    send_frame(fd, WS_OP_TEXT, "small", 5);
    memset(text, 'x', 101);
    send_frame(fd, WS_OP_TEXT, text, 100);
    expect_frame(fd, &f, 0x81, text, 100);
    send_frame(fd, WS_OP_TEXT, text, 101);
    expect_close(fd, &f, WS_CLOSE_TOO_BIG);
    close(fd);
    stop();
}

/* Every truncation of a conversation: the server lets go of all of it. */
TEST(ws, every_truncation)
{
    uint8_t bytes[512], *end = bytes;

    start(1);
    strcpy((char *)bytes, WS_REQUEST("/command", ""));
    end += strlen((char *)bytes);
    end = put_frame(end, WS_OP_TEXT, 0, "abc", 3);
    end = put_frame(end, WS_OP_CONTINUATION, WS_FLAG_FIN, "def", 3);
    for (size_t cut = 0; cut < (size_t)(end - bytes); cut++) {
        int fd = connect_client();

        send_bytes(fd, bytes, cut);
        shutdown(fd, SHUT_WR);
        read_to_end(fd, text, sizeof(text));
        CHECK(!has(text, "abc"));
        close(fd);
    }
    stop();
}

/* --- time ----------------------------------------------------------------- */

TEST(ws, silent_peer_is_pinged_and_then_dropped)
{
    struct http_server_options o = default_options();
    int fd;

    o.on_request = on_request;
    o.ping_ms = 250; /* long enough for a busy machine to answer within twice that */
    start_server(&o);
    fd = connect_ws("/command");
    for (unsigned i = 0; i < 2; i++) { /* answered: it lives */
        expect_frame(fd, &f, 0x89, "", 0);
        send_frame(fd, WS_OP_PONG, "", 0);
    }
    expect_frame(fd, &f, 0x89, "", 0); /* not answered: it is gone */
    expect_end(fd);
    close(fd);
    CHECK_EQ(get_stats().timeouts_total, 1);
    stop();
}

/* --- back-pressure -------------------------------------------------------- */

/* A gateway that asks before it queues sends everything to a slow reader, and
 * little of it lies in memory meanwhile. */
TEST(ws, torrent_by_on_writable)
{
    size_t at_most;
    int fd;

    start(1);
    fd = connect_with(16 << 10);
    upgrade(fd, "/torrent");
    torrent_sent = torrent_calls = 0;
    send_frame(fd, WS_OP_TEXT, "go", 2);
    for (unsigned i = 0; i < TORRENT_FRAMES; i++) {
        read_frame(fd, &f);
        CHECK_EQ(f.len, TORRENT_BYTES);
    }
    at_most = mem_account_used(mem_process());
    CHECK(at_most < 2u << 20);
    CHECK(torrent_calls > 10);
    CHECK_EQ(get_stats().slow_closed_total, 0);
    close(fd);
    stop();
    rbuf_unref(torrent_frame);
}

/* One that does not ask is cut off at the hard limit; the peer is told. */
TEST(ws, flood_to_a_peer_that_does_not_read)
{
    uint16_t code = 0;
    int fd;

    start(1);
    fd = connect_with(16 << 10);
    upgrade(fd, "/torrent");
    send_frame(fd, WS_OP_TEXT, "flood", 5);
    while (get_stats().slow_closed_total < 1) {
    }
    for (unsigned i = 0; i <= TORRENT_FRAMES && code == 0; i++) {
        read_frame(fd, &f);
        if (f.first == 0x88)
            code = (uint16_t)(f.p[0] << 8 | f.p[1]);
    }
    CHECK_EQ(code, WS_CLOSE_TRY_LATER);
    expect_end(fd);
    close(fd);
    stop();
}

/* A peer that sends and never reads is not read from for ever. */
TEST(ws, echo_to_a_peer_that_does_not_read_stops_reading)
{
    static uint8_t bytes[70000];
    size_t n = (size_t)(put_frame(bytes, WS_OP_BINARY, WS_FLAG_FIN, text, 65000) - bytes);
    struct timeval soon = {0, 200000};
    size_t used, sent = 0;
    int fd;

    start(1);
    fd = connect_with(16 << 10);
    upgrade(fd, "/echo");
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
    for (;;) {
        ssize_t k = send(fd, bytes + sent % n, n - sent % n, MSG_NOSIGNAL);

        if (k <= 0)
            break;
        sent += (size_t)k;
        CHECK(sent < 200u << 20);
    }
    used = mem_account_used(mem_process());
    CHECK(used < 8u << 20);
    CHECK_EQ(get_stats().slow_closed_total, 0);
    close(fd);
    stop();
}

/* While reading is paused nothing is delivered, and nothing is lost. */
TEST(ws, pause)
{
    uint8_t bytes[200], *end = bytes;
    int fd;

    start(1);
    fd = connect_ws("/command");
    end = put_frame(end, WS_OP_TEXT, WS_FLAG_FIN, "pause", 5);
    end = put_frame(end, WS_OP_TEXT, WS_FLAG_FIN, "one", 3);
    end = put_frame(end, WS_OP_TEXT, WS_FLAG_FIN, "two", 3);
    send_bytes(fd, bytes, (size_t)(end - bytes));
    expect_frame(fd, &f, 0x81, "resumed", 7);
    expect_frame(fd, &f, 0x81, "one", 3);
    expect_frame(fd, &f, 0x81, "two", 3);
    close(fd);
    stop();
}

/* --- moving --------------------------------------------------------------- */

/* Bytes before, behind and in the middle of a frame at the moment of the move
 * all arrive, in order, on the other loop. */
TEST(ws, move_with_bytes_pending)
{
    start(2);
    for (size_t cut = 0; cut < 40; cut++) {
        uint8_t bytes[200], *end = bytes, *rest;
        char first_answer[16];
        int fd = connect_ws("/command");

        end = put_frame(end, WS_OP_TEXT, WS_FLAG_FIN, "a", 1);
        end = put_frame(end, WS_OP_TEXT, WS_FLAG_FIN, "move", 4);
        rest = end;
        end = put_frame(end, WS_OP_TEXT, 0, "fragment", 8);
        end = put_frame(end, WS_OP_PING, WS_FLAG_FIN, "p", 1);
        end = put_frame(end, WS_OP_CONTINUATION, WS_FLAG_FIN, "s", 1);
        if (cut > (size_t)(end - rest))
            cut = (size_t)(end - rest);
        send_bytes(fd, bytes, (size_t)(rest - bytes) + cut);
        send_bytes(fd, rest + cut, (size_t)(end - rest) - cut);
        expect_frame(fd, &f, 0x81, "a", 1);
        expect_frame(fd, &f, 0x81, "moving", 6);
        read_frame(fd, &f);
        snprintf(first_answer, sizeof(first_answer), "%.*s", (int)f.len, (char *)f.p);
        CHECK(strcmp(first_answer, "moved to 0") == 0 || strcmp(first_answer, "moved to 1") == 0);
        expect_frame(fd, &f, 0x8a, "p", 1);
        expect_frame(fd, &f, 0x81, "fragments", 9);
        close(fd);
        if (cut == (size_t)(end - rest))
            break;
    }
    stop();
}

TEST(ws, move_to_the_same_loop)
{
    int fd;

    start(1);
    fd = connect_ws("/command");
    send_frame(fd, WS_OP_TEXT, "stay", 4);
    expect_frame(fd, &f, 0x81, "moved to 0", 10);
    send_frame(fd, WS_OP_TEXT, "x", 1);
    expect_frame(fd, &f, 0x81, "x", 1);
    close(fd);
    stop();
}

/* A peer that goes while its connection is between two loops is found there. */
TEST(ws, peer_goes_during_a_move)
{
    start(2);
    for (unsigned i = 0; i < 50; i++) {
        int fd = connect_ws("/command");

        send_frame(fd, WS_OP_TEXT, "move", 4);
        close(fd);
    }
    while (get_stats().connections_open > 0) {
    }
    CHECK_EQ(get_stats().ws_total, 50);
    stop();
}

/* --- draining ------------------------------------------------------------- */

TEST(ws, drain_closes_with_1012_in_slices)
{
    int fds[30];

    start(2);
    for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
        fds[i] = connect_ws("/command");
    http_server_drain(server, 400);
    for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
        expect_close(fds[i], &f, WS_CLOSE_RESTART);
        send_frame(fds[i], WS_OP_CLOSE, f.p, 2);
        expect_end(fds[i]);
        close(fds[i]);
    }
    http_server_join(server);
    CHECK_EQ(atomic_load(&n_closed), ARRAY_LEN(fds));
    http_server_free(server);
    free(f.p);
    f.p = NULL;
}

/* --- compression ---------------------------------------------------------- */

TEST(ws, compressed_both_ways)
{
    struct http_server_options o = default_options();
    static char words[5000];
    struct ws_deflater *z = ws_deflater_new(mem_process(), 6);
    struct ws_inflater *u = ws_inflater_new(mem_process());
    struct ws_bytes out;
    uint8_t frame[6000], *end;
    int fd;

    o.on_request = on_request;
    o.ws_compress = true;
    start_server(&o);
    fd = connect_client();
    send_text(fd, WS_REQUEST("/echo", "Sec-WebSocket-Extensions: permessage-deflate\r\n"));
    read_head(fd, text, sizeof(text));
    CHECK(has(text, "permessage-deflate"));
    memset(words, 'w', sizeof(words));
    CHECK_EQ(ws_deflate(z, 15, words, sizeof(words), &out), 0);
    end = put_frame(frame, WS_OP_TEXT, WS_FLAG_FIN | WS_FLAG_RSV1, out.p, out.len);
    send_bytes(fd, frame, (size_t)(end - frame));
    read_frame(fd, &f);
    CHECK_EQ(f.first, 0xc1);
    CHECK(f.len < 100);
    CHECK_EQ(ws_inflate(u, f.p, f.len, sizeof(words), &out), 0);
    CHECK_MEM(out.p, out.len, words, sizeof(words));
    send_frame(fd, WS_OP_TEXT, words, 127); /* short: it stays as it is */
    expect_frame(fd, &f, 0x81, words, 127);
    close(fd);
    stop();
    ws_deflater_free(z);
    ws_inflater_free(u);
}

/* A shared frame is compressed once a turn, whoever asks; one that would not get
 * shorter, and a window that is too small for it, go their own ways. */
TEST(ws, shared_frame_is_compressed_once)
{
    struct http_server_options o = default_options();
    static uint8_t words[2000], noise[2000];
    struct iovec part = {words, sizeof(words)}, noise_part = {noise, sizeof(noise)};
    struct rbuf *frame, *noisy, *a, *b;
    struct worker *w;

    for (size_t i = 0; i < sizeof(noise); i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        noise[i] = (uint8_t)(seed >> 40);
    }
    o.on_request = on_request;
    CHECK_EQ(http_server_new(&server, &o, NULL), 0);
    w = &server->workers[0];
    frame = ws_frame_new(mem_process(), WS_TEXT, &part, 1);
    noisy = ws_frame_new(mem_process(), WS_BINARY, &noise_part, 1);
    a = worker__packed_ref(w, frame, 15);
    b = worker__packed_ref(w, frame, 12); /* reaches over the whole message too */
    CHECK(a == b && a != frame && a->len < 100);
    CHECK_EQ(a->bytes[0], 0xc1);
    rbuf_unref(b);
    b = worker__packed_ref(w, frame, 9);
    CHECK(b != a && b->bytes[0] == 0xc1);
    rbuf_unref(b);
    b = worker__packed_ref(w, noisy, 15);
    CHECK(b == noisy);
    rbuf_unref(b);
    rbuf_unref(a);
    rbuf_unref(noisy);
    rbuf_unref(frame);
    http_server_free(server);
}

/* --- disorder ------------------------------------------------------------- */

static unsigned pick(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

/* One client of no manners: whole, cut and broken frames, moves, closes, and a
 * sudden end. */
static void misbehave(int fd)
{
    static const char *const words[] = {"move", "stay", "close", "hello", ""};
    struct linger now = {1, 0};
    uint8_t bytes[600], *end = bytes;

    if (pick(8) > 0) {
        strcpy((char *)bytes, WS_REQUEST("/command", ""));
        end += strlen((char *)bytes);
    }
    for (unsigned n = pick(6); n > 0; n--) {
        const char *word = words[pick(ARRAY_LEN(words))];

        end = put_frame(end, WS_OP_TEXT, pick(8) > 0 ? WS_FLAG_FIN : 0, word, strlen(word));
        if (pick(4) == 0)
            end = put_frame(end, WS_OP_PING, WS_FLAG_FIN, "p", 1);
        if (pick(10) == 0)
            end[-1] ^= (uint8_t)pick(256);
        if (pick(6) == 0)
            end = put_frame(end, WS_OP_CLOSE, WS_FLAG_FIN, "\x03\xe8", 2);
    }
    if (pick(3) == 0)
        end -= pick((unsigned)(end - bytes) + 1);
    for (uint8_t *p = bytes; p < end;) {
        size_t n = pick(4) == 0 ? pick((unsigned)(end - p)) + 1u : (size_t)(end - p);

        if (send(fd, p, n, MSG_NOSIGNAL) != (ssize_t)n)
            break; /* it has been closed, and rightly so */
        p += n;
    }
    if (pick(2) == 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    if (pick(3) == 0)
        shutdown(fd, SHUT_WR);
}

/* Whatever clients do, in whatever order it reaches two loops: nothing is used
 * after it was freed, and nothing is left over (http_server_free() asserts it). */
TEST(ws, disorder)
{
    int fds[40];

    for (seed = 1; seed < 400; seed += 40) {
        struct http_server_options o = default_options();

        o.on_request = on_request;
        o.workers = 2;
        start_server(&o);
        for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
            fds[i] = connect_client();
            misbehave(fds[i]);
            if (pick(2) == 0) {
                close(fds[i]);
                fds[i] = -1;
            }
        }
        http_server_drain(server, pick(2) * 300);
        for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
            if (fds[i] >= 0)
                close(fds[i]);
        http_server_join(server);
        http_server_free(server);
    }
}
