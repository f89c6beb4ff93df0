/* transact - a transaction's life: Yjs's transact() and cleanupTransactions().
 *
 * Edits happen between store_begin and store_end; pairs nest and the outermost
 * counts. At its end the transaction is finished: its deletions are put in
 * order, observers are called, redundant formats go, what was deleted is
 * collected, neighbours merge, and the update goes out.
 *
 * Observers may edit. Their transactions run at once but are finished later,
 * one after another: doc->queue holds those that wait, the first of them being
 * finished. As a rule nobody observes and no text has formats; then the one
 * transaction doc->cur is finished where it stands and nothing is queued.
 *
 * The clocks before a transaction are known for the clients it touched only.
 * Others had then what they have now, or what the next transaction in the queue
 * that touched them found (store_clock_before).
 */
#include "ydoc/watch.h"

#include <assert.h>
#include <string.h>

/* ---- running ---- */

int store_run(struct ydoc *doc, void (*work)(void *arg), void *arg)
{
    jmp_buf *outer = doc->on_failure;
    jmp_buf failure;

    doc->on_failure = &failure;
    if (setjmp(failure) == 0) {
        work(arg);
        doc->failure = 0; /* one that failed inside of it has been told its caller */
    }
    doc->on_failure = outer;
    return doc->failure;
}

static void next_number(struct ydoc *doc)
{
    doc->tx++;
    if (doc->tx != 0)
        return;
    for (uint32_t i = 0; i < doc->clients.n; i++)
        doc->clients.p[i].tx_mark = 0;
    doc->tx = 1;
}

void store_begin(struct ydoc *doc, const void *origin, bool local)
{
    if (doc->tx_depth++ > 0)
        return;
    next_number(doc);
    doc->typing_type = 0;
    doc->cur.touched.n = 0;
    doc->cur.deleted.n = 0;
    doc->cur.merge.n = 0;
    doc->cur.changed.n = 0;
    doc->cur.subdocs.n = 0;
    doc->cur.formatted.n = 0;
    doc->cur.order.n = 0;
    doc->cur.origin = origin;
    doc->cur.local = local;
    doc->cur.collects = false;
    doc->work.n = 0;
    doc->deletions.n = 0;
    doc->work_left = UINT64_MAX;
    if (store_is_watched(doc))
        watch_call_before(doc);
}

void store_free_tx(struct ydoc *doc, struct tx *tx)
{
    VEC_FREE(doc, tx->touched);
    VEC_FREE(doc, tx->deleted);
    VEC_FREE(doc, tx->merge);
    VEC_FREE(doc, tx->changed);
    VEC_FREE(doc, tx->subdocs);
    VEC_FREE(doc, tx->formatted);
    VEC_FREE(doc, tx->order);
}

uint32_t store_clock_before(const struct ydoc *doc, const struct tx *tx, uint32_t client)
{
    bool reached = false;

    for (uint32_t q = 0; q < doc->queue.n; q++) {
        const struct tx *later = doc->queue.p[q];

        reached = reached || later == tx;
        for (uint32_t i = 0; reached && i < later->touched.n; i++) {
            if (later->touched.p[i].client == client)
                return later->touched.p[i].from;
        }
    }
    if (doc->tx_depth > 0 && doc->clients.p[client].tx_mark == doc->tx)
        return doc->clients.p[client].tx_before;
    return doc->clients.p[client].state;
}

uint32_t store_clock_after(const struct ydoc *doc, uint32_t client)
{
    for (uint32_t q = doc->queued; q < doc->queue.n; q++) {
        const struct tx *later = doc->queue.p[q];

        for (uint32_t i = 0; i < later->touched.n; i++) {
            if (later->touched.p[i].client == client)
                return later->touched.p[i].from;
        }
    }
    return doc->clients.p[client].state;
}

bool store_has_content(const struct ydoc *doc, const struct tx *tx)
{
    bool has = tx->deleted.n > 0;

    for (uint32_t q = 0; q < doc->queued && !has; q++)
        has = doc->queue.p[q]->touched.n > 0;
    return has;
}

/* ---- finishing ---- */

/* A remote change that uses the document's own id: somebody else has it too. */
static void leave_shared_id(struct ydoc *doc, const struct tx *tx)
{
    uint32_t own;

    if (tx->local)
        return;
    own = store_find_client_const(doc, doc->client_id);
    for (uint32_t i = 0; own != CLIENT_UNKNOWN && i < tx->touched.n; i++) {
        if (tx->touched.p[i].client == own) {
            doc->client_id = ydoc__random_client();
            return;
        }
    }
}

/* A text that was deleted after the change needs no cleaning. */
static bool needs_cleaning(const struct ydoc *doc, const struct tx *tx)
{
    for (uint32_t i = 0; i < tx->formatted.n; i++) {
        uint32_t item = doc->types.p[tx->formatted.p[i]].item;

        if (item == 0 || !item_deleted(&doc->items.p[item]))
            return true;
    }
    return false;
}

/* Cleaning and undoing go through the deletions client by client in the order in which a
 * JavaScript Map got to know them; sorting forgets it. */
static void keep_order(struct ydoc *doc, struct tx *tx)
{
    if (++doc->order_mark == 0) {
        for (uint32_t i = 0; i < doc->clients.n; i++)
            doc->clients.p[i].order_mark = 0;
        doc->order_mark = 1;
    }
    for (uint32_t i = 0; i < tx->deleted.n; i++) {
        struct client *c = &doc->clients.p[tx->deleted.p[i].client];

        if (c->order_mark != doc->order_mark)
            VEC_PUSH(doc, tx->order, tx->deleted.p[i].client);
        c->order_mark = doc->order_mark;
    }
}

static void finish(struct ydoc *doc, struct tx *tx)
{
    store_collect(doc, tx);
    leave_shared_id(doc, tx);
}

/* Gives the arrays of a finished transaction to the next one. */
static void recycle(struct ydoc *doc, struct tx *tx)
{
    if (doc->tx_depth == 0 && doc->cur.touched.cap + doc->cur.deleted.cap == 0) {
        store_free_tx(doc, &doc->cur);
        doc->cur = *tx;
    } else {
        store_free_tx(doc, tx);
    }
    store_resize(doc, tx, sizeof(*tx), 0);
}

static struct tx *enqueue(struct ydoc *doc)
{
    static const struct tx none;
    struct tx *tx;

    VEC_RESERVE(doc, doc->queue, 1);
    tx = store_resize(doc, NULL, 0, sizeof(*tx));
    if (tx == NULL)
        store_fail(doc, YDOC_ENOMEM);
    *tx = doc->cur;
    doc->cur = none;
    doc->queue.p[doc->queue.n++] = tx;
    return tx;
}

static void drop_first(struct ydoc *doc)
{
    struct tx *tx = doc->queue.p[0];

    doc->queue.n--;
    memmove(doc->queue.p, doc->queue.p + 1, doc->queue.n * sizeof(tx));
    recycle(doc, tx);
}

/* With observers, or formats to clean: both make further transactions. */
static void finish_queue(struct ydoc *doc)
{
    doc->finishing = true;
    while (doc->queue.n > 0) {
        struct tx *tx = doc->queue.p[0];

        if (tx->formatted.n > 0 || store_is_watched(doc))
            keep_order(doc, tx);
        store_sort_deleted(doc, tx);
        doc->queued = doc->queue.n;
        if (store_is_watched(doc))
            watch_call_observers(doc, tx);
        if (needs_cleaning(doc, tx))
            store_clean_formats(doc, tx);
        finish(doc, tx);
        if (store_is_watched(doc)) {
            watch_send_update(doc, tx);
            watch_send_subdocs(doc, tx);
        }
        drop_first(doc);
    }
    doc->finishing = false;
    if (store_is_watched(doc))
        watch_call_after_all(doc);
}

void store_end(struct ydoc *doc)
{
    assert(doc->tx_depth > 0);
    if (--doc->tx_depth > 0)
        return;
    if (doc->finishing) {
        enqueue(doc);
    } else if (store_is_watched(doc) || needs_cleaning(doc, &doc->cur)) {
        enqueue(doc);
        finish_queue(doc);
    } else {
        store_sort_deleted(doc, &doc->cur);
        finish(doc, &doc->cur);
    }
}

/* An observer's edits are finished after all have heard of this one. */
void store_tell(const struct news *news)
{
    news->doc->finishing = true;
    watch_send_news(news);
    finish_queue(news->doc);
}

/* ---- public ---- */

int ydoc_begin(struct ydoc *doc, const void *origin)
{
    if (doc->broken)
        return YDOC_EBROKEN;
    store_begin(doc, origin, true);
    doc->begins++;
    return 0;
}

static void end(void *doc)
{
    store_end(doc);
}

int ydoc_commit(struct ydoc *doc, struct ydoc_error *err)
{
    int rc;

    if (doc->broken)
        return ydoc__error(err, YDOC_EBROKEN, 0, "%s", ydoc_strerror(YDOC_EBROKEN));
    if (doc->begins == 0)
        return ydoc__error(err, YDOC_EBUSY, 0, "there is no open transaction to commit");
    doc->begins--;
    rc = store_run(doc, end, doc);
    if (rc == 0)
        return doc->broken ? ydoc__error(err, YDOC_EBROKEN, 0, "an observer ran out of memory") : 0;
    doc->broken = true;
    return ydoc__error(err, rc, 0, "out of memory at the end of a transaction");
}

uint64_t ydoc_client_id(const struct ydoc *doc)
{
    return doc->client_id;
}
