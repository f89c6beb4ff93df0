/* limit - the least that a server can do: the line that the others are measured against.
 *
 * One thread, one epoll, no library, no documents, no checks worth the name: every socket is
 * read once each time it is readable, and what came in goes out again with one send for each
 * receiver. Two behaviours, told apart by the path of the upgrade request:
 *
 *   /debug/echo   a message comes back to its sender (all of one read in one send)
 *   anything else everybody else who is connected gets it, each by a send of his own
 *
 * The second answers the opening of the y-websocket protocol with an empty document, so that
 * loadgen takes it for a server. Nothing is stored or merged; somebody who joins late sees
 * nothing of what was there. A socket that takes no more bytes is dropped: a limit that
 * queued would be a different program.
 *
 *   limit PORT    prints `listening on http://127.0.0.1:PORT` on standard error
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNS_MAX 20000
#define BUF_BYTES (256u << 10)
#define KEEP_BYTES 4096u /* an incomplete frame may be this long */

struct conn {
    bool open, upgraded, echo;
    uint16_t kept;
    uint8_t keep[KEEP_BYTES];
};

struct limit {
    int ep, listener;
    int fd_max;
    struct conn *conns[CONNS_MAX]; /* by descriptor */
    uint8_t in[BUF_BYTES + KEEP_BYTES], out[BUF_BYTES + KEEP_BYTES];
};

/* ---- SHA-1 and base64, for the handshake only ------------------------------------------ */

static uint32_t rol(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

static void sha1_block(uint32_t h[5], const uint8_t *p)
{
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

    for (unsigned i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
               (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (unsigned i = 16; i < 80; i++)
        w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (unsigned i = 0; i < 80; i++) {
        uint32_t f, k, t;

        if (i < 20) {
            f = (b & c) | (~b & d);
            k = 0x5a827999;
        } else if (i < 40 || i >= 60) {
            f = b ^ c ^ d;
            k = i < 40 ? 0x6ed9eba1 : 0xca62c1d6;
        } else {
            f = (b & c) | (b & d) | (c & d);
            k = 0x8f1bbcdc;
        }
        t = rol(a, 5) + f + e + k + w[i];
        e = d;
        d = c;
        c = rol(b, 30);
        b = a;
        a = t;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

/* The value of Sec-WebSocket-Accept for a key of 24 characters: 60 bytes are hashed, which
 * with their padding are two blocks. */
static void accept_of(const char *key, char out[29])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t text[128] = {0}, sum[21] = {0};

    memcpy(text, key, 24);
    memcpy(text + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
    text[60] = 0x80;
    text[126] = 60 * 8 >> 8;
    text[127] = 60 * 8 & 0xff;
    sha1_block(h, text);
    sha1_block(h, text + 64);
    for (unsigned i = 0; i < 20; i++)
        sum[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
    for (unsigned i = 0, o = 0; i < 21; i += 3) {
        uint32_t v = (uint32_t)sum[i] << 16 | (uint32_t)sum[i + 1] << 8 | sum[i + 2];

        for (int shift = 18; shift >= 0; shift -= 6)
            out[o++] = letters[v >> shift & 63];
    }
    out[27] = '=';
    out[28] = '\0';
}

/* ---- connections ------------------------------------------------------------------------- */

static void drop(struct limit *l, int fd)
{
    close(fd);
    free(l->conns[fd]);
    l->conns[fd] = NULL;
}

static void send_all(struct limit *l, int fd, const uint8_t *p, size_t n)
{
    if (send(fd, p, n, MSG_NOSIGNAL) != (ssize_t)n && errno != EAGAIN)
        shutdown(fd, SHUT_RDWR); /* its next event drops it */
    (void)l;
}

static void send_others(struct limit *l, int from, const uint8_t *p, size_t n)
{
    for (int fd = 0; fd <= l->fd_max; fd++)
        if (fd != from && l->conns[fd] != NULL && l->conns[fd]->upgraded && !l->conns[fd]->echo)
            send_all(l, fd, p, n);
}

static size_t put_frame(uint8_t *out, unsigned opcode, const uint8_t *p, size_t n)
{
    size_t head = 2;

    out[0] = (uint8_t)(0x80 | opcode);
    if (n < 126) {
        out[1] = (uint8_t)n;
    } else { /* on_frames() takes none of 65,536 bytes or more */
        out[1] = 126;
        out[2] = (uint8_t)(n >> 8);
        out[3] = (uint8_t)n;
        head = 4;
    }
    memcpy(out + head, p, n);
    return head + n;
}

/* One message of somebody who is in the room; `out` has room for its frame. */
static void on_room_message(struct limit *l, int fd, const uint8_t *p, size_t n)
{
    static const uint8_t empty_document[] = {0, 1, 2, 0, 0};
    uint8_t *out = l->out;

    if (n >= 2 && p[0] == 0 && p[1] == 0)
        send_all(l, fd, out, put_frame(out, 2, empty_document, sizeof(empty_document)));
    else if (n >= 2 && (p[0] != 0 || p[1] == 2))
        send_others(l, fd, out, put_frame(out, 2, p, n));
}

/* Takes the frames of one read; returns how many bytes were complete frames, or -1 when the
 * connection is to be dropped. */
static ssize_t on_frames(struct limit *l, int fd, uint8_t *in, size_t len)
{
    bool echo = l->conns[fd]->echo;
    size_t at = 0, echoed = 0;

    while (len - at >= 6) {
        unsigned opcode = in[at] & 0x0f;
        size_t n = in[at + 1] & 0x7f, head = 2;

        if (n == 127)
            return -1;
        if (n == 126) {
            n = (size_t)in[at + 2] << 8 | in[at + 3];
            head = 4;
        }
        if (len - at < head + 4 + n)
            break;
        uint8_t *mask = in + at + head, *p = mask + 4;
        for (size_t i = 0; i < n; i++)
            p[i] ^= mask[i & 3];
        at += head + 4 + n;
        if (opcode == 8)
            return -1;
        if (echo)
            echoed += put_frame(l->out + echoed, opcode == 9 ? 10 : opcode, p, n);
        else if (opcode == 2)
            on_room_message(l, fd, p, n);
    }
    if (echoed > 0)
        send_all(l, fd, l->out, echoed);
    return (ssize_t)at;
}

static bool on_upgrade(struct limit *l, int fd, char *text, size_t len)
{
    static const char field[] = "Sec-WebSocket-Key: ";
    char sum[29], answer[256];
    char *key;

    text[len] = '\0';
    key = strstr(text, field);
    if (strstr(text, "\r\n\r\n") == NULL || key == NULL || strlen(key) < sizeof(field) + 24)
        return false;
    accept_of(key + sizeof(field) - 1, sum);
    int n = snprintf(answer, sizeof(answer),
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                     sum);
    l->conns[fd]->echo = strncmp(text, "GET /debug/echo ", 16) == 0;
    l->conns[fd]->upgraded = true;
    send_all(l, fd, (uint8_t *)answer, (size_t)n);
    return true;
}

static void on_readable(struct limit *l, int fd)
{
    struct conn *c = l->conns[fd];
    ssize_t n, used;
    size_t len;

    memcpy(l->in, c->keep, c->kept);
    n = recv(fd, l->in + c->kept, BUF_BYTES - 1, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            drop(l, fd);
        return;
    }
    len = c->kept + (size_t)n;
    if (!c->upgraded)
        used = on_upgrade(l, fd, (char *)l->in, len) ? (ssize_t)len : -1;
    else
        used = on_frames(l, fd, l->in, len);
    if (used < 0 || len - (size_t)used > KEEP_BYTES) {
        drop(l, fd);
        return;
    }
    c->kept = (uint16_t)(len - (size_t)used);
    memcpy(c->keep, l->in + used, c->kept);
}

static void on_accept(struct limit *l)
{
    int fd = accept4(l->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

    if (fd < 0)
        return;
    if (fd >= CONNS_MAX || (l->conns[fd] = calloc(1, sizeof(struct conn))) == NULL) {
        close(fd);
        return;
    }
    if (fd > l->fd_max)
        l->fd_max = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    epoll_ctl(l->ep, EPOLL_CTL_ADD, fd, &ev);
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    socklen_t len = sizeof(addr);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&addr, len) != 0 || listen(fd, 4096) != 0) {
        perror("limit: listen");
        exit(1);
    }
    getsockname(fd, (struct sockaddr *)&addr, &len);
    fprintf(stderr, "listening on http://127.0.0.1:%u\n", ntohs(addr.sin_port));
    return fd;
}

int main(int argc, char **argv)
{
    struct limit *l = calloc(1, sizeof(*l));
    struct epoll_event ev[64] = {{.events = EPOLLIN}};
    struct rlimit files = {CONNS_MAX, CONNS_MAX};

    if (l == NULL)
        return 1;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    l->listener = listen_on((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
    l->ep = epoll_create1(EPOLL_CLOEXEC);
    ev[0].data.fd = l->listener;
    epoll_ctl(l->ep, EPOLL_CTL_ADD, l->listener, &ev[0]);
    for (;;) {
        int n = epoll_wait(l->ep, ev, 64, -1);

        for (int i = 0; i < n; i++) {
            if (ev[i].data.fd == l->listener)
                on_accept(l);
            else if (l->conns[ev[i].data.fd] != NULL)
                on_readable(l, ev[i].data.fd);
        }
    }
}
