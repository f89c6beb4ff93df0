#include "net/http_date.h"

#include <string.h>
#include <time.h>

#include "harness.h"

static const struct {
    int64_t seconds;
    const char *text;
} rows[] = {
    {0, "Thu, 01 Jan 1970 00:00:00 GMT"},          {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
    {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},  {951868799, "Tue, 29 Feb 2000 23:59:59 GMT"},
    {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"}, {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
};

TEST(http_date, rows)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[HTTP_DATE_BYTES + 1];

        http_date_format(out, rows[i].seconds);
        CHECK_STR(out, rows[i].text);
        CHECK_EQ(http_date_parse((struct http_str){out, HTTP_DATE_BYTES}), rows[i].seconds);
    }
}

/* Held against the C library, one moment a week over 300 years. */
TEST(http_date, against_gmtime)
{
    for (int64_t s = 0; s < INT64_C(300) * 31556952; s += 604801) {
        char out[HTTP_DATE_BYTES + 1], want[64];
        time_t t = (time_t)s;
        struct tm tm;

        gmtime_r(&t, &tm);
        strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm); /* in the C locale */
        http_date_format(out, s);
        CHECK_STR(out, want);
    }
}

TEST(http_date, refused)
{
    static const char *const bad[] = {
        "",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Mon, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 6 Nov 1994 08:49:37 GMT ",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, -6 Nov 1994 08:49:37 GMT",
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        TEST_CASE(bad[i]);
        CHECK_EQ(http_date_parse((struct http_str){bad[i], strlen(bad[i])}), -1);
    }
}
