#ifndef SKEIN_NET_TIMER_WHEEL_H
#define SKEIN_NET_TIMER_WHEEL_H

/* timer_wheel - the loop's timers: six levels of 64 slots, 1 ms resolution.
 *
 * A slot of level k spans 64^k ms. A timer sits on the level that its distance
 * needs and falls to a lower one when the clock reaches its slot, so starting
 * and stopping are O(1) and 10,000 connections cost nothing while they wait.
 * A bitmap a level finds the next occupied slot without walking.
 *
 * Ownership: the caller owns the timers. Thread: the loop's.
 */
#include <stdbool.h>
#include <stdint.h>

#include "net/loop.h"

#define TIMER_WHEEL_LEVELS 6
#define TIMER_WHEEL_SLOTS 64

struct timer_wheel {
    uint64_t now_ms; /* everything due until here has run */
    uint64_t occupied[TIMER_WHEEL_LEVELS];
    struct loop_timer *slots[TIMER_WHEEL_LEVELS][TIMER_WHEEL_SLOTS];
};

void timer_wheel_init(struct timer_wheel *w, uint64_t now_ms);
/* A due time that has passed runs at the next advance. Beyond two years it is cut to that. */
void timer_wheel_add(struct timer_wheel *w, struct loop_timer *t, uint64_t due_ms);
void timer_wheel_remove(struct timer_wheel *w, struct loop_timer *t);
/* Runs what is due until now_ms, in order of time. Timers may be started and stopped meanwhile. */
void timer_wheel_advance(struct timer_wheel *w, struct loop *l, uint64_t now_ms);
/* When advance() must be called next; it may be earlier than the next timer.
 * UINT64_MAX when there is none. */
uint64_t timer_wheel_next_ms(const struct timer_wheel *w);

#endif
