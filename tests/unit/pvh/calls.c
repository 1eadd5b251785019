/* Hypercalls of a PVH domain that differ from those of PV. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <xen/features.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#include "host/pvh/physmap.h"
#include "tests/harness/fake_domain.h"

/* Paging is off: addresses are physical. */
#define ADDRESS(page_nr) ((uint64_t)(page_nr) << PAGE_SHIFT)

#define LIST_PAGE (FREE_PAGE + 1)
#define OWN_PAGE  (FREE_PAGE + 2) /* the test's to give away */
#define GFN       0x80000u        /* beyond RAM */

static void *at(unsigned page_nr)
{
    return dom->mem.base + ADDRESS(page_nr);
}

static void create(void)
{
    fake_create();
    dom->abi = ABI_PVH;
    dom->mem.physmap = calloc(1, sizeof *dom->mem.physmap);
    cr_assert_not_null(dom->mem.physmap);
    physmap_init(dom->mem.physmap, RAM_PAGES);
    for (unsigned i = 0; i < RAM_PAGES; i++)
        dom->mem.frames[i].uses = 0; /* there are no tables of PV's */
}

TestSuite(pvh_calls, .init = create, .fini = fake_destroy);

static long ask(unsigned nr, uint64_t cmd, const void *op, size_t size)
{
    memcpy(at(ARGS_PAGE), op, size);
    return call(nr, cmd, ADDRESS(ARGS_PAGE));
}

static long add(unsigned space, uint64_t idx, uint64_t gfn)
{
    const struct xen_add_to_physmap op = {
        .domid = DOMID_SELF, .space = space, .idx = idx, .gpfn = gfn};

    return ask(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &op, sizeof op);
}

static long take_away(uint64_t gfn)
{
    const struct xen_remove_from_physmap op = {.domid = DOMID_SELF,
                                               .gpfn = gfn};

    return ask(__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, &op,
               sizeof op);
}

/* populate or decrease one extent at (gfn). */
static long change(unsigned cmd, uint64_t gfn, unsigned order)
{
    struct xen_memory_reservation op = {
        .nr_extents = 1, .extent_order = order, .domid = DOMID_SELF};

    *(uint64_t *)at(LIST_PAGE) = gfn;
    op.extent_start.p = (void *)ADDRESS(LIST_PAGE);
    return ask(__HYPERVISOR_memory_op, cmd, &op, sizeof op);
}

Test(pvh_calls, shared_info_is_placed_over_ram_which_is_given_back)
{
    cr_expect_eq(add(XENMAPSPACE_shared_info, 0, OWN_PAGE), 0);
    cr_expect_eq(memory_frame(&dom->mem, OWN_PAGE), (void *)dom->shared);
    cr_expect_eq(dom->mem.nr_ram, RAM_PAGES - 1);
    cr_expect_eq(add(XENMAPSPACE_shared_info, 0, GFN), 0);
    cr_expect_null(memory_frame(&dom->mem, OWN_PAGE));
    cr_expect_eq(take_away(OWN_PAGE), -ENOENT);
    cr_expect_eq(change(XENMEM_populate_physmap, OWN_PAGE, 0), 1);
    cr_expect_eq(memory_frame(&dom->mem, OWN_PAGE), at(OWN_PAGE));
    cr_expect_eq(dom->mem.nr_ram, RAM_PAGES);
}

Test(pvh_calls, the_grant_table_grows_by_being_placed)
{
    cr_expect_eq(add(XENMAPSPACE_grant_table, 3, GFN), 0);
    cr_expect_eq(dom->grants.nr_frames, 4);
    cr_expect_eq(memory_frame(&dom->mem, GFN), (void *)dom->grants.frames[3]);
    cr_expect_eq(add(XENMAPSPACE_grant_table, GRANT_MAX_FRAMES, GFN), -EINVAL);
    cr_expect_eq(add(XENMAPSPACE_grant_table, 0x80000000u, GFN), -EINVAL,
                 "there is version 1");
}

Test(pvh_calls, what_cannot_be_placed_is_refused)
{
    struct xen_add_to_physmap op = {.domid = DOMID_SELF};

    cr_expect_eq(add(XENMAPSPACE_shared_info, 1, GFN), -EINVAL);
    cr_expect_eq(add(XENMAPSPACE_shared_info, 0, UINT64_MAX), -EINVAL);
    cr_expect_eq(add(XENMAPSPACE_gmfn_foreign, 0, GFN), -ENOSYS);
    cr_expect_eq(add(77, 0, GFN), -EINVAL);
    op.domid = BACKEND_ID;
    cr_expect_eq(
        ask(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &op, sizeof op),
        -EACCES);
    op.domid = 77;
    cr_expect_eq(
        ask(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &op, sizeof op),
        -ESRCH);
    cr_expect_eq(
        call(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, ADDRESS(RAM_PAGES)),
        -EFAULT);
}

Test(pvh_calls, a_batch_says_of_each_how_it_went)
{
    struct xen_add_to_physmap_batch op = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .size = 3};
    uint64_t *idxs = at(LIST_PAGE), *gfns = idxs + 3;
    int *errs = (int *)(gfns + 3);

    op.idxs.p = (void *)ADDRESS(LIST_PAGE);
    op.gpfns.p = (void *)(ADDRESS(LIST_PAGE) + 3 * sizeof *idxs);
    op.errs.p = (void *)(ADDRESS(LIST_PAGE) + 6 * sizeof *idxs);
    idxs[0] = 0;
    idxs[1] = GRANT_MAX_FRAMES;
    idxs[2] = 1;
    gfns[0] = GFN;
    gfns[1] = GFN + 1;
    gfns[2] = GFN + 2;
    cr_expect_eq(ask(__HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, &op,
                     sizeof op),
                 0);
    cr_expect_eq(errs[0], 0);
    cr_expect_eq(errs[1], -EINVAL);
    cr_expect_eq(errs[2], 0);
    cr_expect_eq(memory_frame(&dom->mem, GFN + 2),
                 (void *)dom->grants.frames[1]);
    op.errs.p = (void *)ADDRESS(RAM_PAGES);
    cr_expect_eq(ask(__HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, &op,
                     sizeof op),
                 -EFAULT);
}

Test(pvh_calls, reservations_speak_of_gfns_and_have_large_extents)
{
    const unsigned block = 64;

    cr_expect_eq(change(XENMEM_decrease_reservation, block, 3), 1);
    cr_expect_null(memory_frame(&dom->mem, block + 7));
    cr_expect_not_null(memory_frame(&dom->mem, block + 8));
    cr_expect_eq(change(XENMEM_decrease_reservation, block, 0), 0);
    cr_expect_eq(change(XENMEM_populate_physmap, block + 4, 3), 0,
                 "a part of it is there: nothing is done");
    cr_expect_null(memory_frame(&dom->mem, block + 4));
    cr_expect_eq(change(XENMEM_populate_physmap, block, 3), 1);
    cr_expect_eq(dom->mem.nr_ram, RAM_PAGES);
    cr_expect_eq(change(XENMEM_populate_physmap, GFN, 0), 0);
    cr_expect_eq(take_away(block), 0);
    cr_expect_eq(dom->mem.nr_ram, RAM_PAGES - 1);
}

/* A page that a backend reads is gone for the guest, not yet for the host. */
Test(pvh_calls, a_borrowed_page_leaves_when_it_is_returned)
{
    struct frame *frame = memory_record(&dom->mem, OWN_PAGE);
    struct xen_memory_domain op = {.domid = DOMID_SELF};

    frame->refs = 1;
    cr_expect_eq(change(XENMEM_decrease_reservation, OWN_PAGE, 0), 1);
    cr_expect_null(memory_frame(&dom->mem, OWN_PAGE));
    cr_expect_eq(frame->state, FRAME_RAM);
    cr_expect_eq(change(XENMEM_populate_physmap, OWN_PAGE, 0), 0);
    frame->refs = 0;
    cr_expect_eq(
        ask(__HYPERVISOR_memory_op, XENMEM_current_reservation, &op, sizeof op),
        RAM_PAGES - 1);
    cr_expect_eq(change(XENMEM_populate_physmap, OWN_PAGE, 0), 1);
}

Test(pvh_calls, parameters_are_the_guests_or_the_builders)
{
    struct xen_hvm_param op = {.domid = DOMID_SELF};
    struct xen_hvm_param *got = at(ARGS_PAGE);
    const struct {
        uint32_t index;
        long get, set;
    } expected[] = {
        {HVM_PARAM_CALLBACK_IRQ, 0, 0},
        {HVM_PARAM_STORE_PFN, 0, -EPERM},
        {HVM_PARAM_STORE_EVTCHN, 0, 0},
        {HVM_PARAM_CONSOLE_PFN, 0, -EPERM},
        {HVM_PARAM_IOREQ_PFN, -EPERM, -EPERM},
        {HVM_PARAM_ALTP2M, 0, -EPERM},
        {4, -EINVAL, -EINVAL}, /* deprecated */
        {HVM_NR_PARAMS, -EINVAL, -EINVAL},
        {UINT32_MAX, -EINVAL, -EINVAL},
    };

    for (unsigned i = 0; i < sizeof expected / sizeof *expected; i++) {
        op.index = expected[i].index;
        cr_expect_eq(ask(__HYPERVISOR_hvm_op, HVMOP_get_param, &op, sizeof op),
                     expected[i].get, "%u", op.index);
        cr_expect_eq(ask(__HYPERVISOR_hvm_op, HVMOP_set_param, &op, sizeof op),
                     expected[i].set, "%u", op.index);
    }
    dom->hvm.params[HVM_PARAM_CONSOLE_PFN] = 0x1234;
    op.index = HVM_PARAM_CONSOLE_PFN;
    ask(__HYPERVISOR_hvm_op, HVMOP_get_param, &op, sizeof op);
    cr_expect_eq(got->value, 0x1234);
    op.domid = 77;
    cr_expect_eq(ask(__HYPERVISOR_hvm_op, HVMOP_get_param, &op, sizeof op),
                 -ESRCH);
    op.domid = BACKEND_ID;
    cr_expect_eq(ask(__HYPERVISOR_hvm_op, HVMOP_set_param, &op, sizeof op),
                 -EINVAL);
    cr_expect_eq(call(__HYPERVISOR_hvm_op, HVMOP_get_param, ADDRESS(RAM_PAGES)),
                 -EFAULT);
    cr_expect_eq(call(__HYPERVISOR_hvm_op, 77, ADDRESS(ARGS_PAGE)), -ENOSYS);
}

static void set_callback(uint64_t value)
{
    const struct xen_hvm_param op = {
        .domid = DOMID_SELF, .index = HVM_PARAM_CALLBACK_IRQ, .value = value};

    cr_expect_eq(ask(__HYPERVISOR_hvm_op, HVMOP_set_param, &op, sizeof op), 0);
}

Test(pvh_calls, a_callback_of_another_kind_leaves_the_vector)
{
    set_callback(UINT64_C(2) << 56 | 0xf3);
    cr_expect_eq(dom->hvm.callback_vector, 0xf3);
    set_callback(1); /* a line that is not there: what Linux sets beside */
    cr_expect_eq(dom->hvm.callback_vector, 0xf3);
    set_callback(UINT64_C(1) << 56 | 0x1800);
    cr_expect_eq(dom->hvm.callback_vector, 0xf3);
}

Test(pvh_calls, a_vector_of_the_vcpus_own_is_told_of_what_is_pending)
{
    struct xen_hvm_evtchn_upcall_vector op = {.vcpu = 0, .vector = 0x0f};

    cr_expect_eq(ask(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &op,
                     sizeof op),
                 -EINVAL);
    op.vector = 0x31;
    op.vcpu = 1;
    cr_expect_eq(ask(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &op,
                     sizeof op),
                 -ENOENT);
    op.vcpu = 0;
    vcpu->info->evtchn_upcall_pending = 1;
    cr_expect_eq(ask(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &op,
                     sizeof op),
                 0);
    cr_expect_eq(vcpu->upcall_vector, 0x31);
    cr_expect(vcpu->upcall_raised);
}

Test(pvh_calls, the_upcall_mask_is_not_looked_at)
{
    vcpu->info->evtchn_upcall_mask = 1;
    cr_expect_not(vcpu_event_deliverable(vcpu));
    vcpu->info->evtchn_upcall_pending = 1;
    cr_expect(vcpu_event_deliverable(vcpu));
    vcpu->upcall_vector = 0x31;
    cr_expect_not(vcpu_event_deliverable(vcpu), "that was told already");
    vcpu->upcall_raised = true;
    cr_expect(vcpu_event_deliverable(vcpu));
}

Test(pvh_calls, what_is_told_of_memory_and_features_is_pvh)
{
    struct xen_feature_info info = {.submap_idx = 0}, *got = at(ARGS_PAGE);
    struct xen_machphys_mapping mapping = {0};
    struct xen_memory_exchange exchange = {.nr_exchanged = 0};

    cr_expect_eq(
        ask(__HYPERVISOR_xen_version, XENVER_get_features, &info, sizeof info),
        0);
    cr_expect_eq(got->submap, 1u << XENFEAT_writable_page_tables |
                                  1u << XENFEAT_auto_translated_physmap |
                                  1u << XENFEAT_hvm_callback_vector |
                                  1u << XENFEAT_hvm_safe_pvclock |
                                  1u << XENFEAT_memory_op_vnode_supported |
                                  1u << XENFEAT_not_direct_mapped);
    cr_expect_eq(ask(__HYPERVISOR_memory_op, XENMEM_machphys_mapping, &mapping,
                     sizeof mapping),
                 -ENOSYS);
    cr_expect_eq(ask(__HYPERVISOR_memory_op, XENMEM_exchange, &exchange,
                     sizeof exchange),
                 0);
    cr_expect_eq(call(__HYPERVISOR_vm_assist, VMASST_CMD_enable,
                      VMASST_TYPE_runstate_update_flag),
                 0);
    cr_expect_eq(call(__HYPERVISOR_vm_assist, VMASST_CMD_enable,
                      VMASST_TYPE_writable_pagetables),
                 -EINVAL);
}

Test(pvh_calls, those_of_ring_3_are_not_there)
{
    const unsigned calls[] = {
        __HYPERVISOR_set_trap_table, __HYPERVISOR_mmu_update,
        __HYPERVISOR_set_gdt,        __HYPERVISOR_stack_switch,
        __HYPERVISOR_iret,           __HYPERVISOR_mmuext_op,
        __HYPERVISOR_callback_op,    __HYPERVISOR_set_segment_base,
        __HYPERVISOR_physdev_op,     __HYPERVISOR_update_va_mapping};

    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
        cr_expect_eq(call(calls[i], 0), -ENOSYS, "%u", calls[i]);
    cr_expect_eq(call(__HYPERVISOR_sched_op, SCHEDOP_yield), 0);
}

static bool had_to_wake;

static void see_whether_it_wakes(struct vcpu *sleeper)
{
    had_to_wake = vcpu_has_to_wake(sleeper);
}

/* For (port), until a moment that is still to come. */
static long poll_for(evtchn_port_t port)
{
    struct sched_poll op = {.nr_ports = 1, .timeout = fake_now + 5000};

    memcpy(at(LIST_PAGE), &port, sizeof port);
    op.ports.p = (evtchn_port_t *)ADDRESS(LIST_PAGE);
    return ask(__HYPERVISOR_sched_op, SCHEDOP_poll, &op, sizeof op);
}

Test(pvh_calls, an_upcall_ends_no_poll_with_interrupts_off)
{
    evtchn_port_t port;

    cr_assert_eq(port_alloc(dom, PORT_IPI, &port), 0);
    vcpu->info->evtchn_upcall_pending = 1;
    cr_expect_eq(poll_for(port), 0);
    cr_expect_eq(account.sleeps, 0, "it can be taken");

    vcpu->interrupts_off = true;
    had_to_wake = true;
    while_asleep = see_whether_it_wakes;
    cr_expect_eq(poll_for(port), 0);
    cr_expect_eq(account.sleeps, 1);
    cr_expect_not(had_to_wake, "it was there before");
    cr_expect(vcpu_has_to_wake(vcpu), "other sleeps it ends");

    while_asleep = NULL;
    vcpu->info->evtchn_upcall_pending = 0;
    cr_expect_eq(poll_for(port), 0);
    cr_expect_eq(account.sleeps, 2);
    vcpu->info->evtchn_upcall_pending = 1;
    cr_expect(vcpu_has_to_wake(vcpu), "and a new one any");
    port_close(dom, port);
}
