/*
 * host/backend/terminal.h: raw while the guest has it, as it was afterwards.
 */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "fake_domain.h"
#include "host/backend/console.h"
#include "host/backend/terminal.h"

static int user; /* the other end of the terminal */

/* Become a session of our own, with a new terminal as stdin and stdout. */
static void become_foreground(void)
{
    int fd;

    user = posix_openpt(O_RDWR | O_NOCTTY);
    cr_assert(user >= 0 && !grantpt(user) && !unlockpt(user));
    setsid();
    fd = open(ptsname(user), O_RDWR);
    cr_assert_geq(fd, 0);
    ioctl(fd, TIOCSCTTY, 0);
    dup2(fd, STDIN_FILENO);
    dup2(fd, STDOUT_FILENO);
    close(fd);
    cr_assert_eq(tcsetpgrp(STDIN_FILENO, getpgrp()), 0);
}

static bool is_raw(void)
{
    struct termios now;

    tcgetattr(user, &now);
    return !(now.c_lflag & (ICANON | ECHO | ISIG));
}

TestSuite(terminal, .init = become_foreground);

Test(terminal, is_raw_until_it_is_restored)
{
    cr_expect_not(is_raw());
    cr_expect(terminal_make_raw());
    cr_expect(is_raw());
    console_restore_terminal();
    cr_expect_not(is_raw());
    console_restore_terminal();
}

/* A bare newline from the guest still returns the carriage. */
Test(terminal, still_processes_output)
{
    struct termios now;

    terminal_make_raw();
    tcgetattr(user, &now);
    cr_expect((now.c_oflag & (OPOST | ONLCR)) == (OPOST | ONLCR));
}

Test(terminal, is_restored_by_exit)
{
    pid_t child = fork();

    if (child == 0) {
        terminal_make_raw();
        exit(0);
    }
    waitpid(child, NULL, 0);
    cr_expect_not(is_raw());
}

Test(terminal, is_left_alone_when_output_goes_elsewhere)
{
    int fd = open("/dev/null", O_WRONLY);

    dup2(fd, STDOUT_FILENO);
    cr_expect_not(terminal_make_raw());
    cr_expect_not(is_raw());
}

static void type(const char *text)
{
    cr_assert_eq(write(user, text, strlen(text)), (ssize_t)strlen(text));
    fake_sleep();
}

/* Ctrl-C is the guest's; Ctrl-] is ours, and ends the domain. */
Test(terminal, leaves_by_one_key_only)
{
    fake_domain_create(false);
    cr_assert_eq(console_create(&fake_dom, fake_page(3), FAKE_PORT), 0);
    type("\x03");
    cr_expect_eq(fake_dom.end, DOMAIN_RUNS);
    cr_expect_eq(fake_raised, 1);
    type("\x1d");
    cr_expect_eq(fake_dom.end, DOMAIN_DESTROYED);
    cr_expect_eq(fake_dom.end_signal, SIGINT);
    console_destroy(&fake_dom);
    cr_expect_not(is_raw());
    fake_domain_destroy();
}
