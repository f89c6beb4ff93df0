/* types - interned names, shared types and the slots their items hang on.
 *
 * Every name (root, map key, node name) is kept once and compared as a number.
 * A (type, key) pair is a slot, so an item says with one number both what Yjs
 * calls its parent and its parentSub, and a map item that copies them from its
 * neighbour needs no look-up at all.
 */
#include "ydoc/place.h"

#include <assert.h>
#include <string.h>

static uint32_t hash_bytes(struct ydoc_slice s)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < s.len; i++)
        h = (h ^ s.p[i]) * 16777619u;
    return h ^ (h >> 15);
}

static uint32_t hash_pair(uint32_t a, uint32_t b)
{
    uint64_t h = ((uint64_t)a << 32 | b) * UINT64_C(0x9e3779b97f4a7c15);

    return (uint32_t)(h >> 32);
}

struct ydoc_slice store_key(const struct ydoc *doc, uint32_t key)
{
    struct ydoc_slice s = {NULL, doc->keys.p[key].len};

    assert(key > 0);
    if (s.len > 0)
        s.p = doc->key_bytes.p + doc->keys.p[key].at;
    return s;
}

static bool key_equals(const struct ydoc *doc, uint32_t key, uint32_t hash, struct ydoc_slice text)
{
    const struct key *k = &doc->keys.p[key];

    return k->hash == hash && k->len == text.len &&
           (text.len == 0 || memcmp(doc->key_bytes.p + k->at, text.p, text.len) == 0);
}

uint32_t store_find_key(const struct ydoc *doc, struct ydoc_slice text)
{
    uint32_t hash = hash_bytes(text), mask = doc->key_table.n - 1;

    if (doc->key_table.n == 0)
        return 0;
    for (uint32_t i = hash & mask; doc->key_table.p[i] != 0; i = (i + 1) & mask) {
        if (key_equals(doc, doc->key_table.p[i], hash, text))
            return doc->key_table.p[i];
    }
    return 0;
}

/* Makes the table (a power of two, its size in .n) hold `entries` with room. */
static bool table_needs_growth(uint32_t entries, uint32_t size)
{
    return size == 0 || (uint64_t)entries * 4 >= (uint64_t)size * 3;
}

static void keys_rehash(struct ydoc *doc)
{
    uint32_t size = doc->key_table.n == 0 ? 8 : doc->key_table.n * 2, mask = size - 1;

    VEC_RESERVE(doc, doc->key_table, size - doc->key_table.n);
    doc->key_table.n = size;
    memset(doc->key_table.p, 0, size * sizeof(uint32_t));
    for (uint32_t key = 1; key < doc->keys.n; key++) {
        uint32_t i = doc->keys.p[key].hash & mask;

        while (doc->key_table.p[i] != 0)
            i = (i + 1) & mask;
        doc->key_table.p[i] = key;
    }
}

uint32_t store_intern(struct ydoc *doc, struct ydoc_slice text)
{
    uint32_t key = store_find_key(doc, text), i;
    struct key k;

    if (key != 0)
        return key;
    if (doc->keys.n == 0) {
        memset(&k, 0, sizeof(k));
        VEC_PUSH(doc, doc->keys, k);
    }
    if (table_needs_growth(doc->keys.n, doc->key_table.n))
        keys_rehash(doc);
    k.at = doc->key_bytes.n;
    k.len = (uint32_t)text.len;
    k.hash = hash_bytes(text);
    VEC_RESERVE(doc, doc->key_bytes, text.len + 1);
    if (text.len > 0)
        memcpy(doc->key_bytes.p + k.at, text.p, text.len);
    doc->key_bytes.n += k.len;
    key = doc->keys.n;
    VEC_PUSH(doc, doc->keys, k);
    for (i = k.hash & (doc->key_table.n - 1); doc->key_table.p[i] != 0;)
        i = (i + 1) & (doc->key_table.n - 1);
    doc->key_table.p[i] = key;
    return key;
}

static uint32_t new_slot(struct ydoc *doc, uint32_t type, uint32_t key)
{
    struct slot s = {type, key, 0, 0};
    uint32_t n = doc->slots_free;

    if (n != 0) {
        doc->slots_free = doc->slots.p[n].next;
        doc->slots.p[n] = s;
        return n;
    }
    if (doc->slots.n == 0)
        VEC_PUSH(doc, doc->slots, s);
    VEC_PUSH(doc, doc->slots, s);
    return doc->slots.n - 1;
}

uint32_t store_new_type(struct ydoc *doc, uint32_t item, uint8_t ref, uint32_t name)
{
    struct type t = {0};
    uint32_t n = doc->types_free;

    t.generation = n != 0 ? doc->types.p[n].generation : 0;
    t.item = item;
    t.ref = ref;
    t.name = name;
    if (n != 0) {
        doc->types_free = doc->types.p[n].list;
    } else {
        if (doc->types.n == 0)
            VEC_PUSH(doc, doc->types, t);
        n = doc->types.n;
        VEC_PUSH(doc, doc->types, t);
    }
    doc->types.p[n] = t;
    doc->types.p[n].list = new_slot(doc, n, 0);
    return n;
}

static void slot_table_insert(struct ydoc *doc, uint32_t slot)
{
    const struct slot *s = &doc->slots.p[slot];
    uint32_t mask = doc->slot_table.n - 1, i = hash_pair(s->type, s->key) & mask;

    while (doc->slot_table.p[i] != 0)
        i = (i + 1) & mask;
    doc->slot_table.p[i] = slot;
}

static void slots_rehash(struct ydoc *doc)
{
    uint32_t size = doc->slot_table.n == 0 ? 8 : doc->slot_table.n * 2;

    VEC_RESERVE(doc, doc->slot_table, size - doc->slot_table.n);
    doc->slot_table.n = size;
    memset(doc->slot_table.p, 0, size * sizeof(uint32_t));
    for (uint32_t t = 0; t < doc->types.n; t++) {
        for (uint32_t s = doc->types.p[t].first; s != 0; s = doc->slots.p[s].next)
            slot_table_insert(doc, s);
    }
}

/* Closes the gap that the removed entry leaves in its probe sequence. */
static void slot_table_remove(struct ydoc *doc, uint32_t slot)
{
    uint32_t *p = doc->slot_table.p;
    uint32_t mask = doc->slot_table.n - 1;
    uint32_t i = hash_pair(doc->slots.p[slot].type, doc->slots.p[slot].key) & mask, j;

    while (p[i] != slot)
        i = (i + 1) & mask;
    for (j = (i + 1) & mask; p[j] != 0; j = (j + 1) & mask) {
        uint32_t home = hash_pair(doc->slots.p[p[j]].type, doc->slots.p[p[j]].key) & mask;

        if (((j - home) & mask) >= ((j - i) & mask)) {
            p[i] = p[j];
            i = j;
        }
    }
    p[i] = 0;
    doc->slots_mapped--;
}

uint32_t store_find_map_slot(const struct ydoc *doc, uint32_t type, uint32_t key)
{
    uint32_t mask = doc->slot_table.n - 1;

    if (doc->slot_table.n == 0)
        return 0;
    for (uint32_t i = hash_pair(type, key) & mask; doc->slot_table.p[i] != 0; i = (i + 1) & mask) {
        const struct slot *s = &doc->slots.p[doc->slot_table.p[i]];

        if (s->type == type && s->key == key)
            return doc->slot_table.p[i];
    }
    return 0;
}

uint32_t store_map_slot(struct ydoc *doc, uint32_t type, uint32_t key)
{
    uint32_t slot = store_find_map_slot(doc, type, key);
    struct type *t;

    if (slot != 0)
        return slot;
    if (table_needs_growth(doc->slots_mapped + 1, doc->slot_table.n))
        slots_rehash(doc);
    slot = new_slot(doc, type, key);
    slot_table_insert(doc, slot);
    doc->slots_mapped++;
    t = &doc->types.p[type];
    if (t->last == 0)
        t->first = slot;
    else
        doc->slots.p[t->last].next = slot;
    t->last = slot;
    return slot;
}

static void free_slot(struct ydoc *doc, uint32_t slot)
{
    doc->slots.p[slot].type = 0;
    doc->slots.p[slot].next = doc->slots_free;
    doc->slots_free = slot;
}

void store_free_type(struct ydoc *doc, uint32_t type)
{
    struct type *t = &doc->types.p[type];
    uint32_t list = t->list, next;
    uint32_t generation = t->generation + 1;

    place_drop(doc, type);
    for (uint32_t s = t->first; s != 0; s = next) {
        next = doc->slots.p[s].next;
        slot_table_remove(doc, s);
        free_slot(doc, s);
    }
    free_slot(doc, list);
    memset(t, 0, sizeof(*t));
    t->generation = generation;
    t->list = doc->types_free;
    doc->types_free = type;
}

/* Documents have few roots, but a peer may name a million: the slot table finds
 * them as keys of type 0. */
uint32_t store_find_root(const struct ydoc *doc, struct ydoc_slice name)
{
    uint32_t key = store_find_key(doc, name);

    if (key == 0)
        return 0;
    if (doc->roots.n <= 8) {
        for (uint32_t i = 0; i < doc->roots.n; i++) {
            if (doc->types.p[doc->roots.p[i]].name == key)
                return doc->roots.p[i];
        }
        return 0;
    }
    key = store_find_map_slot(doc, 0, key);
    return key == 0 ? 0 : doc->slots.p[key].head;
}

static void index_root(struct ydoc *doc, uint32_t type)
{
    uint32_t slot = store_map_slot(doc, 0, doc->types.p[type].name);

    doc->slots.p[slot].head = type;
}

uint32_t store_root(struct ydoc *doc, struct ydoc_slice name)
{
    uint32_t type = store_find_root(doc, name);

    if (type != 0)
        return type;
    type = store_new_type(doc, 0, YDOC_KIND_UNKNOWN, store_intern(doc, name));
    VEC_RESERVE(doc, doc->roots, 1);
    /* From the ninth root on all are in the slot table as well, and first of all there: a
     * root that was listed and not found would be made a second time. */
    for (uint32_t i = 0; doc->roots.n == 8 && i < 8; i++)
        index_root(doc, doc->roots.p[i]);
    if (doc->roots.n >= 8)
        index_root(doc, type);
    doc->roots.p[doc->roots.n++] = type;
    return type;
}
