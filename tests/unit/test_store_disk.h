#ifndef SKEIN_UNIT_TEST_STORE_DISK_H
#define SKEIN_UNIT_TEST_STORE_DISK_H

/* test_store_disk - a SQLite file system whose disk fails when told, and that
 * remembers what would be left after a power cut.
 *
 * Syncs cost nothing here: instead of waiting for a disk, each copies the file
 * into memory. That copy is what a power cut leaves for sure; of what was
 * written after it, any sector may or may not be there, see disk_cut().
 */
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISK_SECTOR 512

enum disk_fault {
    DISK_FINE,
    DISK_WRITE_FAILS, /* EIO */
    DISK_WRITE_TEARS, /* half of it is written, then EIO */
    DISK_FULL,        /* ENOSPC */
    DISK_READ_ONLY,   /* EROFS */
    DISK_SYNC_FAILS,
    DISK_READ_FAILS,
};

struct disk_file_state {
    uint8_t *synced;
    sqlite3_int64 synced_len;
    bool is_dirty;
};

struct disk {
    sqlite3_vfs vfs, *real;
    pthread_mutex_t lock; /* for all below */
    enum disk_fault fault;
    long calls, from, until; /* calls that could fail; those that do: [from, until) */
    long failed;
    struct disk_file_state files[2]; /* skein.db, skein.db-wal */
};

struct disk_file {
    sqlite3_file base;
    struct disk *disk;
    struct disk_file_state *state; /* NULL: a file that does not matter */
    sqlite3_file real[];
};

static inline struct disk_file *disk_file_of(sqlite3_file *f)
{
    return (struct disk_file *)(void *)f;
}

/* Counts a call that a fault between a and b concerns; DISK_FINE unless it fails. */
static inline enum disk_fault disk_fails(struct disk *d, enum disk_fault a, enum disk_fault b)
{
    enum disk_fault hit = DISK_FINE;

    pthread_mutex_lock(&d->lock);
    if (d->fault != DISK_FINE && d->fault >= a && d->fault <= b) {
        if (d->calls >= d->from && d->calls < d->until) {
            hit = d->fault;
            d->failed++;
        }
        d->calls++;
    }
    pthread_mutex_unlock(&d->lock);
    return hit;
}

static inline int disk_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    struct disk_file *df = disk_file_of(f);

    if (disk_fails(df->disk, DISK_READ_FAILS, DISK_READ_FAILS)) {
        errno = EIO;
        return SQLITE_IOERR_READ;
    }
    return df->real->pMethods->xRead(df->real, p, n, at);
}

static inline int disk_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    struct disk_file *df = disk_file_of(f);
    enum disk_fault fault = disk_fails(df->disk, DISK_WRITE_FAILS, DISK_READ_ONLY);

    if (fault == DISK_WRITE_TEARS)
        (void)df->real->pMethods->xWrite(df->real, p, n / 2, at);
    if (fault != DISK_FINE) {
        errno = fault == DISK_READ_ONLY ? EROFS : EIO;
        return fault == DISK_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    }
    if (df->state != NULL) {
        pthread_mutex_lock(&df->disk->lock);
        df->state->is_dirty = true;
        pthread_mutex_unlock(&df->disk->lock);
    }
    return df->real->pMethods->xWrite(df->real, p, n, at);
}

static inline int disk_sync(sqlite3_file *f, int flags)
{
    struct disk_file *df = disk_file_of(f);
    sqlite3_int64 len = 0;
    uint8_t *copy;

    (void)flags;
    if (disk_fails(df->disk, DISK_SYNC_FAILS, DISK_SYNC_FAILS)) {
        errno = EIO;
        return SQLITE_IOERR_FSYNC;
    }
    if (df->state == NULL)
        return SQLITE_OK;
    df->real->pMethods->xFileSize(df->real, &len);
    copy = malloc((size_t)len + 1);
    if (copy == NULL || (len > 0 && df->real->pMethods->xRead(df->real, copy, (int)len, 0) != 0))
        abort();
    pthread_mutex_lock(&df->disk->lock);
    free(df->state->synced);
    df->state->synced = copy;
    df->state->synced_len = len;
    df->state->is_dirty = false;
    pthread_mutex_unlock(&df->disk->lock);
    return SQLITE_OK;
}

static inline int disk_close(sqlite3_file *f)
{
    return disk_file_of(f)->real->pMethods->xClose(disk_file_of(f)->real);
}

#define DISK_FORWARD(name, params, args)                                                           \
    static inline int disk_##name params                                                           \
    {                                                                                              \
        sqlite3_file *real = disk_file_of(f)->real;                                                \
        return real->pMethods->name args;                                                          \
    }

DISK_FORWARD(xTruncate, (sqlite3_file * f, sqlite3_int64 n), (real, n))
DISK_FORWARD(xFileSize, (sqlite3_file * f, sqlite3_int64 *n), (real, n))
DISK_FORWARD(xLock, (sqlite3_file * f, int level), (real, level))
DISK_FORWARD(xUnlock, (sqlite3_file * f, int level), (real, level))
DISK_FORWARD(xCheckReservedLock, (sqlite3_file * f, int *out), (real, out))
DISK_FORWARD(xFileControl, (sqlite3_file * f, int op, void *arg), (real, op, arg))
DISK_FORWARD(xSectorSize, (sqlite3_file * f), (real))
DISK_FORWARD(xDeviceCharacteristics, (sqlite3_file * f), (real))
DISK_FORWARD(xShmMap, (sqlite3_file * f, int page, int size, int extend, void volatile **p),
             (real, page, size, extend, p))
DISK_FORWARD(xShmLock, (sqlite3_file * f, int offset, int n, int flags), (real, offset, n, flags))
DISK_FORWARD(xShmUnmap, (sqlite3_file * f, int del), (real, del))

static inline void disk_xShmBarrier(sqlite3_file *f)
{
    disk_file_of(f)->real->pMethods->xShmBarrier(disk_file_of(f)->real);
}

static const sqlite3_io_methods disk_methods = {
    .iVersion = 2,
    .xClose = disk_close,
    .xRead = disk_read,
    .xWrite = disk_write,
    .xTruncate = disk_xTruncate,
    .xSync = disk_sync,
    .xFileSize = disk_xFileSize,
    .xLock = disk_xLock,
    .xUnlock = disk_xUnlock,
    .xCheckReservedLock = disk_xCheckReservedLock,
    .xFileControl = disk_xFileControl,
    .xSectorSize = disk_xSectorSize,
    .xDeviceCharacteristics = disk_xDeviceCharacteristics,
    .xShmMap = disk_xShmMap,
    .xShmLock = disk_xShmLock,
    .xShmBarrier = disk_xShmBarrier,
    .xShmUnmap = disk_xShmUnmap,
};

static inline struct disk *disk_of(sqlite3_vfs *v)
{
    return (struct disk *)(void *)v; /* vfs is its first member */
}

static inline int disk_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct disk *d = disk_of(v);
    struct disk_file *df = disk_file_of(f);
    int rc;

    df->disk = d;
    df->state = (flags & SQLITE_OPEN_MAIN_DB) != 0 ? &d->files[0]
                : (flags & SQLITE_OPEN_WAL) != 0   ? &d->files[1]
                                                   : NULL;
    rc = d->real->xOpen(d->real, name, df->real, flags, out);
    df->base.pMethods = df->real->pMethods != NULL ? &disk_methods : NULL;
    return rc;
}

static inline int disk_delete(sqlite3_vfs *v, const char *name, int sync_dir)
{
    struct disk *d = disk_of(v);
    size_t len = strlen(name);

    pthread_mutex_lock(&d->lock);
    if (len > 4 && strcmp(name + len - 4, "-wal") == 0) {
        free(d->files[1].synced);
        d->files[1] = (struct disk_file_state){0};
    }
    pthread_mutex_unlock(&d->lock);
    return d->real->xDelete(d->real, name, sync_dir);
}

static inline void disk_init(struct disk *d)
{
    *d = (struct disk){.real = sqlite3_vfs_find(NULL)};
    pthread_mutex_init(&d->lock, NULL);
    d->vfs = *d->real;
    d->vfs.pNext = NULL;
    d->vfs.zName = "skein-test-disk";
    d->vfs.szOsFile = (int)sizeof(struct disk_file) + d->real->szOsFile;
    d->vfs.xOpen = disk_open;
    d->vfs.xDelete = disk_delete;
    sqlite3_vfs_register(&d->vfs, 0);
}

static inline void disk_fini(struct disk *d)
{
    sqlite3_vfs_unregister(&d->vfs);
    free(d->files[0].synced);
    free(d->files[1].synced);
    pthread_mutex_destroy(&d->lock);
}

/* From now on, calls from the n-th on fail, `count` of them. */
static inline void disk_set(struct disk *d, enum disk_fault fault, long n, long count)
{
    pthread_mutex_lock(&d->lock);
    d->fault = fault;
    d->calls = d->failed = 0;
    d->from = n;
    d->until = n + count;
    pthread_mutex_unlock(&d->lock);
}

static inline long disk_failed(struct disk *d)
{
    long n;

    pthread_mutex_lock(&d->lock);
    n = d->failed;
    pthread_mutex_unlock(&d->lock);
    return n;
}

static inline bool disk_wal_is_dirty(struct disk *d)
{
    bool dirty;

    pthread_mutex_lock(&d->lock);
    dirty = d->files[1].is_dirty;
    pthread_mutex_unlock(&d->lock);
    return dirty;
}

/* Writes one file as a power cut might leave it: each sector as it was synced
 * or as it is now. seed 0: as it was synced, whole. */
static inline void disk_cut_file(const struct disk_file_state *s, const char *now_path,
                                 const char *path, unsigned seed)
{
    FILE *now = fopen(now_path, "rb"), *out = fopen(path, "wb");
    uint8_t a[DISK_SECTOR], b[DISK_SECTOR];

    for (sqlite3_int64 at = 0; out != NULL; at += DISK_SECTOR) {
        size_t na = 0, nb = now != NULL ? fread(b, 1, sizeof(b), now) : 0;
        bool take_now;

        if (at < s->synced_len)
            na = s->synced_len - at < DISK_SECTOR ? (size_t)(s->synced_len - at) : DISK_SECTOR;
        if (na > 0)
            memcpy(a, s->synced + at, na);
        seed = seed != 0 ? seed * 1103515245u + 12345u : 0;
        take_now = seed != 0 && nb > 0 && (seed >> 16) % 2 == 0;
        if (na == 0 && !take_now)
            break; /* the file was not longer, or its growth is lost from here on */
        fwrite(take_now ? b : a, 1, take_now ? nb : na, out);
    }
    if (now != NULL)
        fclose(now);
    if (out != NULL)
        fclose(out);
}

/* A directory that a power cut at this moment leaves. */
static inline void disk_cut(struct disk *d, const char *dir, const char *to, unsigned seed)
{
    static const char *const names[] = {"skein.db", "skein.db-wal"};
    char now_path[256], path[256];

    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < 2; i++) {
        snprintf(now_path, sizeof(now_path), "%s/%s", dir, names[i]);
        snprintf(path, sizeof(path), "%s/%s", to, names[i]);
        disk_cut_file(&d->files[i], now_path, path, seed == 0 ? 0 : seed + (unsigned)i * 77);
    }
    pthread_mutex_unlock(&d->lock);
}

#endif
