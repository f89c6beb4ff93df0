/* rich - see rich.h. */
#include "ydoc/rich.h"

#include "ydoc/json_walk.h"

void rich_init(struct rich *r, const struct ydoc *doc, uint32_t type,
               const struct ydoc_alloc *alloc)
{
    r->doc = doc;
    r->next = doc->slots.p[doc->types.p[type].list].head;
    r->embed = NULL;
    r->given = false;
    ydoc_buf_init(&r->attributes, alloc);
    ydoc_buf_init(&r->text, alloc);
}

void rich_fini(struct rich *r)
{
    ydoc_buf_fini(&r->attributes);
    ydoc_buf_fini(&r->text);
}

static void remove_attribute(struct rich *r, size_t at)
{
    size_t n;
    struct rich_attribute *v = rich_attributes(r, &n);

    memmove(&v[at], &v[at + 1], (n - at - 1) * sizeof(*v));
    r->attributes.len -= sizeof(*v);
}

/* Behind the others, or among the index keys, which come first. */
static void add_attribute(struct rich *r, const struct rich_attribute *a)
{
    struct rich_attribute *v;
    size_t n, at = 0;

    ydoc_buf_append(&r->attributes, a, sizeof(*a));
    if (r->attributes.failed || !json_is_index(a->key))
        return;
    v = rich_attributes(r, &n);
    while (at < n - 1 && json_is_index(v[at].key) && json_compare_index(v[at].key, a->key) < 0)
        at++;
    memmove(&v[at + 1], &v[at], (n - 1 - at) * sizeof(*v));
    v[at] = *a;
}

static void apply_format(struct rich *r, const struct item *it)
{
    struct rich_attribute a, *v;
    struct lib0_reader body;
    size_t n, i = 0;

    lib0_reader_init(&body, item_bytes(r->doc, it), it->bytes);
    a.key = lib0_read_varbytes(&body);
    a.value = lib0_read_varbytes(&body);
    for (v = rich_attributes(r, &n); i < n && !ydoc__same(v[i].key, a.key);)
        i++;
    if (ydoc__is(a.value, "null")) {
        if (i < n)
            remove_attribute(r, i);
    } else if (i < n) {
        v[i].value = a.value;
    } else if (n < RICH_ATTRIBUTES_MAX) {
        add_attribute(r, &a);
    }
}

/* toDelta() keeps this name for itself, and drops it where text follows. */
static void drop_ychange(struct rich *r)
{
    size_t n;
    struct rich_attribute *v = rich_attributes(r, &n);

    for (size_t i = 0; i < n; i++) {
        if (ydoc__is(v[i].key, "ychange")) {
            remove_attribute(r, i);
            return;
        }
    }
}

bool rich_next(struct rich *r)
{
    if (r->given)
        ydoc_buf_reset(&r->text);
    r->given = false;
    r->embed = NULL;
    for (; r->next != 0 && !rich_failed(r); r->next = r->doc->items.p[r->next].right) {
        const struct item *it = &r->doc->items.p[r->next];
        uint8_t kind = item_kind(it);

        if (item_deleted(it))
            continue;
        if (kind == WIRE_STRING) {
            if (r->text.len == 0)
                drop_ychange(r);
            ydoc_buf_append(&r->text, r->doc->slab.p + it->content, it->bytes);
            continue;
        }
        if (kind != WIRE_FORMAT && kind != WIRE_EMBED && kind != WIRE_TYPE)
            continue;
        if (r->text.len > 0)
            break;
        if (kind == WIRE_FORMAT) {
            apply_format(r, it);
            continue;
        }
        r->embed = it;
        r->next = it->right;
        return true;
    }
    r->given = true;
    return r->text.len > 0 && !rich_failed(r);
}
