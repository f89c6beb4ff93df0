/* undo - the undo manager: Yjs's UndoManager.js.
 *
 * At the end of a transaction whose origin is tracked and that changed something
 * in the scope, the ids that it made and the ids that it deleted become a stack
 * item, or part of the last one if that is young enough. Deleted items inside the
 * scope get ITEM_KEEP, so that their content stays in the document. Undoing
 * (undo_redo.c) is a transaction of its own whose stack item lands on the other stack.
 *
 * Everything that a call allocates hangs on the manager at once, so that
 * unwinding loses nothing.
 */
#include "ydoc/undo.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "ydoc/watch.h"

/* ---- scope ---- */

static bool has_type(const struct ydoc_undo *undo, uint32_t type)
{
    ydoc_type handle = edit_handle(undo->doc, type);

    for (uint32_t i = 0; i < undo->scope.n; i++) {
        if (undo->scope.p[i] == handle)
            return true;
    }
    return false;
}

/* The type or one that it is in. */
static bool type_in_scope(const struct ydoc_undo *undo, uint32_t type)
{
    const struct ydoc *doc = undo->doc;
    uint32_t item;

    for (; !undo->whole && !has_type(undo, type);
         type = doc->slots.p[doc->items.p[item].slot].type) {
        item = doc->types.p[type].item;
        if (item == 0)
            return false;
    }
    return true;
}

bool undo_in_scope(const struct ydoc_undo *undo, uint32_t h)
{
    return type_in_scope(undo, undo->doc->slots.p[undo->doc->items.p[h].slot].type);
}

/* As in Yjs a root that was not declared does not tell of its changes. */
static bool is_scope_changed(const struct ydoc_undo *undo, const struct tx *tx)
{
    const struct ydoc *doc = undo->doc;

    for (uint32_t i = 0; i < tx->changed.n && !undo->whole; i++) {
        uint32_t type = tx->changed.p[i].type, item = doc->types.p[type].item;

        if (tx->changed.p[i].key == CHANGE_GONE || doc->types.p[type].ref == YDOC_KIND_UNKNOWN ||
            (item != 0 && item_deleted(&doc->items.p[item])))
            continue;
        if (type_in_scope(undo, type))
            return true;
    }
    return undo->whole;
}

static bool is_tracked(const struct ydoc_undo *undo, const void *origin)
{
    for (uint32_t i = 0; i < undo->tracked.n; i++) {
        if (undo->tracked.p[i] == origin)
            return true;
    }
    return origin == undo;
}

/* ---- keeping ---- */

/* Yjs's keepItem: the item and those of the types that it is in. */
static void set_keep(struct ydoc *doc, uint32_t h, bool keep)
{
    while (h != 0 && ((doc->items.p[h].origin_flags & ITEM_KEEP) != 0) != keep) {
        doc->items.p[h].origin_flags ^= ITEM_KEEP;
        h = doc->types.p[doc->slots.p[doc->items.p[h].slot].type].item;
    }
}

void undo_keep(struct ydoc *doc, uint32_t h)
{
    set_keep(doc, h, true);
}

static void visit_keep(struct ydoc_undo *undo, uint32_t h)
{
    if (item_kind(&undo->doc->items.p[h]) != WIRE_GC && undo_in_scope(undo, h))
        set_keep(undo->doc, h, true);
}

static void visit_release(struct ydoc_undo *undo, uint32_t h)
{
    if (item_kind(&undo->doc->items.p[h]) != WIRE_GC && undo_in_scope(undo, h))
        set_keep(undo->doc, h, false);
}

/* What is cut on the way is merged at the end of that transaction, not of the next. */
static void keep_deleted(struct ydoc_undo *undo, const struct tx *tx)
{
    struct ydoc *doc = undo->doc;
    struct ids deleted = {tx->deleted.p, tx->deleted.n, tx->order.p, tx->order.n};
    struct tx *same = doc->queue.p[0];
    uint32_t base = doc->cur.merge.n;

    assert(same == tx);
    undo_each_item(undo, deleted, visit_keep);
    for (uint32_t i = base; i < doc->cur.merge.n; i++)
        VEC_PUSH(doc, same->merge, doc->cur.merge.p[i]);
    doc->cur.merge.n = base;
}

/* ---- stacks ---- */

static void emit(struct ydoc_undo *undo, const struct ydoc_undo_event *event)
{
    if (undo->options.on_event != NULL)
        undo->options.on_event(undo, event, undo->options.ctx);
}

static void drop(struct ydoc_undo *undo, struct stack_item *item, bool redo)
{
    struct ydoc_undo_event event = {.kind = YDOC_UNDO_DROPPED, .redo = redo, .meta = &item->meta};

    undo_set_free(undo->doc, &item->deletions);
    undo_set_free(undo->doc, &item->insertions);
    if (item->meta != NULL)
        emit(undo, &event);
    item->meta = NULL;
}

static void clear_stack(struct ydoc_undo *undo, int which)
{
    uint32_t n = undo->stacks[which].n;

    for (uint32_t i = 0; i < n; i++)
        undo_each_item(undo, undo_ids(&undo->stacks[which].p[i].deletions), visit_release);
    undo->stacks[which].n = 0;
    for (uint32_t i = 0; i < n; i++)
        drop(undo, &undo->stacks[which].p[i], which == STACK_REDO);
}

static void clear(struct ydoc_undo *undo, bool undo_stack, bool redo_stack)
{
    struct ydoc_undo_event event = {
        .kind = YDOC_UNDO_CLEARED, .undo_cleared = undo_stack, .redo_cleared = redo_stack};

    if (!(undo_stack && undo->stacks[STACK_UNDO].n > 0) &&
        !(redo_stack && undo->stacks[STACK_REDO].n > 0))
        return;
    store_begin(undo->doc, NULL, true);
    if (undo_stack)
        clear_stack(undo, STACK_UNDO);
    if (redo_stack)
        clear_stack(undo, STACK_REDO);
    emit(undo, &event);
    store_end(undo->doc);
}

/* ---- capturing ---- */

/* The ids that were made, by client: what the clients' clocks have grown by since the
 * transaction began, which is the first of the queue. */
static void take_insertions(struct ydoc_undo *undo)
{
    struct ydoc *doc = undo->doc;
    struct id_set *to = &undo->fresh.insertions;
    uint32_t n = 0;

    to->spans.n = to->order.n = 0;
    for (uint32_t q = 0; q < doc->queued; q++) {
        for (uint32_t i = 0; i < doc->queue.p[q]->touched.n; i++) {
            const struct doc_part *part = &doc->queue.p[q]->touched.p[i];
            struct span made = {part->client, part->from, 0};

            made.len = store_clock_after(doc, made.client) - made.clock;
            VEC_PUSH(doc, to->spans, made);
        }
    }
    if (to->spans.n > 0)
        to->spans.n = store_merge_spans(doc, to->spans.p, to->spans.n);
    for (uint32_t i = 0; i < to->spans.n; i++) {
        if (to->spans.p[i].len > 0)
            to->spans.p[n++] = to->spans.p[i];
    }
    to->spans.n = n;
}

static void take_changes(struct ydoc_undo *undo, const struct tx *tx)
{
    struct ids deleted = {tx->deleted.p, tx->deleted.n, tx->order.p, tx->order.n};

    take_insertions(undo);
    undo_set_copy(undo->doc, &undo->fresh.deletions, deleted);
}

static void push_fresh(struct ydoc_undo *undo, int which)
{
    static const struct stack_item none;

    VEC_PUSH(undo->doc, undo->stacks[which], undo->fresh);
    undo->fresh = none;
}

static void join_fresh(struct ydoc_undo *undo, struct stack_item *last)
{
    undo_set_merge(undo->doc, &last->deletions, undo_ids(&undo->fresh.deletions));
    undo_set_merge(undo->doc, &last->insertions, undo_ids(&undo->fresh.insertions));
}

static uint64_t now_ms(const struct ydoc_undo *undo)
{
    struct timespec t;

    if (undo->options.now_ms != NULL)
        return undo->options.now_ms(undo->options.ctx);
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 + 1;
}

/* Into the last stack item, if that was just now, or onto the stack; true: a new one. */
static bool add_changes(struct ydoc_undo *undo, const struct tx *tx, int which)
{
    bool is_edit = !undo->undoing && !undo->redoing, fresh = true;
    uint64_t now = now_ms(undo);
    uint32_t n = undo->stacks[which].n;

    take_changes(undo, tx);
    if (is_edit && undo->last_change > 0 && n > 0 && !undo->options.capture_each &&
        now - undo->last_change < undo->options.capture_timeout_ms)
        fresh = false;
    if (fresh)
        push_fresh(undo, which);
    else
        join_fresh(undo, &undo->stacks[which].p[n - 1]);
    if (is_edit)
        undo->last_change = now;
    return fresh;
}

static void after_transaction(struct ydoc *doc, const struct tx *tx, void *ctx)
{
    struct ydoc_undo *undo = ctx;
    int which = undo->undoing ? STACK_REDO : STACK_UNDO;
    struct ydoc_undo_event event = {.redo = undo->undoing, .origin = tx->origin};
    bool fresh;

    if ((undo->options.capture != NULL &&
         !undo->options.capture(undo, tx->origin, tx->local, undo->options.ctx)) ||
        !is_tracked(undo, tx->origin) || !is_scope_changed(undo, tx))
        return;
    assert(doc == undo->doc);
    if (undo->undoing)
        undo->last_change = 0;
    else if (!undo->redoing)
        clear(undo, false, true);
    fresh = add_changes(undo, tx, which);
    keep_deleted(undo, tx);
    event.kind = fresh ? YDOC_UNDO_ADDED : YDOC_UNDO_UPDATED;
    event.meta = &undo->stacks[which].p[undo->stacks[which].n - 1].meta;
    emit(undo, &event);
}

/* ---- undoing ---- */

struct pop {
    struct ydoc_undo *undo;
    int which;
    bool done;
};

static void pop(void *arg)
{
    struct pop *p = arg;
    struct ydoc_undo *undo = p->undo;

    store_begin(undo->doc, undo, true);
    while (undo->stacks[p->which].n > 0 && !p->done) {
        undo->popped = undo->stacks[p->which].p[--undo->stacks[p->which].n];
        p->done = undo_revert(undo);
        if (!p->done)
            drop(undo, &undo->popped, p->which == STACK_REDO);
    }
    store_end(undo->doc);
}

static int run_pop(struct ydoc_undo *undo, int which)
{
    struct pop p = {undo, which, false};
    struct ydoc_undo_event event = {.kind = YDOC_UNDO_POPPED,
                                    .redo = which == STACK_REDO,
                                    .origin = undo,
                                    .meta = &undo->popped.meta};
    int rc;

    if (undo->doc->broken)
        return YDOC_EBROKEN;
    if (undo->undoing || undo->redoing)
        return YDOC_EBUSY;
    undo->undoing = which == STACK_UNDO;
    undo->redoing = which == STACK_REDO;
    rc = store_run(undo->doc, pop, &p);
    if (rc != 0)
        undo->doc->broken = true;
    else if (p.done)
        emit(undo, &event);
    drop(undo, &undo->popped, which == STACK_REDO);
    undo->undoing = undo->redoing = false;
    if (rc != 0)
        return rc;
    return undo->doc->broken ? YDOC_EBROKEN : p.done;
}

int ydoc_undo_undo(struct ydoc_undo *undo)
{
    return run_pop(undo, STACK_UNDO);
}

int ydoc_undo_redo(struct ydoc_undo *undo)
{
    return run_pop(undo, STACK_REDO);
}

bool ydoc_undo_can_undo(const struct ydoc_undo *undo)
{
    return undo->stacks[STACK_UNDO].n > 0;
}

bool ydoc_undo_can_redo(const struct ydoc_undo *undo)
{
    return undo->stacks[STACK_REDO].n > 0;
}

void ydoc_undo_stop_capturing(struct ydoc_undo *undo)
{
    undo->last_change = 0;
}

struct clear_job {
    struct ydoc_undo *undo;
    bool undo_stack, redo_stack;
};

static void run_clear(void *arg)
{
    const struct clear_job *job = arg;

    clear(job->undo, job->undo_stack, job->redo_stack);
}

int ydoc_undo_clear(struct ydoc_undo *undo, bool undo_stack, bool redo_stack)
{
    struct clear_job job = {undo, undo_stack, redo_stack};
    int rc;

    if (undo->doc->broken)
        return YDOC_EBROKEN;
    rc = store_run(undo->doc, run_clear, &job);
    if (rc != 0)
        undo->doc->broken = true;
    return rc != 0 ? rc : undo->doc->broken ? YDOC_EBROKEN : 0;
}

/* ---- making and freeing ---- */

struct add_job {
    struct ydoc_undo *undo;
    ydoc_type type;
    const void *origin;
};

static void add_type(void *arg)
{
    const struct add_job *job = arg;

    VEC_PUSH(job->undo->doc, job->undo->scope, job->type);
}

int ydoc_undo_add_scope(struct ydoc_undo *undo, ydoc_type type)
{
    struct add_job job = {undo, type, NULL};
    uint32_t number = edit_resolve(undo->doc, type);

    if (undo->doc->broken)
        return YDOC_EBROKEN;
    if (type == 0) {
        undo->whole = true;
        return 0;
    }
    if (number == 0)
        return YDOC_ENOENT;
    return has_type(undo, number) ? 0 : store_run(undo->doc, add_type, &job);
}

static void add_origin(void *arg)
{
    const struct add_job *job = arg;

    VEC_PUSH(job->undo->doc, job->undo->tracked, job->origin);
}

int ydoc_undo_add_origin(struct ydoc_undo *undo, const void *origin)
{
    struct add_job job = {undo, 0, origin};

    if (undo->doc->broken)
        return YDOC_EBROKEN;
    return is_tracked(undo, origin) ? 0 : store_run(undo->doc, add_origin, &job);
}

void ydoc_undo_remove_origin(struct ydoc_undo *undo, const void *origin)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < undo->tracked.n; i++) {
        if (undo->tracked.p[i] != origin)
            undo->tracked.p[n++] = undo->tracked.p[i];
    }
    undo->tracked.n = n;
}

struct ydoc *ydoc_undo_doc(const struct ydoc_undo *undo)
{
    return undo->doc;
}

static void start_watching(void *arg)
{
    struct ydoc_undo *undo = arg;
    struct after_hook hook = {after_transaction, undo};

    watch_add_after(undo->doc, hook);
}

static int add_options(struct ydoc_undo *undo, const struct ydoc_undo_options *options)
{
    int rc = 0;

    if (options->scope == NULL)
        undo->whole = true;
    for (size_t i = 0; options->scope != NULL && i < options->scope_n && rc == 0; i++)
        rc = options->scope[i] == 0 ? YDOC_ENOENT : ydoc_undo_add_scope(undo, options->scope[i]);
    if (options->origins == NULL && rc == 0)
        rc = ydoc_undo_add_origin(undo, NULL);
    for (size_t i = 0; options->origins != NULL && i < options->origins_n && rc == 0; i++)
        rc = ydoc_undo_add_origin(undo, options->origins[i]);
    return rc == 0 ? store_run(undo->doc, start_watching, undo) : rc;
}

int ydoc_undo_new(struct ydoc_undo **out, struct ydoc *doc, const struct ydoc_undo_options *options)
{
    static const struct ydoc_undo none;
    struct ydoc_undo *undo;
    int rc;

    *out = NULL;
    if (doc->broken)
        return YDOC_EBROKEN;
    undo = store_resize(doc, NULL, 0, sizeof(*undo));
    if (undo == NULL)
        return YDOC_ENOMEM;
    *undo = none;
    undo->doc = doc;
    if (options != NULL)
        undo->options = *options;
    if (undo->options.capture_timeout_ms == 0)
        undo->options.capture_timeout_ms = 500;
    rc = add_options(undo, &undo->options);
    if (rc != 0)
        ydoc_undo_free(undo);
    else
        *out = undo;
    return rc;
}

void ydoc_undo_free(struct ydoc_undo *undo)
{
    struct after_hook hook = {after_transaction, undo};
    struct ydoc *doc;

    if (undo == NULL)
        return;
    doc = undo->doc;
    watch_remove_after(doc, hook);
    for (int which = STACK_UNDO; which <= STACK_REDO; which++) {
        for (uint32_t i = 0; i < undo->stacks[which].n; i++)
            drop(undo, &undo->stacks[which].p[i], which == STACK_REDO);
        VEC_FREE(doc, undo->stacks[which]);
    }
    drop(undo, &undo->popped, false);
    drop(undo, &undo->fresh, false);
    VEC_FREE(doc, undo->scope);
    VEC_FREE(doc, undo->tracked);
    VEC_FREE(doc, undo->to_delete);
    VEC_FREE(doc, undo->to_redo);
    VEC_FREE(doc, undo->parents);
    store_resize(doc, undo, sizeof(*undo), 0);
}
