#include "crash/disk.h"

#include "crash/site.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512u
#define PAGE   4096u

/* ------------------------------------------------------------------------------------------------------------ load */

static void *grow(void *p, size_t n)
{
    p = realloc(p, n);
    site_must(p != NULL, "out of memory");
    return p;
}

static uint8_t *slurp(const char *path, size_t *len)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    site_must(fd >= 0 && fstat(fd, &st) == 0, path);
    uint8_t *bytes = grow(NULL, (size_t)st.st_size + 1);
    size_t at = 0;
    for (ssize_t n = 1; n > 0 && at < (size_t)st.st_size; at += (size_t)(n > 0 ? n : 0))
        n = read(fd, bytes + at, (size_t)st.st_size - at);
    site_must(at == (size_t)st.st_size, path);
    close(fd);
    *len = at;
    return bytes;
}

/* The newest file of that inode. */
static uint32_t file_of(const struct disk *d, uint64_t inode)
{
    for (uint32_t i = d->files_len; i > 0; i--)
        if (d->files[i - 1].inode == inode) return i - 1;
    site_must(false, "a call about a file that was never created");
    return 0;
}

static void take_call(struct disk *d, const struct kt_trace_record *r, const uint8_t *at)
{
    struct disk_call *c = &d->calls[d->calls_len++];
    *c = (struct disk_call){.call = r->call, .flags = r->flags, .data_len = r->data_len, .offset = r->offset};
    site_must(r->path_len < sizeof c->path && r->second_len < sizeof c->second, "a path is too long");
    memcpy(c->path, at, r->path_len);
    memcpy(c->second, at + r->path_len, r->second_len);
    c->data = at + r->path_len + r->second_len;
    if (c->call == KT_TRACE_CREATE) {
        site_must(d->files_len < sizeof d->files / sizeof d->files[0], "too many files");
        d->files[d->files_len] = (struct disk_file){.inode = r->file};
        memcpy(d->files[d->files_len++].path, c->path, sizeof c->path);
    }
    const bool about_file =
        c->call <= KT_TRACE_SYNC && c->call != KT_TRACE_MKDIR && (c->call != KT_TRACE_SYNC || !c->path[0]);
    if (!about_file) return;
    c->file = file_of(d, r->file);
    uint64_t *max = &d->files[c->file].size_max;
    if (c->call == KT_TRACE_WRITE && c->offset + c->data_len > *max) *max = c->offset + c->data_len;
    if (c->call == KT_TRACE_TRUNCATE && c->offset > *max) *max = c->offset;
}

void disk_load(struct disk *d, const char *trace)
{
    *d = (struct disk){0};
    d->bytes = slurp(trace, &d->len);
    for (size_t at = 0; at < d->len;) {
        struct kt_trace_record r;
        if (d->len - at < sizeof r) break; /* the process ended while it wrote this down */
        memcpy(&r, d->bytes + at, sizeof r);
        at += sizeof r;
        const size_t rest = (size_t)r.path_len + r.second_len + r.data_len;
        if (d->len - at < rest) break;
        if (d->calls_len % 1024 == 0) d->calls = grow(d->calls, (d->calls_len + 1024) * sizeof *d->calls);
        take_call(d, &r, d->bytes + at);
        at += rest;
    }
}

void disk_free(struct disk *d)
{
    free(d->calls);
    free(d->bytes);
    *d = (struct disk){0};
}

static bool is_notebook(const struct disk *d, const struct disk_call *c)
{
    return c->call == KT_TRACE_WRITE && strcmp(d->files[c->file].path, KT_TRACE_NOTEBOOK) == 0;
}

char *disk_notebook(const struct disk *d, uint32_t moment, size_t *len)
{
    size_t at = 0;
    char *text = grow(NULL, 1);
    for (uint32_t i = 0; i < moment; i++) {
        const struct disk_call *c = &d->calls[i];
        if (!is_notebook(d, c)) continue;
        text = grow(text, at + c->data_len + 1);
        memcpy(text + at, c->data, c->data_len);
        at += c->data_len;
    }
    *len = at;
    return text;
}

/* ---------------------------------------------------------------------------------------------- one file's sectors */

struct sectors {
    uint32_t len;
    uint32_t *covered; /* of each sector: everything before this call is on disk */
    uint32_t *newest;  /* the last call that wrote it, + 1; 0: none */
    uint8_t *dropped;  /* what is not covered was given up by a sync that failed */
    uint32_t *shows;   /* the image: the calls before this one show */
    uint64_t size_covered, sizes[4096];
    uint32_t sizes_len;
};

static void sectors_open(struct sectors *s, const struct disk_file *f)
{
    s->len = (uint32_t)((f->size_max + SECTOR - 1) / SECTOR);
    s->covered = calloc(s->len + 1, sizeof *s->covered);
    s->newest = calloc(s->len + 1, sizeof *s->newest);
    s->dropped = calloc(s->len + 1, 1);
    s->shows = calloc(s->len + 1, sizeof *s->shows);
    site_must(s->covered && s->newest && s->dropped && s->shows, "out of memory");
    s->size_covered = 0;
    s->sizes_len = 0;
}

static void sectors_close(struct sectors *s)
{
    free(s->covered);
    free(s->newest);
    free(s->dropped);
    free(s->shows);
}

static uint64_t size_now(const struct sectors *s)
{
    return s->sizes_len ? s->sizes[s->sizes_len - 1] : s->size_covered;
}

static void set_size(struct sectors *s, uint64_t size)
{
    if (size == size_now(s)) return;
    if (s->sizes_len == sizeof s->sizes / sizeof s->sizes[0]) s->size_covered = s->sizes[0], s->sizes_len = 0;
    s->sizes[s->sizes_len++] = size;
}

/* The sectors a call touches. */
static void span_of(const struct sectors *s, const struct disk_call *c, uint64_t size, uint32_t *from, uint32_t *to)
{
    uint64_t begin = c->offset, end = c->offset + c->data_len;
    if (c->call == KT_TRACE_TRUNCATE) end = size > c->offset ? size : c->offset; /* what was cut off reads as zeros */
    *from = (uint32_t)(begin / SECTOR);
    *to = (uint32_t)((end + SECTOR - 1) / SECTOR);
    if (*to > s->len) *to = s->len;
}

static void cover(struct sectors *s, const struct disk_call *c)
{
    const uint32_t began = (uint32_t)c->offset;
    for (uint32_t i = 0; i < s->len; i++) {
        if (s->newest[i] <= s->covered[i]) continue;
        if (c->flags & KT_TRACE_FAILED)
            s->dropped[i] = 1;
        else if (!s->dropped[i] && began > s->covered[i])
            s->covered[i] = began;
    }
    if (!(c->flags & KT_TRACE_FAILED)) s->size_covered = size_now(s), s->sizes_len = 0;
}

/* What of a file is on disk for sure before call `moment`, and what may be. */
static void follow(struct sectors *s, const struct disk *d, uint32_t file, uint32_t moment)
{
    for (uint32_t i = 0; i <= moment && i < d->calls_len; i++) {
        const struct disk_call *c = &d->calls[i];
        const bool about = c->file == file && (c->call == KT_TRACE_WRITE || c->call == KT_TRACE_TRUNCATE ||
                                               (c->call == KT_TRACE_SYNC && !c->path[0]));
        if (!about) continue;
        if (c->call == KT_TRACE_SYNC) {
            if (i < moment) cover(s, c);
            continue;
        }
        uint32_t from, to;
        span_of(s, c, size_now(s), &from, &to);
        const bool durable = c->call == KT_TRACE_WRITE && (c->flags & KT_TRACE_DURABLE) && i < moment;
        for (uint32_t k = from; k < to; k++) {
            s->newest[k] = i + 1;
            s->dropped[k] = (c->flags & KT_TRACE_FAILED) != 0;
            if (durable) s->covered[k] = i + 1;
        }
        if (c->call == KT_TRACE_TRUNCATE || c->offset + c->data_len > size_now(s))
            set_size(s, c->call == KT_TRACE_TRUNCATE ? c->offset : c->offset + c->data_len);
        if (durable) s->size_covered = size_now(s), s->sizes_len = 0;
    }
}

/* How the sectors of one image are drawn. */
enum draw { ALL_OLD, ALL_NEW, MIXED, FEW_NEW, FEW_OLD, ONE_TIME, META_ONLY, DRAWS };

static void draw_sectors(struct sectors *s, uint32_t moment, enum disk_end how, struct dice *dice)
{
    const enum draw draw = how == DISK_KILLED ? ALL_NEW : dice_below(dice, DRAWS);
    const uint32_t unit = dice_in(dice, 2) ? 1 : PAGE / SECTOR;
    const uint32_t now = moment + 1, once = 1 + dice_below(dice, now);
    uint32_t same = 0;
    for (uint32_t i = 0; i < s->len; i++) {
        if (i % unit == 0) {
            const bool meta = i < 2 * PAGE / SECTOR;
            const uint32_t any = 1 + dice_below(dice, now), few = dice_in(dice, 12);
            const uint32_t drawn[DRAWS] = {[ALL_OLD] = 0,
                                           [ALL_NEW] = now,
                                           [MIXED] = dice_in(dice, 2)   ? any
                                                     : dice_in(dice, 2) ? now
                                                                        : 0,
                                           [FEW_NEW] = few ? now : 0,
                                           [FEW_OLD] = few ? 0 : now,
                                           [ONE_TIME] = once,
                                           [META_ONLY] = meta ? now : 0};
            same = drawn[draw];
        }
        s->shows[i] = same > s->covered[i] ? same : s->covered[i];
        /* the call under way: each sector of it is there or not */
        if (how == DISK_KILLED && s->newest[i] == now) s->shows[i] = dice_in(dice, 2) ? now : moment;
    }
}

static void put_at(int fd, const void *data, size_t len, uint64_t at)
{
    site_must(pwrite(fd, data, len, (off_t)at) == (ssize_t)len, "an image cannot be written");
}

/* Call i as far as its sectors show it. */
static void apply(int fd, const struct sectors *s, const struct disk_call *c, uint32_t i, uint64_t size)
{
    static const uint8_t zeros[SECTOR];
    uint32_t from, to;
    span_of(s, c, size, &from, &to);
    for (uint32_t k = from; k < to;) {
        uint32_t run = k;
        while (run < to && s->shows[run] > i) run++;
        if (run == k) {
            k++;
            continue;
        }
        const uint64_t begin = (uint64_t)k * SECTOR > c->offset ? (uint64_t)k * SECTOR : c->offset;
        uint64_t end = (uint64_t)run * SECTOR;
        if (c->call == KT_TRACE_WRITE) {
            if (end > c->offset + c->data_len) end = c->offset + c->data_len;
            put_at(fd, c->data + (begin - c->offset), end - begin, begin);
        } else {
            for (uint64_t at = begin; at < end; at += SECTOR)
                put_at(fd, zeros, end - at < SECTOR ? end - at : SECTOR, at);
        }
        k = run;
    }
}

static void build_file(const struct disk *d, uint32_t file, uint32_t moment, enum disk_end how, struct dice *dice,
                       int fd)
{
    static struct sectors s;
    sectors_open(&s, &d->files[file]);
    follow(&s, d, file, moment);
    draw_sectors(&s, moment, how, dice);
    uint64_t size = 0;
    for (uint32_t i = 0; i <= moment && i < d->calls_len; i++) {
        const struct disk_call *c = &d->calls[i];
        if (c->file != file || (c->call != KT_TRACE_WRITE && c->call != KT_TRACE_TRUNCATE)) continue;
        apply(fd, &s, c, i, size);
        if (c->call == KT_TRACE_TRUNCATE)
            size = c->offset;
        else if (c->offset + c->data_len > size)
            size = c->offset + c->data_len;
    }
    const uint32_t which = how == DISK_KILLED ? s.sizes_len : dice_below(dice, s.sizes_len + 1);
    const uint64_t shown = which ? s.sizes[which - 1] : s.size_covered;
    site_must(ftruncate(fd, (off_t)shown) == 0, "an image cannot be sized");
    sectors_close(&s);
}

/* ---------------------------------------------------------------------------------------------------------- folders */

/* What a name has been, call by call; file + 1, FOLDER, or 0 for nothing. */
#define FOLDER UINT32_MAX
struct name {
    char path[96];
    uint32_t covered, shown; /* what it is for sure; what it is in the image */
    uint32_t was[256], when[256], was_len;
};
struct names {
    struct name all[DISK_NAMES_MAX];
    uint32_t len;
};

static struct name *name_of(struct names *n, const char *path)
{
    for (uint32_t i = 0; i < n->len; i++)
        if (strcmp(n->all[i].path, path) == 0) return &n->all[i];
    site_must(n->len < DISK_NAMES_MAX, "too many names");
    struct name *new = &n->all[n->len++];
    *new = (struct name){0};
    snprintf(new->path, sizeof new->path, "%s", path);
    return new;
}

static uint32_t name_now(const struct name *n) { return n->was_len ? n->was[n->was_len - 1] : n->covered; }

static void set_name(struct name *n, uint32_t what, uint32_t when)
{
    site_must(n->was_len < 256, "a name changes too often");
    n->when[n->was_len] = when;
    n->was[n->was_len++] = what;
}

/* Everything that was done to names in that folder before call `began` is there. */
static void cover_folder(struct names *all, const char *folder, uint32_t began)
{
    for (uint32_t i = 0; i < all->len; i++) {
        struct name *n = &all->all[i];
        const char *slash = strrchr(n->path, '/');
        const size_t len = slash ? (size_t)(slash - n->path) : 0;
        const bool in = strcmp(folder, ".") == 0 ? !slash : strlen(folder) == len && memcmp(folder, n->path, len) == 0;
        uint32_t k = 0;
        while (in && k < n->was_len && n->when[k] < began) n->covered = n->was[k++];
        memmove(n->was, n->was + k, (n->was_len - k) * sizeof *n->was);
        memmove(n->when, n->when + k, (n->was_len - k) * sizeof *n->when);
        n->was_len -= k;
    }
}

static void take_name(const struct disk *d, struct names *all, uint32_t i, bool done)
{
    const struct disk_call *c = &d->calls[i];
    switch (c->call) {
    case KT_TRACE_CREATE:
        set_name(name_of(all, c->path), c->file + 1, i);
        break;
    case KT_TRACE_MKDIR:
        set_name(name_of(all, c->path), FOLDER, i);
        break;
    case KT_TRACE_UNLINK:
        set_name(name_of(all, c->path), 0, i);
        break;
    case KT_TRACE_RENAME:
        set_name(name_of(all, c->second), name_now(name_of(all, c->path)), i);
        set_name(name_of(all, c->path), 0, i);
        break;
    case KT_TRACE_LINK:
        set_name(name_of(all, c->second), name_now(name_of(all, c->path)), i);
        break;
    case KT_TRACE_SYNC:
        if (c->path[0] && done && !(c->flags & KT_TRACE_FAILED)) cover_folder(all, c->path, (uint32_t)c->offset);
        break;
    default:
        break;
    }
}

/* Either each name is on its own, or all changes up to one moment are there (as a journal of a file system has it). */
static void draw_names(struct names *all, uint32_t moment, enum disk_end how, struct dice *dice)
{
    const bool in_order = dice_in(dice, 2);
    const uint32_t until = dice_below(dice, moment + 2);
    for (uint32_t i = 0; i < all->len; i++) {
        struct name *n = &all->all[i];
        uint32_t k = dice_below(dice, n->was_len + 1);
        if (in_order)
            for (k = 0; k < n->was_len && n->when[k] < until;) k++;
        if (how == DISK_KILLED) k = n->was_len;
        n->shown = k ? n->was[k - 1] : n->covered;
    }
}

/* The lock files are shared memory that nobody syncs. */
static bool is_lock(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && strcmp(slash, "/lock.mdb") == 0;
}

static void scramble(int fd, struct dice *dice)
{
    uint64_t noise[1024] = {0};
    const bool garbage = dice_in(dice, 2);
    for (size_t i = 0; garbage && i < 1024; i++) noise[i] = dice_throw(dice);
    if (!dice_in(dice, 3)) put_at(fd, noise, sizeof noise, 0);
}

static void build_name(const struct disk *d, const struct name *n, uint32_t moment, enum disk_end how,
                       struct dice *dice, const char *to, struct disk_image *image)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", to, n->path);
    const bool away = n->shown == 0 || (is_lock(n->path) && dice_in(dice, 3));
    if (away || strcmp(n->path, KT_TRACE_NOTEBOOK) == 0) return;
    if (n->shown == FOLDER) {
        site_must(mkdir(path, 0700) == 0, path);
        return;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return; /* its folder is not there */
    if (is_lock(n->path))
        scramble(fd, dice);
    else
        build_file(d, n->shown - 1, moment, how, dice, fd);
    site_must(image->len < DISK_NAMES_MAX, "too many files");
    snprintf(image->files[image->len].path, sizeof image->files[0].path, "%s", n->path);
    image->files[image->len++].inode = d->files[n->shown - 1].inode;
    close(fd);
}

void disk_build(const struct disk *d, uint32_t moment, enum disk_end how, struct dice *dice, const char *to,
                struct disk_image *image)
{
    static struct names all;
    all.len = image->len = 0;
    for (uint32_t i = 0; i <= moment && i < d->calls_len; i++) take_name(d, &all, i, i < moment);
    draw_names(&all, moment, how, dice);
    site_must(mkdir(to, 0700) == 0, to);
    for (uint32_t i = 0; i < all.len; i++) /* folders come before what is in them: they were named first */
        build_name(d, &all.all[i], moment, how, dice, to, image);
}
