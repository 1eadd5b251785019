/* Tests that are fine until their body ends: each must count as failed. */
#include <criterion/criterion.h>
#include <stdlib.h>

static void check_nothing(void)
{
}

static void fail_a_check(void)
{
    cr_expect(false, "a fini finds something wrong");
}

static void give_up(void)
{
    cr_assert(false, "a fini cannot go on");
}

static void die(void)
{
    abort();
}

static void leave(void)
{
    _Exit(0);
}

static void leave_a_wrong_status(void)
{
    _Exit(1);
}

Test(wrong, a_check_fails_in_the_fini, .fini = fail_a_check)
{
    cr_expect(true);
}

Test(wrong, the_fini_gives_up, .fini = give_up)
{
    cr_expect(true);
}

Test(wrong, the_fini_dies, .fini = die)
{
    cr_expect(true);
}

Test(wrong, the_fini_never_returns, .fini = leave)
{
    cr_expect(true);
}

/* As LeakSanitizer does. */
Test(wrong, the_process_ends_badly, .fini = check_nothing)
{
    cr_expect_eq(atexit(leave_a_wrong_status), 0);
}

Test(right, nothing_is_wrong, .fini = check_nothing)
{
    cr_expect(true);
}
