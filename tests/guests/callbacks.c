/*
 * Callbacks: which can be registered and which not, what each is given, and how
 * events, NMIs and exceptions nest on one stack with their masks. As PV only.
 */
#include "verdict.h"

#include <errno.h>

#include "own_entry.h"

#include <xen/nmi.h>

#define NOT_CANONICAL 0x800000000000ul

#define RFLAGS_IF 0x200ul
#define RFLAGS_DF 0x400ul
#define RFLAGS_NT 0x4000ul
#define RFLAGS_AC 0x40000ul

#define KERNEL_CS 0xe030ul /* in a frame: RPL 0 for the kernel */

#define MASKS_EVENTS  4
#define INT_FROM(dpl) (dpl)

OWN_ENTRY(on_event, 0);
OWN_ENTRY(on_other_event, 0);
OWN_ENTRY(on_nmi, 0);
OWN_ENTRY(on_trap, 0);
OWN_ENTRY(on_error, 1);

static void open_mask(void)
{
    own_vcpu()->evtchn_upcall_mask = 0;
    hypercall_version();
}

static void close_mask(void)
{
    own_vcpu()->evtchn_upcall_mask = 1;
}

ON_TOP static void take_event(struct own_note *note, uint64_t *rip)
{
    (void)note;
    (void)rip;
    own_vcpu()->evtchn_upcall_pending = 0;
}

static long unregister(unsigned type)
{
    const struct callback_unregister op = {.type = (uint16_t)type};

    return hypercall_callback_op(CALLBACKOP_unregister, &op);
}

static void registering(void)
{
    struct callback_register nowhere = {.type = CALLBACKTYPE_event,
                                        .address = NOT_CANONICAL};
    const unsigned stay[] = {CALLBACKTYPE_event, CALLBACKTYPE_failsafe,
                             CALLBACKTYPE_syscall, CALLBACKTYPE_syscall32,
                             CALLBACKTYPE_sysenter};
    const struct xennmi_callback nmi = {.handler_address =
                                            (uintptr_t)pv_failsafe};
    bool all = true, none = true;

    for (unsigned i = 0; i < sizeof stay / sizeof *stay; i++)
        all &= own_register(stay[i],
                            stay[i] == CALLBACKTYPE_event ? pv_upcall
                                                          : pv_failsafe,
                            0) == 0;
    promise(all, "callbacks of each type are registered");
    for (unsigned i = 0; i < sizeof stay / sizeof *stay; i++)
        none &= unregister(stay[i]) == -EINVAL;
    promise(none, "and stay so");
    promise(own_register(CALLBACKTYPE_nmi, pv_failsafe, 0) == 0 &&
                unregister(CALLBACKTYPE_nmi) == 0 &&
                unregister(CALLBACKTYPE_nmi) == 0,
            "but that for NMIs, which may go");
    promise(
        HYPERCALL_2(__HYPERVISOR_nmi_op, XENNMI_register_callback, &nmi) == 0 &&
            HYPERCALL_2(__HYPERVISOR_nmi_op, XENNMI_unregister_callback, 0) ==
                0 &&
            HYPERCALL_2(__HYPERVISOR_nmi_op, 2, 0) == -ENOSYS,
        "for that there is another call");
    promise(own_register(3, pv_failsafe, 0) == -ENOSYS &&
                own_register(8, pv_failsafe, 0) == -ENOSYS &&
                unregister(6) == -ENOSYS && unregister(8) == -ENOSYS,
            "there are no other types");
    promise(hypercall_callback_op(CALLBACKOP_register, &nowhere) == -EINVAL,
            "an address that is none is refused");
    nowhere.type = 8;
    promise(hypercall_callback_op(CALLBACKOP_register, &nowhere) == -EINVAL,
            "before its type is looked at");
    promise(hypercall_callback_op(CALLBACKOP_register, (void *)16) == -EFAULT &&
                hypercall_callback_op(CALLBACKOP_unregister, (void *)16) ==
                    -EFAULT,
            "what cannot be read is a fault");
    promise(hypercall_callback_op(7, &nowhere) == -ENOSYS,
            "there is nothing else to do with them");
}

/* With a state that is easily recognised, open the mask. */
static uint64_t come_in(uint64_t *resumed)
{
    uint64_t sp;

    __asm__ volatile("mov %%rsp, %[sp]\n\t"
                     "movb $0, (%[mask])\n\t"
                     "xor %%edi, %%edi\n\t"
                     "xor %%esi, %%esi\n\t"
                     "mov $17, %%eax\n\t" /* xen_version */
                     "pushf\n\t"
                     "orq $0x40400, (%%rsp)\n\t" /* AC and DF */
                     "popf\n\t"
                     "syscall\n"
                     "1:\n\t"
                     "cld\n\t"
                     "pushf\n\t"
                     "andq $~0x40000, (%%rsp)\n\t"
                     "popf\n\t"
                     "lea 1b(%%rip), %[resumed]\n\t"
                     : [sp] "=&r"(sp), [resumed] "=&r"(*resumed)
                     : [mask] "r"(&own_vcpu()->evtchn_upcall_mask)
                     : "rax", "rcx", "r11", "rsi", "rdi", "memory", "cc");
    return sp;
}

static void an_event(void)
{
    const struct own_note *note = own_notes;
    uint64_t sp, rip;
    uint8_t mask_after;

    own_begin();
    own_register(CALLBACKTYPE_event, on_event, 0);
    own_hook = take_event;
    own_vcpu()->evtchn_upcall_pending = 1;
    hypercall_version();
    const unsigned while_masked = own_nr;
    sp = come_in(&rip);
    mask_after = own_vcpu()->evtchn_upcall_mask;
    close_mask();
    own_end();

    promise(while_masked == 0, "an event waits while upcalls are masked");
    promise(own_nr == 1 && own_was(0, on_event), "then it comes, once");
    promise(note->rip == rip && note->rsp == sp && note->ss == FLAT_KERNEL_SS,
            "its frame says what it interrupted");
    promise(note->cs == KERNEL_CS, "the kernel, with upcalls allowed");
    promise((note->rflags & (RFLAGS_IF | RFLAGS_AC | RFLAGS_DF)) ==
                (RFLAGS_IF | RFLAGS_AC | RFLAGS_DF),
            "and its flags, as they were");
    promise(note->at == (sp & ~15ul) - 56, "seven words on an aligned stack");
    promise(!(note->rflags_in & RFLAGS_AC) && (note->rflags_in & RFLAGS_DF),
            "AC is off in the callback, DF as it was");
    promise(note->mask_in == 1, "where upcalls are masked");
    promise(mask_after == 0, "and allowed again behind it");
}

static void set_callbacks(void)
{
    unsigned nr;

    own_begin();
    own_hook = take_event;
    own_register(CALLBACKTYPE_event, on_event, 0);
    const long rc =
        hypercall_set_callbacks(NOT_CANONICAL, NOT_CANONICAL, NOT_CANONICAL);
    own_vcpu()->evtchn_upcall_pending = 1;
    open_mask();
    close_mask();
    nr = own_nr;
    hypercall_set_callbacks((uintptr_t)on_other_event, (uintptr_t)pv_failsafe,
                            0);
    own_vcpu()->evtchn_upcall_pending = 1;
    open_mask();
    close_mask();
    own_end();
    promise(rc == 0 && nr == 1 && own_was(0, on_event),
            "set_callbacks leaves out what is no address");
    promise(own_nr == 2 && own_was(1, on_other_event), "and sets what is");
}

static long send_nmi(void)
{
    return hypercall_vcpu_op(VCPUOP_send_nmi, 0, NULL);
}

/* The first sends another, which waits. */
ON_TOP static void nmi_again(struct own_note *note, uint64_t *rip)
{
    (void)note;
    (void)rip;
    if (own_nr == 1) {
        send_nmi();
        hypercall_version();
    }
}

static void nmis(void)
{
    own_begin();
    send_nmi();
    own_register(CALLBACKTYPE_nmi, on_nmi, 0);
    hypercall_version();
    const unsigned without = own_nr;
    close_mask();
    const long rc = send_nmi();
    const unsigned masked = own_nr;
    const uint8_t mask_after = own_vcpu()->evtchn_upcall_mask;
    own_vcpu()->evtchn_upcall_mask = 0;
    own_hook = nmi_again;
    own_nr = 0;
    send_nmi();
    const unsigned twice = own_nr;
    const struct own_note first = own_notes[0], second = own_notes[1];
    const uint8_t mask_open = own_vcpu()->evtchn_upcall_mask;
    unregister(CALLBACKTYPE_nmi);
    close_mask();
    send_nmi();
    hypercall_version();
    const unsigned gone = own_nr;
    own_end();

    promise(without == 0, "an NMI that nobody takes is lost");
    promise(rc == 0 && masked == 1, "one comes when its call returns, whatever "
                                    "the mask");
    promise(mask_after == 1, "which is as it was, then");
    promise(twice == 2 && second.at == first.at,
            "a second one waits for the iret of the first");
    promise(own_saved_mask(&first) == 0 && first.mask_in == 1 && mask_open == 0,
            "upcalls are masked in between");
    promise(gone == 2, "without a callback none comes");
}

/* By the trap table: the same thing, but for the mask. */
static void nmis_by_the_table(void)
{
    const struct trap_info table[] = {{2, 0, FLAT_KERNEL_CS, (uintptr_t)on_nmi},
                                      {0, 0, 0, 0}};

    own_begin();
    hypercall_set_trap_table(table);
    own_vcpu()->evtchn_upcall_mask = 0;
    send_nmi();
    close_mask();
    unregister(CALLBACKTYPE_nmi);
    send_nmi();
    hypercall_version();
    own_end();
    promise(own_nr == 1 && own_was(0, on_nmi) && own_notes[0].mask_in == 0,
            "an NMI comes by the trap table, which decides on the mask");
}

static void set_trap(unsigned vector, unsigned flags, const char *entry)
{
    const struct trap_info table[] = {
        {(uint8_t)vector, (uint8_t)flags, FLAT_KERNEL_CS, (uintptr_t)entry},
        {0, 0, 0, 0}};

    hypercall_set_trap_table(table);
}

static void masks_of_traps(void)
{
    uint8_t mask_after;

    own_begin();
    own_vcpu()->evtchn_upcall_mask = 0;
    set_trap(3, 0, on_trap);
    __asm__ volatile("int3" ::: "memory");
    set_trap(3, MASKS_EVENTS, on_trap);
    __asm__ volatile("int3" ::: "memory");
    mask_after = own_vcpu()->evtchn_upcall_mask;
    close_mask();
    __asm__ volatile("int3" ::: "memory");
    const uint8_t mask_closed = own_vcpu()->evtchn_upcall_mask;
    own_end();

    promise(own_nr == 3 && own_notes[0].mask_in == 0 &&
                own_notes[1].mask_in == 1,
            "a trap masks events if the table says so");
    promise(own_saved_mask(&own_notes[1]) == 0 &&
                own_saved_mask(&own_notes[2]) == 1,
            "the mask of before is above the frame's CS");
    promise((own_notes[1].rflags & RFLAGS_IF) &&
                !(own_notes[2].rflags & RFLAGS_IF),
            "and in its RFLAGS.IF");
    promise(mask_after == 0 && mask_closed == 1, "which iret brings back");
}

/* As the handler of a trap runs, an event becomes pending. */
ON_TOP static void event_in_trap(struct own_note *note, uint64_t *rip)
{
    if (note->entry == on_event) {
        take_event(note, rip);
    } else {
        own_vcpu()->evtchn_upcall_pending = 1;
        hypercall_version();
    }
}

static void nesting(void)
{
    unsigned with_mask, without;
    struct own_note first[2], then[2];

    own_begin();
    own_register(CALLBACKTYPE_event, on_event, 0);
    own_hook = event_in_trap;
    own_vcpu()->evtchn_upcall_mask = 0;
    set_trap(3, MASKS_EVENTS, on_trap);
    __asm__ volatile("int3" ::: "memory");
    with_mask = own_nr;
    memcpy(first, own_notes, sizeof first);
    own_nr = 0;
    set_trap(3, 0, on_trap);
    __asm__ volatile("int3" ::: "memory");
    without = own_nr;
    memcpy(then, own_notes, sizeof then);
    close_mask();
    own_end();

    promise(with_mask == 2 && first[1].entry == on_event &&
                first[1].rip == first[0].rip && first[1].rsp == first[0].rsp,
            "an event in a trap that masks comes when that returns");
    promise(without == 2 && then[1].entry == on_event &&
                then[1].rsp < then[0].at,
            "one in a trap that does not, on top of it");
}

/* A trap while an event is pending behind a closed mask that iret opens. */
static void event_before_handler(void)
{
    own_begin();
    own_register(CALLBACKTYPE_event, on_event, 0);
    own_hook = take_event;
    set_trap(3, 0, on_trap);
    own_vcpu()->evtchn_upcall_pending = 1;
    own_vcpu()->evtchn_upcall_mask = 0;
    /* pending and allowed, and no call is made: the trap is a crossing too */
    __asm__ volatile("int3" ::: "memory");
    close_mask();
    own_end();
    promise(own_nr == 2 && own_was(0, on_event) && own_was(1, on_trap) &&
                own_notes[0].rip == (uintptr_t)on_trap,
            "an event that is due at a trap comes before its handler");
}

/* iret says which mask comes back, whatever the frame's CS says. */
ON_TOP static void close_by_iret(struct own_note *note, uint64_t *rip)
{
    (void)note;
    rip[2] &= ~RFLAGS_IF;
}

static void iret_decides(void)
{
    uint8_t mask_after;

    own_begin();
    set_trap(3, MASKS_EVENTS, on_trap);
    own_hook = close_by_iret;
    own_vcpu()->evtchn_upcall_mask = 0;
    __asm__ volatile("int3" ::: "memory");
    mask_after = own_vcpu()->evtchn_upcall_mask;
    close_mask();
    own_end();
    promise(own_nr == 1 && mask_after == 1,
            "iret takes the mask from RFLAGS.IF");
}

/*
 * QEMU's TCG counts gates of long mode by 16 bytes, so that Xen on it takes an
 * INT for one of twice the vector: the one means the other here.
 */
static void set_int(unsigned vector, unsigned flags, const char *entry)
{
    set_trap(vector, flags, entry);
    set_trap(2 * vector, flags, entry);
}

/* Goes on behind an INT that was refused. */
ON_TOP static void skip_int(struct own_note *note, uint64_t *rip)
{
    if (note->entry == on_error)
        rip[0] += 2;
}

static void levels(void)
{
    struct own_note none, one, three, refused;
    unsigned nr_none, nr_one, nr_masked;

    own_begin();
    own_hook = skip_int;
    set_trap(13, 0, on_error);
    set_int(0x45, INT_FROM(0), on_trap);
    __asm__ volatile("int $0x45" ::: "memory");
    nr_none = own_nr;
    none = own_notes[0];
    own_nr = 0;
    set_int(0x45, INT_FROM(1), on_trap);
    own_vcpu()->evtchn_upcall_mask = 0;
    __asm__ volatile("int $0x45" ::: "memory");
    nr_one = own_nr;
    one = own_notes[0];
    set_int(0x45, INT_FROM(3) | MASKS_EVENTS, on_trap);
    own_nr = 0;
    __asm__ volatile("int $0x45" ::: "memory");
    nr_masked = own_nr;
    three = own_notes[0];
    close_mask();
    own_nr = 0;
    __asm__ volatile("int $0x46" ::: "memory");
    refused = own_notes[0];
    own_end();

    promise(nr_none == 1 && none.entry == on_error,
            "a gate without a level is closed to the kernel");
    promise(nr_one == 1 && one.entry == on_trap && one.mask_in == 0,
            "one of level 1 is open");
    promise(nr_masked == 1 && three.entry == on_trap && three.mask_in == 1,
            "one of level 3 as well, and may mask events");
    promise(refused.entry == on_error, "one that is not set is closed");
}

int main(void)
{
    registering();
    an_event();
    set_callbacks();
    nmis();
    nmis_by_the_table();
    masks_of_traps();
    nesting();
    event_before_handler();
    iret_decides();
    levels();
    return verdict();
}
