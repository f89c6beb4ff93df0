#include "net/ws_echo.h"

static void on_message(struct ws *w, enum ws_kind kind, uint8_t *p, size_t n)
{
    ws_send(w, kind, p, n);
}

static void on_moved(struct ws *w)
{
    (void)w;
}

static void on_closed(struct ws *w, uint16_t code)
{
    (void)w;
    (void)code;
}

const struct ws_ops ws_echo_ops = {
    .on_message = on_message,
    .on_moved = on_moved,
    .on_closed = on_closed,
};
