/* loadgen - many people at one real-time server, and what they cost it.
 *
 * Opens any number of WebSocket connections to a server on this machine and plays one of
 * four parts:
 *
 *   edit   people in documents, some of whom type (and move their cursors); counts what
 *          reaches the others, how late, and how much CPU the server burnt for it
 *   echo   every connection keeps K small messages in flight against an echo endpoint
 *   idle   connections that do nothing; the server's memory for each
 *   join   fills one document, then lets people join it one after the other
 *
 * It speaks y-websocket or Hocuspocus. An edit is a real Yjs update (v1): each writer has a
 * client id and appends one character behind its own last one. Servers may merge several
 * edits into one frame, so frames mean nothing here: every incoming update is decoded, and
 * what counts is by how much it advances the clock of each writer at each receiver. A
 * matrix of clocks, receivers by writers, also tells at the end whether anything is
 * missing. The time an edit took is taken from a ring of send times that is indexed by the
 * writer's clock.
 *
 * Arrivals are open loop: edits are sent when the schedule says so, however late the server
 * is. One seeded Poisson process of the summed rate with a random writer each time is the
 * same as many people who type independently; `--arrival even` staggers them evenly instead.
 *
 * The server's CPU comes from /proc: the run time of all threads of the process and of its
 * children, in nanoseconds (schedstat), or utime + stime where the kernel has no schedstat.
 * Its memory comes from smaps_rollup. One thread, one epoll, nothing but libc, so that the
 * generator stays cheaper than any server; its own CPU is printed, because a generator that
 * is at its limit measures itself.
 */
#include <errno.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RING 1024u         /* send times kept for each writer: a power of two */
#define ECHO_BYTES 20u     /* payload of an echo message */
#define HANDSHAKES_MAX 64u /* connections that are being opened at the same time */
#define RECV_BYTES (256u << 10)
#define FRAME_BYTES_MAX (256u << 20)
#define SLOTS (48u * 64u)   /* a histogram: 64 steps for each power of two */
#define ID_BASE 0x50000000u /* client ids take five bytes, as random ones do */
#define PREFILL_ITEMS 500u  /* items in one update while a document is filled */

enum mode { MODE_EDIT, MODE_ECHO, MODE_IDLE, MODE_JOIN };
enum state { S_NONE, S_CONNECTING, S_UPGRADING, S_SYNCING, S_READY, S_CLOSED };

struct opts {
    enum mode mode;
    bool hocuspocus;
    bool even;
    struct sockaddr_in addr;
    char path[128]; /* of the endpoint; y-websocket appends the room to it */
    char room[128];
    char token[256];
    unsigned conns, docs, writers, inflight, joins;
    size_t bytes;
    double rate, cursors, seconds, warm, drain;
    uint64_t seed;
    int pid;
};

struct hist {
    uint64_t n, max;
    uint64_t slot[SLOTS];
};

struct conn {
    int fd;
    enum state state;
    bool wants_write;
    uint32_t index, doc, place; /* place: its number within the document */
    uint32_t clock, cursor_clock, acked, sent_frames;
    uint64_t started; /* when the handshake was done, for a join */
    uint64_t first;   /* when the first byte of the answer came */
    uint64_t *sent;   /* RING send times of edits or echo messages, for those who send */
    uint64_t *moved;  /* RING send times of cursor moves */
    uint8_t *in;      /* an incomplete frame */
    size_t in_len, in_cap;
    uint8_t *whole; /* a message that arrives in fragments */
    size_t whole_len;
    uint8_t *out; /* what the socket did not take */
    size_t out_len, out_cap;
};

struct doc {
    char name[160];
    uint32_t people, writers;
    uint32_t *seen; /* people x writers: the clock that each has of each writer */
};

struct totals {
    uint64_t delivered, moves, frames, bytes, acks, sent, messages;
};

struct gen {
    struct opts o;
    int ep;
    struct conn *conns;
    struct doc *docs;
    uint32_t made, open, ready, closed, opening, target;
    uint32_t per_doc, writers_per_doc;
    uint64_t next_edit, next_cursor, write_from, record_from;
    uint64_t edits_total, turn, cursor_turn;
    uint64_t expected, delivered; /* since the first edit, warm-up included */
    uint64_t gaps, unparsed;
    uint64_t lag_max; /* by how much the schedule was missed at worst */
    uint64_t joined;
    bool writing, recording;
    struct totals t;
    struct hist edit, cursor, ack, first, whole;
    uint64_t rng;
    uint8_t buf[RECV_BYTES];
};

/* ---- small things ------------------------------------------------------------------- */

static _Noreturn void die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fputs("loadgen: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void *xrealloc(void *p, size_t n)
{
    p = realloc(p, n == 0 ? 1 : n);
    if (p == NULL)
        die("out of memory (%zu bytes)", n);
    return p;
}

static void *xzalloc(size_t n)
{
    void *p = xrealloc(NULL, n);

    memset(p, 0, n);
    return p;
}

static uint64_t rnd(struct gen *g)
{
    g->rng ^= g->rng << 13;
    g->rng ^= g->rng >> 7;
    g->rng ^= g->rng << 17;
    return g->rng;
}

static void hist_add(struct hist *h, uint64_t v)
{
    unsigned shift = 0;

    while ((v >> shift) >= 128)
        shift++;
    unsigned i = shift * 64 + (unsigned)(v >> shift);
    h->slot[i < SLOTS ? i : SLOTS - 1]++;
    h->n++;
    if (v > h->max)
        h->max = v;
}

/* The value below which the share `q` of all lies, in milliseconds; within 1.6 %. */
static double hist_ms(const struct hist *h, double q)
{
    uint64_t want = (uint64_t)((double)h->n * q), sum = 0;

    for (unsigned i = 0; i < SLOTS; i++) {
        sum += h->slot[i];
        if (sum > want) {
            unsigned shift = i < 128 ? 0 : i / 64 - 1;
            return (double)((uint64_t)(i - shift * 64) << shift) / 1e6;
        }
    }
    return (double)h->max / 1e6;
}

/* ---- the server, seen through /proc -------------------------------------------------- */

static bool read_proc(char *out, size_t cap, const char *fmt, ...)
{
    char path[160];
    va_list ap;
    ssize_t n;
    int fd;

    va_start(ap, fmt);
    vsnprintf(path, sizeof(path), fmt, ap);
    va_end(ap);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, out, cap - 1);
    close(fd);
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static uint64_t stat_ns(int pid)
{
    char text[1024], *p;
    unsigned long user = 0, sys = 0;

    if (!read_proc(text, sizeof(text), "/proc/%d/stat", pid) || (p = strrchr(text, ')')) == NULL)
        return 0;
    if (sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) != 2)
        return 0;
    return (uint64_t)(user + sys) * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* The CPU time of a process, its threads and its children's, in nanoseconds. The thread list
 * of a process that starts and ends threads all the time would lose those that ended; the
 * servers here do not. */
static uint64_t cpu_ns(int pid)
{
    char path[64], text[4096];
    uint64_t sum = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    dir = opendir(path);
    if (dir == NULL)
        return 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        if (read_proc(text, sizeof(text), "/proc/%d/task/%.16s/schedstat", pid, e->d_name))
            sum += strtoull(text, NULL, 10);
        if (read_proc(text, sizeof(text), "/proc/%d/task/%.16s/children", pid, e->d_name))
            for (char *p = text, *end; *p != '\0'; p = end) {
                long child = strtol(p, &end, 10);
                if (end == p)
                    break;
                sum += cpu_ns((int)child);
            }
    }
    closedir(dir);
    return sum != 0 ? sum : stat_ns(pid);
}

static long smaps_kb(int pid, const char *key)
{
    char text[4096], *p;

    if (!read_proc(text, sizeof(text), "/proc/%d/smaps_rollup", pid))
        return -1;
    p = strstr(text, key);
    return p == NULL ? -1 : strtol(p + strlen(key), NULL, 10);
}

/* ---- writing frames ------------------------------------------------------------------ */

struct wr {
    uint8_t *p;
    size_t len, cap;
};

static void put_byte(struct wr *w, unsigned b)
{
    if (w->len == w->cap)
        die("message of more than %zu bytes", w->cap);
    w->p[w->len++] = (uint8_t)b;
}

static void put_varuint(struct wr *w, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        put_byte(w, (unsigned)(v & 0x7f) | 0x80);
    put_byte(w, (unsigned)v);
}

static void put_bytes(struct wr *w, const void *p, size_t n)
{
    if (n > w->cap - w->len)
        die("message of more than %zu bytes", w->cap);
    memcpy(w->p + w->len, p, n);
    w->len += n;
}

static void put_string(struct wr *w, const char *s)
{
    put_varuint(w, strlen(s));
    put_bytes(w, s, strlen(s));
}

static void conn_close(struct gen *g, struct conn *c)
{
    if (c->state == S_CLOSED)
        return;
    if (c->state == S_READY)
        g->ready--;
    if (c->state < S_READY)
        g->opening--;
    close(c->fd);
    free(c->in);
    free(c->out);
    free(c->whole);
    c->in = c->out = c->whole = NULL;
    c->in_len = c->in_cap = c->out_len = c->out_cap = c->whole_len = 0;
    c->fd = -1;
    c->state = S_CLOSED;
    g->open--;
    g->closed++;
}

static void conn_watch(struct gen *g, struct conn *c, bool write)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = c->index};

    if (write)
        ev.events |= EPOLLOUT;
    c->wants_write = write;
    epoll_ctl(g->ep, EPOLL_CTL_MOD, c->fd, &ev);
}

static void conn_write(struct gen *g, struct conn *c, const uint8_t *p, size_t len)
{
    ssize_t n = 0;

    if (c->state == S_CLOSED)
        return;
    if (c->out_len == 0) {
        n = send(c->fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            conn_close(g, c);
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
        conn_watch(g, c, true);
}

static void conn_flush(struct gen *g, struct conn *c)
{
    ssize_t n = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL);

    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            conn_close(g, c);
        return;
    }
    c->out_len -= (size_t)n;
    memmove(c->out, c->out + n, c->out_len);
    if (c->out_len == 0)
        conn_watch(g, c, false);
}

/* One masked frame, as every client sends it (RFC 6455 5.3). */
static void send_frame(struct gen *g, struct conn *c, unsigned opcode, const uint8_t *p, size_t n)
{
    uint8_t small[1024], *f = n + 14 <= sizeof(small) ? small : xrealloc(NULL, n + 14);
    uint32_t mask = (uint32_t)rnd(g);
    struct wr w = {f, 0, n + 14};

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
    conn_write(g, c, f, w.len + n);
    if (f != small)
        free(f);
}

/* ---- what people say ------------------------------------------------------------------ */

/* Starts a message: the document's name for Hocuspocus, then the type. */
static void put_head(const struct gen *g, const struct conn *c, struct wr *w, unsigned type)
{
    if (g->o.hocuspocus)
        put_string(w, g->docs[c->doc].name);
    put_varuint(w, type);
}

static void put_sync(const struct gen *g, const struct conn *c, struct wr *w, unsigned sub,
                     const uint8_t *p, size_t n)
{
    put_head(g, c, w, 0);
    put_varuint(w, sub);
    put_varuint(w, n);
    put_bytes(w, p, n);
}

static void say_sync(struct gen *g, struct conn *c, unsigned sub, const uint8_t *p, size_t n)
{
    struct wr w = {xrealloc(NULL, n + 256), 0, n + 256};

    put_sync(g, c, &w, sub, p, n);
    send_frame(g, c, 2, w.p, w.len);
    free(w.p);
}

/* An awareness update such as an editor's binding sends: who, and where the cursor is. */
static void say_cursor(struct gen *g, struct conn *c, bool empty)
{
    uint8_t state[512], message[1024];
    struct wr s = {state, 0, sizeof(state)}, w = {message, 0, sizeof(message)};
    uint32_t id = ID_BASE + c->index;
    char json[320];

    snprintf(json, sizeof(json),
             "{\"user\":{\"name\":\"Person %u\",\"color\":\"#30bced\"},\"cursor\":{"
             "\"anchor\":{\"type\":null,\"tname\":\"t\",\"item\":{\"client\":%u,\"clock\":%u},"
             "\"assoc\":0},\"head\":{\"type\":null,\"tname\":\"t\",\"item\":{\"client\":%u,"
             "\"clock\":%u},\"assoc\":0}}}",
             c->index, id, c->cursor_clock, id, c->cursor_clock);
    put_varuint(&s, 1);
    put_varuint(&s, id);
    put_varuint(&s, c->cursor_clock);
    put_string(&s, empty ? "{}" : json);
    put_head(g, c, &w, 1);
    put_varuint(&w, s.len);
    put_bytes(&w, s.p, s.len);
    if (c->moved != NULL)
        c->moved[c->cursor_clock & (RING - 1)] = now_ns();
    c->cursor_clock++;
    send_frame(g, c, 2, w.p, w.len);
}

static void say_hello(struct gen *g, struct conn *c)
{
    static const uint8_t empty_sv[] = {0};

    if (g->o.hocuspocus) {
        uint8_t message[1024];
        struct wr w = {message, 0, sizeof(message)};

        put_head(g, c, &w, 2);
        put_varuint(&w, 0);
        put_string(&w, g->o.token);
        put_string(&w, "4.8.0");
        send_frame(g, c, 2, w.p, w.len);
    }
    say_sync(g, c, 0, empty_sv, sizeof(empty_sv));
    if (g->o.mode != MODE_JOIN)
        say_cursor(g, c, true);
}

/* Appends `text` behind the character `origin` of the writer's own (before `right`, when that
 * is not the end of the text) as one struct of an update. */
static void put_item(struct wr *w, uint64_t id, int64_t origin, int64_t right, const char *text)
{
    put_byte(w, 4 | (origin >= 0 ? 0x80 : 0) | (right >= 0 ? 0x40 : 0));
    if (origin >= 0) {
        put_varuint(w, id);
        put_varuint(w, (uint64_t)origin);
    }
    if (right >= 0) {
        put_varuint(w, id);
        put_varuint(w, (uint64_t)right);
    }
    if (origin < 0 && right < 0) {
        put_varuint(w, 1);
        put_string(w, "t");
    }
    put_string(w, text);
}

static void say_edit(struct gen *g, struct conn *c)
{
    uint8_t update[64], message[320];
    struct wr u = {update, 0, sizeof(update)}, w = {message, 0, sizeof(message)};
    char text[2] = {(char)('a' + c->clock % 26), '\0'};

    put_varuint(&u, 1);
    put_varuint(&u, 1);
    put_varuint(&u, ID_BASE + c->index);
    put_varuint(&u, c->clock);
    put_item(&u, ID_BASE + c->index, (int64_t)c->clock - 1, -1, text);
    put_varuint(&u, 0);
    put_sync(g, c, &w, 2, u.p, u.len);
    c->sent[c->clock & (RING - 1)] = now_ns();
    c->clock++;
    c->sent_frames++;
    g->expected += g->docs[c->doc].people - 1;
    g->t.sent++;
    send_frame(g, c, 2, w.p, w.len);
}

static void say_echo(struct gen *g, struct conn *c)
{
    static const uint8_t bytes[ECHO_BYTES] = "twenty bytes, echoed";

    c->sent[c->sent_frames++ & (RING - 1)] = now_ns();
    send_frame(g, c, 2, bytes, sizeof(bytes));
}

/* ---- what people hear ----------------------------------------------------------------- */

struct rd {
    const uint8_t *p, *end;
    bool bad;
};

static uint64_t get_varuint(struct rd *r)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 63 && r->p < r->end; shift += 7) {
        uint8_t b = *r->p++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if ((b & 0x80) == 0)
            return v;
    }
    r->bad = true;
    r->p = r->end;
    return 0;
}

static struct rd get_bytes(struct rd *r)
{
    uint64_t n = get_varuint(r);
    struct rd s = {r->p, r->p, r->bad};

    if (n > (uint64_t)(r->end - r->p)) {
        r->bad = s.bad = true;
        return s;
    }
    r->p += n;
    s.end = r->p;
    return s;
}

/* The length of UTF-8 text in UTF-16 units: Yjs' measure. */
static uint32_t utf16_len(struct rd s)
{
    uint32_t n = 0;

    for (; s.p < s.end; s.p++)
        n += (*s.p & 0xc0) == 0x80 ? 0 : *s.p >= 0xf0 ? 2 : 1;
    return n;
}

/* Receiver `c` has now `len` characters of writer `id` from `clock` on. */
static void credit(struct gen *g, struct conn *c, uint64_t id, uint64_t clock, uint64_t len,
                   uint64_t now)
{
    uint64_t index = id - ID_BASE;
    struct conn *from = index < g->made ? &g->conns[index] : NULL;
    struct doc *d = &g->docs[c->doc];

    if (from == NULL || from->doc != c->doc || from->place >= d->writers || from == c)
        return;
    uint32_t *seen = &d->seen[(size_t)c->place * d->writers + from->place];
    if (clock + len <= *seen)
        return;
    if (clock > *seen)
        g->gaps++;
    if (clock < *seen) {
        len -= *seen - clock;
        clock = *seen;
    }
    *seen = (uint32_t)(clock + len);
    g->delivered += len;
    if (!g->recording || from->sent == NULL)
        return;
    for (uint64_t i = clock; i < clock + len; i++) {
        uint64_t sent = from->sent[i & (RING - 1)];
        if (sent >= g->record_from) {
            g->t.delivered++;
            hist_add(&g->edit, now - sent);
        }
    }
}

/* Decodes the structs of an update as far as the texts of this program go: strings, and what
 * a server may make of them (GC, Skip, deleted content). */
static void hear_update(struct gen *g, struct conn *c, struct rd r, uint64_t now)
{
    for (uint64_t clients = get_varuint(&r); clients > 0 && !r.bad; clients--) {
        uint64_t structs = get_varuint(&r), id = get_varuint(&r), clock = get_varuint(&r);
        uint64_t from = clock;

        for (; structs > 0 && !r.bad; structs--) {
            unsigned info = r.p < r.end ? *r.p++ : 31, kind = info & 0x1f;
            uint64_t len = 0;

            if (kind != 0 && kind != 10) {
                for (unsigned bit = 0x80; bit >= 0x40; bit >>= 1)
                    if (info & bit) {
                        get_varuint(&r);
                        get_varuint(&r);
                    }
                if ((info & 0xc0) == 0 && get_varuint(&r) == 1)
                    get_bytes(&r);
            }
            if (kind == 4)
                len = utf16_len(get_bytes(&r));
            else if (kind <= 1 || kind == 10)
                len = get_varuint(&r);
            else
                r.bad = true;
            if (kind == 10) {
                credit(g, c, id, from, clock - from, now);
                from = clock + len;
            }
            clock += len;
        }
        if (!r.bad && clock > from)
            credit(g, c, id, from, clock - from, now);
    }
    if (r.bad)
        g->unparsed++;
}

static void hear_cursors(struct gen *g, struct rd r, uint64_t now)
{
    for (uint64_t n = get_varuint(&r); n > 0 && !r.bad; n--) {
        uint64_t id = get_varuint(&r), clock = get_varuint(&r);
        uint64_t index = id - ID_BASE;

        get_bytes(&r);
        if (r.bad || !g->recording || index >= g->made || g->conns[index].moved == NULL)
            continue;
        uint64_t sent = g->conns[index].moved[clock & (RING - 1)];
        if (sent >= g->record_from) {
            g->t.moves++;
            hist_add(&g->cursor, now - sent);
        }
    }
}

static void become_ready(struct gen *g, struct conn *c)
{
    if (c->state == S_READY)
        return;
    c->state = S_READY;
    g->opening--;
    g->ready++;
}

static void hear_sync(struct gen *g, struct conn *c, struct rd r, uint64_t now)
{
    static const uint8_t nothing[] = {0, 0};
    uint64_t sub = get_varuint(&r);
    struct rd body = get_bytes(&r);

    if (r.bad) {
        g->unparsed++;
    } else if (sub == 0) {
        if (g->o.mode != MODE_JOIN || c->sent != NULL)
            say_sync(g, c, 1, nothing, sizeof(nothing));
    } else if (sub == 1 && g->o.mode == MODE_JOIN && c->sent == NULL) {
        if ((size_t)(body.end - body.p) < g->o.bytes / 2)
            return; /* the document is not there yet: the next frames bring it */
        hist_add(&g->first, (c->first != 0 ? c->first : now) - c->started);
        hist_add(&g->whole, now - c->started);
        g->t.bytes += (uint64_t)(body.end - body.p);
        g->joined++;
        become_ready(g, c);
        conn_close(g, c);
    } else {
        hear_update(g, c, body, now);
        if (sub == 1 && c->state == S_SYNCING)
            become_ready(g, c);
    }
}

static void hear_ack(struct gen *g, struct conn *c, struct rd r, uint64_t now)
{
    uint64_t ok = get_varuint(&r), sent;

    /* The first one answers the SyncStep2 of the beginning. */
    if (c->acked++ == 0 || ok != 1 || c->sent == NULL)
        return;
    sent = c->sent[(c->acked - 2) & (RING - 1)];
    if (g->recording && sent >= g->record_from) {
        g->t.acks++;
        hist_add(&g->ack, now - sent);
    }
}

static void hear_echo(struct gen *g, struct conn *c, uint64_t now)
{
    uint64_t sent = c->sent[c->acked++ & (RING - 1)];

    if (g->recording && sent >= g->record_from) {
        g->t.messages++;
        hist_add(&g->edit, now - sent);
    }
    if (g->writing)
        say_echo(g, c);
}

static void hear(struct gen *g, struct conn *c, const uint8_t *p, size_t n, uint64_t now)
{
    struct rd r = {p, p + n, false};

    g->t.frames += g->recording;
    if (g->o.mode == MODE_ECHO) {
        hear_echo(g, c, now);
        return;
    }
    if (g->o.hocuspocus) {
        if (n == 1)
            return; /* an application ping of a newer server */
        get_bytes(&r);
    }
    switch (get_varuint(&r)) {
    case 0:
    case 4:
        hear_sync(g, c, r, now);
        break;
    case 1:
        hear_cursors(g, get_bytes(&r), now);
        break;
    case 2: /* Authenticated is 2; y-websocket knows only the refusal, 0 */
        if (get_varuint(&r) != 2)
            die("the server refuses %s", g->docs[c->doc].name);
        break;
    case 7:
        die("the server closes %s", g->docs[c->doc].name);
    case 8:
        hear_ack(g, c, r, now);
        break;
    default:
        g->unparsed++;
    }
}

/* ---- reading frames -------------------------------------------------------------------- */

/* Puts the fragments of one message together; most servers never send any. */
static void hear_fragment(struct gen *g, struct conn *c, const uint8_t *p, size_t n, bool fin,
                          uint64_t now)
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
    hear(g, c, whole, len, now);
    free(whole);
}

/* Takes all complete frames from the front of `p`; returns how many bytes they were, and in
 * `need` how long the buffer must become for the next frame. */
static size_t take_frames(struct gen *g, struct conn *c, const uint8_t *p, size_t n, size_t *need)
{
    size_t at = 0;
    uint64_t now = now_ns();

    for (;;) {
        size_t left = n - at, head = 2;
        uint64_t len;

        *need = 16;
        if (left < 2)
            break;
        len = p[at + 1] & 0x7f;
        if (len >= 126)
            head = len == 126 ? 4 : 10;
        if (left < head)
            break;
        if (head > 2) {
            len = 0;
            for (size_t i = 2; i < head; i++)
                len = len << 8 | p[at + i];
        }
        if (len > FRAME_BYTES_MAX)
            die("the server announces a frame of %llu bytes", (unsigned long long)len);
        if (left - head < len) {
            *need = head + (size_t)len;
            if (c->first == 0 && len > 4096)
                c->first = now;
            break;
        }
        unsigned opcode = p[at] & 0x0f;
        bool fin = (p[at] & 0x80) != 0;
        const uint8_t *body = p + at + head;
        at += head + (size_t)len;
        if (opcode == 9)
            send_frame(g, c, 10, body, (size_t)len);
        else if (opcode == 8)
            conn_close(g, c);
        else if (opcode == 0 || (opcode <= 2 && !fin))
            hear_fragment(g, c, body, (size_t)len, fin, now);
        else if (opcode <= 2)
            hear(g, c, body, (size_t)len, now);
        if (c->state == S_CLOSED)
            return n;
    }
    return at;
}

static size_t take_upgrade(struct gen *g, struct conn *c, const uint8_t *p, size_t n)
{
    const uint8_t *end = memmem(p, n, "\r\n\r\n", 4);

    if (end == NULL)
        return 0;
    if (n < 12 || memcmp(p, "HTTP/1.1 101", 12) != 0)
        die("no upgrade: %.*s", (int)(end - p), (const char *)p);
    c->state = S_SYNCING;
    c->started = now_ns();
    if (g->o.mode == MODE_ECHO)
        become_ready(g, c);
    else
        say_hello(g, c);
    return (size_t)(end - p) + 4;
}

static void conn_read(struct gen *g, struct conn *c)
{
    bool own = c->in_len > 0;
    uint8_t *buf = own ? c->in : g->buf;
    size_t cap = own ? c->in_cap : sizeof(g->buf), used = 0, need = 16;
    ssize_t n = recv(c->fd, buf + c->in_len, cap - c->in_len, 0);

    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            conn_close(g, c);
        return;
    }
    if (g->recording && g->o.mode != MODE_JOIN)
        g->t.bytes += (uint64_t)n;
    size_t len = c->in_len + (size_t)n;
    if (c->state == S_UPGRADING)
        used = take_upgrade(g, c, buf, len);
    if (c->state >= S_SYNCING && c->state != S_CLOSED)
        used += take_frames(g, c, buf + used, len - used, &need);
    if (c->state == S_CLOSED)
        return;
    len -= used;
    if (len == 0) {
        free(c->in);
        c->in = NULL;
        c->in_len = c->in_cap = 0;
        return;
    }
    if (own)
        memmove(c->in, c->in + used, len);
    size_t room = need > len ? need : len;
    if (c->in_cap < room + 4096) {
        c->in_cap = room + 4096;
        c->in = xrealloc(c->in, c->in_cap);
    }
    if (!own)
        memcpy(c->in, buf + used, len);
    c->in_len = len;
}

/* ---- opening connections ----------------------------------------------------------------- */

static void conn_open(struct gen *g, struct conn *c)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.u32 = c->index};
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        die("socket: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(c->fd, (struct sockaddr *)&g->o.addr, sizeof(g->o.addr)) != 0 &&
        errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    c->state = S_CONNECTING;
    c->wants_write = true;
    epoll_ctl(g->ep, EPOLL_CTL_ADD, c->fd, &ev);
    g->opening++;
    g->open++;
}

/* Connection number `i` sits in document i / per_doc; the first ones of a document write. */
static struct conn *conn_make(struct gen *g)
{
    struct conn *c = &g->conns[g->made];

    c->index = g->made++;
    c->doc = c->index / g->per_doc;
    c->place = c->index % g->per_doc;
    if (c->place < g->writers_per_doc || g->o.mode == MODE_ECHO)
        c->sent = xzalloc(RING * sizeof(*c->sent));
    if (g->o.cursors > 0)
        c->moved = xzalloc(RING * sizeof(*c->moved));
    conn_open(g, c);
    return c;
}

static void conn_upgrade(struct gen *g, struct conn *c)
{
    char text[768];
    int err = 0, n;
    socklen_t len = sizeof(err);

    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
    if (err != 0)
        die("connect: %s", strerror(err));
    n = snprintf(text, sizeof(text),
                 "GET %s%s HTTP/1.1\r\nHost: %s:%u\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                 g->o.path, g->o.hocuspocus || g->o.mode == MODE_ECHO ? "" : g->docs[c->doc].name,
                 inet_ntoa(g->o.addr.sin_addr), ntohs(g->o.addr.sin_port));
    c->state = S_UPGRADING;
    conn_watch(g, c, false);
    conn_write(g, c, (const uint8_t *)text, (size_t)n);
}

static void on_event(struct gen *g, const struct epoll_event *ev)
{
    struct conn *c = &g->conns[ev->data.u32];

    if (c->state == S_CLOSED)
        return;
    if (c->state == S_CONNECTING) {
        if (ev->events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
            conn_upgrade(g, c);
        return;
    }
    if ((ev->events & EPOLLOUT) && c->out_len > 0)
        conn_flush(g, c);
    if (c->state != S_CLOSED && (ev->events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
        conn_read(g, c);
}

/* ---- the loop and its schedule -------------------------------------------------------------- */

/* Time to the next arrival of a process with `rate` arrivals a second. */
static uint64_t gap_ns(struct gen *g, double rate)
{
    double u = (double)(rnd(g) >> 11) / (double)(UINT64_C(1) << 53);

    return (uint64_t)((g->o.even ? 1.0 : -log(1.0 - u)) / rate * 1e9);
}

static struct conn *next_person(struct gen *g, uint64_t *turn, uint32_t people)
{
    uint64_t all = (uint64_t)people * g->o.docs;
    uint64_t k = g->o.even ? (*turn)++ % all : rnd(g) % all;

    return &g->conns[(k % g->o.docs) * g->per_doc + k / g->o.docs];
}

static void fire_due(struct gen *g)
{
    uint64_t now = now_ns();
    double edits = g->o.rate * g->writers_per_doc * g->o.docs;
    double moves = g->o.cursors * g->per_doc * g->o.docs;

    while (edits > 0 && g->next_edit <= now) {
        if (now - g->next_edit > g->lag_max && g->recording)
            g->lag_max = now - g->next_edit;
        say_edit(g, next_person(g, &g->turn, g->writers_per_doc));
        g->next_edit += gap_ns(g, edits);
    }
    while (moves > 0 && g->next_cursor <= now) {
        say_cursor(g, next_person(g, &g->cursor_turn, g->per_doc), false);
        g->next_cursor += gap_ns(g, moves);
    }
}

/* Turns until `until`, or until `done` says so. Opens connections up to the target on the
 * way, a few at a time, and keeps to the schedule while g->writing. */
static void loop(struct gen *g, uint64_t until, bool (*done)(const struct gen *))
{
    struct epoll_event ev[64];

    for (;;) {
        while (g->made < g->target && g->opening < HANDSHAKES_MAX)
            conn_make(g);
        if (g->writing && g->o.mode == MODE_EDIT)
            fire_due(g);
        uint64_t now = now_ns(), wake = until;
        if (now >= until || (done != NULL && done(g)))
            return;
        if (g->writing && g->o.mode == MODE_EDIT) {
            if (g->o.rate > 0 && g->next_edit < wake)
                wake = g->next_edit;
            if (g->o.cursors > 0 && g->next_cursor < wake)
                wake = g->next_cursor;
        }
        uint64_t wait = wake > now ? wake - now : 0;
        struct timespec ts = {(time_t)(wait / 1000000000u), (long)(wait % 1000000000u)};
        int n = epoll_pwait2(g->ep, ev, 64, &ts, NULL);
        for (int i = 0; i < n; i++)
            on_event(g, &ev[i]);
    }
}

static bool all_ready(const struct gen *g)
{
    return g->ready + g->closed >= g->target;
}

static bool all_delivered(const struct gen *g)
{
    return g->delivered >= g->expected;
}

static uint64_t after(double seconds)
{
    return now_ns() + (uint64_t)(seconds * 1e9);
}

static void open_to(struct gen *g, uint32_t target)
{
    g->target = target;
    loop(g, after(60), all_ready);
    if (g->ready < target)
        die("%u of %u connections are ready after 60 s (%u closed)", g->ready, target, g->closed);
}

/* ---- the four parts ----------------------------------------------------------------------------
 */

static double self_cpu_s(void)
{
    struct rusage ru;

    getrusage(RUSAGE_SELF, &ru);
    return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
           (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

static double per_million(double cpu, uint64_t n)
{
    return n == 0 ? 0 : cpu / ((double)n / 1e6);
}

struct mark {
    uint64_t at, cpu;
    double self;
};

static struct mark mark_now(const struct gen *g)
{
    struct mark m = {now_ns(), g->o.pid > 0 ? cpu_ns(g->o.pid) : 0, self_cpu_s()};

    return m;
}

static void start_recording(struct gen *g)
{
    memset(&g->t, 0, sizeof(g->t));
    g->record_from = now_ns();
    g->recording = true;
}

static void run_edit(struct gen *g)
{
    const struct opts *o = &g->o;
    uint64_t before, sent;
    struct mark a, b;

    open_to(g, o->conns);
    g->next_edit = g->next_cursor = now_ns();
    g->writing = true;
    loop(g, after(o->warm), NULL);
    start_recording(g);
    before = g->delivered;
    a = mark_now(g);
    loop(g, after(o->seconds), NULL);
    g->writing = false;
    sent = g->t.sent;
    loop(g, after(o->drain), all_delivered);
    if (o->rate <= 0)
        loop(g, after(0.1), NULL); /* the last cursors */
    b = mark_now(g);

    uint64_t delivered = g->delivered - before, missing = g->expected - g->delivered;
    double cpu = (double)(b.cpu - a.cpu) / 1e9, wall = (double)(b.at - a.at) / 1e9;
    double gen_cpu = (b.self - a.self) / wall;
    printf("{\"mode\":\"edit\",\"proto\":\"%s\",\"conns\":%u,\"docs\":%u,\"writers\":%u,"
           "\"rate\":%g,\"cursors\":%g,\"sent\":%llu,\"delivered\":%llu,\"missing\":%llu,"
           "\"gaps\":%llu,\"unparsed\":%llu,\"closed\":%u,\"frames\":%llu,\"bytes\":%llu,"
           "\"moves\":%llu,\"acks\":%llu,\"wall_s\":%.3f,\"cpu_s\":%.4f,\"cores\":%.4f,"
           "\"cpu_s_per_million\":%.4f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,"
           "\"cursor_p50_ms\":%.3f,\"cursor_p99_ms\":%.3f,\"ack_p50_ms\":%.3f,"
           "\"ack_p99_ms\":%.3f,\"rss_kb\":%ld,\"pss_kb\":%ld,\"generator_cores\":%.3f,"
           "\"lag_max_ms\":%.3f}\n",
           o->hocuspocus ? "hocuspocus" : "y-websocket", o->conns, o->docs, o->writers, o->rate,
           o->cursors, (unsigned long long)sent, (unsigned long long)delivered,
           (unsigned long long)missing, (unsigned long long)g->gaps,
           (unsigned long long)g->unparsed, g->closed, (unsigned long long)g->t.frames,
           (unsigned long long)g->t.bytes, (unsigned long long)g->t.moves,
           (unsigned long long)g->t.acks, wall, cpu, cpu / wall, per_million(cpu, delivered),
           hist_ms(&g->edit, 0.5), hist_ms(&g->edit, 0.99), (double)g->edit.max / 1e6,
           hist_ms(&g->cursor, 0.5), hist_ms(&g->cursor, 0.99), hist_ms(&g->ack, 0.5),
           hist_ms(&g->ack, 0.99), smaps_kb(o->pid, "Rss:"), smaps_kb(o->pid, "Pss:"), gen_cpu,
           (double)g->lag_max / 1e6);
    fprintf(stderr,
            "%u people, %u write %g/s, cursors %g/s: %.3f CPU-s per million delivered edits, "
            "p50 %.2f p99 %.2f max %.2f ms; %llu delivered, %llu missing, server %.0f %% of a "
            "core, generator %.0f %%\n",
            o->conns, o->writers, o->rate, o->cursors, per_million(cpu, delivered),
            hist_ms(&g->edit, 0.5), hist_ms(&g->edit, 0.99), (double)g->edit.max / 1e6,
            (unsigned long long)delivered, (unsigned long long)missing, cpu / wall * 100,
            gen_cpu * 100);
}

static void run_echo(struct gen *g)
{
    const struct opts *o = &g->o;
    struct mark a, b;

    open_to(g, o->conns);
    g->writing = true;
    for (uint32_t i = 0; i < g->made; i++)
        for (unsigned k = 0; k < o->inflight; k++)
            say_echo(g, &g->conns[i]);
    loop(g, after(o->warm), NULL);
    start_recording(g);
    a = mark_now(g);
    loop(g, after(o->seconds), NULL);
    b = mark_now(g);

    double cpu = (double)(b.cpu - a.cpu) / 1e9, wall = (double)(b.at - a.at) / 1e9;
    printf("{\"mode\":\"echo\",\"conns\":%u,\"inflight\":%u,\"messages\":%llu,\"closed\":%u,"
           "\"per_second\":%.0f,\"cpu_s_per_million\":%.4f,\"cores\":%.3f,\"p50_ms\":%.4f,"
           "\"p99_ms\":%.4f,\"max_ms\":%.3f,\"generator_cores\":%.3f}\n",
           o->conns, o->inflight, (unsigned long long)g->t.messages, g->closed,
           (double)g->t.messages / wall, per_million(cpu, g->t.messages), cpu / wall,
           hist_ms(&g->edit, 0.5), hist_ms(&g->edit, 0.99), (double)g->edit.max / 1e6,
           (b.self - a.self) / wall);
    fprintf(stderr,
            "echo, %u connections, %u in flight: %.0f/s, %.3f CPU-s per million, p99 %.3f ms\n",
            o->conns, o->inflight, (double)g->t.messages / wall, per_million(cpu, g->t.messages),
            hist_ms(&g->edit, 0.99));
}

/* The slope between a tenth of the connections and all of them: what the first ones bring
 * along (tables, code pages, pools) is not any connection's. */
static void run_idle(struct gen *g)
{
    const struct opts *o = &g->o;
    uint32_t few = o->conns / 10;
    long before, after_kb;
    uint64_t from, opened;
    struct mark a, b;

    from = now_ns();
    open_to(g, few);
    loop(g, after(o->seconds), NULL);
    before = smaps_kb(o->pid, "Pss:");
    open_to(g, o->conns);
    opened = now_ns();
    loop(g, after(o->seconds), NULL);
    after_kb = smaps_kb(o->pid, "Pss:");
    a = mark_now(g);
    loop(g, after(o->seconds), NULL);
    b = mark_now(g);

    double each = (double)(after_kb - before) * 1024 / (o->conns - few);
    printf("{\"mode\":\"idle\",\"conns\":%u,\"docs\":%u,\"open\":%u,\"closed\":%u,"
           "\"bytes_each\":%.0f,\"pss_kb_before\":%ld,\"pss_kb\":%ld,\"open_s\":%.2f,"
           "\"idle_cores\":%.4f}\n",
           o->conns, o->docs, g->open, g->closed, each, before, after_kb,
           (double)(opened - from) / 1e9 - o->seconds,
           (double)(b.cpu - a.cpu) / (double)(b.at - a.at));
    fprintf(stderr, "idle, %u connections in %u documents: %.0f bytes each\n", o->conns, o->docs,
            each);
}

static void say_items(struct gen *g, struct conn *c, const struct wr *items, uint64_t n,
                      uint32_t clock)
{
    struct wr u = {xrealloc(NULL, items->len + 64), 0, items->len + 64};

    put_varuint(&u, 1);
    put_varuint(&u, n);
    put_varuint(&u, ID_BASE + c->index);
    put_varuint(&u, clock);
    put_bytes(&u, items->p, items->len);
    put_varuint(&u, 0);
    say_sync(g, c, 2, u.p, u.len);
    free(u.p);
}

/* Fills the document with about o.bytes of items: a base text, then words of twenty letters,
 * each set between two neighbours of the base at a place of its own. A text that was typed
 * front to back would be one item, and a server could hold and send it as one string. */
static void prefill(struct gen *g, struct conn *c)
{
    static const char word[] = "and so on they wrote";
    uint32_t words = (uint32_t)(g->o.bytes / 33), base = words + 2;
    size_t cap = base + 64 > 64 * PREFILL_ITEMS ? base + 64 : 64 * PREFILL_ITEMS;
    struct wr w = {xrealloc(NULL, cap), 0, cap};
    char *text = xrealloc(NULL, base + 1);
    uint32_t step = 7919;

    while (words % step == 0)
        step += 2;
    memset(text, '.', base);
    text[base] = '\0';
    put_item(&w, 0, -1, -1, text);
    say_items(g, c, &w, 1, 0);
    free(text);
    for (uint32_t i = 0, at = 0, clock = base; i < words;) {
        uint32_t n = 0, from = clock;

        for (w.len = 0; n < PREFILL_ITEMS && i < words; n++, i++, clock += sizeof(word) - 1) {
            at = (at + step) % words;
            put_item(&w, ID_BASE + c->index, at, (int64_t)at + 1, word);
        }
        say_items(g, c, &w, n, from);
    }
    g->expected = (uint64_t)base + (uint64_t)words * (sizeof(word) - 1);
    free(w.p);
}

static void run_join(struct gen *g)
{
    const struct opts *o = &g->o;
    uint32_t first = g->writers_per_doc > 0 ? 2 : 0;
    struct mark a, b;

    if (first > 0) { /* one who writes, and one who tells when all of it has arrived */
        g->conns[1].sent = xzalloc(RING * sizeof(uint64_t));
        open_to(g, 2);
        prefill(g, &g->conns[0]);
        loop(g, after(60), all_delivered);
        if (!all_delivered(g))
            die("the document is not filled after 60 s");
    }
    loop(g, after(o->warm), NULL);
    a = mark_now(g);
    for (uint32_t i = 0; i < o->joins; i++) {
        uint64_t limit = after(30);

        g->target++;
        while (g->joined <= i && now_ns() < limit)
            loop(g, after(0.5), all_ready);
        if (g->joined <= i)
            die("join %u has no answer after 30 s", i);
    }
    b = mark_now(g);

    double cpu = (double)(b.cpu - a.cpu) / 1e6 / o->joins;
    printf("{\"mode\":\"join\",\"joins\":%u,\"bytes\":%llu,\"cpu_ms_each\":%.3f,"
           "\"first_p50_ms\":%.3f,\"first_max_ms\":%.3f,\"whole_p50_ms\":%.3f,"
           "\"whole_max_ms\":%.3f,\"pss_kb\":%ld}\n",
           o->joins, (unsigned long long)(g->t.bytes / o->joins), cpu, hist_ms(&g->first, 0.5),
           (double)g->first.max / 1e6, hist_ms(&g->whole, 0.5), (double)g->whole.max / 1e6,
           smaps_kb(o->pid, "Pss:"));
    fprintf(stderr, "join of %llu bytes: %.2f ms CPU each, first byte p50 %.2f ms, whole %.2f ms\n",
            (unsigned long long)(g->t.bytes / o->joins), cpu, hist_ms(&g->first, 0.5),
            hist_ms(&g->whole, 0.5));
}

/* ---- the command line -------------------------------------------------------------------------
 */

static const char usage[] =
    "loadgen --url HOST:PORT[/PATH/] [options]\n"
    "  --mode edit|echo|idle|join     what to do (edit)\n"
    "  --proto y-websocket|hocuspocus (y-websocket: the room's name is added to the path)\n"
    "  --pid N          the server's process, to read its CPU and memory\n"
    "  --conns N        connections (100)      --docs M       spread over M documents (1)\n"
    "  --writers W      of all who write (all) --rate R       edits a second of each (1)\n"
    "  --cursors C      moves a second of each --arrival poisson|even\n"
    "  --warm S         seconds not counted    --seconds S    seconds counted (8)\n"
    "  --drain S        wait for late edits    --inflight K   messages in flight (echo, 1)\n"
    "  --joins N        people who join (20)   --bytes B      size of the document (1 MB)\n"
    "  --room NAME      (one of its own)       --token T      --seed N\n"
    "With --mode join, --writers 0 joins a document that is there already.\n";

static void parse_url(struct opts *o, const char *url)
{
    char host[64];
    unsigned port;
    int n = 0;

    if (sscanf(url, "%63[^:]:%u%n", host, &port, &n) != 2 || port > 65535 ||
        inet_pton(AF_INET, host, &o->addr.sin_addr) != 1)
        die("--url %s: expected ADDRESS:PORT/PATH, such as 127.0.0.1:8080/", url);
    o->addr.sin_family = AF_INET;
    o->addr.sin_port = htons((uint16_t)port);
    snprintf(o->path, sizeof(o->path), "%s", url[n] == '\0' ? "/" : url + n);
}

static unsigned choose(const char *what, const char *value, const char *const *names)
{
    for (unsigned i = 0; names[i] != NULL; i++)
        if (strcmp(value, names[i]) == 0)
            return i;
    die("--%s %s is not one of its values\n%s", what, value, usage);
}

static const struct option long_options[] = {
    {"url", 1, NULL, 'u'},     {"mode", 1, NULL, 'm'},     {"proto", 1, NULL, 'p'},
    {"pid", 1, NULL, 'P'},     {"conns", 1, NULL, 'n'},    {"docs", 1, NULL, 'd'},
    {"writers", 1, NULL, 'w'}, {"rate", 1, NULL, 'r'},     {"cursors", 1, NULL, 'c'},
    {"warm", 1, NULL, 'W'},    {"seconds", 1, NULL, 's'},  {"drain", 1, NULL, 'D'},
    {"joins", 1, NULL, 'j'},   {"inflight", 1, NULL, 'k'}, {"bytes", 1, NULL, 'b'},
    {"room", 1, NULL, 'R'},    {"token", 1, NULL, 't'},    {"seed", 1, NULL, 'S'},
    {"arrival", 1, NULL, 'a'}, {"help", 0, NULL, 'h'},     {NULL, 0, NULL, 0}};

static void parse_options(struct opts *o, int argc, char **argv)
{
    static const char *const modes[] = {"edit", "echo", "idle", "join", NULL};
    static const char *const protos[] = {"y-websocket", "hocuspocus", NULL};
    static const char *const arrivals[] = {"poisson", "even", NULL};
    int opt;

    while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (opt) {
        case 'u':
            parse_url(o, optarg);
            break;
        case 'm':
            o->mode = (enum mode)choose("mode", optarg, modes);
            break;
        case 'p':
            o->hocuspocus = choose("proto", optarg, protos) == 1;
            break;
        case 'a':
            o->even = choose("arrival", optarg, arrivals) == 1;
            break;
        case 'P':
            o->pid = atoi(optarg);
            break;
        case 'n':
            o->conns = (unsigned)atoi(optarg);
            break;
        case 'd':
            o->docs = (unsigned)atoi(optarg);
            break;
        case 'w':
            o->writers = (unsigned)atoi(optarg);
            break;
        case 'r':
            o->rate = atof(optarg);
            break;
        case 'c':
            o->cursors = atof(optarg);
            break;
        case 'W':
            o->warm = atof(optarg);
            break;
        case 's':
            o->seconds = atof(optarg);
            break;
        case 'D':
            o->drain = atof(optarg);
            break;
        case 'j':
            o->joins = (unsigned)atoi(optarg);
            break;
        case 'k':
            o->inflight = (unsigned)atoi(optarg);
            break;
        case 'b':
            o->bytes = (size_t)atol(optarg);
            break;
        case 'R':
            snprintf(o->room, sizeof(o->room), "%s", optarg);
            break;
        case 't':
            snprintf(o->token, sizeof(o->token), "%s", optarg);
            break;
        case 'S':
            o->seed = strtoull(optarg, NULL, 10);
            break;
        default:
            fputs(usage, stderr);
            exit(opt == 'h' ? 0 : 2);
        }
    }
    if (o->addr.sin_port == 0)
        die("no --url\n%s", usage);
}

static void gen_init(struct gen *g)
{
    struct opts *o = &g->o;
    struct rlimit files;

    if (o->mode == MODE_JOIN) {
        o->docs = 1;
        o->writers = o->writers == 0 ? 0 : 1;
        o->conns = o->joins + 2;
    }
    if (o->writers > o->conns)
        o->writers = o->conns;
    if (o->conns == 0 || o->docs == 0 || o->conns % o->docs != 0 || o->writers % o->docs != 0 ||
        o->inflight == 0 || o->inflight > RING || o->joins == 0)
        die("connections and writers must be a multiple of the documents; in flight 1 to %u", RING);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < o->conns + 16)
        die("%u connections need more than %lu open files", o->conns,
            (unsigned long)files.rlim_cur);
    g->rng = o->seed * 0x9e3779b97f4a7c15u + 1;
    g->per_doc = o->conns / o->docs;
    g->writers_per_doc = o->writers / o->docs;
    g->conns = xzalloc(o->conns * sizeof(*g->conns));
    g->docs = xzalloc(o->docs * sizeof(*g->docs));
    for (unsigned i = 0; i < o->docs; i++) {
        struct doc *d = &g->docs[i];

        snprintf(d->name, sizeof(d->name), o->docs == 1 ? "%s" : "%s-%u", o->room, i);
        d->people = g->per_doc;
        d->writers = g->writers_per_doc;
        d->seen = xzalloc((size_t)d->people * d->writers * sizeof(*d->seen));
    }
    g->ep = epoll_create1(EPOLL_CLOEXEC);
    if (g->ep < 0)
        die("epoll: %s", strerror(errno));
}

int main(int argc, char **argv)
{
    static void (*const parts[])(struct gen *) = {run_edit, run_echo, run_idle, run_join};
    struct gen *g = xzalloc(sizeof(*g));
    struct opts *o = &g->o;

    *o = (struct opts){.conns = 100,
                       .docs = 1,
                       .writers = UINT32_MAX,
                       .inflight = 1,
                       .joins = 20,
                       .bytes = 1 << 20,
                       .rate = 1,
                       .seconds = 8,
                       .warm = 1,
                       .drain = 20,
                       .seed = 1};
    snprintf(o->room, sizeof(o->room), "bench-%d", (int)getpid());
    parse_options(o, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    gen_init(g);
    parts[o->mode](g);
    return g->gaps > 0 || g->unparsed > 0;
}
