/* Rooms with a real store, real loops and real documents; only the sockets are
 * missing. Members note what they are told; the test waits for it. */
#include "room/room.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "store/store.h"
#include "ydoc/lib0.h"

#define WAIT_S 20

/* --- a process of two workers ----------------------------------------------------- */

struct world;

struct worker {
    struct world *w;
    struct loop *loop;
    pthread_t thread;
};

struct world {
    char dir[64];
    struct store *store;
    struct engine *engine;
    struct mem_account account;
    struct worker workers[2];
    pthread_mutex_t lock;
    pthread_cond_t told;
};

static void *worker_main(void *arg)
{
    struct worker *k = arg;

    loop_run(k->loop);
    return NULL;
}

/* Runs fn(arg) on a worker's thread and waits for it. */
struct call {
    struct loop_message message;
    struct world *w;
    void (*fn)(struct loop *l, void *arg);
    void *arg;
    bool done;
};

static void call_run(struct loop *l, struct loop_message *m)
{
    struct call *c = (struct call *)(void *)m;

    c->fn(l, c->arg);
    pthread_mutex_lock(&c->w->lock);
    c->done = true;
    pthread_cond_broadcast(&c->w->told);
    pthread_mutex_unlock(&c->w->lock);
}

static void deadline(struct timespec *t)
{
    clock_gettime(CLOCK_REALTIME, t);
    t->tv_sec += WAIT_S;
}

static void call_on(struct world *w, struct loop *l, void (*fn)(struct loop *, void *), void *arg)
{
    struct call c = {.message = {.run = call_run}, .w = w, .fn = fn, .arg = arg};

    loop_post(l, &c.message);
    pthread_mutex_lock(&w->lock);
    while (!c.done)
        pthread_cond_wait(&w->told, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

static void start_fn(struct loop *l, void *arg)
{
    engine_start_worker(arg, l);
}

static void stop_fn(struct loop *l, void *arg)
{
    engine_stop_worker(arg, l);
}

static void *start_main(void *arg)
{
    struct worker *k = arg;

    call_on(k->w, k->loop, start_fn, k->w->engine);
    return NULL;
}

static void open_world(struct world *w, const struct engine_options *base)
{
    struct store_options so = {.dir = w->dir};
    struct engine_options eo = *base;
    pthread_t helpers[2];
    struct err e;

    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->told, NULL);
    mem_account_init(&w->account, "test", mem_process(), 0);
    CHECK_EQ(store_open(&w->store, &so, &e), 0);
    eo.store = w->store;
    eo.workers = 2;
    CHECK_EQ(engine_new(&w->engine, &eo, &e), 0);
    for (unsigned i = 0; i < 2; i++) {
        w->workers[i].w = w;
        CHECK_EQ(loop_new(&w->workers[i].loop, i, &w->account, &e), 0);
        pthread_create(&w->workers[i].thread, NULL, worker_main, &w->workers[i]);
    }
    for (unsigned i = 0; i < 2; i++) /* both at once: starting waits for the other */
        pthread_create(&helpers[i], NULL, start_main, &w->workers[i]);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(helpers[i], NULL);
}

static void close_world(struct world *w)
{
    for (unsigned i = 0; i < 2; i++)
        call_on(w, w->workers[i].loop, stop_fn, w->engine);
    for (unsigned i = 0; i < 2; i++)
        loop_stop(w->workers[i].loop);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(w->workers[i].thread, NULL);
    store_close(w->store);
    for (unsigned i = 0; i < 2; i++)
        loop_free(w->workers[i].loop);
    engine_free(w->engine);
}

static void new_world(struct world *w, const struct engine_options *o)
{
    memset(w, 0, sizeof(*w));
    snprintf(w->dir, sizeof(w->dir), "/tmp/skein-room-XXXXXX");
    CHECK(mkdtemp(w->dir) != NULL);
    open_world(w, o);
}

static void remove_world(struct world *w)
{
    char cmd[128];

    close_world(w);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", w->dir);
    CHECK_EQ(system(cmd), 0);
}

/* --- a member that notes what it is told -------------------------------------------- */

struct person {
    struct member m; /* first */
    struct world *w;
    struct loop *loop;
    const char *room;
    struct ydoc *doc; /* what a client would have */
    bool reads;       /* pulls when woken, like a socket that takes bytes */
    int joined_rc;
    unsigned joined, acks, refused_acks, frames, presences, messages, closed, syncs;
    int rc; /* of the last call */
    const uint8_t *p;
    size_t n;
    enum append_kind kind;
};

static struct rbuf *encode(const struct room_encoding *self, struct mem_account *a,
                           enum record_kind kind, const char *room, size_t room_len,
                           const uint8_t *body, size_t len)
{
    struct rbuf *b = rbuf_new(a, len + 1);

    (void)self;
    (void)room;
    (void)room_len;
    b->bytes[0] = (uint8_t)kind;
    if (len > 0)
        memcpy(b->bytes + 1, body, len);
    return b;
}

static const struct room_encoding encoding = {0, encode};

static void told(struct person *p)
{
    pthread_cond_broadcast(&p->w->told);
}

static void take_frame(struct person *p, struct rbuf *f)
{
    p->frames++;
    if (f->bytes[0] == RECORD_UPDATE && ydoc_apply_v1(p->doc, f->bytes + 1, f->len - 1, NULL) != 0)
        abort();
    p->presences += f->bytes[0] == RECORD_PRESENCE;
    p->messages += f->bytes[0] == RECORD_MESSAGE;
    rbuf_unref(f);
}

static void pull(struct person *p)
{
    struct rbuf *f;

    while ((f = room_read(&p->m)) != NULL) {
        pthread_mutex_lock(&p->w->lock);
        take_frame(p, f);
        told(p);
        pthread_mutex_unlock(&p->w->lock);
    }
}

#define NOTE(p, statement)                                                                         \
    do {                                                                                           \
        pthread_mutex_lock(&(p)->w->lock);                                                         \
        statement;                                                                                 \
        told(p);                                                                                   \
        pthread_mutex_unlock(&(p)->w->lock);                                                       \
    } while (0)

static void on_joined(struct member *m, int rc, const char *why)
{
    struct person *p = (struct person *)(void *)m;

    (void)why;
    NOTE(p, (p->joined++, p->joined_rc = rc));
}

static void on_wake(struct member *m)
{
    struct person *p = (struct person *)(void *)m;

    if (p->reads)
        pull(p);
}

static void on_sync(struct member *m, const uint8_t *sv, size_t sv_len, const uint8_t *update,
                    size_t len)
{
    struct person *p = (struct person *)(void *)m;

    (void)sv;
    (void)sv_len;
    pthread_mutex_lock(&p->w->lock);
    if (ydoc_apply_v1(p->doc, update, len, NULL) != 0)
        abort();
    p->syncs++;
    told(p);
    pthread_mutex_unlock(&p->w->lock);
}

static void on_ack(struct member *m, unsigned n, bool applied)
{
    struct person *p = (struct person *)(void *)m;

    NOTE(p, (applied ? (p->acks += n) : (p->refused_acks += n)));
}

static void on_closed(struct member *m, int rc, const char *why)
{
    struct person *p = (struct person *)(void *)m;

    (void)rc;
    (void)why;
    NOTE(p, p->closed++);
}

static void on_health(struct member *m, bool degraded, const char *why)
{
    (void)m;
    (void)degraded;
    (void)why;
}

static const struct member_ops ops = {on_joined, on_wake, on_sync, on_ack, on_closed, on_health};

#define WAIT(w, condition)                                                                         \
    do {                                                                                           \
        struct timespec until_;                                                                    \
        int rc_ = 0;                                                                               \
        deadline(&until_);                                                                         \
        pthread_mutex_lock(&(w)->lock);                                                            \
        while (!(condition) && rc_ == 0)                                                           \
            rc_ = pthread_cond_timedwait(&(w)->told, &(w)->lock, &until_);                         \
        pthread_mutex_unlock(&(w)->lock);                                                          \
        if (rc_ != 0)                                                                              \
            test_fail(__FILE__, __LINE__, "did not come: %s", #condition);                         \
    } while (0)

static void join_fn(struct loop *l, void *arg)
{
    struct person *p = arg;

    (void)l;
    room_join(p->w->engine, &p->m, p->room, strlen(p->room));
}

static void leave_fn(struct loop *l, void *arg)
{
    (void)l;
    room_leave(arg);
}

static void append_fn(struct loop *l, void *arg)
{
    struct person *p = arg;

    (void)l;
    p->rc = room_append(&p->m, p->kind, p->p, p->n, NULL);
}

static void sync_fn(struct loop *l, void *arg)
{
    struct person *p = arg;

    (void)l;
    p->rc = room_sync(&p->m, p->p, p->n, NULL);
}

static void present_fn(struct loop *l, void *arg)
{
    struct person *p = arg;

    (void)l;
    p->rc = room_present(&p->m, p->p, p->n, NULL);
}

static void post_fn(struct loop *l, void *arg)
{
    struct person *p = arg;

    (void)l;
    p->rc = room_post(&p->m, p->p, p->n, NULL);
}

static void pull_fn(struct loop *l, void *arg)
{
    (void)l;
    pull(arg);
}

/* `elsewhere`: on the worker that does not own the room. */
static void person_join(struct world *w, struct person *p, const char *room, bool elsewhere)
{
    struct loop *owner = engine_get_owner(w->engine, room, strlen(room));
    enum member_access access = p->m.access;

    memset(p, 0, sizeof(*p));
    p->m.ops = &ops;
    p->m.encoding = &encoding;
    p->m.access = access;
    p->w = w;
    p->room = room;
    p->reads = true;
    p->loop = (owner == w->workers[0].loop) != elsewhere ? w->workers[0].loop : w->workers[1].loop;
    CHECK_EQ(ydoc_new(&p->doc, NULL), 0);
    call_on(w, p->loop, join_fn, p);
    WAIT(w, p->joined == 1);
    CHECK_EQ(p->joined_rc, 0);
}

static void person_leave(struct person *p)
{
    call_on(p->w, p->loop, leave_fn, &p->m);
    ydoc_free(p->doc);
}

static int send(struct person *p, void (*fn)(struct loop *, void *), const uint8_t *bytes, size_t n)
{
    p->p = bytes;
    p->n = n;
    call_on(p->w, p->loop, fn, p);
    return p->rc;
}

/* One typed character: the update that Yjs would send. */
static size_t typed(uint8_t *out, uint64_t client, uint64_t clock, char ch)
{
    uint8_t *p = out;

    *p++ = 1;
    *p++ = 1;
    p = lib0_put_varuint(p, client);
    p = lib0_put_varuint(p, clock);
    if (clock == 0) {
        memcpy(p, "\x04\x01\x01t", 4);
        p += 4;
    } else {
        *p++ = 0x84;
        p = lib0_put_varuint(p, client);
        p = lib0_put_varuint(p, clock - 1);
    }
    *p++ = 1;
    *p++ = (uint8_t)ch;
    *p++ = 0;
    return (size_t)(p - out);
}

static void type(struct person *p, uint64_t client, uint64_t first, const char *text)
{
    uint8_t bytes[64];

    p->kind = APPEND_EDIT;
    for (size_t i = 0; text[i] != 0; i++)
        CHECK_EQ(send(p, append_fn, bytes, typed(bytes, client, first + i, text[i])), 0);
}

static void check_text(struct person *p, const char *want)
{
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    pthread_mutex_lock(&p->w->lock);
    if (ydoc_read_text(p->doc, (struct ydoc_slice){(const uint8_t *)"t", 1}, &b) != 0)
        ydoc_buf_reset(&b);
    pthread_mutex_unlock(&p->w->lock);
    CHECK_MEM(b.p, b.len, want, strlen(want));
    ydoc_buf_fini(&b);
}

static bool has_text(struct person *p, const char *want)
{
    struct ydoc_buf b;
    bool same;

    ydoc_buf_init(&b, NULL);
    same = ydoc_read_text(p->doc, (struct ydoc_slice){(const uint8_t *)"t", 1}, &b) == 0 &&
           b.len == strlen(want) && memcmp(b.p, want, b.len) == 0;
    ydoc_buf_fini(&b);
    return same;
}

static const uint8_t nothing[] = {0};

static struct engine_options options(void)
{
    struct engine_options o;

    engine_options_init(&o);
    return o;
}

/* --- the tests -------------------------------------------------------------------------- */

/* An edit reaches the others, and its author hears that it is durable, once for
 * each; the author is not sent what is all its own. Here and on another worker. */
TEST(room, edits_reach_the_others_and_are_acknowledged)
{
    struct engine_options o = options();
    struct world w;
    struct person a = {.m.access = MEMBER_WRITE}, b = a, c = a;

    new_world(&w, &o);
    person_join(&w, &a, "doc", false);
    person_join(&w, &b, "doc", false);
    person_join(&w, &c, "doc", true);
    type(&a, 1, 0, "hello");
    WAIT(&w, a.acks == 5);
    WAIT(&w, has_text(&b, "hello") && has_text(&c, "hello"));
    type(&c, 2, 0, "x"); /* client 2 sorts behind client 1 at the same place */
    WAIT(&w, c.acks == 1 && has_text(&b, "hellox") && a.frames == 1);
    person_leave(&a);
    person_leave(&b);
    person_leave(&c);
    remove_world(&w);
}

/* What was acknowledged is there in the next life of the process. */
TEST(room, acknowledged_edits_are_loaded_again)
{
    struct engine_options o = options();
    struct world w;
    struct person a = {.m.access = MEMBER_WRITE}, b = a;

    new_world(&w, &o);
    person_join(&w, &a, "a room/with \xf0\x9f\x90\xa6", false);
    type(&a, 1, 0, "kept");
    WAIT(&w, a.acks == 4);
    person_leave(&a);
    close_world(&w);
    open_world(&w, &o);
    person_join(&w, &b, "a room/with \xf0\x9f\x90\xa6", false);
    CHECK_EQ(send(&b, sync_fn, nothing, sizeof(nothing)), 0);
    WAIT(&w, b.syncs == 1);
    check_text(&b, "kept");
    person_leave(&b);
    remove_world(&w);
}

/* A duplicate is acknowledged and sent to nobody. */
TEST(room, duplicates_are_acknowledged_and_not_sent)
{
    struct engine_options o = options();
    struct world w;
    struct person a = {.m.access = MEMBER_WRITE}, b = a;

    new_world(&w, &o);
    person_join(&w, &a, "doc", false);
    person_join(&w, &b, "doc", false);
    type(&a, 1, 0, "ab");
    WAIT(&w, a.acks == 2 && has_text(&b, "ab"));
    b.frames = 0;
    type(&a, 1, 0, "ab");
    type(&b, 1, 0, "ab");
    WAIT(&w, a.acks == 4 && b.acks == 2);
    CHECK_EQ(a.frames + b.frames, 0);
    person_leave(&a);
    person_leave(&b);
    remove_world(&w);
}

/* Malformed bytes are refused, change nothing, and disturb nobody. */
TEST(room, malformed_updates_leave_no_trace)
{
    struct engine_options o = options();
    struct world w;
    struct person a = {.m.access = MEMBER_WRITE}, b = a;
    uint8_t bytes[64];
    size_t n = typed(bytes, 1, 0, 'x');

    new_world(&w, &o);
    person_join(&w, &a, "doc", false);
    person_join(&w, &b, "doc", true);
    a.kind = b.kind = APPEND_EDIT;
    for (size_t cut = 0; cut < n; cut++) {
        CHECK_EQ(send(&a, append_fn, bytes, cut), SK_EBADMSG);
        CHECK_EQ(send(&b, append_fn, bytes, cut), SK_EBADMSG);
    }
    type(&a, 1, 0, "fine");
    WAIT(&w, a.acks == 4 && has_text(&b, "fine"));
    person_leave(&a);
    person_leave(&b);
    remove_world(&w);
}

/* A reader's edits are not taken; saying again what is known is no edit. */
TEST(room, readers_do_not_write)
{
    struct engine_options o = options();
    struct world w;
    struct person a = {.m.access = MEMBER_WRITE}, r = {.m.access = MEMBER_READ}, f = r;
    uint8_t bytes[64];

    new_world(&w, &o);
    person_join(&w, &a, "doc", false);
    person_join(&w, &r, "doc", false);
    person_join(&w, &f, "doc", true);
    type(&a, 1, 0, "a");
    WAIT(&w, a.acks == 1 && has_text(&f, "a"));
    type(&r, 2, 0, "no");
    type(&f, 3, 0, "no");
    WAIT(&w, r.refused_acks == 2 && f.refused_acks == 2);
    r.kind = APPEND_SYNC;
    CHECK_EQ(send(&r, append_fn, bytes, typed(bytes, 1, 0, 'a')), 0);
    WAIT(&w, r.acks == 1);
    CHECK_EQ(send(&r, append_fn, bytes, typed(bytes, 1, 1, 'b')), 0);
    WAIT(&w, r.refused_acks == 3);
    CHECK_EQ(a.frames, 0);
    person_leave(&a);
    person_leave(&r);
    person_leave(&f);
    remove_world(&w);
}

/* A member that reads nothing falls off a small ring; when it reads again it gets
 * everything, in few frames, and the presence as it is. On both kinds of worker. */
TEST(room, slow_readers_are_resynchronised)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz";
    struct engine_options o = options();
    struct world w;
    struct person a = {.m.access = MEMBER_WRITE}, slow = a, far = a;

    o.ring_records_max = 4;
    o.flush_us_max = 0;
    new_world(&w, &o);
    person_join(&w, &a, "doc", false);
    person_join(&w, &slow, "doc", false);
    person_join(&w, &far, "doc", true);
    type(&a, 1, 0, "first ");
    WAIT(&w, has_text(&slow, "first ") && has_text(&far, "first "));
    slow.reads = far.reads = false;
    slow.frames = far.frames = 0;
    type(&a, 1, 6, text);
    WAIT(&w, a.acks == 6 + sizeof(text) - 1);
    slow.reads = far.reads = true;
    call_on(&w, slow.loop, pull_fn, &slow);
    call_on(&w, far.loop, pull_fn, &far);
    WAIT(&w,
         has_text(&slow, "first abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz"));
    WAIT(&w,
         has_text(&far, "first abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz"));
    CHECK(slow.frames <= 6);
    type(&a, 1, 6 + sizeof(text) - 1, "!");
    WAIT(&w,
         has_text(&slow, "first abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz!") &&
             has_text(&far,
                      "first abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz!"));
    person_leave(&a);
    person_leave(&slow);
    person_leave(&far);
    remove_world(&w);
}

/* Cursors reach everybody, the sender included, and go when their member goes. */
TEST(room, presence_and_messages)
{
    static const uint8_t cursor[] = {1, 0xe9, 7, 1, 2, '{', '}'};
    struct engine_options o = options();
    struct world w;
    struct person a = {.m.access = MEMBER_WRITE}, b = a, c = a;

    new_world(&w, &o);
    person_join(&w, &a, "doc", false);
    person_join(&w, &b, "doc", true);
    CHECK_EQ(send(&a, present_fn, cursor, sizeof(cursor)), 0);
    WAIT(&w, a.presences == 1 && b.presences == 1);
    CHECK_EQ(send(&a, present_fn, cursor, sizeof(cursor) - 1), SK_EBADMSG);
    CHECK_EQ(send(&b, present_fn, cursor, sizeof(cursor) - 1), SK_EBADMSG);
    CHECK_EQ(send(&b, post_fn, (const uint8_t *)"hi", 2), 0);
    WAIT(&w, a.messages == 1 && b.messages == 1);
    person_leave(&a);
    WAIT(&w, b.presences == 2);
    person_join(&w, &c, "doc", false);
    person_leave(&b);
    person_leave(&c);
    remove_world(&w);
}

TEST(room, names)
{
    static const struct {
        const char *name;
        size_t len;
        int rc;
    } rows[] = {
        {"a", 1, 0},
        {"with/slash and space", 20, 0},
        {"\xf0\x9f\x90\xa6", 4, 0},
        {"", 0, SK_EBADMSG},
        {"a\0b", 3, SK_EBADMSG},
        {"a\nb", 3, SK_EBADMSG},
        {"\x7f", 1, SK_EBADMSG},
        {"\xff", 1, SK_EBADMSG},
        {"\xed\xa0\x80", 3, SK_EBADMSG},
        {"\xc0\x80", 2, SK_EBADMSG},
    };
    char longest[ROOM_NAME_BYTES_MAX + 1];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        TEST_CASE(rows[i].name);
        CHECK_EQ(room_check_name(rows[i].name, rows[i].len, NULL), rows[i].rc);
    }
    memset(longest, 'n', sizeof(longest));
    CHECK_EQ(room_check_name(longest, sizeof(longest) - 1, NULL), 0);
    CHECK_EQ(room_check_name(longest, sizeof(longest), NULL), SK_ETOOBIG);
}
