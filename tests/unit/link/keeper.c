/* The process that makes the other ends of a link, again and again. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/config.h"
#include "host/link/keeper.h"
#include "host/link/link.h"

/* Its descriptors are closed in the keeper, so the other ends stay there. */
struct maker {
    unsigned nr_failures; /* before the next success */
    unsigned nr_made;
    int ends[8];
};

static int make(void *context)
{
    struct maker *maker = context;
    const char number = (char)('0' + maker->nr_made);
    int pair[2];

    if (maker->nr_failures > 0) {
        maker->nr_failures--;
        return -ECONNREFUSED;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
        write(pair[1], &number, 1) != 1)
        return -EIO;
    maker->ends[maker->nr_made++] = pair[1];
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    return pair[0];
}

/* What is taken says which it is. */
static void expect_nr(int fd, char number)
{
    char is;

    cr_assert_geq(fd, 0, "error %d", -fd);
    cr_assert_eq(read(fd, &is, 1), 1);
    cr_expect_eq(is, number);
    cr_expect_eq(read(fd, &is, 1), -1, "the other end lives");
    cr_expect_eq(errno, EAGAIN, "and it does not block");
    close(fd);
}

static void wait_readable(int fd)
{
    struct pollfd what = {.fd = fd, .events = POLLIN};

    cr_assert_eq(poll(&what, 1, 30000), 1);
}

static int take(int keeper)
{
    wait_readable(keeper);
    return keeper_take(keeper);
}

Test(keeper, makes_the_first_and_the_next)
{
    struct maker maker = {0};
    const int keeper = keeper_start(make, &maker);

    expect_nr(keeper_first(keeper), '0');
    cr_expect_eq(keeper_take(keeper), -EAGAIN, "nobody asked");
    keeper_ask(keeper);
    expect_nr(take(keeper), '1');
    keeper_ask(keeper);
    expect_nr(take(keeper), '2');
    close(keeper);
}

Test(keeper, tells_why_there_is_no_first)
{
    struct maker maker = {.nr_failures = 1};
    const int keeper = keeper_start(make, &maker);

    cr_expect_eq(keeper_first(keeper), -ECONNREFUSED);
    close(keeper);
}

Test(keeper, tries_again_until_there_is_a_next)
{
    struct maker maker = {.nr_failures = 3};
    const int keeper = keeper_start(make, &maker);

    keeper_ask(keeper);
    cr_expect_eq(keeper_take(keeper), -EAGAIN);
    expect_nr(take(keeper), '0');
    close(keeper);
}

static int end(void *context)
{
    (void)context;
    _exit(1);
}

Test(keeper, is_missed_when_it_ends)
{
    const int keeper = keeper_start(end, NULL);

    cr_expect_eq(keeper_first(keeper), -EPIPE);
    cr_expect_eq(keeper_take(keeper), -EPIPE);
    keeper_ask(keeper); /* and no signal */
    close(keeper);
}

Test(keeper, has_none_of_our_descriptors)
{
    struct maker maker = {0};
    int pair[2], keeper;
    char byte;

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    keeper = keeper_start(make, &maker);
    expect_nr(keeper_first(keeper), '0');
    close(pair[1]);
    cr_expect_eq(read(pair[0], &byte, 1), 0, "the only other end is closed");
    close(pair[0]);
    close(keeper);
}

static const struct net_config config = {.kind = NET_CONNECT};

static ssize_t receive(struct link *link)
{
    struct offload work;
    uint8_t *bytes;

    return link->ops->receive(link, &bytes, &work);
}

Test(keeper, brings_a_stream_up_again)
{
    struct maker maker = {0};
    const int keeper = keeper_start(make, &maker);
    struct link *link;
    int pair[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    link = stream_create(&config, pair[0]);
    cr_assert(link);
    stream_keep(link, keeper);
    cr_expect_eq(receive(link), 0);
    close(pair[1]);
    cr_expect_eq(receive(link), -EIO);
    cr_expect_not(link->up);
    wait_readable(link->fd);
    cr_expect_eq(receive(link), 0);
    cr_expect(link->up);
    cr_expect_eq(link->fd, pair[0], "by the number that the sandbox knows");
    link_close(link);
}

Test(keeper, leaves_a_stream_down_when_it_ends)
{
    const int keeper = keeper_start(end, NULL);
    struct link *link;
    int pair[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    link = stream_create(&config, pair[0]);
    cr_assert(link);
    stream_keep(link, keeper);
    close(pair[1]);
    cr_expect_eq(receive(link), -EIO);
    wait_readable(link->fd);
    cr_expect_eq(receive(link), -EIO);
    cr_expect_not(link->up);
    cr_expect_eq(link->fd, -1, "nothing to wait for");
    link_close(link);
}
