#ifndef SKEIN_ROOM_RING_H
#define SKEIN_ROOM_RING_H

/* ring - the newest records of a room, for members to read at their own pace.
 *
 * Records are numbered from 0 without gaps; [tail, head) are kept. A record that
 * every member has read is dropped at the next flush, so the ring of a room whose
 * members keep up is empty between flushes and costs nothing. For slow members
 * it grows to its maximum, of records or of bytes; then the oldest record goes,
 * and whoever had not read it falls off.
 *
 * Ownership: the ring holds one reference to each rbuf of a record.
 * Thread: the room's.
 */
#include <stdbool.h>

#include "room/room.h"

struct room_record {
    enum record_kind kind;
    uint64_t author; /* the member that wrote all of it, or 0: more than one */
    struct rbuf *body;
    struct rbuf *before; /* of an update: the clocks before it, as a state vector; or NULL */
    struct rbuf *frames[ROOM_ENCODINGS_MAX];
};

struct ring {
    struct room_record *slots;
    uint32_t cap; /* 0 or a power of two */
    uint32_t records_max;
    size_t bytes, bytes_max;
    uint64_t tail, head;
    struct mem_account *account;
};

void ring_init(struct ring *r, struct mem_account *a, uint32_t records_max, size_t bytes_max);
void ring_fini(struct ring *r);
/* Whether one more record of `len` bytes needs the oldest to be dropped first. */
bool ring_is_full(const struct ring *r, size_t len);
/* Takes over the record's references, also when it fails with SK_ETOOBIG. */
int ring_push_take(struct ring *r, struct room_record *rec) SK_MUST_CHECK;
/* Drops all records before number `seq`. */
void ring_drop(struct ring *r, uint64_t seq);
/* tail <= seq < head; borrowed until the next push or drop. */
struct room_record *ring_get(struct ring *r, uint64_t seq);

#endif
