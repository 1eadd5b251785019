/* --trace xenstore: one readable line for each request and event. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tests/unit/store/guest.h"

static FILE *said;
static int real_stderr;

static void listen(void)
{
    guest_start();
    store->trace = true;
    said = tmpfile();
    real_stderr = dup(STDERR_FILENO);
    dup2(fileno(said), STDERR_FILENO);
}

TestSuite(store_trace, .init = listen, .fini = guest_stop);

static const char *lines(void)
{
    static char text[8192];
    const ssize_t n = pread(fileno(said), text, sizeof text - 1, 0);

    dup2(real_stderr, STDERR_FILENO);
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

Test(store_trace, shows_requests_answers_and_events)
{
    const uint32_t tx = start();

    watch("data", "tok");
    write_node(tx, "data/a", "1");
    ask(XS_READ, 0, "/secret");
    ask(33, 0, "x");
    end(tx, "T");
    events();
    cr_expect_str_eq(lines(),
                     "xenstore: d1 TRANSACTION_START \"\" -> \"1\"\n"
                     "xenstore: d1 WATCH \"data tok\" -> \"OK\"\n"
                     "xenstore: d1 event data token tok\n"
                     "xenstore: d1 WRITE tx 1 \"data/a 1\" -> \"OK\"\n"
                     "xenstore: d1 READ \"/secret\" -> ERROR \"EACCES\"\n"
                     "xenstore: d1 type 33 \"x\" -> ERROR \"ENOSYS\"\n"
                     "xenstore: d1 TRANSACTION_END tx 1 \"T\" -> \"OK\"\n"
                     "xenstore: d1 event data/a token tok\n");
}

Test(store_trace, lets_no_control_characters_through)
{
    char value[1000];
    const char *text;

    memset(value, '\x1b', sizeof value);
    value[sizeof value - 1] = '\0';
    write_node(0, "data/a", value);
    watch("data", "\n\x1b[2J");
    store_write(store, "/local/domain/1/data/b", "\x1b[31m");
    text = lines();
    cr_expect_eq(strchr(text, '\x1b'), NULL);
    cr_expect_neq(strstr(text, "..."), NULL, "what is too long is cut");
    cr_expect_neq(strstr(text, "d0 WRITE"), NULL);
}
