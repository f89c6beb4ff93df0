/* room - the calls of room.h: who is in, what they append, where they are.
 *
 * Each call goes one of two ways. In an owned room it acts here, on the document
 * and the presence. In a mirror it is checked here, so that what is malformed is
 * refused at once, and passed on to the owner. Nothing else in these functions
 * depends on which of the two it is.
 */
#include "room/room.h"

#include <assert.h>
#include <string.h>

#include "net/utf8.h"
#include "base/metrics.h"
#include "room/room_priv.h"

/* --- names ------------------------------------------------------------------- */

int room_check_name(const char *name, size_t len, struct err *e)
{
    if (len == 0)
        return err_set(e, SK_EBADMSG, "the room has no name");
    if (len > ROOM_NAME_BYTES_MAX)
        return err_set(e, SK_ETOOBIG, "a room name of %zu bytes: at most %d", len,
                       ROOM_NAME_BYTES_MAX);
    if (!utf8_is_valid(name, len))
        return err_set(e, SK_EBADMSG, "the room name is not UTF-8");
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return err_set(e, SK_EBADMSG, "the room name has a control character at byte %zu", i);
    }
    return 0;
}

/* --- joining and leaving ------------------------------------------------------- */

static void link_member(struct room *r, struct member *m)
{
    m->room = r;
    m->prev = NULL;
    m->next = r->members;
    if (r->members != NULL)
        r->members->prev = m;
    r->members = m;
    r->n_members++;
    metrics_add(METRIC_MEMBERS, 1);
}

static void unlink_member(struct room *r, struct member *m)
{
    if (m->prev != NULL)
        m->prev->next = m->next;
    else
        r->members = m->next;
    if (m->next != NULL)
        m->next->prev = m->prev;
    m->next = m->prev = NULL;
    m->room = NULL;
    r->n_members--;
    metrics_add(METRIC_MEMBERS, -1);
    if (r->n_members == 0)
        r->idle_since_ms = loop_now_ms(r->hub->loop);
}

static bool is_member(const struct room *r, const struct member *m)
{
    const struct member *p = r->members;

    while (p != NULL && p != m)
        p = p->next;
    return p != NULL;
}

void room__admit(struct room *r, struct member *m)
{
    m->joined = true;
    m->cursor = r->ring.head;
    m->ops->on_joined(m, 0, NULL);
    if (r->hub->degraded && is_member(r, m)) /* on_joined() may have left again */
        m->ops->on_health(m, true, r->hub->why);
}

void room_join(struct engine *g, struct member *m, const char *name, size_t len)
{
    struct hub *h = hub__current(g);
    struct room *r;
    struct err e;
    int rc;

    assert(m->ops != NULL && m->encoding != NULL && m->room == NULL);
    /* relaxed: only uniqueness counts */
    m->id = atomic_fetch_add_explicit(&g->member_ids, 1, memory_order_relaxed) + 1;
    m->joined = m->woken = m->owes_presence = false;
    m->resync = NULL;
    rc = room_check_name(name, len, &e);
    if (rc == 0)
        rc = hub__get_room(h, name, len, &r, &e);
    if (rc != 0) {
        m->ops->on_joined(m, rc, e.msg);
        return;
    }
    link_member(r, m);
    if (r->is_mirror)
        mirror__join(r, m);
    else if (r->state == ROOM_READY)
        room__admit(r, m);
}

void room__detach(struct member *m)
{
    struct room *r = m->room;

    if (r == NULL)
        return;
    rbuf_unref(m->resync);
    m->resync = NULL;
    if (!r->is_mirror)
        doc__forget_member(r, m);
    if (!mirror__is_guest(m)) {
        m->joined = false;
        unlink_member(r, m);
    }
    if (r->is_mirror) {
        mirror__leave(r, m);
        if (r->n_members == 0) /* nobody is told of changes any more: what it holds grows old */
            presence_clear(&r->presence);
    } else {
        presence_remove_owner(&r->presence, m->id);
        if (presence_has_changes(&r->presence))
            fanout__schedule(r);
    }
}

void room_leave(struct member *m)
{
    room__detach(m);
}

bool room_has_joined(const struct member *m)
{
    return m->room != NULL && m->joined;
}

void room__on_ready(struct room *r, int rc, const char *why)
{
    struct member *next, *m = r->members;

    if (rc != 0) {
        room__close(r, rc, why);
        return;
    }
    r->state = ROOM_READY;
    for (; m != NULL; m = next) {
        next = m->next;
        room__admit(r, m);
    }
    mirror__admit_guests(r);
}

void room__close(struct room *r, int rc, const char *why)
{
    if (r->state == ROOM_CLOSED)
        return;
    r->state = ROOM_CLOSED;
    if (!r->is_mirror)
        doc__commit(r); /* what was taken is kept, whatever ends the room */
    loop_cancel(r->hub->loop, &r->flush_task);
    loop_timer_stop(r->hub->loop, &r->flush_timer);
    while (r->members != NULL) {
        struct member *m = r->members;
        bool joined = m->joined;

        room__detach(m);
        if (joined)
            m->ops->on_closed(m, rc, why);
        else
            m->ops->on_joined(m, rc, why);
    }
    mirror__drop_guests(r, rc, why);
}

/* --- what members do ------------------------------------------------------------ */

static int check_joined(const struct member *m, struct err *e)
{
    if (m->room == NULL || m->room->state != ROOM_READY)
        return err_set(e, SK_ECLOSED, "not in the room");
    return 0;
}

int room_append(struct member *m, enum append_kind kind, const uint8_t *p, size_t n, struct err *e)
{
    int rc = check_joined(m, e);

    if (rc != 0)
        return rc;
    if (m->room->is_mirror)
        return mirror__append(m->room, m, kind, p, n, e);
    return doc__append(m->room, m, kind, p, n, e);
}

int room_sync(struct member *m, const uint8_t *sv, size_t n, struct err *e)
{
    struct ydoc_error ye;
    int rc = check_joined(m, e);

    if (rc != 0)
        return rc;
    if (ydoc_validate_state_vector(sv, n, &ye) != 0)
        return err_set(e, SK_EBADMSG, "state vector, byte %zu: %s", ye.offset, ye.msg);
    if (m->room->is_mirror)
        return mirror__sync(m->room, m, sv, n, e);
    return doc__sync(m->room, m, sv, n, e);
}

int room_present(struct member *m, const uint8_t *p, size_t n, struct err *e)
{
    struct room *r = m->room;
    struct ydoc_awareness_iter it;
    struct ydoc_error ye;
    int rc = check_joined(m, e);

    if (rc != 0)
        return rc;
    metrics_add(METRIC_PRESENCE, 1);
    if (r->is_mirror) {
        if (ydoc_awareness_validate(&it, p, n, NULL, &ye) != 0)
            return err_set(e, SK_EBADMSG, "awareness update, byte %zu: %s", ye.offset, ye.msg);
        return mirror__present(r, m, p, n);
    }
    rc = presence_apply(&r->presence, p, n, m->id, loop_now_ms(r->hub->loop), e);
    if (rc > 0)
        fanout__schedule(r);
    return rc < 0 ? rc : 0;
}

int room_post(struct member *m, const uint8_t *p, size_t n, struct err *e)
{
    struct room *r = m->room;
    struct rbuf *body;
    int rc = check_joined(m, e);

    if (rc != 0)
        return rc;
    if (r->is_mirror)
        return mirror__post(r, m, p, n);
    body = rbuf_dup(&r->hub->account, p, n);
    if (body == NULL)
        return err_set(e, SK_ETOOBIG, "the room is at its memory limit");
    fanout__drop_read(r);
    fanout__push_changes(r);
    fanout__push_take(r, RECORD_MESSAGE, m->id, body, NULL);
    fanout__wake_members(r);
    return 0;
}

const uint8_t *room_get_incarnation(const struct member *m)
{
    assert(m->room != NULL);
    return m->room->has_incarnation ? m->room->doc.epoch : NULL;
}
