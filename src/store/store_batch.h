#ifndef SKEIN_STORE_STORE_BATCH_H
#define SKEIN_STORE_STORE_BATCH_H

/* store_batch - consecutive records of one room as one blob.
 *
 * A database row for every keystroke costs several times more than the
 * keystroke's bytes, so rows hold batches. What is known of each record (when,
 * who, from where) is kept for each record; only authors that repeat are
 * written once. Integers are LEB128 as in lib0 (seven bits a byte, lowest
 * first), "zigzag" ones carry a sign in the lowest bit.
 *
 *     u8      format, 1
 *     u32     CRC-32 (zlib's), little-endian, of room, first and last as three
 *             little-endian u64 and then of all bytes after this field
 *     record  last - first + 1 times:
 *         u8      kind
 *         zigzag  time in ms, minus the time of the record before (0 at first)
 *         varint  connection
 *         varint  author: 0 none, 1 … n the n-th new one of this blob,
 *                 n + 1 a new one, which follows: varint length and bytes.
 *                 Only the first BATCH_AUTHORS_MAX are numbered.
 *         varint  length, and as many bytes
 *
 * A blob is valid if and only if the checksum matches and exactly that many
 * records fill it. The row's place (room, first, last) is part of the checksum,
 * so a row that was moved or cut by a damaged file is found, too.
 */
#include "base/buf.h"
#include "store/store.h"

#define BATCH_AUTHORS_MAX 32
#define BATCH_HEADER_BYTES 5
#define BATCH_FORMAT 1

struct batch_author {
    const char *p;
    uint32_t len;
};

struct batch_authors {
    struct batch_author known[BATCH_AUTHORS_MAX];
    uint32_t count;
};

/* Appends one blob to out. Author strings are borrowed until finish. */
struct batch_writer {
    struct buf *out;
    size_t start;
    uint64_t first, next;
    int64_t time_ms;
    struct batch_authors authors;
};

void store_batch_start(struct batch_writer *w, struct buf *out, uint64_t first);
/* e->seq is not looked at: sequence numbers are the order of the calls. */
void store_batch_add(struct batch_writer *w, const struct store_entry *e);
/* At least one record was added. The result is in out unless buf_err(out). */
void store_batch_finish(struct batch_writer *w, int64_t room);

/* Reads one blob; entries point into it. */
struct batch_reader {
    const uint8_t *p, *end;
    uint64_t next, last;
    int64_t time_ms;
    struct batch_authors authors;
};

/* SK_ECORRUPT when the checksum or the format is wrong. */
int store_batch_open(struct batch_reader *r, const uint8_t *p, size_t len, int64_t room,
                     uint64_t first, uint64_t last) SK_MUST_CHECK;
/* 1: *e is the next record; 0: that was all; SK_ECORRUPT. */
int store_batch_next(struct batch_reader *r, struct store_entry *e) SK_MUST_CHECK;

#endif
