#ifndef SKEIN_BASE_MAP_H
#define SKEIN_BASE_MAP_H

/* map - hash tables from byte strings, and from 64-bit numbers, to pointers.
 *
 * Open addressing with linear probing, at most three quarters full, and
 * removal that shifts the run back, so there are no tombstones and a table
 * that empties gives its memory back. Hashes are SipHash-1-3 under a random
 * key of each table: room names and client ids are chosen by strangers, who
 * must not be able to choose collisions too.
 *
 * Ownership: a string table borrows the key's bytes, which normally live in
 * the value; they must stay where they are until the entry is removed. Values
 * are borrowed and never NULL.
 * Threads: one at a time.
 * Limits: the account's; a table that cannot grow refuses the new entry.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

struct map_slot;
struct map {
    struct map_slot *slots;
    size_t count, cap; /* cap is 0 or a power of two */
    uint64_t seed[2];
    struct mem_account *account;
};

/* Allocates nothing. */
void map_init(struct map *m, struct mem_account *a);
void map_fini(struct map *m); /* values are the caller's business */
size_t map_count(const struct map *m);
void *map_get(const struct map *m, const void *key, size_t len); /* NULL: none */
/* Adds, or replaces key and value; *old (may be NULL) becomes what was there or
 * NULL. SK_ETOOBIG at the account's limit, with the table untouched. */
int map_set(struct map *m, const void *key, size_t len, void *value, void **old) SK_MUST_CHECK;
void *map_remove(struct map *m, const void *key, size_t len); /* NULL: was not there */
/* The next value in no order, or NULL at the end. *pos starts at 0. The table
 * must not change in between. */
void *map_next(const struct map *m, size_t *pos);

struct map64_slot;
struct map64 {
    struct map64_slot *slots;
    size_t count, cap;
    uint64_t seed[2];
    struct mem_account *account;
};

/* The same with numbers as keys. */
void map64_init(struct map64 *m, struct mem_account *a);
void map64_fini(struct map64 *m);
size_t map64_count(const struct map64 *m);
void *map64_get(const struct map64 *m, uint64_t key);
int map64_set(struct map64 *m, uint64_t key, void *value, void **old) SK_MUST_CHECK;
void *map64_remove(struct map64 *m, uint64_t key);
void *map64_next(const struct map64 *m, size_t *pos, uint64_t *key); /* key may be NULL */

/* SipHash-1-3 of the bytes under a key; also for choosing a room's worker. */
uint64_t map_hash(const uint64_t seed[2], const void *p, size_t len);

#endif
