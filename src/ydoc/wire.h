#ifndef YDOC_WIRE_H
#define YDOC_WIRE_H

/* wire - update format v1, struct by struct, straight from the bytes.
 *
 *     update    := varuint sections, section…, delete set
 *     section   := varuint n, varuint client, varuint clock, n x struct
 *     deletes   := varuint n, n x { varuint client, varuint m, m x { clock, len } }
 *
 * Clocks inside a section follow from the first one and the lengths. Reading
 * checks everything that can be checked without a document; what comes out
 * points into the input.
 */
#include <stdbool.h>
#include <stdint.h>

#include "ydoc/internal.h"

enum wire_ref {
    WIRE_GC = 0,
    WIRE_DELETED = 1,
    WIRE_JSON = 2,
    WIRE_BINARY = 3,
    WIRE_STRING = 4,
    WIRE_EMBED = 5,
    WIRE_FORMAT = 6,
    WIRE_TYPE = 7,
    WIRE_ANY = 8,
    WIRE_DOC = 9,
    WIRE_SKIP = 10,
};

enum wire_info { WIRE_HAS_SUB = 0x20, WIRE_HAS_RIGHT = 0x40, WIRE_HAS_ORIGIN = 0x80 };

#define WIRE_TYPE_REF_MAX 6 /* 7 and above: yjs throws */

/* One struct. Which members mean something:
 *   info       the high three bits as they bind: without an origin or right
 *              origin, WIRE_HAS_SUB tells whether `sub` is there; with one,
 *              neither parent nor sub are on the wire
 *   root       parent_name is a root's name; otherwise parent_* is an item
 *   body       the content: of STRING the text, JSON the varstrings, ANY the
 *              values, BINARY the bytes, EMBED the text, FORMAT key and value
 *              as two varstrings, DOC guid and options, TYPE the name */
struct wire_struct {
    const uint8_t *start, *end;
    uint64_t client;
    uint32_t clock, len;
    uint8_t info, ref, type_ref;
    bool root;
    uint32_t origin_clock, right_clock, parent_clock;
    uint64_t origin_client, right_client, parent_client;
    struct ydoc_slice parent_name, sub, body;
};

/* A run of structs of one client. */
struct wire_section {
    const uint8_t *p;
    uint64_t client;
    uint32_t clock;
    uint32_t left; /* structs not yet read */
};

struct wire_range {
    uint64_t client;
    uint32_t clock, len;
};

struct wire_counts {
    uint64_t sections, structs, ranges;
    size_t body_bytes; /* of all contents */
    size_t deletes_at; /* offset of the delete set */
};

static inline bool wire_has_ids(const struct wire_struct *s)
{
    return (s->info & (WIRE_HAS_ORIGIN | WIRE_HAS_RIGHT)) != 0;
}

/* Reads the section's header; its structs begin at r->p. */
void wire_read_section(struct lib0_reader *r, struct wire_section *s);

/* The next struct of positive length; false at the section's end or on failure.
 * Moves s and r. Structs of length 0 are passed over: a bug once wrote them
 * into real documents, and Yjs cannot encode a document that holds one. */
bool wire_next(struct lib0_reader *r, struct wire_section *s, struct wire_struct *out,
               uint32_t nesting_max);

/* Reads past a delete set, counting ranges of positive length. */
void wire_skip_deletes(struct lib0_reader *r, uint64_t *ranges);

/* Delete set, range by range. Ranges of length 0 are passed over. */
struct wire_deletes {
    struct lib0_reader r;
    uint64_t clients_left, ranges_left, client;
    bool v2;
    uint32_t end; /* v2: of the range before, from which the next is counted */
};
void wire_deletes_init(struct wire_deletes *d, const struct lib0_reader *at);
bool wire_deletes_next(struct wire_deletes *d, struct wire_range *out);

/* Checks an update whole. */
int wire_validate(const uint8_t *update, size_t len, const struct ydoc_limits *limits,
                  struct wire_counts *counts, struct ydoc_error *err);

/* Walks all structs of an update whatever their section. After the last one
 * `r` stands at the delete set. */
struct wire_walk {
    struct lib0_reader r;
    struct wire_section section;
    uint64_t sections_left;
    uint32_t nesting_max;
};
void wire_walk_init(struct wire_walk *w, const uint8_t *update, size_t len);
bool wire_walk_next(struct wire_walk *w, struct wire_struct *out);

/* Appends the struct from `offset` units on (0: the bytes as they came, except
 * that WIRE_HAS_SUB goes when the wire carries no sub, as Yjs's rewriters do). */
void wire_write(struct ydoc_buf *out, const struct wire_struct *s, uint32_t offset);

/* The part of a body from `offset` units on. `replaced`: the cut went through a
 * surrogate pair, and U+FFFD stands before the rest. */
struct ydoc_slice wire_body_from(const struct wire_struct *s, uint32_t offset, bool *replaced);

/* Byte length of the first n elements of a JSON or ANY body. */
size_t wire_elements_len(uint8_t ref, const uint8_t *p, size_t len, uint32_t n);

#endif
