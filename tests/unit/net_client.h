#ifndef SKEIN_UNIT_NET_CLIENT_H
#define SKEIN_UNIT_NET_CLIENT_H

/* net_client - a server in this process and plain clients of it, for tests.
 *
 * Clients are blocking sockets whose reads give up after CLIENT_SECONDS, so a
 * test waits for events and never for time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "net/http_server.h"
#include "net/ws_codec.h"

#define CLIENT_SECONDS 10
#define UNUSED_FN __attribute__((unused))

static struct http_server *server;

UNUSED_FN static struct http_server_options default_options(void)
{
    return (struct http_server_options){
        .listen = "127.0.0.1:0",
        .workers = 1,
        .message_bytes_max = 1 << 20,
        .body_bytes_max = 1000,
        .connections_max = 100,
        .head_timeout_ms = 5000,
        .idle_timeout_ms = 5000,
        .ping_ms = 5000,
    };
}

UNUSED_FN static void start_server(const struct http_server_options *o)
{
    struct err e = {0};

    if (http_server_new(&server, o, &e) != 0)
        test_fail(__FILE__, __LINE__, "http_server_new: %s", e.msg);
    if (http_server_start(server, &e) != 0)
        test_fail(__FILE__, __LINE__, "http_server_start: %s", e.msg);
}

UNUSED_FN static void stop_server(void)
{
    http_server_drain(server, 0);
    http_server_join(server);
    http_server_free(server);
    server = NULL;
}

UNUSED_FN static struct http_server_stats get_stats(void)
{
    struct http_server_stats st;

    http_server_get_stats(server, &st);
    return st;
}

UNUSED_FN static int connect_with(int rcvbuf)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    struct timeval limit = {CLIENT_SECONDS, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_port = htons((uint16_t)atoi(strrchr(http_server_url(server), ':') + 1));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (rcvbuf > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    CHECK(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
    return fd;
}

UNUSED_FN static int connect_client(void)
{
    return connect_with(0);
}

UNUSED_FN static void send_bytes(int fd, const void *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

        CHECK(sent > 0);
        p = (const uint8_t *)p + sent;
        n -= (size_t)sent;
    }
}

UNUSED_FN static void send_text(int fd, const char *s)
{
    send_bytes(fd, s, strlen(s));
}

/* Reads until the peer's end, or until out is full; returns the length and puts a zero behind. */
UNUSED_FN static size_t read_to_end(int fd, char *out, size_t cap)
{
    size_t n = 0;

    while (n + 1 < cap) {
        ssize_t got = recv(fd, out + n, cap - 1 - n, 0);

        if (got < 0 && errno == EAGAIN)
            test_fail(__FILE__, __LINE__, "no end within %d s", CLIENT_SECONDS);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    out[n] = 0;
    return n;
}

UNUSED_FN static void read_exactly(int fd, void *out, size_t n)
{
    for (size_t have = 0; have < n;) {
        ssize_t got = recv(fd, (uint8_t *)out + have, n - have, 0);

        if (got <= 0)
            test_fail(__FILE__, __LINE__, "recv: %zd (%s), %zu of %zu bytes", got, strerror(errno),
                      have, n);
        have += (size_t)got;
    }
}

/* Reads one head, with its blank line, byte by byte. */
UNUSED_FN static void read_head(int fd, char *out, size_t cap)
{
    size_t n = 0;

    while (n < 4 || memcmp(out + n - 4, "\r\n\r\n", 4) != 0) {
        CHECK(n + 1 < cap);
        read_exactly(fd, out + n, 1);
        n++;
    }
    out[n] = 0;
}

/* Sends a whole request, shuts, and reads all of the answer. */
UNUSED_FN static void ask(const char *request, char *out, size_t cap)
{
    int fd = connect_client();

    send_text(fd, request);
    shutdown(fd, SHUT_WR);
    read_to_end(fd, out, cap);
    close(fd);
}

UNUSED_FN static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

UNUSED_FN static unsigned count(const char *text, const char *part)
{
    unsigned n = 0;

    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        n++;
    return n;
}

/* --- WebSocket ------------------------------------------------------------ */

#define WS_REQUEST(path, more)                                                                     \
    "GET " path " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"            \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" more "\r\n"

UNUSED_FN static void upgrade(int fd, const char *path)
{
    char head[1024], request[512];

    snprintf(request, sizeof(request), WS_REQUEST("%s", ""), path);
    send_text(fd, request);
    read_head(fd, head, sizeof(head));
    CHECK(has(head, "HTTP/1.1 101 "));
    CHECK(has(head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

UNUSED_FN static int connect_ws(const char *path)
{
    int fd = connect_client();

    upgrade(fd, path);
    return fd;
}

/* Appends a client's frame to out and returns the new end. */
UNUSED_FN static uint8_t *put_frame(uint8_t *out, unsigned op, unsigned flags, const void *p,
                                    size_t n)
{
    static const uint8_t key[4] = {0x12, 0x34, 0x56, 0x78};
    size_t head = ws_frame_header_masked(out, (enum ws_opcode)op, flags, n, key);

    if (n > 0)
        memcpy(out + head, p, n);
    ws_mask(out + head, n, key, 0);
    return out + head + n;
}

UNUSED_FN static void send_frame(int fd, unsigned op, const void *p, size_t n)
{
    uint8_t *frame = malloc(n + WS_HEADER_MASKED_BYTES_MAX);
    uint8_t *end = put_frame(frame, op, WS_FLAG_FIN, p, n);

    send_bytes(fd, frame, (size_t)(end - frame));
    free(frame);
}

struct frame {
    unsigned first; /* flags and opcode */
    size_t len;
    uint8_t *p; /* freed by the next read_frame() into the same struct */
};

UNUSED_FN static void read_frame(int fd, struct frame *f)
{
    uint8_t h[2], more[8];

    free(f->p);
    f->p = NULL;
    read_exactly(fd, h, 2);
    f->first = h[0];
    f->len = h[1];
    if (h[1] >= 126) {
        size_t bytes = h[1] == 126 ? 2 : 8;

        read_exactly(fd, more, bytes);
        f->len = 0;
        for (size_t i = 0; i < bytes; i++)
            f->len = f->len << 8 | more[i];
    }
    f->p = malloc(f->len + 1);
    read_exactly(fd, f->p, f->len);
}

UNUSED_FN static void expect_frame(int fd, struct frame *f, unsigned first, const void *p, size_t n)
{
    read_frame(fd, f);
    CHECK_EQ(f->first, first);
    CHECK_MEM(f->p, f->len, p, n);
}

UNUSED_FN static void expect_close(int fd, struct frame *f, unsigned code)
{
    read_frame(fd, f);
    CHECK_EQ(f->first, 0x88);
    CHECK(f->len >= 2);
    CHECK_EQ(f->p[0] << 8 | f->p[1], code);
}

UNUSED_FN static void expect_end(int fd)
{
    char c;

    CHECK_EQ(recv(fd, &c, 1, 0), 0);
}

#endif
