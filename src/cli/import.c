/* import - `skein import FILE.sqlite`: the documents of a Hocuspocus database.
 *
 * Its SQLite extension keeps a table `documents` with a name and the encoded
 * state of each document, which is a Yjs update (v1). Every one is checked
 * whole before it is taken, and becomes the first record of a new document's
 * log. Many are under way at once, so that they share the disk's syncs.
 *
 * A document that exists is left alone and reported; with --replace it is
 * deleted first, so that it gets a new incarnation, and no client that still
 * holds the old text merges it into the new one. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sqlite3.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/cli_store.h"
#include "room/room.h"

#define BATCH 64
#define PROGRESS_AFTER_MS 500
#define PROGRESS_EVERY_MS 100
#define BAR_WIDTH 30

#define IMPORT_SETTINGS(X)                                                                         \
    X(SWITCH, replace, "off", 0, 0, "on|off", "Replace documents that exist.")

struct import_settings {
#define X(type, field, fallback, min, max, choices, help) SETTING_FIELD_##type field;
    IMPORT_SETTINGS(X)
#undef X
};

static const struct setting table[] = {
#define X(type, field, fallback, min, max, choices, help)                                          \
    {#field, SETTING_##type, offsetof(struct import_settings, field), fallback, min, max, choices, \
     help},
    IMPORT_SETTINGS(X)
#undef X
};

/* One document on its way. */
struct item {
    char name[ROOM_NAME_BYTES_MAX + 1];
    struct rbuf *bytes;
    struct store_load load;
    struct store_delete del;
    struct store_append append;
    struct store_record record;
    struct store_waiter waiter;
};

struct import {
    struct store *store;
    sqlite3 *db;
    bool replace;
    uint64_t total, seen, taken, skipped, refused;
    struct item *items; /* BATCH of them */
    size_t n;
    bool on_terminal, bar_shown;
    int64_t began_ms, shown_ms;
};

/* --- progress ------------------------------------------------------------------ */

static int64_t clock_ms(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void clear_bar(struct import *im)
{
    if (im->bar_shown)
        fputs("\r\033[K", stderr);
    im->bar_shown = false;
}

/* Only on a terminal, and only when it takes long enough to wonder. */
static void show_bar(struct import *im)
{
    static const char full[BAR_WIDTH + 1] = "##############################";
    int64_t now = clock_ms(CLOCK_MONOTONIC);
    int filled;

    if (!im->on_terminal || im->total == 0 || now - im->began_ms < PROGRESS_AFTER_MS ||
        now - im->shown_ms < PROGRESS_EVERY_MS)
        return;
    filled = (int)(im->seen * BAR_WIDTH / im->total);
    fprintf(stderr, "\r[%.*s%*s] %llu of %llu", filled, full, BAR_WIDTH - filled, "",
            (unsigned long long)im->seen, (unsigned long long)im->total);
    im->bar_shown = true;
    im->shown_ms = now;
}

/* The name comes from a file: what a terminal might obey is left out. */
static void report(struct import *im, const char *what, const char *name, const char *why)
{
    clear_bar(im);
    fprintf(stderr, "%s ", what);
    for (; *name != 0; name++)
        fputc((unsigned char)*name < 0x20 || *name == 0x7f ? '?' : *name, stderr);
    fprintf(stderr, ": %s\n", why);
}

static void refuse(struct import *im, const char *name, const char *why)
{
    im->refused++;
    report(im, "refused", name, why);
}

/* --- one document --------------------------------------------------------------- */

static void item_fini(struct item *x)
{
    store_load_fini(&x->load);
    rbuf_unref(x->bytes);
    x->bytes = NULL;
}

static int wait_for(struct store_waiter *w, struct store_op *op, int rc, struct err *e)
{
    if (rc == 0)
        rc = store_waiter_wait(w);
    return rc == 0 ? 0 : err_set(e, rc, "%s", op->err.msg[0] != 0 ? op->err.msg : err_str(rc));
}

static int start_load(struct import *im, struct item *x)
{
    x->load = (struct store_load){.key = {"", STORE_DOCUMENT, x->name}, .create = true};
    store_waiter_init(&x->waiter, &x->load.op);
    return store_load(im->store, &x->load);
}

/* Deletes the document and makes a new one under its name. */
static int replace(struct import *im, struct item *x, struct err *e)
{
    int rc;

    x->del = (struct store_delete){.room = x->load.room};
    store_waiter_init(&x->waiter, &x->del.op);
    rc = wait_for(&x->waiter, &x->del.op, store_delete_room(im->store, &x->del), e);
    if (rc != 0)
        return rc;
    store_load_fini(&x->load);
    return wait_for(&x->waiter, &x->load.op, start_load(im, x), e);
}

static void start_append(struct import *im, struct item *x, int *rc)
{
    static const uint8_t kind = RECORD_UPDATE;

    x->record =
        (struct store_record){.time_ms = clock_ms(CLOCK_REALTIME), .bytes = x->bytes, .kind = kind};
    x->append = (struct store_append){
        .room = x->load.room, .first_seq = 1, .records = &x->record, .count = 1};
    store_waiter_init(&x->waiter, &x->append.op);
    *rc = store_append(im->store, &x->append);
}

/* Whether the document is to be written; reports it when not. */
static bool is_wanted(struct import *im, struct item *x, int rc)
{
    struct err e;

    rc = wait_for(&x->waiter, &x->load.op, rc, &e);
    if (rc == 0 && x->load.head > 0 && !im->replace) {
        im->skipped++;
        report(im, "skipped", x->name, "it exists already (--replace would replace it)");
        return false;
    }
    if (rc == 0 && x->load.head > 0)
        rc = replace(im, x, &e);
    if (rc == 0)
        return true;
    refuse(im, x->name, e.msg);
    return false;
}

/* Loads all items of the batch at once, then appends to all of them at once. */
static void finish_batch(struct import *im)
{
    bool wanted[BATCH];
    int rcs[BATCH];

    for (size_t i = 0; i < im->n; i++)
        rcs[i] = start_load(im, &im->items[i]);
    for (size_t i = 0; i < im->n; i++) {
        wanted[i] = is_wanted(im, &im->items[i], rcs[i]);
        if (wanted[i])
            start_append(im, &im->items[i], &rcs[i]);
    }
    for (size_t i = 0; i < im->n; i++) {
        struct item *x = &im->items[i];
        struct err e;

        if (wanted[i] && wait_for(&x->waiter, &x->append.op, rcs[i], &e) != 0)
            refuse(im, x->name, e.msg);
        else if (wanted[i])
            im->taken++;
        item_fini(x);
    }
    im->n = 0;
}

/* Checks a row and puts it into the batch, or reports why not. */
static void take_row(struct import *im, const char *name, size_t name_len, const uint8_t *p,
                     size_t n)
{
    struct item *x = &im->items[im->n];
    struct ydoc_error ye;
    struct err e;

    if (room_check_name(name, name_len, &e) != 0) {
        refuse(im, name, e.msg);
        return;
    }
    if (n > STORE_RECORD_BYTES_MAX) {
        refuse(im, name, "it is over the limit of one record");
        return;
    }
    if (ydoc_validate_update_v1(p, n, NULL, &ye) != 0) {
        refuse(im, name, ye.msg);
        return;
    }
    *x = (struct item){.bytes = rbuf_dup(mem_process(), p, n)};
    if (x->bytes == NULL) {
        refuse(im, name, "no memory");
        return;
    }
    memcpy(x->name, name, name_len);
    if (++im->n == BATCH)
        finish_batch(im);
}

/* --- the file -------------------------------------------------------------------- */

static int fail_sqlite(struct import *im, const char *path, struct err *e)
{
    return err_set(e, SK_EINVAL, "%s: %s", path, sqlite3_errmsg(im->db));
}

static int count_rows(struct import *im, const char *path, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = 0;

    if (sqlite3_prepare_v2(im->db, "SELECT count(*) FROM documents", -1, &st, NULL) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW)
        rc = fail_sqlite(im, path, e);
    else
        im->total = (uint64_t)sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return rc;
}

static int read_rows(struct import *im, const char *path, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = 0, step;

    if (sqlite3_prepare_v2(im->db, "SELECT name, data FROM documents", -1, &st, NULL) != SQLITE_OK)
        return fail_sqlite(im, path, e);
    while ((step = sqlite3_step(st)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(st, 0);
        const uint8_t *data = sqlite3_column_blob(st, 1);

        im->seen++;
        take_row(im, name != NULL ? name : "", (size_t)sqlite3_column_bytes(st, 0),
                 data != NULL ? data : (const uint8_t *)"", (size_t)sqlite3_column_bytes(st, 1));
        show_bar(im);
    }
    finish_batch(im);
    if (step != SQLITE_DONE)
        rc = fail_sqlite(im, path, e);
    sqlite3_finalize(st);
    return rc;
}

static int run(const struct cli *c, bool replace_all, struct err *e)
{
    const char *path = c->args[0];
    struct import im = {.replace = replace_all, .on_terminal = isatty(STDERR_FILENO) == 1};
    int rc;

    im.began_ms = clock_ms(CLOCK_MONOTONIC);
    if (sqlite3_open_v2(path, &im.db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
        rc = fail_sqlite(&im, path, e);
        goto err_after_file;
    }
    rc = count_rows(&im, path, e);
    if (rc == 0)
        rc = cli_make_dir(c->config.data, e);
    if (rc == 0)
        rc = cli_store_open(&im.store, &c->config, true, e);
    if (rc != 0)
        goto err_after_file;
    im.items = mem_alloc_zero(mem_process(), BATCH * sizeof(*im.items));
    rc = read_rows(&im, path, e);
    mem_free(mem_process(), im.items, BATCH * sizeof(*im.items));
    store_close(im.store);
    clear_bar(&im);
    printf("%llu documents: %llu imported, %llu skipped, %llu refused\n",
           (unsigned long long)im.seen, (unsigned long long)im.taken,
           (unsigned long long)im.skipped, (unsigned long long)im.refused);
    if (rc == 0 && im.refused > 0)
        rc = err_set(e, SK_EBADMSG, "some documents were refused, see above");
err_after_file:
    sqlite3_close(im.db);
    return rc;
}

int cli_import(int argc, char **argv, const struct cli_host *host)
{
    struct import_settings o = {0};
    struct setting_group own = {table, sizeof(table) / sizeof(table[0]), &o, NULL, true};
    struct cli c;
    struct err e;
    int rc = cli_load(&c, "import", argc, argv, host, &own);

    if (rc == CLI_OK && c.n_args != 1)
        rc = cli_fail_usage(&c, "name one SQLite file");
    else if (rc == CLI_OK && c.config.data == NULL)
        rc = cli_fail_usage(&c, "data: a directory is needed");
    else if (rc == CLI_OK && run(&c, o.replace, &e) != 0)
        rc = cli_fail(&e);
    cli_unload(&c);
    return rc;
}
