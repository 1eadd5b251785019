/*
 * host/wait.h: one thread, many descriptors.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "host/wait.h"

static struct wait_set set;
static int pipes[3][2];
static struct wait_source *sources[3];
static int calls[3];

static void open_pipes(void)
{
    for (int i = 0; i < 3; i++)
        cr_assert_eq(pipe(pipes[i]), 0);
}

static void close_pipes(void)
{
    for (int i = 0; i < 3; i++) {
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
}

TestSuite(wait, .init = open_pipes, .fini = close_pipes);

static void count(void *context, short revents)
{
    cr_expect(revents);
    ++*(int *)context;
}

static void watch(int i, wait_fn ready)
{
    sources[i] = wait_add(&set, pipes[i][0], POLLIN, ready, &calls[i]);
    cr_assert(sources[i]);
}

static void make_ready(int i)
{
    cr_assert_eq(write(pipes[i][1], "x", 1), 1);
}

Test(wait, calls_only_what_is_ready)
{
    watch(0, count);
    watch(1, count);
    make_ready(1);
    cr_expect_eq(wait_for(&set, UINT64_MAX), 1);
    cr_expect_eq(calls[0], 0);
    cr_expect_eq(calls[1], 1);
}

Test(wait, only_looks_when_told_not_to_sleep)
{
    watch(0, count);
    cr_expect_eq(wait_for(&set, 0), 0);
    cr_expect_eq(calls[0], 0);
}

Test(wait, comes_back_at_the_deadline)
{
    watch(0, count);
    cr_expect_eq(wait_for(&set, 1000), 0);
}

/* A source with no events is at rest: even its hang-up does not wake us. */
Test(wait, leaves_a_resting_source_alone)
{
    watch(0, count);
    sources[0]->events = 0;
    close(pipes[0][1]);
    cr_expect_eq(wait_for(&set, 1000), 0);
    cr_expect_eq(calls[0], 0);

    sources[0]->events = POLLIN;
    cr_expect_eq(wait_for(&set, UINT64_MAX), 1);
}

static void remove_second(void *context, short revents)
{
    count(context, revents);
    wait_remove(&set, sources[1]);
}

/* Whoever is removed by the one called before it is not called any more. */
Test(wait, never_calls_a_source_just_removed)
{
    watch(0, remove_second);
    watch(1, count);
    make_ready(0);
    make_ready(1);
    cr_expect_eq(wait_for(&set, UINT64_MAX), 1);
    cr_expect_eq(calls[1], 0);
}

static void replace_second(void *context, short revents)
{
    remove_second(context, revents);
    watch(2, count);
    cr_expect_eq(sources[2], sources[1], "the test wants the slot reused");
}

/* What the poll said about the old owner of a slot is not for the new one. */
Test(wait, does_not_take_a_new_source_for_an_old_one)
{
    watch(0, replace_second);
    watch(1, count);
    make_ready(0);
    make_ready(1);
    cr_expect_eq(wait_for(&set, UINT64_MAX), 1);
    cr_expect_eq(calls[2], 0);

    make_ready(2);
    wait_remove(&set, sources[0]);
    cr_expect_eq(wait_for(&set, UINT64_MAX), 1);
    cr_expect_eq(calls[2], 1);
}

static void remove_itself(void *context, short revents)
{
    count(context, revents);
    wait_remove(&set, sources[0]);
}

Test(wait, lets_a_source_remove_itself)
{
    watch(0, remove_itself);
    make_ready(0);
    cr_expect_eq(wait_for(&set, UINT64_MAX), 1);
    cr_expect_eq(wait_for(&set, 0), 0);
    cr_expect_eq(set.nr, 0);
}

Test(wait, is_full_at_its_limit_and_reuses_slots)
{
    struct wait_source *last = NULL;

    for (int i = 0; i < WAIT_MAX; i++) {
        last = wait_add(&set, pipes[0][0], POLLIN, count, &calls[0]);
        cr_assert(last);
    }
    cr_expect_null(wait_add(&set, pipes[0][0], POLLIN, count, &calls[0]));
    wait_remove(&set, last);
    cr_expect_eq(wait_add(&set, pipes[1][0], POLLIN, count, &calls[1]), last);
}

static void on_alarm(int signal)
{
    (void)signal;
}

Test(wait, comes_back_for_a_signal)
{
    const struct itimerval soon = {.it_value = {.tv_usec = 1000},
                                   .it_interval = {.tv_usec = 1000}};

    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &soon, NULL);
    watch(0, count);
    cr_expect_eq(wait_for(&set, UINT64_MAX), 0);
}
