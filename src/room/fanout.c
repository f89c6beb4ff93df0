/* fanout - how a record gets from a room to its members.
 *
 * Writers only mark the room. At the end of the turn, or a little later when the
 * room is busy, the room is flushed: all edits since the last flush go to the
 * store as one batch and into the ring as one record, all moved cursors become
 * another, and every member with something to read is woken. Each socket then
 * pulls the frames that it lacks.
 *
 * WHEN. A send costs about 2 us of kernel time whatever it carries, so the way to
 * spend less is to send less often. A flush costs members x one send; the room
 * waits after a flush for a multiple of that (FLUSH_US_PER_MEMBER for each), but
 * never longer than the option says. A room that was quiet for that long is
 * flushed at once, so a lone writer pays no delay at all.
 *
 * FALLING OFF. A record that was not read by all is kept until the ring is full.
 * Then the oldest is dropped, and a member that still had to read it remembers
 * the document's state vector of that moment: when its socket takes bytes again
 * it gets the difference to then, however much that has become, as one update.
 */
#include <assert.h>

#include "base/metrics.h"
#include "room/room_priv.h"

#define FLUSH_US_PER_MEMBER 100

static uint64_t delay_us(const struct room *r, uint64_t max_us)
{
    uint64_t us = (uint64_t)r->n_members * FLUSH_US_PER_MEMBER;

    return us < max_us ? us : max_us;
}

/* Edits that are not with the store yet; what they changed is not with the members. */
static bool has_news(const struct room *r)
{
    return !r->is_mirror && r->doc.batch_n > 0;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t presence_due_us(const struct room *r)
{
    return r->presence_us + delay_us(r, r->hub->engine->o.presence_us_max);
}

/* When the next flush may be: presence may have to wait longer than an edit. */
static uint64_t due_us(const struct room *r)
{
    uint64_t due = r->flushed_us + delay_us(r, r->hub->engine->o.flush_us_max);

    return has_news(r) ? due : later(due, presence_due_us(r));
}

void fanout__schedule(struct room *r)
{
    uint64_t now, due;

    if (r->state != ROOM_READY || r->flush_task.queued)
        return;
    now = loop_now_us(r->hub->loop);
    due = due_us(r);
    if (now >= due)
        loop_defer(r->hub->loop, &r->flush_task);
    else if (!loop_timer_is_running(&r->flush_timer) || has_news(r))
        loop_timer_start(r->hub->loop, &r->flush_timer, (due - now + 999) / 1000);
}

/* Everyone who has still to read the oldest record falls off. `before` is that of
 * the record for which room is made: its changes are in the document already. */
static void drop_oldest(struct room *r, const struct rbuf *before)
{
    struct rbuf *sv = NULL;

    for (struct member *m = r->members; m != NULL; m = m->next) {
        if (!m->joined || m->cursor > r->ring.tail || m->resync != NULL)
            continue;
        if (sv == NULL)
            sv = doc__state_vector_at(r, r->ring.tail, before);
        m->resync = rbuf_ref(sv);
        metrics_add(METRIC_RESYNCS, 1);
    }
    rbuf_unref(sv);
    ring_drop(&r->ring, r->ring.tail + 1);
}

void fanout__push_take(struct room *r, enum record_kind kind, uint64_t author, struct rbuf *body,
                       struct rbuf *before)
{
    struct room_record rec = {.kind = kind, .author = author, .body = body, .before = before};

    while (ring_is_full(&r->ring, body->len))
        drop_oldest(r, before);
    if (!r->is_mirror)
        mirror__send_record(r, kind, author, body);
    if (ring_push_take(&r->ring, &rec) != 0)
        room__close(r, SK_ETOOBIG, "the room is at its memory limit");
}

/* What all have read needs no place any more. */
void fanout__drop_read(struct room *r)
{
    uint64_t min = r->ring.head;

    for (struct member *m = r->members; m != NULL; m = m->next) {
        if (m->joined && m->resync == NULL && m->cursor < min)
            min = m->cursor;
    }
    if (min > r->ring.tail)
        ring_drop(&r->ring, min);
}

void fanout__wake_members(struct room *r)
{
    struct member *next;

    for (struct member *m = r->members; m != NULL; m = next) {
        next = m->next;
        if (!m->joined || m->woken || (m->cursor == r->ring.head && m->resync == NULL))
            continue;
        m->woken = true;
        m->ops->on_wake(m);
    }
}

void fanout__push_changes(struct room *r)
{
    struct rbuf *update, *before;
    uint64_t author;

    if (r->is_mirror || !ydoc_has_changes(r->doc.ydoc))
        return;
    if (doc__take_changes(r, &update, &before, &author) != 0)
        room__close(r, SK_ETOOBIG, "the room is at its memory limit");
    else
        fanout__push_take(r, RECORD_UPDATE, author, update, before);
}

static void push_presence(struct room *r, uint64_t now)
{
    struct ydoc_buf *out = &r->hub->scratch;
    struct rbuf *body = NULL;

    ydoc_buf_reset(out);
    if (presence_take_changes(&r->presence, out) == 0)
        body = rbuf_dup(&r->hub->account, out->p, out->len);
    if (body == NULL) {
        room__close(r, SK_ETOOBIG, "the room is at its memory limit");
        return;
    }
    r->presence_us = now;
    fanout__push_take(r, RECORD_PRESENCE, 0, body, NULL);
}

static void flush(struct room *r)
{
    uint64_t now = loop_now_us(r->hub->loop);

    if (r->state != ROOM_READY)
        return;
    fanout__drop_read(r);
    doc__commit(r);
    fanout__push_changes(r);
    if (r->state == ROOM_READY && !r->is_mirror && presence_has_changes(&r->presence)) {
        if (now >= presence_due_us(r))
            push_presence(r, now);
        else
            loop_timer_start(r->hub->loop, &r->flush_timer,
                             (presence_due_us(r) - now + 999) / 1000);
    }
    if (r->state != ROOM_READY)
        return;
    r->flushed_us = now;
    metrics_add(METRIC_FLUSHES, 1);
    fanout__wake_members(r);
}

void fanout__on_task(struct loop *l, struct loop_task *t)
{
    struct room *r = (struct room *)(void *)((char *)t - offsetof(struct room, flush_task));

    (void)l;
    flush(r);
}

void fanout__on_timer(struct loop *l, struct loop_timer *t)
{
    struct room *r = (struct room *)(void *)((char *)t - offsetof(struct room, flush_timer));

    loop_defer(l, &r->flush_task);
}

/* --- reading ----------------------------------------------------------------- */

static struct rbuf *encode(struct room *r, const struct room_encoding *enc, enum record_kind kind,
                           const uint8_t *body, size_t len)
{
    return enc->encode(enc, &r->hub->account, kind, room_name(r), room_name_len(r), body, len);
}

static struct rbuf *record_frame(struct room *r, struct room_record *rec,
                                 const struct room_encoding *enc)
{
    struct rbuf **slot;

    if (enc->slot == ROOM_UNSHARED)
        return encode(r, enc, rec->kind, rec->body->bytes, rec->body->len);
    assert(enc->slot < ROOM_ENCODINGS_MAX);
    slot = &rec->frames[enc->slot];
    if (*slot == NULL)
        *slot = encode(r, enc, rec->kind, rec->body->bytes, rec->body->len);
    return *slot != NULL ? rbuf_ref(*slot) : NULL;
}

static bool is_for(const struct room_record *rec, const struct member *m)
{
    /* A client's own edit is not news to it. Its own cursor is: clients take the
     * echo as the sign that the server lives. */
    return rec->kind != RECORD_UPDATE || rec->author != m->id;
}

static struct rbuf *read_resync(struct room *r, struct member *m)
{
    struct rbuf *sv = m->resync, *update, *frame = NULL;

    if (r->is_mirror) {
        mirror__ask_resync(r, m);
        return NULL;
    }
    update = doc__encode_since(r, sv);
    if (update != NULL)
        frame = encode(r, m->encoding, RECORD_UPDATE, update->bytes, update->len);
    rbuf_unref(update);
    rbuf_unref(sv);
    m->resync = NULL;
    m->cursor = r->ring.head;
    m->owes_presence = true;
    return frame;
}

/* A member whose frame cannot be made must not go on without it. */
static struct rbuf *give_up(struct member *m)
{
    room__detach(m);
    m->ops->on_closed(m, SK_ETOOBIG, "the room is at its memory limit");
    return NULL;
}

struct rbuf *room_read(struct member *m)
{
    struct room *r = m->room;

    if (r == NULL || !m->joined)
        return NULL;
    if (m->resync != NULL) {
        struct rbuf *frame = read_resync(r, m);

        if (frame != NULL || r->is_mirror)
            return frame;
        return give_up(m);
    }
    if (m->owes_presence) { /* the cursors that it missed, as they are now */
        struct rbuf *frame = room_read_presence(m);

        m->owes_presence = false;
        if (frame != NULL)
            return frame;
    }
    while (m->cursor < r->ring.head) {
        struct room_record *rec = ring_get(&r->ring, m->cursor++);
        struct rbuf *frame;

        if (!is_for(rec, m))
            continue;
        frame = record_frame(r, rec, m->encoding);
        if (frame != NULL) {
            metrics_add(METRIC_DELIVERIES, rec->kind == RECORD_UPDATE);
            return frame;
        }
        if (rec->kind != RECORD_MESSAGE)
            return give_up(m);
    }
    m->woken = false;
    return NULL;
}

struct rbuf *room_read_presence(struct member *m)
{
    struct room *r = m->room;
    struct ydoc_buf *out = &r->hub->scratch;

    if (presence_is_empty(&r->presence))
        return NULL;
    ydoc_buf_reset(out);
    if (presence_encode(&r->presence, out) != 0)
        return NULL;
    return encode(r, m->encoding, RECORD_PRESENCE, out->p, out->len);
}
