#include "host/link/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "host/log.h"
#include "host/sandbox.h"

#define CONTROL 3 /* the keeper's only descriptor behind standard error */

/* Between two tries: doubled each time, until one has lived for long. */
#define FIRST_DELAY_MS 100
#define MAX_DELAY_MS   5000
#define LONG_LIFE_MS   20000

enum wish {
    ONCE, /* and say what came of it */
    UNTIL_IT_WORKS,
};

union ancillary {
    struct cmsghdr header;
    uint8_t bytes[CMSG_SPACE(sizeof(int))];
};

/* (fd) goes with (rc), if there is one. */
static bool answer(int rc, int fd)
{
    union ancillary more = {0};
    struct iovec part = {&rc, sizeof rc};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    struct cmsghdr *header;

    if (fd >= 0) {
        message.msg_control = &more;
        message.msg_controllen = sizeof more;
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    return sendmsg(CONTROL, &message, MSG_NOSIGNAL) == sizeof rc;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* False: the domain is gone, or speaks out of turn. */
static bool pause_ms(int ms)
{
    struct pollfd control = {.fd = CONTROL, .events = POLLIN};

    return poll(&control, 1, ms) == 0;
}

/* Until it works; the domain has nothing to say meanwhile. */
static int make_patiently(keeper_fn make, void *context)
{
    static int delay_ms;
    static uint64_t last_ms;
    int fd;

    if (now_ms() - last_ms > LONG_LIFE_MS)
        delay_ms = 0;
    do {
        if (delay_ms && !pause_ms(delay_ms))
            return -EPIPE;
        delay_ms = delay_ms ? 2 * delay_ms : FIRST_DELAY_MS;
        if (delay_ms > MAX_DELAY_MS)
            delay_ms = MAX_DELAY_MS;
        fd = make(context);
    } while (fd < 0);
    last_ms = now_ms();
    return fd;
}

static bool fulfil(uint8_t wish, keeper_fn make, void *context)
{
    const int fd = wish == ONCE ? make(context) : make_patiently(make, context);
    bool told;

    if (fd == -EPIPE)
        return false;
    told = answer(fd < 0 ? fd : 0, fd);
    if (fd >= 0)
        close(fd);
    return told;
}

/* As if it had just been executed, but for what it is to do. */
static void be_alone(int control, pid_t parent)
{
    sigset_t none;

    for (int signal_nr = 1; signal_nr < SIGRTMIN; signal_nr++)
        signal(signal_nr, SIG_DFL);
    signal(SIGPIPE, SIG_IGN); /* nobody may read what it says */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0); /* an interrupt from the keyboard is the domain's affair */
    if (dup2(control, CONTROL) < 0 ||
        syscall(SYS_close_range, CONTROL + 1, ~0u, 0) ||
        prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
        _exit(1);
}

int keeper_start(keeper_fn make, void *context)
{
    const pid_t parent = getpid();
    int pair[2], rc;
    uint8_t wish;
    pid_t child;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return -errno;
    child = fork();
    if (child == 0) {
        be_alone(pair[1], parent);
        while (recv(CONTROL, &wish, 1, 0) == 1 && fulfil(wish, make, context))
            ;
        _exit(0);
    }
    rc = child < 0 ? -errno : pair[0];
    close(pair[1]);
    if (rc < 0)
        close(pair[0]);
    return rc;
}

static void say(int keeper, enum wish wish)
{
    const uint8_t byte = (uint8_t)wish;

    /* If it is gone, who takes finds out. */
    (void)!send(keeper, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The socket that came with the answer, or the answer. */
static int take(int keeper, int flags)
{
    union ancillary more = {0};
    int rc = 0, fd = -1;
    struct iovec part = {&rc, sizeof rc};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &more,
        .msg_controllen = sizeof more,
    };
    const struct cmsghdr *header;
    ssize_t len;

    do
        len = recvmsg(keeper, &message, flags | MSG_CMSG_CLOEXEC);
    while (len < 0 && errno == EINTR);
    if (len < 0)
        return -errno;
    header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(header), sizeof fd);
    if (len != sizeof rc || (rc == 0 && fd < 0))
        return -EPIPE;
    return rc ? rc : fd;
}

int keeper_first(int keeper)
{
    say(keeper, ONCE);
    return take(keeper, 0);
}

void keeper_ask(int keeper)
{
    say(keeper, UNTIL_IT_WORKS);
}

int keeper_take(int keeper)
{
    return take(keeper, MSG_DONTWAIT);
}

int keeper_renew(int *keeper, int fd)
{
    const int next = keeper_take(*keeper);
    int rc = 0;

    if (next == -EAGAIN)
        return next;
    if (next < 0) {
        log_warning("network: the process that renews the guest's link is "
                    "gone: the link stays down");
        close(*keeper);
        *keeper = -1;
        return next;
    }
    if (dup3(next, fd, O_CLOEXEC) < 0)
        rc = -errno;
    close(next);
    return rc;
}

void keeper_allow(int keeper, int fd, struct sandbox *sandbox)
{
    sandbox_allow_arg(sandbox, SYS_sendto, keeper);
    sandbox_allow_arg(sandbox, SYS_recvmsg, keeper);
    sandbox_allow(sandbox, SYS_dup3, SANDBOX_ANY, fd, O_CLOEXEC);
    sandbox_allow(sandbox, SYS_close, SANDBOX_ANY, SANDBOX_ANY, SANDBOX_ANY);
}
