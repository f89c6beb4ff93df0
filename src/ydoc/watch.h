#ifndef YDOC_WATCH_H
#define YDOC_WATCH_H

/* watch - who wants to know what changes: observers of updates and of types,
 * undo managers. A document without any has doc->watch NULL and pays nothing. */
#include "ydoc/store.h"

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

struct watch {
    VEC(struct update_observer) updates;
    VEC(struct after_hook) after;
    int last_number;
    uint32_t calling; /* callbacks that are running: lists keep their places meanwhile */
};

/* The document's watch, made when it is missing. */
struct watch *watch_open(struct ydoc *doc);
void watch_add_after(struct ydoc *doc, struct after_hook hook);
void watch_remove_after(struct ydoc *doc, struct after_hook hook);

void watch_call_observers(struct ydoc *doc, const struct tx *tx);
void watch_send_update(struct ydoc *doc, const struct tx *tx);

#endif
