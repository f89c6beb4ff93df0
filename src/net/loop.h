#ifndef SKEIN_NET_LOOP_H
#define SKEIN_NET_LOOP_H

/* loop - one worker's event loop: mailbox, timers, and the end of the turn.
 *
 * A turn is: due timers, ready sockets, messages from other threads; then, just
 * before the loop would block, its end: deferred tasks run until there are
 * none, then every socket with something to write is flushed once. So all that
 * happened in a turn leaves in one writev() a socket.
 *
 * Threads: loop_post() and loop_stop() may be called from anywhere. All else
 * belongs to the loop's own thread and asserts it; while the loop is not
 * running, it belongs to whoever made it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

struct loop;

/* `index` is the worker's number. The account is charged with all that lives on the loop. */
int loop_new(struct loop **out, unsigned index, struct mem_account *parent,
             struct err *e) SK_MUST_CHECK;
/* After loop_run() has returned and everything on it was closed. Runs what is
 * left in the mailbox. NULL is allowed. */
void loop_free(struct loop *l);
/* Runs on the calling thread until loop_stop(). May be called again. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l); /* any thread */

bool loop_is_current(const struct loop *l);
/* The loop that runs on the calling thread, or NULL. */
struct loop *loop_get_current(void);
unsigned loop_index(const struct loop *l);
struct mem_account *loop_account(struct loop *l);

/* Monotonic, read once a turn and after each wait; cheap. */
uint64_t loop_now_ms(const struct loop *l);
uint64_t loop_now_us(const struct loop *l); /* read anew each call: a vDSO call */

/* What the layers above keep for each worker (its rooms, its gateways). */
void loop_set_data(struct loop *l, void *data);
void *loop_get_data(const struct loop *l);

/* A message to a loop. The sender embeds it in its own struct and must not
 * touch it until run() is called, on the loop's thread; run() may free it.
 * Messages of one sender arrive in the order in which they were posted. */
struct loop_message {
    struct loop_message *next;
    void (*run)(struct loop *l, struct loop_message *m);
};
void loop_post(struct loop *l, struct loop_message *m); /* any thread */

/* Work for the end of this turn. Deferring a task that is deferred already does
 * nothing. A task may defer others, or itself for the next turn's end when it
 * runs: a self-deferred task waits for the next turn. */
struct loop_task {
    struct loop_task *next;
    void (*run)(struct loop *l, struct loop_task *t);
    bool queued;
};
void loop_defer(struct loop *l, struct loop_task *t);
void loop_cancel(struct loop *l, struct loop_task *t); /* not queued is allowed */

/* Timers of 1 ms resolution in a hierarchical wheel: start and stop are O(1).
 * Embedded in the owner; zeroed memory is a stopped timer. */
struct loop_timer {
    struct loop_timer *next, **pprev;
    uint64_t due_ms;
    void (*run)(struct loop *l, struct loop_timer *t);
};
void loop_timer_start(struct loop *l, struct loop_timer *t, uint64_t after_ms); /* re-arms too */
void loop_timer_stop(struct loop *l, struct loop_timer *t);
bool loop_timer_is_running(const struct loop_timer *t);

#endif
