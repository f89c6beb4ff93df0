/* awareness_update - messages and time over awareness states: y-protocols'
 * applyAwarenessUpdate and its like. The rules are in awareness_states.c.
 *
 * A message is checked whole before it changes anything; then its entries are
 * taken one by one, each of them all or nothing.
 */
#include "ydoc/awareness_states.h"

static bool is_newer(const struct awareness_entry *known, uint64_t clock, bool gone)
{
    uint64_t have = known != NULL ? known->clock : 0;

    return have < clock || (have == clock && gone && known != NULL && known->json != NULL);
}

/* Takes over one entry. `json` NULL: the client is gone. */
static int apply_entry(struct ydoc_awareness *a, const struct ydoc_awareness_entry *in,
                       struct ydoc_slice json, uint64_t now_ms, struct awareness_lists *l)
{
    struct awareness_entry *e = awareness_find(a, in->client);
    bool known = e != NULL;
    uint64_t clock = in->clock;
    int same = 0;

    if (!is_newer(e, clock, json.p == NULL))
        return 0;
    if (!known && (e = awareness_find_or_add(a, in->client)) == NULL)
        return YDOC_ENOMEM;
    if (json.p != NULL) {
        if (e->json != NULL)
            same = json_equal(awareness_state(e), json, &a->alloc);
        if (same < 0 || !awareness_set_state(a, e, json)) {
            if (!known)
                awareness_take_back(a, e);
            return YDOC_ENOMEM;
        }
    } else if (in->client == a->options.client && awareness_has_local_state(a)) {
        /* Somebody took us for gone. Say that we are here. */
        clock += clock < LIB0_UINT_MAX;
    } else {
        awareness_drop_state(a, e);
    }
    e->clock = clock;
    e->updated_ms = now_ms;
    if (!known && json.p != NULL)
        awareness_list_add(l, AWARENESS_ADDED, in->client);
    else if (known && json.p == NULL)
        awareness_list_add(l, AWARENESS_REMOVED, in->client);
    else if (json.p != NULL)
        awareness_list_add(l, AWARENESS_UPDATED, in->client);
    if (known && json.p != NULL && !same)
        awareness_list_add(l, AWARENESS_CHANGED, in->client);
    return 0;
}

/* Everything that can be wrong with a message, before it changes anything. */
static int check_message(const struct ydoc_awareness *a, const uint8_t *update, size_t len,
                         struct ydoc_awareness_iter *it, struct ydoc_error *err)
{
    struct ydoc_limits limits = {.nesting_max = a->options.nesting_max};
    struct ydoc_awareness_iter each;
    struct ydoc_awareness_entry in;
    uint64_t unknown = 0;
    int rc;

    if (len > a->options.update_bytes_max)
        return ydoc__error(err, YDOC_ELIMIT, 0, "an awareness update of %zu bytes", len);
    rc = ydoc_awareness_validate(it, update, len, &limits, err);
    if (rc != 0)
        return rc;
    for (each = *it; ydoc_awareness_next(&each, &in);) {
        size_t at = (size_t)(in.json.p - update);

        if (in.json.len > a->options.state_bytes_max)
            return ydoc__error(err, YDOC_ELIMIT, at,
                               "byte %zu: a state of %zu bytes, at most %zu are allowed", at,
                               in.json.len, a->options.state_bytes_max);
        if (in.clock > 0 && awareness_find(a, in.client) == NULL &&
            ++unknown + a->n > a->options.clients_max)
            return ydoc__error(err, YDOC_ELIMIT, at, "byte %zu: more than %u clients", at,
                               a->options.clients_max);
    }
    return 0;
}

int ydoc_awareness_apply(struct ydoc_awareness *a, struct ydoc_slice update, uint64_t now_ms,
                         void *origin, struct ydoc_error *err)
{
    struct ydoc_awareness_iter it;
    struct ydoc_awareness_entry in;
    struct ydoc_buf canonical;
    struct awareness_lists l;
    size_t cap;
    int rc = check_message(a, update.p, update.len, &it, err);

    if (rc != 0)
        return rc;
    cap = (size_t)it.left;
    if (!awareness_lists_init(a, &l, cap))
        return awareness_no_memory(err);
    ydoc_buf_init(&canonical, &a->alloc);
    while (rc == 0 && ydoc_awareness_next(&it, &in)) {
        ydoc_buf_reset(&canonical);
        text_write_canonical(&canonical, in.json);
        rc = canonical.failed
                 ? YDOC_ENOMEM
                 : apply_entry(a, &in, awareness_null_or(ydoc_buf_slice(&canonical)), now_ms, &l);
    }
    ydoc_buf_fini(&canonical);
    awareness_emit(a, &l, YDOC_AWARENESS_REMOTE, origin);
    awareness_lists_fini(a, &l, cap);
    return rc == YDOC_ENOMEM ? awareness_no_memory(err) : rc;
}

static void remove_one(struct ydoc_awareness *a, struct awareness_entry *e, uint64_t now_ms,
                       struct awareness_lists *l)
{
    if (e == NULL || e->json == NULL)
        return;
    awareness_drop_state(a, e);
    if (e->client == a->options.client) {
        e->clock += e->clock < LIB0_UINT_MAX;
        e->updated_ms = now_ms;
    }
    awareness_list_add(l, AWARENESS_REMOVED, e->client);
}

int ydoc_awareness_remove(struct ydoc_awareness *a, const uint64_t *clients, size_t n,
                          uint64_t now_ms, void *origin)
{
    struct awareness_lists l;

    if (!awareness_lists_init(a, &l, n))
        return YDOC_ENOMEM;
    for (size_t i = 0; i < n; i++)
        remove_one(a, awareness_find(a, clients[i]), now_ms, &l);
    awareness_emit(a, &l, YDOC_AWARENESS_REMOTE, origin);
    awareness_lists_fini(a, &l, n);
    return 0;
}

static void write_entry(struct ydoc_buf *out, const struct awareness_entry *e)
{
    struct ydoc_awareness_entry entry;

    awareness_fill_entry(&entry, e);
    entry.is_null = awareness_is_falsy(entry.json);
    ydoc_awareness_add(out, &entry);
}

int ydoc_awareness_encode(const struct ydoc_awareness *a, const uint64_t *clients, size_t n,
                          struct ydoc_buf *out)
{
    size_t len_before = out->len;

    ydoc_awareness_begin(out, n);
    for (size_t i = 0; i < n; i++) {
        const struct awareness_entry *e = awareness_find(a, clients[i]);

        if (e == NULL) {
            out->len = len_before;
            return YDOC_ENOENT;
        }
        write_entry(out, e);
    }
    return ydoc__buf_finish(out, len_before, NULL);
}

int ydoc_awareness_encode_all(const struct ydoc_awareness *a, struct ydoc_buf *out)
{
    size_t len_before = out->len;
    uint64_t n = 0;

    for (uint32_t i = a->first; i != AWARENESS_NONE; i = a->entries[i].next)
        n++;
    ydoc_awareness_begin(out, n);
    for (uint32_t i = a->first; i != AWARENESS_NONE; i = a->entries[i].next)
        write_entry(out, &a->entries[i]);
    return ydoc__buf_finish(out, len_before, NULL);
}

static int modify_entry(const struct ydoc_awareness_modifier *m, struct ydoc_awareness_entry *entry,
                        struct ydoc_buf *scratch, struct ydoc_buf *out)
{
    struct ydoc_buf canonical;
    struct ydoc_error err;
    int rc = 0;

    ydoc_buf_init(&canonical, &out->alloc);
    text_write_canonical(&canonical, entry->json);
    entry->json = ydoc_buf_slice(&canonical);
    entry->is_null = ydoc__is(entry->json, "null");
    ydoc_buf_reset(scratch);
    if (!canonical.failed && m->modify(m->ctx, entry, scratch)) {
        rc = ydoc_validate_json(scratch->p, scratch->len, YDOC__NESTING_MAX, &err);
        ydoc_buf_reset(&canonical);
        if (rc == 0)
            text_write_canonical(&canonical, ydoc_buf_slice(scratch));
        entry->json = ydoc_buf_slice(&canonical);
        entry->is_null = ydoc__is(entry->json, "null");
    }
    if (canonical.failed || scratch->failed)
        rc = YDOC_ENOMEM;
    if (rc == 0)
        ydoc_awareness_add(out, entry);
    ydoc_buf_fini(&canonical);
    return rc;
}

int ydoc_awareness_modify(struct ydoc_slice update, const struct ydoc_limits *limits,
                          const struct ydoc_awareness_modifier *modifier, struct ydoc_buf *out,
                          struct ydoc_error *err)
{
    size_t len_before = out->len;
    struct ydoc_awareness_entry entry;
    struct ydoc_awareness_iter it;
    struct ydoc_buf scratch;
    int rc = ydoc_awareness_validate(&it, update.p, update.len, limits, err);

    if (rc != 0)
        return rc;
    ydoc_buf_init(&scratch, &out->alloc);
    ydoc_awareness_begin(out, it.left);
    while (rc == 0 && ydoc_awareness_next(&it, &entry))
        rc = modify_entry(modifier, &entry, &scratch, out);
    ydoc_buf_fini(&scratch);
    if (rc == 0)
        return ydoc__buf_finish(out, len_before, err);
    out->len = len_before;
    return ydoc__error(err, rc, 0, "%s",
                       rc == YDOC_ENOMEM ? "out of memory for the result"
                                         : "the modified state is no valid JSON");
}

/* ---- time ---- */

static bool is_older(const struct awareness_entry *e, uint64_t now_ms, uint64_t age_ms)
{
    return now_ms >= e->updated_ms && now_ms - e->updated_ms >= age_ms;
}

static bool is_outdated(const struct ydoc_awareness *a, const struct awareness_entry *e,
                        uint64_t now_ms)
{
    return e->client != a->options.client && e->json != NULL &&
           is_older(e, now_ms, a->options.outdated_ms);
}

static int renew_local(struct ydoc_awareness *a, uint64_t now_ms)
{
    struct awareness_entry *e = awareness_find(a, a->options.client);

    if (!awareness_has_local_state(a) || !is_older(e, now_ms, a->options.outdated_ms / 2))
        return 0;
    return awareness_store_local(a, awareness_state(e), now_ms);
}

int ydoc_awareness_tick(struct ydoc_awareness *a, uint64_t now_ms)
{
    struct awareness_lists l;
    size_t n = 0;
    int rc = renew_local(a, now_ms);

    for (uint32_t i = a->first; i != AWARENESS_NONE; i = a->entries[i].next)
        n += is_outdated(a, &a->entries[i], now_ms);
    if (rc != 0 || n == 0)
        return rc;
    if (!awareness_lists_init(a, &l, n))
        return YDOC_ENOMEM;
    for (uint32_t i = 0; i < a->n; i++) {
        if (is_outdated(a, &a->entries[i], now_ms))
            remove_one(a, &a->entries[i], now_ms, &l);
    }
    awareness_emit(a, &l, YDOC_AWARENESS_TIMEOUT, NULL);
    awareness_lists_fini(a, &l, n);
    return 0;
}

/* Entries move: the chain is built again in its old order. */
void ydoc_awareness_forget(struct ydoc_awareness *a, uint64_t now_ms, uint64_t age_ms)
{
    uint32_t n = 0;

    if (a->n == 0)
        return;
    for (uint32_t i = 0; i < a->n; i++) {
        struct awareness_entry *e = &a->entries[i];

        if (e->client != a->options.client && e->json == NULL && is_older(e, now_ms, age_ms))
            continue;
        if (i != n) {
            a->entries[n] = *e;
            if (e->json != NULL && e->prev != AWARENESS_NONE)
                a->entries[e->prev].next = n;
            else if (e->json != NULL)
                a->first = n;
            if (e->json != NULL && e->next != AWARENESS_NONE)
                a->entries[e->next].prev = n;
            else if (e->json != NULL)
                a->last = n;
        }
        n++;
    }
    a->n = n;
    awareness_fill_table(a);
}
