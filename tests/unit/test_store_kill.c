/* kill -9 at any moment: what was acknowledged is there, and each record whole. */
#include "test_store_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#define ROUNDS 30
#define ROOMS 5
#define IN_FLIGHT 4 /* appends of each room */

struct ack {
    uint32_t room;
    uint64_t last;
};

/* The child: appends as fast as it can, some batches of each room at a time,
 * and writes to the pipe what was acknowledged. */
struct child;

struct shot {
    struct batch b; /* its op is the first member */
    struct child *child;
    uint32_t room;
};

struct child {
    struct fixture f;
    int pipe;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct shot shots[ROOMS][IN_FLIGHT];
    bool is_free[ROOMS][IN_FLIGHT];
    int64_t rooms[ROOMS];
    uint64_t sent[ROOMS];
};

static void on_shot(struct store_op *op)
{
    struct shot *s = (struct shot *)(void *)op;
    struct child *c = s->child;
    struct ack a = {.room = s->room, .last = s->b.a.first_seq + s->b.a.count - 1};

    if (op->code != 0 || write(c->pipe, &a, sizeof(a)) != sizeof(a))
        _exit(1);
    pthread_mutex_lock(&c->lock);
    c->is_free[s->room][s - c->shots[s->room]] = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

/* A free slot of any room, in a fixed order of preference. */
static struct shot *take_slot(struct child *c, uint32_t *turn)
{
    pthread_mutex_lock(&c->lock);
    for (;;) {
        for (uint32_t n = 0; n < ROOMS * IN_FLIGHT; n++) {
            uint32_t room = (*turn + n) % ROOMS, slot = (*turn + n) / ROOMS % IN_FLIGHT;

            if (c->is_free[room][slot]) {
                c->is_free[room][slot] = false;
                pthread_mutex_unlock(&c->lock);
                *turn += 1 + room % 3;
                return &c->shots[room][slot];
            }
        }
        pthread_cond_wait(&c->wake, &c->lock);
    }
}

static void child_shoot(struct child *c, uint32_t turn)
{
    struct shot *s = take_slot(c, &turn);
    uint32_t room = (uint32_t)(s - c->shots[0]) / IN_FLIGHT;
    size_t count = 1 + c->sent[room] % 9;

    if (s->b.a.count > 0)
        batch_free(&s->b);
    batch_make(&s->b, c->rooms[room], c->sent[room] + 1, count);
    s->child = c;
    s->room = room;
    s->b.a.op.done = on_shot;
    c->sent[room] += count;
    if (store_append(c->f.s, &s->b.a) != 0)
        _exit(2);
}

static _Noreturn void child_main(const char *dir, int pipe)
{
    struct child *c = calloc(1, sizeof(*c));

    c->f.o = (struct store_options){.dir = dir, .commit_gap_ms = 1};
    c->pipe = pipe;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, NULL);
    memset(c->is_free, true, sizeof(c->is_free));
    if (store_open(&c->f.s, &c->f.o, &c->f.e) != 0)
        _exit(3);
    for (uint32_t i = 0; i < ROOMS; i++) {
        struct store_load l;
        char name[2] = {(char)('a' + i), 0};

        if (load(&c->f, &l, name, true) != 0)
            _exit(4);
        c->rooms[i] = l.room;
        c->sent[i] = l.head;
        store_load_fini(&l);
    }
    for (uint32_t turn = 0;; turn++) {
        child_shoot(c, turn);
        if (turn % 200 == 199) /* everything up to here was sent before: the order is kept */
            (void)snapshot(&c->f, c->rooms[turn / 200 % ROOMS], c->sent[turn / 200 % ROOMS],
                           bytes_of(1, c->sent[turn / 200 % ROOMS]));
    }
}

/* Kills the child some time after its first acknowledgement, and takes what it
 * had written by then. False when the child had ended by itself. */
static bool run_child(const char *dir, useconds_t us, uint64_t acked[ROOMS])
{
    struct ack a;
    int fds[2], status;
    pid_t pid;

    CHECK_EQ(pipe(fds), 0);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        child_main(dir, fds[1]);
    }
    close(fds[1]);
    for (bool first = true; read(fds[0], &a, sizeof(a)) == sizeof(a); first = false) {
        acked[a.room] = a.last;
        if (first) {
            usleep(us);
            kill(pid, SIGKILL);
        }
    }
    close(fds[0]);
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

TEST(store_kill, what_was_acknowledged_survives)
{
    static uint64_t acked[ROOMS];
    struct fixture f;
    unsigned seed = (unsigned)getpid();

    fixture_make(&f);
    for (int round = 0; round < ROUNDS; round++) {
        char words[64];

        snprintf(words, sizeof(words), "round %d, seed %u", round, seed);
        TEST_CASE(words);
        seed = seed * 1103515245u + 12345u;
        CHECK(run_child(f.dir, (seed >> 8) % 40000, acked));
        fixture_open(&f);
        for (int i = 0; i < ROOMS; i++) {
            struct store_load l;
            char name[2] = {(char)('a' + i), 0};

            CHECK_EQ(load(&f, &l, name, false), 0);
            CHECK(l.head >= acked[i]);
            check_entries(&l.log, l.room, l.snapshot_seq + 1, l.head);
            store_load_fini(&l);
        }
        store_close(f.s);
        f.s = NULL;
    }
    for (int i = 0; i < ROOMS; i++)
        CHECK(acked[i] > ROUNDS);
    fixture_open(&f);
    fixture_fini(&f);
}
