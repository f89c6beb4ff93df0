/* hub - one worker's rooms: finding them, and letting go of them.
 *
 * A room that nobody is in stays loaded for a while, because people reload
 * pages; then a snapshot is taken if the log behind the last one is long, and
 * the room is freed. After many rooms have gone, the heap's free pages are given
 * back to the system.
 *
 * What the store does for a room is a room_op. It comes back through the mailbox,
 * also when the worker has stopped in the meantime: then it is only released.
 */
#include <assert.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/metrics.h"
#include "room/room_priv.h"

#define SWEEP_MS 1000
#define QUIET_US 3000000
#define TRIM_AFTER_UNLOADS 256

uint64_t hub__clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- memory for ydoc ------------------------------------------------------------ */

static void *account_resize(void *ctx, void *p, size_t old_size, size_t new_size)
{
    struct mem_account *a = ctx;

    if (new_size > 0)
        return mem_resize(a, p, old_size, new_size);
    mem_free(a, p, old_size);
    return NULL;
}

struct ydoc_alloc hub__ydoc_alloc(struct mem_account *a)
{
    return (struct ydoc_alloc){.resize = account_resize, .ctx = a};
}

/* --- operations ------------------------------------------------------------------ */

static void op_unlink(struct room_op *op)
{
    *op->pprev = op->next;
    if (op->next != NULL)
        op->next->pprev = op->pprev;
}

static void op_run(struct loop *l, struct loop_message *m)
{
    struct room_op *op = (struct room_op *)(void *)m;

    (void)l;
    op_unlink(op);
    if (!op->hub->is_stopped)
        op->done(op);
    op->release(op);
}

void hub__op_start(struct hub *h, struct room_op *op)
{
    op->hub = h;
    op->message.run = op_run;
    op->next = h->ops;
    op->pprev = &h->ops;
    if (h->ops != NULL)
        h->ops->pprev = &op->next;
    h->ops = op;
}

void hub__op_cancel(struct room_op *op)
{
    op_unlink(op);
    op->release(op);
}

void hub__op_finished(struct room_op *op)
{
    loop_post(op->hub->loop, &op->message);
}

/* --- finding ---------------------------------------------------------------------- */

struct room *hub__find_room(struct hub *h, const char *name, size_t len)
{
    return map_get(&h->rooms, name, len);
}

static bool is_owner(const struct hub *h, const char *name, size_t len)
{
    return engine_get_owner(h->engine, name, len) == h->loop;
}

/* In the table; nobody loads it yet. */
static struct room *room_new(struct hub *h, const char *name, size_t len)
{
    const struct engine_options *o = &h->engine->o;
    struct room *r = mem_alloc_zero(&h->account, sizeof(*r));

    if (r == NULL)
        return NULL;
    r->hub = h;
    mem_account_init(&r->account, "room", &h->account, o->room_bytes_max);
    /* Whatever may wait in a socket's queue when the room has gone, names and
     * frames, is charged to the hub. */
    r->name = rbuf_new(&h->account, len + 1);
    if (r->name == NULL) {
        mem_free(&h->account, r, sizeof(*r));
        return NULL;
    }
    memcpy(r->name->bytes, name, len);
    r->name->bytes[len] = 0;
    r->is_mirror = !is_owner(h, name, len);
    r->idle_since_ms = loop_now_ms(h->loop);
    ring_init(&r->ring, &r->account, o->ring_records_max, o->ring_bytes_max);
    presence_init(&r->presence, &r->account, o->presence_states_max);
    map64_init(&r->guests, &r->account);
    r->flush_task.run = fanout__on_task;
    r->flush_timer.run = fanout__on_timer;
    r->commit_timer.run = doc__on_commit_timer;
    metrics_add(METRIC_ROOMS, !r->is_mirror);
    if (map_set(&h->rooms, room_name(r), len, r, NULL) != 0) {
        hub__free_room(r);
        return NULL;
    }
    return r;
}

int hub__get_room(struct hub *h, const char *name, size_t len, struct room **out, struct err *e)
{
    struct room *r = hub__find_room(h, name, len);

    if (r != NULL && r->state == ROOM_CLOSED)
        return err_set(e, SK_EAGAIN, "the room is closing: try again");
    if (r == NULL) {
        r = room_new(h, name, len);
        if (r == NULL)
            return err_set(e, SK_ETOOBIG, "the server has no memory for another room");
        if (!r->is_mirror && doc__start_load(r) != 0) {
            hub__free_room(r);
            return err_set(e, SK_EAGAIN, "the store does not take requests: try again");
        }
    }
    *out = r;
    return 0;
}

void hub__free_room(struct room *r)
{
    struct hub *h = r->hub;

    assert(r->n_members == 0 && map64_count(&r->guests) == 0);
    loop_cancel(h->loop, &r->flush_task);
    loop_timer_stop(h->loop, &r->flush_timer);
    loop_timer_stop(h->loop, &r->commit_timer);
    map_remove(&h->rooms, room_name(r), room_name_len(r));
    doc__fini(r);
    ring_fini(&r->ring);
    presence_fini(&r->presence);
    map64_fini(&r->guests);
    if (r->links != NULL)
        mem_free(&r->account, r->links, h->engine->o.workers * sizeof(*r->links));
    rbuf_unref(r->name);
    if (!r->is_mirror)
        metrics_add(METRIC_ROOMS, -1);
    mem_account_fini(&r->account);
    mem_free(&h->account, r, sizeof(*r));
}

/* --- idling ------------------------------------------------------------------------ */

static bool is_idle(const struct room *r, uint64_t now)
{
    if (r->n_members > 0 || map64_count(&r->guests) > 0)
        return false;
    if (r->is_mirror || r->state == ROOM_CLOSED)
        return true;
    return now - r->idle_since_ms >= r->hub->engine->o.idle_unload_ms;
}

static void sweep_room(struct room *r, uint64_t now)
{
    if (!r->is_mirror && r->state == ROOM_READY) {
        presence_expire(&r->presence, now, r->hub->engine->o.presence_age_ms);
        if (presence_has_changes(&r->presence))
            fanout__schedule(r);
    }
    fanout__drop_read(r);
    if (!r->is_mirror && loop_now_us(r->hub->loop) - r->flushed_us > QUIET_US)
        doc__shrink(r);
    if (!is_idle(r, now))
        return;
    if (!r->is_mirror && r->state == ROOM_READY)
        doc__snapshot_if_due(r, true);
    if (!r->is_mirror && !doc__is_settled(r))
        return;
    r->hub->unloaded++;
    metrics_add(METRIC_ROOM_UNLOADS, 1);
    hub__free_room(r);
}

static void on_sweep(struct loop *l, struct loop_timer *t)
{
    struct hub *h = (struct hub *)(void *)((char *)t - offsetof(struct hub, sweep));
    uint64_t now = loop_now_ms(l);
    size_t n = map_count(&h->rooms), i = 0, pos = 0;
    struct room **list = n > 0 ? mem_alloc(&h->account, n * sizeof(struct room *)) : NULL;
    struct room *r;

    /* The table must not change while it is walked, and unloading changes it. */
    while (list != NULL && i < n && (r = map_next(&h->rooms, &pos)) != NULL)
        list[i++] = r;
    for (size_t k = 0; k < i; k++)
        sweep_room(list[k], now);
    mem_free(&h->account, list, n * sizeof(struct room *));
    if (h->unloaded >= TRIM_AFTER_UNLOADS || (h->unloaded > 0 && map_count(&h->rooms) == 0)) {
        malloc_trim(0);
        h->unloaded = 0;
    }
    loop_timer_start(l, t, SWEEP_MS);
}

/* --- the hub itself ----------------------------------------------------------------- */

struct hub *hub__new(struct engine *g, struct loop *l)
{
    struct hub *h = mem_alloc_zero(mem_process(), sizeof(*h));
    struct ydoc_alloc alloc;

    h->engine = g;
    h->loop = l;
    h->index = loop_index(l);
    mem_account_init(&h->account, "rooms", mem_process(), 0);
    map_init(&h->rooms, &h->account);
    alloc = hub__ydoc_alloc(&h->account);
    ydoc_buf_init(&h->scratch, &alloc);
    ydoc_buf_init(&h->scratch2, &alloc);
    h->sweep.run = on_sweep;
    loop_timer_start(l, &h->sweep, SWEEP_MS);
    return h;
}

void hub__stop(struct hub *h)
{
    struct room *r;
    size_t pos;

    h->is_stopped = true;
    loop_timer_stop(h->loop, &h->sweep);
    while (pos = 0, (r = map_next(&h->rooms, &pos)) != NULL) {
        if (!r->is_mirror)
            doc__commit(r);
        mirror__free_guests(r);
        hub__free_room(r);
    }
}

void hub__free(struct hub *h)
{
    assert(h->ops == NULL); /* the store has been closed, and the loop has heard of all */
    map_fini(&h->rooms);
    ydoc_buf_fini(&h->scratch);
    ydoc_buf_fini(&h->scratch2);
    mem_free(mem_process(), h, sizeof(*h));
}

void hub__set_health(struct hub *h, bool degraded, const char *why)
{
    struct room *r;
    size_t pos = 0;

    h->degraded = degraded;
    snprintf(h->why, sizeof(h->why), "%s", why);
    while ((r = map_next(&h->rooms, &pos)) != NULL) {
        for (struct member *m = r->members; m != NULL; m = m->next) {
            if (m->joined && m->ops->on_health != NULL)
                m->ops->on_health(m, degraded, why);
        }
    }
}
