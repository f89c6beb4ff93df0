#ifndef YDOC_ANY_H
#define YDOC_ANY_H

/* any - lib0's values as JavaScript writes them: canonical form, and to and
 * from JSON text. All input has been checked by ydoc__any_skip().
 *
 * Canonical is what lib0 writes after it has read a value: lengths in as few
 * bytes as they take; a number as integer if it is one of at most 31 bits, else
 * as float32 if that says it exactly, else as float64; members in JavaScript's
 * order, no key twice, and none called __proto__, which sets a prototype there
 * instead of a member. What JavaScript wrote is canonical, and only looked
 * through. */
#include "ydoc/internal.h"

enum {
    ANY_BYTES = 116,
    ANY_ARRAY = 117,
    ANY_OBJECT = 118,
    ANY_STRING = 119,
    ANY_TRUE = 120,
    ANY_FALSE = 121,
    ANY_BIGINT = 122,
    ANY_FLOAT64 = 123,
    ANY_FLOAT32 = 124,
    ANY_INTEGER = 125,
    ANY_NULL = 126,
    ANY_UNDEFINED = 127,
};

/* Shared by who reads and writes values. Numbers are read from behind their tag, and
 * written with the tag that JavaScript gives them. */
double any__read_number(struct lib0_reader *r, uint8_t tag);
void any__write_number(struct ydoc_buf *out, double v);
uint64_t any__read_be(struct lib0_reader *r, size_t n);
void any__write_be(struct ydoc_buf *out, uint64_t v, size_t n);

/* Is it one value, and nothing else? For what has not been checked yet. */
bool any_is_valid(struct ydoc_slice value, uint32_t nesting_max);

/* Are all values in the slice in canonical form? May say no to an object that
 * is: its keys are told apart by a hash. */
bool any_is_canonical(struct ydoc_slice values);
/* Appends all values in the slice in canonical form. */
void any_write(struct ydoc_buf *out, struct ydoc_slice values);

/* Does JSON text say all of this canonical value? It lacks undefined, bigints,
 * bytes, NaN, the infinities and -0. */
bool any_is_json(struct ydoc_slice value);
/* JSON.stringify of a canonical value. Where that throws or gives no text: the
 * digits of a bigint, null for undefined. */
void any_write_json(struct ydoc_buf *out, struct ydoc_slice value);
void any_to_json(struct ydoc_buf *out, struct ydoc_slice value); /* of any value */
/* The value that valid JSON text stands for. */
void any_write_from_json(struct ydoc_buf *out, struct ydoc_slice json);

/* The value of an Embed or Format as a document keeps it: JSON text, or if that
 * does not say all of it, a 0x00 byte (with which no JSON text begins) and the
 * any. These write one of the three forms from it. */
static inline bool any_is_stored_any(struct ydoc_slice stored)
{
    return stored.len > 0 && stored.p[0] == 0;
}
/* Is a stored any's value an object or list of primitives, or bytes? */
bool any_is_flat(struct ydoc_slice stored);
void any_store(struct ydoc_buf *out, struct ydoc_slice value); /* of any value */
void any_stored_to_json(struct ydoc_buf *out, struct ydoc_slice stored);

/* Subdocument: guid and options as Yjs writes them again. `guid` is what the
 * options may replace. */
void any_write_doc_options(struct ydoc_buf *out, struct ydoc_slice options,
                           struct ydoc_slice *guid);

/* The same with the values that were given, as the document shows them: Yjs
 * writes `true` for an autoLoad of 1. */
void any_keep_doc_options(struct ydoc_buf *out, struct ydoc_slice options, struct ydoc_slice *guid);

#endif
