#ifndef EDIT_PROGRAM_H
#define EDIT_PROGRAM_H

/* edit_program - fuzz_ydoc_edit's program, its two documents, and what it does to
 * one of them: choosing a type, a place and a value, and editing. */
#include "ydoc_check.h"

#include "ydoc/edit.h"

enum {
    ROOTS = 5,
    HANDLES = 8,
    OBSERVERS = 8,
    ON_THE_WAY = 32,
    STEPS_MAX = 400,
    CALLBACK_EDITS_MAX = 40,
    DEPTH_MAX = 3,
};

enum option {
    OPTION_KEEP = 1,     /* the first document keeps what is deleted */
    OPTION_V2 = 2,       /* it tells of its updates in v2 */
    OPTION_SILENT = 4,   /* nobody watches it but undo managers: ydoc_take_changes_v1 */
    OPTION_ASTRAL = 8,   /* text has surrogate pairs */
    OPTION_LITTLE = 16,  /* it gives up after a few steps of work */
    OPTION_WATCHED = 32, /* the second one tells of its updates too */
    OPTION_STYLES = 64,  /* text has formats */
    OPTION_LARGE = 128,  /* client ids above 32 bits */
};

struct program {
    const uint8_t *p;
    size_t left;
};

static inline uint8_t next(struct program *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->p++;
}

/* ---- memory ---- */

struct account {
    size_t bytes;
    uint32_t left; /* allocations until one fails; 0: none does */
    bool for_good; /* and all after it */
    bool failed;
};

static inline void *resize(void *ctx, void *p, size_t old_size, size_t new_size)
{
    struct account *a = ctx;

    if (new_size == 0) {
        a->bytes -= old_size;
        free(p);
        return NULL;
    }
    if (a->left > 0 && --a->left == 0) {
        a->failed = true;
        if (a->for_good)
            a->left = 1;
        return NULL;
    }
    p = realloc(p, new_size);
    ENSURE(p != NULL);
    a->bytes += new_size - old_size;
    return p;
}

/* ---- peers ---- */

struct peer {
    struct world *world;
    struct ydoc *doc;
    struct account account;
    struct ydoc_alloc alloc;
    struct ydoc_buf sent[ON_THE_WAY]; /* updates on their way to the other */
    uint8_t version[ON_THE_WAY];
    unsigned sent_n;
    ydoc_type roots[ROOTS];
    ydoc_type handles[HANDLES]; /* some that were seen */
    int observers[OBSERVERS];   /* numbers, 0: none */
    struct ydoc_undo *undo;
    unsigned depth;  /* open transactions */
    unsigned inside; /* callbacks and fills that run */
    struct ydoc_snapshot *snapshot;
    struct ydoc_buf past; /* the text at the snapshot */
    struct ydoc_buf position;
};

struct world {
    struct program in;
    unsigned options;
    struct peer peers[2];
    struct ydoc *mirror; /* of the first */
    unsigned callback_edits;
    bool is_mixed; /* the peers may keep different things */
};

static const char *const root_names[ROOTS] = {"t", "a", "m", "x", "u"};
static const enum ydoc_kind root_kinds[ROOTS] = {YDOC_KIND_TEXT, YDOC_KIND_ARRAY, YDOC_KIND_MAP,
                                                 YDOC_KIND_XML_FRAGMENT, YDOC_KIND_XML_TEXT};

static inline struct ydoc_slice slice_of(const char *s)
{
    struct ydoc_slice slice = {(const uint8_t *)s, strlen(s)};

    return slice;
}

static inline void declare_roots(struct peer *peer)
{
    for (int i = 0; i < ROOTS; i++)
        ENSURE(ydoc_root(peer->doc, slice_of(root_names[i]), root_kinds[i], &peer->roots[i]) == 0);
}

/* ---- choosing ---- */

/* The types in a type, at most `max` of them. */
static inline unsigned children(const struct ydoc *doc, uint32_t type, uint32_t *out, unsigned max)
{
    unsigned n = 0;

    for (uint32_t h = edit_list_head(doc, type); h != 0 && n < max; h = doc->items.p[h].right) {
        if (item_kind(&doc->items.p[h]) == WIRE_TYPE && !item_deleted(&doc->items.p[h]))
            out[n++] = doc->items.p[h].content;
    }
    for (uint32_t s = doc->types.p[type].first; s != 0 && n < max; s = doc->slots.p[s].next) {
        uint32_t h = doc->slots.p[s].head;

        if (h != 0 && item_kind(&doc->items.p[h]) == WIRE_TYPE && !item_deleted(&doc->items.p[h]))
            out[n++] = doc->items.p[h].content;
    }
    return n;
}

static inline ydoc_type choose_type(struct peer *peer)
{
    struct program *in = &peer->world->in;
    uint8_t b = next(in);
    ydoc_type type = peer->roots[b % ROOTS];
    uint32_t found[8];

    if (b >= 240)
        return peer->handles[b % HANDLES];
    for (unsigned hops = b >> 6; hops > 0; hops--) {
        uint32_t number = edit_resolve(peer->doc, type);
        unsigned n = number == 0 ? 0 : children(peer->doc, number, found, 8);

        if (n > 0)
            type = edit_handle(peer->doc, found[next(in) % n]);
    }
    peer->handles[b % HANDLES] = type;
    return type;
}

static inline uint32_t choose_index(struct peer *peer, ydoc_type type)
{
    uint32_t length = ydoc_type_length(peer->doc, type);
    uint8_t b = next(&peer->world->in);

    return b == 255 ? length + 1 : b >= 200 ? length - (b - 200u) % (length + 1) : b % (length + 1);
}

static inline struct ydoc_slice choose_text(struct peer *peer)
{
    static const char *const plain[] = {"a", "bc", "def", "\n", "ghijklmnop", "\xc3\xa9", ""};
    static const char *const astral[] = {"\xf0\x9f\x98\x80", "x\xf0\x9f\x98\x80y"};
    uint8_t b = next(&peer->world->in);

    if ((peer->world->options & OPTION_ASTRAL) && b % 2)
        return slice_of(astral[b / 2 % 2]);
    return slice_of(plain[b % 7]);
}

static inline struct ydoc_slice choose_attributes(struct peer *peer)
{
    static const char *const attributes[] = {
        "{\"b\":true}",          "{\"b\":null}", "{\"i\":1,\"b\":true}", "{}",
        "{\"l\":{\"h\":\"x\"}}", "{\"i\":null}", "{\"l\":null,\"b\":2}"};
    struct ydoc_slice none = {NULL, 0};
    uint8_t b = next(&peer->world->in);

    if (!(peer->world->options & OPTION_STYLES) || b % 8 == 7)
        return none;
    return slice_of(attributes[b % 8]);
}

static inline struct ydoc_slice choose_key(struct peer *peer)
{
    static const char *const keys[] = {"k", "l", "7", ""};

    return slice_of(keys[next(&peer->world->in) % 4]);
}

/* ---- editing ---- */

static inline void edit(struct peer *peer, ydoc_type type);
static void deliver(struct peer *peer);

static inline int fill(struct ydoc *doc, ydoc_type type, void *ctx)
{
    struct peer *peer = ctx;
    uint8_t b = next(&peer->world->in);

    ENSURE(doc == peer->doc);
    if (peer->inside >= DEPTH_MAX)
        return 0;
    peer->inside++;
    for (unsigned n = b % 3; n > 0; n--)
        edit(peer, b < 240 ? type : choose_type(peer));
    if (b >= 250)
        deliver(peer);
    peer->inside--;
    return b == 255 ? YDOC_ERANGE : 0;
}

static inline struct ydoc_value choose_value(struct peer *peer)
{
    static const char *const anys[] = {
        "\x7f", "\x7d\x05", "\x77\x02hi", "\x75\x02\x78\x79", "\x76\x01\x01k\x7e", "\x74\x02zz"};
    uint8_t b = next(&peer->world->in);
    struct ydoc_value v = {.tag = YDOC_VALUE_ANY, .any = slice_of(anys[b % 6])};

    if (b % 8 >= 5) {
        v.tag = YDOC_VALUE_TYPE;
        v.kind = (enum ydoc_kind)(b / 8 % 7);
        v.name = slice_of("p");
        v.fill = b >= 128 ? fill : NULL;
        v.ctx = peer;
    } else if (b % 8 == 4) {
        v.tag = b & 8 ? YDOC_VALUE_STRING : YDOC_VALUE_DOC;
        v.name = slice_of("guid");
        v.any = b & 8 ? choose_text(peer)
                      : slice_of(b & 16 ? "\x76\x01\x08"
                                          "autoLoad\x78"
                                        : "");
    }
    return v;
}

static inline int edit_delta(struct peer *peer, ydoc_type type)
{
    static const char *const deltas[] = {
        "[{\"insert\":\"new\"},{\"retain\":2},{\"delete\":1}]",
        "[{\"retain\":1,\"attributes\":{\"b\":true}},{\"insert\":\"x\",\"attributes\":{\"i\":1}}]",
        "[{\"delete\":3},{\"insert\":{\"image\":1}},{\"retain\":5,\"attributes\":{\"b\":null}}]",
        "[{\"insert\":\"\\n\"},{\"retain\":3},{\"insert\":\"end\",\"attributes\":{\"l\":{}}}]"};
    bool styles = (peer->world->options & OPTION_STYLES) != 0;
    unsigned number = next(&peer->world->in) % 4;

    return ydoc_text_apply_delta(peer->doc, type, slice_of(deltas[styles ? number : 0]), NULL);
}

static inline int edit_text(struct peer *peer, ydoc_type type)
{
    struct ydoc *doc = peer->doc;
    uint8_t b = next(&peer->world->in);
    uint32_t index = choose_index(peer, type);
    struct ydoc_value v;

    switch (b % 8) {
    case 0:
        return ydoc_text_delete(doc, type, index, b / 8 % 16);
    case 1:
        return peer->world->options & OPTION_STYLES
                   ? ydoc_text_format(doc, type, index, b / 8 % 16, choose_attributes(peer))
                   : YDOC_ENOENT;
    case 2:
        return edit_delta(peer, type);
    case 3:
        v = choose_value(peer);
        if (v.tag == YDOC_VALUE_ANY) {
            v.tag = YDOC_VALUE_JSON;
            v.any = slice_of("{\"e\":1}");
        }
        return ydoc_text_insert_embed(doc, type, index, &v, choose_attributes(peer));
    default:
        return ydoc_text_insert(doc, type, index, choose_text(peer), choose_attributes(peer));
    }
}

static inline int edit_list(struct peer *peer, ydoc_type type)
{
    struct ydoc *doc = peer->doc;
    uint8_t b = next(&peer->world->in);
    uint32_t index = choose_index(peer, type);
    struct ydoc_value v[3];

    if (b % 4 == 0)
        return ydoc_list_delete(doc, type, index, b / 4 % 4);
    for (unsigned i = 0; i < 3; i++) {
        if (i <= b / 4 % 3)
            v[i] = choose_value(peer);
    }
    if (b % 4 == 1)
        return ydoc_list_push(doc, type, v, b / 4 % 3 + 1);
    return ydoc_list_insert(doc, type, index, v, b / 4 % 3 + 1);
}

static inline int edit_map(struct peer *peer, ydoc_type type)
{
    uint8_t b = next(&peer->world->in);
    struct ydoc_value v;

    if (b == 255)
        return ydoc_map_clear(peer->doc, type);
    if (b % 4 == 0)
        return ydoc_map_delete(peer->doc, type, choose_key(peer));
    v = choose_value(peer);
    return ydoc_map_set(peer->doc, type, choose_key(peer), &v);
}

static inline void edit(struct peer *peer, ydoc_type type)
{
    uint32_t number = edit_resolve(peer->doc, type);
    unsigned kind = KIND_BIT(ydoc_type_kind(peer->doc, type));
    int rc;

    if ((kind & KINDS_MAP) && (!(kind & (KINDS_LIST | KINDS_TEXT)) || next(&peer->world->in) < 40))
        rc = edit_map(peer, type);
    else if (kind & KINDS_TEXT)
        rc = edit_text(peer, type);
    else
        rc = edit_list(peer, type);
    ENSURE(rc == 0 || rc == YDOC_ENOENT || rc == YDOC_ERANGE || rc == YDOC_EMALFORMED ||
           ((rc == YDOC_ENOMEM || rc == YDOC_EBROKEN) && peer->account.failed));
    ENSURE(rc != 0 || number != 0 || peer->doc->broken);
}

/* Enough items that the list gets a position index. */
static inline void scatter(struct peer *peer, ydoc_type type)
{
    unsigned kind = KIND_BIT(ydoc_type_kind(peer->doc, type)), step = next(&peer->world->in);
    struct ydoc_value v = {.tag = YDOC_VALUE_BYTES, .any = slice_of("z")};
    int rc = 0;

    for (uint32_t i = 0; i < 70 && rc == 0; i++) {
        uint32_t index = i * step % (ydoc_type_length(peer->doc, type) + 1);

        if (kind & KINDS_TEXT)
            rc = ydoc_text_insert(peer->doc, type, index, slice_of("s"), choose_attributes(peer));
        else if (kind & KINDS_LIST)
            rc = ydoc_list_insert(peer->doc, type, index, &v, 1);
    }
}

#endif
