/* The arguments of 'paravane run'. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "host/cli/cli.h"
#include "host/cli/options.h"

static struct domain_config config;
static bool help;

static void destroy(void)
{
    options_destroy(&config);
}

TestSuite(options, .fini = destroy);

static int parse(int argc, char **argv)
{
    options_destroy(&config);
    return options_parse_run(argc, argv, &config, &help);
}

#define run(...)                                                          \
    parse((int)(sizeof((char *[]){"run", __VA_ARGS__}) / sizeof(char *)), \
          (char *[]){"run", __VA_ARGS__, NULL})

#define expect_bad(...) \
    cr_expect_eq(run(__VA_ARGS__), STATUS_BAD_USAGE, "%s", #__VA_ARGS__)

Test(options, an_image_alone_gets_the_defaults)
{
    cr_assert_eq(run("dir/hello"), STATUS_OK);
    cr_expect_str_eq(config.image, "dir/hello");
    cr_expect_str_eq(config.name, "hello");
    cr_expect_str_eq(config.engine, "auto");
    cr_expect_str_eq(config.cmdline, "");
    cr_expect_eq(config.memory_bytes, 16 << 20);
    cr_expect_eq(config.nr_vcpus, 1);
    cr_expect_eq(config.nr_disks, 0);
    cr_expect_eq(config.trace, 0);
    cr_expect_null(config.initrd);
    cr_expect(!config.verbose && !config.scatter && !help);
}

Test(options, every_one_of_them_is_heard)
{
    cr_assert_eq(run("--engine", "process", "--memory=4M", "-v", "--disk",
                     "a,raw,xvda,ro", "--name", "n", "--vcpus", "1", "--disk",
                     "b,raw,xvdb,rw", "--trace", "block,event", "img",
                     "--scatter-p2m", "--initrd", "rd", "--", "-v",
                     "two words"),
                 STATUS_OK);
    cr_expect_str_eq(config.engine, "process");
    cr_expect_eq(config.memory_bytes, 4 << 20);
    cr_expect_str_eq(config.name, "n");
    cr_expect_eq(config.nr_disks, 2);
    cr_expect_str_eq(config.disks[1].target, "b");
    cr_expect_eq(config.trace, TRACE_BLOCK | TRACE_EVENT);
    cr_expect(config.verbose && config.scatter);
    cr_expect_str_eq(config.image, "img");
    cr_expect_str_eq(config.initrd, "rd");
    cr_expect_str_eq(config.cmdline, "-v two words");
}

Test(options, the_image_may_stand_behind_the_dashes)
{
    cr_assert_eq(run("--", "--odd-name", "arg"), STATUS_OK);
    cr_expect_str_eq(config.image, "--odd-name");
    cr_expect_str_eq(config.cmdline, "arg");
}

Test(options, all_traces_at_once)
{
    cr_assert_eq(run("--trace", "all", "--trace", "hypercall", "img"),
                 STATUS_OK);
    cr_expect_eq(config.trace, TRACE_HYPERCALL | TRACE_EVENT | TRACE_XENSTORE |
                                   TRACE_BLOCK | TRACE_NET);
}

Test(options, help_wins_over_what_follows)
{
    cr_expect_eq(run("--help", "--nonsense"), STATUS_OK);
    cr_expect(help);
}

Test(options, wrong_usage_is_told_from_host_trouble)
{
    expect_bad("-v");
    expect_bad("");
    expect_bad("--");
    expect_bad("img", "arg");
    expect_bad("img", "--nonsense");
    expect_bad("img", "-x");
    expect_bad("img", "--memory");
    expect_bad("img", "--verbose=3");
    expect_bad("img", "--memory", "0");
    expect_bad("img", "--memory", "junk");
    expect_bad("img", "--memory", "99999999999999999999G");
    expect_bad("img", "--vcpus", "0");
    expect_bad("img", "--vcpus", "many");
    expect_bad("img", "--vcpus", "1x");
    expect_bad("img", "--engine", "steam");
    expect_bad("img", "--net", "script=vif-bridge");
    expect_bad("img", "--disk", "a.img");
    expect_bad("img", "--disk", "a,raw,xvda", "--disk", "b,raw,xvda");
    expect_bad("img", "--name", "");
    expect_bad("img", "--name", "a/b");
    expect_bad("img", "--trace", "");
    expect_bad("img", "--trace", "block,");
    expect_bad("img", "--trace", "blocks");
    expect_bad("img", "--vcpus", "33");
    expect_bad("img", "--cpus", "none");
}

Test(options, sixteen_disks_fit_and_no_more)
{
    char specs[CONFIG_MAX_DISKS + 1][32];
    char *argv[2 * CONFIG_MAX_DISKS + 5] = {"run", "img"};
    int argc = 2;

    for (int i = 0; i <= CONFIG_MAX_DISKS; i++) {
        snprintf(specs[i], sizeof specs[i], "d,raw,xvd%c", 'a' + i);
        argv[argc++] = "--disk";
        argv[argc++] = specs[i];
    }
    cr_expect_eq(parse(argc - 2, argv), STATUS_OK);
    cr_expect_eq(config.nr_disks, CONFIG_MAX_DISKS);
    cr_expect_eq(parse(argc, argv), STATUS_BAD_USAGE);
}

Test(options, guest_arguments_fit_into_1023_bytes)
{
    char text[1025];

    memset(text, 'x', sizeof text);
    text[1023] = '\0';
    cr_expect_eq(run("img", "--", text), STATUS_OK);
    cr_expect_eq(strlen(config.cmdline), 1023);
    text[1023] = 'x';
    text[1024] = '\0';
    expect_bad("img", "--", text);
    text[1022] = '\0';
    expect_bad("img", "--", text, "y");
}

Test(options, what_follows_a_reboot_can_be_chosen)
{
    cr_assert_eq(run("img"), STATUS_OK);
    cr_expect(!config.restart && !config.control);
    cr_assert_eq(run("img", "--on-reboot", "restart", "--control", "fifo"),
                 STATUS_OK);
    cr_expect(config.restart);
    cr_expect_str_eq(config.control, "fifo");
    cr_assert_eq(run("img", "--on-reboot", "destroy"), STATUS_OK);
    cr_expect_not(config.restart);
    expect_bad("img", "--on-reboot", "preserve");
    expect_bad("img", "--on-reboot", "");
    expect_bad("img", "--control", "");
}
