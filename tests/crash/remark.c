#include "crash/remark.h"

#include "crash/site.h"
#include "store/files.h"
#include "store/mark.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOT_BYTES 1024u

static const char *const data_files[KT_ENV_COUNT] = {"keys/data.mdb", "journal/data.mdb", "store/data.mdb"};

/* The identity of a data file in the image, where it is the file that was marked; else one that no file has. */
static void identify(int home_fd, const char *prefix, const struct disk_image *image, unsigned env,
                     struct kt_file_id *id)
{
    char path[96];
    struct stat st;
    snprintf(path, sizeof path, "%s%s", prefix, data_files[env]);
    uint64_t inode = 0;
    for (uint32_t i = 0; i < image->len; i++)
        if (strcmp(image->files[i].path, path) == 0) inode = image->files[i].inode;
    const bool same = inode == id->inode && fstatat(home_fd, data_files[env], &st, 0) == 0;
    id->device = same ? st.st_dev : 0;
    id->inode = same ? st.st_ino : 0;
}

static bool read_mark(int dir_fd, uint8_t out[2 * SLOT_BYTES])
{
    int fd = openat(dir_fd, "mark", O_RDONLY | O_CLOEXEC);
    const bool whole = fd >= 0 && kt_read_at(fd, out, 2 * SLOT_BYTES, 0) == KT_OK;
    if (fd >= 0) close(fd);
    return whole;
}

/* One slot alone in a mark of its own is read, changed and written by the product, then put back in its place. */
static void remark_slot(int home_fd, const char *prefix, const struct disk_image *image, uint8_t slot[SLOT_BYTES],
                        unsigned turn)
{
    uint8_t alone[2 * SLOT_BYTES] = {0};
    struct kt_mark m;
    int dir_fd;
    site_must(kt_dir_open(home_fd, "remark", &dir_fd) == KT_OK, "no room to remark");
    memcpy(alone + turn * SLOT_BYTES, slot, SLOT_BYTES);
    site_must(kt_file_replace(dir_fd, "mark", KT_BYTES_OF(alone)) == KT_OK, "no room to remark");
    if (kt_mark_read(dir_fd, &m) == KT_OK) {
        for (unsigned i = 0; i < KT_ENV_COUNT; i++) identify(home_fd, prefix, image, i, &m.file[i]);
        m.turn--;
        site_must(kt_mark_write(dir_fd, &m) == KT_OK && read_mark(dir_fd, alone), "a mark cannot be written again");
        memcpy(slot, alone + turn * SLOT_BYTES, SLOT_BYTES);
    }
    unlinkat(dir_fd, "mark", 0);
    close(dir_fd);
    unlinkat(home_fd, "remark", AT_REMOVEDIR);
}

void remark(const char *home, const char *prefix, const struct disk_image *image)
{
    uint8_t mark[2 * SLOT_BYTES];
    int home_fd = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (home_fd < 0) return; /* there is none */
    if (read_mark(home_fd, mark)) {
        for (unsigned turn = 0; turn < 2; turn++) remark_slot(home_fd, prefix, image, mark + turn * SLOT_BYTES, turn);
        int fd = openat(home_fd, "mark", O_WRONLY | O_CLOEXEC);
        site_must(fd >= 0 && kt_write_all(fd, KT_BYTES_OF(mark)) == KT_OK, "a mark cannot be put back");
        close(fd);
    }
    close(home_fd);
}
