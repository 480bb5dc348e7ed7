/*
 * Plays any program in live tests: started under whatever name, with whatever arguments, it stays
 * until its standard input ends, so that nothing has to be guessed about how long a look at it
 * takes. Built statically, so that it runs in containers without a library.
 *
 * If its first argument is one of the following, it does that first:
 *   --regain-root        gives up the effective user id and takes it back
 *   --attach PID         attaches to that process by ptrace
 *   --memfd FILE ARG...  runs FILE's contents from memory; ARG... is its whole argv
 *   --terminal PROG ARG...  runs PROG on a new terminal
 *   --forks N PROG ARG...   forks N times, one below the other; the last one runs PROG
 *   --open-close FILE    opens FILE for reading and closes it at once
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int fail(const char *what)
{
    perror(what);
    return 1;
}

static void stay(void)
{
    char byte;
    while (read(0, &byte, 1) > 0)
        ;
}

static int run_from_memory(char **argv)
{
    char buffer[65536];
    ssize_t size;
    int from = open(argv[0], O_RDONLY | O_CLOEXEC);
    int to = memfd_create("payload", MFD_CLOEXEC);
    if (from < 0 || to < 0)
        return fail("memfd");
    while ((size = read(from, buffer, sizeof buffer)) > 0)
        if (write(to, buffer, size) != size)
            return fail("write");
    fexecve(to, argv + 1, environ);
    return fail("fexecve");
}

static int run_on_terminal(char **argv)
{
    int master;
    pid_t child = forkpty(&master, NULL, NULL, NULL);
    if (child < 0)
        return fail("forkpty");
    if (child == 0) {
        execvp(argv[0], argv);
        _exit(fail("execvp"));
    }
    stay();
    close(master);
    waitpid(child, NULL, 0);
    return 0;
}

static int run_below(int generations, char **argv)
{
    while (generations-- > 0) {
        pid_t child = fork();
        if (child < 0)
            return fail("fork");
        if (child > 0) {
            waitpid(child, NULL, 0);
            return 0;
        }
    }
    execvp(argv[0], argv);
    return fail("execvp");
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "--regain-root")) {
        if (seteuid(65534) || seteuid(0))
            return fail("seteuid");
    } else if (!strcmp(what, "--attach") && argc > 2) {
        if (ptrace(PTRACE_ATTACH, atoi(argv[2]), 0, 0))
            return fail("ptrace");
        waitpid(atoi(argv[2]), NULL, __WALL);
        ptrace(PTRACE_DETACH, atoi(argv[2]), 0, 0);
    } else if (!strcmp(what, "--memfd") && argc > 3) {
        return run_from_memory(argv + 2);
    } else if (!strcmp(what, "--terminal") && argc > 2) {
        return run_on_terminal(argv + 2);
    } else if (!strcmp(what, "--forks") && argc > 3) {
        return run_below(atoi(argv[2]), argv + 3);
    } else if (!strcmp(what, "--open-close") && argc > 2) {
        close(open(argv[2], O_RDONLY));
    }
    stay();
    return 0;
}
