#include "base/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static void *count(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        metrics_add(METRIC_UPDATES, 1);
        metrics_add(METRIC_ROOMS, i % 2 == 0 ? 1 : -1);
    }
    return NULL;
}

/* No count is lost, with fewer threads than cells and with more. */
TEST(metrics, threads_lose_no_counts)
{
    pthread_t threads[METRICS_THREADS_MAX + 8];
    int64_t before = metrics_get(METRIC_UPDATES);

    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(metrics_get(METRIC_UPDATES) - before, 1000 * (int64_t)ARRAY_LEN(threads));
    CHECK_EQ(metrics_get(METRIC_ROOMS), 0);
}

/* Buckets are cumulative and bounds belong to the lower bucket, as Prometheus wants. */
TEST(metrics, histogram_counts_into_buckets)
{
    struct buf b;
    const char *s;

    metrics_observe_us(METRIC_DURABLE_TIME, 100);
    metrics_observe_us(METRIC_DURABLE_TIME, 101);
    metrics_observe_us(METRIC_DURABLE_TIME, UINT64_C(9000000));
    CHECK_EQ(metrics_get(METRIC_DURABLE_TIME), 3);
    buf_init(&b, mem_process(), 1 << 20);
    metrics_render(&b);
    s = buf_str(&b);
    CHECK_EQ(buf_err(&b), 0);
    CHECK(strstr(s, "# TYPE skein_durable_seconds histogram\n") != NULL);
    CHECK(strstr(s, "skein_durable_seconds_bucket{le=\"0.0001\"} 1\n") != NULL);
    CHECK(strstr(s, "skein_durable_seconds_bucket{le=\"0.00025\"} 2\n") != NULL);
    CHECK(strstr(s, "skein_durable_seconds_bucket{le=\"5\"} 2\n") != NULL);
    CHECK(strstr(s, "skein_durable_seconds_bucket{le=\"+Inf\"} 3\n") != NULL);
    CHECK(strstr(s, "skein_durable_seconds_sum 9.000201\n") != NULL);
    CHECK(strstr(s, "skein_durable_seconds_count 3\n") != NULL);
    buf_fini(&b);
}

/* Every line is a comment or `name[{labels}] number`, and every name is announced once. */
TEST(metrics, text_is_well_formed)
{
    struct buf b;
    char *text, *save = NULL;
    size_t lines = 0;

    buf_init(&b, mem_process(), 1 << 20);
    metrics_render(&b);
    text = (char *)test_dup(buf_str(&b), b.len + 1);
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save), lines++) {
        char *space = strrchr(line, ' '), *end;

        TEST_CASE(line);
        if (line[0] == '#')
            continue;
        CHECK(space != NULL);
        strtod(space + 1, &end);
        CHECK(end != space + 1 && *end == 0);
        CHECK(strncmp(line, "skein_", 6) == 0 || strncmp(line, "process_", 8) == 0);
    }
    CHECK(lines > 50);
    CHECK(strstr(buf_str(&b), "\nskein_updates_total ") != NULL);
    test_free(text);
    buf_fini(&b);
}
