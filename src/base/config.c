#include "base/config.h"

#include <arpa/inet.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct setting table[] = {
#define X(type, field, fallback, min, max, choices, help)                                          \
    {#field, SETTING_##type, offsetof(struct config, field), fallback, min, max, choices, help},
    CONFIG_SETTINGS(X)
#undef X
};

struct setting_group config_group(struct config *c, uint8_t *sources)
{
    struct setting_group g = {table, config_count(), c, sources, false};

    return g;
}

size_t config_count(void)
{
    return sizeof(table) / sizeof(table[0]);
}

unsigned config_workers(const struct config *c)
{
    cpu_set_t set;
    int n;

    if (c->workers > 0)
        return (unsigned)c->workers;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    n = CPU_COUNT(&set);
    return n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

unsigned config_history_days(const struct config *c)
{
    if (c->history == SETTINGS_FOREVER)
        return 0;
    return (unsigned)((c->history + CONFIG_DAY_MS - 1) / CONFIG_DAY_MS);
}

/* The host of "host:port" and "[host]:port", without brackets. */
static void copy_host(const char *listen, char *host, size_t size)
{
    const char *colon = strrchr(listen, ':');
    size_t n = colon == NULL ? strlen(listen) : (size_t)(colon - listen);

    if (n >= 2 && listen[0] == '[' && listen[n - 1] == ']') {
        listen++;
        n -= 2;
    }
    snprintf(host, size, "%.*s", (int)(n < size ? n : size - 1), listen);
}

bool config_is_loopback(const char *listen)
{
    char host[256];
    struct in_addr v4;
    struct in6_addr v6;

    if (strncmp(listen, "unix:", 5) == 0)
        return true;
    copy_host(listen, host, sizeof(host));
    if (strcmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

int config_check(const struct config *c, struct err *e)
{
    bool has_auth = c->tokens != NULL || c->jwt_secret != NULL || c->jwt_secret_file != NULL;

    if (c->listen == NULL)
        return err_set(e, SK_EINVAL, "listen: an address is needed");
    if (strncmp(c->listen, "unix:", 5) != 0 && strchr(c->listen, ':') == NULL)
        return err_set(e, SK_EINVAL, "listen: \"%.80s\" is not ADDRESS:PORT", c->listen);
    if (c->data == NULL)
        return err_set(e, SK_EINVAL, "data: a directory is needed");
    if ((c->tls_cert == NULL) != (c->tls_key == NULL))
        return err_set(e, SK_EINVAL, "tls-cert and tls-key: one without the other");
    if (c->jwt_secret != NULL && c->jwt_secret_file != NULL)
        return err_set(e, SK_EINVAL, "jwt-secret and jwt-secret-file: only one of them");
    if (c->proxy_protocol && c->trusted_proxies.n == 0)
        return err_set(e, SK_EINVAL, "proxy-protocol: name the proxies in trusted-proxies");
    if (!has_auth && !c->insecure_open && !config_is_loopback(c->listen))
        return err_set(e, SK_EDENIED,
                       "listen: %.80s is reachable by others, and everybody could write: set "
                       "jwt-secret-file or tokens (or insecure-open, if that is meant)",
                       c->listen);
    return 0;
}
