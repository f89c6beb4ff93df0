/* oracle_snapshots - see oracle_snapshots.h. */
#include "ydoc_cli/oracle_snapshots.h"

#include <stdio.h>
#include <string.h>

#include "ydoc/events.h"
#include "ydoc_cli/oracle.h"

struct past {
    struct ydoc *doc;
    struct ydoc_slice part[3];
    struct ydoc_snapshot *snapshot, *before;
    struct ydoc_buf *out;
    bool entries, more;
};

static void add_part(struct ydoc_buf *out, const struct ydoc_buf *part)
{
    oracle_add_u32(out, (uint32_t)part->len);
    ydoc_buf_append(out, part->p, part->len);
}

static bool read_parts(struct past *j, struct ydoc_slice payload, uint32_t n)
{
    size_t at = 4;

    if (payload.len < 4 || oracle_get_u32(payload.p) != n)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (!oracle_next_part(payload, &at, &j->part[i]))
            return false;
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

static void write_value(const struct past *j, const struct ydoc_value *value)
{
    char s[32];

    if (value->tag != YDOC_VALUE_TYPE) {
        event_write_value(j->doc, value, TEXT_TAGGED, j->out);
        return;
    }
    snprintf(s, sizeof(s), "{\"$type\":%d}", (int)value->kind);
    ydoc_buf_append(j->out, s, strlen(s));
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
    write_value(j, value);
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

int oracle_snapshots(struct ydoc *doc, uint8_t command, struct ydoc_slice payload,
                     struct ydoc_buf *out)
{
    static const char lists[] = "AaBHIi", parts[] = "332322";
    const char *at = command != 0 ? strchr(lists, command) : NULL;
    struct past j = {0};
    int rc = YDOC_EMALFORMED;

    j.doc = doc;
    j.out = out;
    if (at != NULL && !read_parts(&j, payload, (uint32_t)(parts[at - lists] - '0')))
        return YDOC_EMALFORMED;
    if (command == 'A' || command == 'a')
        rc = read_delta(&j, command == 'a');
    else if (command == 'B')
        rc = read_string(&j);
    else if (command == 'G')
        rc = restore(&j, payload);
    else if (command == 'H')
        rc = read_values(&j);
    else if (command == 'I' || command == 'i')
        rc = contains(&j, command == 'i');
    else if (command == 'W')
        rc = recode(&j, payload);
    else if (command == 'Z')
        rc = position_to_json(payload, out);
    else if (command == 'z')
        rc = position_from_json(payload, out);
    ydoc_snapshot_free(j.snapshot);
    ydoc_snapshot_free(j.before);
    return rc;
}
