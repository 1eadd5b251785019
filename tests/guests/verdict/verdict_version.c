/*
 * xen_version, console_io, multicall; calls of control domains, of optional
 * parts of Xen, of nobody.
 */
#include "cases.h"

#include <pvguest/guest.h>

#include <string.h>

#include <hypercall/calls.h>
#include <xen/arch-x86/xen-mca.h>
#include <xen/nmi.h>

/* Room for the largest answer. */
static union {
    char text[1024];
    struct xen_feature_info features;
} room;

static void version(void)
{
    static const struct {
        int cmd;
        const char *name;
    } cmds[] = {
        {XENVER_version, "version"},
        {XENVER_extraversion, "extraversion"},
        {XENVER_compile_info, "compile_info"},
        {XENVER_capabilities, "capabilities"},
        {XENVER_changeset, "changeset"},
        {XENVER_platform_parameters, "platform_parameters"},
        {XENVER_get_features, "get_features"},
        {XENVER_pagesize, "pagesize"},
        {XENVER_guest_handle, "guest_handle"},
        {XENVER_commandline, "commandline"},
        {XENVER_build_id, "build_id"},
        {XENVER_build_id + 1, "operation 11"},
        {64, "operation 64"},
        {-1, "operation -1"},
    };

    const uint32_t zero = 0; /* which few fit in */

    about("xen_version");
    for (size_t i = 0; i < NUMBER_OF(cmds); i++) {
        memset(&room, 0, sizeof room);
        say(hypercall_xen_version(cmds[i].cmd, &room), "%s", cmds[i].name);
        AT_WRONG_PLACES(cmds[i].name, zero,
                        hypercall_xen_version(cmds[i].cmd, at));
    }
    for (unsigned i = 0; i < 4; i++) {
        room.features = (struct xen_feature_info){.submap_idx = i};
        say(hypercall_xen_version(XENVER_get_features, &room),
            "get_features of submap %u", i);
        if (i == 0)
            printf("which are 0x%x\n", room.features.submap);
    }
    memset(&room, 0, sizeof room);
    say(hypercall_xen_version(XENVER_build_id, NULL), "build_id, its length");
}

static void console(void)
{
    static char nothing[16];

    about("console_io");
    say(hypercall_console_io(CONSOLEIO_read, 1, nothing), "read");
    say(hypercall_console_io(CONSOLEIO_write, 0, nothing), "write nothing");
    say(hypercall_console_io(2, 0, nothing), "operation 2");
    say(hypercall_console_io(-1, 0, nothing), "operation -1");
    say(hypercall_console_io(CONSOLEIO_write, 1, put(PLACE_UNMAPPED, "", 1)),
        "write what is not mapped");
}

static void lists(void)
{
    multicall_entry_t list[4] = {
        {.op = __HYPERVISOR_xen_version, .args = {XENVER_version}},
        {.op = __HYPERVISOR_multicall},
        {.op = 0x1000},
        {.op = ~0ul},
    };

    about("multicall");
    say(hypercall_multicall(list, 0), "of nothing");
    say(hypercall_multicall(NULL, 0), "of nothing, nowhere");
    AT_WRONG_PLACES("one", list[0], hypercall_multicall(at, 1));
    say(hypercall_multicall(list, 4), "of four");
    for (int i = 0; i < 4; i++)
        say_if_good((long)list[i].result, "result %d", i);
    say(hypercall_multicall((void *)~0xffful, 0x10000000), "beyond the end");
}

#define CALL(nr, a1, a2, a3) \
    say(ANY_HYPERCALL(nr, a1, a2, a3), "hypercall %d", nr)

/* Zeros are no version of any interface, and no domain's command. */
static void privileged(void)
{
    static uint64_t zeros[128];

    about("for control domains:");
    say(ANY_HYPERCALL(__HYPERVISOR_platform_op, zeros, 0, 0), "platform_op");
    say(ANY_HYPERCALL(__HYPERVISOR_sysctl, zeros, 0, 0), "sysctl");
    say(ANY_HYPERCALL(__HYPERVISOR_domctl, zeros, 0, 0), "domctl");
    say(ANY_HYPERCALL(__HYPERVISOR_platform_op, NULL, 0, 0),
        "platform_op nowhere");
    say(ANY_HYPERCALL(__HYPERVISOR_sysctl, NULL, 0, 0), "sysctl nowhere");
    say(ANY_HYPERCALL(__HYPERVISOR_domctl, NULL, 0, 0), "domctl nowhere");
    say(ANY_HYPERCALL(__HYPERVISOR_kexec_op, 0, zeros, 0), "kexec_op");
    say(ANY_HYPERCALL(__HYPERVISOR_mca, zeros, 0, 0), "mca");
    say(ANY_HYPERCALL(__HYPERVISOR_physdev_op_compat, zeros, 0, 0),
        "physdev_op_compat");
    say(ANY_HYPERCALL(__HYPERVISOR_dm_op, DOMID_SELF, 0, zeros), "dm_op");
    say(ANY_HYPERCALL(__HYPERVISOR_dm_op, 0, 0, zeros), "dm_op of domain 0");
    say(ANY_HYPERCALL(__HYPERVISOR_dm_op, 0x1234, 0, zeros), "dm_op of nobody");
    say(ANY_HYPERCALL(__HYPERVISOR_hypfs_op, 0, 0, 0), "hypfs_op");
}

static void optional(void)
{
    static uint64_t zeros[128];

    about("of optional parts:");
    say(ANY_HYPERCALL(__HYPERVISOR_xsm_op, zeros, 0, 0), "xsm_op");
    say(ANY_HYPERCALL(__HYPERVISOR_tmem_op, zeros, 0, 0), "tmem_op");
    say(ANY_HYPERCALL(__HYPERVISOR_xenoprof_op, 0, zeros, 0), "xenoprof_op");
    say(ANY_HYPERCALL(__HYPERVISOR_argo_op, 0, zeros, 0), "argo_op");
    for (int i = 0; i < 8; i++)
        say(ANY_HYPERCALL(__HYPERVISOR_xenpmu_op, i, zeros, 0), "xenpmu_op %d",
            i);
    say(ANY_HYPERCALL(__HYPERVISOR_nmi_op, XENNMI_unregister_callback, 0, 0),
        "nmi_op, the callback's end");
    say(ANY_HYPERCALL(__HYPERVISOR_nmi_op, 7, zeros, 0), "nmi_op 7");
    say(ANY_HYPERCALL(__HYPERVISOR_nmi_op, XENNMI_register_callback, NULL, 0),
        "nmi_op, a callback that is nowhere");
}

static void nobodys(void)
{
    about("nobody's:");
    CALL(43, 0, 0, 0);
    CALL(44, 0, 0, 0);
    CALL(45, 0, 0, 0);
    CALL(46, 0, 0, 0);
    CALL(47, 0, 0, 0);
    CALL(49, 0, 0, 0);
    CALL(50, 0, 0, 0);
    CALL(55, 0, 0, 0);
    CALL(56, 0, 0, 0);
    CALL(63, 0, 0, 0);
}

int main(void)
{
    cases_begin();
    version();
    console();
    lists();
    privileged();
    optional();
    nobodys();
    return 0;
}
