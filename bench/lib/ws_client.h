#ifndef SKEIN_BENCH_WS_CLIENT_H
#define SKEIN_BENCH_WS_CLIENT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* ws_client - thousands of WebSocket clients on one epoll.
 *
 * Written to be cheap: one receive buffer for all, memory of its own only for a connection
 * with an incomplete frame or with bytes that its socket did not take. Frames are masked with
 * random masks; pings are answered. It trusts the server: what is not a WebSocket's answer
 * ends the program.
 *
 * A caller embeds `struct wsc` and gives its callbacks; a callback may send and close, and
 * must expect wsc.open to be false after it sent.
 */
struct wsc;
struct wsc_set;

struct wsc_events {
    /* Writes the path to ask for; the request is sent when the socket is connected. */
    void (*on_connect)(struct wsc_set *s, struct wsc *c, char *path, size_t cap);
    void (*on_open)(struct wsc_set *s, struct wsc *c);
    void (*on_message)(struct wsc_set *s, struct wsc *c, const uint8_t *p, size_t n, uint64_t now);
    void (*on_close)(struct wsc_set *s, struct wsc *c);
};

struct wsc {
    int fd;
    bool open; /* from wsc_open() until it is closed */
    bool upgraded;
    bool wants_write;
    bool connected;
    uint64_t big_at; /* when the head of the first frame of more than 4 KB was there */
    uint8_t *in;     /* an incomplete frame */
    size_t in_len, in_cap;
    uint8_t *whole; /* a message that arrives in fragments */
    size_t whole_len;
    uint8_t *out; /* what the socket did not take */
    size_t out_len, out_cap;
};

struct wsc_set {
    int ep;
    struct sockaddr_in addr;
    const struct wsc_events *events;
    void *ctx;
    uint64_t rng;      /* not 0 */
    uint64_t bytes_in; /* read from all sockets, ever */
    uint8_t *buf;
};

void wsc_set_init(struct wsc_set *s);
uint64_t wsc_random(struct wsc_set *s);

void wsc_open(struct wsc_set *s, struct wsc *c);
void wsc_close(struct wsc_set *s, struct wsc *c); /* calls on_close, once */
void wsc_send(struct wsc_set *s, struct wsc *c, unsigned opcode, const uint8_t *p, size_t n);

/* Waits for at most `wait_ns` and handles what has come. */
void wsc_turn(struct wsc_set *s, uint64_t wait_ns);

#endif
