/* The files of a stopped node, kept in memory and put back before each flip.  The node knows its files by device and
 * inode, so they stay the same files: a second name of each outlives what a trial does to the first. */
#include "damage/damage.h"

#include "store/mark.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const env_names[KT_ENV_COUNT] = {"keys", "journal", "store"};

#define MIB 1048576ull

struct kt_lmdb_config images_config(const char *dir)
{
    return (struct kt_lmdb_config){
        .dir = dir, .map_bytes = {64 * MIB, 128 * MIB, 128 * MIB}, .ahead_bytes = MIB, .readers_max = 32};
}

static void path_of(const char *dir, const char *sub, const char *name, char out[PATH_MAX])
{
    must(snprintf(out, PATH_MAX, "%s/%s%s%s", dir, sub, *sub ? "/" : "", name) < PATH_MAX, "a path is too long");
}

static int open_file(const char *dir, const char *sub, const char *name, int flags)
{
    char path[PATH_MAX];
    path_of(dir, sub, name, path);
    return open(path, flags | O_CLOEXEC, 0600);
}

static uint8_t *read_file(int fd, size_t len)
{
    uint8_t *bytes = malloc(len + 1);
    must(bytes != NULL, "out of memory");
    for (size_t at = 0; at < len;) {
        const ssize_t n = pread(fd, bytes + at, len - at, (off_t)at);
        must(n > 0, "a file of the node does not read");
        at += (size_t)n;
    }
    return bytes;
}

static size_t file_len(int fd)
{
    struct stat st;
    must(fstat(fd, &st) == 0, "a file has no size");
    return (size_t)st.st_size;
}

void images_take(const char *dir, struct images *out)
{
    *out = (struct images){0};
    for (unsigned e = 0; e < KT_ENV_COUNT; e++) {
        struct image *i = &out->env[e];
        const int fd = open_file(dir, env_names[e], "data.mdb", O_RDONLY);
        must(fd >= 0, "a file of the node is missing");
        uint64_t last[2];
        must(pread(fd, &last[0], 8, 16 + 24 + 96) == 8 && pread(fd, &last[1], 8, 4096 + 16 + 24 + 96) == 8,
             "a meta page does not read");
        i->len = ((last[0] > last[1] ? last[0] : last[1]) + 1) * 4096;
        i->file_len = file_len(fd);
        must(i->file_len >= i->len, "a file is shorter than what is in it");
        i->bytes = read_file(fd, i->len);
        close(fd);
        spans_read(i->bytes, i->len, &i->spans);
    }
    const int fd = open_file(dir, "checkpoint", "data.mdb", O_RDONLY);
    must(fd >= 0, "there is no checkpoint");
    out->checkpoint_len = file_len(fd);
    out->checkpoint = read_file(fd, out->checkpoint_len);
    close(fd);
}

static void write_all(int fd, const uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        const ssize_t n = pwrite(fd, bytes + at, len - at, (off_t)at);
        must(n > 0, "a file cannot be written");
        at += (size_t)n;
    }
}

static void empty_dir(const char *dir, const char *sub)
{
    char path[PATH_MAX];
    path_of(dir, sub, "", path);
    DIR *d = opendir(path);
    must(d != NULL, "a folder does not open");
    for (struct dirent *f; (f = readdir(d));)
        if (f->d_name[0] != '.') must(unlinkat(dirfd(d), f->d_name, 0) == 0, "a file cannot be removed");
    closedir(d);
}

static void remove_file(const char *dir, const char *sub, const char *name)
{
    char path[PATH_MAX];
    path_of(dir, sub, name, path);
    must(unlink(path) == 0 || errno == ENOENT, "a file cannot be removed");
}

static void make_dir(const char *dir, const char *sub)
{
    char path[PATH_MAX];
    path_of(dir, sub, "", path);
    must(mkdir(path, 0700) == 0 || errno == EEXIST, "a folder cannot be made");
}

void images_found(const char *dir, const struct images *i)
{
    make_dir(dir, "kept");
    make_dir(dir, "checkpoint");
    for (unsigned e = 0; e < KT_ENV_COUNT; e++) {
        make_dir(dir, env_names[e]);
        const int fd = open_file(dir, "kept", env_names[e], O_RDWR | O_CREAT);
        must(fd >= 0, "a file cannot be made");
        close(fd);
    }
    site_files(dir);
    images_put_back(dir, i);
}

/* As a clean stop leaves it behind: these very files. */
static void leave_mark(const char *dir, const struct images *i)
{
    struct kt_mark m = {.clean = true, .store_ok = true};
    const int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(dir_fd >= 0, "a folder does not open");
    remove_file(dir, "", "mark"); /* its last turn would outlive this one */
    kt_boot_read("/proc/sys/kernel/random/boot_id", m.boot);
    for (unsigned e = 0; e < KT_ENV_COUNT; e++) {
        struct stat st;
        uint64_t txn[2];
        const int fd = open_file(dir, "kept", env_names[e], O_RDONLY);
        must(fd >= 0 && fstat(fd, &st) == 0, "a file is gone");
        close(fd);
        memcpy(&txn[0], i->env[e].bytes + 16 + 24 + 104, 8);
        memcpy(&txn[1], i->env[e].bytes + 4096 + 16 + 24 + 104, 8);
        m.file[e] = (struct kt_file_id){st.st_dev, st.st_ino, txn[0] > txn[1] ? txn[0] : txn[1]};
    }
    must(kt_mark_write(dir_fd, &m) == KT_OK, "the mark cannot be written");
    close(dir_fd);
}

void images_put_back(const char *dir, const struct images *i)
{
    char kept[PATH_MAX], data[PATH_MAX];
    for (unsigned e = 0; e < KT_ENV_COUNT; e++) {
        empty_dir(dir, env_names[e]);
        path_of(dir, "kept", env_names[e], kept);
        path_of(dir, env_names[e], "data.mdb", data);
        const int fd = open(kept, O_RDWR | O_CLOEXEC);
        must(fd >= 0 && ftruncate(fd, (off_t)i->env[e].len) == 0, "a file cannot be cut");
        write_all(fd, i->env[e].bytes, i->env[e].len);
        must(ftruncate(fd, (off_t)i->env[e].file_len) == 0 && link(kept, data) == 0, "a file cannot be put back");
        close(fd);
    }
    remove_file(dir, "checkpoint", "data.mdb");
    const int fd = open_file(dir, "checkpoint", "data.mdb", O_RDWR | O_CREAT);
    must(fd >= 0, "the checkpoint cannot be made");
    write_all(fd, i->checkpoint, i->checkpoint_len);
    close(fd);
    leave_mark(dir, i);
}

void images_flip(const char *dir, enum kt_env env, uint64_t offset, unsigned bit)
{
    uint8_t byte;
    const int fd = open_file(dir, env_names[env], "data.mdb", O_RDWR);
    must(fd >= 0 && pread(fd, &byte, 1, (off_t)offset) == 1, "the byte cannot be read");
    byte ^= (uint8_t)(1u << bit);
    must(pwrite(fd, &byte, 1, (off_t)offset) == 1, "the byte cannot be written");
    close(fd);
}
