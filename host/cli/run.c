/* paravane run */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "host/backend/console.h"
#include "host/cli/cli.h"
#include "host/cli/options.h"
#include "host/cli/restart.h"
#include "host/domain.h"
#include "host/engine/engine.h"
#include "host/log.h"

static const char help[] =
    "usage: paravane run [OPTIONS] IMAGE [-- ARGS...]\n"
    "\n"
    "Runs the kernel IMAGE, an ELF file with Xen notes, or a Linux bzImage or\n"
    "gzip file with such in it, as a PV or PVH domain.\n"
    "Its console is stdin and stdout; ARGS become its command line.\n"
    "\n"
    "  --engine NAME    how guest code runs: process, kvm, or auto (the best\n"
    "                   that can run IMAGE here)\n"
    "  --abi ABI        how IMAGE is started: pv, pvh, or auto (pv where the\n"
    "                   image and the engine have it, else pvh)\n"
    "  --memory SIZE    the guest's memory: 64M, 1G, 8192K; a plain number\n"
    "                   counts MiB (16M)\n"
    "  --vcpus N        the guest's virtual CPUs, 1 to 32 (1)\n"
    "  --cpus LIST      the host's CPUs they run on, in xl's syntax: 0-3,^1; "
    "a\n"
    "                   list for each: 0:1\n"
    "  --initrd FILE    a module for the kernel, as Linux's initial RAM disk\n"
    "  --disk SPEC      a disk in xl's syntax: target,format,vdev,access, as\n"
    "                   in disk.img,raw,xvda,ro; may be given repeatedly\n"
    "  --net SPEC       a network device, in xl's syntax: vifname=TAP,\n"
    "                   bridge=NAME, socket=PATH, listen=PATH or user "
    "(passt),\n"
    "                   with mac=, mtu=, rate=, ip=, hostfwd=tcp::8080-:80\n"
    "  --on-reboot A    what to do when the guest asks for a reboot: restart,\n"
    "                   or destroy it (destroy)\n"
    "  --control PATH   take words from this FIFO, as xl has them: mem-set\n"
    "                   SIZE, shutdown, reboot, sysrq KEY, block-detach VDEV,\n"
    "                   network-detach NUMBER\n"
    "  --name NAME      the domain's name (that of the image file)\n"
    "  --trace WHAT     print what the guest does: hypercall, event,\n"
    "                   xenstore, block, net, all, separated by commas\n"
    "  --scatter-p2m    give the guest machine frames in a shuffled order\n"
    "  --kvm-irqchip I  a PVH guest's interrupt controller in KVM: none, "
    "kernel\n"
    "                   (a test option; none)\n"
    "  --kvm-short-paths P\n"
    "                   what need not leave a PV guest's VM: auto, off\n"
    "                   (a test option; auto)\n"
    "  -v, --verbose    say more about what is done and why\n"
    "  -h, --help       this text\n"
    "\n"
    "The exit status is the guest's own; 125 if it crashed, 128 + N if signal\n"
    "N ended it, 1 for trouble on this host, 2 for wrong usage. SIGINT or\n"
    "SIGTERM asks the guest to power off, a second one destroys it.\n";

static int check_host_memory(const struct domain_config *config)
{
    struct sysinfo info;
    uint64_t host;

    if (sysinfo(&info))
        return STATUS_OK; /* then the allocation itself will tell */
    host = ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
    if (config->memory_bytes <= host)
        return STATUS_OK;
    log_error("the guest shall have %lu MiB of memory, but this host has %lu: "
              "give it less with --memory",
              config->memory_bytes >> 20, host >> 20);
    return STATUS_HOST_TROUBLE;
}

static int check_engine(const struct domain_config *config)
{
    if (!strcmp(config->engine, "auto") || engine_find(config->engine))
        return STATUS_OK;
    log_error("the engine %s is not built into this version: use --engine auto",
              config->engine);
    return STATUS_HOST_TROUBLE;
}

/*
 * Whatever the caller left open is not this domain's: a guest that takes over
 * the process must find nothing. (Kernels without the call are too old for
 * any engine.)
 */
static void close_foreign_descriptors(void)
{
    syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
}

static int run_domain(const struct domain_config *config, bool *again)
{
    static struct domain dom;
    int status;

    close_foreign_descriptors();
    if (domain_create(&dom, config))
        return STATUS_HOST_TROUBLE;
    status = domain_run(&dom) ? STATUS_HOST_TROUBLE : domain_exit_status(&dom);
    *again = dom.end == DOMAIN_REBOOT;
    console_restore_terminal();
    /*
     * No domain_destroy: the sandbox that the guest ran in lets nothing be
     * closed or unmapped any more. The kernel does it as we exit.
     */
    return status;
}

int cli_run(int argc, char **argv)
{
    struct domain_config config;
    bool help_only, again;
    int status;

    status = options_parse_run(argc, argv, &config, &help_only);
    if (status == STATUS_OK && help_only) {
        fputs(help, stdout);
    } else if (status == STATUS_OK) {
        log_set_verbose(config.verbose);
        status = check_engine(&config);
        if (status == STATUS_OK)
            status = check_host_memory(&config);
        if (status == STATUS_OK)
            status = config.restart ? restart_while_asked(run_domain, &config)
                                    : run_domain(&config, &again);
    }
    options_destroy(&config);
    return status;
}
