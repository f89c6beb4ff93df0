#include "base/settings.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_BYTES_MAX 64
#define ENV_PREFIX "SKEIN_"

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit time_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};
static const struct unit size_units[] = {
    {"B", 1}, {"KB", 1u << 10}, {"MB", 1u << 20}, {"GB", 1u << 30}, {NULL, 0},
};
static const struct unit no_units[] = {{NULL, 0}};

static const struct unit *units_of(enum setting_type type)
{
    return type == SETTING_TIME ? time_units : type == SETTING_SIZE ? size_units : no_units;
}

static void *field_of(const struct setting_group *g, const struct setting *s)
{
    return (char *)g->values + s->offset;
}

/* --- names --------------------------------------------------------------- */

static char fold(char c)
{
    return c == '-' ? '_' : c;
}

static bool same_name(const char *a, const char *b, size_t b_len)
{
    for (size_t i = 0; i < b_len; i++) {
        if (a[i] == 0 || fold(a[i]) != fold(b[i]))
            return false;
    }
    return a[b_len] == 0;
}

static const struct setting *find(const struct setting_group *groups, size_t n, const char *name,
                                  size_t len, const struct setting_group **group)
{
    for (size_t g = 0; g < n; g++) {
        for (size_t i = 0; i < groups[g].n; i++) {
            if (same_name(groups[g].settings[i].name, name, len)) {
                *group = &groups[g];
                return &groups[g].settings[i];
            }
        }
    }
    return NULL;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

/* Levenshtein's distance; names longer than NAME_BYTES_MAX are far from all. */
static unsigned distance(const char *a, const char *b, size_t b_len)
{
    unsigned row[NAME_BYTES_MAX + 1];

    if (b_len > NAME_BYTES_MAX)
        return UINT_MAX;
    for (unsigned j = 0; j <= b_len; j++)
        row[j] = j;
    for (unsigned i = 0; a[i] != 0; i++) {
        unsigned diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < b_len; j++) {
            unsigned above = row[j + 1];

            row[j + 1] =
                min3(above + 1, row[j] + 1, diagonal + (unsigned)(fold(a[i]) != fold(b[j])));
            diagonal = above;
        }
    }
    return row[b_len];
}

static const struct setting *find_nearest(const struct setting_group *groups, size_t n,
                                          const char *name, size_t len)
{
    const struct setting *best = NULL;
    unsigned best_distance = 4;

    for (size_t g = 0; g < n; g++) {
        for (size_t i = 0; i < groups[g].n; i++) {
            unsigned d = distance(groups[g].settings[i].name, name, len);

            if (d < best_distance && d < len) {
                best_distance = d;
                best = &groups[g].settings[i];
            }
        }
    }
    return best;
}

static void copy_with_hyphens(char *to, size_t size, const char *name)
{
    size_t i = 0;

    for (; name[i] != 0 && i + 1 < size; i++)
        to[i] = name[i] == '_' ? '-' : name[i];
    to[i] = 0;
}

static int refuse_unknown(const struct setting_group *groups, size_t n, const char *name,
                          size_t len, struct err *e)
{
    const struct setting *near = find_nearest(groups, n, name, len);
    int shown = len > NAME_BYTES_MAX ? NAME_BYTES_MAX : (int)len;
    char near_name[NAME_BYTES_MAX + 1];

    if (near == NULL)
        return err_set(e, SK_EINVAL, "unknown setting \"%.*s\"; see skein help config", shown,
                       name);
    copy_with_hyphens(near_name, sizeof(near_name), near->name);
    return err_set(e, SK_EINVAL, "unknown setting \"%.*s\"; did you mean \"%s\"?", shown, name,
                   near_name);
}

/* --- values -------------------------------------------------------------- */

static bool parse_switch(const char *s, bool *out)
{
    static const char *const words[] = {"off", "on", "false", "true", "no", "yes", "0", "1"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(s, words[i]) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    }
    return false;
}

/* A decimal number and one of the units. A time other than 0 needs its unit. */
static bool parse_number(const char *s, const struct unit *units, uint64_t *out)
{
    uint64_t v = 0;
    const char *p = s;

    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');

        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    if (p == s)
        return false;
    *out = v;
    if (*p == 0)
        return units != time_units || v == 0;
    for (const struct unit *u = units; u->name != NULL; u++) {
        if (strcasecmp(p, u->name) == 0) {
            *out = v * u->factor;
            return v <= UINT64_MAX / u->factor;
        }
    }
    return false;
}

static void put_number(struct buf *b, const struct setting *s, uint64_t v)
{
    const struct unit *best = NULL;

    if (s->type == SETTING_TIME && v == SETTINGS_FOREVER) {
        buf_put_str(b, "forever");
        return;
    }
    for (const struct unit *u = units_of(s->type); u->name != NULL; u++) {
        if (best == NULL || (v > 0 && v % u->factor == 0))
            best = u;
    }
    buf_printf(b, "%llu%s", (unsigned long long)(best == NULL ? v : v / best->factor),
               best == NULL ? "" : best->name);
}

static int refuse_number(const struct setting *s, const char *value, struct err *e)
{
    static const char *const wants[] = {
        [SETTING_NUMBER] = "a number",
        [SETTING_TIME] = "a time such as 500ms, 10s or 30d",
        [SETTING_SIZE] = "a size such as 64KB or 16MB",
    };
    struct buf b;
    int rc;

    buf_init(&b, mem_process(), 256);
    put_number(&b, s, s->min);
    buf_put_str(&b, " to ");
    put_number(&b, s, s->max);
    rc = err_set(e, SK_EINVAL, "\"%.40s\" is not %s in %s", value, wants[s->type], buf_str(&b));
    buf_fini(&b);
    return rc;
}

static int set_number(const struct setting_group *g, const struct setting *s, const char *value,
                      struct err *e)
{
    uint64_t v;
    bool forever = s->type == SETTING_TIME && strcmp(value, "forever") == 0;

    if (forever)
        v = SETTINGS_FOREVER;
    else if (!parse_number(value, units_of(s->type), &v))
        return refuse_number(s, value, e);
    if (v < s->min || v > s->max)
        return refuse_number(s, value, e);
    *(uint64_t *)field_of(g, s) = v;
    return 0;
}

/* The place of `value` in "a|b|c", or -1. */
static int find_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);
    int i = 0;

    for (const char *p = choices; len > 0 && *p != 0; i++) {
        size_t n = strcspn(p, "|");

        if (n == len && memcmp(p, value, n) == 0)
            return i;
        p += n + (p[n] == '|');
    }
    return -1;
}

static void free_list(struct setting_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        mem_free_str(mem_process(), list->items[i]);
    mem_free(mem_process(), list->items, SETTINGS_LIST_MAX * sizeof(*list->items));
    *list = (struct setting_list){0};
}

static char *dup_bytes(const char *p, size_t n)
{
    char *copy = mem_alloc(mem_process(), n + 1);

    assert(copy != NULL); /* the process has no limit */
    memcpy(copy, p, n);
    copy[n] = 0;
    return copy;
}

static int set_list(struct setting_list *list, const char *value, struct err *e)
{
    free_list(list);
    if (*value == 0)
        return 0;
    list->items = mem_alloc(mem_process(), SETTINGS_LIST_MAX * sizeof(*list->items));
    assert(list->items != NULL);
    for (const char *p = value; *p != 0;) {
        size_t n, end;

        p += strspn(p, ", \t");
        n = end = strcspn(p, ",");
        while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t'))
            n--;
        if (n > 0 && list->n == SETTINGS_LIST_MAX)
            return err_set(e, SK_EINVAL, "more than %d entries", SETTINGS_LIST_MAX);
        if (n > 0)
            list->items[list->n++] = dup_bytes(p, n);
        p += end;
    }
    return 0;
}

static int set_string(char **field, const char *value)
{
    mem_free_str(mem_process(), *field);
    *field = *value == 0 ? NULL : dup_bytes(value, strlen(value));
    return 0;
}

static int set_value(const struct setting_group *g, const struct setting *s, const char *value,
                     struct err *e)
{
    int choice;

    switch (s->type) {
    case SETTING_STRING:
    case SETTING_SECRET:
        return set_string(field_of(g, s), value);
    case SETTING_LIST:
        return set_list(field_of(g, s), value, e);
    case SETTING_SWITCH:
        if (!parse_switch(value, field_of(g, s)))
            return err_set(e, SK_EINVAL, "\"%.40s\" is neither on nor off", value);
        return 0;
    case SETTING_CHOICE:
        choice = find_choice(s->choices, value);
        if (choice < 0)
            return err_set(e, SK_EINVAL, "\"%.40s\" is none of %s", value, s->choices);
        *(int *)field_of(g, s) = choice;
        return 0;
    default:
        return set_number(g, s, value, e);
    }
}

static int set_found(const struct setting_group *g, const struct setting *s, const char *value,
                     enum setting_source source, struct err *e)
{
    struct err why;
    char name[NAME_BYTES_MAX + 1];
    int rc = set_value(g, s, value, &why);

    if (rc != 0) {
        copy_with_hyphens(name, sizeof(name), s->name);
        return err_set(e, rc, "%s: %s", name, why.msg);
    }
    if (g->sources != NULL)
        g->sources[s - g->settings] = (uint8_t)source;
    return 0;
}

int settings_set(const struct setting_group *groups, size_t n, const char *name, const char *value,
                 enum setting_source source, struct err *e)
{
    const struct setting_group *g;
    const struct setting *s = find(groups, n, name, strlen(name), &g);

    if (s == NULL)
        return refuse_unknown(groups, n, name, strlen(name), e);
    return set_found(g, s, value, source, e);
}

void settings_init(const struct setting_group *g)
{
    for (size_t i = 0; i < g->n; i++) {
        struct err e;
        int rc = set_found(g, &g->settings[i], g->settings[i].fallback, SETTING_BY_DEFAULT, &e);

        assert(rc == 0); /* a default that its own table refuses */
        (void)rc;
    }
}

void settings_fini(const struct setting_group *g)
{
    for (size_t i = 0; i < g->n; i++) {
        const struct setting *s = &g->settings[i];

        if (s->type == SETTING_STRING || s->type == SETTING_SECRET)
            set_string(field_of(g, s), "");
        else if (s->type == SETTING_LIST)
            free_list(field_of(g, s));
    }
}

/* --- the file ------------------------------------------------------------ */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void trim(const char **p, size_t *n)
{
    while (*n > 0 && is_blank(**p)) {
        (*p)++;
        (*n)--;
    }
    while (*n > 0 && is_blank((*p)[*n - 1]))
        (*n)--;
}

static size_t length_without_comment(const char *p, size_t n)
{
    bool quoted = false;

    for (size_t i = 0; i < n; i++) {
        if (p[i] == '"')
            quoted = !quoted;
        else if (p[i] == '#' && !quoted && (i == 0 || is_blank(p[i - 1])))
            return i;
    }
    return n;
}

/* One line that is not blank. `seen` has a flag for each setting of all groups. */
static int parse_line(const struct setting_group *groups, size_t n, const char *p, size_t len,
                      bool *seen, struct err *e)
{
    const char *equals = memchr(p, '=', len);
    const struct setting_group *g;
    const struct setting *s;
    const char *value;
    size_t name_len, value_len, index = 0;
    char *copy;
    int rc;

    if (equals == NULL)
        return err_set(e, SK_EINVAL, "expected `name = value`");
    name_len = (size_t)(equals - p);
    value = equals + 1;
    value_len = len - name_len - 1;
    trim(&p, &name_len);
    trim(&value, &value_len);
    s = find(groups, n, p, name_len, &g);
    if (s == NULL || g->flags_only)
        return refuse_unknown(groups, n, p, name_len, e);
    for (const struct setting_group *before = groups; before != g; before++)
        index += before->n;
    index += (size_t)(s - g->settings);
    if (seen[index])
        return err_set(e, SK_EINVAL, "%.*s is given twice", (int)name_len, p);
    seen[index] = true;
    if (value_len >= 2 && value[0] == '"' && value[value_len - 1] == '"') {
        value++;
        value_len -= 2;
    }
    copy = dup_bytes(value, value_len);
    rc = set_found(g, s, copy, SETTING_BY_FILE, e);
    mem_free(mem_process(), copy, value_len + 1);
    return rc;
}

int settings_parse_file(const struct setting_group *groups, size_t n, const char *name,
                        const char *text, size_t len, struct err *e)
{
    size_t total = 0;
    unsigned line = 0;
    struct err why;
    bool *seen;
    int rc = 0;

    if (memchr(text, 0, len) != NULL)
        return err_set(e, SK_EINVAL, "%s: has zero bytes", name);
    for (size_t g = 0; g < n; g++)
        total += groups[g].n;
    seen = mem_alloc_zero(mem_process(), total + 1);
    assert(seen != NULL);
    for (size_t at = 0; at < len && rc == 0;) {
        const char *p = text + at, *end = memchr(p, '\n', len - at);
        size_t size = end == NULL ? len - at : (size_t)(end - p);

        at += size + 1;
        line++;
        size = length_without_comment(p, size);
        trim(&p, &size);
        if (size > 0)
            rc = parse_line(groups, n, p, size, seen, &why);
    }
    mem_free(mem_process(), seen, total + 1);
    return rc == 0 ? 0 : err_set(e, rc, "%s:%u: %s", name, line, why.msg);
}

static int load_file(const struct setting_group *groups, size_t n, const char *path, struct err *e)
{
    char *text = mem_alloc(mem_process(), SETTINGS_FILE_BYTES_MAX + 1);
    FILE *f = fopen(path, "re");
    size_t len;
    int rc;

    assert(text != NULL);
    if (f == NULL) {
        rc = err_set(e, errno == ENOENT ? SK_ENOTFOUND : SK_EIO, "configuration file %s: %s", path,
                     strerror(errno));
        goto err_after_alloc;
    }
    len = fread(text, 1, SETTINGS_FILE_BYTES_MAX + 1, f);
    if (ferror(f))
        rc = err_set(e, SK_EIO, "configuration file %s: cannot be read", path);
    else if (len > SETTINGS_FILE_BYTES_MAX)
        rc = err_set(e, SK_ETOOBIG, "configuration file %s: over %u bytes", path,
                     SETTINGS_FILE_BYTES_MAX);
    else
        rc = settings_parse_file(groups, n, path, text, len, e);
    fclose(f);
err_after_alloc:
    mem_free(mem_process(), text, SETTINGS_FILE_BYTES_MAX + 1);
    return rc;
}

/* --- the environment ----------------------------------------------------- */

/* `SKEIN_MESSAGE_MAX=1MB` is message_max: in lower case, up to the equals sign. */
static size_t env_name(const char *entry, char *name, size_t size)
{
    size_t n = strlen(ENV_PREFIX), i = 0;

    if (strncmp(entry, ENV_PREFIX, n) != 0)
        return 0;
    for (; entry[n + i] != 0 && entry[n + i] != '=' && i + 1 < size; i++) {
        char c = entry[n + i];

        name[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    name[i] = 0;
    return entry[n + i] == '=' ? i : 0;
}

static int load_env(const struct setting_group *groups, size_t n, char *const *envp, struct err *e)
{
    char name[NAME_BYTES_MAX];
    const struct setting_group *g;
    const struct setting *s;

    for (; *envp != NULL; envp++) {
        size_t len = env_name(*envp, name, sizeof(name));
        struct err why;
        int rc;

        s = len == 0 ? NULL : find(groups, n, name, len, &g);
        if (s == NULL || g->flags_only)
            continue;
        rc = set_found(g, s, *envp + strlen(ENV_PREFIX) + len + 1, SETTING_BY_ENV, &why);
        if (rc != 0)
            return err_set(e, rc, "environment: %s", why.msg);
    }
    return 0;
}

/* Kubernetes sets SKEIN_PORT, SKEIN_SERVICE_HOST and the like beside a service of that name. */
static bool is_from_orchestrator(const char *name)
{
    return strcmp(name, "port") == 0 || strncmp(name, "port_", 5) == 0 ||
           strncmp(name, "service_", 8) == 0;
}

void settings_each_unknown_env(const struct setting_group *groups, size_t n, char *const *envp,
                               void (*call)(void *ctx, const char *name), void *ctx)
{
    char name[NAME_BYTES_MAX], whole[NAME_BYTES_MAX + 8];
    const struct setting_group *g;

    for (; *envp != NULL; envp++) {
        size_t len = env_name(*envp, name, sizeof(name));

        if (len == 0 || find(groups, n, name, len, &g) != NULL || is_from_orchestrator(name))
            continue;
        snprintf(whole, sizeof(whole), "%.*s", (int)(strlen(ENV_PREFIX) + len), *envp);
        call(ctx, whole);
    }
}

/* --- flags --------------------------------------------------------------- */

/* Reads the flag at argv[*i] and steps *i over its value, when that is a word of its own. */
static int read_flag(const struct setting_group *groups, size_t n, int argc, char **argv, int *i,
                     const struct setting **s, const struct setting_group **g, const char **value,
                     struct err *e)
{
    const char *name = argv[*i] + 2;
    size_t len = strcspn(name, "=");
    bool ignored;

    *value = name[len] == '=' ? name + len + 1 : NULL;
    *s = find(groups, n, name, len, g);
    if (*s == NULL && len > 3 && strncmp(name, "no-", 3) == 0 && *value == NULL) {
        *s = find(groups, n, name + 3, len - 3, g);
        if (*s != NULL && (*s)->type == SETTING_SWITCH) {
            *value = "off";
            return 0;
        }
        *s = NULL;
    }
    if (*s == NULL)
        return refuse_unknown(groups, n, name, len, e);
    if (*value != NULL)
        return 0;
    if ((*s)->type == SETTING_SWITCH) {
        if (*i + 1 < argc && parse_switch(argv[*i + 1], &ignored))
            *value = argv[++*i];
        else
            *value = "on";
        return 0;
    }
    if (*i + 1 == argc)
        return err_set(e, SK_EINVAL, "--%s needs a value", name);
    *value = argv[++*i];
    return 0;
}

/* `only` NULL: all flags are taken, and arguments moved to the front of argv.
 * Otherwise the one flag of that name, and nothing is moved. */
static int load_flags(const struct setting_group *groups, size_t n, int argc, char **argv,
                      const char *only, int *n_args, struct err *e)
{
    bool ended = false;

    *n_args = 0;
    for (int i = 0; i < argc; i++) {
        const struct setting_group *g;
        const struct setting *s;
        const char *value;
        char *argument = argv[i];
        int rc;

        if (!ended && strcmp(argument, "--") == 0) {
            ended = true;
            continue;
        }
        if (ended || strncmp(argument, "--", 2) != 0) {
            if (only == NULL)
                argv[(*n_args)++] = argument;
            continue;
        }
        rc = read_flag(groups, n, argc, argv, &i, &s, &g, &value, e);
        if (rc == 0 && (only == NULL || strcmp(s->name, only) == 0))
            rc = set_found(g, s, value, SETTING_BY_FLAG, e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int settings_load(const struct setting_group *groups, size_t n, int argc, char **argv,
                  char *const *envp, int *n_args, struct err *e)
{
    const struct setting_group *g;
    const struct setting *config = find(groups, n, "config", 6, &g);
    const char *path;
    int rc;

    for (size_t i = 0; i < n; i++)
        settings_init(&groups[i]);
    rc = load_env(groups, n, envp, e);
    if (rc == 0)
        rc = load_flags(groups, n, argc, argv, "config", n_args, e);
    path = config == NULL ? NULL : *(char *const *)field_of(g, config);
    if (rc != 0 || path == NULL)
        return rc != 0 ? rc : load_flags(groups, n, argc, argv, NULL, n_args, e);
    rc = load_file(groups, n, path, e);
    if (rc == 0) /* again, since the file comes first */
        rc = load_env(groups, n, envp, e);
    return rc != 0 ? rc : load_flags(groups, n, argc, argv, NULL, n_args, e);
}

/* --- showing ------------------------------------------------------------- */

void settings_put_flag(struct buf *b, const struct setting *s)
{
    for (const char *p = s->name; *p != 0; p++)
        buf_put_u8(b, *p == '_' ? '-' : (uint8_t)*p);
}

void settings_put_env(struct buf *b, const struct setting *s)
{
    buf_put_str(b, ENV_PREFIX);
    for (const char *p = s->name; *p != 0; p++)
        buf_put_u8(b, (uint8_t)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p));
}

static void put_list(struct buf *b, const struct setting_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        buf_put_str(b, i == 0 ? "" : ",");
        buf_put_str(b, list->items[i]);
    }
}

static void put_choice(struct buf *b, const char *choices, int i)
{
    for (; i > 0; i--)
        choices += strcspn(choices, "|") + 1;
    buf_put(b, choices, strcspn(choices, "|"));
}

void settings_put_value(struct buf *b, const struct setting_group *g, size_t i)
{
    const struct setting *s = &g->settings[i];
    const void *field = field_of(g, s);
    const char *string;

    switch (s->type) {
    case SETTING_STRING:
        string = *(char *const *)field;
        buf_put_str(b, string == NULL ? "" : string);
        return;
    case SETTING_SECRET:
        buf_put_str(b, *(char *const *)field == NULL ? "" : "(hidden)");
        return;
    case SETTING_LIST:
        put_list(b, field);
        return;
    case SETTING_SWITCH:
        buf_put_str(b, *(const bool *)field ? "on" : "off");
        return;
    case SETTING_CHOICE:
        put_choice(b, s->choices, *(const int *)field);
        return;
    default:
        put_number(b, s, *(const uint64_t *)field);
    }
}

const char *settings_source_name(enum setting_source source)
{
    static const char *const names[] = {"default", "file", "environment", "flag"};

    return names[source];
}
