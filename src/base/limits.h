#ifndef SKEIN_BASE_LIMITS_H
#define SKEIN_BASE_LIMITS_H

/* limits - every maximum that is fixed, and what a client sees who reaches it.
 *
 * `skein help limits` and the manual's table are made from the two lists here.
 * Close codes of WebSockets: those of RFC 6455; 4400 to 4499 for good (a client
 * must not come back unchanged); 4500 to 4599 for now (try again later).
 *
 * A module with a limit of its own keeps the constant in its header, beside
 * what it bounds; cli/limits.c holds both to the same number at compile time.
 */

/* X(identifier, value, unit, what, what the client sees) */
#define LIMITS(X)                                                                                  \
    X(LIMIT_HEAD_BYTES, 16384, "bytes", "head of an HTTP request", "431")                          \
    X(LIMIT_HEAD_FIELDS, 100, "", "header fields of a request", "431")                             \
    X(LIMIT_TARGET_BYTES, 8192, "bytes", "path and query of a request", "414")                     \
    X(LIMIT_CONN_QUEUE_BYTES, 16 << 20, "bytes",                                                   \
      "replies waiting for a client that does not read",                                           \
      "close 1013; the client comes back and gets the state")                                      \
    X(LIMIT_EMPTY_FRAGMENTS, 65536, "", "empty fragments of one WebSocket message", "close 1008")  \
    X(LIMIT_ROOM_NAME_BYTES, 1024, "bytes", "name of a room", "refused with words, or 400")        \
    X(LIMIT_TOKEN_BYTES, 8192, "bytes", "token", "refused: token-too-long")                        \
    X(LIMIT_USER_BYTES, 128, "bytes", "name of a user in a token", "refused: token-invalid")       \
    X(LIMIT_TOKEN_PATTERNS, 64, "", "room patterns of one token", "refused: token-invalid")        \
    X(LIMIT_PATTERN_BYTES, 1024, "bytes", "one room pattern", "refused: token-invalid")            \
    X(LIMIT_TOKENS, 100000, "", "entries of the tokens file", "the server refuses the file")       \
    X(LIMIT_TOKENS_FILE_BYTES, 64 << 20, "bytes", "tokens file", "the server refuses the file")    \
    X(LIMIT_UNJOINED_FRAMES, 1000, "", "messages of a socket before it has joined", "close 4413")  \
    X(LIMIT_UNJOINED_BYTES, 5 << 20, "bytes", "the same, in bytes", "close 4413")                  \
    X(LIMIT_UNJOINED_MESSAGE, 1 << 20, "bytes", "one such message", "close 1009")                  \
    X(LIMIT_UNJOINED_CHANNELS, 100, "", "documents that a socket waits for", "close 4413")         \
    X(LIMIT_PRESENCE_BYTES, 64 << 10, "bytes", "presence state of one client",                     \
      "the state is refused")                                                                      \
    X(LIMIT_RECORD_BYTES, 64 << 20, "bytes", "one document update", "the update is refused")

/* X(setting, what the client sees): limits that an operator may change. */
#define LIMITS_CONFIGURED(X)                                                                       \
    X(connections_max, "503 with Retry-After")                                                     \
    X(message_max, "close 1009")                                                                   \
    X(body_max, "413")                                                                             \
    X(head_timeout, "408, connection closed")                                                      \
    X(idle_timeout, "connection closed")                                                           \
    X(ping, "no answer for twice as long: connection closed")                                      \
    X(room_memory_max, "the edit is refused with words")                                           \
    X(store_queue_max, "the edit is refused with words, later ones are taken again")               \
    X(drain, "close 1012; the client comes back to the next process")

enum limit {
#define X(id, value, unit, what, seen) id = value,
    LIMITS(X)
#undef X
};

#endif
