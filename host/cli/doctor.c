/* paravane doctor */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/platform/x86.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/build/decompress/decompress.h"
#include "host/cli/cli.h"
#include "host/cli/json.h"
#include "host/engine/engine.h"
#include "host/engine/kvm/measure.h"

#define COMMAND "doctor"

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE (1 << 1)
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010u
#endif

static const char help[] =
    "usage: paravane doctor [--json]\n"
    "\n"
    "Looks at this host: what the engines need and whether it is there, and\n"
    "for each engine whether it is usable or what is missing. Exits with 0 if\n"
    "at least one engine works.\n"
    "\n"
    "  --json      as one JSON object\n"
    "  -h, --help  this text\n";

#define FOUND_SIZE 128

/* Fills (found) with what was seen; returns whether that is enough. */
typedef bool (*check_fn)(char found[FOUND_SIZE]);

static void say(char found[FOUND_SIZE], const char *text)
{
    snprintf(found, FOUND_SIZE, "%s", text);
}

static bool say_result(char found[FOUND_SIZE], bool ok)
{
    say(found, ok ? "yes" : strerror(errno));
    return ok;
}

static bool check_fsgsbase(char found[FOUND_SIZE])
{
    bool ok = getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE;

    say(found, ok ? "yes" : "no");
    return ok;
}

static bool check_xsave(char found[FOUND_SIZE])
{
    bool ok = CPU_FEATURE_PRESENT(OSXSAVE);

    say(found, ok ? "yes" : "no");
    return ok;
}

static bool check_seccomp(char found[FOUND_SIZE])
{
    uint32_t action = SECCOMP_RET_TRAP;

    return say_result(
        found, !syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
}

static bool check_memfd(char found[FOUND_SIZE])
{
    int fd = memfd_create("doctor", MFD_CLOEXEC | MFD_EXEC);
    void *page = MAP_FAILED;
    bool ok;

    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("doctor", MFD_CLOEXEC);
    if (fd >= 0 && !ftruncate(fd, 4096))
        page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    ok = say_result(found, page != MAP_FAILED);
    if (ok)
        munmap(page, 4096);
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool check_io_uring(char found[FOUND_SIZE])
{
    struct io_uring_params params = {.flags = IORING_SETUP_R_DISABLED};
    struct io_uring_restriction restriction = {
        .opcode = IORING_RESTRICTION_SQE_OP,
        .sqe_op = IORING_OP_READV,
    };
    long fd = syscall(SYS_io_uring_setup, 1, &params);
    bool ok;

    if (fd < 0)
        return say_result(found, false);
    ok = !syscall(SYS_io_uring_register, fd, IORING_REGISTER_RESTRICTIONS,
                  &restriction, 1);
    say_result(found, ok);
    close((int)fd);
    return ok;
}

static bool read_setting(const char *path, unsigned long *value)
{
    FILE *file = fopen(path, "re");
    bool ok = file && fscanf(file, "%lu", value) == 1;

    if (file)
        fclose(file);
    return ok;
}

static bool check_setting(const char *path, char found[FOUND_SIZE],
                          unsigned long low, unsigned long high)
{
    unsigned long value;

    if (!read_setting(path, &value))
        return say_result(found, false);
    snprintf(found, FOUND_SIZE, "%lu", value);
    return value >= low && value <= high;
}

static bool check_mmap_min(char found[FOUND_SIZE])
{
    return check_setting("/proc/sys/vm/mmap_min_addr", found, 0, 65536);
}

static bool check_map_count(char found[FOUND_SIZE])
{
    return check_setting("/proc/sys/vm/max_map_count", found, 65530,
                         (unsigned long)-1);
}

static bool check_kvm(char found[FOUND_SIZE])
{
    return say_result(found, !access("/dev/kvm", R_OK | W_OK));
}

/* Which formats were built in: none of them is needed to build us. */
static bool check_packed(char found[FOUND_SIZE])
{
    size_t len = 0;
    bool all = true;

    say(found, "none");
    for (size_t i = 0; i < NR_COMPRESSIONS; i++) {
        if (compressions[i].unpack)
            len += (size_t)snprintf(found + len, FOUND_SIZE - len, "%s%s",
                                    len ? " " : "", compressions[i].name);
        else
            all = false;
    }
    return all;
}

static const struct check {
    const char *name;
    check_fn run;
    const char *purpose;
    const char *remedy;
} checks[] = {
    {"fsgsbase", check_fsgsbase, "switching between guest and host",
     "Linux 5.9 or newer, and a CPU made since 2012"},
    {"xsave", check_xsave, "the guest's vector state in the engine process",
     "a CPU made since 2011, shown in full by a VM"},
    {"seccomp", check_seccomp, "the sandbox, and raw SYSCALLs of the guest",
     "a kernel with CONFIG_SECCOMP_FILTER"},
    {"executable memfd", check_memfd, "the guest's memory",
     "sysctl vm.memfd_noexec=0, and no mount policy against it"},
    {"io_uring", check_io_uring, "disks",
     "Linux 5.10 or newer, sysctl kernel.io_uring_disabled=0, and a container "
     "that allows it"},
    {"vm.mmap_min_addr", check_mmap_min, "images linked at low addresses",
     "sysctl vm.mmap_min_addr=65536"},
    {"vm.max_map_count", check_map_count, "guests with many mappings",
     "sysctl vm.max_map_count=65530"},
    {"/dev/kvm", check_kvm, "the engine kvm",
     "virtualization turned on in the firmware, its module loaded, and "
     "membership of the group kvm"},
    {"unpacking", check_packed, "Linux kernels as they are installed",
     "a paravane built with zlib, liblzma, liblz4, libzstd, libbz2, liblzo2"},
};

#define NR_CHECKS (sizeof checks / sizeof *checks)

static void print_check(const struct check *check)
{
    char found[FOUND_SIZE];
    bool ok = check->run(found);

    printf("  %-22s %-8s for %s\n", check->name, ok ? found : "MISSING",
           check->purpose);
    if (!ok)
        printf("  %-22s found: %s; needed: %s\n", "", found, check->remedy);
}

static const char *yes_no(bool yes)
{
    return yes ? "yes" : "no";
}

/* What guests will find here, found by running one. */
static void print_kvm_kind(void)
{
    struct kvm_kind kind;
    char text[256];

    if (measure_kvm(&kind, text, sizeof text)) {
        printf("kvm: cannot be measured: %s\n", text);
        return;
    }
    printf("kvm: %s\n", measure_name(&kind));
    measure_say_pv(&kind, text, sizeof text);
    printf("  %s\n", text);
    measure_say_pvh(&kind, text, sizeof text);
    printf("  %s\n", text);
    if (!kind.slot_256)
        printf("  ring 3 cannot use 0x%lx: the M2P table is shown elsewhere\n",
               MEASURE_SLOT_256);
    if (!kind.traps_fpu)
        printf("  no #NM in ring 3: kernels that save the FPU lazily lose its "
               "state\n");
    if (!kind.breakpoints)
        printf("  no breakpoints in ring 3: those that a PV guest sets are "
               "never met\n");
    printf("  an exit takes %lu ns from ring 3, %lu ns from ring 0; an "
           "instruction %lu.%03lu and %lu.%03lu ns\n",
           kind.exit3_ns, kind.exit0_ns, kind.step3_ps / 1000,
           kind.step3_ps % 1000, kind.step0_ps / 1000, kind.step0_ps % 1000);
    printf("  offered: registers without a call: %s, MSRs to user space: %s, "
           "split irqchip: %s, Xen: %s\n",
           yes_no(kind.sync_regs), yes_no(kind.user_msr),
           yes_no(kind.split_irqchip), yes_no(kind.xen_hvm));
}

/* Returns how many engines are usable. */
static unsigned print_report(void)
{
    unsigned nr_usable = 0;
    char why[256];

    printf("this host:\n");
    for (size_t i = 0; i < NR_CHECKS; i++)
        print_check(&checks[i]);
    printf("engines:\n");
    for (unsigned i = 0; engine_list[i]; i++) {
        bool usable = !engine_list[i]->probe(why, sizeof why);

        nr_usable += usable;
        printf("  %-8s %s%s\n", engine_list[i]->name,
               usable ? "usable" : "not usable: ", usable ? "" : why);
    }
    if (!engine_kvm.probe(why, sizeof why))
        print_kvm_kind();
    return nr_usable;
}

static void json_check(const struct check *check)
{
    char found[FOUND_SIZE];
    bool ok = check->run(found);

    json_open(check->name, '{');
    json_bool("ok", ok);
    json_string("found", found);
    json_string("purpose", check->purpose);
    if (!ok)
        json_string("remedy", check->remedy);
    json_close('}');
}

static void json_kvm_kind(void)
{
    struct kvm_kind kind;
    char text[256];

    json_open("kvm", '{');
    if (measure_kvm(&kind, text, sizeof text)) {
        json_string("why_not", text);
        json_close('}');
        return;
    }
    json_string("kind", measure_name(&kind));
    measure_say_pv(&kind, text, sizeof text);
    json_string("pv", text);
    measure_say_pvh(&kind, text, sizeof text);
    json_string("pvh", text);
    json_number("exit_ring3_ns", kind.exit3_ns);
    json_number("exit_ring0_ns", kind.exit0_ns);
    json_number("step_ring3_ps", kind.step3_ps);
    json_number("step_ring0_ps", kind.step0_ps);
    json_bool("ring0_emulated", kind.ring0_emulated);
    json_bool("shadow_paging", kind.shadow_paging);
    json_bool("slot_256", kind.slot_256);
    json_bool("traps_fpu", kind.traps_fpu);
    json_bool("breakpoints", kind.breakpoints);
    json_bool("host_is_guest", kind.host_is_guest);
    json_bool("sync_regs", kind.sync_regs);
    json_bool("user_msr", kind.user_msr);
    json_bool("split_irqchip", kind.split_irqchip);
    json_bool("xen_hvm", kind.xen_hvm);
    json_close('}');
}

static unsigned json_report(void)
{
    unsigned nr_usable = 0;
    char why[256];

    json_open(NULL, '{');
    json_open("host", '{');
    for (size_t i = 0; i < NR_CHECKS; i++)
        json_check(&checks[i]);
    json_close('}');
    json_open("engines", '{');
    for (unsigned i = 0; engine_list[i]; i++) {
        bool usable = !engine_list[i]->probe(why, sizeof why);

        nr_usable += usable;
        json_open(engine_list[i]->name, '{');
        json_bool("usable", usable);
        if (!usable)
            json_string("why_not", why);
        json_close('}');
    }
    json_close('}');
    json_kvm_kind();
    json_close('}');
    putchar('\n');
    return nr_usable;
}

int cli_doctor(int argc, char **argv)
{
    bool json = false;
    int status;

    if (!cli_report_options(argc, argv, help, &json, &status))
        return status;
    if (optind < argc)
        return cli_bad_usage(COMMAND, "'%s' is one argument too many",
                             argv[optind]);
    return (json ? json_report() : print_report()) ? STATUS_OK
                                                   : STATUS_HOST_TROUBLE;
}
