/* xen_version: what we claim to be. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <xen/features.h>
#include <xen/version.h>

#include "host/calls/calls.h"
#include "host/domain.h"

/* Of the host, not of the engine that was chosen. */
#define CAPABILITIES "xen-3.0-x86_64 "

#define FEATURE(name) (1u << XENFEAT_##name)

/* What Xen 4.17 offers an unprivileged PV domain. */
#define PV_FEATURES                                                        \
    (FEATURE(mmu_pt_update_preserve_ad) | FEATURE(highmem_assist) |        \
     FEATURE(gnttab_map_avail_bits) | FEATURE(memory_op_vnode_supported) | \
     FEATURE(direct_mapped))

/* The same for a PVH domain. */
#define PVH_FEATURES                                                    \
    (FEATURE(writable_page_tables) | FEATURE(auto_translated_physmap) | \
     FEATURE(hvm_callback_vector) | FEATURE(hvm_safe_pvclock) |         \
     FEATURE(memory_op_vnode_supported) | FEATURE(not_direct_mapped))

static long give(struct vcpu *vcpu, uint64_t arg, const void *from, size_t len)
{
    return guest_write(vcpu, guest_addr(arg), from, len);
}

static long give_text(struct vcpu *vcpu, uint64_t arg, const char *text,
                      size_t size)
{
    char padded[1024] = {0};

    memcpy(padded, text, strnlen(text, size - 1));
    return give(vcpu, arg, padded, size);
}

static long compile_info(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_compile_info info = {0};

    /* No date, no name: the same source makes the same binary. */
    snprintf(info.compiler, sizeof info.compiler, "%.63s", __VERSION__);
    snprintf(info.compile_by, sizeof info.compile_by, "paravane");
    return give(vcpu, arg, &info, sizeof info);
}

static long get_features(struct vcpu *vcpu, uint64_t arg)
{
    const struct domain *dom = vcpu->domain;
    struct xen_feature_info info;

    if (guest_read(vcpu, guest_addr(arg), &info, sizeof info))
        return -EFAULT;
    if (info.submap_idx >= XENFEAT_NR_SUBMAPS)
        return -EINVAL;
    info.submap = dom->abi == ABI_PVH ? PVH_FEATURES : PV_FEATURES;
    if (dom->vm_assist & (1u << VMASST_TYPE_pae_extended_cr3))
        info.submap |= FEATURE(pae_pgdir_above_4gb);
    return give(vcpu, arg, &info, sizeof info);
}

long call_xen_version(void *opaque, const uint64_t *args)
{
    static const xen_platform_parameters_t platform = {
        .virt_start = __HYPERVISOR_VIRT_START,
    };
    static const uint8_t handle[16]; /* as of a domain made without one */
    struct vcpu *vcpu = opaque;
    uint64_t arg = args[1];

    switch ((uint32_t)args[0]) {
    case XENVER_version:
        return XEN_MAJOR << 16 | XEN_MINOR; /* (arg) is not looked at */
    case XENVER_extraversion:
        return give_text(vcpu, arg, ".0-paravane", XEN_EXTRAVERSION_LEN);
    case XENVER_compile_info:
        return compile_info(vcpu, arg);
    case XENVER_capabilities:
        return give_text(vcpu, arg, CAPABILITIES, XEN_CAPABILITIES_INFO_LEN);
    case XENVER_changeset:
        return give_text(vcpu, arg, "unavailable", XEN_CHANGESET_INFO_LEN);
    case XENVER_platform_parameters:
        return give(vcpu, arg, &platform, sizeof platform);
    case XENVER_get_features:
        return get_features(vcpu, arg);
    case XENVER_pagesize:
        return arg ? -EINVAL : (long)PAGE_SIZE;
    case XENVER_guest_handle:
        return give(vcpu, arg, handle, sizeof handle);
    case XENVER_commandline:
        return give_text(vcpu, arg, "<denied>", sizeof(xen_commandline_t));
    case XENVER_build_id:
        return -EPERM;
    default:
        return -ENOSYS;
    }
}
