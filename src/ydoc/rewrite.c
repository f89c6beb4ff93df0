/* rewrite - one update read and written again, without a document: diff,
 * conversion between the formats, state vector, and only checking.
 *
 * One pass: what is wrong shows while it is read, and then what was written of
 * the result is taken back.
 */
#include "ydoc/update.h"
#include "ydoc/update_writer.h"

#include <string.h>

struct ydoc_limits update_limits(enum wire_version version)
{
    struct ydoc_limits limits = ydoc__limits(NULL);

    if (version == WIRE_OURS) {
        limits.update_bytes_max = SIZE_MAX;
        limits.structs_max = UINT32_MAX;
        limits.clients_max = UINT32_MAX;
    }
    return limits;
}

static uint64_t end_of(const struct wire_struct *s)
{
    return (uint64_t)s->clock + s->len;
}

/* ---- diff --------------------------------------------------------------------- */

int ydoc_validate_state_vector(const uint8_t *sv, size_t len, struct ydoc_error *err)
{
    struct lib0_reader r;
    uint64_t n;

    lib0_reader_init(&r, sv, len);
    n = lib0_read_varuint(&r);
    if (n > lib0_left(&r) / 2)
        lib0_fail_at(&r, r.base, "more clients than bytes");
    for (uint64_t i = 0; i < n && r.why == NULL; i++) {
        lib0_read_varuint(&r);
        lib0_read_varuint(&r);
    }
    return lib0_error(&r, err);
}

/* A state vector for look-ups: sorted by client, kept in a dset whose `clock`
 * is the state (clamped: nothing we accept lies beyond 2^32-1). */
static int load_state_vector(struct dset *out, const uint8_t *sv, size_t len,
                             struct ydoc_error *err)
{
    struct lib0_reader r;
    uint64_t n;
    int rc = ydoc_validate_state_vector(sv, len, err);

    if (rc != 0)
        return rc;
    lib0_reader_init(&r, sv, len);
    n = lib0_read_varuint(&r);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t client = lib0_read_varuint(&r);
        uint64_t clock = lib0_read_varuint(&r);

        dset_add(out, client, clock > UINT32_MAX ? UINT32_MAX : (uint32_t)clock, 0);
    }
    dset_sort_clients(out);
    return out->failed ? ydoc__error(err, YDOC_ENOMEM, 0, "out of memory") : 0;
}

/* Of a client that is named twice the last entry counts, as in a JS Map. */
static uint32_t state_of(const struct dset *sv, uint64_t client)
{
    size_t lo = 0, hi = sv->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (sv->v[mid].client >= client)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo > 0 && sv->v[lo - 1].client == client ? sv->v[lo - 1].clock : 0;
}

static void diff_structs(struct wire_walk *walk, const struct dset *sv, struct update_writer *out)
{
    struct wire_struct s;
    bool more = wire_walk_next(walk, &s);

    while (more) {
        uint64_t client = s.client;
        uint32_t state = state_of(sv, client);

        while (more && s.client == client && (s.ref == WIRE_SKIP || end_of(&s) <= state))
            more = wire_walk_next(walk, &s);
        if (!more || s.client != client)
            continue;
        update_writer_add(out, &s, state > s.clock ? state - s.clock : 0);
        while ((more = wire_walk_next(walk, &s)) && s.client == client)
            update_writer_add(out, &s, 0);
    }
}

/* One update on its way through: open what it needs, and end it. */
struct pass {
    struct wire_walk walk;
    struct update_writer writer;
    struct dset deletes;
    struct ydoc_alloc alloc;
};

static void pass_begin(struct pass *p, const struct update_conversion *job,
                       const struct ydoc_alloc *alloc)
{
    struct wire_input in = {job->update, job->formats.from, job->limits, &p->alloc};

    p->alloc = ydoc__alloc_or_default(alloc);
    dset_init(&p->deletes, &p->alloc);
    update_writer_init(&p->writer, job->formats.to, &p->alloc);
    wire_walk_open(&p->walk, &in);
}

static int pass_end(struct pass *p, struct ydoc_buf *out, struct ydoc_error *err)
{
    int rc;

    dset_add_walk(&p->deletes, &p->walk);
    rc = wire_walk_error(&p->walk, err);
    if (rc == 0 && out != NULL) {
        size_t len_before = out->len;

        dset_sort_clients(&p->deletes);
        update_writer_finish(&p->writer, &p->deletes, out);
        rc = ydoc__buf_finish(out, len_before, err);
    }
    wire_walk_close(&p->walk);
    update_writer_fini(&p->writer);
    dset_fini(&p->deletes);
    return rc;
}

int update_diff(struct ydoc_slice update, struct ydoc_slice sv, struct update_formats formats,
                struct ydoc_buf *out, struct ydoc_error *err)
{
    struct ydoc_limits limits = update_limits(formats.from);
    struct update_conversion job = {update, formats, &limits};
    struct dset state;
    struct pass p;
    int rc;

    dset_init(&state, &out->alloc);
    rc = load_state_vector(&state, sv.p, sv.len, err);
    if (rc == 0) {
        pass_begin(&p, &job, &out->alloc);
        diff_structs(&p.walk, &state, &p.writer);
        rc = pass_end(&p, out, err);
    }
    dset_fini(&state);
    return rc;
}

int ydoc_diff_update_v1(const uint8_t *update, size_t len, const uint8_t *sv, size_t sv_len,
                        struct ydoc_buf *out, struct ydoc_error *err)
{
    struct update_formats formats = {WIRE_V1, WIRE_V1};
    struct ydoc_slice u = {update, len}, s = {sv, sv_len};

    return update_diff(u, s, formats, out, err);
}

int ydoc_diff_update_v2(const uint8_t *update, size_t len, const uint8_t *sv, size_t sv_len,
                        struct ydoc_buf *out, struct ydoc_error *err)
{
    struct update_formats formats = {WIRE_V2, WIRE_V2};
    struct ydoc_slice u = {update, len}, s = {sv, sv_len};

    return update_diff(u, s, formats, out, err);
}

/* ---- convert --------------------------------------------------------------------- */

/* `out` NULL: only checks. */
int update_convert(const struct update_conversion *job, struct ydoc_buf *out,
                   struct ydoc_error *err)
{
    struct wire_struct s;
    struct pass p;

    pass_begin(&p, job, out != NULL ? &out->alloc : NULL);
    while (wire_walk_next(&p.walk, &s)) {
        if (out != NULL)
            update_writer_add(&p.writer, &s, 0);
    }
    return pass_end(&p, out, err);
}

static int convert(struct ydoc_slice update, struct update_formats formats, struct ydoc_buf *out,
                   struct ydoc_error *err)
{
    struct ydoc_limits limits = update_limits(formats.from);
    struct update_conversion job = {update, formats, &limits};

    return update_convert(&job, out, err);
}

int ydoc_convert_v1_to_v2(const uint8_t *update, size_t len, struct ydoc_buf *out,
                          struct ydoc_error *err)
{
    struct update_formats formats = {WIRE_V1, WIRE_V2};
    struct ydoc_slice u = {update, len};

    return convert(u, formats, out, err);
}

int ydoc_convert_v2_to_v1(const uint8_t *update, size_t len, struct ydoc_buf *out,
                          struct ydoc_error *err)
{
    struct update_formats formats = {WIRE_V2, WIRE_V1};
    struct ydoc_slice u = {update, len};

    return convert(u, formats, out, err);
}

int ydoc_validate_update_v2(const uint8_t *update, size_t len, const struct ydoc_limits *limits,
                            struct ydoc_error *err)
{
    struct ydoc_limits l = ydoc__limits(limits);
    struct update_conversion job = {{update, len}, {WIRE_V2, WIRE_V2}, &l};

    return update_convert(&job, NULL, err);
}

/* ---- state vector ---------------------------------------------------------------- */

/* Yjs counts a Skip at clock 0 when it is the very first struct; elsewhere a
 * Skip ends the counting. */
static void count_states(struct wire_walk *walk, struct dset *found)
{
    struct wire_struct s;
    uint64_t clock = 0, client = 0;
    bool first = true, stopped = false;

    while (wire_walk_next(walk, &s)) {
        if (first || s.client != client) {
            if (clock > 0)
                dset_add(found, client, (uint32_t)clock, 0);
            client = s.client;
            stopped = s.clock != 0;
            clock = first && !stopped ? end_of(&s) : 0;
            first = false;
        }
        if (s.ref == WIRE_SKIP)
            stopped = true;
        if (!stopped)
            clock = end_of(&s);
    }
    if (clock > 0)
        dset_add(found, client, (uint32_t)clock, 0);
}

static int state_vector(struct ydoc_slice update, enum wire_version version, struct ydoc_buf *out,
                        struct ydoc_error *err)
{
    struct ydoc_limits limits = update_limits(version);
    struct update_conversion job = {update, {version, version}, &limits};
    size_t len_before = out->len;
    struct dset found;
    struct pass p;
    int rc;

    dset_init(&found, &out->alloc);
    pass_begin(&p, &job, &out->alloc);
    count_states(&p.walk, &found);
    rc = pass_end(&p, NULL, err);
    if (rc == 0) {
        lib0_write_varuint(out, found.n);
        for (size_t i = 0; i < found.n; i++) {
            lib0_write_varuint(out, found.v[i].client);
            lib0_write_varuint(out, found.v[i].clock);
        }
        out->failed = out->failed || found.failed;
        rc = ydoc__buf_finish(out, len_before, err);
    }
    dset_fini(&found);
    return rc;
}

int ydoc_state_vector_from_update_v1(const uint8_t *update, size_t len, struct ydoc_buf *out,
                                     struct ydoc_error *err)
{
    struct ydoc_slice u = {update, len};

    return state_vector(u, WIRE_V1, out, err);
}

int ydoc_state_vector_from_update_v2(const uint8_t *update, size_t len, struct ydoc_buf *out,
                                     struct ydoc_error *err)
{
    struct ydoc_slice u = {update, len};

    return state_vector(u, WIRE_V2, out, err);
}
