#include "host/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/backend/block.h"
#include "host/backend/net.h"
#include "host/domain.h"
#include "host/log.h"
#include "host/toolstack.h"

/* Below this no kernel is left that could answer. */
#define LEAST_BYTES (UINT64_C(1) << 20)

static void set_memory(struct domain *dom, const char *size)
{
    const uint64_t most = dom->config->memory_bytes;
    uint64_t bytes;

    if (memory_size_parse(size, &bytes))
        return;
    if (bytes < LEAST_BYTES || bytes > most) {
        log_warning("the guest can have 1M to %luM of memory, not %s: it "
                    "started with the most",
                    most >> 20, size);
        return;
    }
    if (toolstack_set_target(dom, bytes))
        log_warning("the guest could not be told of its memory: its xenstore "
                    "is full");
}

static void send_sysrq(struct domain *dom, const char *key)
{
    if (strlen(key) != 1)
        log_warning("sysrq takes one letter, not '%s'", key);
    else if (toolstack_send_sysrq(dom, *key))
        log_warning("the guest could not be told of a key: its xenstore is "
                    "full");
}

static void request(struct domain *dom, const char *reason)
{
    if (toolstack_request_shutdown(dom, reason))
        log_warning("the guest could not be asked for a %s: its xenstore is "
                    "full",
                    reason);
}

static void shut_down(struct domain *dom, const char *nothing)
{
    (void)nothing;
    request(dom, "poweroff");
}

static void reboot(struct domain *dom, const char *nothing)
{
    (void)nothing;
    request(dom, "reboot");
}

static void detach_disk(struct domain *dom, const char *vdev)
{
    if (block_unplug(dom, vdev))
        log_warning("the guest has no disk '%s' to detach", vdev);
}

static void detach_net(struct domain *dom, const char *number)
{
    if (net_unplug(dom, number))
        log_warning("the guest has no network device '%s' to detach: they are "
                    "numbered from 0",
                    number);
}

static const struct {
    const char *word;
    bool more; /* a space and something follow */
    void (*obey)(struct domain *dom, const char *rest);
} words[] = {
    {"mem-set", true, set_memory},       {"sysrq", true, send_sysrq},
    {"shutdown", false, shut_down},      {"reboot", false, reboot},
    {"block-detach", true, detach_disk}, {"network-detach", true, detach_net},
};

void control_obey(struct domain *dom, const char *line)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const size_t len = strlen(words[i].word);

        if (strncmp(line, words[i].word, len) != 0 ||
            line[len] != (words[i].more ? ' ' : '\0'))
            continue;
        words[i].obey(dom, words[i].more ? line + len + 1 : "");
        return;
    }
    if (*line)
        log_warning("the word '%s' means nothing here: mem-set SIZE, shutdown, "
                    "reboot, sysrq KEY, block-detach VDEV and network-detach "
                    "NUMBER do",
                    line);
}

static void take_byte(struct domain *dom, char byte)
{
    struct control *control = &dom->control;

    if (byte != '\n') {
        if (byte < ' ' || byte > '~')
            byte = '?'; /* it may be shown on a terminal */
        if (control->length < sizeof control->line - 1)
            control->line[control->length++] = byte;
        else
            control->too_long = 1;
        return;
    }
    control->line[control->length] = '\0';
    if (control->too_long)
        log_warning("a line of more than %d characters was said to the guest's "
                    "host, and left out",
                    CONTROL_LINE - 1);
    else
        control_obey(dom, control->line);
    control->length = 0;
    control->too_long = 0;
}

static void listen_to(void *context, short revents)
{
    struct domain *dom = context;
    char bytes[CONTROL_LINE];
    ssize_t len = read(dom->control.fd, bytes, sizeof bytes);

    (void)revents;
    for (ssize_t i = 0; i < len; i++)
        take_byte(dom, bytes[i]);
}

/* For reading and writing: so it has no end when a writer leaves. */
static int open_fifo(const char *path)
{
    struct stat stat;
    int fd;

    if (mkfifo(path, 0600) && errno != EEXIST)
        return -errno;
    fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &stat) == 0 && S_ISFIFO(stat.st_mode))
        return fd;
    close(fd);
    return -EEXIST;
}

int control_create(struct domain *dom)
{
    const char *path = dom->config->control;
    int fd;

    dom->control.fd = -1;
    if (!path)
        return 0;
    fd = open_fifo(path);
    if (fd < 0) {
        log_error("--control %s: %s", path,
                  fd == -EEXIST ? "it is there and no FIFO: name another"
                                : strerror(-fd));
        return fd;
    }
    dom->control.fd = fd;
    if (!wait_add(&dom->wait, fd, POLLIN, listen_to, dom)) {
        log_error("--control %s: too much is waited for: leave a device away",
                  path);
        return -ENOSPC;
    }
    sandbox_allow_arg(&dom->sandbox, SYS_read, fd);
    return 0;
}

void control_destroy(struct domain *dom)
{
    if (dom->control.fd >= 0)
        close(dom->control.fd);
    dom->control.fd = -1;
}
