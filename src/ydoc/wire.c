/* wire - see wire.h. The checks here are the only ones between the network and
 * the document: what comes out of wire_next() is trusted by all that follows.
 */
#include "ydoc/wire.h"

#include <string.h>

#include "ydoc/quick.h"

#define CLOCK_MAX UINT32_MAX

struct ydoc_limits ydoc__limits(const struct ydoc_limits *limits)
{
    struct ydoc_limits l = {0};

    if (limits != NULL)
        l = *limits;
    if (l.update_bytes_max == 0)
        l.update_bytes_max = 256u << 20;
    if (l.update_bytes_max > INT32_MAX) /* a document's lengths have 32 bits */
        l.update_bytes_max = INT32_MAX;
    if (l.structs_max == 0)
        l.structs_max = 1u << 24;
    if (l.clients_max == 0)
        l.clients_max = 1u << 20;
    if (l.nesting_max == 0)
        l.nesting_max = 128;
    if (l.nesting_max > YDOC__NESTING_MAX)
        l.nesting_max = YDOC__NESTING_MAX;
    if (l.pending_bytes_max == 0)
        l.pending_bytes_max = 16u << 20;
    if (l.work_max == 0)
        l.work_max = 200000000;
    return l;
}

static inline uint32_t read_clock(struct lib0_reader *r)
{
    const uint8_t *at = r->p;
    uint64_t v = lib0_read_varuint(r);

    if (v > CLOCK_MAX) {
        lib0_fail_at(r, at, "clock or length above 2^32-1");
        return 0;
    }
    return (uint32_t)v;
}

static struct ydoc_slice read_json(struct lib0_reader *r, uint32_t nesting_max, bool undefined_ok)
{
    struct ydoc_slice s;
    const char *why;
    size_t at;

    if (nesting_max > YDOC__NESTING_MAX)
        return lib0_read_varbytes(r); /* checked before, and may be no text */
    s = lib0_read_varstring(r, NULL);
    if (r->why != NULL || (undefined_ok && s.len == 9 && memcmp(s.p, "undefined", 9) == 0))
        return s;
    why = ydoc__json_check(s.p, s.len, nesting_max, &at);
    if (why != NULL)
        lib0_fail_at(r, s.p + at, why);
    return s;
}

/* An object of options, or any other value that JavaScript can spread; only
 * null and undefined make Yjs throw. */
static void read_doc(struct lib0_reader *r, struct wire_struct *s, uint32_t nesting_max)
{
    s->key = lib0_read_varstring(r, NULL);
    s->value.p = r->p;
    if (r->p < r->end && (*r->p == 126 || *r->p == 127))
        lib0_fail(r, "subdocument without options");
    ydoc__any_skip(r, nesting_max);
    s->value.len = r->why == NULL ? (size_t)(r->p - s->value.p) : 0;
}

/* Of an Embed or Format; returns it as it stands. */
static struct ydoc_slice read_value(struct lib0_reader *r, struct wire_struct *s,
                                    uint32_t nesting_max)
{
    struct ydoc_slice text = read_json(r, nesting_max, false);

    s->value = text;
    s->any = text.len > 0 && text.p[0] == 0;
    if (s->any) {
        s->value.p++;
        s->value.len--;
    }
    return text;
}

static void read_elements(struct lib0_reader *r, struct wire_struct *s, uint32_t nesting_max)
{
    const uint8_t *at = r->p;

    s->len = read_clock(r);
    if (s->len > lib0_left(r)) {
        lib0_fail_at(r, at, "more elements than bytes");
        return;
    }
    s->body.p = r->p;
    for (uint32_t i = 0; i < s->len && r->why == NULL; i++) {
        if (s->ref == WIRE_ANY)
            ydoc__any_skip(r, nesting_max);
        else
            read_json(r, nesting_max, true);
    }
}

static void read_type(struct lib0_reader *r, struct wire_struct *s)
{
    const uint8_t *at = r->p;
    uint64_t ref = lib0_read_varuint(r);

    if (ref > WIRE_TYPE_REF_MAX) {
        lib0_fail_at(r, at, "unknown shared type");
        return;
    }
    s->type_ref = (uint8_t)ref;
    if (ref == YDOC_KIND_XML_ELEMENT || ref == YDOC_KIND_XML_HOOK)
        s->body = lib0_read_varstring(r, NULL);
}

/* Sets s->len and s->body. */
static void read_content(struct lib0_reader *r, struct wire_struct *s, uint32_t nesting_max)
{
    uint64_t units = 0;

    s->body.p = r->p;
    s->body.len = 0;
    s->len = 1;
    switch (s->ref) {
    case WIRE_DELETED:
        s->len = read_clock(r);
        return;
    case WIRE_STRING:
        s->body = lib0_read_varstring(r, &units);
        if (units > CLOCK_MAX)
            lib0_fail_at(r, s->body.p, "clock or length above 2^32-1");
        s->len = (uint32_t)units;
        return;
    case WIRE_BINARY:
        s->body = lib0_read_varbytes(r);
        return;
    case WIRE_EMBED:
        s->body = read_value(r, s, nesting_max);
        return;
    case WIRE_TYPE:
        read_type(r, s);
        return;
    case WIRE_JSON:
    case WIRE_ANY:
        read_elements(r, s, nesting_max);
        break;
    case WIRE_FORMAT:
        s->key = lib0_read_varstring(r, NULL);
        read_value(r, s, nesting_max);
        break;
    case WIRE_DOC:
        read_doc(r, s, nesting_max);
        break;
    default:
        lib0_fail_at(r, s->start, "unknown kind of content");
        return;
    }
    s->body.len = r->why == NULL ? (size_t)(r->p - s->body.p) : 0;
}

static void read_parent(struct lib0_reader *r, struct wire_struct *s)
{
    s->root = lib0_read_varuint(r) == 1;
    if (s->root) {
        s->parent_name = lib0_read_varstring(r, NULL);
    } else {
        s->parent_client = lib0_read_varuint(r);
        s->parent_clock = read_clock(r);
    }
    if (s->info & WIRE_HAS_SUB)
        s->sub = lib0_read_varstring(r, NULL);
}

static void read_header(struct lib0_reader *r, struct wire_struct *s)
{
    if (s->info & WIRE_HAS_ORIGIN) {
        s->origin_client = lib0_read_varuint(r);
        s->origin_clock = read_clock(r);
    }
    if (s->info & WIRE_HAS_RIGHT) {
        s->right_client = lib0_read_varuint(r);
        s->right_clock = read_clock(r);
    }
    if (!wire_has_ids(s))
        read_parent(r, s);
}

/* Numbers below 2^35 from at least 5 bytes; NULL: it is a longer one. */
static inline const uint8_t *quick_uint(const uint8_t *p, uint64_t *v)
{
    *v = p[0] & 0x7fu;
    if (p[0] < 0x80)
        return p + 1;
    *v |= (p[1] & 0x7fu) << 7;
    if (p[1] < 0x80)
        return p + 2;
    *v |= (p[2] & 0x7fu) << 14;
    if (p[2] < 0x80)
        return p + 3;
    *v |= (p[3] & 0x7fu) << 21;
    if (p[3] < 0x80)
        return p + 4;
    *v |= (uint64_t)(p[4] & 0x7fu) << 28;
    return p[4] < 0x80 ? p + 5 : NULL;
}

static inline const uint8_t *quick_id(const uint8_t *p, uint64_t *client, uint32_t *clock)
{
    uint64_t v = 0;

    p = quick_uint(p, client);
    if (p != NULL)
        p = quick_uint(p, &v);
    *clock = (uint32_t)v;
    return v <= CLOCK_MAX ? p : NULL;
}

static const uint8_t *quick_text(const uint8_t *p, const uint8_t *end, struct wire_struct *s)
{
    uint64_t n;
    int64_t units;

    p = quick_uint(p, &n);
    if (p == NULL || n > (size_t)(end - p))
        return NULL;
    s->body.p = p;
    s->body.len = (size_t)n;
    units = n == 1 && *p < 0x80 ? 1 : lib0_utf16_len(p, (size_t)n);
    s->len = (uint32_t)units;
    return units < 0 || units > CLOCK_MAX ? NULL : p + n;
}

/* Nearly all structs of a text: a string or what a deleted one left, between
 * neighbours. No number in them can run past 64 bytes, so that nothing is
 * compared with the end. False, with nothing read: it is something else, or
 * something is wrong with it, which the long way finds out. */
static bool read_quick(struct lib0_reader *r, struct wire_struct *s)
{
    const uint8_t *p = r->p;
    uint64_t len;

    if (lib0_left(r) < 64)
        return false;
    s->ref = *p & 0x1f;
    s->info = *p++ & 0xe0;
    if ((s->ref != WIRE_STRING && s->ref != WIRE_DELETED) || !wire_has_ids(s))
        return false;
    if (s->info & WIRE_HAS_ORIGIN)
        p = quick_id(p, &s->origin_client, &s->origin_clock);
    if (p != NULL && (s->info & WIRE_HAS_RIGHT))
        p = quick_id(p, &s->right_client, &s->right_clock);
    if (p == NULL)
        return false;
    if (s->ref == WIRE_STRING) {
        p = quick_text(p, r->end, s);
    } else {
        p = quick_uint(p, &len);
        s->len = (uint32_t)len;
        s->body.p = p;
        s->body.len = 0;
        if (len > CLOCK_MAX)
            return false;
    }
    if (p == NULL)
        return false;
    s->start = r->p;
    s->end = r->p = p;
    return true;
}

static void read_struct(struct lib0_reader *r, struct wire_struct *s, uint32_t nesting_max)
{
    uint8_t info;

    if (read_quick(r, s))
        return;
    s->start = r->p;
    info = lib0_read_u8(r);
    s->ref = info & 0x1f;
    s->info = info & 0xe0;
    if (s->ref == WIRE_GC || s->ref == WIRE_SKIP) {
        if (s->ref == WIRE_SKIP && s->info != 0)
            lib0_fail_at(r, s->start, "unknown kind of content");
        s->info = 0;
        s->len = read_clock(r);
        s->body.len = 0;
    } else {
        read_header(r, s);
        read_content(r, s, nesting_max);
    }
    s->end = r->p;
}

void wire_read_section(struct lib0_reader *r, struct wire_section *s)
{
    const uint8_t *at = r->p, *client;
    uint64_t n = lib0_read_varuint(r);

    client = r->p;
    s->client = lib0_read_varuint(r);
    s->client_bytes = 0;
    if (r->why == NULL && r->p - client <= 8 && r->end - client >= 8)
        quick_note_client(s, client, (size_t)(r->p - client));
    s->clock = read_clock(r);
    /* A struct takes at least two bytes; the bound makes `left` fit as well. */
    if (n > lib0_left(r) / 2 || n > UINT32_MAX) {
        if (n > 0)
            lib0_fail_at(r, at, "more structs than bytes");
        n = 0;
    }
    s->left = r->why == NULL ? (uint32_t)n : 0;
    s->p = r->p;
}

struct wire_section wire_section_at(uint64_t client, const uint8_t *p, uint32_t clock,
                                    uint32_t left)
{
    struct wire_section s = {p, client, clock, left, 0, 0, 0};
    uint8_t bytes[LIB0_VARUINT_BYTES_MAX + 2] = {0};

    quick_note_client(&s, bytes, (size_t)(lib0_put_varuint(bytes, client) - bytes));
    return s;
}

/* Items of a client only depend on what the client did before. Yjs does not
 * check that and throws in the middle of the transaction. */
bool wire__depends_on_itself(const struct wire_struct *s)
{
    if ((s->info & WIRE_HAS_ORIGIN) && s->origin_client == s->client && s->origin_clock >= s->clock)
        return true;
    if ((s->info & WIRE_HAS_RIGHT) && s->right_client == s->client && s->right_clock >= s->clock)
        return true;
    return !wire_has_ids(s) && s->ref != WIRE_GC && s->ref != WIRE_SKIP && !s->root &&
           s->parent_client == s->client && s->parent_clock >= s->clock;
}

/* An item right after a dropped one may name it as its origin: it then takes
 * the dropped one's place. */
void wire__take_place(struct wire_struct *s, const struct wire_struct *dropped)
{
    if (!(s->info & WIRE_HAS_ORIGIN) || s->origin_client != s->client ||
        s->origin_clock != s->clock)
        return;
    s->info = dropped->info;
    s->root = dropped->root;
    s->origin_client = dropped->origin_client;
    s->origin_clock = dropped->origin_clock;
    s->right_client = dropped->right_client;
    s->right_clock = dropped->right_clock;
    s->parent_client = dropped->parent_client;
    s->parent_clock = dropped->parent_clock;
    s->parent_name = dropped->parent_name;
    s->sub = dropped->sub;
    s->start = NULL; /* the bytes do not say this: wire_write() makes new ones */
}

/* Reads one struct and checks it, a dropped one before it in mind. */
static bool next_struct(struct lib0_reader *r, struct wire_section *s, struct wire_struct *out,
                        const struct wire_struct *dropped, uint32_t nesting_max)
{
    const uint8_t *at = r->p;

    out->client = s->client;
    out->clock = s->clock;
    read_struct(r, out, nesting_max);
    if (r->why == NULL && out->len > CLOCK_MAX - s->clock)
        lib0_fail_at(r, at, "clock or length above 2^32-1");
    if (r->why == NULL && dropped != NULL)
        wire__take_place(out, dropped);
    if (r->why == NULL && wire__depends_on_itself(out))
        lib0_fail_at(r, at, "item depends on itself or on a later item of its client");
    if (r->why != NULL)
        return false;
    s->left--;
    s->p = r->p;
    s->clock += out->len;
    return true;
}

/* From a struct of length 0 on to the next one that has a length. */
static bool next_after_empty(struct lib0_reader *r, struct wire_section *s, struct wire_struct *out,
                             const uint8_t *empty, uint32_t nesting_max)
{
    struct wire_struct dropped;
    bool have_dropped = false;

    r->p = empty;
    s->left++;
    while (s->left > 0) {
        memset(out, 0, sizeof(*out));
        if (!next_struct(r, s, out, have_dropped ? &dropped : NULL, nesting_max))
            return false;
        if (out->len > 0)
            return true;
        have_dropped = out->ref != WIRE_GC && out->ref != WIRE_SKIP;
        dropped = *out;
    }
    return false;
}

bool wire_next(struct lib0_reader *r, struct wire_section *s, struct wire_struct *out,
               uint32_t nesting_max)
{
    const uint8_t *at = r->p;

    if (quick_next(r, s, out))
        return true;
    if (s->left == 0 || !next_struct(r, s, out, NULL, nesting_max))
        return false;
    return out->len > 0 || next_after_empty(r, s, out, at, nesting_max);
}

void wire_deletes_init(struct wire_deletes *d, const struct lib0_reader *at)
{
    d->r = *at;
    d->client = 0;
    d->ranges_left = 0;
    d->v2 = false;
    d->end = 0;
    d->clients_left = lib0_read_varuint(&d->r);
    if (d->clients_left > lib0_left(&d->r) / 2) {
        lib0_fail(&d->r, "more clients than bytes in the delete set");
        d->clients_left = 0;
    }
}

/* v2 counts a range from the end of the one before, and its length less one. */
static void read_range_v2(struct wire_deletes *d, struct wire_range *out)
{
    const uint8_t *at = d->r.p;
    uint64_t clock = (uint64_t)d->end + read_clock(&d->r);
    uint64_t len = (uint64_t)read_clock(&d->r) + 1;

    if (clock + len > CLOCK_MAX) {
        lib0_fail_at(&d->r, at, "clock or length above 2^32-1");
        return;
    }
    out->clock = (uint32_t)clock;
    out->len = (uint32_t)len;
    d->end = (uint32_t)(clock + len);
}

bool wire_deletes_next(struct wire_deletes *d, struct wire_range *out)
{
    for (;;) {
        const uint8_t *at = d->r.p;

        if (d->r.why != NULL)
            return false;
        if (d->ranges_left == 0) {
            if (d->clients_left == 0)
                return false;
            d->clients_left--;
            d->client = lib0_read_varuint(&d->r);
            d->end = 0;
            d->ranges_left = lib0_read_varuint(&d->r);
            if (d->ranges_left > lib0_left(&d->r) / 2)
                lib0_fail_at(&d->r, at, "more ranges than bytes in the delete set");
            continue;
        }
        d->ranges_left--;
        out->client = d->client;
        if (d->v2) {
            read_range_v2(d, out);
            return d->r.why == NULL;
        }
        out->clock = read_clock(&d->r);
        out->len = read_clock(&d->r);
        if (d->r.why == NULL && out->len > CLOCK_MAX - out->clock)
            lib0_fail_at(&d->r, at, "clock or length above 2^32-1");
        if (d->r.why == NULL && out->len > 0)
            return true;
    }
}

static void start_walk(struct wire_walk *w)
{
    /* What a section takes at least: of v1 three numbers, of v2 two, its client
     * being in a column. */
    size_t each = w->columns != NULL ? 2 : 3;

    w->sections_left = w->r.why == NULL ? lib0_read_varuint(&w->r) : 0;
    if (w->sections_left > lib0_left(&w->r) / each + 1) {
        lib0_fail(&w->r, "more clients than bytes");
        w->sections_left = 0;
    }
}

void wire_walk_init(struct wire_walk *w, const uint8_t *update, size_t len)
{
    lib0_reader_init(&w->r, update, len);
    w->section.left = 0;
    w->nesting_max = WIRE_NESTING_OURS;
    w->budget = UINT64_MAX;
    w->code = YDOC_EMALFORMED;
    w->columns = NULL;
    w->notes.n = w->notes.cap = 0;
    start_walk(w);
}

void wire_walk_fail(struct wire_walk *w, int code, const char *why)
{
    if (w->r.why == NULL)
        w->code = code;
    lib0_fail(&w->r, why);
}

void wire_walk_open(struct wire_walk *w, const struct wire_input *in)
{
    lib0_reader_init(&w->r, in->update.p, in->update.len);
    w->section.left = 0;
    w->nesting_max = in->version == WIRE_OURS ? WIRE_NESTING_OURS : in->limits->nesting_max;
    w->budget = in->limits->structs_max;
    w->code = YDOC_EMALFORMED;
    w->columns = NULL;
    w->notes.n = w->notes.cap = 0;
    if (in->update.len > in->limits->update_bytes_max)
        wire_walk_fail(w, YDOC_ELIMIT, "update is too long");
    else if (in->version == WIRE_V2)
        wire__open_v2(w, in->alloc);
    start_walk(w);
    if (w->sections_left > in->limits->clients_max)
        wire_walk_fail(w, YDOC_ELIMIT, "update of too many clients");
}

void wire_walk_close(struct wire_walk *w)
{
    if (w->columns != NULL)
        wire__close_v2(w);
}

/* The next struct of the open section. */
static bool next_in_section(struct wire_walk *w, struct wire_struct *out)
{
    if (w->columns != NULL)
        return wire__next_v2(w, out);
    if (!wire_next(&w->r, &w->section, out, w->nesting_max))
        return false;
    if (w->budget-- == 0) {
        wire_walk_fail(w, YDOC_ELIMIT, "too many structs and delete ranges");
        return false;
    }
    return true;
}

bool wire_walk_next(struct wire_walk *w, struct wire_struct *out)
{
    while (w->r.why == NULL) {
        if (next_in_section(w, out))
            return true;
        if (w->r.why != NULL || w->sections_left == 0)
            return false;
        w->sections_left--;
        if (w->columns != NULL) {
            wire__read_section_v2(w);
            continue;
        }
        wire_read_section(&w->r, &w->section);
        if (w->notes.n < w->notes.cap)
            w->notes.v[w->notes.n++] = w->section;
    }
    return false;
}

void wire_walk_deletes(const struct wire_walk *w, struct wire_deletes *d)
{
    wire_deletes_init(d, &w->r);
    d->v2 = w->columns != NULL;
}

void wire_walk_end_deletes(struct wire_walk *w, const struct wire_deletes *d, uint64_t ranges)
{
    w->r = d->r;
    if (ranges > w->budget)
        wire_walk_fail(w, YDOC_ELIMIT, "too many structs and delete ranges");
}

int wire_walk_error(const struct wire_walk *w, struct ydoc_error *err)
{
    if (w->r.why == NULL)
        return 0;
    return ydoc__error(err, w->code, w->r.fail_at, "byte %zu: %s", w->r.fail_at, w->r.why);
}

/* Counts ranges up to limits->structs_max and a little more. */
static void validate_deletes(struct wire_deletes *d, const struct ydoc_limits *limits,
                             struct wire_counts *counts)
{
    struct wire_range range;

    while (counts->structs + counts->ranges <= limits->structs_max) {
        while (quick_range(d, &range))
            counts->ranges++;
        if (!wire_deletes_next(d, &range))
            return;
        counts->ranges++;
    }
}

/* Passes over what quick_next() reads, with everything in registers. Counts structs up
 * to limits->structs_max and one more. */
static void count_quick(struct wire_walk *w, const struct ydoc_limits *limits,
                        struct wire_counts *counts)
{
    struct wire_section section = w->section;
    struct lib0_reader r = w->r;
    uint64_t n = counts->structs, bytes = 0;
    struct wire_struct s;

    while (n <= limits->structs_max && quick_next(&r, &section, &s)) {
        n++;
        bytes += s.body.len;
    }
    counts->structs = n;
    counts->body_bytes += (size_t)bytes;
    w->section = section;
    w->r.p = r.p;
}

int wire_validate_noting(struct ydoc_slice update, const struct ydoc_limits *limits,
                         struct wire_counts *counts, struct wire_notes *notes,
                         struct ydoc_error *err)
{
    struct wire_walk w;
    struct wire_struct s;
    struct wire_deletes d;

    memset(counts, 0, sizeof(*counts));
    if (update.len > limits->update_bytes_max)
        return ydoc__error(err, YDOC_ELIMIT, 0, "update of %zu bytes, at most %zu are allowed",
                           update.len, limits->update_bytes_max);
    wire_walk_init(&w, update.p, update.len);
    w.nesting_max = limits->nesting_max;
    w.notes = *notes;
    counts->sections = w.sections_left;
    if (counts->sections > limits->clients_max)
        return ydoc__error(err, YDOC_ELIMIT, 0, "update of %llu clients, at most %u are allowed",
                           (unsigned long long)counts->sections, limits->clients_max);
    while (counts->structs <= limits->structs_max) {
        count_quick(&w, limits, counts);
        if (counts->structs > limits->structs_max || !wire_walk_next(&w, &s))
            break;
        counts->structs++;
        counts->body_bytes += s.body.len;
    }
    if (w.r.why != NULL)
        return lib0_error(&w.r, err);
    notes->n = w.notes.n;
    counts->deletes_at = lib0_offset(&w.r);
    wire_deletes_init(&d, &w.r);
    validate_deletes(&d, limits, counts);
    if (counts->structs + counts->ranges > limits->structs_max)
        return ydoc__error(err, YDOC_ELIMIT, lib0_offset(&d.r),
                           "more than %u structs and delete ranges", limits->structs_max);
    return lib0_error(&d.r, err);
}

int wire_validate(const uint8_t *update, size_t len, const struct ydoc_limits *limits,
                  struct wire_counts *counts, struct ydoc_error *err)
{
    struct ydoc_slice bytes = {update, len};
    struct wire_notes none = {NULL, 0, 0};

    return wire_validate_noting(bytes, limits, counts, &none, err);
}

int ydoc_validate_update_v1(const uint8_t *update, size_t len, const struct ydoc_limits *limits,
                            struct ydoc_error *err)
{
    struct ydoc_limits l = ydoc__limits(limits);
    struct wire_counts counts;

    return wire_validate(update, len, &l, &counts, err);
}
