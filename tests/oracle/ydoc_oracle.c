/* ydoc_oracle - the library behind a line protocol, for differential tests
 * against the real Yjs.
 *
 * Request: u32le n, then a command byte and n - 1 bytes of payload. Answer:
 * u32le n, then a status byte (0 done, 1 refused) and the result or the
 * error's words. Commands: N new document, 1 apply, S state vector, E encode,
 * U updates since the last U, M merge, D diff, V state vector of an update,
 * P pending, J root as JSON, O record events, o events since the last o.
 * Others are refused.
 */
#include <ydoc.h>

#include "ydoc/events.h"
#include "ydoc/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_BYTES_MAX (256u << 20)

struct oracle {
    struct ydoc *doc;
    struct ydoc_buf emitted; /* u32le length, bytes; repeated */
    uint32_t emitted_n;
    struct ydoc_buf events, calls; /* JSON: of what is over, of the transaction being told */
    struct ydoc_buf out;
    struct ydoc_error err;
};

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void add_u32(struct ydoc_buf *b, uint32_t v)
{
    uint8_t p[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};

    ydoc_buf_append(b, p, 4);
}

static int refuse(struct oracle *o, const char *words)
{
    snprintf(o->err.msg, sizeof(o->err.msg), "%s", words);
    return YDOC_EMALFORMED;
}

static void on_update(struct ydoc *doc, struct ydoc_slice update, const void *origin, void *ctx)
{
    struct oracle *o = ctx;

    (void)doc;
    (void)origin;
    add_u32(&o->emitted, (uint32_t)update.len);
    ydoc_buf_append(&o->emitted, update.p, update.len);
    o->emitted_n++;
}

/* ---- events ---- */

static void add_text(struct ydoc_buf *b, const char *text)
{
    ydoc_buf_append(b, text, strlen(text));
}

static int add_event(struct ydoc_buf *b, struct ydoc *doc, struct ydoc_event *event)
{
    char kind[32];
    int rc;

    add_text(b, "{\"path\":");
    rc = ydoc_event_path_json(event, b);
    snprintf(kind, sizeof(kind),
             ",\"kind\":%d,\"delta\":", (int)ydoc_type_kind(doc, ydoc_event_target(event)));
    add_text(b, kind);
    rc = rc != 0 ? rc : ydoc__event_delta(event, TEXT_TAGGED, b);
    add_text(b, ",\"keys\":");
    rc = rc != 0 ? rc : ydoc__event_keys(event, TEXT_TAGGED, b);
    add_text(b, "}");
    return rc;
}

static void on_events(struct ydoc *doc, struct ydoc_event *const *events, size_t n, void *ctx)
{
    struct oracle *o = ctx;

    add_text(&o->calls, o->calls.len > 0 ? ",{\"root\":" : "{\"root\":");
    text_write_string(&o->calls, ydoc_type_name(doc, ydoc_event_current_target(events[0])));
    add_text(&o->calls, ",\"events\":[");
    for (size_t i = 0; i < n; i++) {
        add_text(&o->calls, i > 0 ? "," : "");
        if (add_event(&o->calls, doc, events[i]) != 0)
            abort();
    }
    add_text(&o->calls, "]}");
}

static void on_transaction(struct ydoc *doc, const struct ydoc_transaction *tx, void *ctx)
{
    struct oracle *o = ctx;

    (void)doc;
    if (o->calls.len == 0)
        return;
    add_text(&o->events, o->events.len > 0 ? ",{\"local\":" : "{\"local\":");
    add_text(&o->events, tx->local ? "true,\"calls\":[" : "false,\"calls\":[");
    ydoc_buf_append(&o->events, o->calls.p, o->calls.len);
    add_text(&o->events, "]}");
    ydoc_buf_reset(&o->calls);
}

static void add_guids(struct ydoc_buf *b, const struct ydoc_slice *guids, size_t n)
{
    add_text(b, "[");
    for (size_t i = 0; i < n; i++) {
        add_text(b, i > 0 ? "," : "");
        text_write_string(b, guids[i]);
    }
    add_text(b, "]");
}

static void on_subdocs(struct ydoc *doc, const struct ydoc_subdocs *subdocs, void *ctx)
{
    struct oracle *o = ctx;

    (void)doc;
    add_text(&o->events, o->events.len > 0 ? ",{\"added\":" : "{\"added\":");
    add_guids(&o->events, subdocs->added, subdocs->added_n);
    add_text(&o->events, ",\"removed\":");
    add_guids(&o->events, subdocs->removed, subdocs->removed_n);
    add_text(&o->events, ",\"loaded\":");
    add_guids(&o->events, subdocs->loaded, subdocs->loaded_n);
    add_text(&o->events, "}");
}

/* All roots that there are now. */
static int observe_events(struct oracle *o)
{
    struct ydoc_root root;
    uint32_t iter = 0;
    int rc = 0;

    while (rc >= 0 && ydoc_next_root(o->doc, &iter, &root)) {
        ydoc_type type;

        rc = ydoc_root(o->doc, root.name, YDOC_KIND_UNKNOWN, &type);
        if (rc == 0)
            rc = ydoc_observe_deep(o->doc, type, on_events, o);
    }
    if (rc >= 0)
        rc = ydoc_observe_transactions(o->doc, YDOC_AFTER_TRANSACTION, on_transaction, o);
    if (rc >= 0)
        rc = ydoc_observe_subdocs(o->doc, on_subdocs, o);
    return rc < 0 ? rc : 0;
}

static int take_events(struct oracle *o)
{
    add_text(&o->out, "[");
    ydoc_buf_append(&o->out, o->events.p, o->events.len);
    add_text(&o->out, "]");
    ydoc_buf_reset(&o->events);
    return 0;
}

/* ---- documents ---- */

/* `u8 n`, for each root `u8 kind, u8 length, name`. */
static int declare_roots(struct oracle *o, const uint8_t *p, size_t len)
{
    size_t at = 1;

    for (unsigned i = 0; len > 0 && i < p[0]; i++) {
        struct ydoc_slice name;
        ydoc_type type;
        int rc;

        if (len - at < 2 || len - at - 2 < p[at + 1])
            return refuse(o, "bad roots");
        name.p = p + at + 2;
        name.len = p[at + 1];
        rc = ydoc_root(o->doc, name, (enum ydoc_kind)p[at], &type);
        if (rc != 0)
            return rc;
        at += 2 + name.len;
    }
    return 0;
}

static int new_doc(struct oracle *o, const uint8_t *p, size_t len)
{
    struct ydoc_options options = {0};
    int rc;

    if (len < 1)
        return refuse(o, "no payload");
    options.keep_deleted = p[0] == 0;
    options.client_id = 4000000001u;
    ydoc_free(o->doc);
    ydoc_buf_reset(&o->emitted);
    ydoc_buf_reset(&o->events);
    ydoc_buf_reset(&o->calls);
    o->emitted_n = 0;
    rc = ydoc_new(&o->doc, &options);
    if (rc == 0)
        rc = declare_roots(o, p + 1, len - 1);
    if (rc == 0)
        rc = ydoc_observe_updates(o->doc, 1, on_update, o);
    return rc < 0 ? rc : 0;
}

static int emitted(struct oracle *o)
{
    add_u32(&o->out, o->emitted_n);
    ydoc_buf_append(&o->out, o->emitted.p, o->emitted.len);
    ydoc_buf_reset(&o->emitted);
    o->emitted_n = 0;
    return 0;
}

/* Reads a list into `*list`, which the caller frees; the number, or -1. */
static long read_list(const uint8_t *p, size_t len, struct ydoc_slice **list)
{
    uint32_t n;
    size_t at = 4;

    *list = NULL;
    if (len < 4 || (n = get_u32(p)) > len / 4)
        return -1;
    *list = calloc((size_t)n + 1, sizeof(**list));
    if (*list == NULL)
        return -1;
    for (uint32_t i = 0; i < n; i++) {
        if (len - at < 4 || len - at - 4 < get_u32(p + at))
            return -1;
        (*list)[i].len = get_u32(p + at);
        (*list)[i].p = p + at + 4;
        at += 4 + (*list)[i].len;
    }
    return (long)n;
}

static int on_lists(struct oracle *o, uint8_t command, const uint8_t *p, size_t len)
{
    struct ydoc_slice *list;
    long n = read_list(p, len, &list);
    int rc;

    if (n < 0 || (command == 'D' && n != 2))
        rc = refuse(o, "bad list");
    else if (command == 'M')
        rc = ydoc_merge_updates_v1(list, (size_t)n, &o->out, &o->err);
    else
        rc = ydoc_diff_update_v1(list[0].p, list[0].len, list[1].p, list[1].len, &o->out, &o->err);
    free(list);
    return rc;
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
        return refuse(o, "bad kind");
    rc = ydoc_root(o->doc, name, (enum ydoc_kind)p[0], &type);
    if (rc != 0)
        return rc;
    rc = ydoc__read_root(o->doc, name, (enum ydoc_kind)p[0], TEXT_TAGGED, &o->out);
    if (rc != YDOC_ENOENT)
        return rc;
    ydoc_buf_append(&o->out, empty[p[0]], strlen(empty[p[0]]));
    return 0;
}

static int handle(struct oracle *o, uint8_t command, const uint8_t *p, size_t len)
{
    uint8_t pending[2];

    if (command == 'N')
        return new_doc(o, p, len);
    if (command == 'M' || command == 'D')
        return on_lists(o, command, p, len);
    if (command == 'V')
        return ydoc_state_vector_from_update_v1(p, len, &o->out, &o->err);
    if (o->doc == NULL)
        return refuse(o, "no document");
    switch (command) {
    case '1':
        return ydoc_apply_v1(o->doc, p, len, &o->err);
    case 'S':
        return ydoc_encode_state_vector(o->doc, &o->out);
    case 'E':
        return ydoc_encode_state_v1(o->doc, len > 0 ? p : NULL, len, &o->out, &o->err);
    case 'U':
        return emitted(o);
    case 'O':
        return observe_events(o);
    case 'o':
        return take_events(o);
    case 'J':
        return read_root(o, p, len);
    case 'P':
        pending[0] = ydoc_has_pending_structs(o->doc);
        pending[1] = ydoc_has_pending_deletes(o->doc);
        ydoc_buf_append(&o->out, pending, 2);
        return 0;
    default:
        return refuse(o, "unsupported");
    }
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

int main(void)
{
    struct oracle o = {0};
    uint8_t head[4];
    int status = 0;

    ydoc_buf_init(&o.out, NULL);
    ydoc_buf_init(&o.emitted, NULL);
    ydoc_buf_init(&o.events, NULL);
    ydoc_buf_init(&o.calls, NULL);
    while (fread(head, 1, 4, stdin) == 4) {
        uint32_t n = get_u32(head);
        uint8_t *request = n > 0 && n <= REQUEST_BYTES_MAX ? malloc(n) : NULL;
        int rc;

        if (request == NULL || fread(request, 1, n, stdin) != n) {
            free(request);
            status = 1;
            break;
        }
        ydoc_buf_reset(&o.out);
        o.err.msg[0] = '\0';
        rc = handle(&o, request[0], request + 1, n - 1);
        answer(&o, rc);
        free(request);
    }
    ydoc_free(o.doc);
    ydoc_buf_fini(&o.out);
    ydoc_buf_fini(&o.emitted);
    ydoc_buf_fini(&o.events);
    ydoc_buf_fini(&o.calls);
    return status;
}
