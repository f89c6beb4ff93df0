#ifndef SKEIN_BASE_CONFIG_H
#define SKEIN_BASE_CONFIG_H

/* config - the server's settings: one table, from which come the struct, the
 * flags, the environment's names, the file's keys and `skein help config`.
 *
 * Adding a setting is adding a line. How values are written and which source
 * wins is in base/settings.h.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/settings.h"

#define CONFIG_KB (UINT64_C(1) << 10)
#define CONFIG_MB (UINT64_C(1) << 20)
#define CONFIG_GB (UINT64_C(1) << 30)
#define CONFIG_DAY_MS UINT64_C(86400000)

/* X(type, field, default, smallest, largest, choices or the value's name, help) */
#define CONFIG_SETTINGS(X)                                                                         \
    X(STRING, listen, "127.0.0.1:8787", 0, 0, "ADDRESS",                                           \
      "Where to accept connections: 127.0.0.1:8787, [::]:8787 or unix:/run/skein.sock. Port 0 "    \
      "picks a free one.")                                                                         \
    X(STRING, data, "./data", 0, 0, "DIR", "Directory of the database. Made when missing.")        \
    X(STRING, config, "", 0, 0, "FILE", "File with `name = value` lines, for any of these.")       \
    X(NUMBER, workers, "0", 0, 64, "N", "Threads that serve; 0 takes one for each core.")          \
    X(STRING, tokens, "", 0, 0, "FILE",                                                            \
      "JSON file of static tokens and what they may do. Read again on SIGHUP.")                    \
    X(SECRET, jwt_secret, "", 0, 0, "SECRET",                                                      \
      "Secret of HS256 JSON web tokens. Flags are seen by everyone on the machine: prefer "        \
      "jwt-secret-file or the environment.")                                                       \
    X(STRING, jwt_secret_file, "", 0, 0, "FILE",                                                   \
      "File with that secret; one line break at its end is ignored.")                              \
    X(CHOICE, anonymous, "none", 0, 0, "none|read|write",                                          \
      "What a client without a token may do, where the tokens file does not say.")                 \
    X(SWITCH, insecure_open, "off", 0, 0, "on|off",                                                \
      "Let everybody write even when listening beyond this machine.")                              \
    X(LIST, origins, "", 0, 0, "LIST",                                                             \
      "Web origins that may connect, such as https://app.example; * for all. Empty: the same "     \
      "origin only.")                                                                              \
    X(CHOICE, stateless, "off", 0, 0, "off|broadcast",                                             \
      "Hocuspocus stateless messages: refuse them, or pass them to all members of the document.")  \
    X(STRING, tls_cert, "", 0, 0, "FILE",                                                          \
      "PEM file with the certificate and its chain. Read again on SIGHUP.")                        \
    X(STRING, tls_key, "", 0, 0, "FILE", "PEM file with the certificate's private key.")           \
    X(LIST, trusted_proxies, "", 0, 0, "LIST",                                                     \
      "Addresses or networks (10.0.0.0/8) whose forwarding headers are believed.")                 \
    X(SWITCH, proxy_protocol, "off", 0, 0, "on|off",                                               \
      "Every connection begins with a PROXY protocol header, from a trusted proxy.")               \
    X(SWITCH, ws_compress, "off", 0, 0, "on|off", "Offer permessage-deflate.")                     \
    X(SIZE, message_max, "16MB", CONFIG_KB, 64 * CONFIG_MB, "SIZE",                                \
      "Largest WebSocket message. A larger one closes the connection with 1009.")                  \
    X(SIZE, body_max, "1MB", CONFIG_KB, 64 * CONFIG_MB, "SIZE",                                    \
      "Largest body of an HTTP request. A larger one is answered with 413.")                       \
    X(NUMBER, connections_max, "16000", 1, 1000000, "N",                                           \
      "Connections at a time in the whole process. More are refused with 503.")                    \
    X(SIZE, room_memory_max, "256MB", CONFIG_MB, 16 * CONFIG_GB, "SIZE",                           \
      "Memory of one room, its document included. Edits beyond it are refused.")                   \
    X(TIME, head_timeout, "10s", 100, 600000, "TIME",                                              \
      "A request's head must be complete by then.")                                                \
    X(TIME, idle_timeout, "75s", 1000, 3600000, "TIME",                                            \
      "An HTTP connection without a request is closed after this.")                                \
    X(TIME, ping, "30s", 1000, 3600000, "TIME",                                                    \
      "A silent WebSocket is pinged after this, and closed after twice as long.")                  \
    X(NUMBER, flush_max_ms, "10", 0, 1000, "MS",                                                   \
      "How long a busy room may hold edits back to send several as one.")                          \
    X(TIME, idle_unload, "30s", 0, 30 * CONFIG_DAY_MS, "TIME",                                     \
      "A room that nobody is in leaves the memory after this.")                                    \
    X(CHOICE, durability, "full", 0, 0, "full|relaxed",                                            \
      "full: acknowledged edits survive a power cut. relaxed: they survive a crash of the "        \
      "process; a power cut may cost the last relaxed-ms.")                                        \
    X(NUMBER, relaxed_ms, "1000", 1, 60000, "MS", "How often the disk is synced when relaxed.")    \
    X(SIZE, store_queue_max, "64MB", CONFIG_MB, 16 * CONFIG_GB, "SIZE",                            \
      "Edits that may wait for a slow or failing disk. Beyond it edits are refused.")              \
    X(TIME, history, "30d", CONFIG_DAY_MS, SETTINGS_FOREVER, "TIME",                               \
      "How long every single edit is kept, in whole days, or `forever`. The documents themselves " \
      "are kept in any case.")                                                                     \
    X(TIME, drain, "10s", 0, 600000, "TIME",                                                       \
      "On SIGTERM: connections are closed within this, then the process ends.")                    \
    X(SWITCH, debug_echo, "off", 0, 0, "on|off",                                                   \
      "Add a WebSocket echo at /debug/echo, for conformance suites and benchmarks.")               \
    X(CHOICE, log_level, "info", 0, 0, "error|warn|info|debug", "What is logged.")                 \
    X(CHOICE, log_format, "logfmt", 0, 0, "logfmt|json", "How it is logged.")

struct config {
#define X(type, field, fallback, min, max, choices, help) SETTING_FIELD_##type field;
    CONFIG_SETTINGS(X)
#undef X
};

/* The fields that are choices. enum log_level and log_format are in base/log.h. */
enum config_anonymous { CONFIG_ANONYMOUS_NONE, CONFIG_ANONYMOUS_READ, CONFIG_ANONYMOUS_WRITE };
enum config_stateless { CONFIG_STATELESS_OFF, CONFIG_STATELESS_BROADCAST };
enum config_durability { CONFIG_DURABILITY_FULL, CONFIG_DURABILITY_RELAXED };

/* The table for settings_load() and for showing. `c` zeroed; sources may be
 * NULL, or has room for config_count() bytes. */
struct setting_group config_group(struct config *c, uint8_t *sources);
size_t config_count(void);

/* The number of workers meant: 0 becomes the number of cores this process may use. */
unsigned config_workers(const struct config *c);
/* Whole days, at least 1; 0 for ever. */
unsigned config_history_days(const struct config *c);
/* Whether `listen` is reachable from this machine only. */
bool config_is_loopback(const char *listen);
/* What the settings say about each other; the first contradiction in words. */
int config_check(const struct config *c, struct err *e) SK_MUST_CHECK;

#endif
