/* Which hypercalls this host serves; all others are -ENOSYS. */
#include <stdint.h>

#include <xen/xen.h>

#include <xen/arch-x86/xen-mca.h>

#include "host/calls/calls.h"

const struct hypercall_handlers call_handlers = {
    .fn =
        {
            [__HYPERVISOR_set_trap_table] = call_set_trap_table,
            [__HYPERVISOR_mmu_update] = call_mmu_update,
            [__HYPERVISOR_set_gdt] = call_set_gdt,
            [__HYPERVISOR_set_callbacks] = call_set_callbacks,
            [__HYPERVISOR_stack_switch] = call_stack_switch,
            [__HYPERVISOR_fpu_taskswitch] = call_fpu_taskswitch,
            [__HYPERVISOR_sched_op_compat] = call_sched_op_compat,
            [__HYPERVISOR_platform_op] = call_platform_op,
            [__HYPERVISOR_set_debugreg] = call_set_debugreg,
            [__HYPERVISOR_get_debugreg] = call_get_debugreg,
            [__HYPERVISOR_update_descriptor] = call_update_descriptor,
            [__HYPERVISOR_memory_op] = call_memory_op,
            [__HYPERVISOR_multicall] = call_multicall,
            [__HYPERVISOR_update_va_mapping] = call_update_va_mapping,
            [__HYPERVISOR_set_timer_op] = call_set_timer_op,
            [__HYPERVISOR_event_channel_op_compat] =
                call_event_channel_op_compat,
            [__HYPERVISOR_xen_version] = call_xen_version,
            [__HYPERVISOR_console_io] = call_console_io,
            [__HYPERVISOR_grant_table_op] = call_grant_table_op,
            [__HYPERVISOR_vm_assist] = call_vm_assist,
            [__HYPERVISOR_update_va_mapping_otherdomain] =
                call_update_va_mapping_otherdomain,
            [__HYPERVISOR_iret] = call_iret,
            [__HYPERVISOR_vcpu_op] = call_vcpu_op,
            [__HYPERVISOR_set_segment_base] = call_set_segment_base,
            [__HYPERVISOR_mmuext_op] = call_mmuext_op,
            [__HYPERVISOR_sched_op] = call_sched_op,
            [__HYPERVISOR_nmi_op] = call_nmi_op,
            [__HYPERVISOR_callback_op] = call_callback_op,
            [__HYPERVISOR_event_channel_op] = call_event_channel_op,
            [__HYPERVISOR_physdev_op] = call_physdev_op,
            [__HYPERVISOR_hvm_op] = call_hvm_op,
            [__HYPERVISOR_sysctl] = call_sysctl,
            [__HYPERVISOR_domctl] = call_domctl,
            [__HYPERVISOR_kexec_op] = call_privileged,
            [__HYPERVISOR_xenpmu_op] = call_xenpmu_op,
            [__HYPERVISOR_dm_op] = call_dm_op,
            [__HYPERVISOR_hypfs_op] = call_privileged,
            [__HYPERVISOR_mca] = call_privileged,
            [__HYPERVISOR_arch_1] = call_paging_domctl_cont,
        },
};

/* What is about rings, frames and tables of ring 3 is not for ring 0. */
const struct hypercall_handlers call_handlers_pvh = {
    .fn =
        {
            [__HYPERVISOR_platform_op] = call_platform_op,
            [__HYPERVISOR_memory_op] = call_memory_op,
            [__HYPERVISOR_multicall] = call_multicall,
            [__HYPERVISOR_set_timer_op] = call_set_timer_op,
            [__HYPERVISOR_xen_version] = call_xen_version,
            [__HYPERVISOR_console_io] = call_console_io,
            [__HYPERVISOR_grant_table_op] = call_grant_table_op,
            [__HYPERVISOR_vm_assist] = call_vm_assist,
            [__HYPERVISOR_vcpu_op] = call_vcpu_op,
            [__HYPERVISOR_sched_op] = call_sched_op,
            [__HYPERVISOR_event_channel_op] = call_event_channel_op,
            [__HYPERVISOR_hvm_op] = call_hvm_op,
            [__HYPERVISOR_sysctl] = call_sysctl,
            [__HYPERVISOR_domctl] = call_domctl,
            [__HYPERVISOR_xenpmu_op] = call_xenpmu_op,
            [__HYPERVISOR_dm_op] = call_dm_op,
            [__HYPERVISOR_hypfs_op] = call_privileged,
            [__HYPERVISOR_arch_1] = call_paging_domctl_cont,
        },
};
