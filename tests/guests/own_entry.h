/*
 * Entry points of an image's own beside the library's, for what the hypervisor
 * pushes and how it comes: each notes the frame and goes back by the iret
 * hypercall. As PV only.
 *
 * While they are in use nothing may be printed, which takes events by the
 * library's own entry: own_begin() and own_end() around them, promises behind.
 */
#ifndef TESTS_GUESTS_OWN_ENTRY_H
#define TESTS_GUESTS_OWN_ENTRY_H

#include <pvguest/guest.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <hypercall/calls.h>

/* Runs on top of code that does not expect it. */
#define ON_TOP __attribute__((target("general-regs-only"), used))

/* What was pushed, upwards; (extra) is an error code, or DS, ES, FS, GS. */
struct own_note {
    const char *entry;
    uint64_t rcx, r11, extra[4];
    uint64_t rip, cs, rflags, rsp, ss;
    uint64_t at;        /* RSP at the entry */
    uint64_t rflags_in; /* RFLAGS there */
    uint8_t mask_in;    /* evtchn_upcall_mask there */
};

#define OWN_NOTES 16
static struct own_note own_notes[OWN_NOTES];
static volatile unsigned own_nr;

/* What to do at the next entries, ON_TOP; may change the frame (rip on). */
static void (*own_hook)(struct own_note *note, uint64_t *rip);

/* The library's, see pvguest/pv. */
extern char pv_upcall[], pv_failsafe[];
extern const struct trap_info pv_trap_table[];

static inline struct vcpu_info *own_vcpu(void)
{
    return &guest_shared_info->vcpu_info[0];
}

/* Called by the entries below. */
ON_TOP static void own_note_frame(const char *entry, uint64_t *frame,
                                  unsigned nr_extra, uint64_t rflags)
{
    struct own_note *note = &own_notes[own_nr % OWN_NOTES];
    uint64_t *rip = frame + 2 + nr_extra;

    own_nr++;
    note->entry = entry;
    note->rcx = frame[0];
    note->r11 = frame[1];
    for (unsigned i = 0; i < nr_extra; i++)
        note->extra[i] = frame[2 + i];
    note->rip = rip[0];
    note->cs = rip[1];
    note->rflags = rip[2];
    note->rsp = rip[3];
    note->ss = rip[4];
    note->at = (uintptr_t)frame;
    note->rflags_in = rflags;
    note->mask_in = own_vcpu()->evtchn_upcall_mask;
    if (own_hook)
        own_hook(note, rip);
}

/* An entry (name) whose frame has (nr) words between R11 and RIP. */
#define OWN_ENTRY(name, nr)                              \
    extern char(name)[];                                 \
    __asm__(".text\n"                                    \
            ".type " #name ", @function\n" #name ":\n\t" \
            "push %rax\n\t"                              \
            "pushfq\n\t"                                 \
            "push %rdx\n\tpush %rsi\n\t"                 \
            "push %rdi\n\tpush %r8\n\t"                  \
            "push %r9\n\tpush %r10\n\t"                  \
            "cld\n\t"                                    \
            "mov $" #name ", %rdi\n\t"                   \
            "lea 64(%rsp), %rsi\n\t"                     \
            "mov $" #nr ", %edx\n\t"                     \
            "mov 48(%rsp), %rcx\n\t"                     \
            "call own_note_frame\n\t"                    \
            "pop %r10\n\tpop %r9\n\t"                    \
            "pop %r8\n\tpop %rdi\n\t"                    \
            "pop %rsi\n\tpop %rdx\n\t"                   \
            "popfq\n\tpop %rax\n\t"                      \
            "pop %rcx\n\tpop %r11\n\t"                   \
            "lea 8*" #nr "(%rsp), %rsp\n\t"              \
            "push $0\n\t"                                \
            "jmp hypercall_page + 23*32\n"               \
            ".size " #name ", . - " #name "\n")

/* Nothing from outside; what comes meanwhile waits. */
static xen_ulong_t own_masks[64];

static inline void own_begin(void)
{
    for (unsigned i = 0; i < 64; i++)
        own_masks[i] = __atomic_exchange_n(&guest_shared_info->evtchn_mask[i],
                                           ~0ul, __ATOMIC_SEQ_CST);
    own_vcpu()->evtchn_upcall_pending = 0;
    own_nr = 0;
    own_hook = NULL;
    memset(own_notes, 0, sizeof own_notes);
}

/* The library's entries again, and all events that it missed. */
static inline void own_end(void)
{
    own_vcpu()->evtchn_upcall_mask = 1;
    hypercall_set_callbacks((uintptr_t)pv_upcall, (uintptr_t)pv_failsafe, 0);
    hypercall_set_trap_table(pv_trap_table);
    for (unsigned i = 0; i < 64; i++)
        __atomic_store_n(&guest_shared_info->evtchn_mask[i], own_masks[i],
                         __ATOMIC_SEQ_CST);
    __atomic_store_n(&own_vcpu()->evtchn_pending_sel, ~0ul, __ATOMIC_SEQ_CST);
    __atomic_store_n(&own_vcpu()->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST);
}

/* Was the entry number (i) by (entry)? */
static inline bool own_was(unsigned i, const char *entry)
{
    return own_nr > i && own_notes[i].entry == entry;
}

/* The upcall mask as the frame has it, above CS. */
static inline unsigned own_saved_mask(const struct own_note *note)
{
    return note->cs >> 32 & 0xff;
}

static inline long own_register(unsigned type, const char *entry,
                                unsigned flags)
{
    const struct callback_register op = {.type = (uint16_t)type,
                                         .flags = (uint16_t)flags,
                                         .address = (uintptr_t)entry};

    return hypercall_callback_op(CALLBACKOP_register, &op);
}

#endif
