/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a program takes from its start to its first line, and how much memory it had at most.
 *
 *     start COMMAND [ARGUMENT...]      one line of JSON: milliseconds to the first byte on standard
 *                                      output, and the largest resident set in KiB (VmHWM, as the
 *                                      kernel reports it of a child that has ended)
 *
 * The exit code is the command's.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

extern char **environ;

/* Milliseconds from `begin` to the first byte, reading to the end; negative: there was none. */
static double read_all(int from, double begin)
{
    char bytes[4096];
    double first = -1.0;
    for (;;) {
        ssize_t got = read(from, bytes, sizeof bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return first;
        if (first < 0)
            first = vt_clock_ms() - begin;
    }
}

static int fail(const char *what, int code)
{
    fprintf(stderr, "start: %s: %s\n", what, strerror(code));
    return 1;
}

int main(int argc, char **argv)
{
    int ends[2], exit_status = 0;
    pid_t child;
    struct rusage usage;
    posix_spawn_file_actions_t actions;
    if (argc < 2) {
        fprintf(stderr, "usage: start COMMAND [ARGUMENT...]\n");
        return 2;
    }
    if (pipe(ends) != 0)
        return fail("make a pipe", errno);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    double begin = vt_clock_ms();
    int code = posix_spawnp(&child, argv[1], &actions, NULL, argv + 1, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (code != 0)
        return fail(argv[1], code);
    double first = read_all(ends[0], begin);
    close(ends[0]);
    while (wait4(child, &exit_status, 0, &usage) < 0)
        if (errno != EINTR)
            return fail("wait", errno);
    if (first < 0 || !WIFEXITED(exit_status) || WEXITSTATUS(exit_status) != 0) {
        fprintf(stderr, "start: \"%s\" did not do its work\n", argv[1]);
        return 1;
    }
    printf("{\"ms\": %.2f, \"peak_kib\": %ld}\n", first, usage.ru_maxrss);
    return 0;
}
