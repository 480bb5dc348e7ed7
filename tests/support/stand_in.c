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
 *   --new-terminal PROG ARG...  runs PROG on a new terminal until it ends
 *   --as UID PROG ARG...  becomes user and group UID, and runs PROG
 *   --setuid UID, --trace-me, --insert-module, --load-bpf, --userfaultfd, --packet-socket
 *                        makes that call, whether it succeeds or not
 *   --create FILE        makes an executable file
 *   --connect KIND ADDRESS PORT   connects by tcp or udp, without waiting
 *   --redirect ADDRESS PORT       the same by udp, and makes it its standard input
 *   --serve ADDRESS PORT          listens there, and receives a Java class from a child of its own
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

/* Starts a program on a new terminal, whose other end is *master. */
static pid_t on_terminal(char **argv, int *master)
{
    pid_t child = forkpty(master, NULL, NULL, NULL);
    if (child == 0) {
        execvp(argv[0], argv);
        _exit(fail("execvp"));
    }
    return child;
}

static int run_on_terminal(char **argv)
{
    int master;
    pid_t child = on_terminal(argv, &master);
    if (child < 0)
        return fail("forkpty");
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

static int run_until_its_end(char **argv)
{
    char buffer[4096];
    int master;
    pid_t child = on_terminal(argv, &master);
    if (child < 0)
        return fail("forkpty");
    while (read(master, buffer, sizeof buffer) > 0)
        ;
    waitpid(child, NULL, 0);
    return 0;
}

static int run_as(int id, char **argv)
{
    if (setgroups(0, NULL) || setgid(id) || setuid(id))
        return fail("setuid");
    execvp(argv[0], argv);
    return fail("execvp");
}

static struct sockaddr_in address_of(char **argv)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])) };
    inet_pton(AF_INET, argv[0], &address.sin_addr);
    return address;
}

static int connected(int type, char **argv)
{
    struct sockaddr_in address = address_of(argv);
    int end = socket(AF_INET, type, 0);
    if (connect(end, (struct sockaddr *)&address, sizeof address))
        perror("connect");
    return end;
}

static int serve(char **argv)
{
    static const char class[] = "\xca\xfe\xba\xbe class";
    struct sockaddr_in address = address_of(argv);
    char buffer[64];
    int end, one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1))
        return fail("listen");
    if (fork() == 0) {
        end = connected(SOCK_STREAM, argv);
        _exit(send(end, class, sizeof class, 0) < 0);
    }
    end = accept(listener, NULL, NULL);
    if (end < 0 || recvfrom(end, buffer, sizeof buffer, 0, NULL, NULL) < 0)
        return fail("accept");
    wait(NULL);
    return 0;
}

/* Makes one call, whatever comes of it. */
static int call(const char *what, char **arguments)
{
    char attributes[128] = { 0 };
    if (!strcmp(what, "--setuid"))
        return setuid(atoi(arguments[0])) < 0;
    if (!strcmp(what, "--trace-me"))
        return ptrace(PTRACE_TRACEME, 0, 0, 0) < 0;
    if (!strcmp(what, "--insert-module"))
        return syscall(SYS_init_module, "", 0L, "") < 0;
    if (!strcmp(what, "--load-bpf"))
        return syscall(SYS_bpf, 5, attributes, sizeof attributes) < 0;
    if (!strcmp(what, "--userfaultfd"))
        return syscall(SYS_userfaultfd, O_CLOEXEC) < 0;
    if (!strcmp(what, "--packet-socket"))
        return socket(AF_PACKET, SOCK_RAW, 0) < 0;
    if (!strcmp(what, "--create")) {
        umask(0);
        return open(arguments[0], O_CREAT | O_WRONLY, 0755) < 0;
    }
    if (!strcmp(what, "--connect")) {
        int is_udp = !strcmp(arguments[0], "udp");
        return connected(is_udp ? SOCK_DGRAM : SOCK_STREAM | SOCK_NONBLOCK, arguments + 1) < 0;
    }
    if (!strcmp(what, "--redirect"))
        return dup2(connected(SOCK_DGRAM, arguments), 0) < 0;
    return -1;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int answer = call(what, argv + 2);
    if (answer >= 0)
        return answer;
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
    } else if (!strcmp(what, "--new-terminal") && argc > 2) {
        return run_until_its_end(argv + 2);
    } else if (!strcmp(what, "--as") && argc > 3) {
        return run_as(atoi(argv[2]), argv + 3);
    } else if (!strcmp(what, "--serve") && argc > 3) {
        return serve(argv + 2);
    } else if (!strcmp(what, "--open-close") && argc > 2) {
        close(open(argv[2], O_RDONLY));
    }
    stay();
    return 0;
}
