/* hvm_op and physdev_op. */
#include "cases.h"

#include <pvguest/guest.h>

#include <string.h>

#include <hypercall/calls.h>
#include <xen/hvm/params.h>

static long call(int op, void *arg)
{
    return hypercall_hvm_op(op, arg);
}

/* Those of which 0 does no harm: a TSS that is too small ends the domain. */
static bool is_safe_to_set(uint32_t index)
{
    return index != HVM_PARAM_CALLBACK_IRQ && index != HVM_PARAM_STORE_EVTCHN &&
           index != HVM_PARAM_CONSOLE_EVTCHN &&
           index != HVM_PARAM_VM86_TSS_SIZED;
}

static void params(void)
{
    struct xen_hvm_param good = {.domid = DOMID_SELF,
                                 .index = HVM_PARAM_X87_FIP_WIDTH},
                         op;
    static const uint64_t widths[] = {0, 1, 4, 8, 16};

    about("hvm_op get_param");
    AT_WRONG_PLACES("request", good, call(HVMOP_get_param, at));
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        op = good;
        op.domid = whom[i].id;
        say(call(HVMOP_get_param, &op), "of %s", whom[i].name);
    }
    for (uint32_t index = 0; index < HVM_NR_PARAMS + 2; index++) {
        op = (struct xen_hvm_param){.domid = DOMID_SELF, .index = index};
        say(call(HVMOP_get_param, &op), "parameter %u", index);
    }
    op.index = UINT32_MAX;
    say(call(HVMOP_get_param, &op), "parameter -1");

    about("hvm_op set_param");
    AT_WRONG_PLACES("request", good, call(HVMOP_set_param, at));
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        op = good;
        op.domid = whom[i].id;
        say(call(HVMOP_set_param, &op), "of %s", whom[i].name);
    }
    for (uint32_t index = 0; index < HVM_NR_PARAMS + 2; index++) {
        if (!is_safe_to_set(index))
            continue;
        op = (struct xen_hvm_param){.domid = DOMID_SELF, .index = index};
        say(call(HVMOP_set_param, &op), "parameter %u", index);
    }
    for (size_t i = 0; i < NUMBER_OF(widths); i++) {
        op = good;
        op.value = widths[i];
        say(call(HVMOP_set_param, &op), "an FIP width of %u",
            (unsigned)widths[i]);
    }
    op = good;
    op.value = 0;
    say(call(HVMOP_set_param, &op), "the FIP width as it was");
}

static void vectors(void)
{
    struct xen_hvm_evtchn_upcall_vector bad = {.vector = 1}, op;
    static const uint8_t vectors_[] = {0, 1, 15};
    static const uint32_t vcpus[] = {1, 128, UINT32_MAX};

    about("hvm_op set_evtchn_upcall_vector");
    AT_WRONG_PLACES("request", bad, call(HVMOP_set_evtchn_upcall_vector, at));
    for (size_t i = 0; i < NUMBER_OF(vectors_); i++) {
        op = (struct xen_hvm_evtchn_upcall_vector){.vector = vectors_[i]};
        say(call(HVMOP_set_evtchn_upcall_vector, &op), "vector %u",
            vectors_[i]);
    }
    for (size_t i = 0; i < NUMBER_OF(vcpus); i++) {
        op = (struct xen_hvm_evtchn_upcall_vector){.vector = 0x40,
                                                   .vcpu = vcpus[i]};
        say(call(HVMOP_set_evtchn_upcall_vector, &op), "vCPU %d",
            (int)vcpus[i]);
    }
}

static void hvm_others(void)
{
    static uint64_t zeros[64];

    about("hvm_op");
    for (int op = HVMOP_get_param + 1; op < 32; op++) {
        if (op == HVMOP_set_evtchn_upcall_vector)
            continue;
        memset(zeros, 0, sizeof zeros);
        say(call(op, op == HVMOP_flush_tlbs ? NULL : zeros), "operation %d",
            op);
        if (op != HVMOP_flush_tlbs)
            say(call(op, NULL), "operation %d of nothing", op);
    }
    say(call(HVMOP_flush_tlbs, zeros), "flush_tlbs with an argument");
    say(call(255, zeros), "operation 255");
    say(call(-1, zeros), "operation -1");
}

static long physdev(int op, void *arg)
{
    return hypercall_physdev_op(op, arg);
}

static void devices(void)
{
    static uint64_t zeros[64];
    struct physdev_set_iopl iopl;
    struct physdev_set_iobitmap bitmap;
    static const uint32_t iopls[] = {1, 4, UINT32_MAX, 0};
    static const uint32_t ports[] = {65537, UINT32_MAX, 65536, 1, 0};

    about("physdev_op");
    for (int op = 0; op < 34; op++) {
        if (op == PHYSDEVOP_set_iopl || op == PHYSDEVOP_set_iobitmap)
            continue;
        memset(zeros, 0, sizeof zeros);
        if (op != PHYSDEVOP_restore_msi && op != PHYSDEVOP_restore_msi_ext)
            say(physdev(op, zeros), "operation %d", op); /* of 00:00.0 */
        say(physdev(op, NULL), "operation %d of nothing", op);
        memset(zeros, 0xff, sizeof zeros);
        say(physdev(op, zeros), "operation %d of ones", op);
    }
    say(physdev(-1, zeros), "operation -1");
    about("physdev_op set_iopl");
    iopl = (struct physdev_set_iopl){0};
    AT_WRONG_PLACES("request", iopl, physdev(PHYSDEVOP_set_iopl, at));
    for (size_t i = 0; i < NUMBER_OF(iopls); i++) {
        iopl.iopl = iopls[i];
        say(physdev(PHYSDEVOP_set_iopl, &iopl), "%d", (int)iopls[i]);
    }
    about("physdev_op set_iobitmap");
    bitmap = (struct physdev_set_iobitmap){0};
    AT_WRONG_PLACES("request", bitmap, physdev(PHYSDEVOP_set_iobitmap, at));
    for (enum place place = 0; place < NR_PLACES; place++) {
        set_xen_guest_handle(bitmap.bitmap, put(place, zeros, 64));
        bitmap.nr_ports = 512;
        say(physdev(PHYSDEVOP_set_iobitmap, &bitmap), "a bitmap %s",
            place_names[place]);
    }
    for (size_t i = 0; i < NUMBER_OF(ports); i++) {
        bitmap = (struct physdev_set_iobitmap){.nr_ports = ports[i]};
        say(physdev(PHYSDEVOP_set_iobitmap, &bitmap), "%d ports",
            (int)ports[i]);
    }
}

int main(void)
{
    cases_begin();
    params();
    vectors();
    hvm_others();
    devices();
    return 0;
}
