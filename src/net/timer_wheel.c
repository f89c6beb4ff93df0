#include "net/timer_wheel.h"

#include <assert.h>
#include <string.h>

#define LEVEL_BITS 6
#define SLOT_MASK (TIMER_WHEEL_SLOTS - 1)
#define DISTANCE_MAX ((UINT64_C(1) << (LEVEL_BITS * TIMER_WHEEL_LEVELS)) - 1)

void timer_wheel_init(struct timer_wheel *w, uint64_t now_ms)
{
    memset(w, 0, sizeof(*w));
    w->now_ms = now_ms;
}

static unsigned level_of(uint64_t distance)
{
    return distance == 0 ? 0 : (63 - (unsigned)__builtin_clzll(distance)) / LEVEL_BITS;
}

static void link_timer(struct timer_wheel *w, struct loop_timer *t)
{
    unsigned level = level_of(t->due_ms - w->now_ms);
    unsigned slot = (t->due_ms >> (LEVEL_BITS * level)) & SLOT_MASK;
    struct loop_timer **head = &w->slots[level][slot];

    t->next = *head;
    t->pprev = head;
    if (t->next != NULL)
        t->next->pprev = &t->next;
    *head = t;
    w->occupied[level] |= UINT64_C(1) << slot;
}

void timer_wheel_add(struct timer_wheel *w, struct loop_timer *t, uint64_t due_ms)
{
    assert(t->pprev == NULL);
    if (due_ms <= w->now_ms)
        due_ms = w->now_ms + 1;
    if (due_ms - w->now_ms > DISTANCE_MAX)
        due_ms = w->now_ms + DISTANCE_MAX;
    t->due_ms = due_ms;
    link_timer(w, t);
}

/* The bit of a slot is cleared by whoever takes its last timer out; a timer in
 * the list that advance() is running is in no slot. */
static void clear_bit_of(struct timer_wheel *w, struct loop_timer **head)
{
    uintptr_t first = (uintptr_t)&w->slots[0][0], at = (uintptr_t)head;
    size_t i;

    if (at < first || at >= first + sizeof(w->slots))
        return;
    i = (at - first) / sizeof(w->slots[0][0]);
    w->occupied[i / TIMER_WHEEL_SLOTS] &= ~(UINT64_C(1) << (i % TIMER_WHEEL_SLOTS));
}

void timer_wheel_remove(struct timer_wheel *w, struct loop_timer *t)
{
    if (t->pprev == NULL)
        return;
    *t->pprev = t->next;
    if (t->next != NULL)
        t->next->pprev = t->pprev;
    else
        clear_bit_of(w, t->pprev);
    t->next = NULL;
    t->pprev = NULL;
}

/* Time at which the next occupied slot of `level` begins. */
static uint64_t next_of_level(const struct timer_wheel *w, unsigned level)
{
    unsigned shift = LEVEL_BITS * level;
    uint64_t tick = w->now_ms >> shift;
    unsigned from = (tick + 1) & SLOT_MASK;
    uint64_t bits = w->occupied[level];

    if (bits == 0)
        return UINT64_MAX;
    if (from != 0)
        bits = bits >> from | bits << (TIMER_WHEEL_SLOTS - from);
    return (tick + 1 + (unsigned)__builtin_ctzll(bits)) << shift;
}

uint64_t timer_wheel_next_ms(const struct timer_wheel *w)
{
    uint64_t next = UINT64_MAX;

    for (unsigned level = 0; level < TIMER_WHEEL_LEVELS; level++) {
        uint64_t t = next_of_level(w, level);

        if (t < next)
            next = t;
    }
    return next;
}

static struct loop_timer *take_slot(struct timer_wheel *w, unsigned level, unsigned slot)
{
    struct loop_timer *list = w->slots[level][slot];

    w->slots[level][slot] = NULL;
    w->occupied[level] &= ~(UINT64_C(1) << slot);
    return list;
}

/* The clock has reached the beginning of a slot on each level whose lower bits
 * are zero: its timers move to the level that their distance needs now. */
static void cascade(struct timer_wheel *w)
{
    for (unsigned level = TIMER_WHEEL_LEVELS - 1; level > 0; level--) {
        unsigned shift = LEVEL_BITS * level;
        struct loop_timer *t;

        if ((w->now_ms & ((UINT64_C(1) << shift) - 1)) != 0)
            continue;
        t = take_slot(w, level, (w->now_ms >> shift) & SLOT_MASK);
        while (t != NULL) {
            struct loop_timer *next = t->next;

            link_timer(w, t);
            t = next;
        }
    }
}

void timer_wheel_advance(struct timer_wheel *w, struct loop *l, uint64_t now_ms)
{
    for (;;) {
        uint64_t next = timer_wheel_next_ms(w);
        struct loop_timer *due;

        if (next > now_ms)
            break;
        w->now_ms = next;
        cascade(w);
        due = take_slot(w, 0, next & SLOT_MASK);
        if (due != NULL)
            due->pprev = &due; /* stops by other timers' run() find the local list */
        while (due != NULL) {
            struct loop_timer *t = due;

            timer_wheel_remove(w, t);
            t->run(l, t);
        }
    }
    if (now_ms > w->now_ms)
        w->now_ms = now_ms;
}
