#ifndef YDOC_TYPING_H
#define YDOC_TYPING_H

/* typing - the edits of somebody who types, remote or local: text that continues
 * the last one of its client, and text that goes beside what went before. They are nine
 * of ten edits of an editor, and their outcome is known without a transaction. */
#include "ydoc/store.h"

/* Each answers 1 when it has done the edit, 0 when it is none of this kind and has
 * changed nothing, or an error, after which the document is broken. */

/* Applies the update if it is one keystroke: text that goes on in place, or one
 * range of it that goes. */
int typing_apply(struct ydoc *doc, const uint8_t *update, size_t len, const void *origin);

/* The same for an edit of the document's own. Inserting works only right behind
 * the last edit: typing_expect says after an insertion where that is. */
int typing_insert(struct ydoc *doc, uint32_t type, uint32_t index, struct ydoc_slice text,
                  uint32_t units);
void typing_expect(struct ydoc *doc, uint32_t type, uint32_t index);
int typing_delete(struct ydoc *doc, uint32_t type, uint32_t index, uint32_t len);

/* A text that is there, and that no undo manager has a hand in. */
static inline bool typing__is_text(const struct item *it)
{
    return item_kind(it) == WIRE_STRING && (it->origin_flags & 0xff) == 0;
}

/* ---- erase.c ---- */
/* Was `b` written behind `a` and still stands there, so that Yjs would merge the two
 * if both were alike? */
bool typing__follows(const struct ydoc *doc, uint32_t ah, uint32_t bh);
/* Moves the boundary between a text and what was deleted beside it over a range of
 * ids at that end of the text. False: it is not that simple. */
bool typing__erase(struct ydoc *doc, const struct span *gone);

#endif
