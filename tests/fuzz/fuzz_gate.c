/* fuzz_gate - whatever a client of either Yjs protocol sends, the server refuses it
 * or takes it, ends the connection in order, and goes on.
 *
 * A whole server runs in this process. One input is one socket's life: the first
 * byte chooses the URL, then each frame is a length byte and its bytes; at the end
 * the client closes, and the server must answer the close, whoever began it.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/log.h"
#include "gate/gate.h"
#include "net/ws_codec.h"
#include "store/store.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    char dir[64];
    struct store *store;
    struct auth *auth;
    struct engine *engine;
    struct gate *gate;
    struct http_server *http;
    uint16_t port;
} s;

static void on_start(void *ctx, struct loop *l)
{
    (void)ctx;
    engine_start_worker(s.engine, l);
}

static void on_stop(void *ctx, struct loop *l)
{
    (void)ctx;
    engine_stop_worker(s.engine, l);
}

static void on_request(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    gate_on_request(s.gate, x);
}

static void stop(void)
{
    char cmd[128];

    http_server_drain(s.http, 0);
    http_server_join(s.http);
    store_close(s.store);
    http_server_free(s.http);
    engine_free(s.engine);
    gate_free(s.gate);
    auth_free(s.auth);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", s.dir);
    if (system(cmd) != 0)
        abort();
}

static void must(int rc, const struct err *e)
{
    if (rc != 0) {
        fprintf(stderr, "fuzz_gate: %s\n", e->msg);
        abort();
    }
}

static void start_rooms(void)
{
    struct store_options so = {.dir = s.dir};
    struct auth_options ao = {0};
    struct engine_options eo;
    struct err e;

    must(store_open(&s.store, &so, &e), &e);
    must(auth_new(&s.auth, &ao, &e), &e);
    engine_options_init(&eo);
    eo.store = s.store;
    eo.workers = 2;
    eo.idle_unload_ms = 0;
    must(engine_new(&s.engine, &eo, &e), &e);
}

static void start_server(void)
{
    static const struct asset_table no_assets;
    struct http_server_options ho = {.listen = "127.0.0.1:0",
                                     .workers = 2,
                                     .message_bytes_max = 1 << 20,
                                     .body_bytes_max = 1000,
                                     .connections_max = 1000,
                                     .head_timeout_ms = 5000,
                                     .idle_timeout_ms = 5000,
                                     .ping_ms = 5000,
                                     .on_worker_start = on_start,
                                     .on_worker_stop = on_stop,
                                     .on_request = on_request};
    struct gate_options go;
    struct err e;

    gate_options_init(&go);
    go.engine = s.engine;
    go.auth = s.auth;
    go.store = s.store;
    go.assets = &no_assets;
    go.stateless_broadcast = true;
    must(gate_new(&s.gate, &go, &e), &e);
    must(http_server_new(&s.http, &ho, &e), &e);
    must(http_server_start(s.http, &e), &e);
    s.port = (uint16_t)atoi(strrchr(http_server_url(s.http), ':') + 1);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    log_set_level(LOG_ERROR);
    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL); /* so that its end comes after ours */
    snprintf(s.dir, sizeof(s.dir), "/tmp/skein-fuzz-XXXXXX");
    if (mkdtemp(s.dir) == NULL)
        abort();
    start_rooms();
    start_server();
    atexit(stop);
    return 0;
}

static int connect_to(const char *path)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(s.port)};
    struct linger at_once = {1, 0}; /* no port is left waiting: there are many */
    struct timeval limit = {10, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char request[256], c;
    int ends = 0, on = 1;

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
        abort();
    snprintf(request, sizeof(request),
             "GET %s HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
             path);
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
        abort();
    while (ends < 4) { /* the blank line behind the head */
        if (recv(fd, &c, 1, 0) != 1)
            abort();
        ends = c == '\r' || c == '\n' ? ends + 1 : 0;
    }
    return fd;
}

static void send_frame(int fd, unsigned op, const uint8_t *p, size_t n)
{
    static const uint8_t key[4] = {1, 2, 3, 4};
    uint8_t frame[WS_HEADER_MASKED_BYTES_MAX + 256];
    size_t head = ws_frame_header_masked(frame, (enum ws_opcode)op, WS_FLAG_FIN, n, key);

    if (n > 0)
        memcpy(frame + head, p, n);
    ws_mask(frame + head, n, key, 0);
    (void)!send(fd, frame, head + n, MSG_NOSIGNAL); /* the server may have closed already */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"/", "/doc", "/api/ws?type=yjs&room=other", "/api/ws"};
    uint8_t sink[4096];
    size_t at = 1;
    ssize_t got;
    int fd;

    if (size == 0)
        return 0;
    fd = connect_to(paths[data[0] & 3]);
    while (at < size) {
        size_t n = data[at++];

        n = n < size - at ? n : size - at;
        send_frame(fd, WS_OP_BINARY, data + at, n);
        at += n;
    }
    send_frame(fd, WS_OP_CLOSE, (const uint8_t *)"\x03\xe8", 2);
    while ((got = recv(fd, sink, sizeof(sink), 0)) > 0)
        ;
    /* The end, or a reset when the server closed with bytes of ours unread: never silence. */
    assert(got == 0 || errno != EAGAIN);
    close(fd);
    return 0;
}
