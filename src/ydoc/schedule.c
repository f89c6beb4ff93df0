/* schedule - in which order an update's structs are integrated: Yjs's
 * integrateStructs.
 *
 * Highest client first. A struct that names one of another client which is
 * still missing waits on a stack while that client's part of the update goes
 * ahead; where there is none, or it has come to its end, everything on the stack
 * is blocked, each with all that follows of its client, and becomes pending.
 *
 * Structs are read from the bytes when their turn comes; there is no list of
 * them. A dry run only finds out what would be blocked.
 */
#include "ydoc/schedule.h"

#include <assert.h>

#include "ydoc/heap_sort.h"
#include "ydoc/plain.h"

/* The next struct of a source, and the source as it is after it. */
struct head {
    struct wire_struct s;
    struct wire_section after;
};

/* Clients descending, the sections of one client as they stand in the update. */
static bool source_before(const struct source *a, const struct source *b, int unused)
{
    (void)unused;
    return a->client > b->client || (a->client == b->client && a->p < b->p);
}

HEAP_SORT(heap_sort, struct source, int, source_before)

static void sort_sources(struct source *v, uint32_t n)
{
    uint32_t sorted = 1;

    while (sorted < n && !source_before(&v[sorted], &v[sorted - 1], 0))
        sorted++;
    if (sorted < n)
        heap_sort(v, n, 0);
}

static void add_source(struct ydoc *doc, const struct wire_section *section)
{
    struct source s = {0};

    s.client = section->client;
    s.p = section->p;
    s.clock = section->clock;
    s.left = section->left;
    s.number = store_find_client(doc, section->client);
    s.state = s.number == CLIENT_UNKNOWN ? 0 : doc->clients.p[s.number].state;
    VEC_PUSH(doc, doc->sources, s);
}

/* As in Yjs the last section of a client counts; nobody writes two. */
static void drop_repeated(struct ydoc *doc)
{
    struct source *v = doc->sources.p;
    uint32_t n = 0;

    for (uint32_t i = 0; i < doc->sources.n; i++) {
        if (n > 0 && v[n - 1].client == v[i].client)
            n--;
        v[n++] = v[i];
    }
    doc->sources.n = n;
}

/* Enough for the people of one document; who has more waits a little longer. */
#define NOTES_MAX 1024u

void schedule_make_notes(struct ydoc *doc, const uint8_t *update, size_t len)
{
    struct lib0_reader r;
    uint64_t n;

    doc->notes.n = 0;
    if (len == 0 || update[0] <= 1)
        return;
    lib0_reader_init(&r, update, len);
    n = lib0_read_varuint(&r);
    if (n > NOTES_MAX)
        n = NOTES_MAX;
    if (n > len / 3)
        n = len / 3;
    if (n <= doc->notes.cap)
        return;
    schedule_forget_notes(doc);
    doc->notes.v = store_resize(doc, NULL, 0, (size_t)n * sizeof(*doc->notes.v));
    doc->notes.cap = doc->notes.v != NULL ? (uint32_t)n : 0;
}

void schedule_forget_notes(struct ydoc *doc)
{
    store_resize(doc, doc->notes.v, doc->notes.cap * sizeof(*doc->notes.v), 0);
    doc->notes.v = NULL;
    doc->notes.n = doc->notes.cap = 0;
}

/* Passes over the section that `s` stands for. */
static void pass_section(struct lib0_reader *r, struct wire_section *s)
{
    struct wire_struct unused;

    while (quick_next(r, s, &unused) || wire_next(r, s, &unused, WIRE_NESTING_OURS))
        ;
}

struct lib0_reader schedule_load(struct ydoc *doc, const uint8_t *update, size_t len,
                                 size_t deletes_at)
{
    uint32_t noted = deletes_at > 0 ? doc->notes.n : 0;
    struct lib0_reader r;
    uint64_t sections;

    doc->sources.n = 0;
    doc->coming = 0;
    lib0_reader_init(&r, update, len);
    sections = lib0_read_varuint(&r);
    for (uint64_t i = 0; i < sections; i++) {
        struct wire_section section;

        if (i < noted) {
            section = doc->notes.v[i];
            r.p = section.p;
        } else {
            wire_read_section(&r, &section);
        }
        if (section.left > 0)
            add_source(doc, &section);
        if (i + 1 == sections && deletes_at > 0)
            r.p = r.base + deletes_at;
        else if (i + 1 >= noted)
            pass_section(&r, &section);
    }
    assert(r.why == NULL);
    sort_sources(doc->sources.p, doc->sources.n);
    drop_repeated(doc);
    return r;
}

static bool peek(const struct run *run, uint32_t source, struct head *head)
{
    struct source *src = &run->doc->sources.p[source];
    struct lib0_reader r;

    if (src->blocked || src->left == 0)
        return false;
    lib0_reader_init(&r, src->p, (size_t)(run->end - src->p));
    head->after = wire_section_at(src->client, src->p, src->clock, src->left);
    if (wire_next(&r, &head->after, &head->s, WIRE_NESTING_OURS))
        return true;
    assert(r.why == NULL);
    src->left = 0;
    return false;
}

static void advance(const struct run *run, uint32_t source, const struct head *head)
{
    struct source *src = &run->doc->sources.p[source];

    src->p = head->after.p;
    src->clock = head->after.clock;
    src->left = head->after.left;
}

/* The source of a client, or doc->sources.n. */
static uint32_t find_source(const struct ydoc *doc, uint64_t client)
{
    uint32_t lo = 0, hi = doc->sources.n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (doc->sources.p[mid].client > client)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < doc->sources.n && doc->sources.p[lo].client == client ? lo : doc->sources.n;
}

uint32_t schedule_state_of(const struct run *run, uint64_t client)
{
    uint32_t number;

    if (run->dry) {
        uint32_t source = find_source(run->doc, client);

        if (source < run->doc->sources.n)
            return run->doc->sources.p[source].state;
    }
    number = store_find_client(run->doc, client);
    return number == CLIENT_UNKNOWN ? 0 : run->doc->clients.p[number].state;
}

/* Yjs's getMissing, first half: the first other client that must go ahead, and
 * the clock of it that is needed. */
static bool find_missing(const struct run *run, const struct wire_struct *s, struct missing *m)
{
    if (s->ref == WIRE_GC)
        return false;
    m->client = s->origin_client;
    m->clock = s->origin_clock;
    if ((s->info & WIRE_HAS_ORIGIN) && m->client != s->client &&
        m->clock >= schedule_state_of(run, m->client))
        return true;
    m->client = s->right_client;
    m->clock = s->right_clock;
    if ((s->info & WIRE_HAS_RIGHT) && m->client != s->client &&
        m->clock >= schedule_state_of(run, m->client))
        return true;
    m->client = s->parent_client;
    m->clock = s->parent_clock;
    return !wire_has_ids(s) && !s->root && m->client != s->client &&
           m->clock >= schedule_state_of(run, m->client);
}

static void note_missing(const struct run *run, uint64_t client, uint32_t clock)
{
    struct missing m = {client, clock};

    if (!run->dry)
        VEC_PUSH(run->doc, run->doc->missing, m);
}

static void block_stack(struct run *run)
{
    struct ydoc *doc = run->doc;

    run->blocked += doc->stack.n;
    while (doc->stack.n > 0)
        doc->sources.p[doc->stack.p[--doc->stack.n]].blocked = true;
}

static void push(const struct run *run, uint32_t source)
{
    VEC_PUSH(run->doc, run->doc->stack, source);
    run->doc->sources.p[source].stacked = true;
}

/* Names nothing but what its own client did before. */
static bool is_self_contained(const struct wire_struct *s)
{
    return s->ref == WIRE_GC ||
           (wire_has_ids(s) && (!(s->info & WIRE_HAS_ORIGIN) || s->origin_client == s->client) &&
            (!(s->info & WIRE_HAS_RIGHT) || s->right_client == s->client));
}

static void integrate_struct(const struct run *run, struct source *src, const struct wire_struct *s)
{
    if (src->number == CLIENT_UNKNOWN)
        src->number = store_add_client(run->doc, src->client);
    store_integrate(run->doc, s, src->number);
}

/* Integrates the source's structs while nothing is in their way and `clock` is
 * not reached: most of an update without looking up and putting down where it
 * stands. The struct that stops it is the source's next one. */
static void run_ahead(const struct run *run, uint32_t source, uint32_t clock)
{
    struct source *src = &run->doc->sources.p[source];
    struct wire_section section, before;
    struct wire_struct s;
    struct lib0_reader r;
    struct missing needed;

    if (src->blocked || src->left < 2)
        return;
    section = before = wire_section_at(src->client, src->p, src->clock, src->left);
    lib0_reader_init(&r, src->p, (size_t)(run->end - src->p));
    while (src->state <= clock &&
           (quick_next(&r, &section, &s) || wire_next(&r, &section, &s, WIRE_NESTING_OURS)) &&
           s.ref != WIRE_SKIP && s.clock <= src->state &&
           (is_self_contained(&s) || !find_missing(run, &s, &needed))) {
        run->doc->coming = section.left + 1;
        if (!run->dry)
            integrate_struct(run, src, &s);
        if (!run->dry)
            plain_run(run->doc, src->number, &r, &section, clock);
        if (section.clock > src->state)
            src->state = section.clock;
        before = section;
    }
    run->doc->coming = 0;
    assert(r.why == NULL);
    src->p = before.p;
    src->clock = before.clock;
    src->left = before.left;
}

static void integrate_head(const struct run *run, uint32_t source, const struct head *head)
{
    struct source *src = &run->doc->sources.p[source];

    if (!run->dry)
        integrate_struct(run, src, &head->s);
    if (head->s.clock + head->s.len > src->state)
        src->state = head->s.clock + head->s.len;
    advance(run, source, head);
}

/* Handles the head of `*source`. True: go on with `*source`, which has become
 * the one that the old one needs. */
static bool step(struct run *run, uint32_t *source, const struct head *head)
{
    struct ydoc *doc = run->doc;
    const struct source *src = &doc->sources.p[*source];
    struct missing needed;
    uint32_t other;
    struct head unused;

    if (head->s.ref == WIRE_SKIP) {
        advance(run, *source, head);
        return false;
    }
    if (head->s.clock > src->state) {
        note_missing(run, src->client, head->s.clock - 1);
        push(run, *source);
        block_stack(run);
        return false;
    }
    if (!find_missing(run, &head->s, &needed)) {
        integrate_head(run, *source, head);
        return false;
    }
    push(run, *source);
    other = find_source(doc, needed.client);
    /* Two clients that wait for each other wait for ever. */
    if (other == doc->sources.n || doc->sources.p[other].stacked || !peek(run, other, &unused)) {
        note_missing(run, needed.client, schedule_state_of(run, needed.client));
        block_stack(run);
        return false;
    }
    /* The one that waits would be looked at after each struct of the other, and
     * wait on. */
    run_ahead(run, other, needed.clock);
    if (doc->sources.p[other].state > needed.clock || !peek(run, other, &unused))
        return false;
    *source = other;
    return true;
}

static bool next_source(struct run *run, uint32_t *source, struct head *head)
{
    struct ydoc *doc = run->doc;

    if (doc->stack.n > 0) {
        *source = doc->stack.p[--doc->stack.n];
        doc->sources.p[*source].stacked = false;
        return peek(run, *source, head);
    }
    for (; run->target < doc->sources.n; run->target++) {
        run_ahead(run, run->target, UINT32_MAX);
        if (peek(run, run->target, head)) {
            *source = run->target;
            return true;
        }
    }
    return false;
}

void schedule_run(struct run *run)
{
    struct head head;
    uint32_t source;

    run->doc->stack.n = 0;
    while (next_source(run, &source, &head)) {
        while (step(run, &source, &head)) {
            bool more = peek(run, source, &head);

            assert(more);
            (void)more;
        }
    }
}
