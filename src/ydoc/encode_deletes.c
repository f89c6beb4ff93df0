/* encode_deletes - everything that is deleted in a document: as a set, and as the
 * bytes of format v1 straight from the index (index_flips), which has the clocks at
 * which deleted items begin and end in turn.
 *
 * Numbers that are known only after what they count (of clients, of ranges) get
 * the room that they will take in all likelihood; if it was another, what follows
 * is moved. For an ordinary document nothing is.
 */
#include <string.h>

#include "ydoc/store.h"

/* The order of clients is kept up lazily; a read may have to catch up. It is
 * not part of what the document means, so const callers may do it too. */
const uint32_t *store_clients_descending(const struct ydoc *doc)
{
    store_sort_clients((struct ydoc *)(uintptr_t)doc);
    return doc->client_order.p;
}

static uint32_t chunks_of(const struct client *c)
{
    return c->chunks > 1 ? c->chunks : 1;
}

/* ---- as a set ---- */

static void add_client(struct dset *d, const struct client *c)
{
    uint32_t clocks[CHUNK_MAX], start = 0;
    bool open = false, deleted = false;

    for (uint32_t k = 0; k < chunks_of(c); k++) {
        uint32_t n = index_flips(c, k, &deleted, clocks);

        for (uint32_t i = 0; i < n; i++) {
            if (open)
                dset_add(d, c->id, start, clocks[i] - start);
            start = clocks[i];
            open = !open;
        }
    }
    if (open)
        dset_add(d, c->id, start, c->state - start);
}

void store_add_deletes(const struct ydoc *doc, struct dset *d)
{
    const uint32_t *order = store_clients_descending(doc);

    for (uint32_t i = 0; i < doc->clients.n; i++) {
        if (doc->clients.p[order[i]].state > 0)
            add_client(d, &doc->clients.p[order[i]]);
    }
}

/* ---- as v1 ---- */

/* Puts a number before the bytes from `at` + `room` on, into the room that was left. */
static void write_before(struct ydoc_buf *out, size_t at, size_t room, uint64_t v)
{
    size_t need = lib0_varuint_len(v);

    if (out->failed || (need > room && !ydoc_buf_reserve(out, need - room)))
        return;
    if (need != room)
        memmove(out->p + at + need, out->p + at + room, out->len - at - room);
    out->len = out->len - room + need;
    lib0_put_varuint(out->p + at, v);
}

/* Leaves room for a number that is probably about `v`, and returns how much. */
static size_t leave_room(struct ydoc_buf *out, uint64_t v)
{
    size_t room = lib0_varuint_len(v);

    if (ydoc_buf_reserve(out, room))
        out->len += room;
    return room;
}

/* lib0_put_varuint() for numbers of about the same length, one after the other: whole
 * forms instead of a loop. Four bytes are there. */
static inline uint8_t *put_number(uint8_t *p, uint32_t v)
{
    if (v < 1u << 7) {
        p[0] = (uint8_t)v;
        return p + 1;
    }
    p[0] = (uint8_t)(v | 0x80);
    p[1] = (uint8_t)(v >> 7);
    if (v < 1u << 14)
        return p + 2;
    p[1] |= 0x80;
    return lib0_put_varuint(p + 2, v >> 14);
}

/* The ranges of one chunk. `start` is the first clock of the range that is open. */
static uint8_t *put_ranges(uint8_t *p, const uint32_t *clocks, uint32_t n, bool open,
                           uint32_t *start)
{
    uint32_t i = 0, from = *start;

    if (open && n > 0)
        p = put_number(p, clocks[i++] - from);
    for (; i + 1 < n; i += 2) {
        p = put_number(p, clocks[i]);
        p = put_number(p, clocks[i + 1] - clocks[i]);
    }
    if (i < n) {
        from = clocks[i];
        p = put_number(p, from);
    }
    *start = from;
    return p;
}

/* The client's ranges, as many as it returns. */
static uint64_t write_ranges(const struct client *c, struct ydoc_buf *out)
{
    uint32_t clocks[CHUNK_MAX], start = 0;
    bool deleted = false;
    uint64_t flips = 0;

    for (uint32_t k = 0; k < chunks_of(c); k++) {
        bool open = deleted;
        uint32_t n = index_flips(c, k, &deleted, clocks);

        if (!ydoc_buf_reserve(out, (n + (size_t)1) * 5))
            return 0;
        out->len = (size_t)(put_ranges(out->p + out->len, clocks, n, open, &start) - out->p);
        flips += n;
    }
    if (deleted)
        lib0_write_varuint(out, c->state - start);
    return (flips + 1) / 2;
}

static uint32_t count_items(const struct client *c)
{
    return c->chunks > 1 ? c->chunks * (CHUNK_MAX / 2) : c->one.n;
}

/* False: nothing of it is deleted, and nothing was written. */
static bool write_client(const struct client *c, struct ydoc_buf *out)
{
    size_t len_before = out->len, at, room;
    uint64_t n;

    lib0_write_varuint(out, c->id);
    at = out->len;
    room = leave_room(out, count_items(c) / 4);
    n = write_ranges(c, out);
    if (n > 0)
        write_before(out, at, room, n);
    else
        out->len = len_before;
    return n > 0;
}

void store_write_deletes(const struct ydoc *doc, struct ydoc_buf *out)
{
    const uint32_t *order = store_clients_descending(doc);
    size_t at = out->len, room = leave_room(out, doc->clients.n);
    uint64_t n = 0;

    for (uint32_t i = 0; i < doc->clients.n && !out->failed; i++) {
        const struct client *c = &doc->clients.p[order[i]];

        n += c->state > 0 && write_client(c, out);
    }
    write_before(out, at, room, n);
}
