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

/* The next struct of a source, and the source as it is after it. */
struct head {
    struct wire_struct s;
    struct wire_section after;
};

/* Clients descending, the sections of one client as they stand in the update. */
static bool source_before(const struct source *a, const struct source *b)
{
    return a->client > b->client || (a->client == b->client && a->p < b->p);
}

static void sort_sources(struct source *v, uint32_t n)
{
    uint32_t sorted = 1;

    while (sorted < n && !source_before(&v[sorted], &v[sorted - 1]))
        sorted++;
    if (sorted >= n)
        return;
    for (uint32_t built = n / 2, end = n; end > 1;) {
        struct source s;
        uint32_t i;

        if (built > 0) {
            i = --built;
            s = v[i];
        } else {
            s = v[--end];
            v[end] = v[0];
            i = 0;
        }
        for (;;) {
            uint32_t child = 2 * i + 1;

            if (child >= end)
                break;
            if (child + 1 < end && source_before(&v[child], &v[child + 1]))
                child++;
            if (!source_before(&s, &v[child]))
                break;
            v[i] = v[child];
            i = child;
        }
        v[i] = s;
    }
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

struct lib0_reader schedule_load(struct ydoc *doc, const uint8_t *update, size_t len,
                                 size_t deletes_at)
{
    struct lib0_reader r;
    uint64_t n;

    doc->sources.n = 0;
    lib0_reader_init(&r, update, len);
    for (n = lib0_read_varuint(&r); n > 0; n--) {
        struct wire_section section;
        struct wire_struct s;

        wire_read_section(&r, &section);
        if (section.left > 0)
            add_source(doc, &section);
        if (n == 1 && deletes_at > 0) {
            r.p = r.base + deletes_at;
            break;
        }
        while (wire_next(&r, &section, &s, WIRE_NESTING_OURS))
            ;
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
    head->after.p = src->p;
    head->after.client = src->client;
    head->after.clock = src->clock;
    head->after.left = src->left;
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

/* Yjs's getMissing, first half: the first other client that must go ahead. */
static bool find_missing(const struct run *run, const struct wire_struct *s, uint64_t *client)
{
    if (s->ref == WIRE_GC)
        return false;
    *client = s->origin_client;
    if ((s->info & WIRE_HAS_ORIGIN) && *client != s->client &&
        s->origin_clock >= schedule_state_of(run, *client))
        return true;
    *client = s->right_client;
    if ((s->info & WIRE_HAS_RIGHT) && *client != s->client &&
        s->right_clock >= schedule_state_of(run, *client))
        return true;
    *client = s->parent_client;
    return !wire_has_ids(s) && !s->root && *client != s->client &&
           s->parent_clock >= schedule_state_of(run, *client);
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

static void integrate_head(const struct run *run, uint32_t source, const struct head *head)
{
    struct source *src = &run->doc->sources.p[source];

    if (!run->dry) {
        if (src->number == CLIENT_UNKNOWN)
            src->number = store_add_client(run->doc, src->client);
        store_integrate(run->doc, &head->s, src->number);
    }
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
    uint64_t needed;
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
    other = find_source(doc, needed);
    /* Two clients that wait for each other wait for ever. */
    if (other == doc->sources.n || doc->sources.p[other].stacked || !peek(run, other, &unused)) {
        note_missing(run, needed, schedule_state_of(run, needed));
        block_stack(run);
        return false;
    }
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
