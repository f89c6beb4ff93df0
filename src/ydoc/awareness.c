/* awareness - the body of an awareness message, y-protocols 1.0.7.
 *
 *     varuint n, n x { varuint client, varuint clock, varstring JSON }
 *
 * Checked whole before the first entry is given out, so that whoever merges
 * entries into a room never has to undo half a message.
 */
#include "ydoc/internal.h"

#include <string.h>

static bool read_entry(struct lib0_reader *r, struct ydoc_awareness_entry *e)
{
    e->client = lib0_read_varuint(r);
    e->clock = lib0_read_varuint(r);
    e->json = lib0_read_varbytes(r);
    e->is_null = e->json.len == 4 && memcmp(e->json.p, "null", 4) == 0;
    return r->why == NULL;
}

int ydoc_awareness_validate(struct ydoc_awareness_iter *it, const uint8_t *body, size_t len,
                            const struct ydoc_limits *limits, struct ydoc_error *err)
{
    struct ydoc_limits lim = ydoc__limits(limits);
    struct lib0_reader r;
    uint64_t n;

    memset(it, 0, sizeof(*it));
    lib0_reader_init(&r, body, len);
    n = lib0_read_varuint(&r);
    it->p = r.p;
    for (uint64_t i = 0; i < n && r.why == NULL; i++) {
        struct ydoc_awareness_entry e;
        const char *why;
        size_t at;

        if (!read_entry(&r, &e))
            break;
        if (lib0_utf16_len(e.json.p, e.json.len) < 0)
            lib0_fail_at(&r, e.json.p, "string is not UTF-8");
        else if ((why = ydoc__json_check(e.json.p, e.json.len, lim.nesting_max, &at)) != NULL)
            lib0_fail_at(&r, e.json.p + at, why);
    }
    if (r.why != NULL) {
        it->p = NULL;
        return lib0_error(&r, err);
    }
    it->end = r.p;
    it->left = n;
    return 0;
}

bool ydoc_awareness_next(struct ydoc_awareness_iter *it, struct ydoc_awareness_entry *out)
{
    struct lib0_reader r;

    if (it->left == 0)
        return false;
    lib0_reader_init(&r, it->p, (size_t)(it->end - it->p));
    if (!read_entry(&r, out))
        return false;
    it->p = r.p;
    it->left--;
    return true;
}

void ydoc_awareness_begin(struct ydoc_buf *out, uint64_t n)
{
    lib0_write_varuint(out, n);
}

void ydoc_awareness_add(struct ydoc_buf *out, const struct ydoc_awareness_entry *entry)
{
    lib0_write_varuint(out, entry->client);
    lib0_write_varuint(out, entry->clock);
    if (entry->is_null || entry->json.p == NULL)
        lib0_write_varbytes(out, "null", 4);
    else
        lib0_write_varbytes(out, entry->json.p, entry->json.len);
}
