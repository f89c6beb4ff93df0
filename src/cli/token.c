/* token - `skein token`: a JSON web token for a user, under the server's secret. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <jansson.h>

#include "auth/jwt.h"
#include "base/mem.h"
#include "cli/cli.h"

#define TOKEN_SETTINGS(X)                                                                          \
    X(SECRET, secret, "", 0, 0, "SECRET", "The secret, instead of the server's jwt-secret.")       \
    X(STRING, user, "", 0, 0, "NAME", "Who it is for.")                                            \
    X(LIST, rooms, "", 0, 0, "LIST", "Rooms that it opens, with * for any text. Empty: all.")      \
    X(CHOICE, access, "write", 0, 0, "read|write", "What may be done there.")                      \
    X(TIME, expires, "1h", 1000, SETTINGS_FOREVER, "TIME", "How long from now, or `forever`.")

struct token_settings {
#define X(type, field, fallback, min, max, choices, help) SETTING_FIELD_##type field;
    TOKEN_SETTINGS(X)
#undef X
};

static const struct setting table[] = {
#define X(type, field, fallback, min, max, choices, help)                                          \
    {#field, SETTING_##type, offsetof(struct token_settings, field), fallback, min, max, choices,  \
     help},
    TOKEN_SETTINGS(X)
#undef X
};

/* The claims as JSON text, of malloc; NULL when the user is no UTF-8. */
static char *make_claims(const struct token_settings *s)
{
    json_t *claims = json_object(), *rooms = json_array();
    int64_t now = (int64_t)time(NULL);
    char *text = NULL;
    int rc = 0;

    if (s->user != NULL)
        rc |= json_object_set_new(claims, "sub", json_string(s->user));
    for (size_t i = 0; i < s->rooms.n; i++)
        rc |= json_array_append_new(rooms, json_string(s->rooms.items[i]));
    if (s->rooms.n > 0)
        rc |= json_object_set(claims, "rooms", rooms);
    rc |= json_object_set_new(claims, "access", json_string(s->access == 0 ? "read" : "write"));
    rc |= json_object_set_new(claims, "iat", json_integer(now));
    if (s->expires != SETTINGS_FOREVER)
        rc |= json_object_set_new(claims, "exp", json_integer(now + (int64_t)(s->expires / 1000)));
    if (rc == 0)
        text = json_dumps(claims, JSON_COMPACT);
    json_decref(rooms);
    json_decref(claims);
    return text;
}

/* Makes the token and has it checked, so that none leaves that the server would refuse. */
static int print_token(const struct token_settings *s, const char *secret, size_t secret_len)
{
    struct auth_ticket ticket;
    struct err e = {0, "the user or the rooms are not UTF-8"};
    char *claims = make_claims(s);
    const char *token, *room = s->rooms.n > 0 ? s->rooms.items[0] : "x";
    struct buf b;
    int rc = SK_EINVAL;

    if (claims == NULL)
        return cli_fail(&e);
    buf_init(&b, mem_process(), 4 * LIMIT_TOKEN_BYTES);
    jwt_encode(&b, secret, secret_len, claims, strlen(claims));
    token = buf_str(&b);
    rc = jwt_check(secret, secret_len, (int64_t)time(NULL), token, strlen(token), room,
                   strlen(room), &ticket, &e);
    if (rc == 0)
        puts(token);
    else
        fprintf(stderr, "skein: the user's name or the list of rooms is over its limit\n");
    buf_fini(&b);
    free(claims);
    return rc == 0 ? CLI_OK : CLI_FAILED;
}

int cli_token(int argc, char **argv, const struct cli_host *host)
{
    struct token_settings s = {0};
    struct setting_group own = {table, sizeof(table) / sizeof(table[0]), &s, NULL, true};
    struct cli c;
    struct err e;
    char *secret = NULL;
    size_t secret_len = 0;
    int rc = cli_load(&c, "token", argc, argv, host, &own);

    if (rc == CLI_OK && c.n_args > 0)
        rc = cli_fail_usage(&c, "no arguments are taken");
    if (rc == CLI_OK && s.secret != NULL)
        rc = print_token(&s, s.secret, strlen(s.secret));
    else if (rc == CLI_OK && cli_read_secret(&c.config, &secret, &secret_len, &e) != 0)
        rc = cli_fail(&e);
    else if (rc == CLI_OK && secret == NULL)
        rc = cli_fail_usage(&c, "a secret is needed: --secret, jwt-secret or jwt-secret-file");
    else if (rc == CLI_OK)
        rc = print_token(&s, secret, secret_len);
    cli_free_secret(secret, secret_len);
    cli_unload(&c);
    return rc;
}
