/* host/traps/child.c: a process that tries the probes, and what it tells. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/traps/traps.h"

#define LINE_SIZE 128

/* What is not a line of ours, or claims what cannot be, is not taken. */
static void take_line(const char *line, struct traps_place *place)
{
    unsigned probe, outcome, vector;
    unsigned long error, value;

    if (sscanf(line, PROBE_LINE, &probe, &outcome, &vector, &error, &value) !=
            5 ||
        probe >= probe_count() || outcome >= NR_PROBE_OUTCOMES || vector > 255)
        return;
    place->results[probe] = (struct probe_result){
        .outcome = (enum probe_outcome)outcome,
        .vector = vector,
        .error = error,
        .value = value,
    };
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* True: there is something to read, or an end of it. */
static bool wait_for(int fd, int64_t deadline)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    const int64_t left = deadline - now_ms();

    return left > 0 && poll(&poll_fd, 1, (int)left) > 0;
}

int traps_read(int fd, int pid, unsigned seconds, struct traps_place *place)
{
    const int64_t deadline = now_ms() + (int64_t)seconds * 1000;
    char line[LINE_SIZE];
    size_t len = 0;
    int status = 0;
    char c;

    while (wait_for(fd, deadline) && read(fd, &c, 1) == 1) {
        if (len + 1 < sizeof line)
            line[len++] = c;
        if (c != '\n')
            continue;
        line[len] = '\0';
        take_line(line, place);
        len = 0;
    }
    close(fd);
    if (now_ms() >= deadline)
        kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return status;
}

bool traps_run(traps_child *child, const void *arg, unsigned seconds,
               struct traps_place *place, int *status)
{
    int ends[2];
    pid_t pid;

    if (pipe(ends)) {
        snprintf(place->why, sizeof place->why, "cannot make a pipe: %s",
                 strerror(errno));
        return false;
    }
    fflush(stdout);
    pid = fork();
    if (pid == 0) /* no exit: what is in stdout's buffer is ours */
        _exit(child(arg, ends[1]));
    close(ends[1]);
    if (pid < 0) {
        snprintf(place->why, sizeof place->why, "cannot start a process: %s",
                 strerror(errno));
        close(ends[0]);
        return false;
    }
    place->tried = true;
    *status = traps_read(ends[0], pid, seconds, place);
    return true;
}
