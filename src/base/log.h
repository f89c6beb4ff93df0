#ifndef SKEIN_BASE_LOG_H
#define SKEIN_BASE_LOG_H

/* log - structured lines on standard error, one write(2) each.
 *
 *     log_info("room.loaded", "room=%s bytes=%zu", name, n);
 *
 * gives, as logfmt or as JSON,
 *
 *     time=2026-11-23T03:23:07.123Z level=info event=room.loaded room=a/b bytes=812
 *     {"time":"2026-11-23T03:23:07.123Z","level":"info","event":"room.loaded","room":"a/b","bytes":812}
 *
 * The format is a list of `key=%conversion` separated by single spaces, with
 * %s %.*s %d %i %u %x %c %f and the length modifiers l, ll, z and j. Strings
 * may come from strangers: what is not printable UTF-8 is escaped, quotes are
 * added where a value needs them, and a value is cut at LOG_VALUE_MAX bytes.
 * So one line is always one line, and each field is what it says.
 *
 * Levels: error, someone must act; warn, the environment is not as it should
 * be; info, what an operator wants to see of a healthy server; debug. What a
 * peer did wrong is log_peer(): info, and at most LOG_PEER_PER_SECOND lines a
 * second and event; the next line then says how many were left out.
 *
 * Threads: any. Settings are changed at start; lines of several threads never
 * mix. When standard error does not take the line, it is lost, and counted.
 */
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };

#define LOG_LINE_MAX 4096
#define LOG_VALUE_MAX 512
#define LOG_PEER_PER_SECOND 5

void log_set_level(enum log_level level);
void log_set_format(enum log_format format);
void log_set_fd(int fd); /* instead of standard error; borrowed */
uint64_t log_lost(void); /* lines that could not be written */

#define log_error(event, ...) log_write(LOG_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...) log_write(LOG_WARN, event, __VA_ARGS__)
#define log_info(event, ...) log_write(LOG_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_write(LOG_DEBUG, event, __VA_ARGS__)

/* `event` is a literal, dotted, lower case. "%s" with NULL prints "-". fmt may
 * be empty: log_info("drain.begin", LOG_NO_FIELDS). */
void log_write(enum log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void log_peer(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* An empty format that the compiler does not warn about. */
#define LOG_NO_FIELDS "%s", ""

#endif
