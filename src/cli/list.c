/* list - `skein list`: the documents, one a line: edits, when made, name. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/cli_store.h"

static void print_room(const struct store_room_info *r)
{
    time_t seconds = (time_t)(r->created_ms / 1000);
    struct tm tm;
    char stamp[32];

    gmtime_r(&seconds, &tm);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
    printf("%10llu  %s  %s\n", (unsigned long long)r->head, stamp, r->name);
}

static int print_pages(struct store *s, const char *prefix, struct err *e)
{
    char after[STORE_NAME_BYTES_MAX + 1] = "";
    size_t count;

    do {
        struct store_list l = {.tenant = "",
                               .kind = STORE_DOCUMENT,
                               .prefix = prefix,
                               .after = after,
                               .limit = STORE_LIST_MAX};
        struct store_waiter w;
        int rc;

        store_waiter_init(&w, &l.op);
        rc = store_list_rooms(s, &l);
        if (rc == 0)
            rc = store_waiter_wait(&w);
        if (rc != 0)
            return err_set(e, rc, "%s", l.op.err.msg[0] != 0 ? l.op.err.msg : err_str(rc));
        for (size_t i = 0; i < l.count; i++)
            print_room(&l.rooms[i]);
        count = l.count;
        if (count > 0)
            snprintf(after, sizeof(after), "%s", l.rooms[count - 1].name);
        store_list_fini(&l);
    } while (count == STORE_LIST_MAX);
    return 0;
}

int cli_list(int argc, char **argv, const struct cli_host *host)
{
    struct cli c;
    struct store *s = NULL;
    struct err e;
    int rc = cli_load(&c, "list", argc, argv, host, NULL);

    if (rc == CLI_OK && c.n_args > 1)
        rc = cli_fail_usage(&c, "one prefix at most");
    else if (rc == CLI_OK && (cli_store_open(&s, &c.config, false, &e) != 0 ||
                              print_pages(s, c.n_args > 0 ? c.args[0] : "", &e) != 0))
        rc = cli_fail(&e);
    store_close(s);
    cli_unload(&c);
    return rc;
}
