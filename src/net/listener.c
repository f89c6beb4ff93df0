/* listener - the listening sockets, one a worker, and accepting.
 *
 * TCP: every worker binds the same address with SO_REUSEPORT and the kernel
 * spreads connections. That option would also let a second server share the
 * port by mistake, so the address is first tried without it. UNIX sockets have
 * no such option: the workers share one descriptor.
 *
 * When the process has no descriptor left, waiting connections would keep the
 * socket readable for ever: a spare descriptor is given up to accept and close
 * one.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/conn.h"
#include "net/loop_internal.h"

#define ACCEPTS_PER_TURN 64
#define BACKLOG 4096
#define NOTSENT_BYTES (64 << 10)
#define RETRY_MS 100 /* after an accept that failed for want of resources */

static const char full_words[] =
    "This server has all the connections that it takes. Try again later.\n";

bool listener__format_peer(const struct sockaddr_storage *a, char out[HTTP_IP_BYTES_MAX])
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;

    if (a->ss_family == AF_INET)
        return inet_ntop(AF_INET, &v4->sin_addr, out, HTTP_IP_BYTES_MAX) != NULL;
    if (a->ss_family == AF_UNIX) {
        strcpy(out, "unix");
        return true;
    }
    if (a->ss_family != AF_INET6)
        return false;
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        return inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, out, HTTP_IP_BYTES_MAX) != NULL;
    return inet_ntop(AF_INET6, &v6->sin6_addr, out, HTTP_IP_BYTES_MAX) != NULL;
}

/* --- binding -------------------------------------------------------------- */

static void set_option(int fd, int level, int option, int value)
{
    /* Best effort: each of these is an improvement and not a need. Accepted
     * sockets inherit them. */
    (void)setsockopt(fd, level, option, &value, sizeof(value));
}

static int open_tcp(const struct sockaddr *a, socklen_t len, bool shared)
{
    int fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (shared)
        set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOTSENT_BYTES);
    if (bind(fd, a, len) == 0)
        return fd;
    close(fd);
    return -1;
}

/* "host:port", "[v6]:port", ":port" or "port". */
static int resolve(const char *text, struct addrinfo **out, struct err *e)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    const char *colon = strrchr(text, ':');
    const char *port = colon != NULL ? colon + 1 : text;
    const char *from = text;
    size_t n = colon != NULL ? (size_t)(colon - text) : 0;
    char host[256];
    int rc;

    if (n >= 2 && from[0] == '[' && from[n - 1] == ']') {
        from++;
        n -= 2;
    } else if (memchr(from, ':', n) != NULL) {
        return err_set(e, SK_EINVAL, "listen %s: write an IPv6 address as [address]:port", text);
    }
    if (n >= sizeof(host) || port[0] == 0)
        return err_set(e, SK_EINVAL, "listen %s: expected host:port", text);
    memcpy(host, from, n);
    host[n] = 0;
    rc = getaddrinfo(n > 0 ? host : NULL, port, &hints, out);
    if (rc != 0)
        return err_set(e, SK_EINVAL, "listen %s: %s", text, gai_strerror(rc));
    return 0;
}

static unsigned port_of(const struct sockaddr_storage *a)
{
    return ntohs(a->ss_family == AF_INET ? ((const struct sockaddr_in *)a)->sin_port
                                         : ((const struct sockaddr_in6 *)a)->sin6_port);
}

static void set_url(struct http_server *s, const struct sockaddr_storage *a)
{
    char ip[HTTP_IP_BYTES_MAX];

    if (!listener__format_peer(a, ip))
        ip[0] = 0;
    snprintf(s->url, sizeof(s->url), strchr(ip, ':') != NULL ? "%s://[%s]:%u" : "%s://%s:%u",
             s->shared.tls != NULL ? "https" : "http", ip, port_of(a));
}

static int bind_tcp(struct http_server *s, struct err *e)
{
    struct sockaddr_storage a;
    struct addrinfo *found;
    socklen_t len;
    int rc = resolve(s->o.listen, &found, e), probe;

    if (rc != 0)
        return rc;
    len = found->ai_addrlen;
    memcpy(&a, found->ai_addr, len);
    freeaddrinfo(found);
    if (port_of(&a) != 0) {
        probe = open_tcp((struct sockaddr *)&a, len, false);
        if (probe < 0)
            return err_set(e, SK_EIO, "listen %s: %s%s", s->o.listen, strerror(errno),
                           errno == EADDRINUSE ? " (is another server running?)" : "");
        close(probe);
    }
    for (unsigned i = 0; i < s->o.workers; i++) {
        int fd = open_tcp((struct sockaddr *)&a, len, true);

        if (fd < 0)
            return err_set(e, SK_EIO, "listen %s: %s", s->o.listen, strerror(errno));
        s->workers[i].listen_fd = fd;
        len = sizeof(a); /* port 0: the first one has found a port, the others share it */
        getsockname(fd, (struct sockaddr *)&a, &len);
    }
    set_url(s, &a);
    return 0;
}

static bool is_alive(const struct sockaddr_un *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool alive = fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0;

    if (fd >= 0)
        close(fd);
    return alive;
}

static int bind_unix(struct http_server *s, const char *path, struct err *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct stat st;
    int fd;

    if (strlen(path) >= sizeof(a.sun_path) || path[0] == 0)
        return err_set(e, SK_EINVAL, "listen unix:%s: the path must have 1 to %zu bytes", path,
                       sizeof(a.sun_path) - 1);
    strcpy(a.sun_path, path);
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        if (is_alive(&a))
            return err_set(e, SK_EIO, "listen unix:%s: another server is using it", path);
        unlink(path); /* left behind by one that was killed */
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        int rc = err_set(e, SK_EIO, "listen unix:%s: %s", path, strerror(errno));

        if (fd >= 0)
            close(fd);
        return rc;
    }
    s->workers[0].listen_fd = fd;
    s->is_unix = true;
    s->unix_path = mem_dup_str(&s->account, path);
    for (unsigned i = 1; i < s->o.workers; i++)
        s->workers[i].listen_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    snprintf(s->url, sizeof(s->url), "unix:%s", path);
    return 0;
}

int listener__bind(struct http_server *s, struct err *e)
{
    int rc =
        strncmp(s->o.listen, "unix:", 5) == 0 ? bind_unix(s, s->o.listen + 5, e) : bind_tcp(s, e);

    for (unsigned i = 0; rc == 0 && i < s->o.workers; i++)
        if (s->workers[i].listen_fd < 0 || listen(s->workers[i].listen_fd, BACKLOG) != 0)
            rc = err_set(e, SK_EIO, "listen %s: %s", s->o.listen, strerror(errno));
    return rc;
}

/* --- accepting ------------------------------------------------------------ */

static void refuse_full(struct worker *w, int fd)
{
    char unread[4096], answer[512];
    int n =
        snprintf(answer, sizeof(answer),
                 "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
                 "Retry-After: 5\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                 sizeof(full_words) - 1, full_words);

    stat_add(&w->stats.refused_total, 1);
    if (w->server->o.tls_cert == NULL) {
        /* Unread bytes at the close would reset the connection and take the answer with them. */
        (void)!recv(fd, unread, sizeof(unread), MSG_DONTWAIT);
        (void)!send(fd, answer, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
        shutdown(fd, SHUT_WR);
    }
    close(fd);
}

static void take(struct worker *w, int fd, const struct sockaddr_storage *from)
{
    struct http_server *s = w->server;
    char peer[HTTP_IP_BYTES_MAX];

    /* relaxed: a limit; a connection more or less in a race is no harm */
    if (atomic_fetch_add_explicit(&s->shared.connections, 1, memory_order_relaxed) >=
        s->o.connections_max) {
        atomic_fetch_sub_explicit(&s->shared.connections, 1, memory_order_relaxed);
        refuse_full(w, fd);
        return;
    }
    /* relaxed: this worker's listener holds the server meanwhile */
    atomic_fetch_add_explicit(&s->shared.holds, 1, memory_order_relaxed);
    if (!listener__format_peer(from, peer))
        strcpy(peer, "unix");
    conn__accept(w, fd, peer, cidr_has(s->trusted, (unsigned)s->o.n_trusted, peer));
}

static void on_retry(struct loop *l, struct loop_timer *t);
static void on_listen_ready(uv_poll_t *h, int status, int events);

/* False when there is nothing more to accept now. */
static bool accept_one(struct worker *w)
{
    struct sockaddr_storage from = {.ss_family = AF_UNIX};
    socklen_t len = sizeof(from);
    int fd = accept4(w->listen_fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0) {
        take(w, fd, &from);
        return true;
    }
    if (errno == ECONNABORTED || errno == EINTR)
        return true;
    if ((errno == EMFILE || errno == ENFILE) && w->spare_fd >= 0) {
        close(w->spare_fd);
        fd = accept4(w->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            refuse_full(w, fd);
        w->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return fd >= 0;
    }
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
        uv_poll_stop(w->listen_poll);
        w->listen_retry.run = on_retry;
        loop_timer_start(w->loop, &w->listen_retry, RETRY_MS);
    }
    return false;
}

static void on_listen_ready(uv_poll_t *h, int status, int events)
{
    struct worker *w = h->data;

    (void)status;
    (void)events;
    for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++)
        if (!accept_one(w))
            return;
}

static void on_retry(struct loop *l, struct loop_timer *t)
{
    struct worker *w = (struct worker *)((char *)t - offsetof(struct worker, listen_retry));

    (void)l;
    if (w->spare_fd < 0)
        w->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    uv_poll_start(w->listen_poll, UV_READABLE, on_listen_ready);
}

int listener__start(struct worker *w, struct err *e)
{
    struct mem_account *a = loop_account(w->loop);
    int rc;

    w->listen_poll = mem_alloc(a, sizeof(*w->listen_poll));
    if (w->listen_poll == NULL)
        return err_set(e, SK_ENOMEM, "no memory for the listener");
    rc = uv_poll_init(loop__uv(w->loop), w->listen_poll, w->listen_fd);
    if (rc != 0) {
        mem_free(a, w->listen_poll, sizeof(*w->listen_poll));
        w->listen_poll = NULL;
        return err_set(e, SK_EIO, "listener: %s", uv_strerror(rc));
    }
    w->listen_poll->data = w;
    w->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    w->is_listening = true;
    uv_poll_start(w->listen_poll, UV_READABLE, on_listen_ready);
    return 0;
}

static void on_listener_closed(uv_handle_t *h)
{
    struct worker *w = h->data;

    mem_free(loop_account(w->loop), h, sizeof(uv_poll_t));
    http_server__release(w->server);
}

void listener__stop(struct worker *w)
{
    if (!w->is_listening)
        return;
    w->is_listening = false;
    loop_timer_stop(w->loop, &w->listen_retry);
    /* The kernel resets what waits in the queue of a closed listener. */
    for (unsigned i = 0; i < BACKLOG && accept_one(w); i++) {
    }
    loop_timer_stop(w->loop, &w->listen_retry);
    uv_poll_stop(w->listen_poll);
    uv_close((uv_handle_t *)w->listen_poll, on_listener_closed);
    close(w->listen_fd);
    w->listen_fd = -1;
    if (w->spare_fd >= 0)
        close(w->spare_fd);
    w->spare_fd = -1;
}
