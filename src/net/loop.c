/* loop - one worker's event loop on libuv.
 *
 * The turn's end is a uv_prepare callback: libuv calls it after timers and
 * events and just before it would block. The mailbox is a lock-free stack that
 * the receiver takes whole and reverses: a push is one compare-and-swap, and
 * only the push that finds the mailbox empty wakes the loop. One uv_timer
 * drives the timer wheel; thousands of uv_timers would be a heap operation for
 * each re-arming.
 *
 * Why libuv and not epoll itself: it measures within 2 % of bare epoll, and
 * processes, files and DNS come with it.
 */
#include "net/loop.h"

#include <assert.h>
#include <stdatomic.h>
#include <time.h>

#include "net/loop_internal.h"
#include "net/timer_wheel.h"

/* Deferred tasks and flushes that make each other anew are cut off after so
 * many rounds; the rest waits for the next turn, which then does not block. */
#define TURN_END_ROUNDS_MAX 16

struct task_list {
    struct loop_task *first, **end;
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t turn_end;
    uv_async_t wake;
    uv_timer_t clock;
    uv_idle_t no_wait;     /* runs while tasks are left over, so that the loop does not block */
    uint64_t clock_due_ms; /* UINT64_MAX: not running */
    bool clock_dirty;
    unsigned index;
    struct mem_account account;
    void *data;
    struct worker *worker;
    bool (*flush)(struct worker *w);
    struct task_list tasks, round, later; /* later: deferred themselves while they ran */
    struct loop_task *running;
    struct timer_wheel wheel;
    struct {
        _Atomic(struct loop_message *) inbox;
        atomic_bool stop, is_running;
    } shared;
};

/* The loop that runs on this thread; what loop_get_current() is for. */
static _Thread_local struct loop *current;

static void list_init(struct task_list *list)
{
    list->first = NULL;
    list->end = &list->first;
}

static void list_put(struct task_list *list, struct loop_task *t)
{
    t->next = NULL;
    *list->end = t;
    list->end = &t->next;
}

static void list_append(struct task_list *to, struct task_list *from)
{
    if (from->first == NULL)
        return;
    *to->end = from->first;
    to->end = from->end;
    list_init(from);
}

static void on_turn_end(uv_prepare_t *h);
static void on_wake(uv_async_t *h);
static void on_idle(uv_idle_t *h);
static bool run_inbox(struct loop *l);

/* A loop that is not running yet, or no more, may be used by whoever owns it. */
static void assert_thread(const struct loop *l)
{
    assert(current == l ||
           !atomic_load_explicit(&((struct loop *)(uintptr_t)l)->shared.is_running,
                                 memory_order_relaxed)); /* relaxed: only checks for our own bugs */
    (void)l;
}

int loop_new(struct loop **out, unsigned index, struct mem_account *parent, struct err *e)
{
    struct loop *l = mem_alloc_zero(parent, sizeof(*l));
    int rc;

    *out = NULL;
    if (l == NULL)
        return err_set(e, SK_ENOMEM, "no memory for worker %u", index);
    rc = uv_loop_init(&l->uv);
    if (rc != 0) {
        mem_free(parent, l, sizeof(*l));
        return err_set(e, SK_EIO, "event loop of worker %u: %s", index, uv_strerror(rc));
    }
    rc = uv_async_init(&l->uv, &l->wake, on_wake);
    if (rc != 0) {
        uv_loop_close(&l->uv);
        mem_free(parent, l, sizeof(*l));
        return err_set(e, SK_EIO, "wake-up of worker %u: %s", index, uv_strerror(rc));
    }
    uv_prepare_init(&l->uv, &l->turn_end);
    uv_prepare_start(&l->turn_end, on_turn_end);
    uv_timer_init(&l->uv, &l->clock);
    uv_idle_init(&l->uv, &l->no_wait);
    l->uv.data = l;
    l->index = index;
    l->clock_due_ms = UINT64_MAX;
    list_init(&l->tasks);
    list_init(&l->round);
    list_init(&l->later);
    mem_account_init(&l->account, "worker", parent, 0);
    timer_wheel_init(&l->wheel, uv_now(&l->uv));
    *out = l;
    return 0;
}

void loop_free(struct loop *l)
{
    struct loop *before = current;
    struct mem_account *parent;

    if (l == NULL)
        return;
    parent = l->account.parent;
    current = l;
    while (run_inbox(l)) {
    }
    uv_close((uv_handle_t *)&l->turn_end, NULL);
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_close((uv_handle_t *)&l->clock, NULL);
    uv_close((uv_handle_t *)&l->no_wait, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    uv_loop_close(&l->uv);
    current = before;
    mem_account_fini(&l->account);
    mem_free(parent, l, sizeof(*l));
}

void loop_run(struct loop *l)
{
    struct loop *before = current;

    current = l;
    /* relaxed: read for assertions only */
    atomic_store_explicit(&l->shared.is_running, true, memory_order_relaxed);
    uv_update_time(&l->uv);
    /* acquire: what the stopping thread did before is seen after the return */
    while (!atomic_load_explicit(&l->shared.stop, memory_order_acquire))
        uv_run(&l->uv, UV_RUN_DEFAULT);
    atomic_store_explicit(&l->shared.stop, false, memory_order_relaxed);
    on_turn_end(&l->turn_end);
    atomic_store_explicit(&l->shared.is_running, false, memory_order_relaxed);
    current = before;
}

void loop_stop(struct loop *l)
{
    /* release: pairs with the acquire in loop_run() */
    atomic_store_explicit(&l->shared.stop, true, memory_order_release);
    uv_async_send(&l->wake);
}

bool loop_is_current(const struct loop *l)
{
    return current == l;
}

struct loop *loop_get_current(void)
{
    return current;
}

unsigned loop_index(const struct loop *l)
{
    return l->index;
}

struct mem_account *loop_account(struct loop *l)
{
    return &l->account;
}

uint64_t loop_now_ms(const struct loop *l)
{
    return uv_now(&l->uv);
}

uint64_t loop_now_us(const struct loop *l)
{
    struct timespec ts;

    (void)l;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

void loop_set_data(struct loop *l, void *data)
{
    l->data = data;
}

void *loop_get_data(const struct loop *l)
{
    return l->data;
}

uv_loop_t *loop__uv(struct loop *l)
{
    return &l->uv;
}

void loop__bind(struct loop *l)
{
    current = l;
}

void loop__set_worker(struct loop *l, struct worker *w, bool (*flush)(struct worker *w))
{
    l->worker = w;
    l->flush = flush;
}

struct worker *loop__worker(const struct loop *l)
{
    return l->worker;
}

/* --- mailbox -------------------------------------------------------------- */

void loop_post(struct loop *l, struct loop_message *m)
{
    struct loop_message *head = atomic_load_explicit(&l->shared.inbox, memory_order_relaxed);

    /* release: the receiver sees the message's contents */
    do
        m->next = head;
    while (!atomic_compare_exchange_weak_explicit(&l->shared.inbox, &head, m, memory_order_release,
                                                  memory_order_relaxed));
    if (head == NULL)
        uv_async_send(&l->wake);
}

static bool run_inbox(struct loop *l)
{
    /* acquire: pairs with the release of each push */
    struct loop_message *m = atomic_exchange_explicit(&l->shared.inbox, NULL, memory_order_acquire);
    struct loop_message *in_order = NULL;

    if (m == NULL)
        return false;
    while (m != NULL) {
        struct loop_message *next = m->next;

        m->next = in_order;
        in_order = m;
        m = next;
    }
    while (in_order != NULL) {
        struct loop_message *next = in_order->next; /* run() may free the message */

        in_order->run(l, in_order);
        in_order = next;
    }
    return true;
}

static void on_wake(uv_async_t *h)
{
    struct loop *l = h->loop->data;

    run_inbox(l);
    /* acquire: as in loop_run() */
    if (atomic_load_explicit(&l->shared.stop, memory_order_acquire))
        uv_stop(&l->uv);
}

/* --- the end of the turn -------------------------------------------------- */

void loop_defer(struct loop *l, struct loop_task *t)
{
    assert_thread(l);
    if (t->queued)
        return;
    t->queued = true;
    list_put(t == l->running ? &l->later : &l->tasks, t);
}

static bool list_remove(struct task_list *list, struct loop_task *t)
{
    for (struct loop_task **p = &list->first; *p != NULL; p = &(*p)->next) {
        if (*p != t)
            continue;
        *p = t->next;
        if (list->end == &t->next)
            list->end = p;
        t->queued = false;
        return true;
    }
    return false;
}

void loop_cancel(struct loop *l, struct loop_task *t)
{
    assert_thread(l);
    if (l->running == t)
        l->running = NULL; /* it may be freed inside its own run() */
    if (t->queued && !list_remove(&l->tasks, t) && !list_remove(&l->round, t))
        list_remove(&l->later, t);
}

/* Runs what is queued now. What these tasks defer belongs to the next round. */
static bool run_tasks(struct loop *l)
{
    if (l->tasks.first == NULL)
        return false;
    list_append(&l->round, &l->tasks);
    while (l->round.first != NULL) {
        struct loop_task *t = l->round.first;

        list_remove(&l->round, t);
        l->running = t;
        t->run(l, t);
        l->running = NULL;
    }
    return true;
}

static void keep_for_next_turn(struct loop *l, bool is_cut_off)
{
    list_append(&l->tasks, &l->later);
    if (l->tasks.first != NULL || is_cut_off)
        uv_idle_start(&l->no_wait, on_idle);
    else
        uv_idle_stop(&l->no_wait);
}

static void on_clock(uv_timer_t *h)
{
    struct loop *l = h->loop->data;

    l->clock_due_ms = UINT64_MAX;
    l->clock_dirty = true;
    timer_wheel_advance(&l->wheel, l, uv_now(&l->uv));
}

/* Only an earlier due time moves the clock; a stopped timer lets it fire in vain, once. */
static void set_clock(struct loop *l)
{
    uint64_t next, now = uv_now(&l->uv);

    if (!l->clock_dirty)
        return;
    l->clock_dirty = false;
    next = timer_wheel_next_ms(&l->wheel);
    if (next >= l->clock_due_ms)
        return;
    l->clock_due_ms = next;
    uv_timer_start(&l->clock, on_clock, next > now ? next - now : 0, 0);
}

static void on_turn_end(uv_prepare_t *h)
{
    struct loop *l = h->loop->data;

    bool more = true;

    for (unsigned round = 0; round < TURN_END_ROUNDS_MAX && more; round++) {
        more = run_tasks(l);
        if (l->flush != NULL && l->tasks.first == NULL && l->flush(l->worker))
            more = true;
    }
    keep_for_next_turn(l, more);
    set_clock(l);
}

static void on_idle(uv_idle_t *h)
{
    (void)h;
}

/* --- timers --------------------------------------------------------------- */

void loop_timer_start(struct loop *l, struct loop_timer *t, uint64_t after_ms)
{
    assert_thread(l);
    assert(t->run != NULL);
    timer_wheel_remove(&l->wheel, t);
    timer_wheel_add(&l->wheel, t, uv_now(&l->uv) + after_ms);
    l->clock_dirty = true;
}

void loop_timer_stop(struct loop *l, struct loop_timer *t)
{
    assert_thread(l);
    timer_wheel_remove(&l->wheel, t);
}

bool loop_timer_is_running(const struct loop_timer *t)
{
    return t->pprev != NULL;
}
