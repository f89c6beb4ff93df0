/* limits - `skein help limits`, and one number for each limit.
 *
 * Only this layer sees all modules, so here is where the table of
 * base/limits.h and the modules' own constants are held to each other. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "net/conn.h"
#include "net/http_parse.h"
#include "net/ws_codec.h"
#include "room/presence.h"
#include "room/room.h"
#include "store/store.h"

#define SAME(limit, constant) _Static_assert((limit) == (constant), #limit " is not " #constant)
SAME(LIMIT_HEAD_BYTES, HTTP_HEAD_BYTES_MAX);
SAME(LIMIT_HEAD_FIELDS, HTTP_HEADERS_MAX);
SAME(LIMIT_TARGET_BYTES, HTTP_TARGET_BYTES_MAX);
SAME(LIMIT_CONN_QUEUE_BYTES, CONN_OUT_HARD_MAX);
SAME(LIMIT_EMPTY_FRAGMENTS, WS_EMPTY_FRAGMENTS_MAX);
SAME(LIMIT_ROOM_NAME_BYTES, ROOM_NAME_BYTES_MAX);
SAME(LIMIT_ROOM_NAME_BYTES, STORE_NAME_BYTES_MAX);
SAME(LIMIT_PRESENCE_BYTES, PRESENCE_STATE_BYTES_MAX);
SAME(LIMIT_RECORD_BYTES, STORE_RECORD_BYTES_MAX);
_Static_assert(LIMIT_USER_BYTES <= STORE_AUTHOR_BYTES_MAX, "a user's name is too long to store");

static void print_row(const char *value, const char *what, const char *seen)
{
    printf("%-16s %-52s %s\n", value, what, seen);
}

static void print_fixed(long value, const char *unit, const char *what, const char *seen)
{
    char text[64];

    if (strcmp(unit, "bytes") == 0 && value % (1 << 20) == 0)
        snprintf(text, sizeof(text), "%ld MB", value >> 20);
    else if (strcmp(unit, "bytes") == 0 && value % (1 << 10) == 0)
        snprintf(text, sizeof(text), "%ld KB", value >> 10);
    else
        snprintf(text, sizeof(text), "%ld%s%s", value, unit[0] != 0 ? " " : "", unit);
    print_row(text, what, seen);
}

static void print_configured(const char *name, const char *seen)
{
    struct config c = {0};
    struct setting_group g = config_group(&c, NULL);

    struct buf b;

    buf_init(&b, mem_process(), 256);
    for (size_t i = 0; i < g.n; i++) {
        if (strcmp(g.settings[i].name, name) != 0)
            continue;
        buf_reset(&b);
        settings_put_flag(&b, &g.settings[i]);
        print_row(g.settings[i].fallback, buf_str(&b), seen);
    }
    buf_fini(&b);
}

void cli_print_limits(void)
{
    print_row("VALUE", "WHAT", "WHAT THE CLIENT SEES");
#define X(id, value, unit, what, seen) print_fixed(value, unit, what, seen);
    LIMITS(X)
#undef X
    puts("\nThese are settings; their defaults:");
#define X(name, seen) print_configured(#name, seen);
    LIMITS_CONFIGURED(X)
#undef X
}
