/* oracle_past - the oracle's commands for snapshots and relative positions.
 * docs/ydoc-oracle.md says what each takes and gives. */
#include <stdio.h>
#include <string.h>

#include "ydoc/text.h"
#include "ydoc_cli/oracle.h"

struct past {
    struct ydoc *doc;
    struct ydoc_slice part[3];
    struct ydoc_snapshot *snapshot, *before;
    struct ydoc_buf *out;
    bool entries, more;
};

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void add_part(struct ydoc_buf *out, const struct ydoc_buf *part)
{
    uint8_t n[4] = {(uint8_t)part->len, (uint8_t)(part->len >> 8), (uint8_t)(part->len >> 16),
                    (uint8_t)(part->len >> 24)};

    ydoc_buf_append(out, n, 4);
    ydoc_buf_append(out, part->p, part->len);
}

static bool read_parts(struct past *j, struct ydoc_slice payload, uint32_t n)
{
    size_t at = 4;

    if (payload.len < 4 || get_u32(payload.p) != n)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (payload.len - at < 4 || payload.len - at - 4 < get_u32(payload.p + at))
            return false;
        j->part[i].len = get_u32(payload.p + at);
        j->part[i].p = payload.p + at + 4;
        at += 4 + j->part[i].len;
    }
    return true;
}

static int open_snapshot(struct ydoc_snapshot **s, struct ydoc_slice bytes)
{
    return bytes.len == 0 ? 0 : ydoc_snapshot_decode_v1(s, bytes.p, bytes.len, NULL, NULL);
}

static void tell_user(struct ydoc_buf *json, bool removed, const struct ydoc_id *id, void *ctx)
{
    char s[80];

    (void)ctx;
    snprintf(s, sizeof(s), "{\"user\":%llu,\"type\":\"%s\"}", (unsigned long long)id->client,
             removed ? "removed" : "added");
    ydoc_buf_append(json, s, strlen(s));
}

static int read_delta(struct past *j, bool users)
{
    struct ydoc_at at = {NULL, NULL, users ? tell_user : NULL, NULL};
    ydoc_type type;
    int rc = ydoc_root(j->doc, j->part[0], YDOC_KIND_TEXT, &type);

    if (rc == 0)
        rc = open_snapshot(&j->snapshot, j->part[1]);
    if (rc == 0)
        rc = open_snapshot(&j->before, j->part[2]);
    at.snapshot = j->snapshot;
    at.before = j->before;
    return rc == 0 ? ydoc_text_delta_at(j->doc, type, &at, j->out) : rc;
}

static int read_string(struct past *j)
{
    ydoc_type type;
    int rc = ydoc_root(j->doc, j->part[0], YDOC_KIND_TEXT, &type);

    if (rc == 0)
        rc = open_snapshot(&j->snapshot, j->part[1]);
    return rc == 0 ? ydoc_text_string_at(j->doc, type, j->snapshot, j->out) : rc;
}

static void write_value(struct ydoc_buf *out, const struct ydoc_value *value)
{
    struct lib0_reader r;
    char s[32];

    if (value->tag == YDOC_VALUE_TYPE) {
        snprintf(s, sizeof(s), "{\"$type\":%d}", (int)value->kind);
        ydoc_buf_append(out, s, strlen(s));
    } else if (value->tag == YDOC_VALUE_ANY) {
        lib0_reader_init(&r, value->any.p, value->any.len);
        text_write_any(out, &r, TEXT_TAGGED);
    } else if (value->tag == YDOC_VALUE_BYTES) {
        ydoc_buf_append(out, "{\"$bin\":", 8);
        text_write_base64(out, value->any);
        ydoc_buf_append(out, "}", 1);
    } else if (value->tag == YDOC_VALUE_STRING) {
        text_write_string(out, value->any);
    } else {
        ydoc_buf_append(out, value->any.p, value->any.len);
    }
}

static int on_entry(struct ydoc_slice key, const struct ydoc_value *value, void *ctx)
{
    struct past *j = ctx;

    if (j->more)
        ydoc_buf_append(j->out, ",", 1);
    j->more = true;
    if (j->entries) {
        text_write_string(j->out, key);
        ydoc_buf_append(j->out, ":", 1);
    }
    write_value(j->out, value);
    return 0;
}

static int read_values(struct past *j)
{
    enum ydoc_kind kind = j->part[0].len == 1 ? (enum ydoc_kind)j->part[0].p[0] : YDOC_KIND_UNKNOWN;
    ydoc_type type;
    int rc = ydoc_root(j->doc, j->part[1], kind, &type);

    if (rc == 0)
        rc = open_snapshot(&j->snapshot, j->part[2]);
    if (rc != 0)
        return rc;
    j->entries = kind == YDOC_KIND_MAP;
    ydoc_buf_append(j->out, j->entries ? "{" : "[", 1);
    rc = j->entries ? ydoc_map_each_at(j->doc, type, j->snapshot, on_entry, j)
                    : ydoc_list_each_at(j->doc, type, j->snapshot, on_entry, j);
    ydoc_buf_append(j->out, j->entries ? "}" : "]", 1);
    return rc;
}

static int restore(struct past *j, struct ydoc_slice payload)
{
    struct ydoc_options options = {0};
    struct ydoc *then = NULL;
    struct ydoc_slice bytes = {payload.p + 1, payload.len - 1};
    int rc = payload.len < 2 ? YDOC_EMALFORMED : open_snapshot(&j->snapshot, bytes);

    if (rc == 0) {
        options.keep_deleted = payload.p[0] == 0;
        rc = ydoc_new_from_snapshot(&then, j->doc, j->snapshot, &options, NULL);
    }
    if (rc == 0)
        rc = ydoc_encode_state_v1(then, NULL, 0, j->out, NULL);
    ydoc_free(then);
    return rc;
}

static int contains(struct past *j, bool v2)
{
    int rc = open_snapshot(&j->snapshot, j->part[0]);
    uint8_t answer;

    if (rc == 0)
        rc = v2 ? ydoc_snapshot_contains_update_v2(j->snapshot, j->part[1].p, j->part[1].len, NULL,
                                                   NULL)
                : ydoc_snapshot_contains_update_v1(j->snapshot, j->part[1].p, j->part[1].len, NULL,
                                                   NULL);
    if (rc < 0)
        return rc;
    answer = (uint8_t)rc;
    ydoc_buf_append(j->out, &answer, 1);
    return 0;
}

static int recode(struct past *j, struct ydoc_slice payload)
{
    struct ydoc_buf part[2];
    int rc = YDOC_EMALFORMED;

    if (payload.len > 0)
        rc =
            payload.p[0] == 2
                ? ydoc_snapshot_decode_v2(&j->snapshot, payload.p + 1, payload.len - 1, NULL, NULL)
                : ydoc_snapshot_decode_v1(&j->snapshot, payload.p + 1, payload.len - 1, NULL, NULL);
    if (rc != 0)
        return rc;
    ydoc_buf_init(&part[0], NULL);
    ydoc_buf_init(&part[1], NULL);
    rc = ydoc_snapshot_encode_v1(j->snapshot, &part[0]);
    if (rc == 0)
        rc = ydoc_snapshot_encode_v2(j->snapshot, &part[1]);
    ydoc_buf_append(j->out, "\2\0\0\0", 4);
    add_part(j->out, &part[0]);
    add_part(j->out, &part[1]);
    ydoc_buf_fini(&part[0]);
    ydoc_buf_fini(&part[1]);
    return rc;
}

static int position_to_json(struct ydoc_slice bytes, struct ydoc_buf *out)
{
    struct ydoc_relpos pos;
    int rc = ydoc_relpos_decode(&pos, bytes.p, bytes.len, NULL);

    return rc == 0 ? ydoc_relpos_to_json(&pos, out) : rc;
}

static int position_from_json(struct ydoc_slice json, struct ydoc_buf *out)
{
    struct ydoc_relpos pos;
    struct ydoc_buf name;
    int rc;

    ydoc_buf_init(&name, NULL);
    rc = ydoc_relpos_from_json(&pos, json, &name, NULL);
    if (rc == 0)
        rc = ydoc_relpos_encode(&pos, out);
    ydoc_buf_fini(&name);
    return rc;
}

/* `u8 kind, u8 name length, name, i32le index, i8 assoc`. */
static int make_position(struct oracle *o, struct ydoc_slice in)
{
    struct ydoc_relpos pos;
    struct ydoc_slice name;
    ydoc_type type;
    int rc;

    if (in.len < 7 || in.len - 7 != in.p[1])
        return oracle_refuse(o, "a kind, a name, an index and an assoc are wanted");
    if (get_u32(in.p + in.len - 5) > INT32_MAX)
        return oracle_refuse(o, "the index is below 0");
    name.p = in.p + 2;
    name.len = in.p[1];
    rc = ydoc_root(o->doc, name, (enum ydoc_kind)in.p[0], &type);
    if (rc == 0)
        rc = ydoc_relpos_from_index(o->doc, type, get_u32(in.p + in.len - 5),
                                    (int8_t)in.p[in.len - 1], &pos);
    return rc == 0 ? ydoc_relpos_encode(&pos, &o->out) : rc;
}

static int resolve_position(struct oracle *o, struct ydoc_slice in)
{
    struct ydoc_position at;
    struct ydoc_relpos pos;
    int rc = ydoc_relpos_decode(&pos, in.p, in.len, &o->err);
    uint8_t index[4];

    if (rc == 0)
        rc = ydoc_relpos_resolve(o->doc, &pos, true, &at);
    if (rc != 0 && rc != YDOC_ENOENT)
        return rc;
    if (rc != 0)
        at.index = UINT32_MAX;
    for (size_t i = 0; i < 4; i++)
        index[i] = (uint8_t)(at.index >> 8 * i);
    ydoc_buf_append(&o->out, index, 4);
    return 0;
}

static int positions(struct oracle *o, uint8_t command, struct ydoc_slice in)
{
    switch (command) {
    case 'R':
        return make_position(o, in);
    case 'Q':
        return resolve_position(o, in);
    case 'Z':
        return position_to_json(in, &o->out);
    default:
        return position_from_json(in, &o->out);
    }
}

static int snapshots(struct past *j, uint8_t command, struct ydoc_slice in)
{
    switch (command) {
    case 'A':
    case 'a':
        return read_delta(j, command == 'a');
    case 'B':
        return read_string(j);
    case 'G':
        return restore(j, in);
    case 'H':
        return read_values(j);
    case 'W':
        return recode(j, in);
    default:
        return contains(j, command == 'o');
    }
}

int oracle_past(struct oracle *o, uint8_t command, const uint8_t *p, size_t len)
{
    static const char all[] = "RQZzAaBHOoGW", parts[] = "000033232200";
    const char *at = command != 0 ? strchr(all, command) : NULL;
    struct ydoc_slice in = {p, len};
    struct past j = {0};
    uint32_t n;
    int rc;

    if (at == NULL)
        return oracle_refuse(o, "unknown command");
    if (o->doc == NULL)
        return oracle_refuse(o, "no document: N makes one");
    if (strchr("RQZz", command) != NULL)
        return positions(o, command, in);
    n = (uint32_t)(parts[at - all] - '0');
    if (n > 0 && !read_parts(&j, in, n))
        return oracle_refuse(o, "a list of %u is wanted", n);
    j.doc = o->doc;
    j.out = &o->out;
    rc = snapshots(&j, command, in);
    ydoc_snapshot_free(j.snapshot);
    ydoc_snapshot_free(j.before);
    return rc;
}
