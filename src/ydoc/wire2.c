/* wire2 - reading update format v2, struct by struct.
 *
 *     varuint 0 (a flag nobody uses yet)
 *     varbytes key clocks    int diff    number of a key
 *     varbytes clients       uint opt    of sections, origins, right origins, parents
 *     varbytes left clocks   int diff    of origins and parents
 *     varbytes right clocks  int diff    of right origins
 *     varbytes infos         rle u8
 *     varbytes text          text        strings, JSON of old lists, names, subs, guids, keys
 *     varbytes parent infos  rle u8      1: the parent is a root
 *     varbytes type refs     uint opt
 *     varbytes lengths       uint opt    of GC, Deleted, and lists
 *     rest, to the end:      varuint sections, section…, delete set
 *     section := varuint n, varuint clock, and what has no column of its n structs:
 *                lengths of Skips, values (those of Embed and Format as any),
 *                bytes, options of subdocuments
 *
 * A run may legally stand for any number of structs, so that the number of
 * bytes bounds nothing: the walk's budget does, and every column is read to its
 * end only.
 *
 * A key is read as a number first: one that was read before, or the next one and
 * then a string. Nobody writes a number twice; the table holds the keys that
 * take bytes.
 *
 * JavaScript cuts the text between the halves of a surrogate pair where a peer
 * wrote half of one at the end of one string and half at the start of the next.
 * UTF-8 cannot: both become U+FFFD, as they do in format v1.
 */
#include "ydoc/columns.h"
#include "ydoc/wire.h"

#include <string.h>

/* What keys that are named by number may add to an update's size. */
#define REPEAT_BYTES_MAX ((size_t)64 << 20)
#define CLOCK_MAX UINT32_MAX

/* Bytes that are not in the input as they are needed, until the walk is closed. */
struct made {
    struct made *next;
    size_t len;
};

struct known_key {
    uint64_t number;
    struct ydoc_slice text;
};

struct wire_columns {
    struct ydoc_alloc alloc;
    struct column key, client, left, right, info, units, parent, type, len;
    const uint8_t *text, *text_end;
    uint64_t units_left;
    bool half; /* the last string ended inside the pair that begins at `text` */
    struct known_key *keys;
    size_t keys_n, keys_cap;
    uint64_t keys_read;
    size_t repeat_left; /* bytes that repeated keys may still add */
    struct made *made;
    struct wire_struct dropped; /* a struct of length 0 just before */
    bool have_dropped;
};

/* ---- opening ---- */

static void open_text(struct wire_columns *c, struct lib0_reader *r)
{
    struct lib0_reader column = *r;
    struct ydoc_slice bytes = lib0_read_varbytes(r), text;

    column.p = bytes.p;
    column.end = bytes.p + bytes.len;
    text = lib0_read_varstring(&column, &c->units_left);
    c->text = text.p;
    c->text_end = text.p + text.len;
    memset(&c->units, 0, sizeof(c->units));
    c->units.r = column;
    if (r->why == NULL && column.why != NULL) {
        r->p = r->end;
        r->why = column.why;
        r->fail_at = column.fail_at;
    }
}

void wire__open_v2(struct wire_walk *w, const struct ydoc_alloc *alloc)
{
    struct wire_columns *c = alloc->resize(alloc->ctx, NULL, 0, sizeof(*c));

    if (c == NULL) {
        wire_walk_fail(w, YDOC_ENOMEM, "out of memory");
        return;
    }
    memset(c, 0, sizeof(*c));
    c->alloc = *alloc;
    c->repeat_left = REPEAT_BYTES_MAX;
    w->columns = c;
    lib0_read_varuint(&w->r);
    column_open(&c->key, &w->r);
    column_open(&c->client, &w->r);
    column_open(&c->left, &w->r);
    column_open(&c->right, &w->r);
    column_open(&c->info, &w->r);
    open_text(c, &w->r);
    column_open(&c->parent, &w->r);
    column_open(&c->type, &w->r);
    column_open(&c->len, &w->r);
}

void wire__close_v2(struct wire_walk *w)
{
    struct wire_columns *c = w->columns;
    struct ydoc_alloc alloc = c->alloc;

    while (c->made != NULL) {
        struct made *m = c->made;

        c->made = m->next;
        alloc.resize(alloc.ctx, m, sizeof(*m) + m->len, 0);
    }
    if (c->keys != NULL)
        alloc.resize(alloc.ctx, c->keys, c->keys_cap * sizeof(*c->keys), 0);
    alloc.resize(alloc.ctx, c, sizeof(*c), 0);
    w->columns = NULL;
}

/* ---- text ---- */

/* Room for `len` bytes that lasts as long as the walk, or NULL. */
static uint8_t *make(struct wire_walk *w, size_t len)
{
    struct wire_columns *c = w->columns;
    struct made *m = c->alloc.resize(c->alloc.ctx, NULL, 0, sizeof(*m) + len);

    if (m == NULL) {
        wire_walk_fail(w, YDOC_ENOMEM, "out of memory");
        return NULL;
    }
    m->next = c->made;
    m->len = len;
    c->made = m;
    return (uint8_t *)(m + 1);
}

/* `s` with U+FFFD for the halves around it. */
static struct ydoc_slice with_halves(struct wire_walk *w, struct ydoc_slice s, bool front,
                                     bool back)
{
    size_t len = s.len + (front ? 3 : 0) + (back ? 3 : 0);
    uint8_t *p = make(w, len);
    struct ydoc_slice made = {p, len};

    if (p == NULL) {
        made.len = 0;
        return made;
    }
    if (front)
        memcpy(p, "\xef\xbf\xbd", 3);
    if (s.len > 0)
        memcpy(p + (front ? 3 : 0), s.p, s.len);
    if (back)
        memcpy(p + len - 3, "\xef\xbf\xbd", 3);
    return made;
}

static bool is_ascii(const uint8_t *p, size_t n)
{
    uint8_t all = 0;

    for (size_t i = 0; i < n; i++)
        all |= p[i];
    return all < 0x80;
}

/* Short strings are cut off a long text one after the other: only the front
 * one is looked at. */
static struct ydoc__cut cut_text(const struct wire_columns *c, uint64_t units)
{
    struct ydoc__cut cut = {(size_t)units, false};
    size_t left = (size_t)(c->text_end - c->text);

    if (units <= left && is_ascii(c->text, (size_t)units))
        return cut;
    return ydoc__utf8_cut(c->text, left, (uint32_t)c->units_left, (uint32_t)units);
}

static struct ydoc_slice read_text(struct wire_walk *w, uint32_t *units_read)
{
    struct wire_columns *c = w->columns;
    const uint8_t *at = c->units.r.p;
    uint64_t units = column_read_uint(&c->units);
    struct ydoc_slice s = {c->text, 0};
    struct ydoc__cut cut;
    bool front = c->half;

    *units_read = 0;
    if (units > c->units_left || c->units_left > CLOCK_MAX) {
        lib0_fail_at(&c->units.r, at, "string runs past the end of the text");
        return s;
    }
    *units_read = (uint32_t)units;
    if (units == 0)
        return s;
    if (front) {
        c->text += 4;
        c->units_left--;
        units--;
    }
    cut = cut_text(c, units);
    s.p = c->text;
    s.len = cut.bytes;
    c->text += cut.bytes;
    c->units_left -= units;
    c->half = cut.inside;
    return front || cut.inside ? with_halves(w, s, front, cut.inside) : s;
}

static struct ydoc_slice read_name(struct wire_walk *w)
{
    uint32_t units;

    return read_text(w, &units);
}

/* ---- keys ---- */

static void remember_key(struct wire_walk *w, struct ydoc_slice text)
{
    struct wire_columns *c = w->columns;

    if (text.len > 0 && c->keys_n == c->keys_cap) {
        size_t cap = c->keys_cap + c->keys_cap / 2 + 8;
        void *p = c->alloc.resize(c->alloc.ctx, c->keys, c->keys_cap * sizeof(*c->keys),
                                  cap * sizeof(*c->keys));

        if (p == NULL) {
            wire_walk_fail(w, YDOC_ENOMEM, "out of memory");
            return;
        }
        c->keys = p;
        c->keys_cap = cap;
    }
    if (text.len > 0) {
        c->keys[c->keys_n].number = c->keys_read;
        c->keys[c->keys_n++].text = text;
    }
    c->keys_read++;
}

static struct ydoc_slice read_key(struct wire_walk *w)
{
    struct wire_columns *c = w->columns;
    uint64_t number = column_read_clock(&c->key);
    struct ydoc_slice text = {c->text, 0};
    size_t lo = 0, hi = c->keys_n;

    if (number >= c->keys_read) {
        text = read_name(w);
        remember_key(w, text);
        return text;
    }
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (c->keys[mid].number < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo < c->keys_n && c->keys[lo].number == number)
        text = c->keys[lo].text;
    if (text.len > c->repeat_left)
        wire_walk_fail(w, YDOC_ELIMIT, "repeated keys are too long");
    c->repeat_left -= text.len > c->repeat_left ? c->repeat_left : text.len;
    return text;
}

/* ---- content ---- */

static struct ydoc_slice read_any(struct wire_walk *w)
{
    struct ydoc_slice s = {w->r.p, 0};

    ydoc__any_skip(&w->r, w->nesting_max);
    if (w->r.why == NULL)
        s.len = (size_t)(w->r.p - s.p);
    return s;
}

static uint32_t read_len(struct wire_walk *w)
{
    struct column *c = &w->columns->len;
    const uint8_t *at = c->r.p;
    uint64_t v = column_read_uint(c);

    if (v > CLOCK_MAX) {
        lib0_fail_at(&c->r, at, "clock or length above 2^32-1");
        return 0;
    }
    return (uint32_t)v;
}

static void read_values(struct wire_walk *w, struct wire_struct *s)
{
    s->len = read_len(w);
    if (s->len > lib0_left(&w->r)) {
        lib0_fail(&w->r, "more elements than bytes");
        return;
    }
    s->body.p = w->r.p;
    for (uint32_t i = 0; i < s->len && w->r.why == NULL; i++)
        read_any(w);
    s->body.len = w->r.why == NULL ? (size_t)(w->r.p - s->body.p) : 0;
}

static void check_json(struct wire_walk *w, struct ydoc_slice s)
{
    const char *why = NULL;
    size_t at;

    if (s.len != 9 || memcmp(s.p, "undefined", 9) != 0)
        why = ydoc__json_check(s.p, s.len, w->nesting_max, &at);
    if (why != NULL)
        lib0_fail(&w->columns->units.r, why);
}

/* The texts are put behind one another as format v1 has them. */
static void read_json_texts(struct wire_walk *w, struct wire_struct *s)
{
    struct wire_columns *c = w->columns;
    struct ydoc_buf all;
    uint8_t *p;

    s->len = read_len(w);
    ydoc_buf_init(&all, &c->alloc);
    for (uint32_t i = 0; i < s->len && w->r.why == NULL && c->units.r.why == NULL; i++) {
        struct ydoc_slice text = read_name(w);

        check_json(w, text);
        lib0_write_varbytes(&all, text.p, text.len);
    }
    if (all.failed)
        wire_walk_fail(w, YDOC_ENOMEM, "out of memory");
    p = all.failed ? NULL : make(w, all.len);
    if (p != NULL) {
        if (all.len > 0)
            memcpy(p, all.p, all.len);
        s->body.p = p;
        s->body.len = all.len;
    }
    ydoc_buf_fini(&all);
}

static void read_type(struct wire_walk *w, struct wire_struct *s)
{
    struct column *c = &w->columns->type;
    const uint8_t *at = c->r.p;
    uint64_t ref = column_read_uint(c);

    if (ref > WIRE_TYPE_REF_MAX) {
        lib0_fail_at(&c->r, at, "unknown shared type");
        return;
    }
    s->type_ref = (uint8_t)ref;
    if (ref == YDOC_KIND_XML_ELEMENT || ref == YDOC_KIND_XML_HOOK)
        s->body = read_key(w);
}

static void read_doc(struct wire_walk *w, struct wire_struct *s)
{
    s->key = read_name(w);
    if (w->r.p < w->r.end && (*w->r.p == 126 || *w->r.p == 127))
        lib0_fail(&w->r, "subdocument without options");
    s->value = read_any(w);
}

static void read_content(struct wire_walk *w, struct wire_struct *s)
{
    s->len = 1;
    switch (s->ref) {
    case WIRE_DELETED:
        s->len = read_len(w);
        return;
    case WIRE_JSON:
        read_json_texts(w, s);
        return;
    case WIRE_BINARY:
        s->body = lib0_read_varbytes(&w->r);
        return;
    case WIRE_STRING:
        s->body = read_text(w, &s->len);
        return;
    case WIRE_FORMAT:
        s->key = read_key(w);
        s->value = read_any(w);
        s->any = true;
        return;
    case WIRE_EMBED:
        s->value = read_any(w);
        s->any = true;
        return;
    case WIRE_TYPE:
        read_type(w, s);
        return;
    case WIRE_ANY:
        read_values(w, s);
        return;
    case WIRE_DOC:
        read_doc(w, s);
        return;
    default:
        lib0_fail(&w->columns->info.r, "unknown kind of content");
    }
}

/* ---- structs ---- */

static void read_header(struct wire_columns *c, struct wire_walk *w, struct wire_struct *s)
{
    if (s->info & WIRE_HAS_ORIGIN) {
        s->origin_client = column_read_uint(&c->client);
        s->origin_clock = column_read_clock(&c->left);
    }
    if (s->info & WIRE_HAS_RIGHT) {
        s->right_client = column_read_uint(&c->client);
        s->right_clock = column_read_clock(&c->right);
    }
    if (wire_has_ids(s))
        return;
    s->root = column_read_u8(&c->parent) == 1;
    if (s->root) {
        s->parent_name = read_name(w);
    } else {
        s->parent_client = column_read_uint(&c->client);
        s->parent_clock = column_read_clock(&c->left);
    }
    if (s->info & WIRE_HAS_SUB)
        s->sub = read_name(w);
}

static uint32_t read_rest_clock(struct lib0_reader *r)
{
    const uint8_t *at = r->p;
    uint64_t v = lib0_read_varuint(r);

    if (v > CLOCK_MAX) {
        lib0_fail_at(r, at, "clock or length above 2^32-1");
        return 0;
    }
    return (uint32_t)v;
}

static void read_struct(struct wire_walk *w, struct wire_struct *s)
{
    struct wire_columns *c = w->columns;
    uint8_t info = column_read_u8(&c->info);

    s->ref = info & 0x1f;
    if (s->ref == WIRE_SKIP && info == WIRE_SKIP) {
        s->len = read_rest_clock(&w->r);
    } else if (s->ref == WIRE_GC) {
        s->len = read_len(w);
    } else if (s->ref == WIRE_SKIP) {
        lib0_fail(&c->info.r, "unknown kind of content");
    } else {
        s->info = info & 0xe0;
        read_header(c, w, s);
        read_content(w, s);
    }
}

/* What failed in a column has failed in the walk. */
static bool check_columns(struct wire_walk *w)
{
    struct wire_columns *c = w->columns;
    const struct column *all[] = {&c->info, &c->client, &c->left, &c->right, &c->units,
                                  &c->len,  &c->parent, &c->type, &c->key};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && w->r.why == NULL; i++) {
        if (all[i]->r.why != NULL) {
            w->r.why = all[i]->r.why;
            w->r.fail_at = all[i]->r.fail_at;
            w->r.p = w->r.end;
        }
    }
    return w->r.why == NULL;
}

void wire__read_section_v2(struct wire_walk *w)
{
    struct wire_columns *c = w->columns;
    struct wire_section *s = &w->section;
    uint64_t n = lib0_read_varuint(&w->r);

    s->client = column_read_uint(&c->client);
    s->clock = read_rest_clock(&w->r);
    s->left = 0;
    c->have_dropped = false;
    if (!check_columns(w))
        return;
    if (n > w->budget || n > UINT32_MAX)
        wire_walk_fail(w, YDOC_ELIMIT, "too many structs and delete ranges");
    else
        s->left = (uint32_t)n;
}

bool wire__next_v2(struct wire_walk *w, struct wire_struct *out)
{
    struct wire_columns *c = w->columns;
    struct wire_section *s = &w->section;

    while (s->left > 0) {
        if (w->budget-- == 0) {
            w->budget = 0;
            wire_walk_fail(w, YDOC_ELIMIT, "too many structs and delete ranges");
            return false;
        }
        memset(out, 0, sizeof(*out));
        out->client = s->client;
        out->clock = s->clock;
        read_struct(w, out);
        if (c->have_dropped)
            wire__take_place(out, &c->dropped);
        if (!check_columns(w))
            return false;
        if (out->len > CLOCK_MAX - s->clock)
            lib0_fail(&w->r, "clock or length above 2^32-1");
        else if (wire__depends_on_itself(out))
            lib0_fail(&w->r, "item depends on itself or on a later item of its client");
        if (w->r.why != NULL)
            return false;
        s->left--;
        s->clock += out->len;
        c->have_dropped = out->len == 0 && out->ref != WIRE_GC && out->ref != WIRE_SKIP;
        if (out->len > 0)
            return true;
        if (c->have_dropped)
            c->dropped = *out;
    }
    return false;
}
