/*
 * The console's frontend, and a reader that is slow, or gone.
 */
#include <string.h>

#include <criterion/criterion.h>
#include <pvguest/guest.h>
#include <pvguest/thread.h>
#include <ring/bytes.h>
#include <xen/io/console.h>

#include "fake_guest.h"

extern int (*const __start_guest_drivers[])(void);
extern int (*const __stop_guest_drivers[])(void);

/* What the console's driver does before it has threads: SCHEDOP_poll. */
__asm__(".text\n"
        ".globl hypercall_page\n"
        "hypercall_page: .fill 32 * 29, 1, 0x90\n"
        "xor %eax, %eax\n"
        "ret\n");

static struct ring_bytes reader, writer;
static char seen[8192];
static size_t nr_seen;

static bool read_some(void)
{
    ssize_t n = ring_bytes_read(&reader, seen + nr_seen, 100);

    if (n <= 0)
        return false;
    nr_seen += (size_t)n;
    fake_raise(FAKE_CONSOLE_PORT);
    return true;
}

static void connected(void)
{
    struct xencons_interface *page;

    fake_guest_init();
    fake.store_port = 0;
    page = fake.console_page;
    page->out_cons = page->out_prod = UINT32_MAX - 5;
    ring_bytes_attach_consumer(&reader, page->out, sizeof page->out,
                               &page->out_prod, &page->out_cons);
    ring_bytes_attach_producer(&writer, page->in, sizeof page->in,
                               &page->in_prod, &page->in_cons);
    for (int (*const *fn)(void) = __start_guest_drivers;
         fn < __stop_guest_drivers; fn++)
        (*fn)();
}

TestSuite(console, .init = connected);

Test(console, loses_nothing_to_a_slow_reader)
{
    static char text[5000];

    fake.world = read_some;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 23);
    guest_get_console()->write(text, sizeof text);
    guest_get_console()->flush();
    cr_expect_eq(nr_seen, sizeof text);
    cr_expect_arr_eq(seen, text, sizeof text);
}

Test(console, ends_without_a_reader)
{
    guest_get_console()->write("lost", 4);
    guest_get_console()->flush();
    cr_expect_gt(fake.now, 0, "it had patience");
}

Test(console, drops_what_nobody_reads_where_it_cannot_wait)
{
    static char text[4096];

    fake.tick = 1000000;
    fake_in_handler(true);
    guest_get_console()->write(text, sizeof text);
    fake_in_handler(false);
    cr_expect_eq(ring_bytes_pending(&reader), 2048);
}

static bool type_line(void)
{
    static bool typed;

    if (typed)
        return false;
    typed = true;
    ring_bytes_write(&writer, "ls\n", 3);
    fake_raise(FAKE_CONSOLE_PORT);
    return true;
}

Test(console, waits_for_input)
{
    char line[16];

    fake.world = type_line;
    cr_expect_eq(guest_get_console()->read(line, sizeof line), 3);
    cr_expect_arr_eq(line, "ls\n", 3);
}

Test(console, gives_up_on_broken_indices)
{
    struct xencons_interface *page = fake.console_page;
    char line[16];

    page->out_cons += 3000;
    page->in_prod = page->in_cons + 1025;
    guest_get_console()->write("x", 1);
    guest_get_console()->flush();
    cr_expect_lt(guest_get_console()->read(line, sizeof line), 0);
}

Test(console_dom0, has_none, .init = fake_guest_init)
{
    fake.console_port = 0;
    for (int (*const *fn)(void) = __start_guest_drivers;
         fn < __stop_guest_drivers; fn++)
        cr_expect_eq((*fn)(), 0);
    cr_expect_null(guest_get_console()->write);
}
