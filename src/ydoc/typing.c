/* typing - see typing.h.
 *
 * Appending: the conditions are exactly those under which Yjs would put the text
 * directly behind the client's last item, without a conflict, merge the two at the
 * end of the transaction, and stop there. Then the bytes are appended to the item,
 * two lengths grow, and nothing else would have happened. Erasing: see erase.c.
 *
 * Who watches nothing but updates is told what a transaction would have told;
 * with observers of types or undo managers the long way is taken.
 */
#include "ydoc/typing.h"

#include <string.h>

#include "ydoc/place.h"
#include "ydoc/watch.h"

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

/* May text whose right origin is the item on its right be joined to the client's last
 * item, at `at`? */
static bool continues(const struct ydoc *doc, const struct client *c, struct place at)
{
    uint32_t h = index_at(c, at);
    const struct item *last = &doc->items.p[h], *right;

    if (!typing__is_text(last) || doc->slots.p[last->slot].key != 0)
        return false;
    if (item_origin_client(last) == item_client(last) && last->origin_clock + 1 == last->clock &&
        index_prev(c, &at) && typing__is_text(&doc->items.p[index_at(c, at)]) &&
        typing__follows(doc, index_at(c, at), h))
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

/* ---- telling ---- */

static bool is_quiet(const struct ydoc *doc)
{
    return doc->tx_depth == 0 && !doc->finishing &&
           (!store_is_watched(doc) || watch_only_updates(doc));
}

static void tell(void *arg)
{
    const struct news *news = arg;

    store_tell(news);
}

/* 1, or an error. */
static int told(struct ydoc *doc, uint32_t number, uint32_t from, const struct span *gone,
                const void *origin)
{
    struct news news = {doc, {number, from}, gone == NULL, gone, origin};
    int rc;

    if (!store_is_watched(doc))
        return 1;
    rc = store_run(doc, tell, &news);
    if (rc == 0 && !doc->broken)
        return 1;
    doc->broken = true;
    return rc != 0 ? rc : YDOC_EBROKEN;
}

/* ---- remote ---- */

/* `00 01 client 01 clock len` */
static bool read_erased(struct ydoc *doc, struct span *gone, const uint8_t *update, size_t len)
{
    struct lib0_reader r;
    uint64_t client, clock, units;

    if (len < 6 || update[0] != 0 || update[1] != 1)
        return false;
    lib0_reader_init(&r, update + 2, len - 2);
    client = lib0_read_varuint(&r);
    if (lib0_read_varuint(&r) != 1)
        return false;
    clock = lib0_read_varuint(&r);
    units = lib0_read_varuint(&r);
    if (r.why != NULL || units == 0 || clock > UINT32_MAX - 1 || units > UINT32_MAX - clock)
        return false;
    gone->client = store_find_client(doc, client);
    gone->clock = (uint32_t)clock;
    gone->len = (uint32_t)units;
    return gone->client != CLIENT_UNKNOWN &&
           doc->clients.p[gone->client].state >= gone->clock + gone->len;
}

/* A remote change of a text with formats is followed by cleaning them. */
static bool is_cleaned(const struct ydoc *doc, const struct span *gone)
{
    const struct item *it = &doc->items.p[store_find_item(doc, gone->client, gone->clock)];

    return !doc->no_format_cleanup && item_kind(it) == WIRE_STRING &&
           doc->types.p[doc->slots.p[it->slot].type].formatted;
}

static int apply_erased(struct ydoc *doc, const uint8_t *update, size_t len, const void *origin)
{
    struct span gone;

    if (!read_erased(doc, &gone, update, len) || is_cleaned(doc, &gone) ||
        !typing__erase(doc, &gone))
        return 0;
    doc->applied = YDOC_APPLIED_DELETES;
    return told(doc, 0, 0, &gone, origin);
}

static int apply_typed(struct ydoc *doc, const struct typed *t, const void *origin)
{
    uint32_t number = store_find_client(doc, t->client), h;
    const struct client *c;
    struct place at;

    if (number == CLIENT_UNKNOWN || t->client == doc->client_id)
        return 0;
    c = &doc->clients.p[number];
    if (c->state != t->clock || c->state == 0)
        return 0;
    h = index_last(c, &at);
    if (!continues(doc, c, at) || !has_that_right(doc, &doc->items.p[h], t) ||
        !extend(doc, number, h, t->text, t->units))
        return 0;
    doc->applied = YDOC_APPLIED_STRUCTS;
    return told(doc, number, t->clock, NULL, origin);
}

int typing_apply(struct ydoc *doc, const uint8_t *update, size_t len, const void *origin)
{
    struct typed t;
    int rc;

    if (doc->pending.n > 0 || doc->pending_deletes.n > 0 || !is_quiet(doc))
        return 0;
    rc = read_typed(&t, update, len) ? apply_typed(doc, &t, origin)
                                     : apply_erased(doc, update, len, origin);
    if (rc != 0)
        doc->typing_type = 0;
    return rc;
}

/* ---- local ---- */

void typing_expect(struct ydoc *doc, uint32_t type, uint32_t index)
{
    if (doc->tx_depth > 0 || doc->finishing)
        return;
    doc->typing_type = type;
    doc->typing_index = index;
}

int typing_insert(struct ydoc *doc, uint32_t type, uint32_t index, struct ydoc_slice text,
                  uint32_t units)
{
    const struct item *last;
    const struct client *c;
    struct place at;
    uint32_t number, h, tx = doc->tx;
    int rc;

    if (doc->typing_type != type || doc->typing_index != index || !is_quiet(doc) ||
        doc->types.p[type].has_formats)
        return 0;
    number = store_find_client(doc, doc->client_id);
    if (number == CLIENT_UNKNOWN)
        return 0;
    c = &doc->clients.p[number];
    if (c->state == 0 || units > UINT32_MAX - c->state)
        return 0;
    h = index_last(c, &at);
    last = &doc->items.p[h];
    /* An insertion goes behind what was deleted at its place. */
    if (last->slot != doc->types.p[type].list || !continues(doc, c, at) ||
        (last->right != 0 && item_deleted(&doc->items.p[last->right])) ||
        !extend(doc, number, h, text, units))
        return 0;
    doc->typing_type = 0; /* observers may edit */
    rc = told(doc, number, c->state - units, NULL, NULL);
    if (rc == 1 && doc->tx == tx)
        typing_expect(doc, type, index + units);
    return rc;
}

int typing_delete(struct ydoc *doc, uint32_t type, uint32_t index, uint32_t len)
{
    const struct item *it;
    struct spot spot;
    struct span gone;

    if (!is_quiet(doc) || doc->types.p[type].has_formats || index >= doc->types.p[type].length ||
        !place_find_now(doc, type, index + 1, &spot))
        return 0;
    it = &doc->items.p[spot.item];
    if (len > it->len - (spot.offset - 1))
        return 0;
    gone.client = item_client(it);
    gone.clock = it->clock + spot.offset - 1;
    gone.len = len;
    if (!typing__erase(doc, &gone))
        return 0;
    doc->typing_type = 0;
    return told(doc, 0, 0, &gone, NULL);
}
