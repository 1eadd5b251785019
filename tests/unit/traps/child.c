/* What a child process tells is taken, and no lie of it believed. */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/traps/traps.h"

static struct traps_place place;

static bool nothing_was_taken(void)
{
    for (unsigned i = 0; i < TRAPS_MAX_PROBES; i++)
        if (place.results[i].outcome != PROBE_NOT_TRIED)
            return false;
    return true;
}

/* A child that writes (text) and ends with 7, or waits to be killed. */
static int read_of(const char *text, bool waits)
{
    int ends[2];
    pid_t pid;

    memset(&place, 0, sizeof place);
    cr_assert_eq(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        if (write(ends[1], text, strlen(text)) < 0)
            _exit(1);
        if (waits)
            sleep(60);
        _exit(7);
    }
    close(ends[1]);
    return traps_read(ends[0], pid, waits ? 1 : 30, &place);
}

Test(traps_read, lines_of_results_are_taken)
{
    const int status = read_of("paravane: a sentence\n"
                               "probe 2 1 13 102 0\n"
                               "probe 0 2 0 0 fffffffffffe0000\n",
                               false);

    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    cr_expect_eq(place.results[2].outcome, PROBE_TRAPPED);
    cr_expect_eq(place.results[2].vector, 13);
    cr_expect_eq(place.results[2].error, 0x102);
    cr_expect_eq(place.results[0].outcome, PROBE_WRONG);
    cr_expect_eq(place.results[0].value, UINT64_C(0xfffffffffffe0000));
    cr_expect_eq(place.results[1].outcome, PROBE_NOT_TRIED);
}

Test(traps_read, nonsense_is_left_out)
{
    char line[512];

    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\0';
    read_of("probe 64 1 13 0 0\nprobe 4294967295 1 1 0 0\n"
            "probe 1 4 13 0 0\nprobe 1 1 256 0 0\nprobe -1 1 1 1 1\n"
            "probe 1\nprobe\n\nprobe 1 1 13 0 0",
            false);
    cr_expect(nothing_was_taken());
    read_of(line, false);
    cr_expect(nothing_was_taken());
}

Test(traps_read, who_does_not_end_is_ended)
{
    const int status = read_of("probe 3 3 0 0 0\n", true);

    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    cr_expect_eq(place.results[3].outcome, PROBE_RIGHT);
}

Test(traps_read, there_is_room_for_all_probes)
{
    cr_expect_leq(probe_count(), TRAPS_MAX_PROBES);
    for (unsigned i = 0; i < probe_count(); i++)
        cr_expect(*probe_name(i) && strlen(probe_name(i)) < 15, "%u", i);
}
