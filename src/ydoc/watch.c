/* watch - see watch.h: the lists of observers, and calling those that are not
 * about types (which are called by events.c).
 *
 * A callback may add and remove observers. Removing only marks the entry; the
 * lists are closed up when no callback runs, so that walking them by number
 * stays right. Observers of updates and transactions that were added meanwhile
 * hear of the next transaction; those of types are called at once if their
 * type's turn is not over, as in Yjs.
 *
 * The observers of types are sorted by type and number: a changed type finds
 * its own in O(log n). Those of types that are gone go when they are met.
 */
#include "ydoc/watch.h"

#include <string.h>

#include "ydoc/edit.h"

struct watch *watch_open(struct ydoc *doc)
{
    static const struct watch none;

    if (doc->watch == NULL) {
        doc->watch = store_resize(doc, NULL, 0, sizeof(*doc->watch));
        if (doc->watch == NULL)
            store_fail(doc, YDOC_ENOMEM);
        *doc->watch = none;
        ydoc_buf_init(&doc->watch->slices, &doc->alloc);
        ydoc_buf_init(&doc->watch->bytes, &doc->alloc);
    }
    return doc->watch;
}

void store_free_watch(struct ydoc *doc)
{
    struct watch *w = doc->watch;

    if (w == NULL)
        return;
    VEC_FREE(doc, w->updates);
    VEC_FREE(doc, w->after);
    VEC_FREE(doc, w->types);
    VEC_FREE(doc, w->moments);
    VEC_FREE(doc, w->subdocs);
    events_free(doc, &w->events);
    ydoc_buf_fini(&w->slices);
    ydoc_buf_fini(&w->bytes);
    if (w->spare.p != NULL) {
        doc->memory_used -= w->spare.cap;
        ydoc_buf_fini(&w->spare);
    }
    store_resize(doc, w, sizeof(*w), 0);
    doc->watch = NULL;
    doc->notes_changes = doc->notes_subdocs = false;
}

static bool is_gone(const struct ydoc *doc, const struct type_observer *o)
{
    return (o->fn == NULL && o->deep == NULL) || o->type >= doc->types.n ||
           doc->types.p[o->type].generation != o->generation;
}

#define CLOSE_UP(list, is_removed)                                                                 \
    do {                                                                                           \
        uint32_t kept = 0;                                                                         \
                                                                                                   \
        for (uint32_t i = 0; i < (list).n; i++) {                                                  \
            if (!(is_removed))                                                                     \
                (list).p[kept++] = (list).p[i];                                                    \
        }                                                                                          \
        (list).n = kept;                                                                           \
    } while (0)

static void close_up(struct ydoc *doc)
{
    struct watch *w = doc->watch;

    if (w->calling > 0)
        return;
    if (w->has_removed) {
        CLOSE_UP(w->updates, w->updates.p[i].version == 0);
        CLOSE_UP(w->after, w->after.p[i].fn == NULL);
        CLOSE_UP(w->types, is_gone(doc, &w->types.p[i]));
        CLOSE_UP(w->moments, w->moments.p[i].fn == NULL);
        CLOSE_UP(w->subdocs, w->subdocs.p[i].fn == NULL);
        w->has_removed = false;
        doc->notes_changes = w->types.n + w->after.n > 0;
        doc->notes_subdocs = w->subdocs.n > 0;
    }
    if (w->updates.n + w->after.n + w->types.n + w->moments.n + w->subdocs.n == 0 &&
        !doc->finishing)
        store_free_watch(doc);
}

void watch_check(struct ydoc *doc)
{
    if (doc->broken)
        store_fail(doc, YDOC_EBROKEN);
}

/* ---- the undo manager's ---- */

void watch_add_after(struct ydoc *doc, struct after_hook hook)
{
    struct watch *w = watch_open(doc);

    VEC_PUSH(doc, w->after, hook);
    doc->notes_changes = true;
}

void watch_remove_after(struct ydoc *doc, struct after_hook hook)
{
    struct watch *w = doc->watch;

    if (w == NULL)
        return;
    for (uint32_t i = 0; i < w->after.n; i++) {
        if (w->after.p[i].fn == hook.fn && w->after.p[i].ctx == hook.ctx)
            w->after.p[i].fn = NULL;
    }
    w->has_removed = true;
    close_up(doc);
}

/* ---- types and transactions ---- */

/* The first observer of the type with a number above `number`. */
static uint32_t find_type(const struct watch *w, uint32_t type, int number)
{
    uint32_t from = 0, to = w->types.n;

    while (from < to) {
        uint32_t mid = from + (to - from) / 2;
        const struct type_observer *o = &w->types.p[mid];

        if (o->type < type || (o->type == type && o->number <= number))
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

const struct type_observer *watch_next_type(struct ydoc *doc, uint32_t type, bool deep, int number)
{
    struct watch *w = doc->watch;

    for (uint32_t i = find_type(w, type, number); i < w->types.n && w->types.p[i].type == type;
         i++) {
        const struct type_observer *o = &w->types.p[i];

        if (is_gone(doc, o))
            w->has_removed = true;
        else if ((o->deep != NULL) == deep)
            return o;
    }
    return NULL;
}

static void call_moment(struct ydoc *doc, enum ydoc_moment moment, const struct tx *tx)
{
    struct watch *w = doc->watch;
    struct ydoc_transaction t = {NULL, false};

    if (tx != NULL) {
        t.origin = tx->origin;
        t.local = tx->local;
    }
    for (uint32_t i = 0, n = w->moments.n; i < n; i++) {
        struct moment_observer o = w->moments.p[i];

        if (o.fn != NULL && o.moment == moment)
            o.fn(doc, tx != NULL ? &t : NULL, o.ctx);
    }
}

void watch_call_before(struct ydoc *doc)
{
    struct watch *w = doc->watch;

    if (w->moments.n == 0)
        return;
    w->calling++;
    call_moment(doc, YDOC_BEFORE_TRANSACTION, &doc->cur);
    w->calling--;
}

void watch_call_after_all(struct ydoc *doc)
{
    struct watch *w = doc->watch;

    w->calling++;
    call_moment(doc, YDOC_AFTER_ALL_TRANSACTIONS, NULL);
    watch_check(doc);
    w->calling--;
    close_up(doc);
}

void watch_call_observers(struct ydoc *doc, const struct tx *tx)
{
    struct watch *w = doc->watch;

    w->calling++;
    events_call(doc, tx);
    for (uint32_t i = 0, n = w->after.n; i < n; i++) {
        if (w->after.p[i].fn != NULL)
            w->after.p[i].fn(doc, tx, w->after.p[i].ctx);
    }
    call_moment(doc, YDOC_AFTER_TRANSACTION, tx);
    watch_check(doc);
    events_end(doc);
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

static void call_update_observers(struct ydoc *doc, const void *origin, int version,
                                  struct ydoc_slice update)
{
    struct watch *w = doc->watch;

    for (uint32_t i = 0, n = w->updates.n; i < n; i++) {
        if (w->updates.p[i].version == version)
            w->updates.p[i].fn(doc, update, origin, w->updates.p[i].ctx);
    }
}

/* The buffer of the last update, if no larger one than most need. */
#define SPARE_BYTES_MAX 4096

static struct ydoc_buf take_spare(struct ydoc *doc)
{
    struct ydoc_buf buf = doc->watch->spare;

    if (buf.p == NULL)
        ydoc_buf_init(&buf, &doc->alloc);
    else
        doc->memory_used -= buf.cap;
    doc->watch->spare.p = NULL;
    return buf;
}

static void give_spare(struct ydoc *doc, struct ydoc_buf *buf)
{
    if (doc->watch->spare.p != NULL || buf->failed || buf->cap > SPARE_BYTES_MAX) {
        ydoc_buf_fini(buf);
        return;
    }
    ydoc_buf_reset(buf);
    doc->memory_used += buf->cap;
    doc->watch->spare = *buf;
}

/* Yjs writes a v1 and a v2 update only for those who listen. `tx` NULL: the news. */
static void send(struct ydoc *doc, const void *origin, const struct tx *tx, const struct news *news)
{
    struct watch *w = doc->watch;
    struct ydoc_buf update;
    bool failed;

    w->calling++;
    for (int version = 1; version <= 2; version++) {
        if (!wants(w, version))
            continue;
        update = take_spare(doc);
        failed = (tx != NULL ? store_write_changes(doc, tx, version, &update)
                             : store_write_news(news, version, &update)) != 0;
        if (!failed)
            call_update_observers(doc, origin, version, ydoc_buf_slice(&update));
        give_spare(doc, &update);
        if (failed)
            store_fail(doc, YDOC_ENOMEM);
        watch_check(doc);
    }
    w->calling--;
    close_up(doc);
}

void watch_send_update(struct ydoc *doc, const struct tx *tx)
{
    if (store_has_content(doc, tx))
        send(doc, tx->origin, tx, NULL);
}

void watch_send_news(const struct news *news)
{
    send(news->doc, news->origin, NULL, news);
}

/* ---- subdocuments ---- */

enum subdoc_list { SUBDOCS_ADDED, SUBDOCS_REMOVED, SUBDOCS_LOADED, SUBDOC_LISTS };

/* A subdocument that came and went in one transaction was still to be loaded. */
static bool belongs(const struct tx *tx, const struct subdoc_note *note, enum subdoc_list list)
{
    switch (list) {
    case SUBDOCS_ADDED:
        return !note->removed && !events_is_deleted(tx, note->client, note->clock);
    case SUBDOCS_REMOVED:
        return note->removed;
    default:
        return note->loaded;
    }
}

/* The guids one list after the other in `bytes`; how many of each. */
static void write_guids(struct ydoc *doc, const struct tx *tx, size_t n[SUBDOC_LISTS])
{
    struct watch *w = doc->watch;

    ydoc_buf_reset(&w->bytes);
    for (int list = 0; list < SUBDOC_LISTS; list++) {
        n[list] = 0;
        for (uint32_t i = 0; i < tx->subdocs.n; i++) {
            struct ydoc_slice guid = store_key(doc, tx->subdocs.p[i].guid);

            if (!belongs(tx, &tx->subdocs.p[i], (enum subdoc_list)list))
                continue;
            lib0_write_varbytes(&w->bytes, guid.p, guid.len);
            n[list]++;
        }
    }
}

static void find_guids(struct ydoc *doc)
{
    struct watch *w = doc->watch;
    struct lib0_reader r;

    ydoc_buf_reset(&w->slices);
    lib0_reader_init(&r, w->bytes.p, w->bytes.len);
    while (lib0_left(&r) > 0) {
        struct ydoc_slice guid = lib0_read_varbytes(&r);

        ydoc_buf_append(&w->slices, &guid, sizeof(guid));
    }
    if (w->bytes.failed || w->slices.failed)
        store_fail(doc, YDOC_ENOMEM);
}

void watch_send_subdocs(struct ydoc *doc, const struct tx *tx)
{
    struct watch *w = doc->watch;
    size_t n[SUBDOC_LISTS];
    struct ydoc_subdocs what;

    if (w == NULL || tx->subdocs.n == 0)
        return;
    write_guids(doc, tx, n);
    find_guids(doc);
    if (n[SUBDOCS_ADDED] + n[SUBDOCS_REMOVED] + n[SUBDOCS_LOADED] == 0)
        return;
    what.added = (const struct ydoc_slice *)(const void *)w->slices.p;
    what.removed = what.added + n[SUBDOCS_ADDED];
    what.loaded = what.removed + n[SUBDOCS_REMOVED];
    what.added_n = n[SUBDOCS_ADDED];
    what.removed_n = n[SUBDOCS_REMOVED];
    what.loaded_n = n[SUBDOCS_LOADED];
    w->calling++;
    for (uint32_t i = 0, count = w->subdocs.n; i < count; i++) {
        if (w->subdocs.p[i].fn != NULL)
            w->subdocs.p[i].fn(doc, &what, w->subdocs.p[i].ctx);
    }
    watch_check(doc);
    w->calling--;
    close_up(doc);
}

/* ---- adding and removing ---- */

/* One of the observers, to be added to its list. */
struct new_observer {
    struct ydoc *doc;
    struct update_observer update;
    struct type_observer type;
    struct moment_observer moment;
    struct subdoc_observer subdoc;
};

static void add_update_observer(void *arg)
{
    struct new_observer *n = arg;
    struct watch *w = watch_open(n->doc);

    VEC_PUSH(n->doc, w->updates, n->update);
    w->updates.p[w->updates.n - 1].number = ++w->last_number;
}

static void add_type_observer(void *arg)
{
    struct new_observer *n = arg;
    struct watch *w = watch_open(n->doc);
    uint32_t at;

    VEC_RESERVE(n->doc, w->types, 1);
    n->type.number = ++w->last_number;
    at = find_type(w, n->type.type, n->type.number);
    memmove(w->types.p + at + 1, w->types.p + at, (w->types.n - at) * sizeof(n->type));
    w->types.p[at] = n->type;
    w->types.n++;
    n->doc->notes_changes = true;
}

static void add_moment_observer(void *arg)
{
    struct new_observer *n = arg;
    struct watch *w = watch_open(n->doc);

    VEC_PUSH(n->doc, w->moments, n->moment);
    w->moments.p[w->moments.n - 1].number = ++w->last_number;
}

static void add_subdoc_observer(void *arg)
{
    struct new_observer *n = arg;
    struct watch *w = watch_open(n->doc);

    VEC_PUSH(n->doc, w->subdocs, n->subdoc);
    w->subdocs.p[w->subdocs.n - 1].number = ++w->last_number;
    n->doc->notes_subdocs = true;
}

/* The observer's number, or an error. */
static int add(struct new_observer *n, void (*work)(void *arg))
{
    int rc;

    if (n->doc->broken)
        return YDOC_EBROKEN;
    rc = store_run(n->doc, work, n);
    return rc != 0 ? rc : n->doc->watch->last_number;
}

int ydoc_observe_updates(struct ydoc *doc, int version, ydoc_update_fn fn, void *ctx)
{
    struct new_observer n = {.doc = doc, .update = {0, version, fn, ctx}};

    if (version != 1 && version != 2)
        return doc->broken ? YDOC_EBROKEN : YDOC_ERANGE;
    return add(&n, add_update_observer);
}

static int add_to_type(struct new_observer *n, ydoc_type type)
{
    n->type.type = edit_resolve(n->doc, type);
    if (n->type.type == 0)
        return n->doc->broken ? YDOC_EBROKEN : YDOC_ENOENT;
    n->type.generation = n->doc->types.p[n->type.type].generation;
    return add(n, add_type_observer);
}

int ydoc_observe(struct ydoc *doc, ydoc_type type, ydoc_event_fn fn, void *ctx)
{
    struct new_observer n = {.doc = doc, .type = {.fn = fn, .ctx = ctx}};

    return add_to_type(&n, type);
}

int ydoc_observe_deep(struct ydoc *doc, ydoc_type type, ydoc_events_fn fn, void *ctx)
{
    struct new_observer n = {.doc = doc, .type = {.deep = fn, .ctx = ctx}};

    return add_to_type(&n, type);
}

int ydoc_observe_transactions(struct ydoc *doc, enum ydoc_moment moment, ydoc_transaction_fn fn,
                              void *ctx)
{
    struct new_observer n = {.doc = doc, .moment = {0, moment, fn, ctx}};

    return add(&n, add_moment_observer);
}

int ydoc_observe_subdocs(struct ydoc *doc, ydoc_subdocs_fn fn, void *ctx)
{
    struct new_observer n = {.doc = doc, .subdoc = {0, fn, ctx}};

    return add(&n, add_subdoc_observer);
}

void ydoc_unobserve(struct ydoc *doc, int number)
{
    struct watch *w = doc->watch;

    if (w == NULL)
        return;
    for (uint32_t i = 0; i < w->updates.n; i++) {
        if (w->updates.p[i].number == number)
            w->updates.p[i].version = 0;
    }
    for (uint32_t i = 0; i < w->types.n; i++) {
        if (w->types.p[i].number == number) {
            w->types.p[i].fn = NULL;
            w->types.p[i].deep = NULL;
        }
    }
    for (uint32_t i = 0; i < w->moments.n; i++) {
        if (w->moments.p[i].number == number)
            w->moments.p[i].fn = NULL;
    }
    for (uint32_t i = 0; i < w->subdocs.n; i++) {
        if (w->subdocs.p[i].number == number)
            w->subdocs.p[i].fn = NULL;
    }
    w->has_removed = true;
    close_up(doc);
}
