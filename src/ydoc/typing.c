/* typing - see typing.h.
 *
 * The conditions are exactly those under which Yjs would put the text directly
 * behind the client's last item, without a conflict, merge the two at the end of
 * the transaction, and stop there. Then the bytes are appended to the item, two
 * lengths grow, and nothing else would have happened.
 *
 * Whoever watches types or updates must be told of a transaction, so with a
 * watcher the long way is taken.
 */
#include "ydoc/typing.h"

#include <string.h>

#include "ydoc/place.h"

/* `01 01 client clock 84|c4 origin [right] len text 00` */
struct typed {
    uint64_t client, origin_client, right_client;
    uint32_t clock, origin_clock, right_clock, units;
    bool has_right;
    struct ydoc_slice text;
};

static bool read_typed(struct typed *t, const uint8_t *update, size_t len)
{
    struct lib0_reader r;
    uint64_t clock, origin_clock, right_clock = 0, units;
    uint8_t info;

    if (len < 8 || update[0] != 1 || update[1] != 1)
        return false;
    lib0_reader_init(&r, update + 2, len - 2);
    t->client = lib0_read_varuint(&r);
    clock = lib0_read_varuint(&r);
    info = lib0_read_u8(&r);
    if (info != (WIRE_STRING | WIRE_HAS_ORIGIN) &&
        info != (WIRE_STRING | WIRE_HAS_ORIGIN | WIRE_HAS_RIGHT))
        return false;
    t->origin_client = lib0_read_varuint(&r);
    origin_clock = lib0_read_varuint(&r);
    t->has_right = (info & WIRE_HAS_RIGHT) != 0;
    t->right_client = 0;
    if (t->has_right) {
        t->right_client = lib0_read_varuint(&r);
        right_clock = lib0_read_varuint(&r);
    }
    if (t->client != t->origin_client || origin_clock + 1 != clock || right_clock > UINT32_MAX)
        return false;
    t->text = lib0_read_varstring(&r, &units);
    if (lib0_read_u8(&r) != 0 || r.why != NULL || units == 0 || units > UINT32_MAX - 1 ||
        clock > UINT32_MAX - units)
        return false;
    t->clock = (uint32_t)clock;
    t->origin_clock = (uint32_t)origin_clock;
    t->right_clock = (uint32_t)right_clock;
    t->units = (uint32_t)units;
    return true;
}

/* May text whose right origin is the item on its right be joined to `last`? */
static bool continues(const struct ydoc *doc, const struct item *last)
{
    const struct item *right;

    if (item_kind(last) != WIRE_STRING || (last->origin_flags & 0xff) != 0 ||
        doc->slots.p[last->slot].key != 0)
        return false;
    if (item_origin_client(last) == item_client(last) && last->origin_clock + 1 == last->clock)
        return false; /* may merge further to the left */
    if (last->right == 0 || last->right_client == NO_CLIENT)
        return last->right_client == NO_CLIENT && last->right == 0;
    right = &doc->items.p[last->right];
    return last->right_client == item_client(right) && last->right_clock == right->clock;
}

/* Is what the update names as its right origin what stands there? */
static bool has_that_right(const struct ydoc *doc, const struct item *last, const struct typed *t)
{
    if (!t->has_right)
        return last->right == 0;
    return last->right != 0 && last->right_clock == t->right_clock &&
           doc->clients.p[last->right_client].id == t->right_client;
}

/* Where the text goes if it fits without growing anything. */
static bool make_room(struct ydoc *doc, const struct client *c, const struct item *last, size_t n)
{
    uint32_t end = last->content + last->bytes;

    if (end == doc->slab.n && doc->slab.cap - doc->slab.n >= n) {
        doc->slab.n += (uint32_t)n;
        return true;
    }
    if (end <= c->room_end && c->room_end - end >= n) {
        doc->slab_waste -= (uint32_t)n;
        return true;
    }
    return false;
}

/* Appends to the client's last item; false if there is no room. */
static bool extend(struct ydoc *doc, uint32_t number, uint32_t h, struct ydoc_slice text,
                   uint32_t units)
{
    struct client *c = &doc->clients.p[number];
    struct item *last = &doc->items.p[h];

    if (c->acc_mark != doc->acc && doc->acc_touched.n == doc->acc_touched.cap)
        return false;
    if (!make_room(doc, c, last, text.len))
        return false;
    memcpy(doc->slab.p + last->content + last->bytes, text.p, text.len);
    last->bytes += (uint32_t)text.len;
    last->len += units;
    if (last->bytes != last->len && last->len > doc->longest)
        doc->longest = last->len;
    doc->types.p[doc->slots.p[last->slot].type].length += units;
    place_on_change(doc, h);
    if (c->acc_mark != doc->acc) {
        struct doc_part part = {number, c->state};

        doc->acc_touched.p[doc->acc_touched.n++] = part;
        c->acc_mark = doc->acc;
    }
    c->state += units;
    return true;
}

bool typing_apply(struct ydoc *doc, const uint8_t *update, size_t len)
{
    struct typed t;
    const struct client *c;
    struct place at;
    uint32_t number, h;

    if (doc->pending.n > 0 || doc->pending_deletes.n > 0 || doc->tx_depth > 0 ||
        store_is_watched(doc) || !read_typed(&t, update, len))
        return false;
    number = store_find_client(doc, t.client);
    if (number == CLIENT_UNKNOWN || t.client == doc->client_id)
        return false;
    c = &doc->clients.p[number];
    if (c->state != t.clock || c->state == 0)
        return false;
    h = index_last(c, &at);
    if (!continues(doc, &doc->items.p[h]) || !has_that_right(doc, &doc->items.p[h], &t) ||
        !extend(doc, number, h, t.text, t.units))
        return false;
    doc->typing_type = 0;
    doc->applied = YDOC_APPLIED_STRUCTS;
    return true;
}

void typing_expect(struct ydoc *doc, uint32_t type, uint32_t index)
{
    if (doc->tx_depth > 0 || doc->finishing)
        return;
    doc->typing_type = type;
    doc->typing_index = index;
}

bool typing_insert(struct ydoc *doc, uint32_t type, uint32_t index, struct ydoc_slice text,
                   uint32_t units)
{
    const struct item *last;
    const struct client *c;
    struct place at;
    uint32_t number, h;

    if (doc->typing_type != type || doc->typing_index != index || doc->tx_depth > 0 ||
        store_is_watched(doc) || doc->types.p[type].has_formats)
        return false;
    number = store_find_client(doc, doc->client_id);
    if (number == CLIENT_UNKNOWN)
        return false;
    c = &doc->clients.p[number];
    if (c->state == 0 || units > UINT32_MAX - c->state)
        return false;
    h = index_last(c, &at);
    last = &doc->items.p[h];
    /* An insertion goes behind what was deleted at its place. */
    if (last->slot != doc->types.p[type].list || !continues(doc, last) ||
        (last->right != 0 && item_deleted(&doc->items.p[last->right])) ||
        !extend(doc, number, h, text, units))
        return false;
    doc->typing_index += units;
    return true;
}
