#include "auth/auth.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "auth/auth_internal.h"
#include "auth/jwt.h"
#include "auth/tokens.h"
#include "base/mem.h"
#include "base/metrics.h"

struct auth {
    char *secret; /* NULL: no JSON web tokens */
    size_t secret_len;
    char *tokens_path; /* NULL: no static tokens */
    enum auth_access anonymous;
    int64_t (*now_s)(void);

    struct {
        pthread_rwlock_t lock;
        struct tokens *tokens;
    } shared;
};

static int64_t now_s(void)
{
    return (int64_t)time(NULL);
}

int auth_new(struct auth **out, const struct auth_options *o, struct err *e)
{
    struct auth *a = mem_alloc_zero(mem_process(), sizeof(*a));
    int rc;

    *out = NULL;
    a->anonymous = o->anonymous;
    a->now_s = o->now_s != NULL ? o->now_s : now_s;
    pthread_rwlock_init(&a->shared.lock, NULL);
    if (o->jwt_secret != NULL) {
        assert(o->jwt_secret_len > 0);
        a->secret = mem_alloc(mem_process(), o->jwt_secret_len);
        a->secret_len = o->jwt_secret_len;
        memcpy(a->secret, o->jwt_secret, o->jwt_secret_len);
    }
    if (o->tokens_path != NULL) {
        a->tokens_path = mem_dup_str(mem_process(), o->tokens_path);
        rc = auth_reload(a, e);
        if (rc != 0) {
            auth_free(a);
            return rc;
        }
    }
    *out = a;
    return 0;
}

void auth_free(struct auth *a)
{
    if (a == NULL)
        return;
    tokens_free(a->shared.tokens);
    pthread_rwlock_destroy(&a->shared.lock);
    if (a->secret != NULL)
        explicit_bzero(a->secret, a->secret_len);
    mem_free(mem_process(), a->secret, a->secret_len);
    mem_free_str(mem_process(), a->tokens_path);
    mem_free(mem_process(), a, sizeof(*a));
}

int auth_reload(struct auth *a, struct err *e)
{
    struct tokens *fresh, *old;
    int rc;

    if (a->tokens_path == NULL)
        return 0;
    rc = tokens_open(&fresh, a->tokens_path, e);
    if (rc != 0)
        return rc;
    pthread_rwlock_wrlock(&a->shared.lock);
    old = a->shared.tokens;
    a->shared.tokens = fresh;
    pthread_rwlock_unlock(&a->shared.lock);
    tokens_free(old);
    return 0;
}

bool auth_is_configured(const struct auth *a)
{
    return a->secret != NULL || a->tokens_path != NULL;
}

static int check_table(const struct auth *a, const char *token, size_t len, const char *room,
                       size_t room_len, struct auth_ticket *out, struct err *reason)
{
    /* The lock is the one part that a check changes. */
    pthread_rwlock_t *lock = (pthread_rwlock_t *)(size_t)&a->shared.lock;
    int rc = SK_ENOTFOUND;

    pthread_rwlock_rdlock(lock);
    if (a->shared.tokens != NULL)
        rc = tokens_check(a->shared.tokens, token, len, room, room_len, out, reason);
    pthread_rwlock_unlock(lock);
    return rc;
}

static int check(const struct auth *a, const char *token, size_t len, const char *room,
                 size_t room_len, struct auth_ticket *out, struct err *reason)
{
    int rc;

    *out = (struct auth_ticket){0};
    if (!auth_is_configured(a)) {
        out->access = AUTH_WRITE;
        return 0;
    }
    if (len > LIMIT_TOKEN_BYTES)
        return err_set(reason, SK_EDENIED, "token-too-long");
    if (a->secret != NULL && jwt_is_like(token, len))
        return jwt_check(a->secret, a->secret_len, a->now_s(), token, len, room, room_len, out,
                         reason);
    rc = check_table(a, token, len, room, room_len, out, reason);
    if (rc != SK_ENOTFOUND)
        return rc;
    if (len > 0)
        return err_set(reason, SK_EDENIED, "token-invalid");
    if (a->anonymous == AUTH_NONE)
        return err_set(reason, SK_EDENIED, "token-required");
    out->access = a->anonymous;
    return 0;
}

int auth_check(const struct auth *a, const char *token, size_t len, const char *room,
               size_t room_len, struct auth_ticket *out, struct err *reason)
{
    int rc = check(a, token, len, room, room_len, out, reason);

    metrics_add(rc == 0 ? METRIC_AUTH_ACCEPTED : METRIC_AUTH_REFUSED, 1);
    return rc;
}

/* Greedy, with one place to go back to: the last star takes one byte more each
 * time. That is enough, and bounds the work by the product of the lengths. */
bool auth_pattern_covers(const char *pattern, size_t pattern_len, const char *room, size_t room_len)
{
    size_t p = 0, r = 0, star = SIZE_MAX, star_room = 0;

    while (r < room_len) {
        if (p < pattern_len && pattern[p] == '*') {
            star = p++;
            star_room = r;
        } else if (p < pattern_len && pattern[p] == room[r]) {
            p++;
            r++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            r = ++star_room;
        } else {
            return false;
        }
    }
    while (p < pattern_len && pattern[p] == '*')
        p++;
    return p == pattern_len;
}

bool auth__parse_access(const json_t *v, enum auth_access *out)
{
    static const char *const names[] = {"none", "read", "write"};
    const char *s = json_string_value(v);

    for (int i = 0; s != NULL && i < 3; i++) {
        if (strcmp(s, names[i]) == 0) {
            *out = (enum auth_access)i;
            return true;
        }
    }
    return false;
}

bool auth__is_pattern_list(const json_t *v)
{
    if (v == NULL)
        return true;
    if (!json_is_array(v) || json_array_size(v) > LIMIT_TOKEN_PATTERNS)
        return false;
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *item = json_array_get(v, i);

        if (!json_is_string(item) || json_string_length(item) > LIMIT_PATTERN_BYTES)
            return false;
    }
    return true;
}

bool auth__covers(const json_t *patterns, const char *room, size_t room_len)
{
    if (patterns == NULL)
        return true;
    for (size_t i = 0; i < json_array_size(patterns); i++) {
        const json_t *item = json_array_get(patterns, i);

        if (auth_pattern_covers(json_string_value(item), json_string_length(item), room, room_len))
            return true;
    }
    return false;
}

bool auth__copy_user(char *out, const json_t *v)
{
    const char *s = json_string_value(v);
    size_t n = json_string_length(v);

    if (s == NULL || n > LIMIT_USER_BYTES)
        return false;
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            return false;
    }
    memcpy(out, s, n + 1);
    return true;
}
