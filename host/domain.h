/*
 * host/domain.h: one guest and all that is its own.
 *
 * Life: create -> build -> run -> destroy; each step undoes itself when it
 * fails, destroy accepts a domain at any stage.
 */
#ifndef HOST_DOMAIN_H
#define HOST_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <grant/borrow.h>
#include <xen/xen.h>

#include "host/build/module.h"
#include "host/clock.h"
#include "host/config.h"
#include "host/control.h"
#include "host/grant_map.h"
#include "host/memory.h"
#include "host/port.h"
#include "host/pvh/hvm.h"
#include "host/sandbox.h"
#include "host/vcpu.h"
#include "host/wait.h"

#define DOMAIN_ID        1  /* what the guest is told it is */
#define BACKEND_ID       0  /* who serves it */
#define DOMAIN_MAX_VCPUS 32 /* as many as shared_info has room for */
#define DOMAIN_WATCHDOGS 2  /* as Xen has */

struct engine;
struct image;
struct store;
struct console;
struct blockdev;
struct netdev;
struct block_io;

enum domain_end {
    DOMAIN_RUNS,
    DOMAIN_POWEROFF, /* SHUTDOWN_poweroff: the guest's own exit code counts */
    DOMAIN_REBOOT,
    DOMAIN_SUSPEND,
    DOMAIN_CRASHED,   /* its own doing: exit status 125 */
    DOMAIN_DESTROYED, /* by the user: 128 + signal */
    DOMAIN_HOST_TROUBLE,
};

/* The rings that the builder told the guest of. */
struct domain_rings {
    mfn_t store_mfn, console_mfn;
    evtchn_port_t store_port, console_port;
};

struct domain {
    uint16_t id;
    enum abi abi;
    const struct domain_config *config;
    struct image *image;
    struct module initrd;

    struct memory mem;
    struct shared_info *shared; /* host view */
    mfn_t shared_mfn;
    struct grant_table grants;
    struct ports ports;
    struct clock clock;
    unsigned nr_vcpus;
    struct turn turn;      /* of its threads, if there are several */
    struct hvm hvm;        /* of a PVH domain */
    uint64_t vm_assist;    /* VMASST_TYPE_* bits */
    void *own_map;         /* XENMEM_set_memory_map: e820 entries, */
    unsigned nr_own_map;   /* so many of them, */
    bool own_map_set;      /* in place of what the builder made */
    bool code_latched;     /* SCHEDOP_shutdown_code: what any */
    uint8_t shutdown_code; /* shutdown of its own will be for */
    uint64_t watchdog_ns[DOMAIN_WATCHDOGS]; /* system time; 0: off */
    uint8_t cmos_index;                     /* written to port 0x70 */
    uint32_t pci_index;                     /* written to port 0xcf8 */
    struct grant_maps grant_maps;           /* what this domain borrowed */

    /* the unfinished line of HYPERVISOR_console_io */
    char console_line[256];
    unsigned console_line_len;

    struct wait_set wait;
    struct sandbox sandbox; /* what each part will need of the kernel */
    uint64_t m2p_va;        /* where the engine shows the M2P table */
    int signal_fd;          /* SIGINT and the like; -1 before */
    struct control control; /* the user's words */
    struct domain_rings rings;
    struct store *store;
    struct console *console;
    struct blockdev *disks[CONFIG_MAX_DISKS];
    unsigned nr_disks;
    struct block_io *block_io; /* NULL without disks */
    struct netdev *nets[CONFIG_MAX_NETS];
    unsigned nr_nets;
    struct engine *engine;

    enum domain_end end; /* DOMAIN_RUNS while it lives */
    int exit_code;       /* with DOMAIN_POWEROFF */
    int end_signal;      /* with DOMAIN_DESTROYED */

    /* the last calls, for the crash report; a ring */
    struct {
        uint64_t nr, args[5];
        long result;
    } last_calls[16];
    unsigned nr_last_calls;

    struct vcpu vcpus[DOMAIN_MAX_VCPUS]; /* large: few are ever touched */
};

int domain_create(struct domain *dom, const struct domain_config *config);
int domain_run(struct domain *dom);
void domain_destroy(struct domain *dom);

/*
 * End the domain: the first reason given stays. The engine notices before it
 * enters the guest again.
 */
void domain_end(struct domain *dom, enum domain_end end);

/*
 * The guest broke: print the readable report (registers, stack, backtrace with
 * symbols, last hypercalls), then domain_end(DOMAIN_CRASHED).
 */
void domain_crash(struct vcpu *vcpu, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* paravane's exit status for an ended domain. */
int domain_exit_status(struct domain *dom);

/* sleep.c: serve what is due on this vCPU's thread: timers, stale clocks,
 * ready descriptors. */
void domain_work(struct vcpu *vcpu);

/*
 * Sleep until the guest has an event to take, or (until_ns) of system time, or
 * (woken) says so (may be NULL), or the domain ended.
 */
void domain_sleep(struct vcpu *vcpu, uint64_t until_ns,
                  bool (*woken)(struct vcpu *vcpu));

/* The dispatch of one hypercall: trace, accounts, handler. (host/calls/) */
long domain_hypercall(struct vcpu *vcpu, uint64_t nr, const uint64_t *args);

#endif
