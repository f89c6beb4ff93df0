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
 * One thread, one epoll (lib/ws_client), nothing but libc, so that the generator stays
 * cheaper than any server; its own CPU is printed, because a generator that is at its limit
 * measures itself.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/bytes.h"
#include "lib/measure.h"
#include "lib/ws_client.h"

#define RING 1024u          /* send times kept for each writer: a power of two */
#define ECHO_BYTES 20u      /* payload of an echo message */
#define HANDSHAKES_MAX 64u  /* connections that are being opened at the same time */
#define ID_BASE 0x50000000u /* client ids take five bytes, as random ones do */
#define PREFILL_ITEMS 500u  /* items in one update while a document is filled */

enum mode { MODE_EDIT, MODE_ECHO, MODE_IDLE, MODE_JOIN };
enum proto { PROTO_Y_WEBSOCKET, PROTO_HOCUSPOCUS, PROTO_NONE };
enum arrival { ARRIVAL_POISSON, ARRIVAL_EVEN };
enum state { S_OPENING, S_READY, S_CLOSED };

static const char *const modes[] = {"edit", "echo", "idle", "join", NULL};
static const char *const protos[] = {"y-websocket", "hocuspocus", "none", NULL};
static const char *const arrivals[] = {"poisson", "even", NULL};

struct opts {
    unsigned mode, proto, arrival;
    unsigned pid, seed, conns, docs, writers, inflight, joins, bytes;
    double rate, cursors, seconds, warm, drain;
    const char *url, *room, *token;
    const char *path; /* of the endpoint; y-websocket appends the room to it */
};

struct conn {
    struct wsc ws; /* first: the callbacks get this one */
    enum state state;
    uint32_t index, doc, place; /* place: its number within the document */
    uint32_t clock, cursor_clock, acked, sent_frames;
    bool joiner;      /* comes for the document and leaves */
    uint64_t started; /* when the handshake was done, for a join */
    uint64_t *sent;   /* RING send times of edits or echo messages, for those who send */
    uint64_t *moved;  /* RING send times of cursor moves */
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
    struct wsc_set set;
    struct conn *conns;
    struct doc *docs;
    uint32_t made, ready, closed, opening, target;
    uint32_t per_doc, writers_per_doc;
    uint64_t next_edit, next_cursor, record_from;
    uint64_t turn, cursor_turn;
    uint64_t expected, delivered; /* since the first edit, warm-up included */
    uint64_t gaps, unparsed;
    uint64_t lag_max; /* by how much the schedule was missed at worst */
    uint64_t joined;
    bool writing, recording;
    struct totals t;
    struct hist edit, cursor, ack, first, whole;
};

/* ---- what people say ------------------------------------------------------------------ */

/* Starts a message: the document's name for Hocuspocus, then the type. */
static void put_head(const struct gen *g, const struct conn *c, struct wr *w, unsigned type)
{
    if (g->o.proto == PROTO_HOCUSPOCUS)
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
    wsc_send(&g->set, &c->ws, 2, w.p, w.len);
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
    wsc_send(&g->set, &c->ws, 2, w.p, w.len);
}

static void say_hello(struct gen *g, struct conn *c)
{
    static const uint8_t empty_sv[] = {0};

    if (g->o.proto == PROTO_HOCUSPOCUS) {
        uint8_t message[1024];
        struct wr w = {message, 0, sizeof(message)};

        put_head(g, c, &w, 2);
        put_varuint(&w, 0);
        put_string(&w, g->o.token);
        put_string(&w, "4.8.0");
        wsc_send(&g->set, &c->ws, 2, w.p, w.len);
    }
    say_sync(g, c, 0, empty_sv, sizeof(empty_sv));
    if (!c->joiner)
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
    wsc_send(&g->set, &c->ws, 2, w.p, w.len);
}

/* Sends `n` structs whose bytes are `items`, the first of them at the writer's `clock`. */
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

/* A text of `n` characters as one item. */
static void say_text(struct gen *g, struct conn *c, uint32_t n)
{
    struct wr w = {xrealloc(NULL, (size_t)n + 64), 0, (size_t)n + 64};
    char *text = xrealloc(NULL, (size_t)n + 1);

    memset(text, '.', n);
    text[n] = '\0';
    put_item(&w, 0, -1, -1, text);
    say_items(g, c, &w, 1, 0);
    free(text);
    free(w.p);
}

static void say_echo(struct gen *g, struct conn *c)
{
    static const uint8_t bytes[ECHO_BYTES] = "twenty bytes, echoed";

    c->sent[c->sent_frames++ & (RING - 1)] = now_ns();
    wsc_send(&g->set, &c->ws, 2, bytes, sizeof(bytes));
}

/* ---- what people hear ----------------------------------------------------------------- */

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
    if (g->o.mode == MODE_IDLE && c->place < g->writers_per_doc)
        say_text(g, c, g->o.bytes);
}

/* Somebody who came for the document has an answer. One that is far too small is from before
 * the document was loaded: the next frame brings the rest. */
static void hear_document(struct gen *g, struct conn *c, size_t n, uint64_t now)
{
    uint64_t first = c->ws.big_at != 0 ? c->ws.big_at : now;

    if (n < g->o.bytes / 2)
        return;
    hist_add(&g->first, first > c->started ? first - c->started : 0);
    hist_add(&g->whole, now - c->started);
    g->t.bytes += n;
    g->joined++;
    become_ready(g, c);
    wsc_close(&g->set, &c->ws);
}

static void hear_sync(struct gen *g, struct conn *c, struct rd r, uint64_t now)
{
    static const uint8_t nothing[] = {0, 0};
    uint64_t sub = get_varuint(&r);
    struct rd body = get_bytes(&r);

    if (r.bad) {
        g->unparsed++;
    } else if (c->joiner) {
        if (sub == 1)
            hear_document(g, c, (size_t)(body.end - body.p), now);
    } else if (sub == 0) {
        say_sync(g, c, 1, nothing, sizeof(nothing));
    } else {
        hear_update(g, c, body, now);
        if (sub == 1)
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

static void on_message(struct wsc_set *s, struct wsc *ws, const uint8_t *p, size_t n, uint64_t now)
{
    struct gen *g = s->ctx;
    struct conn *c = (struct conn *)ws;
    struct rd r = {p, p + n, false};

    g->t.frames += g->recording;
    if (g->o.mode == MODE_ECHO) {
        hear_echo(g, c, now);
        return;
    }
    if (g->o.proto == PROTO_HOCUSPOCUS) {
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

/* ---- connections -------------------------------------------------------------------- */

static void on_connect(struct wsc_set *s, struct wsc *ws, char *path, size_t cap)
{
    struct gen *g = s->ctx;
    struct conn *c = (struct conn *)ws;
    bool room = g->o.proto == PROTO_Y_WEBSOCKET && g->o.mode != MODE_ECHO;

    snprintf(path, cap, "%s%s", g->o.path, room ? g->docs[c->doc].name : "");
}

static void on_open(struct wsc_set *s, struct wsc *ws)
{
    struct gen *g = s->ctx;
    struct conn *c = (struct conn *)ws;

    c->started = now_ns();
    if (g->o.mode == MODE_ECHO || g->o.proto == PROTO_NONE)
        become_ready(g, c);
    else
        say_hello(g, c);
}

static void on_close(struct wsc_set *s, struct wsc *ws)
{
    struct gen *g = s->ctx;
    struct conn *c = (struct conn *)ws;

    if (c->state == S_READY)
        g->ready--;
    else
        g->opening--;
    c->state = S_CLOSED;
    g->closed++;
}

static const struct wsc_events events = {on_connect, on_open, on_message, on_close};

/* Connection number `i` sits in document i / per_doc; the first ones of a document write.
 * Of a document that is joined, the first two are those who fill it. */
static void conn_make(struct gen *g)
{
    struct conn *c = &g->conns[g->made];
    size_t ring = RING * sizeof(uint64_t);

    c->index = g->made++;
    c->doc = c->index / g->per_doc;
    c->place = c->index % g->per_doc;
    c->joiner = g->o.mode == MODE_JOIN && c->index >= 2 * g->writers_per_doc;
    if (c->place < g->writers_per_doc || g->o.mode == MODE_ECHO)
        c->sent = xzalloc(ring);
    if (g->o.cursors > 0)
        c->moved = xzalloc(ring);
    g->opening++;
    wsc_open(&g->set, &c->ws);
}

/* ---- the loop and its schedule --------------------------------------------------------- */

/* Time to the next arrival of a process with `rate` arrivals a second. */
static uint64_t gap_ns(struct gen *g, double rate)
{
    double u = (double)(wsc_random(&g->set) >> 11) / (double)(UINT64_C(1) << 53);

    return (uint64_t)((g->o.arrival == ARRIVAL_EVEN ? 1.0 : -log(1.0 - u)) / rate * 1e9);
}

static struct conn *next_person(struct gen *g, uint64_t *turn, uint32_t people)
{
    uint64_t all = (uint64_t)people * g->o.docs;
    uint64_t k = (g->o.arrival == ARRIVAL_EVEN ? (*turn)++ : wsc_random(&g->set)) % all;

    return &g->conns[(k % g->o.docs) * g->per_doc + k / g->o.docs];
}

/* Sends what is due; returns when the next one is. */
static uint64_t fire_due(struct gen *g)
{
    uint64_t now = now_ns(), wake = UINT64_MAX;
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
    if (edits > 0)
        wake = g->next_edit;
    if (moves > 0 && g->next_cursor < wake)
        wake = g->next_cursor;
    return wake;
}

/* Turns until `until`, or until `done` says so. Opens connections up to the target on the
 * way, a few at a time, and keeps to the schedule while g->writing. */
static void loop(struct gen *g, uint64_t until, bool (*done)(const struct gen *))
{
    for (;;) {
        uint64_t wake = until, now;

        while (g->made < g->target && g->opening < HANDSHAKES_MAX)
            conn_make(g);
        if (g->writing && g->o.mode == MODE_EDIT) {
            wake = fire_due(g);
            if (wake > until)
                wake = until;
        }
        now = now_ns();
        if (now >= until || (done != NULL && done(g)))
            return;
        wsc_turn(&g->set, wake > now ? wake - now : 0);
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

static void wait_s(struct gen *g, double seconds)
{
    loop(g, after_ns(seconds), NULL);
}

static void open_to(struct gen *g, uint32_t target)
{
    g->target = target;
    loop(g, after_ns(60), all_ready);
    if (g->ready < target)
        die("%u of %u connections are ready after 60 s (%u closed)", g->ready, target, g->closed);
}

/* ---- the four parts ---------------------------------------------------------------- */

static void start_recording(struct gen *g)
{
    memset(&g->t, 0, sizeof(g->t));
    g->t.bytes = g->set.bytes_in;
    g->record_from = now_ns();
    g->recording = true;
}

/* What there is to say about a run between two marks. */
static void report_edit(const struct gen *g, const struct mark *a, const struct mark *b,
                        unsigned long long sent, unsigned long long delivered)
{
    const struct opts *o = &g->o;
    int pid = (int)o->pid;
    unsigned long long missing = g->expected - g->delivered;
    double cpu = mark_cpu_s(a, b), wall = mark_wall_s(a, b), gen = (b->self - a->self) / wall;
    double each = per_million(cpu, delivered);

    printf("{\"mode\":\"edit\",\"proto\":\"%s\",\"conns\":%u,\"docs\":%u,\"writers\":%u,"
           "\"rate\":%g,\"cursors\":%g,\"sent\":%llu,\"delivered\":%llu,\"missing\":%llu,",
           protos[o->proto], o->conns, o->docs, o->writers, o->rate, o->cursors, sent, delivered,
           missing);
    printf("\"gaps\":%llu,\"unparsed\":%llu,\"closed\":%u,\"frames\":%llu,\"bytes\":%llu,"
           "\"moves\":%llu,\"acks\":%llu,",
           (unsigned long long)g->gaps, (unsigned long long)g->unparsed, g->closed,
           (unsigned long long)g->t.frames, (unsigned long long)(g->set.bytes_in - g->t.bytes),
           (unsigned long long)g->t.moves, (unsigned long long)g->t.acks);
    printf("\"wall_s\":%.3f,\"cpu_s\":%.4f,\"cores\":%.4f,\"cpu_s_per_million\":%.4f,"
           "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,",
           wall, cpu, cpu / wall, each, hist_ms(&g->edit, 0.5), hist_ms(&g->edit, 0.99),
           hist_max_ms(&g->edit));
    printf("\"cursor_p50_ms\":%.3f,\"cursor_p99_ms\":%.3f,\"ack_p50_ms\":%.3f,"
           "\"ack_p99_ms\":%.3f,\"rss_kb\":%ld,\"pss_kb\":%ld,\"generator_cores\":%.3f,"
           "\"lag_max_ms\":%.3f}\n",
           hist_ms(&g->cursor, 0.5), hist_ms(&g->cursor, 0.99), hist_ms(&g->ack, 0.5),
           hist_ms(&g->ack, 0.99), smaps_kb(pid, "Rss:"), smaps_kb(pid, "Pss:"), gen,
           (double)g->lag_max / 1e6);
    fprintf(stderr,
            "%u people, %u write %g/s, cursors %g/s: %.3f CPU-s per million delivered edits, "
            "p50 %.2f p99 %.2f max %.2f ms; %llu delivered, %llu missing, server %.0f %% of a "
            "core, generator %.0f %%\n",
            o->conns, o->writers, o->rate, o->cursors, each, hist_ms(&g->edit, 0.5),
            hist_ms(&g->edit, 0.99), hist_max_ms(&g->edit), delivered, missing, cpu / wall * 100,
            gen * 100);
}

static void run_edit(struct gen *g)
{
    const struct opts *o = &g->o;
    uint64_t before, sent;
    struct mark a, b;

    open_to(g, o->conns);
    g->next_edit = g->next_cursor = now_ns();
    g->writing = true;
    wait_s(g, o->warm);
    start_recording(g);
    before = g->delivered;
    a = mark_now((int)o->pid);
    wait_s(g, o->seconds);
    g->writing = false;
    sent = g->t.sent;
    loop(g, after_ns(o->drain), all_delivered);
    if (o->rate <= 0)
        wait_s(g, 0.1); /* the last cursors */
    b = mark_now((int)o->pid);
    report_edit(g, &a, &b, sent, g->delivered - before);
}

static void run_echo(struct gen *g)
{
    const struct opts *o = &g->o;
    int pid = (int)o->pid;
    struct mark a, b;

    open_to(g, o->conns);
    g->writing = true;
    for (uint32_t i = 0; i < g->made; i++)
        for (unsigned k = 0; k < o->inflight; k++)
            say_echo(g, &g->conns[i]);
    wait_s(g, o->warm);
    start_recording(g);
    a = mark_now(pid);
    wait_s(g, o->seconds);
    b = mark_now(pid);

    double cpu = mark_cpu_s(&a, &b), wall = mark_wall_s(&a, &b);
    printf("{\"mode\":\"echo\",\"conns\":%u,\"inflight\":%u,\"messages\":%llu,\"closed\":%u,"
           "\"per_second\":%.0f,\"cpu_s_per_million\":%.4f,\"cores\":%.3f,\"p50_ms\":%.4f,"
           "\"p99_ms\":%.4f,\"max_ms\":%.3f,\"generator_cores\":%.3f}\n",
           o->conns, o->inflight, (unsigned long long)g->t.messages, g->closed,
           (double)g->t.messages / wall, per_million(cpu, g->t.messages), cpu / wall,
           hist_ms(&g->edit, 0.5), hist_ms(&g->edit, 0.99), hist_max_ms(&g->edit),
           (b.self - a.self) / wall);
    fprintf(stderr,
            "echo, %u connections, %u in flight: %.0f/s, %.3f CPU-s per million, p99 %.3f ms\n",
            o->conns, o->inflight, (double)g->t.messages / wall, per_million(cpu, g->t.messages),
            hist_ms(&g->edit, 0.99));
}

/* What the server grows by between a hundredth of the connections and all of them: the first
 * ones bring code pages and tables along. Caches that fill on the way count. Then all leave,
 * and what is still there is the rest. */
static void run_idle(struct gen *g)
{
    const struct opts *o = &g->o;
    uint32_t few = o->conns / 100, more = o->conns - few;
    int pid = (int)o->pid;
    long few_kb, all_kb, left_kb;
    struct mark a, b, c;

    open_to(g, few);
    wait_s(g, o->seconds);
    few_kb = smaps_kb(pid, "Pss:");
    a = mark_now(pid);
    open_to(g, o->conns);
    b = mark_now(pid);
    wait_s(g, o->seconds);
    c = mark_now(pid);
    all_kb = smaps_kb(pid, "Pss:");
    uint32_t lost = g->closed;
    for (uint32_t i = 0; i < g->made; i++)
        wsc_close(&g->set, &g->conns[i].ws);
    wait_s(g, o->drain);
    left_kb = smaps_kb(pid, "Pss:");

    double each = (double)(all_kb - few_kb) * 1024 / more;
    double left = (double)(left_kb - few_kb) * 1024 / more;
    printf("{\"mode\":\"idle\",\"conns\":%u,\"docs\":%u,\"closed\":%u,\"bytes_each\":%.0f,"
           "\"bytes_left\":%.0f,\"pss_kb\":%ld,\"open_s\":%.2f,\"idle_cores\":%.4f}\n",
           o->conns, o->docs, lost, each, left < 0 ? 0 : left, all_kb, mark_wall_s(&a, &b),
           mark_cpu_s(&b, &c) / mark_wall_s(&b, &c));
    fprintf(stderr, "idle, %u connections in %u documents: %.0f bytes each, %.0f when gone\n",
            o->conns, o->docs, each, left);
}

/* Fills the document with about o.bytes of items: a base text, then words of twenty letters,
 * each set between two neighbours of the base at a place of its own. A text that was typed
 * front to back would be one item, and a server could hold and send it as one string. */
static void prefill(struct gen *g, struct conn *c)
{
    static const char word[] = "and so on they wrote";
    uint32_t words = g->o.bytes / 48, base = words + 2, step = 7919;
    struct wr w = {xrealloc(NULL, 64 * PREFILL_ITEMS), 0, 64 * PREFILL_ITEMS};

    while (words % step == 0)
        step += 2;
    say_text(g, c, base);
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
    int pid = (int)o->pid;
    uint32_t first = g->writers_per_doc > 0 ? 2 : 0;
    struct mark a, b;

    if (first > 0) { /* one who writes, and one who tells when all of it has arrived */
        open_to(g, 2);
        prefill(g, &g->conns[0]);
        loop(g, after_ns(60), all_delivered);
        if (!all_delivered(g))
            die("the document is not filled after 60 s");
    }
    wait_s(g, o->warm);
    a = mark_now(pid);
    for (uint32_t i = 0; i < o->joins; i++) {
        uint64_t limit = after_ns(30);

        g->target++;
        while (g->joined <= i && now_ns() < limit)
            loop(g, after_ns(0.5), all_ready);
        if (g->joined <= i)
            die("join %u has no answer after 30 s", i);
    }
    b = mark_now(pid);

    double cpu = mark_cpu_s(&a, &b) * 1e3 / o->joins;
    printf("{\"mode\":\"join\",\"joins\":%u,\"bytes\":%llu,\"cpu_ms_each\":%.3f,"
           "\"first_p50_ms\":%.3f,\"first_max_ms\":%.3f,\"whole_p50_ms\":%.3f,"
           "\"whole_max_ms\":%.3f,\"pss_kb\":%ld}\n",
           o->joins, (unsigned long long)(g->t.bytes / o->joins), cpu, hist_ms(&g->first, 0.5),
           hist_max_ms(&g->first), hist_ms(&g->whole, 0.5), hist_max_ms(&g->whole),
           smaps_kb(pid, "Pss:"));
    fprintf(stderr, "join of %llu bytes: %.2f ms CPU each, first byte p50 %.2f ms, whole %.2f ms\n",
            (unsigned long long)(g->t.bytes / o->joins), cpu, hist_ms(&g->first, 0.5),
            hist_ms(&g->whole, 0.5));
}

/* ---- the command line --------------------------------------------------------------- */

static const char usage[] =
    "loadgen --url ADDRESS:PORT[/PATH/] [options]\n"
    "  --mode edit|echo|idle|join     what to do (edit)\n"
    "  --proto y-websocket|hocuspocus|none\n"
    "                   y-websocket: the room is added to the path; none: idle sockets only\n"
    "  --pid N          the server's process, to read its CPU and memory\n"
    "  --conns N        connections (100)      --docs M       spread over M documents (1)\n"
    "  --writers W      of all who write (all) --rate R       edits a second of each (1)\n"
    "  --cursors C      moves a second of each --arrival poisson|even\n"
    "  --warm S         seconds not counted    --seconds S    seconds counted (8)\n"
    "  --drain S        wait for late edits    --inflight K   messages in flight (echo, 1)\n"
    "  --joins N        people who join (20)   --bytes B      size of a document (1 MB)\n"
    "  --room NAME      (one of its own)       --token T      --seed N\n"
    "Idle writers fill their document once with --bytes. With --mode join, --writers 0 joins\n"
    "a document that is there already.\n";

/* Each option is a count, a number, a text, or one of a list of names. */
static const struct setting {
    const char *name;
    char kind;
    size_t at;
    const char *const *names;
} settings[] = {
    {"url", 's', offsetof(struct opts, url), NULL},
    {"mode", 'n', offsetof(struct opts, mode), modes},
    {"proto", 'n', offsetof(struct opts, proto), protos},
    {"arrival", 'n', offsetof(struct opts, arrival), arrivals},
    {"pid", 'u', offsetof(struct opts, pid), NULL},
    {"conns", 'u', offsetof(struct opts, conns), NULL},
    {"docs", 'u', offsetof(struct opts, docs), NULL},
    {"writers", 'u', offsetof(struct opts, writers), NULL},
    {"inflight", 'u', offsetof(struct opts, inflight), NULL},
    {"joins", 'u', offsetof(struct opts, joins), NULL},
    {"bytes", 'u', offsetof(struct opts, bytes), NULL},
    {"seed", 'u', offsetof(struct opts, seed), NULL},
    {"rate", 'd', offsetof(struct opts, rate), NULL},
    {"cursors", 'd', offsetof(struct opts, cursors), NULL},
    {"warm", 'd', offsetof(struct opts, warm), NULL},
    {"seconds", 'd', offsetof(struct opts, seconds), NULL},
    {"drain", 'd', offsetof(struct opts, drain), NULL},
    {"room", 's', offsetof(struct opts, room), NULL},
    {"token", 's', offsetof(struct opts, token), NULL},
};

static unsigned choose(const struct setting *s, const char *value)
{
    for (unsigned i = 0; s->names[i] != NULL; i++)
        if (strcmp(value, s->names[i]) == 0)
            return i;
    die("--%s %s is not one of its values\n%s", s->name, value, usage);
}

static void set_option(struct opts *o, const struct setting *s, const char *value)
{
    void *at = (char *)o + s->at;
    char *end = NULL;

    if (s->kind == 's')
        *(const char **)at = value;
    else if (s->kind == 'n')
        *(unsigned *)at = choose(s, value);
    else if (s->kind == 'u')
        *(unsigned *)at = (unsigned)strtoul(value, &end, 10);
    else
        *(double *)at = strtod(value, &end);
    if (end != NULL && (end == value || *end != '\0'))
        die("--%s %s is not a number", s->name, value);
}

static void parse_options(struct opts *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        const struct setting *s = settings, *end = s + sizeof(settings) / sizeof(*s);

        while (s < end && (strncmp(argv[i], "--", 2) != 0 || strcmp(argv[i] + 2, s->name) != 0))
            s++;
        if (s == end || i + 1 == argc)
            die("%s: no such option, or nothing behind it\n%s", argv[i], usage);
        set_option(o, s, argv[i + 1]);
    }
}

static void parse_url(struct gen *g)
{
    struct sockaddr_in *addr = &g->set.addr;
    const char *url = g->o.url;
    char host[64];
    unsigned port;
    int n = 0;

    if (url == NULL || sscanf(url, "%63[^:]:%u%n", host, &port, &n) != 2 || port > 65535 ||
        inet_pton(AF_INET, host, &addr->sin_addr) != 1)
        die("--url ADDRESS:PORT/PATH is needed, such as 127.0.0.1:8080/\n%s", usage);
    addr->sin_family = AF_INET;
    addr->sin_port = htons((uint16_t)port);
    g->o.path = url[n] == '\0' ? "/" : url + n;
}

/* One file for each connection, as far as this user may. */
static void raise_files(unsigned conns)
{
    struct rlimit files;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < conns + 16)
        die("%u connections need more than %lu open files", conns, (unsigned long)files.rlim_cur);
}

static void gen_init(struct gen *g)
{
    struct opts *o = &g->o;

    if (o->mode == MODE_JOIN) {
        o->docs = 1;
        o->writers = o->writers == 0 ? 0 : 1;
        o->conns = o->joins + 2;
    }
    if (o->proto == PROTO_NONE)
        o->writers = 0;
    if (o->writers > o->conns)
        o->writers = o->conns;
    if (o->conns == 0 || o->docs == 0 || o->conns % o->docs != 0 || o->writers % o->docs != 0)
        die("connections and writers must be a multiple of the documents");
    if (o->inflight == 0 || o->inflight > RING || o->joins == 0)
        die("--inflight is 1 to %u, --joins 1 or more", RING);
    raise_files(o->conns);
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
    g->set.events = &events;
    g->set.ctx = g;
    g->set.rng = o->seed * 0x9e3779b97f4a7c15u + 1;
    wsc_set_init(&g->set);
}

int main(int argc, char **argv)
{
    static void (*const parts[])(struct gen *) = {run_edit, run_echo, run_idle, run_join};
    struct gen *g = xzalloc(sizeof(*g));
    char room[32];

    snprintf(room, sizeof(room), "bench-%d", (int)getpid());
    g->o = (struct opts){.conns = 100,
                         .docs = 1,
                         .writers = UINT32_MAX,
                         .inflight = 1,
                         .joins = 20,
                         .bytes = 1 << 20,
                         .rate = 1,
                         .seconds = 8,
                         .warm = 1,
                         .drain = 20,
                         .seed = 1,
                         .room = room,
                         .token = ""};
    parse_options(&g->o, argc, argv);
    parse_url(g);
    gen_init(g);
    parts[g->o.mode](g);
    return g->gaps > 0 || g->unparsed > 0;
}
