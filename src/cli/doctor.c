/* doctor - `skein doctor`: what a server with these settings would meet.
 *
 * Each check prints one line: ok, warn or fail, what was looked at, and for
 * the last two what to do. Nothing is changed but for a file of our own in the
 * data directory, which is removed again. The status is 1 when a check failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>
#include <linux/magic.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sqlite3.h>

#include "auth/tokens.h"
#include "base/mem.h"
#include "cli/cli.h"

#define SPACE_FAIL (UINT64_C(64) << 20)
#define SPACE_WARN (UINT64_C(1) << 30)
#define SYNC_MS 400
#define SYNCS_SLOW 100
#define FILES_SPARE 64
#define SECRET_BYTES_GOOD 32
#define CERT_DAYS_WARN 14

enum verdict { OK, WARN, FAIL };

struct doctor {
    const struct config *c;
    unsigned warnings, failures;
};

__attribute__((format(printf, 4, 5))) static void say(struct doctor *d, enum verdict v,
                                                      const char *what, const char *fmt, ...)
{
    static const char *const names[] = {"ok", "warn", "fail"};
    va_list ap;

    d->warnings += v == WARN;
    d->failures += v == FAIL;
    printf("%-5s %-10s ", names[v], what);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

/* --- the settings ------------------------------------------------------------ */

static void check_settings(struct doctor *d)
{
    struct err e;

    if (config_check(d->c, &e) != 0)
        say(d, FAIL, "settings", "%s", e.msg);
    else
        say(d, OK, "settings", "they do not contradict each other");
}

static bool is_open_to_others(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && (st.st_mode & (S_IRWXO | S_IWGRP)) != 0;
}

static void check_tokens(struct doctor *d)
{
    const char *path = d->c->tokens;
    struct tokens *t;
    struct err e;

    if (path == NULL)
        return;
    if (tokens_open(&t, path, &e) != 0) {
        say(d, FAIL, "tokens", "%s", e.msg);
        return;
    }
    if (is_open_to_others(path))
        say(d, WARN, "tokens", "%s can be read or changed by other users: chmod 640 %s", path,
            path);
    else
        say(d, OK, "tokens", "%s: %zu entries", path, tokens_count(t));
    tokens_free(t);
}

static void check_secret(struct doctor *d)
{
    struct err e;
    char *secret;
    size_t len;

    if (cli_read_secret(d->c, &secret, &len, &e) != 0) {
        say(d, FAIL, "secret", "%s", e.msg);
        return;
    }
    if (secret == NULL)
        return;
    if (len < SECRET_BYTES_GOOD)
        say(d, WARN, "secret",
            "%zu bytes can be guessed: take %d or more, as by openssl rand -hex 32", len,
            SECRET_BYTES_GOOD);
    else if (d->c->jwt_secret_file != NULL && is_open_to_others(d->c->jwt_secret_file))
        say(d, WARN, "secret", "%s can be read or changed by other users: chmod 640 %s",
            d->c->jwt_secret_file, d->c->jwt_secret_file);
    else
        say(d, OK, "secret", "%zu bytes", len);
    cli_free_secret(secret, len);
}

/* --- TLS --------------------------------------------------------------------- */

static void check_expiry(struct doctor *d, const X509 *cert)
{
    int days = 0, seconds = 0;

    if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) != 1)
        say(d, FAIL, "tls", "the certificate has no readable end");
    else if (days < 0 || seconds < 0)
        say(d, FAIL, "tls", "the certificate has expired %d days ago: renew it, then SIGHUP",
            -days);
    else if (days < CERT_DAYS_WARN)
        say(d, WARN, "tls", "the certificate expires in %d days: renew it, then SIGHUP", days);
    else
        say(d, OK, "tls", "certificate and key match; %d days left", days);
}

static void check_tls(struct doctor *d)
{
    SSL_CTX *ctx;

    if (d->c->tls_cert == NULL || d->c->tls_key == NULL)
        return;
    ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL)
        say(d, FAIL, "tls", "OpenSSL does not start");
    else if (SSL_CTX_use_certificate_chain_file(ctx, d->c->tls_cert) != 1)
        say(d, FAIL, "tls", "%s is not a PEM file with a certificate chain", d->c->tls_cert);
    else if (SSL_CTX_use_PrivateKey_file(ctx, d->c->tls_key, SSL_FILETYPE_PEM) != 1)
        say(d, FAIL, "tls", "%s is not a PEM file with the private key of %s", d->c->tls_key,
            d->c->tls_cert);
    else if (SSL_CTX_check_private_key(ctx) != 1)
        say(d, FAIL, "tls", "%s does not belong to %s", d->c->tls_key, d->c->tls_cert);
    else
        check_expiry(d, SSL_CTX_get0_certificate(ctx));
    if (is_open_to_others(d->c->tls_key))
        say(d, WARN, "tls", "%s can be read or changed by other users: chmod 640 %s", d->c->tls_key,
            d->c->tls_key);
    SSL_CTX_free(ctx);
}

/* --- the disk ---------------------------------------------------------------- */

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void check_space(struct doctor *d, const struct statfs *fs)
{
    uint64_t bytes = (uint64_t)fs->f_bavail * (uint64_t)fs->f_bsize;

    if (bytes < SPACE_FAIL)
        say(d, FAIL, "space", "%llu MB free: make room, edits will not be saved",
            (unsigned long long)(bytes >> 20));
    else if (bytes < SPACE_WARN)
        say(d, WARN, "space", "%llu MB free: make room soon", (unsigned long long)(bytes >> 20));
    else
        say(d, OK, "space", "%llu MB free", (unsigned long long)(bytes >> 20));
}

static void check_file_system(struct doctor *d, const struct statfs *fs)
{
    switch ((unsigned long)fs->f_type) {
    case TMPFS_MAGIC:
    case RAMFS_MAGIC:
        say(d, WARN, "disk", "%s is in memory: nothing survives a restart of the machine",
            d->c->data);
        return;
    case NFS_SUPER_MAGIC:
    case SMB_SUPER_MAGIC:
    case SMB2_SUPER_MAGIC:
    case CIFS_SUPER_MAGIC:
        say(d, FAIL, "disk", "%s is on a network: SQLite's log needs a local disk", d->c->data);
        return;
    default:
        return;
    }
}

/* Writes and syncs one block again and again, as commits do. */
static void check_sync(struct doctor *d, int fd)
{
    char block[4096] = {0};
    double begin = now_s(), rate;
    unsigned n = 0;

    while (now_s() - begin < SYNC_MS / 1e3) {
        if (pwrite(fd, block, sizeof(block), 0) != (ssize_t)sizeof(block) || fdatasync(fd) != 0) {
            say(d, FAIL, "sync", "writing to %s: %s", d->c->data, strerror(errno));
            return;
        }
        n++;
    }
    rate = n / (now_s() - begin);
    if (rate < SYNCS_SLOW)
        say(d, WARN, "sync",
            "%.0f a second: acknowledgements take %.0f ms or more; a faster disk, "
            "or durability = relaxed, helps",
            rate, 1000 / rate);
    else
        say(d, OK, "sync", "%.0f a second, %.2f ms each", rate, 1000 / rate);
}

static void check_data(struct doctor *d)
{
    char path[1100];
    struct statfs fs;
    struct err e;
    int fd;

    if (d->c->data == NULL)
        return;
    if (cli_make_dir(d->c->data, &e) != 0) {
        say(d, FAIL, "data", "%s", e.msg);
        return;
    }
    snprintf(path, sizeof(path), "%s/doctor-XXXXXX", d->c->data);
    fd = mkstemp(path);
    if (fd < 0) {
        say(d, FAIL, "data", "%s cannot be written by this user: %s", d->c->data, strerror(errno));
        return;
    }
    unlink(path);
    say(d, OK, "data", "%s can be written", d->c->data);
    if (fstatfs(fd, &fs) == 0) {
        check_space(d, &fs);
        check_file_system(d, &fs);
    }
    check_sync(d, fd);
    close(fd);
}

static void check_database(struct doctor *d)
{
    char path[1100];
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    const char *words = "no answer";

    if (d->c->data == NULL)
        return;
    snprintf(path, sizeof(path), "%s/skein.db", d->c->data);
    if (access(path, F_OK) != 0) {
        say(d, OK, "database", "none yet; serving makes it");
        return;
    }
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &st, NULL) != SQLITE_OK)
        words = sqlite3_errmsg(db);
    else if (sqlite3_step(st) == SQLITE_ROW)
        words = (const char *)sqlite3_column_text(st, 0);
    else
        words = sqlite3_errmsg(db);
    if (strcmp(words, "ok") == 0)
        say(d, OK, "database", "%s is sound, SQLite %s", path, sqlite3_libversion());
    else
        say(d, FAIL, "database",
            "%s: %.200s: keep a copy, then restore a backup, or rescue it with "
            "sqlite3 skein.db .recover",
            path, words);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

/* --- the machine ------------------------------------------------------------- */

static void check_files(struct doctor *d)
{
    uint64_t want = d->c->connections_max + FILES_SPARE;
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return;
    if (r.rlim_max < want)
        say(d, WARN, "files",
            "%llu may be open, and %llu connections are allowed: LimitNOFILE=%llu "
            "in the unit, ulimit -n, or a smaller connections-max",
            (unsigned long long)r.rlim_max, (unsigned long long)d->c->connections_max,
            (unsigned long long)want);
    else
        say(d, OK, "files", "%llu may be open", (unsigned long long)r.rlim_max);
}

static void check_clock(struct doctor *d)
{
    struct timex t = {0};
    time_t now = time(NULL);

    if (now < 1700000000)
        say(d, FAIL, "clock", "it is before 2023 here: tokens and history go wrong");
    else if (adjtimex(&t) == TIME_ERROR || (t.status & STA_UNSYNC) != 0)
        say(d, WARN, "clock",
            "not synchronised, as far as the kernel knows: tokens expire by it; "
            "chrony or systemd-timesyncd helps");
    else
        say(d, OK, "clock", "synchronised");
}

/* The host and port of `listen`; the host may be empty. */
static bool split_address(const char *listen, char *host, size_t size, const char **port)
{
    const char *colon = strrchr(listen, ':');
    size_t n;

    if (colon == NULL)
        return false;
    n = (size_t)(colon - listen);
    *port = colon + 1;
    if (n >= 2 && listen[0] == '[' && listen[n - 1] == ']') {
        listen++;
        n -= 2;
    }
    if (n >= size)
        return false;
    memcpy(host, listen, n);
    host[n] = 0;
    return true;
}

static int try_bind(const struct addrinfo *ai)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, error = 0;

    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0)
        error = errno;
    close(fd);
    return error;
}

static void check_port(struct doctor *d)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *ai;
    const char *listen = d->c->listen, *port;
    char host[256];
    int rc;

    if (listen == NULL || strncmp(listen, "unix:", 5) == 0)
        return;
    if (!split_address(listen, host, sizeof(host), &port)) {
        say(d, FAIL, "listen", "%s is not ADDRESS:PORT", listen);
        return;
    }
    rc = getaddrinfo(host[0] != 0 ? host : NULL, port, &hints, &ai);
    if (rc != 0) {
        say(d, FAIL, "listen", "%s: %s", listen, gai_strerror(rc));
        return;
    }
    rc = try_bind(ai);
    freeaddrinfo(ai);
    if (rc == EADDRINUSE)
        say(d, WARN, "listen", "%s is in use: by a running Skein, or see ss -ltnp", listen);
    else if (rc == EACCES)
        say(d, FAIL, "listen", "%s: ports below 1024 need CAP_NET_BIND_SERVICE", listen);
    else if (rc != 0)
        say(d, FAIL, "listen", "%s: %s", listen, strerror(rc));
    else
        say(d, OK, "listen", "%s is free", listen);
}

static void note_unknown_env(void *ctx, const char *name)
{
    say(ctx, WARN, "settings", "%s in the environment is no setting; see skein help config", name);
}

int cli_doctor(int argc, char **argv, const struct cli_host *host)
{
    struct doctor d = {0};
    struct cli c;
    int rc = cli_load(&c, "doctor", argc, argv, host, NULL);

    if (rc == CLI_OK && c.n_args > 0)
        rc = cli_fail_usage(&c, "no arguments are taken");
    if (rc == CLI_OK) {
        d.c = &c.config;
        check_settings(&d);
        settings_each_unknown_env(c.groups, 1, host->envp, note_unknown_env, &d);
        check_tokens(&d);
        check_secret(&d);
        check_tls(&d);
        check_data(&d);
        check_database(&d);
        check_port(&d);
        check_files(&d);
        check_clock(&d);
        printf("%u failed, %u to look at\n", d.failures, d.warnings);
        rc = d.failures > 0 ? CLI_FAILED : CLI_OK;
    }
    cli_unload(&c);
    return rc;
}
