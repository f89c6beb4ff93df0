/* edit_read - reading by index and by key: the elements of lists and the entries of maps as
 * values, which point into the document.
 */
#include "ydoc/edit.h"

#include <string.h>

#include "ydoc/any.h"

static struct ydoc_slice element(const struct ydoc *doc, const struct item *it, uint32_t n)
{
    size_t from = wire_elements_len(item_kind(it), doc->slab.p + it->content, it->bytes, n);
    struct lib0_reader r;
    struct ydoc_slice s;

    lib0_reader_init(&r, doc->slab.p + it->content + from, it->bytes - from);
    if (item_kind(it) == WIRE_JSON)
        return lib0_read_varbytes(&r);
    s.p = r.p;
    ydoc__any_skip(&r, YDOC__NESTING_MAX);
    s.len = lib0_offset(&r);
    return s;
}

struct ydoc_value edit_json_value(struct ydoc_slice stored)
{
    static const uint8_t undefined[] = {ANY_UNDEFINED};
    struct ydoc_value value = {.tag = YDOC_VALUE_JSON, .any = stored};

    if (any_is_stored_any(stored)) {
        value.tag = YDOC_VALUE_ANY;
        value.any.p++;
        value.any.len--;
    } else if (ydoc__is(stored, "undefined")) {
        value.tag = YDOC_VALUE_ANY;
        value.any.p = undefined;
        value.any.len = 1;
    }
    return value;
}

void edit_read_value(const struct ydoc *doc, const struct item *it, uint32_t n,
                     struct ydoc_value *value)
{
    struct ydoc_slice body = {item_bytes(doc, it), it->bytes};
    struct lib0_reader r;

    memset(value, 0, sizeof(*value));
    switch (item_kind(it)) {
    case WIRE_TYPE:
        value->tag = YDOC_VALUE_TYPE;
        value->type = edit_handle(doc, it->content);
        value->kind = (enum ydoc_kind)doc->types.p[it->content].ref;
        if (doc->types.p[it->content].name != 0)
            value->name = store_key(doc, doc->types.p[it->content].name);
        return;
    case WIRE_DOC:
        value->tag = YDOC_VALUE_DOC;
        lib0_reader_init(&r, body.p, body.len);
        value->name = lib0_read_varbytes(&r);
        value->any.p = r.p;
        value->any.len = lib0_left(&r);
        return;
    case WIRE_ANY:
        value->tag = YDOC_VALUE_ANY;
        value->any = element(doc, it, n);
        return;
    case WIRE_JSON:
        *value = edit_json_value(element(doc, it, n));
        return;
    case WIRE_EMBED:
        *value = edit_json_value(body);
        return;
    case WIRE_BINARY:
    case WIRE_STRING: /* text in a list */
        value->tag = item_kind(it) == WIRE_STRING ? YDOC_VALUE_STRING : YDOC_VALUE_BYTES;
        value->any = body;
        return;
    default: /* collected, or a format in a list */
        *value = edit_json_value(ydoc__slice("undefined"));
    }
}

struct find_job {
    struct ydoc *doc;
    uint32_t type, item, index;
    struct spot spot;
};

static void find(void *arg)
{
    struct find_job *job = arg;

    job->spot = place_find(job->doc, job->type, job->index);
}

/* Reading may build the type's position index: that is no change. */
int edit_find(const struct ydoc *doc, uint32_t type, uint32_t index, struct spot *spot)
{
    struct find_job job = {.doc = (struct ydoc *)(uintptr_t)doc, .type = type, .index = index};
    int rc = store_run(job.doc, find, &job);

    if (rc != 0)
        place_drop(job.doc, type);
    *spot = job.spot;
    return rc;
}

static void count_before(void *arg)
{
    struct find_job *job = arg;

    job->index = place_of(job->doc, job->item);
}

int edit_index_of(const struct ydoc *doc, uint32_t item, uint32_t *index)
{
    struct find_job job = {.doc = (struct ydoc *)(uintptr_t)doc, .item = item};
    int rc = store_run(job.doc, count_before, &job);

    if (rc != 0)
        place_drop(job.doc, doc->slots.p[doc->items.p[item].slot].type);
    *index = job.index;
    return rc;
}

int ydoc_list_get(const struct ydoc *doc, ydoc_type type, uint32_t index, struct ydoc_value *out)
{
    uint32_t t = edit_resolve(doc, type);
    struct spot spot;
    int rc;

    if (doc->broken || t == 0)
        return doc->broken ? YDOC_EBROKEN : YDOC_ENOENT;
    if (index >= doc->types.p[t].length)
        return YDOC_ERANGE;
    rc = edit_find(doc, t, index + 1, &spot);
    if (rc == 0)
        edit_read_value(doc, &doc->items.p[spot.item], spot.offset - 1, out);
    return rc;
}

uint32_t edit_find_entry(const struct ydoc *doc, uint32_t type, struct ydoc_slice key)
{
    uint32_t number = store_find_key(doc, key);
    uint32_t slot = number == 0 ? 0 : store_find_map_slot(doc, type, number);

    return slot == 0 ? 0 : doc->slots.p[slot].head;
}

int ydoc_map_get(const struct ydoc *doc, ydoc_type type, struct ydoc_slice key,
                 struct ydoc_value *out)
{
    uint32_t t = edit_resolve(doc, type), h;

    if (doc->broken || t == 0)
        return doc->broken ? YDOC_EBROKEN : YDOC_ENOENT;
    h = edit_find_entry(doc, t, key);
    if (h == 0 || item_deleted(&doc->items.p[h]))
        return YDOC_ENOENT;
    edit_read_value(doc, &doc->items.p[h], doc->items.p[h].len - 1, out);
    return 0;
}

bool ydoc_map_next(const struct ydoc *doc, ydoc_type type, uint32_t *iter, struct ydoc_slice *key,
                   struct ydoc_value *out)
{
    uint32_t t = doc->broken ? 0 : edit_resolve(doc, type);
    uint32_t slot = t == 0 ? 0 : *iter == 0 ? doc->types.p[t].first : doc->slots.p[*iter].next;

    for (; slot != 0; slot = doc->slots.p[slot].next) {
        uint32_t h = doc->slots.p[slot].head;

        if (h == 0 || item_deleted(&doc->items.p[h]))
            continue;
        *iter = slot;
        *key = store_key(doc, doc->slots.p[slot].key);
        edit_read_value(doc, &doc->items.p[h], doc->items.p[h].len - 1, out);
        return true;
    }
    return false;
}
