/* oracle_events - the oracle's commands O and o: what observers of all roots are
 * told, recorded as JSON. Values are written as the command J writes them.
 *
 *     O   deep observers on every root that there is now, and on subdocuments
 *     o   what was recorded since the last o, a list: for a transaction with events
 *         {"local", "calls": [{"root", "events": [{"path", "kind", "delta", "keys"}]}]},
 *         for subdocuments {"added", "removed", "loaded"} with lists of guids
 */
#include "ydoc_cli/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ydoc/events.h"
#include "ydoc/text.h"

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

    if (n == 0)
        return;
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
int oracle_observe_events(struct oracle *o, const uint8_t *p, size_t len)
{
    struct ydoc_root root;
    uint32_t iter = 0;
    int rc = 0;

    (void)p, (void)len;
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

int oracle_take_events(struct oracle *o, const uint8_t *p, size_t len)
{
    (void)p, (void)len;
    add_text(&o->out, "[");
    ydoc_buf_append(&o->out, o->events.p, o->events.len);
    add_text(&o->out, "]");
    ydoc_buf_reset(&o->events);
    return 0;
}
