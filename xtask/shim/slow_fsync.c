/* Gives fsync and fdatasync a fixed length, so that figures of different machines can be compared.
 *
 * Loaded with LD_PRELOAD; $SLOW_FSYNC_US is the length in microseconds. Meant for data on tmpfs,
 * whose own sync costs nothing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static int slow(int fd, const char *name) {
    const char *text = getenv("SLOW_FSYNC_US");
    long us = text ? atol(text) : 0;
    struct timespec length = {us / 1000000, us % 1000000 * 1000};
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int end = real(fd);
    nanosleep(&length, NULL);
    return end;
}

int fsync(int fd) { return slow(fd, "fsync"); }
int fdatasync(int fd) { return slow(fd, "fdatasync"); }
