/* host/domain.c: the life of a domain, in steps that undo themselves. */
#include "host/domain.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/backend/block.h"
#include "host/backend/console.h"
#include "host/backend/net.h"
#include "host/build/image.h"
#include "host/build/pv.h"
#include "host/build/pvh.h"
#include "host/calls/calls.h"
#include "host/engine/engine.h"
#include "host/guest_access.h"
#include "host/log.h"
#include "host/pagetable.h"
#include "host/runstate.h"
#include "host/sandbox.h"
#include "host/store/store.h"
#include "host/toolstack.h"

/* Frames that are the hypervisor's: shared_info, the grant table, and a PVH
 * domain's rings and ACPI tables. */
#define SHARED_FRAMES (4 + GRANT_MAX_FRAMES)

/* More than the store's 4 MiB of nodes, its events and its transactions. */
#define HEAP_BYTES      (8 << 20)
#define HEAP_USED_BYTES (16 << 10)

#ifndef MADV_POPULATE_WRITE /* Linux 5.14; older ones answer -EINVAL */
#define MADV_POPULATE_WRITE 23
#endif

#define EXIT_CRASHED      125
#define EXIT_HOST_TROUBLE 1

/* SIGINT and the like: first a request to the guest, then its end. */
static void on_signal(void *context, short revents)
{
    struct domain *dom = context;
    struct signalfd_siginfo info;

    (void)revents;
    if (read(dom->signal_fd, &info, sizeof info) != sizeof info)
        return;
    if (!dom->end_signal) {
        dom->end_signal = (int)info.ssi_signo;
        log_warning("asking the guest to power off; once more destroys it");
        toolstack_request_shutdown(dom, "poweroff");
    } else {
        log_warning("the guest is destroyed");
        domain_end(dom, DOMAIN_DESTROYED);
    }
}

static int watch_signals(struct domain *dom)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN); /* these show as errors of the call */
    signal(SIGXFSZ, SIG_IGN);
    dom->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (dom->signal_fd < 0 ||
        !wait_add(&dom->wait, dom->signal_fd, POLLIN, on_signal, dom)) {
        log_error("cannot watch for signals: %m");
        return -errno;
    }
    sandbox_allow_arg(&dom->sandbox, SYS_read, dom->signal_fd);
    return 0;
}

/* The three descriptors every program has; a terminal is restored at the end.
 */
static void allow_standard_streams(struct sandbox *sandbox)
{
    sandbox_allow_arg(sandbox, SYS_read, STDIN_FILENO);
    sandbox_allow_arg(sandbox, SYS_write, STDOUT_FILENO);
    sandbox_allow_arg(sandbox, SYS_write, STDERR_FILENO);
    if (isatty(STDIN_FILENO)) {
        sandbox_allow_args(sandbox, SYS_ioctl, STDIN_FILENO, TCSETS);
        /* tcsetattr() reads back what it has set. */
        sandbox_allow_args(sandbox, SYS_ioctl, STDIN_FILENO, TCGETS);
    }
}

static void init_vcpus(struct domain *dom)
{
    dom->nr_vcpus = dom->config->nr_vcpus;
    for (unsigned i = 0; i < dom->nr_vcpus; i++) {
        dom->vcpus[i].domain = dom;
        dom->vcpus[i].id = i;
    }
    dom->vcpus[0].up = true;
}

/* What of a vCPU needs its shared_info, its clock and its tables. */
static int start_vcpus(struct domain *dom)
{
    for (unsigned i = 0; i < dom->nr_vcpus; i++)
        vcpu_create(&dom->vcpus[i], dom, i);
    return dom->abi == ABI_PV ? pagetable_adopt(&dom->vcpus[0]) : 0;
}

/*
 * A page the guest shares with us from its start, as a host address. It is
 * held: what the guest gives back, nobody may go on writing to.
 */
static void *start_page(struct domain *dom, uint64_t mfn)
{
    void *page = memory_frame(&dom->mem, mfn);

    if (page)
        memory_record(&dom->mem, mfn)->refs++;
    return page;
}

/* The store's tree is laid out when somebody looks: many guests never do. */
static void fill_store(void *context)
{
    struct domain *dom = context;

    if (toolstack_publish(dom))
        domain_end(dom, DOMAIN_HOST_TROUBLE);
}

/* The rings that every domain has. */
static int connect_services(struct domain *dom)
{
    const struct domain_rings *rings = &dom->rings;
    void *store_page = start_page(dom, rings->store_mfn);
    void *console_page = start_page(dom, rings->console_mfn);
    int rc;

    if (!store_page || !console_page)
        return -EFAULT;
    rc = store_create(&dom->store);
    if (rc)
        return rc;
    store_fill_at_first_use(dom->store, fill_store, dom);
    rc = store_connect(dom->store, dom, store_page, rings->store_port);
    if (rc == 0)
        rc = console_create(dom, console_page, rings->console_port);
    return rc;
}

/* The kernel and what it gets beside itself. */
static int open_image(struct domain *dom)
{
    int rc = image_open(dom->config->image, &dom->image);

    return rc ? rc : module_open(&dom->initrd, dom->config->initrd);
}

/* A crash report will look for names in the kernel's file, in the sandbox. */
static void keep_names(struct domain *dom)
{
    if (image_keep_symbols(dom->image))
        sandbox_allow_arg(&dom->sandbox, SYS_pread64, dom->image->fd);
}

/*
 * In the sandbox malloc can have no more address space: give it now what the
 * store's limits can come to. Untouched, it costs nothing.
 */
static void extend_heap(void)
{
    void *volatile all; /* or the compiler sees through it */

    mallopt(M_MMAP_THRESHOLD, INT_MAX); /* everything from this heap */
    mallopt(M_TRIM_THRESHOLD, INT_MAX); /* which never shrinks */
    all = malloc(HEAP_BYTES);
    /* what every domain uses: in one go instead of a fault for each page */
    madvise((void *)(((uintptr_t)all | (PAGE_SIZE - 1)) + 1), HEAP_USED_BYTES,
            MADV_POPULATE_WRITE);
    free(all);
}

int domain_create(struct domain *dom, const struct domain_config *config)
{
    struct memory_config mem = {
        .ram_pages = config->memory_bytes >> PAGE_SHIFT,
        .shared_pages = SHARED_FRAMES,
        .scatter = config->scatter,
    };
    static struct engine engine;
    int rc;

    /* vCPUs that it will not have stay untouched: their pages cost time. */
    memset(dom, 0,
           offsetof(struct domain, vcpus) +
               config->nr_vcpus * sizeof *dom->vcpus);
    dom->id = DOMAIN_ID;
    dom->config = config;
    dom->mem.fd = -1;
    dom->signal_fd = -1;
    dom->control.fd = -1;
    dom->engine = &engine;
    extend_heap();
    init_vcpus(dom);
    allow_standard_streams(&dom->sandbox);

    rc = open_image(dom);
    if (rc == 0)
        rc = engine_choose(dom);
    if (rc == 0)
        rc = watch_signals(dom);
    if (rc == 0)
        rc = control_create(dom);
    if (rc == 0)
        rc = turn_create(dom);
    if (rc == 0)
        rc = clock_create(&dom->clock);
    mem.translated = dom->abi == ABI_PVH;
    if (rc == 0)
        rc = memory_create(&dom->mem, &mem);
    if (rc == 0)
        rc = ports_create(dom);
    if (rc == 0)
        rc = dom->abi == ABI_PVH ? pvh_build(dom) : pv_build(dom);
    if (rc == 0)
        keep_names(dom);
    if (rc == 0)
        rc = start_vcpus(dom);
    if (rc == 0)
        rc = connect_services(dom);
    if (rc == 0)
        rc = block_create_all(dom);
    if (rc == 0)
        rc = net_create_all(dom);
    if (rc == 0)
        rc = engine.ops->create(dom);
    if (rc)
        domain_destroy(dom);
    else
        engine.state = dom;
    return rc;
}

int domain_run(struct domain *dom)
{
    struct vcpu *vcpu = &dom->vcpus[0];
    int rc;

    clock_steer(&dom->clock); /* the build was long enough for a slope */
    for (unsigned i = 0; i < dom->nr_vcpus; i++)
        vcpu_publish_time(&dom->vcpus[i]);
    clock_publish_wall(&dom->clock, dom->shared);
    runstate_set(vcpu, RUNSTATE_running);
    rc = dom->engine->ops->run(dom);
    if (rc)
        domain_end(dom, DOMAIN_HOST_TROUBLE);
    turn_end_threads(dom);
    block_settle_all(dom);
    console_io_flush(dom);
    console_drain(dom->console);
    return rc;
}

void domain_destroy(struct domain *dom)
{
    if (dom->engine && dom->engine->state)
        dom->engine->ops->destroy(dom);
    if (dom->engine)
        *dom->engine = (struct engine){0};
    net_destroy_all(dom);
    block_destroy_all(dom);
    console_destroy(dom);
    store_destroy(dom->store);
    ports_destroy(dom);
    turn_destroy(dom);
    for (unsigned i = 0; i < dom->nr_vcpus; i++)
        runstate_end(&dom->vcpus[i]);
    if (dom->signal_fd >= 0)
        close(dom->signal_fd);
    control_destroy(dom);
    grants_destroy(dom);
    free(dom->own_map);
    memory_destroy(&dom->mem);
    module_close(&dom->initrd);
    image_close(dom->image);
    dom->store = NULL;
    dom->image = NULL;
    dom->engine = NULL;
    dom->signal_fd = -1;
}

void domain_end(struct domain *dom, enum domain_end end)
{
    if (dom->end == DOMAIN_RUNS)
        dom->end = end;
    if (dom->engine && dom->engine->ops)
        for (unsigned i = 0; i < dom->nr_vcpus; i++) {
            dom->engine->ops->kick(&dom->vcpus[i]);
            turn_kick(&dom->turn, &dom->vcpus[i]);
        }
}

int domain_exit_status(struct domain *dom)
{
    int status = 0;

    switch (dom->end) {
    case DOMAIN_POWEROFF:
        if (toolstack_exit_status(dom, &status))
            return EXIT_CRASHED;
        return status;
    case DOMAIN_REBOOT:
        if (!dom->config->restart)
            log_warning("the guest asked for a reboot: run it again, or with "
                        "--on-reboot restart");
        return 0;
    case DOMAIN_DESTROYED:
        return 128 + dom->end_signal;
    case DOMAIN_CRASHED:
    case DOMAIN_SUSPEND:
        return EXIT_CRASHED;
    case DOMAIN_HOST_TROUBLE:
    case DOMAIN_RUNS:
        break;
    }
    return EXIT_HOST_TROUBLE;
}
