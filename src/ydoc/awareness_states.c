/* awareness_states - who is here and what they show: y-protocols' Awareness.
 *
 * A client has a clock, the time it was last heard of, and a state or none.
 * An entry of a message counts if its clock is newer than the one known, or the
 * same and it says that the client is gone; so messages may come twice and in any
 * order. A client that has gone keeps its clock: an old message must not bring it
 * back.
 *
 * Entries lie in an array in the order the clients were first heard of; those
 * with a state are chained in the order in which the states appeared, which is
 * the order that a JavaScript Map gives them and so the order of messages. The
 * hash table over them is keyed, for clients choose their ids.
 *
 * States are JSON text as JSON.stringify writes it.
 */
#include "ydoc/awareness_states.h"

#define CLIENTS_MAX 65536u
#define STATE_BYTES_MAX 65536u
#define UPDATE_BYTES_MAX ((size_t)16 << 20)
#define OUTDATED_MS 30000u
#define CLIENTS_LIMIT (1u << 28)

void *awareness_resize(struct ydoc_awareness *a, void *p, size_t old_size, size_t new_size)
{
    void *q = a->alloc.resize(a->alloc.ctx, p, old_size, new_size);

    if (q != NULL || new_size == 0)
        a->memory_used += new_size - old_size;
    return q;
}

int awareness_no_memory(struct ydoc_error *err)
{
    return ydoc__error(err, YDOC_ENOMEM, 0, "out of memory for an awareness state");
}

/* ---- clients ---- */

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Where the client is in the table, or where it would go. */
static uint32_t *find_slot(const struct ydoc_awareness *a, uint64_t client)
{
    uint32_t mask = a->table_n - 1;
    uint32_t i = (uint32_t)mix(mix(client ^ a->key[0]) + a->key[1]) & mask;

    while (a->table[i] != 0 && a->entries[a->table[i] - 1].client != client)
        i = (i + 1) & mask;
    return &a->table[i];
}

struct awareness_entry *awareness_find(const struct ydoc_awareness *a, uint64_t client)
{
    uint32_t number = a->n > 0 ? *find_slot(a, client) : 0;

    return number == 0 ? NULL : &a->entries[number - 1];
}

void awareness_fill_table(struct ydoc_awareness *a)
{
    memset(a->table, 0, a->table_n * sizeof(*a->table));
    for (uint32_t i = 0; i < a->n; i++)
        *find_slot(a, a->entries[i].client) = i + 1;
}

static bool grow_entries(struct ydoc_awareness *a)
{
    uint32_t cap = a->cap == 0 ? 8 : a->cap * 2;
    void *p =
        awareness_resize(a, a->entries, a->cap * sizeof(*a->entries), cap * sizeof(*a->entries));

    if (p == NULL)
        return false;
    a->entries = p;
    a->cap = cap;
    return true;
}

static bool grow_table(struct ydoc_awareness *a)
{
    uint32_t n = a->table_n == 0 ? 32 : a->table_n * 2;
    void *p = awareness_resize(a, a->table, a->table_n * sizeof(*a->table), n * sizeof(*a->table));

    if (p == NULL)
        return false;
    a->table = p;
    a->table_n = n;
    awareness_fill_table(a);
    return true;
}

struct awareness_entry *awareness_find_or_add(struct ydoc_awareness *a, uint64_t client)
{
    static const struct awareness_entry none = {.prev = AWARENESS_NONE, .next = AWARENESS_NONE};
    struct awareness_entry *e = awareness_find(a, client);

    if (e != NULL)
        return e;
    if (a->n == a->cap && !grow_entries(a))
        return NULL;
    if (2 * (a->n + 1) > a->table_n && !grow_table(a))
        return NULL;
    *find_slot(a, client) = a->n + 1;
    e = &a->entries[a->n++];
    *e = none;
    e->client = client;
    return e;
}

/* The last one added, before any other was: its place in the table is on
 * nobody's way. */
void awareness_take_back(struct ydoc_awareness *a, const struct awareness_entry *e)
{
    *find_slot(a, e->client) = 0;
    a->n--;
}

/* ---- states ---- */

static void chain(struct ydoc_awareness *a, struct awareness_entry *e)
{
    uint32_t number = (uint32_t)(e - a->entries);

    e->prev = a->last;
    e->next = AWARENESS_NONE;
    if (a->last != AWARENESS_NONE)
        a->entries[a->last].next = number;
    else
        a->first = number;
    a->last = number;
}

static void unchain(struct ydoc_awareness *a, struct awareness_entry *e)
{
    if (e->prev != AWARENESS_NONE)
        a->entries[e->prev].next = e->next;
    else
        a->first = e->next;
    if (e->next != AWARENESS_NONE)
        a->entries[e->next].prev = e->prev;
    else
        a->last = e->prev;
    e->prev = e->next = AWARENESS_NONE;
}

void awareness_drop_state(struct ydoc_awareness *a, struct awareness_entry *e)
{
    if (e->json == NULL)
        return;
    unchain(a, e);
    awareness_resize(a, e->json, e->len, 0);
    e->json = NULL;
    e->len = 0;
}

bool awareness_set_state(struct ydoc_awareness *a, struct awareness_entry *e,
                         struct ydoc_slice json)
{
    uint8_t *copy = awareness_resize(a, NULL, 0, json.len);

    if (copy == NULL)
        return false;
    memcpy(copy, json.p, json.len);
    if (e->json != NULL)
        awareness_resize(a, e->json, e->len, 0);
    else
        chain(a, e);
    e->json = copy;
    e->len = json.len;
    return true;
}

/* JavaScript's `state || null`: these are told to others as null. */
bool awareness_is_falsy(struct ydoc_slice json)
{
    return json.p == NULL || ydoc__is(json, "null") || ydoc__is(json, "false") ||
           ydoc__is(json, "0") || ydoc__is(json, "\"\"");
}

bool awareness_has_local_state(const struct ydoc_awareness *a)
{
    const struct awareness_entry *e = awareness_find(a, a->options.client);

    return e != NULL && !awareness_is_falsy(awareness_state(e));
}

/* ---- events ---- */

void awareness_lists_fini(struct ydoc_awareness *a, struct awareness_lists *l, size_t cap)
{
    if (l->v[0] != NULL)
        awareness_resize(a, l->v[0], 4 * cap * sizeof(uint64_t), 0);
}

/* Room for `cap` clients in each list. */
bool awareness_lists_init(struct ydoc_awareness *a, struct awareness_lists *l, size_t cap)
{
    static const struct awareness_lists none;

    *l = none;
    if (cap == 0)
        return true;
    l->v[0] = awareness_resize(a, NULL, 0, 4 * cap * sizeof(uint64_t));
    for (size_t i = 1; l->v[0] != NULL && i < 4; i++)
        l->v[i] = l->v[0] + i * cap;
    return l->v[0] != NULL;
}

void awareness_emit(struct ydoc_awareness *a, const struct awareness_lists *l,
                    enum ydoc_awareness_cause cause, void *origin)
{
    struct ydoc_awareness_event ev = {.kind = YDOC_AWARENESS_CHANGE,
                                      .cause = cause,
                                      .origin = origin,
                                      .added = l->v[AWARENESS_ADDED],
                                      .updated = l->v[AWARENESS_CHANGED],
                                      .removed = l->v[AWARENESS_REMOVED],
                                      .added_n = l->n[AWARENESS_ADDED],
                                      .updated_n = l->n[AWARENESS_CHANGED],
                                      .removed_n = l->n[AWARENESS_REMOVED]};

    if (a->options.on_event == NULL)
        return;
    if (ev.added_n + ev.updated_n + ev.removed_n > 0)
        a->options.on_event(a->options.ctx, a, &ev);
    ev.kind = YDOC_AWARENESS_UPDATE;
    ev.updated = l->v[AWARENESS_UPDATED];
    ev.updated_n = l->n[AWARENESS_UPDATED];
    if (ev.added_n + ev.updated_n + ev.removed_n > 0)
        a->options.on_event(a->options.ctx, a, &ev);
}

/* ---- the object ---- */

static void set_defaults(struct ydoc_awareness_options *o)
{
    if (o->clients_max == 0)
        o->clients_max = CLIENTS_MAX;
    if (o->clients_max > CLIENTS_LIMIT)
        o->clients_max = CLIENTS_LIMIT;
    if (o->state_bytes_max == 0)
        o->state_bytes_max = STATE_BYTES_MAX;
    if (o->update_bytes_max == 0)
        o->update_bytes_max = UPDATE_BYTES_MAX;
    if (o->outdated_ms == 0)
        o->outdated_ms = OUTDATED_MS;
    if (o->nesting_max == 0 || o->nesting_max > YDOC__NESTING_MAX)
        o->nesting_max = ydoc__limits(NULL).nesting_max;
}

int ydoc_awareness_new(struct ydoc_awareness **out, const struct ydoc_awareness_options *options,
                       uint64_t now_ms)
{
    static const struct ydoc_slice empty = {(const uint8_t *)"{}", 2};
    static const struct ydoc_awareness none = {.first = AWARENESS_NONE, .last = AWARENESS_NONE};
    struct ydoc_alloc alloc = ydoc__alloc_or_default(options != NULL ? options->alloc : NULL);
    struct ydoc_awareness *a = alloc.resize(alloc.ctx, NULL, 0, sizeof(*a));
    ydoc_awareness_fn on_event;
    int rc;

    *out = NULL;
    if (a == NULL)
        return YDOC_ENOMEM;
    *a = none;
    a->alloc = alloc;
    a->memory_used = sizeof(*a);
    if (options != NULL)
        a->options = *options;
    set_defaults(&a->options);
    a->key[0] = mix(a->options.seed ^ (uint64_t)(uintptr_t)a);
    a->key[1] = mix(a->key[0] ^ now_ms ^ (uint64_t)(uintptr_t)&rc);
    on_event = a->options.on_event;
    a->options.on_event = NULL; /* nobody can listen to an Awareness that is being made */
    rc = ydoc_awareness_set_local(a, empty, now_ms, NULL);
    a->options.on_event = on_event;
    if (rc != 0) {
        ydoc_awareness_free(a);
        return rc;
    }
    *out = a;
    return 0;
}

void ydoc_awareness_free(struct ydoc_awareness *a)
{
    if (a == NULL)
        return;
    for (uint32_t i = 0; i < a->n; i++)
        awareness_drop_state(a, &a->entries[i]);
    if (a->entries != NULL)
        awareness_resize(a, a->entries, a->cap * sizeof(*a->entries), 0);
    if (a->table != NULL)
        awareness_resize(a, a->table, a->table_n * sizeof(*a->table), 0);
    a->alloc.resize(a->alloc.ctx, a, sizeof(*a), 0);
}

size_t ydoc_awareness_memory_used(const struct ydoc_awareness *a)
{
    return a->memory_used;
}

void awareness_fill_entry(struct ydoc_awareness_entry *out, const struct awareness_entry *e)
{
    out->client = e->client;
    out->clock = e->clock;
    out->json = awareness_state(e);
    out->is_null = e->json == NULL;
}

bool ydoc_awareness_get(const struct ydoc_awareness *a, uint64_t client,
                        struct ydoc_awareness_entry *out)
{
    static const struct ydoc_awareness_entry none = {.is_null = true};
    const struct awareness_entry *e = awareness_find(a, client);

    *out = none;
    if (e != NULL)
        awareness_fill_entry(out, e);
    return e != NULL;
}

bool ydoc_awareness_next_state(const struct ydoc_awareness *a, uint32_t *iter,
                               struct ydoc_awareness_entry *out)
{
    uint32_t at = *iter == 0 ? a->first : *iter == AWARENESS_NONE ? AWARENESS_NONE : *iter - 1;

    if (at == AWARENESS_NONE)
        return false;
    awareness_fill_entry(out, &a->entries[at]);
    *iter = a->entries[at].next == AWARENESS_NONE ? AWARENESS_NONE : a->entries[at].next + 1;
    return true;
}

/* ---- the local state ---- */

/* `json` in canonical form, or a NULL slice for null. */
int awareness_store_local(struct ydoc_awareness *a, struct ydoc_slice json, uint64_t now_ms)
{
    struct awareness_entry *e = awareness_find(a, a->options.client);
    bool known = e != NULL, had;
    uint64_t v[4];
    struct awareness_lists l = {{v, v + 1, v + 2, v + 3}, {0}};
    int same = 0;

    if (e == NULL && (e = awareness_find_or_add(a, a->options.client)) == NULL)
        return YDOC_ENOMEM;
    had = e->json != NULL;
    if (had && json.p != NULL && (same = json_equal(awareness_state(e), json, &a->alloc)) < 0)
        return same;
    if (json.p == NULL) {
        awareness_drop_state(a, e);
    } else if (!awareness_set_state(a, e, json)) {
        if (!known)
            awareness_take_back(a, e);
        return YDOC_ENOMEM;
    }
    e->clock = !known ? 0 : e->clock < LIB0_UINT_MAX ? e->clock + 1 : e->clock;
    e->updated_ms = now_ms;
    awareness_list_add(&l,
                       json.p == NULL ? AWARENESS_REMOVED
                       : had          ? AWARENESS_UPDATED
                                      : AWARENESS_ADDED,
                       e->client);
    if (json.p != NULL && had && !same)
        awareness_list_add(&l, AWARENESS_CHANGED, e->client);
    awareness_emit(a, &l, YDOC_AWARENESS_LOCAL, NULL);
    return 0;
}

/* Checks a state and appends its canonical form. */
static int take_json(const struct ydoc_awareness *a, struct ydoc_slice json, struct ydoc_buf *out,
                     struct ydoc_error *err)
{
    int rc;

    if (json.len > a->options.state_bytes_max)
        return ydoc__error(err, YDOC_ELIMIT, 0, "a state of %zu bytes, at most %zu are allowed",
                           json.len, a->options.state_bytes_max);
    rc = ydoc_validate_json(json.p, json.len, a->options.nesting_max, err);
    if (rc != 0)
        return rc;
    text_write_canonical(out, json);
    return out->failed ? awareness_no_memory(err) : 0;
}

struct ydoc_slice awareness_null_or(struct ydoc_slice canonical)
{
    static const struct ydoc_slice null;

    return ydoc__is(canonical, "null") ? null : canonical;
}

int ydoc_awareness_set_local(struct ydoc_awareness *a, struct ydoc_slice json, uint64_t now_ms,
                             struct ydoc_error *err)
{
    struct ydoc_buf canonical;
    int rc = 0;

    if (json.p == NULL) {
        rc = awareness_store_local(a, json, now_ms);
        return rc == YDOC_ENOMEM ? awareness_no_memory(err) : rc;
    }
    ydoc_buf_init(&canonical, &a->alloc);
    rc = take_json(a, json, &canonical, err);
    if (rc == 0 &&
        awareness_store_local(a, awareness_null_or(ydoc_buf_slice(&canonical)), now_ms) != 0)
        rc = awareness_no_memory(err);
    ydoc_buf_fini(&canonical);
    return rc;
}

static void append_member(struct ydoc_buf *out, struct ydoc_slice key, struct ydoc_slice value)
{
    if (out->len > 1)
        lib0_write_u8(out, ',');
    ydoc_buf_append(out, key.p, key.len);
    lib0_write_u8(out, ':');
    ydoc_buf_append(out, value.p, value.len);
}

/* `state` with `key` set to `value`, or without it if that is NULL. */
static void write_with_field(struct ydoc_buf *out, struct ydoc_slice state, struct ydoc_slice key,
                             struct ydoc_slice value)
{
    struct json_member m;
    struct json_walk w;
    bool found = false;

    lib0_write_u8(out, '{');
    if (json_open(&w, state) && w.object) {
        while (json_next(&w, &m)) {
            bool same = m.key.len == key.len && memcmp(m.key.p, key.p, key.len) == 0;

            found = found || same;
            if (!same || value.p != NULL)
                append_member(out, m.key, same ? value : m.value);
        }
    }
    if (!found && value.p != NULL)
        append_member(out, key, value);
    lib0_write_u8(out, '}');
}

int ydoc_awareness_set_local_field(struct ydoc_awareness *a, struct ydoc_slice field,
                                   struct ydoc_slice json, uint64_t now_ms, struct ydoc_error *err)
{
    struct ydoc_slice value = json;
    struct ydoc_buf key, state;
    int rc = 0;

    if (!awareness_has_local_state(a))
        return 0;
    if (lib0_utf16_len(field.p, field.len) < 0)
        return ydoc__error(err, YDOC_EMALFORMED, 0, "the field's name is not UTF-8");
    if (json.p != NULL)
        rc = ydoc_validate_json(json.p, json.len, a->options.nesting_max, err);
    if (rc != 0)
        return rc;
    ydoc_buf_init(&key, &a->alloc);
    ydoc_buf_init(&state, &a->alloc);
    text_write_string(&key, field);
    write_with_field(&state, awareness_state(awareness_find(a, a->options.client)),
                     ydoc_buf_slice(&key), value);
    if (key.failed || state.failed)
        rc = awareness_no_memory(err);
    else
        rc = ydoc_awareness_set_local(a, ydoc_buf_slice(&state), now_ms, err);
    ydoc_buf_fini(&key);
    ydoc_buf_fini(&state);
    return rc;
}
