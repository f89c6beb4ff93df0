#ifndef YDOC_PAST_SAMPLES_H
#define YDOC_PAST_SAMPLES_H

/* ydoc_past_samples - made with yjs 13.6: a history of two clients, with a snapshot in its
 * middle (after the first past_split updates) and one at its end. */
#include <stddef.h>
#include <stdint.h>

struct past_blob {
    const char *p;
    size_t len;
};

static const struct past_blob past_updates[] = {
    {"\x01\x01\x07\x00\x04\x01\x01\x74\x10\x48\x65\x6c\x6c\x6f\x20\xf0\x9f\x98\x80\x20"
     "\x77\x6f\x72\x6c\x64\x00",
     26},
    {"\x01\x02\x07\x0e\x46\x07\x00\x04\x62\x6f\x6c\x64\x04\x74\x72\x75\x65\xc6\x07\x04"
     "\x07\x05\x04\x62\x6f\x6c\x64\x04\x6e\x75\x6c\x6c\x00",
     33},
    {"\x01\x01\x07\x10\x08\x01\x01\x6c\x03\x7d\x01\x77\x03\x74\x77\x6f\x78\x00", 18},
    {"\x01\x01\x07\x13\x28\x01\x01\x6d\x01\x6b\x01\x77\x03\x6f\x6c\x64\x00", 17},
    {"\x01\x02\x07\x14\x27\x01\x01\x6d\x01\x6e\x02\x04\x00\x07\x14\x06\x6e\x65\x73\x74"
     "\x65\x64\x00",
     23},
    {"\x00\x01\x07\x01\x02\x02", 6},
    {"\x01\x01\x09\x00\xc5\x07\x0f\x07\x05\x0b\x7b\x22\x69\x6d\x67\x22\x3a\x22\x78\x22"
     "\x7d\x00",
     22},
    {"\x01\x01\x09\x01\xc4\x07\x00\x07\x01\x02\x45\x59\x00", 13},
    {"\x00\x01\x07\x01\x07\x04", 6},
    {"\x00\x01\x07\x01\x11\x01", 6},
    {"\x01\x01\x07\x1b\x88\x07\x12\x01\x7e\x00", 10},
    {"\x01\x01\x07\x1c\xa8\x07\x13\x01\x77\x03\x6e\x65\x77\x01\x07\x01\x13\x01", 18},
    {"\x00\x01\x07\x01\x14\x07", 6}};
static const size_t past_split = 7;

/* Of each of the two: v1, v2, and the state of the document made from it. */
static const struct past_blob past_v1[] = {
    {"\x01\x07\x01\x02\x02\x02\x09\x01\x07\x1b", 10},
    {"\x01\x07\x04\x02\x02\x07\x04\x11\x01\x13\x08\x02\x09\x03\x07\x1d", 16}};
static const struct past_blob past_v2[] = {
    {"\x01\x07\x01\x02\x01\x02\x09\x01\x07\x1b", 10},
    {"\x01\x07\x04\x02\x01\x03\x03\x06\x00\x01\x07\x02\x09\x03\x07\x1d", 16}};
static const struct past_blob past_states[] = {
    {"\x02\x01\x09\x00\xc5\x07\x0f\x07\x05\x0b\x7b\x22\x69\x6d\x67\x22\x3a\x22\x78\x22"
     "\x7d\x0a\x07\x00\x04\x01\x01\x74\x02\x48\x65\x81\x07\x01\x02\x84\x07\x03\x01\x6f"
     "\x84\x07\x04\x0d\x20\xef\xbf\xbd\xef\xbf\xbd\x20\x77\x6f\x72\x6c\x64\x46\x07\x00"
     "\x04\x62\x6f\x6c\x64\x04\x74\x72\x75\x65\xc6\x07\x04\x07\x05\x04\x62\x6f\x6c\x64"
     "\x04\x6e\x75\x6c\x6c\x08\x01\x01\x6c\x03\x7d\x01\x77\x03\x74\x77\x6f\x78\x28\x01"
     "\x01\x6d\x01\x6b\x01\x77\x03\x6f\x6c\x64\x27\x01\x01\x6d\x01\x6e\x02\x04\x00\x07"
     "\x14\x06\x6e\x65\x73\x74\x65\x64\x01\x07\x01\x02\x02",
     133},
    {"\x02\x02\x09\x00\xc5\x07\x0f\x07\x05\x0b\x7b\x22\x69\x6d\x67\x22\x3a\x22\x78\x22"
     "\x7d\xc4\x07\x00\x07\x01\x02\x45\x59\x11\x07\x00\x04\x01\x01\x74\x01\x48\x84\x07"
     "\x00\x01\x65\x81\x07\x01\x02\x84\x07\x03\x01\x6f\x84\x07\x04\x04\x20\xef\xbf\xbd"
     "\x81\x07\x06\x04\x84\x07\x0a\x03\x72\x6c\x64\x46\x07\x00\x04\x62\x6f\x6c\x64\x04"
     "\x74\x72\x75\x65\xc6\x07\x04\x07\x05\x04\x62\x6f\x6c\x64\x04\x6e\x75\x6c\x6c\x08"
     "\x01\x01\x6c\x01\x7d\x01\x81\x07\x10\x01\x88\x07\x11\x01\x78\x21\x01\x01\x6d\x01"
     "\x6b\x01\x21\x01\x01\x6d\x01\x6e\x01\x00\x06\x88\x07\x12\x01\x7e\xa8\x07\x13\x01"
     "\x77\x03\x6e\x65\x77\x01\x07\x04\x02\x02\x07\x04\x11\x01\x13\x08",
     156}};
static const char *const past_strings[] = {"Heo \xef\xbf\xbd"
                                           "\xef\xbf\xbd"
                                           " world",
                                           "HEYeo \xef\xbf\xbd"
                                           "rld"};

/* toDelta(snapshot, before), by number; -1: none. */
static const struct {
    int snapshot, before;
    const char *delta;
} past_deltas[] = {
    {0, -1,
     "[{\"insert\":\"Heo\",\"attributes\":{\"bold\":true}},{\"insert\":{\"img\":\"x\"}},{"
     "\"insert\":\" \xef\xbf\xbd"
     "\xef\xbf\xbd"
     " world\"}]"},
    {1, -1,
     "[{\"insert\":\"HEYeo\",\"attributes\":{\"bold\":true}},{\"insert\":{\"img\":\"x\"}},{"
     "\"insert\":\" \xef\xbf\xbd"
     "rld\"}]"},
    {1, 0,
     "[{\"insert\":\"H\",\"attributes\":{\"bold\":true}},{\"insert\":\"EY\",\"attributes\":{"
     "\"bold\":true,\"ychange\":{\"type\":\"added\"}}},{\"insert\":\"eo\",\"attributes\":{\"bold\":"
     "true}},{\"insert\":{\"img\":\"x\"}},{\"insert\":\" \xef\xbf\xbd"
     "\"},{\"insert\":\"\xef\xbf\xbd"
     " wo\",\"attributes\":{\"ychange\":{\"type\":\"removed\"}}},{\"insert\":\"rld\"}]"},
    {0, 1,
     "[{\"insert\":\"H\",\"attributes\":{\"bold\":true}},{\"insert\":\"EY\",\"attributes\":{"
     "\"bold\":true,\"ychange\":{\"type\":\"removed\"}}},{\"insert\":\"eo\",\"attributes\":{"
     "\"bold\":true}},{\"insert\":{\"img\":\"x\"}},{\"insert\":\" \xef\xbf\xbd"
     "\"},{\"insert\":\"\xef\xbf\xbd"
     " wo\",\"attributes\":{\"ychange\":{\"type\":\"added\"}}},{\"insert\":\"rld\"}]"},
    {-1, 0,
     "[{\"insert\":\"H\",\"attributes\":{\"bold\":true}},{\"insert\":\"EY\",\"attributes\":{"
     "\"bold\":true,\"ychange\":{\"type\":\"added\"}}},{\"insert\":\"eo\",\"attributes\":{\"bold\":"
     "true}},{\"insert\":{\"img\":\"x\"}},{\"insert\":\" \xef\xbf\xbd"
     "\xef\xbf\xbd"
     " world\"}]"},
    {-1, -1,
     "[{\"insert\":\"HEYeo\",\"attributes\":{\"bold\":true}},{\"insert\":{\"img\":\"x\"}},{"
     "\"insert\":\" \xef\xbf\xbd"
     "rld\"}]"},
};

/* Relative positions made at the first snapshot, and the index that they have at the end. */
static const struct {
    const char *root;
    uint32_t index;
    int assoc;
    struct past_blob encoded;
    const char *json;
    uint32_t later;
} past_positions[] = {
    {"t",
     0,
     0,
     {"\x00\x07\x00\x00", 4},
     "{\"tname\":\"t\",\"item\":{\"client\":7,\"clock\":0},\"assoc\":0}",
     0},
    {"t", 0, -1, {"\x01\x01\x74\x41", 4}, "{\"tname\":\"t\",\"assoc\":-1}", 0},
    {"t",
     2,
     0,
     {"\x00\x07\x04\x00", 4},
     "{\"tname\":\"t\",\"item\":{\"client\":7,\"clock\":4},\"assoc\":0}",
     4},
    {"t",
     2,
     -1,
     {"\x00\x07\x01\x41", 4},
     "{\"tname\":\"t\",\"item\":{\"client\":7,\"clock\":1},\"assoc\":-1}",
     4},
    {"t",
     4,
     0,
     {"\x00\x07\x05\x00", 4},
     "{\"tname\":\"t\",\"item\":{\"client\":7,\"clock\":5},\"assoc\":0}",
     6},
    {"t", 14, 0, {"\x01\x01\x74\x00", 4}, "{\"tname\":\"t\",\"assoc\":0}", 11},
    {"t",
     14,
     -1,
     {"\x00\x07\x0d\x41", 4},
     "{\"tname\":\"t\",\"item\":{\"client\":7,\"clock\":13},\"assoc\":-1}",
     11},
    {"t", 99, 0, {"\x01\x01\x74\x00", 4}, "{\"tname\":\"t\",\"assoc\":0}", 11},
    {"t",
     99,
     -1,
     {"\x00\x07\x0d\x41", 4},
     "{\"tname\":\"t\",\"item\":{\"client\":7,\"clock\":13},\"assoc\":-1}",
     11},
    {"l",
     1,
     0,
     {"\x00\x07\x11\x00", 4},
     "{\"tname\":\"l\",\"item\":{\"client\":7,\"clock\":17},\"assoc\":0}",
     1},
    {"l", 3, 0, {"\x01\x01\x6c\x00", 4}, "{\"tname\":\"l\",\"assoc\":0}", 3},
    {"l",
     3,
     -1,
     {"\x00\x07\x12\x41", 4},
     "{\"tname\":\"l\",\"item\":{\"client\":7,\"clock\":18},\"assoc\":-1}",
     2},
};

#endif
