/* oracle - the library behind a line protocol, so that any language can hold it
 * against the real Yjs. docs/ydoc-oracle.md is the protocol: u32le n, a command
 * byte, n - 1 bytes of payload; u32le n, a status byte (0 done, 1 refused), the
 * result or the error's words.
 */
#include "ydoc_cli/oracle.h"

#include "ydoc/read.h"
#include "ydoc_cli/oracle_snapshots.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_BYTES_MAX (256u << 20)

uint32_t oracle_get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void oracle_add_u32(struct ydoc_buf *b, uint32_t v)
{
    uint8_t p[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};

    ydoc_buf_append(b, p, 4);
}

int oracle_refuse(struct oracle *o, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(o->err.msg, sizeof(o->err.msg), fmt, args);
    va_end(args);
    return YDOC_EMALFORMED;
}

static void close_doc(struct oracle *o)
{
    ydoc_undo_free(o->undo);
    o->undo = NULL;
    ydoc_free(o->doc);
    o->doc = NULL;
    ydoc_buf_reset(&o->emitted);
    o->emitted_n = 0;
    ydoc_buf_reset(&o->events);
    ydoc_buf_reset(&o->calls);
}

static void on_update(struct ydoc *doc, struct ydoc_slice update, const void *origin, void *ctx)
{
    struct oracle *o = ctx;

    (void)doc;
    (void)origin;
    oracle_add_u32(&o->emitted, (uint32_t)update.len);
    ydoc_buf_append(&o->emitted, update.p, update.len);
    o->emitted_n++;
}

/* The next of the declared roots, `u8 kind, u8 length, name` each; false at the end. */
bool oracle_next_root(const struct oracle *o, size_t *at, struct ydoc_slice *name,
                      enum ydoc_kind *kind)
{
    const struct ydoc_buf *b = &o->roots;

    if (b->len - *at < 2 || b->len - *at - 2 < b->p[*at + 1])
        return false;
    *kind = (enum ydoc_kind)b->p[*at];
    name->p = b->p + *at + 2;
    name->len = b->p[*at + 1];
    *at += 2 + name->len;
    return true;
}

static int declare_roots(const struct oracle *o, struct ydoc *doc)
{
    struct ydoc_slice name;
    enum ydoc_kind kind;
    ydoc_type type;
    size_t at = 0;
    int rc = 0;

    while (rc == 0 && oracle_next_root(o, &at, &name, &kind))
        rc = ydoc_root(doc, name, kind, &type);
    return rc;
}

/* Checks `u8 n` and n roots, and keeps them. */
static int take_roots(struct oracle *o, const uint8_t *p, size_t len)
{
    struct ydoc_slice name;
    enum ydoc_kind kind;
    size_t at = 0;
    unsigned n = 0;

    ydoc_buf_reset(&o->roots);
    if (len == 0)
        return 0;
    ydoc_buf_append(&o->roots, p + 1, len - 1);
    while (oracle_next_root(o, &at, &name, &kind)) {
        n++;
        if (kind > YDOC_KIND_XML_TEXT || kind == YDOC_KIND_XML_HOOK)
            return oracle_refuse(o, "root %u: no kind is %d", n, (int)kind);
    }
    if (n != p[0] || at != o->roots.len)
        return oracle_refuse(o, "%u roots are announced and %u are there", p[0], n);
    return o->roots.failed ? YDOC_ENOMEM : 0;
}

int oracle_new_doc(const struct oracle *o, struct ydoc **doc)
{
    struct ydoc_options options = {.keep_deleted = !o->gc, .client_id = ORACLE_CLIENT};
    int rc = ydoc_new(doc, &options);

    if (rc == 0)
        rc = declare_roots(o, *doc);
    if (rc != 0) {
        ydoc_free(*doc);
        *doc = NULL;
    }
    return rc;
}

static int new_doc(struct oracle *o, const uint8_t *p, size_t len)
{
    int rc;

    if (len < 1)
        return oracle_refuse(o, "no payload");
    close_doc(o);
    o->gc = p[0] != 0;
    rc = take_roots(o, p + 1, len - 1);
    if (rc == 0)
        rc = oracle_new_doc(o, &o->doc);
    if (rc == 0)
        rc = ydoc_observe_updates(o->doc, 1, on_update, o);
    return rc < 0 ? rc : 0;
}

static int emitted(struct oracle *o, const uint8_t *p, size_t len)
{
    (void)p, (void)len;
    oracle_add_u32(&o->out, o->emitted_n);
    ydoc_buf_append(&o->out, o->emitted.p, o->emitted.len);
    ydoc_buf_reset(&o->emitted);
    o->emitted_n = 0;
    return 0;
}

bool oracle_next_part(struct ydoc_slice list, size_t *at, struct ydoc_slice *part)
{
    size_t left = list.len - *at;

    if (left < 4 || left - 4 < oracle_get_u32(list.p + *at))
        return false;
    part->p = list.p + *at + 4;
    part->len = oracle_get_u32(list.p + *at);
    *at += 4 + part->len;
    return true;
}

/* Reads a list into `*list`, which the caller frees; the number, or -1. */
static long read_list(const uint8_t *p, size_t len, struct ydoc_slice **list)
{
    struct ydoc_slice bytes = {p, len};
    uint32_t n;
    size_t at = 4;

    *list = NULL;
    if (len < 4 || (n = oracle_get_u32(p)) > len / 4)
        return -1;
    *list = calloc((size_t)n + 1, sizeof(**list));
    if (*list == NULL)
        return -1;
    for (uint32_t i = 0; i < n; i++) {
        if (!oracle_next_part(bytes, &at, &(*list)[i]))
            return -1;
    }
    return (long)n;
}

/* Commands that come once for each format: upper case v1, lower case v2. */
typedef int (*merge_fn)(const struct ydoc_slice *updates, size_t n, struct ydoc_buf *out,
                        struct ydoc_error *err);
typedef int (*diff_fn)(const uint8_t *update, size_t len, const uint8_t *sv, size_t sv_len,
                       struct ydoc_buf *out, struct ydoc_error *err);

static int merge(struct oracle *o, const uint8_t *p, size_t len, merge_fn fn)
{
    struct ydoc_slice *list;
    long n = read_list(p, len, &list);
    int rc = n < 0 ? oracle_refuse(o, "bad list") : fn(list, (size_t)n, &o->out, &o->err);

    free(list);
    return rc;
}

static int merge_v1(struct oracle *o, const uint8_t *p, size_t len)
{
    return merge(o, p, len, ydoc_merge_updates_v1);
}

static int merge_v2(struct oracle *o, const uint8_t *p, size_t len)
{
    return merge(o, p, len, ydoc_merge_updates_v2);
}

static int diff(struct oracle *o, const uint8_t *p, size_t len, diff_fn fn)
{
    struct ydoc_slice *list;
    int rc = read_list(p, len, &list) != 2
                 ? oracle_refuse(o, "a list of two is wanted: an update, a state vector")
                 : fn(list[0].p, list[0].len, list[1].p, list[1].len, &o->out, &o->err);

    free(list);
    return rc;
}

static int diff_v1(struct oracle *o, const uint8_t *p, size_t len)
{
    return diff(o, p, len, ydoc_diff_update_v1);
}

static int diff_v2(struct oracle *o, const uint8_t *p, size_t len)
{
    return diff(o, p, len, ydoc_diff_update_v2);
}

/* A root that no update has named reads as an empty one. */
static int read_root(struct oracle *o, const uint8_t *p, size_t len)
{
    static const char *const empty[] = {"[]",
                                        "{\"$map\":{}}",
                                        "{\"$text\":[]}",
                                        "{\"$el\":\"UNDEFINED\",\"a\":{},\"c\":[]}",
                                        "{\"$frag\":[]}",
                                        "",
                                        "{\"$xtext\":[]}"};
    struct ydoc_slice name = {p + 1, len - 1};
    ydoc_type type;
    int rc;

    if (len < 1 || p[0] > 6 || p[0] == 5)
        return oracle_refuse(o, "bad kind");
    rc = ydoc_root(o->doc, name, (enum ydoc_kind)p[0], &type);
    if (rc != 0)
        return rc;
    rc = ydoc__read_root(o->doc, name, (enum ydoc_kind)p[0], TEXT_TAGGED, &o->out);
    if (rc != YDOC_ENOENT)
        return rc;
    ydoc_buf_append(&o->out, empty[p[0]], strlen(empty[p[0]]));
    return 0;
}

/* The origin of what is applied: no undo manager tracks it. */
static const char remote[] = "remote";

static int apply_v1(struct oracle *o, const uint8_t *p, size_t len)
{
    return ydoc_apply_v1_from(o->doc, p, len, remote, &o->err);
}

static int state_vector(struct oracle *o, const uint8_t *p, size_t len)
{
    (void)p, (void)len;
    return ydoc_encode_state_vector(o->doc, &o->out);
}

static int encode_v1(struct oracle *o, const uint8_t *p, size_t len)
{
    return ydoc_encode_state_v1(o->doc, len > 0 ? p : NULL, len, &o->out, &o->err);
}

static int update_sv_v1(struct oracle *o, const uint8_t *p, size_t len)
{
    return ydoc_state_vector_from_update_v1(p, len, &o->out, &o->err);
}

static int apply_v2(struct oracle *o, const uint8_t *p, size_t len)
{
    return ydoc_apply_v2_from(o->doc, p, len, remote, &o->err);
}

static int encode_v2(struct oracle *o, const uint8_t *p, size_t len)
{
    return ydoc_encode_state_v2(o->doc, len > 0 ? p : NULL, len, &o->out, &o->err);
}

static int update_sv_v2(struct oracle *o, const uint8_t *p, size_t len)
{
    return ydoc_state_vector_from_update_v2(p, len, &o->out, &o->err);
}

static int convert_v1_to_v2(struct oracle *o, const uint8_t *p, size_t len)
{
    return ydoc_convert_v1_to_v2(p, len, &o->out, &o->err);
}

static int convert_v2_to_v1(struct oracle *o, const uint8_t *p, size_t len)
{
    return ydoc_convert_v2_to_v1(p, len, &o->out, &o->err);
}

static int snapshot_v1(struct oracle *o, const uint8_t *p, size_t len)
{
    (void)p, (void)len;
    return ydoc_encode_snapshot_v1(o->doc, &o->out);
}

static int snapshot_v2(struct oracle *o, const uint8_t *p, size_t len)
{
    (void)p, (void)len;
    return ydoc_encode_snapshot_v2(o->doc, &o->out);
}

static int pending(struct oracle *o, const uint8_t *p, size_t len)
{
    uint8_t bits[2];

    (void)p, (void)len;
    bits[0] = ydoc_has_pending_structs(o->doc);
    bits[1] = ydoc_has_pending_deletes(o->doc);
    ydoc_buf_append(&o->out, bits, 2);
    return 0;
}

/* `u8 kind, u8 name length, name, i32le index, i8 assoc`. */
static int make_position(struct oracle *o, const uint8_t *p, size_t len)
{
    struct ydoc_relpos pos;
    struct ydoc_slice name;
    ydoc_type type;
    int rc;

    if (len < 7 || len - 7 != p[1] || oracle_get_u32(p + len - 5) > INT32_MAX)
        return oracle_refuse(o, "a kind, a name, an index and an assoc are wanted");
    name.p = p + 2;
    name.len = p[1];
    rc = ydoc_root(o->doc, name, (enum ydoc_kind)p[0], &type);
    if (rc == 0)
        rc = ydoc_relpos_from_index(o->doc, type, oracle_get_u32(p + len - 5), (int8_t)p[len - 1],
                                    &pos);
    return rc == 0 ? ydoc_relpos_encode(&pos, &o->out) : rc;
}

static int resolve_position(struct oracle *o, const uint8_t *p, size_t len)
{
    struct ydoc_position at;
    struct ydoc_relpos pos;
    int rc = ydoc_relpos_decode(&pos, p, len, &o->err);

    if (rc == 0)
        rc = ydoc_relpos_resolve(o->doc, &pos, true, &at);
    if (rc != 0 && rc != YDOC_ENOENT)
        return rc;
    oracle_add_u32(&o->out, rc == 0 ? at.index : UINT32_MAX);
    return 0;
}

static const struct {
    char command;
    bool needs_doc;
    int (*run)(struct oracle *o, const uint8_t *p, size_t len);
} handlers[] = {
    {'O', true, oracle_observe_events},
    {'o', true, oracle_take_events},
    {'N', false, new_doc},
    {'1', true, apply_v1},
    {'S', true, state_vector},
    {'E', true, encode_v1},
    {'J', true, read_root},
    {'U', true, emitted},
    {'M', false, merge_v1},
    {'D', false, diff_v1},
    {'V', false, update_sv_v1},
    {'P', true, pending},
    {'T', true, oracle_edit},
    {'2', true, apply_v2},
    {'F', true, encode_v2},
    {'m', false, merge_v2},
    {'d', false, diff_v2},
    {'v', false, update_sv_v2},
    {'C', false, convert_v1_to_v2},
    {'c', false, convert_v2_to_v1},
    {'R', true, make_position},
    {'Q', true, resolve_position},
    {'X', true, snapshot_v1},
    {'Y', true, snapshot_v2},
    {'K', true, oracle_undo},
};

static int handle(struct oracle *o, uint8_t command, const uint8_t *p, size_t len)
{
    struct ydoc_slice payload = {p, len};

    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (handlers[i].command != (char)command)
            continue;
        if (handlers[i].needs_doc && o->doc == NULL)
            return oracle_refuse(o, "no document: N makes one");
        return handlers[i].run(o, p, len);
    }
    if (command == 0 || strchr(ORACLE_SNAPSHOT_COMMANDS, command) == NULL)
        return oracle_refuse(o, "unknown command");
    if (o->doc == NULL)
        return oracle_refuse(o, "no document: N makes one");
    return oracle_snapshots(o->doc, command, payload, &o->out);
}

static void answer(const struct oracle *o, int rc)
{
    const char *words = o->err.msg[0] != '\0' ? o->err.msg : ydoc_strerror(rc);
    size_t len = rc == 0 ? o->out.len : strlen(words);
    uint8_t head[5] = {0};

    head[0] = (uint8_t)(len + 1);
    head[1] = (uint8_t)((len + 1) >> 8);
    head[2] = (uint8_t)((len + 1) >> 16);
    head[3] = (uint8_t)((len + 1) >> 24);
    head[4] = rc != 0;
    fwrite(head, 1, 5, stdout);
    if (len > 0)
        fwrite(rc == 0 ? (const void *)o->out.p : words, 1, len, stdout);
    fflush(stdout);
}

int command_oracle(void)
{
    struct oracle o = {0};
    uint8_t head[4];
    int status = COMMAND_OK;

    ydoc_buf_init(&o.out, NULL);
    ydoc_buf_init(&o.emitted, NULL);
    ydoc_buf_init(&o.roots, NULL);
    ydoc_buf_init(&o.events, NULL);
    ydoc_buf_init(&o.calls, NULL);
    while (fread(head, 1, 4, stdin) == 4) {
        uint32_t n = oracle_get_u32(head);
        uint8_t *request = n > 0 && n <= REQUEST_BYTES_MAX ? malloc(n) : NULL;
        int rc;

        if (request == NULL || fread(request, 1, n, stdin) != n) {
            free(request);
            status = COMMAND_SYSTEM;
            break;
        }
        ydoc_buf_reset(&o.out);
        o.err.msg[0] = '\0';
        rc = handle(&o, request[0], request + 1, n - 1);
        answer(&o, rc);
        free(request);
    }
    close_doc(&o);
    ydoc_buf_fini(&o.out);
    ydoc_buf_fini(&o.emitted);
    ydoc_buf_fini(&o.roots);
    ydoc_buf_fini(&o.events);
    ydoc_buf_fini(&o.calls);
    return status;
}
