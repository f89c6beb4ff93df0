/* export - `skein export NAME`: a document as text, JSON or a Yjs update, or
 * its history as JSON lines. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <jansson.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/cli_store.h"

#define EXPORT_SETTINGS(X)                                                                         \
    X(CHOICE, format, "text", 0, 0, "text|json|update|log", "What to write.")                      \
    X(STRING, root, "", 0, 0, "NAME", "For text: which of the document's shared types.")           \
    X(STRING, output, "", 0, 0, "FILE", "Where to write it, instead of standard output.")

enum { FORMAT_TEXT, FORMAT_JSON, FORMAT_UPDATE, FORMAT_LOG };

struct export_settings {
#define X(type, field, fallback, min, max, choices, help) SETTING_FIELD_##type field;
    EXPORT_SETTINGS(X)
#undef X
};

static const struct setting table[] = {
#define X(type, field, fallback, min, max, choices, help)                                          \
    {#field, SETTING_##type, offsetof(struct export_settings, field), fallback, min, max, choices, \
     help},
    EXPORT_SETTINGS(X)
#undef X
};

static void put_base64(FILE *to, const uint8_t *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
                     (i + 2 < n ? p[i + 2] : 0u);

        fputc(digits[v >> 18], to);
        fputc(digits[v >> 12 & 63], to);
        fputc(i + 1 < n ? digits[v >> 6 & 63] : '=', to);
        fputc(i + 2 < n ? digits[v & 63] : '=', to);
    }
}

/* One record as a line of JSON; the update is base64. */
static int write_entry(void *ctx, const struct store_entry *x, struct err *e)
{
    FILE *to = ctx;
    json_t *author = json_stringn(x->author_len > 0 ? x->author : "", x->author_len);
    time_t seconds = (time_t)(x->time_ms / 1000);
    struct tm tm;
    char stamp[32];

    gmtime_r(&seconds, &tm);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
    fprintf(to, "{\"seq\":%llu,\"time\":\"%s.%03dZ\",\"connection\":%llu,\"author\":",
            (unsigned long long)x->seq, stamp, (int)(x->time_ms % 1000),
            (unsigned long long)x->conn);
    if (author == NULL || json_dumpf(author, to, JSON_ENCODE_ANY) != 0)
        fputs("null", to);
    json_decref(author);
    fputs(",\"update\":\"", to);
    put_base64(to, x->bytes, x->len);
    fputs("\"}\n", to);
    return ferror(to) ? err_set(e, SK_EIO, "writing: %s", strerror(errno)) : 0;
}

/* The root that was asked for, or the only one. SK_ENOTFOUND without words: there is none yet. */
static int find_root(const struct ydoc *doc, const char *name, struct ydoc_root *out, struct err *e)
{
    char names[120] = "";
    struct ydoc_root r;
    uint32_t at = 0;
    size_t matches = 0, used = 0;

    while (ydoc_next_root(doc, &at, &r)) {
        if (name == NULL ||
            (strlen(name) == r.name.len && memcmp(name, r.name.p, r.name.len) == 0)) {
            *out = r;
            matches++;
        }
        if (used < sizeof(names))
            used += (size_t)snprintf(names + used, sizeof(names) - used, " %.*s", (int)r.name.len,
                                     (const char *)r.name.p);
    }
    if (matches == 1)
        return 0;
    if (used == 0 && name == NULL)
        return SK_ENOTFOUND;
    return err_set(e, SK_EINVAL, "%s:%s",
                   matches > 1 ? "choose one of its shared types by --root"
                               : "it has no such shared type; it has",
                   names);
}

static int encode_text(const struct ydoc *doc, const char *name, struct ydoc_buf *out,
                       struct err *e)
{
    struct ydoc_root root = {0};
    int rc = find_root(doc, name, &root, e);

    if (rc == SK_ENOTFOUND)
        return 0; /* nothing was ever written: the empty text */
    if (rc == 0 && ydoc_read_text(doc, root.name, out) != 0)
        rc = err_set(e, SK_ENOMEM, "no memory for the text");
    return rc;
}

static int write_doc(struct store *s, const struct store_load *l, const struct export_settings *o,
                     FILE *to, struct err *e)
{
    struct ydoc *doc;
    struct ydoc_buf out;
    int rc = cli_store_read_doc(s, l, &doc, e);

    if (rc != 0)
        return rc;
    ydoc_buf_init(&out, NULL);
    if (o->format == FORMAT_TEXT)
        rc = encode_text(doc, o->root, &out, e);
    else if (o->format == FORMAT_JSON)
        rc = ydoc_read_json(doc, &out);
    else
        rc = ydoc_encode_state_v1(doc, NULL, 0, &out, NULL);
    if (rc != 0 && o->format != FORMAT_TEXT)
        rc = err_set(e, SK_ENOMEM, "no memory for the document: %s", ydoc_strerror(rc));
    if (rc == 0 && out.len > 0)
        fwrite(out.p, 1, out.len, to);
    if (rc == 0 && o->format == FORMAT_JSON)
        fputc('\n', to);
    ydoc_buf_fini(&out);
    ydoc_free(doc);
    return rc;
}

static int write_name(struct store *s, const char *name, const struct export_settings *o, FILE *to,
                      struct err *e)
{
    struct store_load l;
    int rc = cli_store_load(s, name, false, &l, e);

    if (rc != 0)
        return rc;
    if (o->format == FORMAT_LOG)
        rc = cli_store_walk(s, l.room, 1, write_entry, to, e);
    else
        rc = write_doc(s, &l, o, to, e);
    store_load_fini(&l);
    if (rc == 0 && (fflush(to) != 0 || ferror(to)))
        rc = err_set(e, SK_EIO, "writing: %s", strerror(errno));
    return rc;
}

static int run(const struct cli *c, const struct export_settings *o, struct err *e)
{
    struct store *s;
    FILE *to = stdout;
    int rc = cli_store_open(&s, &c->config, false, e);

    if (rc != 0)
        return rc;
    if (o->output != NULL)
        to = fopen(o->output, "we");
    if (to == NULL)
        rc = err_set(e, SK_EIO, "%s: %s", o->output, strerror(errno));
    else
        rc = write_name(s, c->args[0], o, to, e);
    if (to != NULL && to != stdout && fclose(to) != 0 && rc == 0)
        rc = err_set(e, SK_EIO, "%s: %s", o->output, strerror(errno));
    store_close(s);
    return rc;
}

int cli_export(int argc, char **argv, const struct cli_host *host)
{
    struct export_settings o = {0};
    struct setting_group own = {table, sizeof(table) / sizeof(table[0]), &o, NULL, true};
    struct cli c;
    struct err e;
    int rc = cli_load(&c, "export", argc, argv, host, &own);

    if (rc == CLI_OK && c.n_args != 1)
        rc = cli_fail_usage(&c, "name one document");
    else if (rc == CLI_OK && o.format == FORMAT_UPDATE && o.output == NULL &&
             isatty(STDOUT_FILENO) == 1)
        rc = cli_fail_usage(&c, "an update is bytes, not text: use --output or a pipe");
    else if (rc == CLI_OK && run(&c, &o, &e) != 0)
        rc = cli_fail(&e);
    cli_unload(&c);
    return rc;
}
