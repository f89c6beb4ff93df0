#include "auth/tokens.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/sha.h>

#include "auth/auth_internal.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"

struct entry {
    uint8_t digest[SHA256_DIGEST_LENGTH]; /* the key in the map */
    enum auth_access access;
    char user[LIMIT_USER_BYTES + 1];
    char reason[128]; /* of a refusal; "" for the usual one */
    json_t *rooms;    /* our reference; NULL: all */
};

struct tokens {
    struct map entries;
    struct entry *other; /* of "*", or NULL */
};

static void entry_free(struct entry *x)
{
    if (x == NULL)
        return;
    json_decref(x->rooms);
    mem_free(mem_process(), x, sizeof(*x));
}

void tokens_free(struct tokens *t)
{
    size_t pos = 0;
    struct entry *x;

    if (t == NULL)
        return;
    while ((x = map_next(&t->entries, &pos)) != NULL)
        entry_free(x);
    map_fini(&t->entries);
    entry_free(t->other);
    mem_free(mem_process(), t, sizeof(*t));
}

size_t tokens_count(const struct tokens *t)
{
    return map_count(&t->entries) + (t->other != NULL);
}

static bool copy_reason(char *out, size_t size, const json_t *v)
{
    const char *s = json_string_value(v);

    if (s == NULL || json_string_length(v) >= size)
        return false;
    memcpy(out, s, json_string_length(v) + 1);
    return true;
}

/* One member of an entry's object. False: unknown, or of a wrong type. */
static bool read_member(struct entry *x, const char *name, json_t *v)
{
    if (strcmp(name, "access") == 0)
        return auth__parse_access(v, &x->access);
    if (strcmp(name, "user") == 0)
        return auth__copy_user(x->user, v);
    if (strcmp(name, "reason") == 0)
        return copy_reason(x->reason, sizeof(x->reason), v);
    if (strcmp(name, "rooms") == 0 && auth__is_pattern_list(v)) {
        x->rooms = json_incref(v);
        return true;
    }
    return false;
}

/* Entries are named by their number in messages: a token belongs in no log. */
static int read_entry(struct entry *x, size_t number, json_t *v, struct err *e)
{
    const char *name;
    json_t *member;

    if (!json_is_object(v) || json_object_get(v, "access") == NULL)
        return err_set(e, SK_EINVAL, "entry %zu: expected an object with \"access\"", number);
    json_object_foreach(v, name, member)
    {
        if (!read_member(x, name, member))
            return err_set(e, SK_EINVAL, "entry %zu: \"%.40s\" is unknown, or not as it should be",
                           number, name);
    }
    return 0;
}

static int add_entry(struct tokens *t, const char *token, size_t number, json_t *v, struct err *e)
{
    struct entry *x = mem_alloc_zero(mem_process(), sizeof(*x));
    int rc = read_entry(x, number, v, e);

    if (rc != 0) {
        entry_free(x);
        return rc;
    }
    if (strcmp(token, "*") == 0) {
        t->other = x;
        return 0;
    }
    SHA256((const unsigned char *)token, strlen(token), x->digest);
    rc = map_set(&t->entries, x->digest, sizeof(x->digest), x, NULL);
    assert(rc == 0); /* the process has no limit, and JSON refused duplicates */
    return 0;
}

int tokens_new(struct tokens **out, const char *text, size_t len, struct err *e)
{
    json_error_t where;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
    struct tokens *t;
    const char *token;
    json_t *v;
    size_t number = 0;
    int rc = 0;

    *out = NULL;
    if (root == NULL)
        return err_set(e, SK_EINVAL, "line %d: %.120s", where.line, where.text);
    t = mem_alloc_zero(mem_process(), sizeof(*t));
    map_init(&t->entries, mem_process());
    if (!json_is_object(root))
        rc = err_set(e, SK_EINVAL, "expected an object: token, then what it may do");
    else if (json_object_size(root) > LIMIT_TOKENS)
        rc = err_set(e, SK_ETOOBIG, "more than %d tokens", LIMIT_TOKENS);
    if (rc == 0) {
        json_object_foreach(root, token, v)
        {
            rc = add_entry(t, token, ++number, v, e);
            if (rc != 0)
                break;
        }
    }
    json_decref(root);
    if (rc != 0)
        tokens_free(t);
    else
        *out = t;
    return rc;
}

static int read_file(FILE *f, const char *path, struct tokens **out, struct err *e)
{
    struct buf b;
    struct err why;
    size_t n = 0;
    int rc;

    buf_init(&b, mem_process(), LIMIT_TOKENS_FILE_BYTES);
    do {
        uint8_t *to = buf_reserve(&b, 4096);

        if (to == NULL)
            break;
        n = fread(to, 1, 4096, f);
        buf_advance(&b, n);
    } while (n > 0);
    if (buf_err(&b) != 0)
        rc = err_set(e, SK_ETOOBIG, "tokens file %s: over %d bytes", path, LIMIT_TOKENS_FILE_BYTES);
    else if (ferror(f))
        rc = err_set(e, SK_EIO, "tokens file %s: cannot be read", path);
    else {
        rc = tokens_new(out, (const char *)b.p, b.len, &why);
        if (rc != 0)
            err_set(e, rc, "tokens file %s: %.150s", path, why.msg);
    }
    if (b.p != NULL)
        explicit_bzero(b.p, b.cap);
    buf_fini(&b);
    return rc;
}

int tokens_open(struct tokens **out, const char *path, struct err *e)
{
    FILE *f = fopen(path, "re");
    int rc;

    *out = NULL;
    if (f == NULL)
        return err_set(e, errno == ENOENT ? SK_ENOTFOUND : SK_EIO, "tokens file %s: %s", path,
                       strerror(errno));
    rc = read_file(f, path, out, e);
    fclose(f);
    return rc;
}

int tokens_check(const struct tokens *t, const char *token, size_t len, const char *room,
                 size_t room_len, struct auth_ticket *out, struct err *reason)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    const struct entry *x;

    *out = (struct auth_ticket){0};
    SHA256((const unsigned char *)token, len, digest);
    x = map_get(&t->entries, digest, sizeof(digest));
    if (x == NULL)
        x = t->other;
    if (x == NULL)
        return SK_ENOTFOUND;
    if (x->access == AUTH_NONE || !auth__covers(x->rooms, room, room_len))
        return err_set(reason, SK_EDENIED, "%s",
                       x->reason[0] != 0 ? x->reason : "permission-denied");
    out->access = x->access;
    memcpy(out->user, x->user, sizeof(out->user));
    return 0;
}
