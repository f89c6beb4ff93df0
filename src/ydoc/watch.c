/* watch - see watch.h: the lists of observers, and sending updates.
 *
 * A callback may add and remove observers. Removing only marks the entry; the
 * list is closed up when no callback runs, so that walking it by number stays
 * right. Observers that were added meanwhile hear of the next transaction.
 */
#include "ydoc/watch.h"

#include <string.h>

struct watch *watch_open(struct ydoc *doc)
{
    static const struct watch none;

    if (doc->watch == NULL) {
        doc->watch = store_resize(doc, NULL, 0, sizeof(*doc->watch));
        if (doc->watch == NULL)
            store_fail(doc, YDOC_ENOMEM);
        *doc->watch = none;
    }
    return doc->watch;
}

void store_free_watch(struct ydoc *doc)
{
    if (doc->watch == NULL)
        return;
    VEC_FREE(doc, doc->watch->updates);
    VEC_FREE(doc, doc->watch->after);
    store_resize(doc, doc->watch, sizeof(*doc->watch), 0);
    doc->watch = NULL;
}

static void close_up(struct ydoc *doc)
{
    struct watch *w = doc->watch;
    uint32_t n = 0;

    if (w->calling > 0)
        return;
    for (uint32_t i = 0; i < w->updates.n; i++) {
        if (w->updates.p[i].version != 0)
            w->updates.p[n++] = w->updates.p[i];
    }
    w->updates.n = n;
    n = 0;
    for (uint32_t i = 0; i < w->after.n; i++) {
        if (w->after.p[i].fn != NULL)
            w->after.p[n++] = w->after.p[i];
    }
    w->after.n = n;
    if (w->updates.n + w->after.n == 0 && !doc->finishing)
        store_free_watch(doc);
}

void watch_add_after(struct ydoc *doc, struct after_hook hook)
{
    struct watch *w = watch_open(doc);

    VEC_PUSH(doc, w->after, hook);
}

void watch_remove_after(struct ydoc *doc, struct after_hook hook)
{
    struct watch *w = doc->watch;

    for (uint32_t i = 0; w != NULL && i < w->after.n; i++) {
        if (w->after.p[i].fn == hook.fn && w->after.p[i].ctx == hook.ctx)
            w->after.p[i].fn = NULL;
    }
    if (w != NULL)
        close_up(doc);
}

void watch_call_observers(struct ydoc *doc, const struct tx *tx)
{
    struct watch *w = doc->watch;

    w->calling++;
    for (uint32_t i = 0, n = w->after.n; i < n; i++) {
        if (w->after.p[i].fn != NULL)
            w->after.p[i].fn(doc, tx, w->after.p[i].ctx);
    }
    w->calling--;
    close_up(doc);
}

/* ---- updates ---- */

static bool wants(const struct watch *w, int version)
{
    for (uint32_t i = 0; i < w->updates.n; i++) {
        if (w->updates.p[i].version == version)
            return true;
    }
    return false;
}

static void call_update_observers(struct ydoc *doc, const struct tx *tx, int version,
                                  struct ydoc_slice update)
{
    struct watch *w = doc->watch;

    for (uint32_t i = 0, n = w->updates.n; i < n; i++) {
        if (w->updates.p[i].version == version)
            w->updates.p[i].fn(doc, update, tx->origin, w->updates.p[i].ctx);
    }
}

/* Yjs writes a v1 and a v2 update only for those who listen. */
void watch_send_update(struct ydoc *doc, const struct tx *tx)
{
    struct watch *w = doc->watch;
    struct ydoc_buf update;
    bool failed;

    if (!store_has_content(doc, tx))
        return;
    w->calling++;
    for (int version = 1; version <= 2; version++) {
        if (!wants(w, version))
            continue;
        ydoc_buf_init(&update, &doc->alloc);
        failed = store_write_changes(doc, tx, version, &update) != 0;
        if (!failed)
            call_update_observers(doc, tx, version, ydoc_buf_slice(&update));
        ydoc_buf_fini(&update);
        if (failed)
            store_fail(doc, YDOC_ENOMEM);
    }
    w->calling--;
    close_up(doc);
}

struct new_observer {
    struct ydoc *doc;
    struct update_observer observer;
};

static void add_update_observer(void *arg)
{
    struct new_observer *n = arg;
    struct watch *w = watch_open(n->doc);

    VEC_PUSH(n->doc, w->updates, n->observer);
    w->updates.p[w->updates.n - 1].number = ++w->last_number;
}

int ydoc_observe_updates(struct ydoc *doc, int version, ydoc_update_fn fn, void *ctx)
{
    struct new_observer n = {doc, {0, version, fn, ctx}};
    int rc;

    if (doc->broken)
        return YDOC_EBROKEN;
    if (version != 1 && version != 2)
        return YDOC_ERANGE;
    rc = store_run(doc, add_update_observer, &n);
    return rc != 0 ? rc : doc->watch->last_number;
}

void ydoc_unobserve(struct ydoc *doc, int number)
{
    struct watch *w = doc->watch;

    for (uint32_t i = 0; w != NULL && i < w->updates.n; i++) {
        if (w->updates.p[i].number == number)
            w->updates.p[i].version = 0;
    }
    if (w != NULL)
        close_up(doc);
}
