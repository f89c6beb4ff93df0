#include "net/loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "net/timer_wheel.h"

static struct loop *new_loop(void)
{
    struct loop *l;

    CHECK_EQ(loop_new(&l, 3, mem_process(), NULL), 0);
    return l;
}

/* --- timers --------------------------------------------------------------- */

#define TIMERS 500

static struct {
    struct loop_timer timer;
    uint64_t due, ran;
} timers[TIMERS];
static uint64_t wheel_now, last_due;

static void on_wheel_timer(struct loop *l, struct loop_timer *t)
{
    size_t i = (size_t)((char *)t - (char *)timers) / sizeof(timers[0]);

    (void)l;
    timers[i].ran = wheel_now;
    if (t->due_ms < last_due)
        abort();
    last_due = t->due_ms;
}

/* Every timer runs exactly when the clock first reaches its time, whatever the
 * distance and however far the clock jumps; a stopped one never runs. */
TEST(wheel, timers_run_on_time)
{
    static struct timer_wheel w;
    uint64_t seed = 1, from = 123456789;

    timer_wheel_init(&w, from);
    wheel_now = from;
    for (size_t i = 0; i < TIMERS; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        timers[i].due = from + 1 + (seed >> 33) % (UINT64_C(1) << (i % 24));
        timers[i].timer.run = on_wheel_timer;
        timer_wheel_add(&w, &timers[i].timer, timers[i].due);
    }
    for (size_t i = 0; i < TIMERS; i += 7)
        timer_wheel_remove(&w, &timers[i].timer);
    while (timer_wheel_next_ms(&w) != UINT64_MAX) {
        wheel_now = timer_wheel_next_ms(&w);
        timer_wheel_advance(&w, NULL, wheel_now);
    }
    for (size_t i = 0; i < TIMERS; i++)
        CHECK_EQ(timers[i].ran, i % 7 == 0 ? 0 : timers[i].due);
}

/* A wheel that stands empty for long does not walk there, and goes on right. */
TEST(wheel, jumps_far)
{
    static struct timer_wheel w;
    struct loop_timer t = {.run = on_wheel_timer};

    memset(timers, 0, sizeof(timers));
    last_due = 0;
    timer_wheel_init(&w, 5);
    wheel_now = UINT64_C(1) << 40;
    timer_wheel_advance(&w, NULL, wheel_now);
    timers[0].timer = t;
    timer_wheel_add(&w, &timers[0].timer, wheel_now + 64);
    timer_wheel_advance(&w, NULL, wheel_now + 63);
    CHECK_EQ(timers[0].ran, 0);
    wheel_now += 64;
    timer_wheel_advance(&w, NULL, wheel_now);
    CHECK_EQ(timers[0].ran, wheel_now);
}

static struct loop_timer first, second;
static unsigned first_ran, second_ran;

static void on_first(struct loop *l, struct loop_timer *t)
{
    first_ran++;
    loop_timer_stop(l, &second);
    if (first_ran < 3)
        loop_timer_start(l, t, 1);
    else
        loop_stop(l);
}

static void on_second(struct loop *l, struct loop_timer *t)
{
    (void)l;
    (void)t;
    second_ran++;
}

TEST(loop, timer_stops_another_of_the_same_time_and_rearms)
{
    struct loop *l = new_loop();

    first = (struct loop_timer){.run = on_first};
    second = (struct loop_timer){.run = on_second};
    loop_timer_start(l, &second, 5);
    loop_timer_start(l, &first, 5); /* the later one of a slot runs first */
    CHECK(loop_timer_is_running(&first));
    loop_run(l);
    CHECK_EQ(first_ran, 3);
    CHECK_EQ(second_ran, 0);
    CHECK(!loop_timer_is_running(&first) && !loop_timer_is_running(&second));
    loop_free(l);
}

/* --- tasks ---------------------------------------------------------------- */

static struct loop_task task_a, task_b;
static char trace[64];
static unsigned a_runs;

static void on_task_a(struct loop *l, struct loop_task *t)
{
    strcat(trace, "a");
    loop_defer(l, &task_b);
    loop_defer(l, &task_b); /* is queued already */
    if (++a_runs < 3)
        loop_defer(l, t); /* waits for the next turn, which does not block */
    else
        loop_stop(l);
}

static void on_task_b(struct loop *l, struct loop_task *t)
{
    (void)l;
    (void)t;
    strcat(trace, "b");
}

TEST(loop, tasks_run_until_none_and_a_self_deferred_one_waits)
{
    struct loop *l = new_loop();

    task_a = (struct loop_task){.run = on_task_a};
    task_b = (struct loop_task){.run = on_task_b};
    loop_defer(l, &task_a);
    loop_run(l);
    CHECK_STR(trace, "ababab");
    loop_defer(l, &task_a);
    loop_cancel(l, &task_a);
    loop_cancel(l, &task_a);
    CHECK(!task_a.queued);
    loop_free(l);
}

/* --- mailbox -------------------------------------------------------------- */

#define SENDERS 4
#define MESSAGES 2000

struct numbered {
    struct loop_message m;
    unsigned sender, number;
};
static unsigned next_of[SENDERS], total;

static void on_numbered(struct loop *l, struct loop_message *m)
{
    struct numbered *n = (struct numbered *)m;

    if (!loop_is_current(l) || loop_get_current() != l || n->number != next_of[n->sender]++)
        abort();
    free(n);
    if (++total == SENDERS * MESSAGES)
        loop_stop(l);
}

struct sender {
    struct loop *l;
    unsigned i;
};

static void *send_all(void *arg)
{
    struct sender *s = arg;

    for (unsigned i = 0; i < MESSAGES; i++) {
        struct numbered *n = malloc(sizeof(*n));

        if (n == NULL)
            abort();
        *n = (struct numbered){.m.run = on_numbered, .sender = s->i, .number = i};
        loop_post(s->l, &n->m);
    }
    return NULL;
}

/* Messages of one sender arrive in their order, on the loop's thread, all of them. */
TEST(loop, mailbox_keeps_each_senders_order)
{
    struct loop *l = new_loop();
    pthread_t threads[SENDERS];
    struct sender senders[SENDERS];

    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){l, i};
        pthread_create(&threads[i], NULL, send_all, &senders[i]);
    }
    loop_run(l);
    for (unsigned i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(total, SENDERS * MESSAGES);
    CHECK_EQ(loop_index(l), 3);
    CHECK(loop_get_current() == NULL);
    loop_free(l);
}

static bool was_run;

static void on_late(struct loop *l, struct loop_message *m)
{
    (void)l;
    (void)m;
    was_run = true;
}

/* What is posted to a loop that has ended is run before the loop is freed. */
TEST(loop, late_message_runs_before_free)
{
    struct loop *l = new_loop();
    struct loop_message m = {.run = on_late};

    loop_stop(l);
    loop_run(l);
    loop_post(l, &m);
    CHECK(!was_run);
    loop_free(l);
    CHECK(was_run);
}
