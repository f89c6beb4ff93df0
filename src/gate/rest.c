#include "gate/rest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "gate/gate_priv.h"
#include "net/http_uri.h"
#include "store/store.h"

#define TOKEN_BYTES_MAX 8192
#define ANSWER_BYTES_MAX (16u << 10)

/* --- the answer --------------------------------------------------------------------- */

static void put_room(struct buf *b, const struct store_room_info *info)
{
    buf_put_str(b, "{\"name\":");
    buf_put_json(b, info->name);
    buf_put_str(b, ",\"incarnation\":\"");
    for (size_t i = 0; i < sizeof(info->epoch); i++)
        buf_printf(b, "%02x", info->epoch[i]);
    buf_printf(b, "\",\"head\":%" PRIu64 ",\"created\":%" PRId64 "}\n", info->head,
               info->created_ms);
}

static void respond_room(struct http_exchange *x, const struct store_room_info *info)
{
    static const struct http_header headers[] = {{"Content-Type", "application/json"},
                                                 {"Cache-Control", "no-store"}};
    struct buf b;

    buf_init(&b, mem_process(), ANSWER_BYTES_MAX);
    put_room(&b, info);
    http_respond(x, 200, headers, 2, rbuf_dup(mem_process(), b.p, b.len));
    buf_fini(&b);
}

/* --- the question to the store --------------------------------------------------------- */

struct room_query {
    struct loop_message message;
    struct loop *loop;
    struct http_exchange *x;
    struct store_list list;
    char name[ROOM_NAME_BYTES_MAX + 1];
};

static void query_free(struct room_query *q)
{
    store_list_fini(&q->list);
    mem_free(mem_process(), q, sizeof(*q));
}

static void query_run(struct loop *l, struct loop_message *m)
{
    struct room_query *q = (struct room_query *)(void *)m;

    (void)l;
    if (q->list.op.code != 0)
        http_respond_text(q->x, 503, "the store does not answer: try again\n");
    else if (q->list.count == 0 || strcmp(q->list.rooms[0].name, q->name) != 0)
        http_respond_text(q->x, 404, "no such room\n");
    else
        respond_room(q->x, &q->list.rooms[0]);
    query_free(q);
}

static void query_done(struct store_op *op)
{
    struct room_query *q = op->user;

    loop_post(q->loop, &q->message);
}

/* The first name that begins with the name is the name itself, if it is there. */
static void query_room(struct gate *g, struct http_exchange *x, const char *name, size_t len)
{
    struct room_query *q = mem_alloc_zero(mem_process(), sizeof(*q));

    q->message.run = query_run;
    q->loop = http_exchange_loop(x);
    q->x = x;
    memcpy(q->name, name, len);
    q->list.op.done = query_done;
    q->list.op.user = q;
    q->list.tenant = "";
    q->list.kind = STORE_DOCUMENT;
    q->list.prefix = q->name;
    q->list.limit = 1;
    if (store_list_rooms(gate__options(g)->store, &q->list) == 0)
        return;
    http_respond_text(x, 503, "the store does not take requests: try again\n");
    query_free(q);
}

/* --- the request ------------------------------------------------------------------------ */

static int check_token(struct gate *g, const struct http_request *req, const char *name, size_t len,
                       struct err *why)
{
    struct http_str bearer = gate__get_bearer(req);
    struct auth_ticket ticket;
    char token[TOKEN_BYTES_MAX];
    long n = http_query_get(req->query, "token", token, sizeof(token));

    if (n < 0 && bearer.p != NULL)
        return auth_check(gate__options(g)->auth, bearer.p, bearer.len, name, len, &ticket, why);
    return auth_check(gate__options(g)->auth, token, n > 0 ? (size_t)n : 0, name, len, &ticket,
                      why);
}

bool rest_respond(struct gate *g, struct http_exchange *x)
{
    static const char prefix[] = "/api/rooms/";
    const struct http_request *req = http_exchange_request(x);
    struct http_str rest;
    char name[ROOM_NAME_BYTES_MAX + 1];
    struct err e;
    long n;

    if (req->path.len < sizeof(prefix) || memcmp(req->path.p, prefix, sizeof(prefix) - 1) != 0)
        return false;
    rest =
        (struct http_str){req->path.p + sizeof(prefix) - 1, req->path.len - (sizeof(prefix) - 1)};
    n = http_percent_decode(rest, name, sizeof(name));
    if (n < 0 || room_check_name(name, (size_t)n, &e) != 0)
        http_respond_text(x, 400,
                          "not a room's name: 1 to 1,024 bytes of UTF-8, percent-encoded\n");
    else if (check_token(g, req, name, (size_t)n, &e) != 0)
        http_respond_text(x, 403, e.msg);
    else
        query_room(g, x, name, (size_t)n);
    return true;
}
