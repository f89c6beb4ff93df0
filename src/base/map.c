#include "base/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define CAP_MIN 8

struct map_slot {
    void *value; /* NULL: empty */
    const uint8_t *key;
    size_t len;
    uint64_t hash;
};

struct map64_slot {
    void *value; /* NULL: empty */
    uint64_t key;
};

/* --- the hash ------------------------------------------------------------ */

static uint64_t rotl(uint64_t v, unsigned n)
{
    return v << n | v >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] = rotl(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] = rotl(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF", with one round a
 * word and three at the end, as hash tables elsewhere use it. */
uint64_t map_hash(const uint64_t seed[2], const void *p, size_t len)
{
    const uint8_t *b = p;
    uint64_t last = (uint64_t)len << 56;
    uint64_t v[4] = {
        seed[0] ^ UINT64_C(0x736f6d6570736575),
        seed[1] ^ UINT64_C(0x646f72616e646f6d),
        seed[0] ^ UINT64_C(0x6c7967656e657261),
        seed[1] ^ UINT64_C(0x7465646279746573),
    };
    uint64_t word;

    for (; len >= 8; b += 8, len -= 8) {
        memcpy(&word, b, 8);
        sip_word(v, word);
    }
    for (size_t i = 0; i < len; i++)
        last |= (uint64_t)b[i] << (8 * i);
    sip_word(v, last);
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void make_seed(uint64_t seed[2])
{
    /* Sixteen bytes never come short once the pool is up, and it is before we run. */
    if (getrandom(seed, 16, 0) != 16)
        abort();
}

static bool is_full(size_t count, size_t cap)
{
    return count >= cap - cap / 4;
}

/* The capacity to use before one entry is added, or after one was removed. */
static size_t better_cap(size_t count, size_t cap, bool adding)
{
    if (adding && (cap == 0 || is_full(count, cap)))
        return cap == 0 ? CAP_MIN : cap * 2;
    if (!adding && count == 0)
        return 0;
    if (!adding && cap > CAP_MIN && count < cap / 8)
        return cap / 2;
    return cap;
}

/* Whether the entry at `at`, whose home is `home`, may move back to `hole`: it
 * may unless its home lies in the cyclic range (hole, at]. */
static bool may_fill(size_t hole, size_t at, size_t home)
{
    return hole <= at ? home <= hole || home > at : home <= hole && home > at;
}

/* --- byte strings -------------------------------------------------------- */

void map_init(struct map *m, struct mem_account *a)
{
    *m = (struct map){.account = a};
    make_seed(m->seed);
}

void map_fini(struct map *m)
{
    mem_free(m->account, m->slots, m->cap * sizeof(*m->slots));
    m->slots = NULL;
    m->count = m->cap = 0;
}

size_t map_count(const struct map *m)
{
    return m->count;
}

/* The key's slot, or the empty slot where it belongs. cap > 0. */
static size_t find(const struct map_slot *slots, size_t cap, uint64_t hash, const void *key,
                   size_t len)
{
    size_t i = hash & (cap - 1);

    for (; slots[i].value != NULL; i = (i + 1) & (cap - 1)) {
        if (slots[i].hash == hash && slots[i].len == len &&
            (len == 0 || memcmp(slots[i].key, key, len) == 0))
            break;
    }
    return i;
}

void *map_get(const struct map *m, const void *key, size_t len)
{
    if (m->count == 0)
        return NULL;
    return m->slots[find(m->slots, m->cap, map_hash(m->seed, key, len), key, len)].value;
}

static int resize(struct map *m, size_t cap)
{
    struct map_slot *slots = NULL;

    if (cap == m->cap)
        return 0;
    if (cap > 0) {
        slots = mem_alloc_zero(m->account, cap * sizeof(*slots));
        if (slots == NULL)
            return SK_ETOOBIG;
    }
    for (size_t i = 0; i < m->cap; i++) {
        const struct map_slot *s = &m->slots[i];

        if (s->value != NULL)
            slots[find(slots, cap, s->hash, s->key, s->len)] = *s;
    }
    mem_free(m->account, m->slots, m->cap * sizeof(*m->slots));
    m->slots = slots;
    m->cap = cap;
    return 0;
}

int map_set(struct map *m, const void *key, size_t len, void *value, void **old)
{
    uint64_t hash = map_hash(m->seed, key, len);
    struct map_slot *s;
    int rc;

    assert(value != NULL);
    if (old != NULL)
        *old = NULL;
    rc = resize(m, better_cap(m->count, m->cap, true));
    if (rc != 0)
        return rc;
    s = &m->slots[find(m->slots, m->cap, hash, key, len)];
    if (s->value == NULL)
        m->count++;
    else if (old != NULL)
        *old = s->value;
    *s = (struct map_slot){value, key, len, hash};
    return 0;
}

void *map_remove(struct map *m, const void *key, size_t len)
{
    size_t hole, mask = m->cap - 1;
    void *value;

    if (m->count == 0)
        return NULL;
    hole = find(m->slots, m->cap, map_hash(m->seed, key, len), key, len);
    value = m->slots[hole].value;
    if (value == NULL)
        return NULL;
    for (size_t i = (hole + 1) & mask; m->slots[i].value != NULL; i = (i + 1) & mask) {
        if (may_fill(hole, i, m->slots[i].hash & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole].value = NULL;
    m->count--;
    (void)resize(m, better_cap(m->count, m->cap, false)); /* staying big is no failure */
    return value;
}

void *map_next(const struct map *m, size_t *pos)
{
    while (*pos < m->cap) {
        void *value = m->slots[(*pos)++].value;

        if (value != NULL)
            return value;
    }
    return NULL;
}

/* --- numbers ------------------------------------------------------------- */

void map64_init(struct map64 *m, struct mem_account *a)
{
    *m = (struct map64){.account = a};
    make_seed(m->seed);
}

void map64_fini(struct map64 *m)
{
    mem_free(m->account, m->slots, m->cap * sizeof(*m->slots));
    m->slots = NULL;
    m->count = m->cap = 0;
}

size_t map64_count(const struct map64 *m)
{
    return m->count;
}

static size_t home64(const struct map64 *m, size_t cap, uint64_t key)
{
    return map_hash(m->seed, &key, sizeof(key)) & (cap - 1);
}

static size_t find64(const struct map64 *m, const struct map64_slot *slots, size_t cap,
                     uint64_t key)
{
    size_t i = home64(m, cap, key);

    while (slots[i].value != NULL && slots[i].key != key)
        i = (i + 1) & (cap - 1);
    return i;
}

void *map64_get(const struct map64 *m, uint64_t key)
{
    return m->count == 0 ? NULL : m->slots[find64(m, m->slots, m->cap, key)].value;
}

static int resize64(struct map64 *m, size_t cap)
{
    struct map64_slot *slots = NULL;

    if (cap == m->cap)
        return 0;
    if (cap > 0) {
        slots = mem_alloc_zero(m->account, cap * sizeof(*slots));
        if (slots == NULL)
            return SK_ETOOBIG;
    }
    for (size_t i = 0; i < m->cap; i++) {
        if (m->slots[i].value != NULL)
            slots[find64(m, slots, cap, m->slots[i].key)] = m->slots[i];
    }
    mem_free(m->account, m->slots, m->cap * sizeof(*m->slots));
    m->slots = slots;
    m->cap = cap;
    return 0;
}

int map64_set(struct map64 *m, uint64_t key, void *value, void **old)
{
    struct map64_slot *s;
    int rc;

    assert(value != NULL);
    if (old != NULL)
        *old = NULL;
    rc = resize64(m, better_cap(m->count, m->cap, true));
    if (rc != 0)
        return rc;
    s = &m->slots[find64(m, m->slots, m->cap, key)];
    if (s->value == NULL)
        m->count++;
    else if (old != NULL)
        *old = s->value;
    *s = (struct map64_slot){value, key};
    return 0;
}

void *map64_remove(struct map64 *m, uint64_t key)
{
    size_t hole, mask = m->cap - 1;
    void *value;

    if (m->count == 0)
        return NULL;
    hole = find64(m, m->slots, m->cap, key);
    value = m->slots[hole].value;
    if (value == NULL)
        return NULL;
    for (size_t i = (hole + 1) & mask; m->slots[i].value != NULL; i = (i + 1) & mask) {
        if (may_fill(hole, i, home64(m, m->cap, m->slots[i].key))) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole].value = NULL;
    m->count--;
    (void)resize64(m, better_cap(m->count, m->cap, false));
    return value;
}

void *map64_next(const struct map64 *m, size_t *pos, uint64_t *key)
{
    while (*pos < m->cap) {
        const struct map64_slot *s = &m->slots[(*pos)++];

        if (s->value != NULL) {
            if (key != NULL)
                *key = s->key;
            return s->value;
        }
    }
    return NULL;
}
