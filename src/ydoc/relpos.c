/* relpos - relative positions: a place in a list that stays where it is meant to
 * be while others edit, as Yjs's RelativePosition.
 *
 * It names the unit that it stands before (assoc >= 0) or behind (assoc < 0), or,
 * where there is no such unit, the type whose end or start it is:
 *
 *     position := varuint 0, varuint client, varuint clock, varint assoc   a unit
 *               | varuint 1, varstring name, varint assoc                  a root
 *               | varuint 2, varuint client, varuint clock, varint assoc   a type's item
 *
 * Before Yjs knew assoc the last number was missing; that reads as 0. A position
 * that was made from an index knows its type as well as its unit. The bytes
 * carry the unit alone, JSON carries both.
 */
#include "ydoc/edit.h"
#include "ydoc/json_walk.h"
#include "ydoc/text.h"

#include <string.h>

/* ---- from an index ---- */

static void name_type(const struct ydoc *doc, uint32_t type, struct ydoc_relpos *out)
{
    const struct type *t = &doc->types.p[type];

    if (t->item == 0) {
        out->parts = YDOC_RELPOS_ROOT;
        out->root = store_key(doc, t->name);
    } else {
        const struct item *it = &doc->items.p[t->item];

        out->parts = YDOC_RELPOS_TYPE;
        out->type.client = doc->clients.p[item_client(it)].id;
        out->type.clock = it->clock;
    }
}

static void name_unit(const struct ydoc *doc, uint32_t h, uint32_t offset, struct ydoc_relpos *out)
{
    const struct item *it = &doc->items.p[h];

    out->parts |= YDOC_RELPOS_ITEM;
    out->item.client = doc->clients.p[item_client(it)].id;
    out->item.clock = (uint64_t)it->clock + offset;
}

struct last_job {
    struct ydoc *doc;
    uint32_t type, item;
};

static void find_last(void *arg)
{
    struct last_job *job = arg;

    job->item = place_last(job->doc, job->type);
}

/* Behind the end, associated to the left: Yjs takes the last unit of the list,
 * deleted or not. */
static int name_last_unit(const struct ydoc *doc, uint32_t type, struct ydoc_relpos *out)
{
    struct last_job job = {(struct ydoc *)(uintptr_t)doc, type, 0};
    int rc = store_run(job.doc, find_last, &job);

    if (rc != 0)
        place_drop(job.doc, type);
    else if (job.item != 0)
        name_unit(doc, job.item, doc->items.p[job.item].len - 1, out);
    return rc;
}

int ydoc_relpos_from_index(const struct ydoc *doc, ydoc_type type, uint32_t index, int64_t assoc,
                           struct ydoc_relpos *out)
{
    uint32_t t = edit_resolve_kept(doc, type), length;
    struct spot spot;
    int rc;

    memset(out, 0, sizeof(*out));
    if (doc->broken || t == 0)
        return doc->broken ? YDOC_EBROKEN : YDOC_ENOENT;
    name_type(doc, t, out);
    out->assoc = assoc;
    length = doc->types.p[t].length;
    if (assoc < 0 ? index == 0 : index >= length)
        return 0;
    if (index > length)
        return name_last_unit(doc, t, out);
    rc = edit_find(doc, t, assoc < 0 ? index : index + 1, &spot);
    if (rc == 0)
        name_unit(doc, spot.item, spot.offset - 1, out);
    return rc;
}

/* ---- to an index ---- */

/* The struct that holds an id, and how many of its units come before it. With
 * `follow`, the one that undo managers have put in its place. */
struct found {
    uint32_t item, offset;
};

static struct found find_unit(const struct ydoc *doc, const struct ydoc_id *id, bool follow)
{
    uint32_t client = store_find_client_const(doc, id->client), clock = (uint32_t)id->clock;
    struct found found = {0, 0};

    if (client == CLIENT_UNKNOWN || doc->clients.p[client].state <= id->clock)
        return found;
    if (follow) {
        found.item = store_follow_redone(doc, client, clock, &found.offset);
    } else {
        found.item = store_find_item(doc, client, clock);
        found.offset = clock - doc->items.p[found.item].clock;
    }
    return found;
}

/* Visible units before an item. Of a map's chain there are none: whatever stands
 * before the value is deleted. */
static int count_before(const struct ydoc *doc, uint32_t item, uint32_t *units)
{
    *units = 0;
    return doc->slots.p[doc->items.p[item].slot].key != 0 ? 0 : edit_index_of(doc, item, units);
}

static int resolve_unit(struct ydoc *doc, struct found at, int64_t assoc, struct ydoc_position *out)
{
    const struct item *it = &doc->items.p[at.item];
    uint32_t type, parent, before;
    bool visible;
    int rc;

    if (item_kind(it) == WIRE_GC)
        return YDOC_ENOENT;
    visible = !item_deleted(it) && item_countable(it);
    type = doc->slots.p[it->slot].type;
    parent = doc->types.p[type].item;
    out->type = edit_handle(doc, type);
    if (parent != 0 && item_deleted(&doc->items.p[parent]))
        return 0;
    rc = count_before(doc, at.item, &before);
    if (rc == 0)
        out->index = before + (visible ? at.offset + (assoc < 0) : 0);
    return rc;
}

static int resolve_type(struct ydoc *doc, struct found at, int64_t assoc, struct ydoc_position *out)
{
    const struct item *it = &doc->items.p[at.item];

    if (item_kind(it) != WIRE_TYPE)
        return YDOC_ENOENT;
    out->type = edit_handle(doc, it->content);
    out->index = assoc >= 0 ? doc->types.p[it->content].length : 0;
    return 0;
}

int ydoc_relpos_resolve(struct ydoc *doc, const struct ydoc_relpos *pos, bool follow_redone,
                        struct ydoc_position *out)
{
    struct found at;
    int rc;

    out->type = 0;
    out->index = 0;
    if (doc->broken)
        return YDOC_EBROKEN;
    if ((pos->parts & (YDOC_RELPOS_ITEM | YDOC_RELPOS_ROOT)) == YDOC_RELPOS_ROOT) {
        rc = ydoc_root(doc, pos->root, YDOC_KIND_UNKNOWN, &out->type);
        out->index = rc == 0 && pos->assoc >= 0 ? ydoc_type_length(doc, out->type) : 0;
        return rc;
    }
    if (pos->parts == 0)
        return YDOC_EMALFORMED;
    at = find_unit(doc, pos->parts & YDOC_RELPOS_ITEM ? &pos->item : &pos->type, follow_redone);
    if (at.item == 0)
        return YDOC_ENOENT;
    return pos->parts & YDOC_RELPOS_ITEM ? resolve_unit(doc, at, pos->assoc, out)
                                         : resolve_type(doc, at, pos->assoc, out);
}

/* ---- bytes ---- */

static void write_id(struct ydoc_buf *out, const struct ydoc_id *id)
{
    lib0_write_varuint(out, id->client);
    lib0_write_varuint(out, id->clock);
}

int ydoc_relpos_encode(const struct ydoc_relpos *pos, struct ydoc_buf *out)
{
    size_t len_before = out->len;

    if (pos->parts == 0)
        return YDOC_EMALFORMED;
    if (pos->parts & YDOC_RELPOS_ITEM) {
        lib0_write_u8(out, 0);
        write_id(out, &pos->item);
    } else if (pos->parts & YDOC_RELPOS_ROOT) {
        lib0_write_u8(out, 1);
        lib0_write_varbytes(out, pos->root.p, pos->root.len);
    } else {
        lib0_write_u8(out, 2);
        write_id(out, &pos->type);
    }
    lib0_write_varint(out, pos->assoc, false);
    return ydoc__buf_finish(out, len_before, NULL);
}

static struct ydoc_id read_id(struct lib0_reader *r)
{
    struct ydoc_id id;

    id.client = lib0_read_varuint(r);
    id.clock = lib0_read_varuint(r);
    return id;
}

int ydoc_relpos_decode(struct ydoc_relpos *out, const uint8_t *p, size_t len,
                       struct ydoc_error *err)
{
    struct lib0_reader r;
    uint64_t kind;

    memset(out, 0, sizeof(*out));
    lib0_reader_init(&r, p, len);
    kind = lib0_read_varuint(&r);
    if (kind == 0)
        out->item = read_id(&r);
    else if (kind == 1)
        out->root = lib0_read_varstring(&r, NULL);
    else if (kind == 2)
        out->type = read_id(&r);
    else
        lib0_fail_at(&r, r.base, "no such kind of relative position");
    if (r.why == NULL && lib0_left(&r) > 0)
        out->assoc = lib0_read_varint(&r, NULL);
    if (r.why != NULL)
        memset(out, 0, sizeof(*out));
    else
        out->parts = kind == 0 ? YDOC_RELPOS_ITEM : kind == 1 ? YDOC_RELPOS_ROOT : YDOC_RELPOS_TYPE;
    return lib0_error(&r, err);
}

/* ---- JSON ---- */

/* All numbers here are below 2^53: Number.prototype.toString gives their digits. */
static void write_json_id(struct ydoc_buf *out, const char *name, const struct ydoc_id *id)
{
    ydoc__write(out, name);
    ydoc__write(out, "{\"client\":");
    text_write_number(out, (double)id->client);
    ydoc__write(out, ",\"clock\":");
    text_write_number(out, (double)id->clock);
    ydoc__write(out, "},");
}

/* As in Yjs the root without a name is left out: its JSON cannot be read back. */
int ydoc_relpos_to_json(const struct ydoc_relpos *pos, struct ydoc_buf *out)
{
    size_t len_before = out->len;

    ydoc__write(out, "{");
    if (pos->parts & YDOC_RELPOS_TYPE)
        write_json_id(out, "\"type\":", &pos->type);
    if ((pos->parts & YDOC_RELPOS_ROOT) && pos->root.len > 0) {
        ydoc__write(out, "\"tname\":");
        text_write_string(out, pos->root);
        ydoc__write(out, ",");
    }
    if (pos->parts & YDOC_RELPOS_ITEM)
        write_json_id(out, "\"item\":", &pos->item);
    ydoc__write(out, "\"assoc\":");
    text_write_number(out, (double)pos->assoc);
    ydoc__write(out, "}");
    return ydoc__buf_finish(out, len_before, NULL);
}

static bool read_json_uint(struct ydoc_slice digits, uint64_t *out)
{
    *out = 0;
    if (digits.len == 0 || digits.len > 16)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9')
            return false;
        *out = *out * 10 + (uint64_t)(digits.p[i] - '0');
    }
    return *out <= LIB0_UINT_MAX;
}

static bool read_json_int(struct ydoc_slice s, int64_t *out)
{
    bool negative = s.len > 0 && *s.p == '-';
    struct ydoc_slice digits = {s.p + negative, s.len - negative};
    uint64_t v;

    if (!read_json_uint(digits, &v))
        return false;
    *out = negative ? -(int64_t)v : (int64_t)v;
    return true;
}

static bool read_json_id(struct ydoc_slice value, struct ydoc_id *id)
{
    struct ydoc_slice client, clock;

    return json_find(value, "client", &client) && json_find(value, "clock", &clock) &&
           read_json_uint(client, &id->client) && read_json_uint(clock, &id->clock);
}

static bool find_given(struct ydoc_slice object, const char *name, struct ydoc_slice *value)
{
    return json_find(object, name, value) && !ydoc__is(*value, "null");
}

static const char *read_json(struct ydoc_slice json, struct ydoc_relpos *out, struct ydoc_buf *name)
{
    struct ydoc_slice value;

    if (*json.p != '{')
        return "a relative position is an object";
    if (find_given(json, "type", &value)) {
        out->parts |= YDOC_RELPOS_TYPE;
        if (!read_json_id(value, &out->type))
            return "type is no id";
    }
    if (find_given(json, "item", &value)) {
        out->parts |= YDOC_RELPOS_ITEM;
        if (!read_json_id(value, &out->item))
            return "item is no id";
    }
    if (find_given(json, "tname", &value)) {
        out->parts |= YDOC_RELPOS_ROOT;
        if (!json_is_string(value))
            return "tname is no string";
        json_write_text(name, value);
    }
    if (find_given(json, "assoc", &value) && !read_json_int(value, &out->assoc))
        return "assoc is no integer";
    return out->parts != 0 ? NULL : "neither item nor type nor tname";
}

int ydoc_relpos_from_json(struct ydoc_relpos *out, struct ydoc_slice json, struct ydoc_buf *name,
                          struct ydoc_error *err)
{
    size_t len_before = name->len;
    struct ydoc_buf canonical;
    const char *why = NULL;
    int rc;

    memset(out, 0, sizeof(*out));
    rc = ydoc_validate_json(json.p, json.len, YDOC__NESTING_MAX, err);
    if (rc != 0)
        return rc;
    ydoc_buf_init(&canonical, &name->alloc);
    text_write_canonical(&canonical, json);
    if (canonical.failed)
        rc = ydoc__error(err, YDOC_ENOMEM, 0, "out of memory");
    else
        why = read_json(ydoc_buf_slice(&canonical), out, name);
    ydoc_buf_fini(&canonical);
    if (why != NULL)
        rc = ydoc__error(err, YDOC_EMALFORMED, 0, "%s", why);
    if (rc == 0)
        rc = ydoc__buf_finish(name, len_before, err);
    if (rc != 0) {
        memset(out, 0, sizeof(*out));
        name->len = len_before;
    } else if (out->parts & YDOC_RELPOS_ROOT) {
        out->root.p = name->p + len_before;
        out->root.len = name->len - len_before;
    }
    return rc;
}

/* ---- comparing ---- */

static bool same_id(const struct ydoc_id *a, const struct ydoc_id *b)
{
    return a->client == b->client && a->clock == b->clock;
}

bool ydoc_relpos_equal(const struct ydoc_relpos *a, const struct ydoc_relpos *b)
{
    if (a->parts != b->parts || a->assoc != b->assoc)
        return false;
    if ((a->parts & YDOC_RELPOS_ITEM) && !same_id(&a->item, &b->item))
        return false;
    if ((a->parts & YDOC_RELPOS_TYPE) && !same_id(&a->type, &b->type))
        return false;
    return !(a->parts & YDOC_RELPOS_ROOT) ||
           (a->root.len == b->root.len &&
            (a->root.len == 0 || memcmp(a->root.p, b->root.p, a->root.len) == 0));
}
