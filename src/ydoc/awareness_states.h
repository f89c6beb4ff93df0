#ifndef YDOC_AWARENESS_STATES_H
#define YDOC_AWARENESS_STATES_H

/* awareness_states - what the two files of Awareness share: the clients and
 * their states (awareness_states.c), and messages and time over them
 * (awareness_update.c). */
#include "ydoc/json_walk.h"

#define AWARENESS_NONE UINT32_MAX

struct awareness_entry {
    uint64_t client, clock, updated_ms;
    uint8_t *json; /* NULL: no state */
    size_t len;
    uint32_t prev, next; /* of those with a state */
};

/* The lists of an event, collected while something changes. */
struct awareness_lists {
    uint64_t *v[4];
    size_t n[4];
};
enum awareness_list {
    AWARENESS_ADDED,
    AWARENESS_UPDATED,
    AWARENESS_CHANGED, /* updated, and the state is another one than before */
    AWARENESS_REMOVED,
};

struct ydoc_awareness {
    struct ydoc_alloc alloc;
    struct ydoc_awareness_options options;
    struct awareness_entry *entries;
    uint32_t n, cap;
    uint32_t first, last; /* with a state */
    uint32_t *table;      /* number + 1; 0: free */
    uint32_t table_n;     /* a power of two, more than 2 n */
    uint64_t key[2];
    size_t memory_used;
};

static inline struct ydoc_slice awareness_state(const struct awareness_entry *e)
{
    struct ydoc_slice s = {e->json, e->len};

    return s;
}

static inline void awareness_list_add(struct awareness_lists *l, enum awareness_list list,
                                      uint64_t client)
{
    l->v[list][l->n[list]++] = client;
}

void *awareness_resize(struct ydoc_awareness *a, void *p, size_t old_size, size_t new_size);
int awareness_no_memory(struct ydoc_error *err);

struct awareness_entry *awareness_find(const struct ydoc_awareness *a, uint64_t client);
struct awareness_entry *awareness_find_or_add(struct ydoc_awareness *a, uint64_t client);
/* Undoes the last adding. */
void awareness_take_back(struct ydoc_awareness *a, const struct awareness_entry *e);
void awareness_fill_table(struct ydoc_awareness *a);

void awareness_drop_state(struct ydoc_awareness *a, struct awareness_entry *e);
bool awareness_set_state(struct ydoc_awareness *a, struct awareness_entry *e,
                         struct ydoc_slice json);
/* JavaScript's `state || null`: these are told to others as null. */
bool awareness_is_falsy(struct ydoc_slice json);
bool awareness_has_local_state(const struct ydoc_awareness *a);
/* setLocalState; `json` in canonical form, or a NULL slice for null. */
int awareness_store_local(struct ydoc_awareness *a, struct ydoc_slice json, uint64_t now_ms);
struct ydoc_slice awareness_null_or(struct ydoc_slice canonical);
void awareness_fill_entry(struct ydoc_awareness_entry *out, const struct awareness_entry *e);

/* Room for `cap` clients in each list. */
bool awareness_lists_init(struct ydoc_awareness *a, struct awareness_lists *l, size_t cap);
void awareness_lists_fini(struct ydoc_awareness *a, struct awareness_lists *l, size_t cap);
void awareness_emit(struct ydoc_awareness *a, const struct awareness_lists *l,
                    enum ydoc_awareness_cause cause, void *origin);

#endif
