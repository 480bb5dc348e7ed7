/* opens all DIRECTORY COUNT THREADS: opens COUNT files DIRECTORY/fN, each with another combination
 * of call and flags, from THREADS threads. Half of the files
 * are there already.
 * opens turns FILE COUNT: opens FILE COUNT times in turns for appending and for reading, and closes
 * it at once.
 * opens short FILE COUNT: opens FILE COUNT times for reading, each in a process that ends at once.
 * opens tries FILE COUNT: tries to open FILE COUNT times for reading; prints how often it succeeded.
 * opens direct FILE COUNT: opens FILE COUNT times as its filesystem doesn't allow, which the kernel
 * finds after it has asked who watches; then once for reading.
 * opens leased FILE COUNT OTHER: has a lease on FILE, so that who opens that waits; prints how many
 * milliseconds the longest of COUNT opens of OTHER took meanwhile. Then gives the lease back.
 * Prints a line for each open that succeeded and gave more than a path: number, thread, call, the
 * kernel's flags, whether it made the file. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const int bits[] = {
    O_CREAT, O_TRUNC, O_APPEND, O_EXCL, O_CLOEXEC, O_DIRECTORY, O_PATH, O_NONBLOCK, O_DSYNC,
    O_SYNC, O_NOFOLLOW, O_NOATIME,
};
enum { BITS = sizeof bits / sizeof *bits };
static const char *const names[] = { "open", "openat", "openat2", "creat" };
static const char *directory;
static long count, threads;

static int opened(int call, const char *path, int flags) {
    struct open_how how = { .flags = (unsigned)flags };
    switch (call) {
    case 0: return syscall(SYS_open, path, flags, 0640);
    case 1: return syscall(SYS_openat, AT_FDCWD, path, flags, 0640);
    case 2:
        /* It refuses what open(2) ignores. */
        if (flags & (O_CREAT)) how.mode = 0640;
        return syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
    default: return syscall(SYS_creat, path, 0640);
    }
}

static void *work(void *start) {
    for (long n = (long)start; n < count; n += threads) {
        /* Each number gives another call, access mode and set of flags. */
        long rest = n;
        int call = rest % 4;
        int flags = (rest / 4) % 3;
        rest = rest / 12;
        unsigned seed = 2654435761u * (unsigned)(rest + 1);
        for (int i = 0; i < BITS; i++) {
            /* What makes an open fail, or no open at all, is rarer. */
            int is_rare = bits[i] == O_DIRECTORY || bits[i] == O_PATH || bits[i] == O_EXCL;
            unsigned draw = (seed >> (2 * i)) & 3;
            if (is_rare ? draw == 0 && n % 3 == 0 : draw & 1) flags |= bits[i];
        }
        char path[4096];
        snprintf(path, sizeof path, "%s/f%ld", directory, n);
        struct stat found;
        int is_there = stat(path, &found) == 0;
        int fd = opened(call, path, flags);
        if (fd < 0) continue;
        close(fd);
        if (call != 3 && (flags & O_PATH)) continue;
        printf("%ld %ld %s %d %d\n", n, (long)syscall(SYS_gettid), names[call], flags, !is_there);
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    directory = argv[2];
    count = atol(argv[3]);
    if (strcmp(argv[1], "all") == 0) {
        threads = atol(argv[4]);
        for (long n = 0; n < count; n++) {
            char path[4096];
            snprintf(path, sizeof path, "%s/f%ld", directory, n);
            if ((n / 7) % 2) mknod(path, S_IFREG | 0640, 0);
        }
        /* These are not new any more when they are opened. */
        usleep(300000);
        pthread_t others[64];
        for (long n = 1; n < threads; n++) pthread_create(&others[n], NULL, work, (void *)n);
        work((void *)0);
        for (long n = 1; n < threads; n++) pthread_join(others[n], NULL);
        return 0;
    }
    if (strcmp(argv[1], "tries") == 0) {
        long opened = 0;
        for (long n = 0; n < count; n++) {
            int fd = syscall(SYS_openat, AT_FDCWD, directory, O_RDONLY);
            if (fd < 0) continue;
            opened++;
            close(fd);
        }
        printf("%ld\n", opened);
        return 0;
    }
    if (strcmp(argv[1], "direct") == 0) {
        for (long n = 0; n < count; n++)
            if (syscall(SYS_openat, AT_FDCWD, directory, O_RDONLY | O_DIRECT) >= 0 ||
                errno != EINVAL)
                return 1;
        return syscall(SYS_openat, AT_FDCWD, directory, O_RDONLY) < 0;
    }
    if (strcmp(argv[1], "leased") == 0) {
        signal(SIGIO, SIG_IGN);
        int fd = syscall(SYS_openat, AT_FDCWD, directory, O_RDWR);
        /* Whoever looks at that open has the file open, too, for a moment. */
        for (int n = 0; fcntl(fd, F_SETLEASE, F_WRLCK) < 0; n++) {
            if (n > 2000) return 1;
            usleep(10000);
        }
        pid_t child = fork();
        if (child == 0) _exit(syscall(SYS_openat, AT_FDCWD, directory, O_RDONLY) < 0);
        long longest = 0;
        for (long n = 0; n < count; n++) {
            struct timespec from, to;
            usleep(10000);
            clock_gettime(CLOCK_MONOTONIC, &from);
            if (syscall(SYS_openat, AT_FDCWD, argv[4], O_RDONLY | O_CLOEXEC) < 0) return 1;
            clock_gettime(CLOCK_MONOTONIC, &to);
            long took = (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000;
            if (took > longest) longest = took;
        }
        int status;
        fcntl(fd, F_SETLEASE, F_UNLCK);
        waitpid(child, &status, 0);
        printf("%ld\n", longest);
        return status != 0;
    }
    for (long n = 0; n < count; n++) {
        if (strcmp(argv[1], "short") == 0) {
            pid_t child = fork();
            if (child == 0) _exit(syscall(SYS_openat, AT_FDCWD, directory, O_RDONLY) < 0);
            waitpid(child, NULL, 0);
        } else {
            int flags = n % 2 ? O_RDONLY : O_WRONLY | O_APPEND;
            int fd = syscall(SYS_openat, AT_FDCWD, directory, flags);
            if (fd < 0) return 1;
            close(fd);
        }
    }
    return 0;
}
