/* A file to import. */
#include "client/cli/import/csv.h"
#include "fuzz/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kt_csv *c;
    struct kt_csv_row row;
    const int fd = memfd_create("csv", MFD_CLOEXEC);
    fuzz_must(fd >= 0 && write(fd, data, len) == (ssize_t)len && lseek(fd, 0, SEEK_SET) == 0, "no memory for a file");
    fuzz_must(!kt_csv_open(fd, &c), "it opens");
    while (!kt_csv_next(c, &row)) fuzz_must(row.n <= KT_CSV_COLUMNS_MAX, "no row beyond the bound");
    kt_csv_close(c);
    close(fd);
    return 0;
}
