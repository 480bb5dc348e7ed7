/* openers SECONDS COUNT FILE PROGRAM: COUNT processes open FILE and run PROGRAM in a loop. Prints
 * "started", then at the end the longest an open took, the longest a run took (milliseconds), and
 * how many opens failed and how many there were. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

struct found { double open, run; long failed, done; };

static void work(struct found *found, double end, const char *file, char *program) {
    while (now() < end) {
        double begin = now();
        int fd = open(file, O_RDONLY);
        double took = now() - begin;
        if (took > found->open) found->open = took;
        if (fd < 0) found->failed++; else close(fd);
        begin = now();
        pid_t child = vfork();
        if (child == 0) {
            char *arguments[] = { program, NULL };
            execv(program, arguments);
            _exit(127);
        }
        int status = -1;
        waitpid(child, &status, 0);
        took = now() - begin;
        if (took > found->run) found->run = took;
        if (status != 0) found->failed++;
        found->done++;
    }
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    double end = now() + atof(argv[1]) * 1e3;
    int count = atoi(argv[2]);
    struct found *found = mmap(NULL, sizeof *found * count, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < count; i++)
        if (fork() == 0) {
            work(&found[i], end, argv[3], argv[4]);
            _exit(0);
        }
    puts("started");
    fflush(stdout);
    while (wait(NULL) > 0) {}
    struct found all = {0};
    for (int i = 0; i < count; i++) {
        if (found[i].open > all.open) all.open = found[i].open;
        if (found[i].run > all.run) all.run = found[i].run;
        all.failed += found[i].failed;
        all.done += found[i].done;
    }
    printf("%.0f %.0f %ld %ld\n", all.open, all.run, all.failed, all.done);
    return 0;
}
