/*
 * Linked into every unit test: what comes after a test's body counts.
 *
 * Criterion decides on a test when its body ends. A check that fails in its
 * fini is printed, and the test passed; one that dies there, or ends with
 * another status than it should because LeakSanitizer found something, has
 * passed as well. Its report hooks run in the process that keeps the accounts,
 * and mend them before they are printed.
 */
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <stdlib.h>

/* The tests whose fini returned, and how many. */
static const struct criterion_test_stats **ended;
static size_t nr_ended;

ReportHook(POST_FINI)(struct criterion_test_stats *test)
{
    ended = realloc(ended, (nr_ended + 1) * sizeof(*ended));
    if (!ended)
        abort();
    ended[nr_ended++] = test;
}

static bool has_ended(const struct criterion_test_stats *test)
{
    for (size_t i = 0; i < nr_ended; i++)
        if (ended[i] == test)
            return true;
    return false;
}

ReportHook(POST_ALL)(struct criterion_global_stats *all)
{
    struct criterion_suite_stats *suite;
    struct criterion_test_stats *test;

    for (suite = all->suites; suite; suite = suite->next)
        for (test = suite->tests; test; test = test->next) {
            if (test->test_status != CR_STATUS_PASSED)
                continue;
            test->crashed = !has_ended(test);
            if (!test->crashed && !test->failed_asserts &&
                test->exit_code == test->test->data->exit_code)
                continue;
            test->test_status = CR_STATUS_FAILED;
            suite->tests_failed++;
            suite->tests_passed--;
            all->tests_failed++;
            all->tests_passed--;
        }
    free(ended);
}
