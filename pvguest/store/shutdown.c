/*
 * pvguest/store/shutdown.c: answering control/shutdown.
 */
#include <pvguest/shutdown.h>

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <xen/xen.h>

#include <xen/sched.h>

#include <pvguest/guest.h>
#include <pvguest/store.h>
#include <pvguest/thread.h>

#define REQUEST_PATH "control/shutdown"

static void (*shutdown_hook)(unsigned reason);

void shutdown_set_hook(void (*hook)(unsigned reason))
{
    shutdown_hook = hook;
}

/*
 * Read the request and write "" over it in one transaction: whoever asked
 * takes that as the answer. The length of what was asked, 0 for nothing.
 */
static long take_request(char *word, size_t size)
{
    uint32_t tx;
    long len;
    int rc;

    do {
        rc = store_tx_begin(&tx);
        if (rc)
            return rc;
        len = store_read(tx, REQUEST_PATH, word, size);
        if (len > 0)
            rc = store_write(tx, REQUEST_PATH, "");
        if (len <= 0 || rc) {
            store_tx_end(tx, false);
            return rc ? rc : len;
        }
        rc = store_tx_end(tx, true);
    } while (rc == -EAGAIN);
    return rc ? rc : len;
}

static void shutdown_asked(struct store_watch *watch, const char *path)
{
    static const struct {
        const char *word;
        unsigned reason;
    } words[] = {
        {"poweroff", SHUTDOWN_poweroff},
        {"halt", SHUTDOWN_poweroff},
        {"reboot", SHUTDOWN_reboot},
        {"crash", SHUTDOWN_crash},
    };
    char word[16];

    (void)watch;
    (void)path;
    if (take_request(word, sizeof word) <= 0)
        return;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, words[i].word) != 0)
            continue;
        if (shutdown_hook)
            shutdown_hook(words[i].reason);
        if (words[i].reason == SHUTDOWN_poweroff)
            guest_exit(0);
        guest_shutdown(words[i].reason);
    }
    guest_print("shutdown: refused to \"%s\": not supported\n", word);
}

static struct store_watch shutdown_watch = {
    .fn = shutdown_asked,
    .path = REQUEST_PATH,
};

static void shutdown_start(void *arg)
{
    (void)arg;
    if (store_watch(&shutdown_watch))
        return;
    store_write(STORE_NO_TX, "control/feature-poweroff", "1");
    store_write(STORE_NO_TX, "control/feature-reboot", "1");
}

/*
 * A thread does it, and threads run when main() first waits: a program that
 * only computes and ends never talks to the store.
 */
static int shutdown_init(void)
{
    if (store_available() && !thread_start(shutdown_start, NULL))
        return -ENOMEM;
    return 0;
}
GUEST_DRIVER(shutdown_init);
