#ifndef YDOC_EVENTS_H
#define YDOC_EVENTS_H

/* events - what a transaction changed, type by type, for observers.
 *
 * An event is made for each type in the transaction's log when somebody
 * observes a type, and holds until the transaction's observers were called.
 * Deltas, keys and paths are worked out when they are asked for.
 */
#include "ydoc/store.h"
#include "ydoc/text.h"

struct event_key {
    uint32_t key;  /* interned */
    uint32_t next; /* in events.keys, 0: none */
};

/* A delta that was worked out (event_delta.c). */
struct event_delta {
    struct ydoc_buf ops;    /* struct event_op */
    struct ydoc_buf values; /* struct event_value */
    struct ydoc_buf bytes;  /* what they refer to */
    bool too_long;
};

struct ydoc_event {
    struct ydoc *doc;
    const struct tx *tx;
    uint32_t type, current;
    uint32_t keys, last_key; /* in events.keys */
    uint32_t depth;          /* below `current` */
    bool list;               /* the list changed */
    bool gone;               /* the type was deleted: there is no event */
    bool called;             /* its observers were called: deep ones are next */
    struct event_delta *delta;
};

/* What a pair of numbers is: an event by its type, a key by its event. */
struct event_slot {
    uint32_t a, b, value; /* 0: empty */
};

/* A type with deep observers, and the events below it. */
struct event_group {
    uint32_t type, first, last;
};
struct event_link {
    uint32_t event, depth, next;
};

/* The next type upwards that has deep observers, and how far it is; type 0: none. */
struct nearest {
    uint32_t walk; /* the walk that found this out; another one: not known */
    uint32_t type, depth;
};

struct events {
    VEC(struct ydoc_event) all;
    VEC(struct event_key) keys;   /* [0] is not used */
    VEC(struct event_slot) table; /* .n is its size, a power of two */
    VEC(struct doc_part) before;  /* the transaction's, by client */
    VEC(struct event_group) groups;
    VEC(struct event_link) links; /* [0] is not used */
    VEC(struct ydoc_event *) list;
    VEC(struct nearest) nearest; /* per type */
    uint32_t walk;
};

/* Calls the observers of types; the events hold until events_end. */
void events_call(struct ydoc *doc, const struct tx *tx);
void events_end(struct ydoc *doc);
void events_free(struct ydoc *doc, struct events *events);

/* Was the item made, was it deleted by the event's transaction? */
bool event_adds(const struct ydoc_event *e, const struct item *it);
bool event_deletes(const struct ydoc_event *e, const struct item *it);
/* The same as a question about any id. */
bool events_is_deleted(const struct tx *tx, uint32_t client, uint32_t clock);

/* ---- values (event_delta.c) ---- */

/* Element `n` of an item, also of one that was deleted. */
void event_read_value(const struct ydoc *doc, const struct item *it, uint32_t n,
                      struct ydoc_value *out);
void event_write_value(const struct ydoc *doc, const struct ydoc_value *v, enum text_style style,
                       struct ydoc_buf *out);
void event_free_delta(struct ydoc *doc, struct ydoc_event *e);

/* ---- JSON in either style ---- */
int ydoc__event_delta(struct ydoc_event *event, enum text_style style, struct ydoc_buf *out);
int ydoc__event_keys(const struct ydoc_event *event, enum text_style style, struct ydoc_buf *out);

#endif
