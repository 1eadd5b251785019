/* --cpus: host CPUs as xl names them. */
#include <criterion/criterion.h>

#include <errno.h>

#include "host/config.h"

static struct domain_config config;

Test(cpu_list, takes_numbers_ranges_and_exceptions)
{
    cr_assert_eq(cpu_lists_parse("0-3,6,^1", &config), 0);
    cr_expect_eq(config.nr_cpu_lists, 1);
    cr_expect_eq(config.cpu_lists[0].bits[0], 0x4d);
    cr_assert_eq(cpu_lists_parse("all,^0-62", &config), 0);
    cr_expect_eq(config.cpu_lists[0].bits[0], 1ul << 63);
    cr_expect_eq(config.cpu_lists[0].bits[1], ~0ul);
}

Test(cpu_list, takes_one_for_each_vcpu)
{
    cr_assert_eq(cpu_lists_parse("0:64:1-2", &config), 0);
    cr_expect_eq(config.nr_cpu_lists, 3);
    cr_expect_eq(config.cpu_lists[0].bits[0], 1);
    cr_expect_eq(config.cpu_lists[1].bits[1], 1);
    cr_expect_eq(config.cpu_lists[2].bits[0], 6);
}

Test(cpu_list, refuses_what_names_no_cpu)
{
    static const char *const bad[] = {
        "",     ",",    "0,",   "x",    "1-",
        "3-1",  "^0",   "0,^0", "1024", "-1",
        "0::1", "0:",   ":0",   "0 ",   "0-",
        "^",    "all1", "0x1",  "1;2",  "18446744073709551616"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_eq(cpu_lists_parse(bad[i], &config), -EINVAL, "'%s'", bad[i]);
}
