#include "ws_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "measure.h"

#define RECV_BYTES (256u << 10)
#define FRAME_BYTES_MAX (256u << 20)
#define HEAD_BYTES_MAX 14u

void wsc_set_init(struct wsc_set *s)
{
    s->ep = epoll_create1(EPOLL_CLOEXEC);
    if (s->ep < 0)
        die("epoll: %s", strerror(errno));
    s->buf = xrealloc(NULL, RECV_BYTES);
}

uint64_t wsc_random(struct wsc_set *s)
{
    s->rng ^= s->rng << 13;
    s->rng ^= s->rng >> 7;
    s->rng ^= s->rng << 17;
    return s->rng;
}

static void watch(struct wsc_set *s, struct wsc *c, int op, bool write)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

    if (write)
        ev.events |= EPOLLOUT;
    c->wants_write = write;
    if (epoll_ctl(s->ep, op, c->fd, &ev) != 0)
        die("epoll_ctl: %s", strerror(errno));
}

void wsc_open(struct wsc_set *s, struct wsc *c)
{
    int one = 1;

    memset(c, 0, sizeof(*c));
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        die("socket: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(c->fd, (struct sockaddr *)&s->addr, sizeof(s->addr)) != 0 && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    c->open = true;
    watch(s, c, EPOLL_CTL_ADD, true);
}

void wsc_close(struct wsc_set *s, struct wsc *c)
{
    if (!c->open)
        return;
    close(c->fd);
    free(c->in);
    free(c->out);
    free(c->whole);
    c->in = c->out = c->whole = NULL;
    c->fd = -1;
    c->open = false;
    s->events->on_close(s, c);
}

static void write_bytes(struct wsc_set *s, struct wsc *c, const uint8_t *p, size_t len)
{
    ssize_t n = 0;

    if (!c->open)
        return;
    if (c->out_len == 0) {
        n = send(c->fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            wsc_close(s, c);
            return;
        }
        if (n < 0)
            n = 0;
        if ((size_t)n == len)
            return;
    }
    len -= (size_t)n;
    if (c->out_cap - c->out_len < len) {
        c->out_cap = c->out_len + len + 4096;
        c->out = xrealloc(c->out, c->out_cap);
    }
    memcpy(c->out + c->out_len, p + n, len);
    c->out_len += len;
    if (!c->wants_write)
        watch(s, c, EPOLL_CTL_MOD, true);
}

static void flush(struct wsc_set *s, struct wsc *c)
{
    ssize_t n = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL);

    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            wsc_close(s, c);
        return;
    }
    c->out_len -= (size_t)n;
    memmove(c->out, c->out + n, c->out_len);
    if (c->out_len == 0)
        watch(s, c, EPOLL_CTL_MOD, false);
}

void wsc_send(struct wsc_set *s, struct wsc *c, unsigned opcode, const uint8_t *p, size_t n)
{
    size_t cap = n + HEAD_BYTES_MAX;
    uint8_t small[1024], *f = cap <= sizeof(small) ? small : xrealloc(NULL, cap);
    uint32_t mask = (uint32_t)wsc_random(s);
    struct wr w = {f, 0, cap};

    put_byte(&w, 0x80 | opcode);
    if (n < 126) {
        put_byte(&w, 0x80 | (unsigned)n);
    } else if (n < 65536) {
        put_byte(&w, 0x80 | 126);
        put_byte(&w, (unsigned)(n >> 8));
        put_byte(&w, (unsigned)n & 0xff);
    } else {
        put_byte(&w, 0x80 | 127);
        for (int shift = 56; shift >= 0; shift -= 8)
            put_byte(&w, (unsigned)((uint64_t)n >> shift) & 0xff);
    }
    put_bytes(&w, &mask, 4);
    for (size_t i = 0; i < n; i++)
        f[w.len + i] = p[i] ^ (uint8_t)(mask >> (8 * (i & 3)));
    write_bytes(s, c, f, w.len + n);
    if (f != small)
        free(f);
}

/* Puts the fragments of one message together; most servers never send any. */
static void on_fragment(struct wsc_set *s, struct wsc *c, const uint8_t *p, size_t n, bool fin)
{
    c->whole = xrealloc(c->whole, c->whole_len + n);
    memcpy(c->whole + c->whole_len, p, n);
    c->whole_len += n;
    if (!fin)
        return;
    uint8_t *whole = c->whole;
    size_t len = c->whole_len;
    c->whole = NULL;
    c->whole_len = 0;
    s->events->on_message(s, c, whole, len, now_ns());
    free(whole);
}

/* The length of the frame at the front of `p` with its head, and of the head; 0 when the head
 * is not whole yet. */
static size_t frame_len(const uint8_t *p, size_t n, size_t *head)
{
    uint64_t len;

    *head = 2;
    if (n < 2)
        return 0;
    len = p[1] & 0x7f;
    if (len >= 126)
        *head = len == 126 ? 4 : 10;
    if (n < *head)
        return 0;
    if (*head > 2) {
        len = 0;
        for (size_t i = 2; i < *head; i++)
            len = len << 8 | p[i];
    }
    if (len > FRAME_BYTES_MAX)
        die("the server announces a frame of %llu bytes", (unsigned long long)len);
    return *head + (size_t)len;
}

/* Takes all complete frames from the front of `p`; returns how many bytes they were, and in
 * `need` how long the buffer must become for the next one. */
static size_t take_frames(struct wsc_set *s, struct wsc *c, const uint8_t *p, size_t n,
                          size_t *need)
{
    uint64_t now = now_ns();
    size_t at = 0;

    while (c->open) {
        size_t head, len = frame_len(p + at, n - at, &head);

        *need = len == 0 ? HEAD_BYTES_MAX : len;
        if (len > 4096 && c->big_at == 0)
            c->big_at = now;
        if (len == 0 || len > n - at)
            return at;
        unsigned opcode = p[at] & 0x0f;
        bool fin = (p[at] & 0x80) != 0;
        const uint8_t *body = p + at + head;
        at += len;
        len -= head;
        if (opcode == 9)
            wsc_send(s, c, 10, body, len);
        else if (opcode == 8)
            wsc_close(s, c);
        else if (opcode == 0 || (opcode <= 2 && !fin))
            on_fragment(s, c, body, len, fin);
        else if (opcode <= 2)
            s->events->on_message(s, c, body, len, now);
    }
    return n;
}

static size_t take_answer(struct wsc_set *s, struct wsc *c, const uint8_t *p, size_t n)
{
    const uint8_t *end = memmem(p, n, "\r\n\r\n", 4);

    if (end == NULL)
        return 0;
    if (n < 12 || memcmp(p, "HTTP/1.1 101", 12) != 0)
        die("no upgrade: %.*s", (int)(end - p), (const char *)p);
    c->upgraded = true;
    s->events->on_open(s, c);
    return (size_t)(end - p) + 4;
}

/* Keeps the `len` bytes from `rest` until at least `need` are there. */
static void keep(struct wsc *c, const uint8_t *rest, size_t len, size_t need)
{
    bool own = c->in != NULL;

    if (own)
        memmove(c->in, rest, len);
    if (need < len)
        need = len;
    if (c->in_cap < need + 4096) {
        c->in_cap = need + 4096;
        c->in = xrealloc(c->in, c->in_cap);
    }
    if (!own)
        memcpy(c->in, rest, len);
    c->in_len = len;
}

static void on_readable(struct wsc_set *s, struct wsc *c)
{
    uint8_t *buf = c->in != NULL ? c->in : s->buf;
    size_t cap = c->in != NULL ? c->in_cap : RECV_BYTES, used = 0, need = HEAD_BYTES_MAX;
    ssize_t n = recv(c->fd, buf + c->in_len, cap - c->in_len, 0);

    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            wsc_close(s, c);
        return;
    }
    s->bytes_in += (uint64_t)n;
    size_t len = c->in_len + (size_t)n;
    if (!c->upgraded)
        used = take_answer(s, c, buf, len);
    if (c->upgraded && c->open)
        used += take_frames(s, c, buf + used, len - used, &need);
    if (!c->open)
        return;
    if (used < len) {
        keep(c, buf + used, len - used, need);
        return;
    }
    free(c->in);
    c->in = NULL;
    c->in_len = c->in_cap = 0;
}

static void on_connected(struct wsc_set *s, struct wsc *c)
{
    char path[512], text[768];
    int err = 0, n;
    socklen_t len = sizeof(err);

    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
    if (err != 0)
        die("connect: %s", strerror(err));
    c->connected = true;
    s->events->on_connect(s, c, path, sizeof(path));
    n = snprintf(text, sizeof(text),
                 "GET %s HTTP/1.1\r\nHost: %s:%u\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                 path, inet_ntoa(s->addr.sin_addr), ntohs(s->addr.sin_port));
    watch(s, c, EPOLL_CTL_MOD, false);
    write_bytes(s, c, (const uint8_t *)text, (size_t)n);
}

void wsc_turn(struct wsc_set *s, uint64_t wait_ns)
{
    struct timespec ts = {(time_t)(wait_ns / 1000000000u), (long)(wait_ns % 1000000000u)};
    struct epoll_event ev[64];
    int n = epoll_pwait2(s->ep, ev, 64, &ts, NULL);

    for (int i = 0; i < n; i++) {
        struct wsc *c = ev[i].data.ptr;

        if (c->open && !c->connected)
            on_connected(s, c);
        else if (c->open && (ev[i].events & EPOLLOUT) && c->out_len > 0)
            flush(s, c);
        if (c->open && c->connected && (ev[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
            on_readable(s, c);
    }
}
