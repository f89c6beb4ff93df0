#include "cli/cli_store.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void cli_store_options(struct store_options *o, const struct config *c)
{
    *o = (struct store_options){
        .dir = c->data,
        .relaxed_ms = c->durability == CONFIG_DURABILITY_RELAXED ? (unsigned)c->relaxed_ms : 0,
        .queue_bytes_max = (size_t)c->store_queue_max,
        .history_days = config_history_days(c),
        .history_forever = c->history == SETTINGS_FOREVER,
    };
}

int cli_store_open(struct store **out, const struct config *c, bool write, struct err *e)
{
    struct store_options o;
    char path[1100];

    *out = NULL;
    if (c->data == NULL)
        return err_set(e, SK_EINVAL, "data: a directory is needed");
    snprintf(path, sizeof(path), "%s/skein.db", c->data);
    if (!write && access(path, F_OK) != 0)
        return err_set(e, SK_ENOTFOUND, "%s: no documents are stored here; see --data", c->data);
    cli_store_options(&o, c);
    o.read_only = !write;
    return store_open(out, &o, e);
}

/* Waits for an operation that was started with the result `rc`. */
static int wait_for(struct store_waiter *w, struct store_op *op, int rc, struct err *e)
{
    if (rc != 0)
        return err_set(e, rc, "the store does not take the request: %s", err_str(rc));
    rc = store_waiter_wait(w);
    return rc == 0 ? 0 : err_set(e, rc, "%s", op->err.msg[0] != 0 ? op->err.msg : err_str(rc));
}

int cli_store_load(struct store *s, const char *name, bool create, struct store_load *l,
                   struct err *e)
{
    struct store_waiter w;
    int rc;

    *l = (struct store_load){.key = {"", STORE_DOCUMENT, name}, .create = create};
    store_waiter_init(&w, &l->op);
    rc = wait_for(&w, &l->op, store_load(s, l), e);
    if (rc == SK_ENOTFOUND)
        return err_set(e, rc, "there is no document \"%.200s\"; see skein list", name);
    return rc;
}

int cli_store_walk(struct store *s, int64_t room, uint64_t from,
                   int (*each)(void *ctx, const struct store_entry *x, struct err *e), void *ctx,
                   struct err *e)
{
    bool more = true;
    int rc = 0;

    while (more && rc == 0) {
        struct store_read r = {.room = room, .from = from};
        struct store_waiter w;

        store_waiter_init(&w, &r.op);
        rc = wait_for(&w, &r.op, store_read_log(s, &r), e);
        for (size_t i = 0; rc == 0 && i < r.log.count; i++) {
            rc = each(ctx, &r.log.entries[i], e);
            from = r.log.entries[i].seq + 1;
        }
        more = rc == 0 && r.log.more && r.log.count > 0;
        store_log_fini(&r.log);
    }
    return rc;
}

static int apply(struct ydoc *doc, const uint8_t *p, size_t n, const char *what, uint64_t seq,
                 struct err *e)
{
    struct ydoc_error why;

    if (ydoc_apply_v1(doc, p, n, &why) == 0)
        return 0;
    return err_set(e, SK_ECORRUPT, "%s %llu cannot be read: %s", what, (unsigned long long)seq,
                   why.msg);
}

static int apply_entry(void *doc, const struct store_entry *x, struct err *e)
{
    return apply(doc, x->bytes, x->len, "edit", x->seq, e);
}

int cli_store_read_doc(struct store *s, const struct store_load *l, struct ydoc **out,
                       struct err *e)
{
    struct ydoc_options options = {.no_format_cleanup = true}; /* as the server has it */
    int rc = 0;

    if (ydoc_new(out, &options) != 0)
        return err_set(e, SK_ENOMEM, "no memory for the document");
    if (l->snapshot != NULL)
        rc = apply(*out, l->snapshot->bytes, l->snapshot->len, "snapshot", l->snapshot_seq, e);
    if (rc == 0 && l->head > l->snapshot_seq)
        rc = cli_store_walk(s, l->room, l->snapshot_seq + 1, apply_entry, *out, e);
    if (rc != 0) {
        ydoc_free(*out);
        *out = NULL;
    }
    return rc;
}
