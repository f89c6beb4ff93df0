#ifndef YDOC_SCHEDULE_H
#define YDOC_SCHEDULE_H

/* schedule - the order in which an update's structs are integrated. */
#include "ydoc/store.h"

struct run {
    struct ydoc *doc;
    const uint8_t *end; /* of the update */
    bool dry;           /* only find out what would stay pending */
    uint32_t target;    /* source whose turn it is */
    uint32_t blocked;   /* how many cannot go on */
};

/* Room to note where an update's sections begin while it is checked; none if it
 * has one section, or if there is no memory. */
void schedule_make_notes(struct ydoc *doc, const uint8_t *update, size_t len);
void schedule_forget_notes(struct ydoc *doc);

/* Collects the update's sections in doc->sources; returns the reader at the
 * delete set, which is at `deletes_at` if that is not 0. */
struct lib0_reader schedule_load(struct ydoc *doc, const uint8_t *update, size_t len,
                                 size_t deletes_at);

/* Integrates what can be; the blocked sources hold what cannot, and
 * doc->missing says what they lack. */
void schedule_run(struct run *run);

/* A client's clock, with what the run has brought. */
uint32_t schedule_state_of(const struct run *run, uint64_t client);

#endif
