#ifndef YDOC_WATCH_H
#define YDOC_WATCH_H

/* watch - who wants to know what changes: observers of updates, types,
 * transactions and subdocuments, and undo managers. A document without any has
 * doc->watch NULL and pays nothing; doc->notes_changes and doc->notes_subdocs say
 * whether transactions must note what those need. */
#include "ydoc/events.h"

struct update_observer {
    int number;
    int version; /* of the update format; 0: was removed */
    ydoc_update_fn fn;
    void *ctx;
};

/* Called when a transaction's observers are called (Yjs's afterTransaction). */
struct after_hook {
    void (*fn)(struct ydoc *doc, const struct tx *tx, void *ctx); /* NULL: was removed */
    void *ctx;
};

/* One of the two functions; neither: was removed. */
struct type_observer {
    uint32_t type;
    uint32_t generation; /* of the type; another one: the type is gone */
    int number;
    ydoc_event_fn fn;
    ydoc_events_fn deep;
    void *ctx;
};

struct moment_observer {
    int number;
    enum ydoc_moment moment;
    ydoc_transaction_fn fn; /* NULL: was removed */
    void *ctx;
};

struct subdoc_observer {
    int number;
    ydoc_subdocs_fn fn; /* NULL: was removed */
    void *ctx;
};

struct watch {
    VEC(struct update_observer) updates;
    VEC(struct after_hook) after;
    VEC(struct type_observer) types; /* by type, then number */
    VEC(struct moment_observer) moments;
    VEC(struct subdoc_observer) subdocs;
    int last_number;
    uint32_t calling;      /* callbacks that are running: lists keep their places meanwhile */
    bool has_removed;      /* the lists can be closed up */
    struct ydoc_buf spare; /* for updates; p NULL: in use, or none yet */
    struct events events;  /* of the transaction that is being finished */
    struct ydoc_buf slices, bytes; /* what subdocs observers are handed */
};

/* The document's watch, made when it is missing. */
struct watch *watch_open(struct ydoc *doc);
void watch_add_after(struct ydoc *doc, struct after_hook hook);
void watch_remove_after(struct ydoc *doc, struct after_hook hook);

/* Nobody wants to know more than updates; there is a watch. */
static inline bool watch_only_updates(const struct ydoc *doc)
{
    const struct watch *w = doc->watch;

    return w->after.n + w->types.n + w->moments.n + w->subdocs.n == 0;
}
/* After a callback: unwinds if the document broke in it. */
void watch_check(struct ydoc *doc);
/* The observer of the type, deep or not, with the lowest number above `number`,
 * or NULL. */
const struct type_observer *watch_next_type(struct ydoc *doc, uint32_t type, bool deep, int number);

/* ---- called by transact.c, only when there is a watch ---- */
void watch_call_before(struct ydoc *doc);
void watch_call_observers(struct ydoc *doc, const struct tx *tx);
void watch_send_update(struct ydoc *doc, const struct tx *tx);
void watch_send_news(const struct news *news);
void watch_send_subdocs(struct ydoc *doc, const struct tx *tx);
void watch_call_after_all(struct ydoc *doc);

#endif
