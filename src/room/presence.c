#include "room/presence.h"

#include <assert.h>
#include <string.h>

struct presence_entry {
    struct presence_entry *next_changed;
    uint64_t client, clock;
    uint64_t owner;
    uint64_t renewed_ms;
    uint8_t *json; /* NULL: the client is gone, its clock is still known */
    uint32_t json_len;
    bool is_changed;
};

/* Clients that are gone keep their clock, so that a late message of theirs does
 * not bring them back. This many times the states' limit may be remembered. */
#define PRESENCE_GONE_FACTOR 4

void presence_init(struct presence *p, struct mem_account *a, uint32_t states_max)
{
    *p = (struct presence){.account = a, .states_max = states_max};
    map64_init(&p->clients, a);
}

static void entry_set_json(struct presence *p, struct presence_entry *en, uint8_t *json,
                           uint32_t len)
{
    if (en->json != NULL) {
        mem_free(p->account, en->json, en->json_len);
        p->n_states--;
    }
    en->json = json;
    en->json_len = len;
    if (json != NULL)
        p->n_states++;
}

static void entry_free(struct presence *p, struct presence_entry *en)
{
    entry_set_json(p, en, NULL, 0);
    mem_free(p->account, en, sizeof(*en));
}

void presence_fini(struct presence *p)
{
    struct presence_entry *en;
    size_t pos = 0;

    while ((en = map64_next(&p->clients, &pos, NULL)) != NULL)
        entry_free(p, en);
    map64_fini(&p->clients);
    p->changed = NULL;
}

void presence_clear(struct presence *p)
{
    struct mem_account *a = p->account;
    uint32_t states_max = p->states_max;

    presence_fini(p);
    presence_init(p, a, states_max);
}

static void mark_changed(struct presence *p, struct presence_entry *en)
{
    if (en->is_changed)
        return;
    en->is_changed = true;
    en->next_changed = p->changed;
    p->changed = en;
    p->n_changed++;
}

static struct presence_entry *entry_new(struct presence *p, uint64_t client)
{
    struct presence_entry *en;

    if (p->n_states >= p->states_max ||
        map64_count(&p->clients) >= (size_t)p->states_max * PRESENCE_GONE_FACTOR)
        return NULL;
    en = mem_alloc_zero(p->account, sizeof(*en));
    if (en == NULL)
        return NULL;
    en->client = client;
    if (map64_set(&p->clients, client, en, NULL) != 0) {
        mem_free(p->account, en, sizeof(*en));
        return NULL;
    }
    return en;
}

/* y-protocols: accept if the clock is newer, or equal and the client goes. A
 * client that was never heard of counts as having clock 0. */
static bool is_news(const struct presence_entry *en, const struct ydoc_awareness_entry *in)
{
    uint64_t known = en != NULL ? en->clock : 0;

    if (known < in->clock)
        return true;
    return known == in->clock && in->is_null && en != NULL && en->json != NULL;
}

static int apply_entry(struct presence *p, const struct ydoc_awareness_entry *in, uint64_t owner,
                       uint64_t now_ms, struct err *e)
{
    struct presence_entry *en = map64_get(&p->clients, in->client);
    uint8_t *json = NULL;

    if (!is_news(en, in))
        return 0;
    if (in->is_null && en == NULL)
        return 0; /* a client that nobody has seen is gone: nothing to remember */
    if (en == NULL && (en = entry_new(p, in->client)) == NULL)
        return err_set(e, SK_ETOOBIG, "too many people in the room: at most %u states",
                       p->states_max);
    if (!in->is_null) {
        json = mem_alloc(p->account, in->json.len);
        if (json == NULL)
            return err_set(e, SK_ETOOBIG, "the room has no memory left for cursors");
        memcpy(json, in->json.p, in->json.len);
    }
    entry_set_json(p, en, json, in->is_null ? 0 : (uint32_t)in->json.len);
    en->clock = in->clock;
    en->owner = owner;
    en->renewed_ms = now_ms;
    mark_changed(p, en);
    return 1;
}

static int check_sizes(const struct ydoc_awareness_iter *start, struct err *e)
{
    struct ydoc_awareness_iter it = *start;
    struct ydoc_awareness_entry in;

    while (ydoc_awareness_next(&it, &in)) {
        if (in.json.len > PRESENCE_STATE_BYTES_MAX)
            return err_set(e, SK_ETOOBIG, "an awareness state of %zu bytes: at most %u",
                           in.json.len, PRESENCE_STATE_BYTES_MAX);
    }
    return 0;
}

int presence_apply(struct presence *p, const uint8_t *body, size_t len, uint64_t owner,
                   uint64_t now_ms, struct err *e)
{
    struct ydoc_awareness_iter it;
    struct ydoc_awareness_entry in;
    struct ydoc_error ye;
    int n = 0;

    if (ydoc_awareness_validate(&it, body, len, NULL, &ye) != 0)
        return err_set(e, SK_EBADMSG, "awareness update, byte %zu: %s", ye.offset, ye.msg);
    if (check_sizes(&it, e) != 0)
        return SK_ETOOBIG;
    while (ydoc_awareness_next(&it, &in)) {
        int rc = apply_entry(p, &in, owner, now_ms, e);

        if (rc < 0)
            return rc;
        n += rc;
    }
    return n;
}

static void entry_remove(struct presence *p, struct presence_entry *en)
{
    entry_set_json(p, en, NULL, 0);
    mark_changed(p, en);
}

void presence_remove_owner(struct presence *p, uint64_t owner)
{
    struct presence_entry *en;
    size_t pos = 0;

    while ((en = map64_next(&p->clients, &pos, NULL)) != NULL) {
        if (en->owner == owner && en->json != NULL)
            entry_remove(p, en);
    }
}

void presence_expire(struct presence *p, uint64_t now_ms, uint64_t age_ms)
{
    struct presence_entry *en;
    size_t pos = 0;

    while ((en = map64_next(&p->clients, &pos, NULL)) != NULL) {
        if (en->json != NULL && now_ms - en->renewed_ms >= age_ms)
            entry_remove(p, en);
    }
}

bool presence_has_changes(const struct presence *p)
{
    return p->changed != NULL;
}

bool presence_is_empty(const struct presence *p)
{
    return p->n_states == 0;
}

static void add_entry(struct ydoc_buf *out, const struct presence_entry *en)
{
    struct ydoc_awareness_entry e = {.client = en->client,
                                     .clock = en->clock,
                                     .json = {en->json, en->json_len},
                                     .is_null = en->json == NULL};

    ydoc_awareness_add(out, &e);
}

/* Forgets clients that have been gone for long once they are many: their clocks
 * only guard against messages that are older still. */
static void forget_gone(struct presence *p, struct presence_entry *en)
{
    if (en->json != NULL ||
        map64_count(&p->clients) < (size_t)p->states_max * (PRESENCE_GONE_FACTOR - 1))
        return;
    map64_remove(&p->clients, en->client);
    entry_free(p, en);
}

void presence_forget_changes(struct presence *p)
{
    struct presence_entry *en, *next;

    for (en = p->changed; en != NULL; en = next) {
        next = en->next_changed;
        en->is_changed = false;
        forget_gone(p, en);
    }
    p->changed = NULL;
    p->n_changed = 0;
}

int presence_take_changes(struct presence *p, struct ydoc_buf *out)
{
    ydoc_awareness_begin(out, p->n_changed);
    for (const struct presence_entry *en = p->changed; en != NULL; en = en->next_changed)
        add_entry(out, en);
    if (out->failed)
        return SK_ETOOBIG;
    presence_forget_changes(p);
    return 0;
}

int presence_encode(const struct presence *p, struct ydoc_buf *out)
{
    struct presence_entry *en;
    size_t pos = 0;

    ydoc_awareness_begin(out, p->n_states);
    while ((en = map64_next(&p->clients, &pos, NULL)) != NULL) {
        if (en->json != NULL)
            add_entry(out, en);
    }
    return out->failed ? SK_ETOOBIG : 0;
}
