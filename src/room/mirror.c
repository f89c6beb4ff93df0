/* mirror - a room that another worker owns, and what the two say to each other.
 *
 * A socket that carries several documents cannot be moved to the workers of all
 * of them. Its members of rooms elsewhere join a mirror on their own worker: a
 * room with a ring and presence, but without a document. The owner keeps a guest
 * for each of them, so that its appends, acknowledgements and leaving are those of
 * any member, and sends every record once to each worker that has guests there.
 *
 * Everything is a relay: one struct, posted through the mailbox. Relays between
 * two workers keep their order, so a mirror that hears `joined` and then records
 * misses none.
 *
 *   to the owner    JOIN, LEAVE, APPEND, SYNC, PRESENT, POST
 *   to the mirror   JOINED, RECORD, SYNCED, ACK, CLOSED
 *
 * Names travel with each relay, not pointers: either side may have let go of the
 * room before the relay arrives, and then it is dropped.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "room/room_priv.h"

enum relay_kind {
    RELAY_JOIN,
    RELAY_LEAVE,
    RELAY_APPEND,
    RELAY_SYNC,
    RELAY_PRESENT,
    RELAY_POST,
    RELAY_JOINED,
    RELAY_RECORD,
    RELAY_SYNCED,
    RELAY_ACK,
    RELAY_CLOSED,
};

struct relay {
    struct loop_message message;
    struct hub *to;
    enum relay_kind kind;
    unsigned from;     /* worker */
    uint64_t member;   /* whom it is about; of a record, its author */
    struct rbuf *room; /* the name */
    struct rbuf *body, *body2;
    uint64_t connection; /* JOIN */
    unsigned n;          /* JOIN: access; APPEND: kind; RECORD: kind; ACK: how many */
    bool applied;        /* ACK */
    int rc;
    char why[120];
    uint8_t epoch[STORE_EPOCH_BYTES];
};

/* A member on another worker, as the owner sees it. */
struct guest {
    struct member m;
    unsigned worker;
    struct rbuf *room; /* the name, for its relays */
};

static const struct member_ops guest_ops;

bool mirror__is_guest(const struct member *m)
{
    return m->ops == &guest_ops;
}

/* --- relays ------------------------------------------------------------------- */

static void relay_run(struct loop *l, struct loop_message *m);

static struct relay *relay_new(struct room *r, enum relay_kind kind, uint64_t member)
{
    struct relay *y = mem_alloc_zero(mem_process(), sizeof(*y));

    y->message.run = relay_run;
    y->kind = kind;
    y->from = r->hub->index;
    y->member = member;
    y->room = rbuf_ref(r->name);
    return y;
}

static void relay_free(struct relay *y)
{
    rbuf_unref(y->room);
    rbuf_unref(y->body);
    rbuf_unref(y->body2);
    mem_free(mem_process(), y, sizeof(*y));
}

static void relay_post(struct relay *y, struct hub *to)
{
    y->to = to;
    loop_post(to->loop, &y->message);
}

static struct hub *owner_of(const struct room *r)
{
    struct loop *l = engine_get_owner(r->hub->engine, room_name(r), room_name_len(r));

    return r->hub->engine->hubs[loop_index(l)];
}

/* --- the mirror's side: asking ---------------------------------------------------- */

void mirror__join(struct room *r, struct member *m)
{
    struct relay *y = relay_new(r, RELAY_JOIN, m->id);

    y->n = m->access;
    y->connection = m->connection;
    y->body = m->user != NULL ? rbuf_ref(m->user) : NULL;
    relay_post(y, owner_of(r));
}

void mirror__leave(struct room *r, struct member *m)
{
    relay_post(relay_new(r, RELAY_LEAVE, m->id), owner_of(r));
}

static int ask(struct room *r, struct member *m, enum relay_kind kind, unsigned n, const uint8_t *p,
               size_t len)
{
    struct relay *y = relay_new(r, kind, m->id);

    y->n = n;
    y->body = rbuf_dup(&r->hub->account, p, len);
    if (y->body == NULL) {
        relay_free(y);
        return SK_ETOOBIG;
    }
    relay_post(y, owner_of(r));
    return 0;
}

int mirror__append(struct room *r, struct member *m, enum append_kind kind, const uint8_t *p,
                   size_t n, struct err *e)
{
    struct ydoc_error ye;

    if (ydoc_validate_update_v1(p, n, NULL, &ye) != 0)
        return err_set(e, SK_EBADMSG, "update, byte %zu: %s", ye.offset, ye.msg);
    return ask(r, m, RELAY_APPEND, kind, p, n);
}

int mirror__sync(struct room *r, struct member *m, const uint8_t *sv, size_t n, struct err *e)
{
    (void)e;
    return ask(r, m, RELAY_SYNC, 0, sv, n);
}

int mirror__present(struct room *r, struct member *m, const uint8_t *p, size_t n)
{
    return ask(r, m, RELAY_PRESENT, 0, p, n);
}

int mirror__post(struct room *r, struct member *m, const uint8_t *p, size_t n)
{
    return ask(r, m, RELAY_POST, 0, p, n);
}

/* The member fell off the mirror's ring. The mirror cannot know the difference, so
 * the owner answers as to one that has nothing, and records go on from now. */
void mirror__ask_resync(struct room *r, struct member *m)
{
    static const uint8_t nothing[] = {0};

    rbuf_unref(m->resync);
    m->resync = NULL;
    m->woken = false;
    m->cursor = r->ring.head;
    m->owes_presence = true;
    if (ask(r, m, RELAY_SYNC, 0, nothing, sizeof(nothing)) != 0)
        room__close(r, SK_ETOOBIG, "the server is at its memory limit");
}

/* --- the mirror's side: hearing ---------------------------------------------------- */

static struct member *find_member(struct room *r, uint64_t id)
{
    for (struct member *m = r->members; m != NULL; m = m->next) {
        if (m->id == id)
            return m;
    }
    return NULL;
}

static void on_joined(struct room *r, struct member *m, struct relay *y)
{
    if (y->rc != 0) {
        room__detach(m);
        m->ops->on_joined(m, y->rc, y->why);
        return;
    }
    r->state = ROOM_READY;
    memcpy(r->doc.epoch, y->epoch, sizeof(r->doc.epoch));
    r->has_incarnation = true;
    room__admit(r, m);
}

static void on_record(struct room *r, struct relay *y)
{
    struct err e;

    if (y->n == RECORD_PRESENCE) {
        /* The owner's word: its own table has refused what is over a limit. */
        if (presence_apply(&r->presence, y->body->bytes, y->body->len, 0, loop_now_ms(r->hub->loop),
                           &e) < 0)
            return;
        presence_forget_changes(&r->presence);
    }
    fanout__drop_read(r);
    fanout__push_take(r, (enum record_kind)y->n, y->member, rbuf_ref(y->body), NULL);
    fanout__wake_members(r);
}

static void hear(struct room *r, struct relay *y)
{
    struct member *m;

    if (y->kind == RELAY_RECORD) {
        on_record(r, y);
        return;
    }
    m = find_member(r, y->member);
    if (m == NULL)
        return; /* it has left in the meantime */
    switch (y->kind) {
    case RELAY_JOINED:
        on_joined(r, m, y);
        break;
    case RELAY_SYNCED:
        m->ops->on_sync(m, y->body->bytes, y->body->len, y->body2->bytes, y->body2->len);
        break;
    case RELAY_ACK:
        m->ops->on_ack(m, y->n, y->applied);
        break;
    default:
        assert(y->kind == RELAY_CLOSED);
        room__detach(m);
        m->ops->on_closed(m, y->rc, y->why);
    }
}

/* --- the owner's side: guests -------------------------------------------------------- */

static struct guest *guest_of(struct member *m)
{
    return (struct guest *)(void *)m;
}

static struct relay *guest_relay(struct member *m, enum relay_kind kind)
{
    struct guest *g = guest_of(m);
    struct relay *y = mem_alloc_zero(mem_process(), sizeof(*y));

    y->message.run = relay_run;
    y->kind = kind;
    y->member = m->id;
    y->room = rbuf_ref(g->room);
    return y;
}

static void guest_post(struct member *m, struct engine *e, struct relay *y)
{
    relay_post(y, e->hubs[guest_of(m)->worker]);
}

static void guest_on_sync(struct member *m, const uint8_t *sv, size_t sv_len, const uint8_t *update,
                          size_t len)
{
    struct hub *h = m->room->hub;
    struct relay *y = guest_relay(m, RELAY_SYNCED);

    y->body = rbuf_dup(&h->account, sv, sv_len);
    y->body2 = rbuf_dup(&h->account, update, len);
    guest_post(m, h->engine, y);
}

static void guest_on_ack(struct member *m, unsigned n, bool applied)
{
    struct relay *y = guest_relay(m, RELAY_ACK);

    y->n = n;
    y->applied = applied;
    guest_post(m, m->room->hub->engine, y);
}

/* Joining, waking and closing are done by admit_guest(), mirror__send_record() and
 * drop_guest(): a guest is not in the room's own list, so nothing else calls them. */
static const struct member_ops guest_ops = {
    .on_sync = guest_on_sync,
    .on_ack = guest_on_ack,
};

static void send_presence(struct room *r, struct guest *g)
{
    struct ydoc_buf *out = &r->hub->scratch;
    struct relay *y;

    if (presence_is_empty(&r->presence))
        return;
    ydoc_buf_reset(out);
    if (presence_encode(&r->presence, out) != 0)
        return;
    y = guest_relay(&g->m, RELAY_RECORD);
    y->member = 0;
    y->n = RECORD_PRESENCE;
    y->body = rbuf_dup(&r->hub->account, out->p, out->len);
    guest_post(&g->m, r->hub->engine, y);
}

static void admit_guest(struct room *r, struct guest *g)
{
    struct relay *y = guest_relay(&g->m, RELAY_JOINED);

    g->m.joined = true;
    if (r->links[g->worker]++ == 0)
        send_presence(r, g); /* the mirror has heard nothing yet */
    memcpy(y->epoch, r->doc.epoch, sizeof(y->epoch));
    guest_post(&g->m, r->hub->engine, y);
}

static void guest_free(struct room *r, struct guest *g)
{
    if (g->m.joined)
        r->links[g->worker]--;
    map64_remove(&r->guests, g->m.id);
    rbuf_unref(g->m.user);
    rbuf_unref(g->room);
    mem_free(&r->account, g, sizeof(*g));
    r->idle_since_ms = loop_now_ms(r->hub->loop);
}

static void drop_guest(struct room *r, struct guest *g, int rc, const char *why)
{
    bool joined = g->m.joined;
    struct relay *y = guest_relay(&g->m, joined ? RELAY_CLOSED : RELAY_JOINED);

    y->rc = rc;
    snprintf(y->why, sizeof(y->why), "%s", why);
    guest_post(&g->m, r->hub->engine, y);
    doc__forget_member(r, &g->m);
    presence_remove_owner(&r->presence, g->m.id);
    guest_free(r, g);
}

static void refuse_join(struct hub *h, struct relay *in, int rc, const char *why)
{
    struct relay *y = mem_alloc_zero(mem_process(), sizeof(*y));

    y->message.run = relay_run;
    y->kind = RELAY_JOINED;
    y->member = in->member;
    y->room = rbuf_ref(in->room);
    y->rc = rc;
    snprintf(y->why, sizeof(y->why), "%s", why);
    relay_post(y, h->engine->hubs[in->from]);
}

static void on_join(struct hub *h, struct relay *in)
{
    struct room *r;
    struct guest *g;
    struct err e;
    int rc = hub__get_room(h, (const char *)in->room->bytes, in->room->len - 1, &r, &e);

    if (rc != 0) {
        refuse_join(h, in, rc, e.msg);
        return;
    }
    assert(!r->is_mirror);
    if (r->links == NULL)
        r->links = mem_alloc_zero(&r->account, h->engine->o.workers * sizeof(*r->links));
    g = r->links != NULL ? mem_alloc_zero(&r->account, sizeof(*g)) : NULL;
    if (g == NULL || map64_set(&r->guests, in->member, g, NULL) != 0) {
        mem_free(&r->account, g, sizeof(*g));
        refuse_join(h, in, SK_ETOOBIG, "the room is at its memory limit");
        return;
    }
    g->worker = in->from;
    g->room = rbuf_ref(in->room);
    g->m = (struct member){.ops = &guest_ops,
                           .access = (enum member_access)in->n,
                           .user = in->body != NULL ? rbuf_ref(in->body) : NULL,
                           .connection = in->connection,
                           .id = in->member,
                           .room = r};
    if (r->state == ROOM_READY)
        admit_guest(r, g);
}

void mirror__admit_guests(struct room *r)
{
    struct guest *g;
    size_t pos = 0;

    while ((g = map64_next(&r->guests, &pos, NULL)) != NULL) {
        if (!g->m.joined)
            admit_guest(r, g);
    }
}

void mirror__drop_guests(struct room *r, int rc, const char *why)
{
    struct guest *g;
    size_t pos;

    while (pos = 0, (g = map64_next(&r->guests, &pos, NULL)) != NULL)
        drop_guest(r, g, rc, why);
}

void mirror__free_guests(struct room *r)
{
    struct guest *g;
    size_t pos;

    while (pos = 0, (g = map64_next(&r->guests, &pos, NULL)) != NULL) {
        doc__forget_member(r, &g->m);
        guest_free(r, g);
    }
}

void mirror__send_record(struct room *r, enum record_kind kind, uint64_t author, struct rbuf *body)
{
    for (unsigned w = 0; r->links != NULL && w < r->hub->engine->o.workers; w++) {
        struct relay *y;

        if (r->links[w] == 0)
            continue;
        y = relay_new(r, RELAY_RECORD, author);
        y->n = kind;
        y->body = rbuf_ref(body);
        relay_post(y, r->hub->engine->hubs[w]);
    }
}

/* --- the owner's side: hearing --------------------------------------------------------- */

static int do_for_guest(struct guest *g, struct relay *y, struct err *e)
{
    const uint8_t *p = y->body->bytes;
    size_t n = y->body->len;

    switch (y->kind) {
    case RELAY_APPEND:
        return room_append(&g->m, (enum append_kind)y->n, p, n, e);
    case RELAY_SYNC:
        return room_sync(&g->m, p, n, e);
    case RELAY_PRESENT:
        return room_present(&g->m, p, n, e);
    default:
        assert(y->kind == RELAY_POST);
        return room_post(&g->m, p, n, e);
    }
}

static void serve(struct hub *h, struct relay *y)
{
    struct room *r;
    struct guest *g;
    struct err e;
    int rc;

    if (y->kind == RELAY_JOIN) {
        on_join(h, y);
        return;
    }
    r = hub__find_room(h, (const char *)y->room->bytes, y->room->len - 1);
    g = r != NULL ? map64_get(&r->guests, y->member) : NULL;
    if (g == NULL)
        return; /* the room has closed; its mirror has been told */
    if (y->kind == RELAY_LEAVE) {
        room__detach(&g->m);
        guest_free(r, g);
        return;
    }
    rc = do_for_guest(g, y, &e);
    if (rc != 0 && map64_get(&r->guests, y->member) == g)
        drop_guest(r, g, rc, e.msg);
}

static void relay_run(struct loop *l, struct loop_message *m)
{
    struct relay *y = (struct relay *)(void *)m;
    struct room *r;

    (void)l;
    if (y->to->is_stopped) {
        relay_free(y);
        return;
    }
    if (y->kind <= RELAY_POST) {
        serve(y->to, y);
    } else {
        r = hub__find_room(y->to, (const char *)y->room->bytes, y->room->len - 1);
        if (r != NULL && r->is_mirror)
            hear(r, y);
    }
    relay_free(y);
}
