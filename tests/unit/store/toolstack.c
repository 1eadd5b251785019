/* The tree that a guest finds, and the words between it and the toolstack. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "host/control.h"
#include "host/domain.h"
#include "host/toolstack.h"
#include "tests/unit/store/guest.h"

static struct domain *dom;
static const struct domain_config config = {
    .image = "kernel.elf",
    .name = "guest-of-a-test",
    .cmdline = "one two",
    .memory_bytes = 32 << 20,
};

/* Just enough of a domain. */
static void build_domain(void)
{
    const struct memory_config mem = {
        .ram_pages = 16, .shared_pages = 1, .scatter = false};

    dom = calloc(1, sizeof *dom);
    dom->id = GUEST_ID;
    dom->config = &config;
    dom->nr_vcpus = 1;
    cr_assert_eq(memory_create(&dom->mem, &mem), 0);
    dom->vcpus[0].domain = dom;
    dom->rings = (struct domain_rings){.store_port = 1,
                                       .store_mfn = 1234,
                                       .console_port = 2,
                                       .console_mfn = 1235};
}

static void publish(void)
{
    build_domain();
    guest_start();
    store_remove(store, "/local");
    dom->store = store;
    cr_assert_eq(toolstack_publish(dom), 0);
}

static void destroy(void)
{
    guest_stop();
    memory_destroy(&dom->mem);
    free(dom);
}

TestSuite(toolstack, .init = publish, .fini = destroy);

Test(toolstack, tells_the_guest_who_and_how_big_it_is)
{
    static const struct {
        const char *key, *value;
    } keys[] = {
        {"name", "guest-of-a-test"},
        {"domid", "1"},
        {"memory/target", "32768"},
        {"memory/static-max", "32768"},
        {"cpu/0/availability", "online"},
        {"store/port", "1"},
        {"store/ring-ref", "1234"},
        {"console/port", "2"},
        {"console/ring-ref", "1235"},
        {"console/type", "xenconsoled"},
        {"console/output", "pty"},
        {"console/limit", "1048576"},
        {"console/backend-id", "0"},
        {"control/platform-feature-multiprocessor-suspend", "1"},
        {"control/platform-feature-xs_reset_watches", "1"},
        {"control/shutdown", ""},
    };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        cr_expect_str_eq(ask(XS_READ, 0, keys[i].key), keys[i].value, "%s",
                         keys[i].key);
}

Test(toolstack, lets_the_guest_read_but_not_change_what_is_the_toolstacks)
{
    static const char *const keys[] = {
        "name",         "domid",
        "vm",           "memory/target",
        "store/port",   "console/ring-ref",
        "control",      "cpu/0/availability",
        "device",       "control/platform-feature-xs_reset_watches",
        "console/tty/x"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        cr_expect_str_eq(write_node(0, keys[i], "x"), "EACCES", "%s", keys[i]);
}

Test(toolstack, gives_the_guest_its_own_places)
{
    static const char *const places[] = {
        "data",
        "data/exit-status",
        "drivers/0",
        "feature/x",
        "attr/os",
        "error/device/vbd/1/error",
        "control/shutdown",
        "control/sysrq",
        "control/feature-poweroff",
        "control/feature-reboot",
        "control/feature-suspend",
        "device/suspend/event-channel",
    };

    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        cr_expect_str_eq(write_node(0, places[i], "x"), "OK", "%s", places[i]);
}

Test(toolstack, links_the_domain_its_vm_and_its_console)
{
    char path[120];

    snprintf(path, sizeof path, "%s/name", ask(XS_READ, 0, "vm"));
    cr_expect_str_eq(ask(XS_READ, 0, path), "guest-of-a-test");
    snprintf(path, sizeof path, "%s/frontend",
             ask(XS_READ, 0, "console/backend"));
    cr_expect_str_eq(ask(XS_READ, 0, path), "/local/domain/1/console");
    cr_expect_str_eq(ask(XS_READ, 0, "/local/domain/0/name"), "EACCES");
}

Test(toolstack, asks_for_shutdown_and_the_guest_acknowledges)
{
    uint32_t tx;

    watch("control/shutdown", "t");
    events();
    cr_expect_eq(toolstack_request_shutdown(dom, "poweroff"), 0);
    cr_expect_str_eq(events(), "control/shutdown t");
    tx = start();
    cr_expect_str_eq(ask(XS_READ, tx, "control/shutdown"), "poweroff");
    write_node(tx, "control/shutdown", "");
    cr_expect_str_eq(end(tx, "T"), "OK");
}

Test(toolstack, takes_an_exit_status_only_as_a_byte_in_decimal)
{
    static const struct {
        const char *text;
        int rc, status;
    } cases[] = {
        {"0", 0, 0},         {"7", 0, 7},        {"255", 0, 255},
        {"256", -EINVAL, 9}, {"-1", -EINVAL, 9}, {"", -EINVAL, 9},
        {"7 ", -EINVAL, 9},  {"x", -EINVAL, 9},  {"99999999999", -EINVAL, 9},
    };
    int status = 9;

    cr_expect_eq(toolstack_exit_status(dom, &status), 0);
    cr_expect_eq(status, 0, "nothing said is success");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        status = 9;
        write_node(0, "data/exit-status", cases[i].text);
        cr_expect_eq(toolstack_exit_status(dom, &status), cases[i].rc, "'%s'",
                     cases[i].text);
        cr_expect_eq(status, cases[i].status, "'%s'", cases[i].text);
    }
}

static const struct {
    const char *line, *key, *value;
} words[] = {
    {"mem-set 16M", "memory/target", "16384"},
    {"mem-set 32", "memory/target", "32768"},
    {"shutdown", "control/shutdown", "poweroff"},
    {"reboot", "control/shutdown", "reboot"},
    {"sysrq h", "control/sysrq", "h"},
};

Test(toolstack, hands_on_the_users_words)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        control_obey(dom, words[i].line);
        cr_expect_str_eq(ask(XS_READ, 0, words[i].key), words[i].value, "%s",
                         words[i].line);
    }
}

Test(toolstack, drops_words_that_mean_nothing)
{
    static const char *const lines[] = {"",
                                        "mem-set",
                                        "mem-set ",
                                        "mem-set 33M",
                                        "mem-set 0",
                                        "mem-set 4K",
                                        "mem-set -1",
                                        "mem-set 99999999999T",
                                        "sysrq ",
                                        "sysrq hh",
                                        "shutdown now",
                                        " reboot",
                                        "crash",
                                        "SHUTDOWN",
                                        "mem-set 16M 16M",
                                        "block-detach",
                                        "block-detach xvda",
                                        "network-detach 0"};

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        control_obey(dom, lines[i]);
        cr_expect_str_eq(ask(XS_READ, 0, "memory/target"), "32768", "%s",
                         lines[i]);
        cr_expect_str_eq(ask(XS_READ, 0, "control/shutdown"), "", "%s",
                         lines[i]);
        cr_expect_str_eq(ask(XS_READ, 0, "control/sysrq"), "", "%s", lines[i]);
    }
}
