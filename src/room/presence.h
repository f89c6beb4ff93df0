#ifndef SKEIN_ROOM_PRESENCE_H
#define SKEIN_ROOM_PRESENCE_H

/* presence - who is in a room, and each one's small, newest state.
 *
 * The rules are those of y-protocols' Awareness: a client's state carries a
 * clock; a newer clock wins, and an equal one only when it says that the client
 * is gone. A client belongs to the member that announced it last; when that
 * member leaves, its clients are gone, with the clock they had.
 *
 * Changes are collected: however often a cursor moves between two flushes, the
 * flush carries its newest state once.
 *
 * Ownership: states are copied in. Thread: the room's.
 * Source: y-protocols 1.0.7, awareness.js.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "base/map.h"
#include "ydoc.h"

struct presence_entry;

struct presence {
    struct map64 clients;
    struct presence_entry *changed; /* singly linked; in no order */
    uint32_t n_changed, n_states, states_max;
    struct mem_account *account;
};

#define PRESENCE_STATE_BYTES_MAX (64u << 10)

void presence_init(struct presence *p, struct mem_account *a, uint32_t states_max);
void presence_fini(struct presence *p);
void presence_clear(struct presence *p); /* as after presence_init() */

/* Takes an awareness update from member `owner`. The count of clients that
 * changed, or SK_EBADMSG, SK_ETOOBIG with nothing taken of a malformed one. */
int presence_apply(struct presence *p, const uint8_t *body, size_t len, uint64_t owner,
                   uint64_t now_ms, struct err *e) SK_MUST_CHECK;
/* The member has left: its clients are gone. */
void presence_remove_owner(struct presence *p, uint64_t owner);
/* Drops states that were not renewed for age_ms. */
void presence_expire(struct presence *p, uint64_t now_ms, uint64_t age_ms);

bool presence_has_changes(const struct presence *p);
bool presence_is_empty(const struct presence *p);
/* Appends an awareness update with what changed since the last take, and forgets it. */
int presence_take_changes(struct presence *p, struct ydoc_buf *out) SK_MUST_CHECK;
/* For a copy of somebody else's table, who sends the changes on by itself. */
void presence_forget_changes(struct presence *p);
/* Appends an awareness update with every client that has a state. */
int presence_encode(const struct presence *p, struct ydoc_buf *out) SK_MUST_CHECK;

#endif
