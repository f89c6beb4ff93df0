/* format - the formatting of texts: attributes, and cleaning redundant formats.
 *
 * A format item switches an attribute on or off for all that follows. Deleting
 * and concurrent formatting leave format items that change nothing; Yjs deletes
 * them where it comes across them, in local edits (format_clean_gap) and after
 * remote ones (store_clean_formats). Which ones it deletes, and which it leaves,
 * is part of the bytes, so the order of the steps is Yjs's.
 *
 * Two values are equal if they are the same primitive, or flat objects with the
 * same members; Yjs compares nested ones by identity, so they never are, except
 * with themselves. Objects that JSON cannot say are compared by their bytes, so that the
 * order of their members counts.
 */
#include "ydoc/edit.h"

#include <string.h>

#include "ydoc/any.h"
#include "ydoc/json_walk.h"

/* ---- lists of attributes ---- */

struct attr *format_find(struct attrs *list, uint32_t key)
{
    for (uint32_t i = 0; i < list->n; i++) {
        if (list->p[i].key == key)
            return &list->p[i];
    }
    return NULL;
}

void format_set(struct ydoc *doc, struct attrs *list, struct attr a)
{
    struct attr *old = format_find(list, a.key);

    if (old != NULL)
        *old = a;
    else
        VEC_PUSH(doc, *list, a);
}

void format_remove(struct attrs *list, uint32_t key)
{
    struct attr *a = format_find(list, key);

    if (a != NULL) {
        memmove(a, a + 1, (size_t)(list->p + list->n - (a + 1)) * sizeof(*a));
        list->n--;
    }
}

void format_copy(struct ydoc *doc, struct attrs *to, const struct attrs *from)
{
    to->n = 0;
    VEC_RESERVE(doc, *to, from->n);
    if (from->n > 0)
        memcpy(to->p, from->p, from->n * sizeof(*from->p));
    to->n = from->n;
}

/* ---- values ---- */

struct attr format_attr(struct ydoc *doc, uint32_t format_item)
{
    const struct item *it = &doc->items.p[format_item];
    struct attr a = {0};
    struct lib0_reader r;
    struct ydoc_slice key, value;

    lib0_reader_init(&r, doc->slab.p + it->content, it->bytes);
    key = lib0_read_varbytes(&r);
    value = lib0_read_varbytes(&r);
    a.at = it->content + (uint32_t)(value.p - r.base);
    a.len = (uint32_t)value.len;
    a.key = store_intern(doc, key);
    return a;
}

struct ydoc_slice format_value(const struct ydoc *doc, const struct attr *a)
{
    static const uint8_t null[] = {'n', 'u', 'l', 'l'};
    struct ydoc_slice s = {null, sizeof(null)};

    if (a != NULL) {
        s.p = a->outside != NULL ? a->outside : doc->slab.p + a->at;
        s.len = a->len;
    }
    return s;
}

bool format_is_null(const struct ydoc *doc, const struct attr *a)
{
    struct ydoc_slice v = format_value(doc, a);

    return v.len == 4 && memcmp(v.p, "null", 4) == 0;
}

static bool is_object(struct ydoc_slice v)
{
    if (any_is_stored_any(v))
        return v.p[1] >= ANY_BYTES && v.p[1] <= ANY_OBJECT;
    return v.len > 0 && (v.p[0] == '{' || v.p[0] == '[');
}

/* JavaScript's === on values that were parsed. */
static bool same_value(const struct ydoc *doc, const struct attr *a, const struct attr *b)
{
    struct ydoc_slice x = format_value(doc, a), y = format_value(doc, b);

    if (x.p == y.p && x.len == y.len)
        return true;
    return x.len == y.len && !is_object(x) && memcmp(x.p, y.p, x.len) == 0;
}

bool format_equal(const struct ydoc *doc, const struct attr *a, const struct attr *b)
{
    struct ydoc_slice x = format_value(doc, a), y = format_value(doc, b);

    if (same_value(doc, a, b))
        return true;
    if (!is_object(x) || !is_object(y) || any_is_stored_any(x) != any_is_stored_any(y))
        return false;
    return any_is_stored_any(x) ? ydoc__same(x, y) && any_is_flat(x) : json_equal_flat(x, y);
}

static void update_current(struct ydoc *doc, struct attrs *current, struct attr a)
{
    if (format_is_null(doc, &a))
        format_remove(current, a.key);
    else
        format_set(doc, current, a);
}

void format_forward(struct ydoc *doc, struct text_pos *pos)
{
    const struct item *it = &doc->items.p[pos->right];

    if (item_kind(it) == WIRE_FORMAT && !item_deleted(it))
        update_current(doc, &pos->f->current, format_attr(doc, pos->right));
    pos->left = pos->right;
    pos->right = doc->items.p[pos->left].right;
}

/* ---- one gap between contents ---- */

static bool is_gap(const struct item *it)
{
    return item_deleted(it) || !item_countable(it);
}

static bool is_live_format(const struct item *it)
{
    return item_kind(it) == WIRE_FORMAT && !item_deleted(it);
}

static void cover_keys(struct ydoc *doc)
{
    uint32_t more = doc->keys.n - doc->key_marks.n;

    if (doc->key_marks.n >= doc->keys.n)
        return;
    VEC_RESERVE(doc, doc->key_marks, more);
    memset(doc->key_marks.p + doc->key_marks.n, 0, more * sizeof(uint32_t));
    doc->key_marks.n = doc->keys.n;
}

/* Numbers in doc->key_marks above the returned one are of this walk. */
static uint32_t start_key_marks(struct ydoc *doc)
{
    cover_keys(doc);
    if (doc->key_mark > UINT32_MAX / 2) {
        memset(doc->key_marks.p, 0, doc->key_marks.n * sizeof(uint32_t));
        doc->key_mark = 0;
    }
    return doc->key_mark;
}

static void mark_key(struct ydoc *doc, uint32_t key)
{
    if (key >= doc->key_marks.n)
        cover_keys(doc);
    doc->key_marks.p[key] = ++doc->key_mark;
}

/* Numbers the formats of a gap: the last one of each key keeps its number in
 * key_marks. Returns the first item behind the gap. */
static uint32_t number_formats(struct ydoc *doc, uint32_t start)
{
    uint32_t h = start;

    for (; h != 0 && is_gap(&doc->items.p[h]); h = doc->items.p[h].right) {
        if (is_live_format(&doc->items.p[h]))
            mark_key(doc, format_attr(doc, h).key);
    }
    return h;
}

/* The attributes at `curr` change when a format before it goes. */
static void forget_format(struct ydoc *doc, struct text_frame *f, const struct attr *a,
                          const struct attr *at_start)
{
    if (!same_value(doc, format_find(&f->current, a->key), a) || same_value(doc, at_start, a))
        return;
    if (at_start == NULL || format_is_null(doc, at_start))
        format_remove(&f->current, a->key);
    else
        format_set(doc, &f->current, *at_start);
}

void format_clean_gap(struct ydoc *doc, uint32_t start, uint32_t curr, struct text_frame *f)
{
    uint32_t number = start_key_marks(doc), end = number_formats(doc, start);
    bool reached = false;

    for (uint32_t h = start; h != end; h = doc->items.p[h].right) {
        const struct attr *at_start;
        struct attr a;

        reached = reached || h == curr;
        if (!is_live_format(&doc->items.p[h]))
            continue;
        a = format_attr(doc, h);
        number++;
        at_start = format_find(&f->start, a.key);
        if (doc->key_marks.p[a.key] == number && !same_value(doc, at_start, &a)) {
            if (!reached)
                update_current(doc, &f->current, a);
            continue;
        }
        store_delete_item(doc, h);
        if (!reached)
            forget_format(doc, f, &a, at_start);
    }
}

/* ---- after a remote change ---- */

/* Without the attributes around it only repetitions are known to be redundant:
 * of each key the rightmost format counts. */
static void clean_around(struct ydoc *doc, uint32_t h, uint32_t passed)
{
    uint32_t keys = start_key_marks(doc);

    if (doc->marks.p[h] > passed)
        return; /* the gap was cleaned already */
    while (doc->items.p[h].right != 0 && is_gap(&doc->items.p[doc->items.p[h].right]))
        h = doc->items.p[h].right;
    for (; h != 0 && is_gap(&doc->items.p[h]); h = doc->items.p[h].left) {
        uint32_t key;

        doc->marks.p[h] = ++doc->mark;
        if (!is_live_format(&doc->items.p[h]))
            continue;
        key = format_attr(doc, h).key;
        if (key < doc->key_marks.n && doc->key_marks.p[key] > keys)
            store_delete_item(doc, h);
        else
            mark_key(doc, key);
    }
}

/* Yjs's cleanupYTextFormatting: it walks the whole text and looks at the gap
 * behind each content, but begins that gap at the content, where it ends at once.
 * What is left of it is the gap before the first content. */
static void clean_text(struct ydoc *doc, uint32_t type)
{
    uint32_t start = doc->slots.p[doc->types.p[type].list].head, h = start;
    struct text_frame *f;

    while (h != 0 && is_gap(&doc->items.p[h]))
        h = doc->items.p[h].right;
    if (h == 0 || h == start)
        return;
    f = edit_take_frame(doc);
    format_clean_gap(doc, start, start, f); /* nobody asks for the attributes behind it */
    edit_give_frame(f);
}

static void add_dirty(struct ydoc *doc, uint32_t slot)
{
    uint32_t type = doc->slots.p[slot].type;

    if (doc->types.p[type].cleaning)
        return;
    VEC_PUSH(doc, doc->dirty_texts, type);
    doc->types.p[type].cleaning = true;
}

static void find_new_formats(struct ydoc *doc, const struct doc_part *t)
{
    struct client *c = &doc->clients.p[t->client];
    struct place at = index_find(doc, c, t->from);

    do {
        const struct item *it = &doc->items.p[index_at(c, at)];

        if (is_live_format(it))
            add_dirty(doc, it->slot);
    } while (index_next(c, &at));
}

static void clean_deleted(struct ydoc *doc, const struct span *gone, uint32_t passed)
{
    struct client *c = &doc->clients.p[gone->client];
    struct place at = index_find(doc, c, gone->clock);

    do {
        uint32_t h = index_at(c, at);
        const struct item *it = &doc->items.p[h];
        const struct type *t;

        if (it->clock >= gone->clock + gone->len)
            return;
        if (item_kind(it) == WIRE_GC)
            continue;
        t = &doc->types.p[doc->slots.p[it->slot].type];
        if (!t->formatted || t->cleaning)
            continue;
        if (item_kind(it) == WIRE_FORMAT)
            add_dirty(doc, it->slot);
        else
            clean_around(doc, h, passed);
    } while (index_next(c, &at));
}

static uint32_t first_of_client(const struct tx *tx, uint32_t client)
{
    uint32_t lo = 0, hi = tx->deleted.n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (tx->deleted.p[mid].client < client)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

void store_clean_formats(struct ydoc *doc, struct tx *tx)
{
    uint32_t passed;

    doc->dirty_texts.n = 0;
    for (uint32_t i = 0; i < tx->touched.n; i++)
        find_new_formats(doc, &tx->touched.p[i]);
    store_begin(doc, NULL, true);
    passed = store_start_marks(doc);
    for (uint32_t i = 0; i < tx->order.n; i++) {
        for (uint32_t k = first_of_client(tx, tx->order.p[i]);
             k < tx->deleted.n && tx->deleted.p[k].client == tx->order.p[i]; k++)
            clean_deleted(doc, &tx->deleted.p[k], passed);
    }
    for (uint32_t i = 0; i < doc->dirty_texts.n; i++) {
        doc->types.p[doc->dirty_texts.p[i]].cleaning = false;
        clean_text(doc, doc->dirty_texts.p[i]);
    }
    doc->dirty_texts.n = 0;
    store_end(doc);
}

/* ---- frames ---- */

struct text_frame *edit_take_frame(struct ydoc *doc)
{
    static const struct text_frame none;
    struct text_frame *f = doc->frames;

    while (f != NULL && f->used)
        f = f->next;
    if (f == NULL) {
        f = store_resize(doc, NULL, 0, sizeof(*f));
        if (f == NULL)
            store_fail(doc, YDOC_ENOMEM);
        *f = none;
        f->next = doc->frames;
        doc->frames = f;
    }
    f->used = true;
    f->current.n = f->negated.n = f->given.n = f->start.n = f->formats.n = 0;
    return f;
}

void edit_give_frame(struct text_frame *f)
{
    f->used = false;
}

void edit_free_frames(struct ydoc *doc)
{
    while (doc->frames != NULL) {
        struct text_frame *f = doc->frames;

        doc->frames = f->next;
        VEC_FREE(doc, f->current);
        VEC_FREE(doc, f->negated);
        VEC_FREE(doc, f->given);
        VEC_FREE(doc, f->start);
        VEC_FREE(doc, f->formats);
        store_resize(doc, f, sizeof(*f), 0);
    }
}
