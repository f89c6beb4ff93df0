#ifndef YDOC_WIRE_H
#define YDOC_WIRE_H

/* wire - updates of both formats, struct by struct, straight from the bytes.
 * Format v1, and of v2 (wire2.c has its layout) the same without a document:
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

/* How an update is spelled. OURS is v1 as a document holds it and what waits in
 * it: the value of an Embed or Format may be a 0x00 byte and a lib0 any, where
 * JSON text would lose something (any.h). It never comes from outside. */
enum wire_version { WIRE_V1 = 1, WIRE_V2 = 2, WIRE_OURS = 3 };

/* As nesting_max: the bytes have been checked before and may be OURS. */
#define WIRE_NESTING_OURS (YDOC__NESTING_MAX + 1)

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
 *              as two varstrings, DOC guid and options, TYPE the name. From v2
 *              EMBED, FORMAT and DOC have none
 *   key        of FORMAT; of DOC the guid
 *   value      of FORMAT and EMBED: JSON text, or a lib0 any if `any`; of DOC
 *              the options, an any
 *   start      from v1, if the bytes up to `end` say all of this; or NULL */
struct wire_struct {
    const uint8_t *start, *end;
    uint64_t client;
    uint32_t clock, len;
    uint8_t info, ref, type_ref;
    bool root, any;
    uint32_t origin_clock, right_clock, parent_clock;
    uint64_t origin_client, right_client, parent_client;
    struct ydoc_slice parent_name, sub, body, key, value;
};

/* A run of structs of one client. */
struct wire_section {
    const uint8_t *p;
    uint64_t client;
    uint32_t clock;
    uint32_t left; /* structs not yet read */
    /* How the client stands in the bytes; no bytes: not noted. See quick.h. */
    uint8_t client_bytes;
    uint64_t client_word, client_mask;
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

/* A section that goes on in the middle. */
struct wire_section wire_section_at(uint64_t client, const uint8_t *p, uint32_t clock,
                                    uint32_t left);

/* The next struct of positive length; false at the section's end or on failure.
 * Moves s and r. Structs of length 0 are passed over: a bug once wrote them
 * into real documents, and Yjs cannot encode a document that holds one. */
bool wire_next(struct lib0_reader *r, struct wire_section *s, struct wire_struct *out,
               uint32_t nesting_max);

/* Delete set, range by range. Ranges of length 0 are passed over. */
struct wire_deletes {
    struct lib0_reader r;
    uint64_t clients_left, ranges_left, client;
    bool v2;
    uint32_t end; /* v2: of the range before, from which the next is counted */
};
void wire_deletes_init(struct wire_deletes *d, const struct lib0_reader *at);
bool wire_deletes_next(struct wire_deletes *d, struct wire_range *out);

/* Where the sections of an update begin, so that they can be found again
 * without reading what is between them. Only the first `cap` are noted. */
struct wire_notes {
    struct wire_section *v;
    uint32_t n, cap;
};

/* Checks an update v1 whole. */
int wire_validate(const uint8_t *update, size_t len, const struct ydoc_limits *limits,
                  struct wire_counts *counts, struct ydoc_error *err);
/* The same, and fills `notes`, whose memory is the caller's. */
int wire_validate_noting(struct ydoc_slice update, const struct ydoc_limits *limits,
                         struct wire_counts *counts, struct wire_notes *notes,
                         struct ydoc_error *err);

/* Walks all structs of an update of either format, whatever their section, and
 * checks them on the way. After the last one `r` stands at the delete set. */
struct wire_columns;
struct wire_walk {
    struct lib0_reader r;
    struct wire_section section;
    uint64_t sections_left;
    uint64_t budget; /* structs and ranges that may still come */
    uint32_t nesting_max;
    int code;                     /* of the failure, if r.why says that there is one */
    struct wire_columns *columns; /* v2 only */
    struct wire_notes notes;      /* v1 only */
};

struct wire_input {
    struct ydoc_slice update;
    enum wire_version version;
    const struct ydoc_limits *limits; /* with defaults */
    const struct ydoc_alloc *alloc;   /* used for v2 only */
};

/* An update v1 that has been checked. Needs no close. */
void wire_walk_init(struct wire_walk *w, const uint8_t *update, size_t len);
/* Never fails: what is wrong shows at the first step. */
void wire_walk_open(struct wire_walk *w, const struct wire_input *in);
void wire_walk_close(struct wire_walk *w);
bool wire_walk_next(struct wire_walk *w, struct wire_struct *out);
/* To be set up once the structs have come to their end; its reader's failure
 * and the budget are the walk's after wire_walk_end_deletes(). */
void wire_walk_deletes(const struct wire_walk *w, struct wire_deletes *d);
void wire_walk_end_deletes(struct wire_walk *w, const struct wire_deletes *d, uint64_t ranges);
/* 0 while all is well. */
int wire_walk_error(const struct wire_walk *w, struct ydoc_error *err);
void wire_walk_fail(struct wire_walk *w, int code, const char *why);

/* wire2.c, for wire_walk_… */
void wire__open_v2(struct wire_walk *w, const struct ydoc_alloc *alloc);
void wire__close_v2(struct wire_walk *w);
void wire__read_section_v2(struct wire_walk *w);
bool wire__next_v2(struct wire_walk *w, struct wire_struct *out);

/* Shared by the readers of both formats. */
bool wire__depends_on_itself(const struct wire_struct *s);
void wire__take_place(struct wire_struct *s, const struct wire_struct *dropped);

/* Appends the struct from `offset` units on as v1 or OURS, with its values in
 * canonical form. WIRE_HAS_SUB goes when the wire carries no sub, as in Yjs's
 * rewriters. */
void wire_write(struct ydoc_buf *out, const struct wire_struct *s, uint32_t offset,
                enum wire_version version);
/* Would wire_write(s, 0) give the bytes from s->start to s->end? May say no
 * though it would. */
bool wire_is_written(const struct wire_struct *s);
/* info and origin as they are written from `offset` on. */
uint8_t wire_info_from(const struct wire_struct *s, uint32_t offset);

/* The part of a body from `offset` units on. `replaced`: the cut went through a
 * surrogate pair, and U+FFFD stands before the rest. */
struct ydoc_slice wire_body_from(const struct wire_struct *s, uint32_t offset, bool *replaced);

/* Byte length of the first n elements of a JSON or ANY body. */
size_t wire_elements_len(uint8_t ref, const uint8_t *p, size_t len, uint32_t n);

#endif
