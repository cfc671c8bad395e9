/* Models a power cut: what survives of a file is what it held at its last fsync or fdatasync.
 *
 * Loaded with LD_PRELOAD. After each sync of a regular file below $POWER_CUT_DATA its content is
 * copied to the same name below $POWER_CUT_SHADOW. The cut itself is made by the test: kill -9,
 * then put the shadow in the place of the data. A file that was never synced (SQLite's -shm) does
 * not survive. Renames and directories are not modelled: SQLite in WAL mode needs neither. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One copy at a time, or an older content could replace a newer one. */
static pthread_mutex_t copying = PTHREAD_MUTEX_INITIALIZER;

static void must(int ok, const char *what) {
    if (ok) return;
    perror(what);
    abort();
}

/* Reads through the descriptor at hand: opening and closing the file once more would drop the
 * locks that SQLite holds on it (fcntl(2)). */
static void copy(int from, const char *to) {
    static char buffer[1 << 16];
    char fresh[PATH_MAX + 4];
    snprintf(fresh, sizeof fresh, "%s.new", to);
    int out = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(out >= 0, fresh);
    off_t at = 0;
    for (ssize_t got; (got = pread(from, buffer, sizeof buffer, at)) != 0; at += got) {
        must(got > 0 && write(out, buffer, (size_t)got) == got, to);
    }
    close(out);
    /* Whole or not at all: the kill may come in the middle. */
    must(rename(fresh, to) == 0, to);
}

static void keep(int fd) {
    const char *data = getenv("POWER_CUT_DATA"), *shadow = getenv("POWER_CUT_SHADOW");
    char link[64], path[PATH_MAX], to[PATH_MAX];
    struct stat status;
    if (!data || !shadow || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return;
    /* What was opened to be written only cannot be read back: a checkpoint, put in its place by a
     * rename, which is not modelled either. The older one stays. */
    if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    must(length > 0, link);
    path[length] = 0;
    size_t prefix = strlen(data);
    if (strncmp(path, data, prefix) != 0 || path[prefix] != '/') return;
    snprintf(to, sizeof to, "%s%s", shadow, path + prefix);
    pthread_mutex_lock(&copying);
    copy(fd, to);
    pthread_mutex_unlock(&copying);
}

static int sync_and_keep(int fd, const char *name) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int end = real(fd);
    if (end == 0) keep(fd);
    return end;
}

int fsync(int fd) { return sync_and_keep(fd, "fsync"); }
int fdatasync(int fd) { return sync_and_keep(fd, "fdatasync"); }
