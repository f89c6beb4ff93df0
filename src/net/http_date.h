#ifndef SKEIN_NET_HTTP_DATE_H
#define SKEIN_NET_HTTP_DATE_H

/* http_date - IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7).
 *
 * Done by hand because strftime() follows the locale. The two obsolete forms
 * are not read: a client that sends them gets the full answer.
 */
#include <stdint.h>

#include "net/http_parse.h"

#define HTTP_DATE_BYTES 29

/* Writes 29 characters and a zero. Seconds since 1970, years 1970 to 9999. */
void http_date_format(char out[HTTP_DATE_BYTES + 1], int64_t unix_seconds);
/* Seconds since 1970, or -1 when it is not such a date. */
int64_t http_date_parse(struct http_str s);

#endif
