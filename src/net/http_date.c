/* http_date - see http_date.h. The calendar is Howard Hinnant's: years that start
 * in March, in eras of 400, so that leap days come last and need no table. */
#include "net/http_date.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

#define DAY 86400
#define ERA_DAYS 146097
#define DAYS_TO_1970 719468 /* from 0000-03-01 */

struct date {
    int year, month, day; /* month and day from 1 */
};

static struct date date_of_days(int64_t n)
{
    int64_t z = n + DAYS_TO_1970;
    int64_t era = z / ERA_DAYS;
    int64_t doe = z - era * ERA_DAYS;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    int month = (int)(mp < 10 ? mp + 3 : mp - 9);

    return (struct date){.year = (int)(yoe + era * 400 + (month <= 2)),
                         .month = month,
                         .day = (int)(doy - (153 * mp + 2) / 5 + 1)};
}

static int64_t days_of_date(struct date d)
{
    int64_t y = d.month <= 2 ? d.year - 1 : d.year;
    int64_t era = y / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (d.month > 2 ? d.month - 3 : d.month + 9) + 2) / 5 + d.day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

    return era * ERA_DAYS + doe - DAYS_TO_1970;
}

void http_date_format(char out[HTTP_DATE_BYTES + 1], int64_t unix_seconds)
{
    int64_t n = unix_seconds / DAY;
    int s = (int)(unix_seconds % DAY);
    struct date d = date_of_days(n);
    char text[64];

    assert(unix_seconds >= 0 && d.year <= 9999);
    snprintf(text, sizeof(text), "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + (n + 4) % 7 * 3,
             d.day, months + (d.month - 1) * 3, d.year, s / 3600, s / 60 % 60, s % 60);
    memcpy(out, text, HTTP_DATE_BYTES + 1);
}

/* n decimal digits, or -1. */
static int number(const char *p, size_t n)
{
    int v = 0;

    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -1;
        v = v * 10 + (p[i] - '0');
    }
    return v;
}

int64_t http_date_parse(struct http_str s)
{
    char back[HTTP_DATE_BYTES + 1];
    struct date d = {0, 0, 0};
    int64_t seconds;
    int hour, minute, second;

    if (s.len != HTTP_DATE_BYTES)
        return -1;
    for (int m = 0; m < 12; m++) {
        if (memcmp(s.p + 8, months + m * 3, 3) == 0)
            d.month = m + 1;
    }
    d.day = number(s.p + 5, 2);
    d.year = number(s.p + 12, 4);
    hour = number(s.p + 17, 2);
    minute = number(s.p + 20, 2);
    second = number(s.p + 23, 2);
    if (d.month == 0 || d.day < 1 || d.year < 1970 || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || second < 0 || second > 60)
        return -1;
    seconds = days_of_date(d) * DAY + hour * 3600 + minute * 60 + second;
    /* Valid if and only if it is what we would write: this also settles the day
     * of the week, the length of the month and every separator. A leap second
     * is none of ours. */
    http_date_format(back, seconds);
    return memcmp(back, s.p, HTTP_DATE_BYTES) == 0 ? seconds : -1;
}
