#ifndef YDOC_SNAPSHOT_H
#define YDOC_SNAPSHOT_H

/* snapshot - what a snapshot is made of, for snapshot.c and snapshot_read.c. */
#include "ydoc/store.h"

/* `states` is the state vector, clients descending, each once; a range's clock is
 * the client's next clock. `deleted` has the clients descending and each one's
 * ranges as they came, which is how they are written again. `sorted` is the same
 * in order, for looking up; it is empty as long as `deleted` is in order itself. */
struct ydoc_snapshot {
    struct ydoc_alloc alloc;
    struct dset states, deleted, sorted;
    bool in_order;
};

/* Yjs's splitSnapshotAffectedStructs: cuts items so that each is all in the
 * snapshot or not at all. Inside a transaction, whose end joins them again. */
void snapshot_split(struct ydoc *doc, const struct ydoc_snapshot *s);

/* A snapshot in the document's own client numbers. */
struct snapshot_view {
    const struct ydoc_snapshot *s; /* NULL: the document as it is */
    struct ydoc_buf seen;          /* struct snapshot_seen, one a client */
};
/* YDOC_ENOMEM, or 0. */
int snapshot_view_open(struct snapshot_view *v, const struct ydoc *doc,
                       const struct ydoc_snapshot *s);
void snapshot_view_close(struct snapshot_view *v);
/* Yjs's isVisible: an item is judged by its first unit. */
bool snapshot_shows(const struct snapshot_view *v, const struct item *it);
/* It existed, deleted or not. */
bool snapshot_knows(const struct snapshot_view *v, const struct item *it);

#endif
