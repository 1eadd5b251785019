/*
 * Hypercalls by SYSCALL from a kernel in the upper half, as general systems
 * make them: each is answered as it is elsewhere, keeps all registers but those
 * that SYSCALL takes, and is made once, wherever an interrupt of the
 * hypervisor's falls. As PV only.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hypercall/calls.h>
#include <pvguest/clock.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>

#include "tables.h"

#include <xen/callback.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define SECONDS 2

#define PTE_PRESENT 0x001ul
#define PTE_RW      0x002ul
#define PTE_PWT     0x008ul
#define PTE_A       0x020ul
#define PTE_USER    0x004ul
#define PTE_NX      (1ul << 63)

#define RFLAGS_CF 0x001ul
#define RFLAGS_IF 0x200ul
#define RFLAGS_DF 0x400ul

#define NO_VCPU        8000
#define NOT_CANONICAL  0x800000000000ul
#define NO_FRAME       0xffffffffful
#define KERNEL_CS      0xe030ul
#define KERNEL_SS      0xe02bul
#define WHOLE_WORD     (~0ul)
#define CALLS_PER_TICK 50

static int broken_promises;

static bool promise(bool holds, const char *claim)
{
    guest_print("%s: %s\n", holds ? "ok" : "FAIL", claim);
    broken_promises += !holds;
    return holds;
}

/* In the order in which make_call loads and stores them. */
struct registers {
    uint64_t rax, rbx, rdx, rsi, rdi, r8, r9, r10, r12, r13, r14, r15, rflags;
};

void make_call(struct registers *r);

__asm__(".text\n"
        ".globl make_call\n"
        "make_call:\n"
        "  pushq %rbx; pushq %rbp; pushq %r12; pushq %r13; pushq %r14\n"
        "  pushq %r15\n"
        "  movq %rdi, %rbp\n"
        "  pushq 96(%rbp); popfq\n"
        "  movq 0(%rbp), %rax;  movq 8(%rbp), %rbx;  movq 16(%rbp), %rdx\n"
        "  movq 24(%rbp), %rsi; movq 32(%rbp), %rdi; movq 40(%rbp), %r8\n"
        "  movq 48(%rbp), %r9;  movq 56(%rbp), %r10; movq 64(%rbp), %r12\n"
        "  movq 72(%rbp), %r13; movq 80(%rbp), %r14; movq 88(%rbp), %r15\n"
        "  syscall\n"
        "  movq %rax, 0(%rbp);  movq %rbx, 8(%rbp);  movq %rdx, 16(%rbp)\n"
        "  movq %rsi, 24(%rbp); movq %rdi, 32(%rbp); movq %r8, 40(%rbp)\n"
        "  movq %r9, 48(%rbp);  movq %r10, 56(%rbp); movq %r12, 64(%rbp)\n"
        "  movq %r13, 72(%rbp); movq %r14, 80(%rbp); movq %r15, 88(%rbp)\n"
        "  pushfq; popq 96(%rbp)\n"
        "  cld\n"
        "  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbp; popq %rbx\n"
        "  ret\n");

static bool registers_lost;

/* Its result; what was changed that should not be is noted. */
static long call(unsigned nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    const uint64_t flags = RFLAGS_CF | RFLAGS_DF;
    const struct registers before = {.rax = nr,
                                     .rbx = 0xb0b0,
                                     .rdx = c,
                                     .rsi = b,
                                     .rdi = a,
                                     .r8 = 0x8080,
                                     .r9 = 0x9090,
                                     .r10 = d,
                                     .r12 = 0x1212,
                                     .r13 = 0x1313,
                                     .r14 = 0x1414,
                                     .r15 = 0x1515,
                                     .rflags = flags | RFLAGS_IF};
    struct registers r = before;

    make_call(&r);
    registers_lost |= r.rbx != before.rbx || r.rdx != c || r.rsi != b ||
                      r.rdi != a || r.r8 != before.r8 || r.r9 != before.r9 ||
                      r.r10 != d || r.r12 != before.r12 ||
                      r.r13 != before.r13 || r.r14 != before.r14 ||
                      r.r15 != before.r15 || (r.rflags & flags) != flags;
    return (long)r.rax;
}

static long update(uint64_t at, uint64_t entry)
{
    struct mmu_update req = {.ptr = at, .val = entry};

    return call(__HYPERVISOR_mmu_update, (uintptr_t)&req, 1, 0, DOMID_SELF);
}

/* The same in two steps, the first of which does nothing. */
static long update_twice(uint64_t at, uint64_t entry)
{
    struct mmu_update reqs[2] = {{.ptr = at, .val = 0},
                                 {.ptr = at, .val = entry}};

    return call(__HYPERVISOR_mmu_update, (uintptr_t)reqs, 2, 0, DOMID_SELF);
}

static uint64_t machine_address(const volatile void *p)
{
    return page_mfn((const void *)(uintptr_t)p) << PAGE_SHIFT |
           ((uintptr_t)p & (PAGE_SIZE - 1));
}

static void simple_calls(void)
{
    const long version = hypercall_xen_version(XENVER_version, NULL);

    promise(call(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0) == version,
            "the version is the one that others are told");
    promise(call(__HYPERVISOR_xen_version, XENVER_pagesize, 0, 0, 0) ==
                PAGE_SIZE,
            "and the page size");
    promise(call(__HYPERVISOR_vcpu_op, VCPUOP_is_up, 0, 0, 0) == 1,
            "this vCPU is up");
    promise(call(__HYPERVISOR_vcpu_op, VCPUOP_is_up, NO_VCPU, 0, 0) == -ENOENT,
            "one that is not there is not");
    promise(call(__HYPERVISOR_stack_switch, KERNEL_SS, (uintptr_t)&version, 0,
                 0) == 0,
            "a kernel stack can be named");
    promise(call(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER, 0x1234000, 0,
                 0) == 0,
            "a GS base of user mode can be set");
    promise(call(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER, NOT_CANONICAL,
                 0, 0) == -EINVAL,
            "but not to no address");
    promise(call(WHOLE_WORD >> 32, 0, 0, 0, 0) == -ENOSYS,
            "what is no call is none");
}

static void page_tables(void)
{
    volatile uint64_t *page = page_alloc_zeroed(1);
    volatile uint64_t *entry = page ? entry_of(page, 1) : NULL;
    const uint64_t shared = PTE_PRESENT | PTE_A | PTE_USER | PTE_NX;
    const uint64_t own = PTE_PRESENT | PTE_A | PTE_NX;
    uint64_t at, frame, made;

    if (!promise(entry, "a page has an entry that can be read"))
        return;
    *page = 4711;
    at = machine_address(entry);
    frame = page_mfn((const void *)(uintptr_t)page) << PAGE_SHIFT;
    hypercall_update_va_mapping((uintptr_t)page, 0, UVMF_INVLPG);

    promise(update(at, frame | shared) == 0 && *page == 4711,
            "an entry for a page to read can be written, and read by");
    made = *entry;
    promise(update_twice(at, frame | shared) == 0 && *entry == made,
            "it is the same that another way makes");
    hypercall_update_va_mapping((uintptr_t)page, 0, UVMF_INVLPG);
    promise(update(at, frame | own) == 0 && *page == 4711,
            "an entry of the kernel's own as well");
    made = *entry;
    promise(update_twice(at, frame | own) == 0 && *entry == made,
            "and it is the same, too");
    promise(update(at, 0) == 0 && *entry == 0, "it can go");
    promise(update(at, frame | shared | PTE_RW) == 0,
            "an entry for a page to write can be written");
    *page = 4713;
    promise(update(at, frame | shared) == 0 && *page == 4713,
            "in its place one to read");

    hypercall_update_va_mapping((uintptr_t)page, 0, UVMF_INVLPG);
    promise(update(at, frame | shared | PTE_PWT) == -EINVAL && *entry == 0,
            "bits that no entry has are refused");
    promise(update(at, NO_FRAME << PAGE_SHIFT | shared) < 0 && *entry == 0,
            "so is what is no frame");
    promise(update(at | 1, frame >> PAGE_SHIFT) < 0 || *entry == 0,
            "and what is no entry is not taken for one");
    promise(update(NO_FRAME << PAGE_SHIFT, frame | shared) < 0,
            "nor is a table where nothing is");
    promise(update(machine_address(entry_of(page, 2)), frame | shared) < 0,
            "a page full of numbers is no table");
    hypercall_update_va_mapping((uintptr_t)page, frame | shared | PTE_RW,
                                UVMF_INVLPG);
    promise(update(frame + 8, frame | shared) == 0 &&
                page[1] == (frame | shared),
            "in other pages an entry is a number");
    promise(call(__HYPERVISOR_mmu_update, 16, 1, 0, DOMID_SELF) == -EFAULT,
            "a request that is nowhere is a bad address");
}

extern const char on_event[], pv_upcall[];
uint64_t nr_events;

/* An event: nothing is done about it but to go back where it came from. */
__asm__(".text\n"
        "on_event:\n"
        "  incq nr_events(%rip)\n"
        "  movq guest_shared_info(%rip), %r11\n"
        "  movb $0, (%r11)\n" /* of the first vCPU, evtchn_upcall_pending */
        "  popq %rcx; popq %r11\n"
        "  pushq $0; pushq %rcx; pushq %r11; pushq %rax\n"
        "  movl $23, %eax\n"
        "  syscall\n");

static void set_handler(const char *handler)
{
    const struct callback_register op = {.type = CALLBACKTYPE_event,
                                         .address = (uintptr_t)handler};

    hypercall_callback_op(CALLBACKOP_register, &op);
}

static void take_events(void)
{
    set_handler(on_event);
}

/* The library takes events where it waits, and nothing was done about those
 * that came. */
static void leave_events(void)
{
    struct vcpu_info *info = &guest_shared_info->vcpu_info[0];

    __atomic_store_n(&info->evtchn_upcall_mask, 1, __ATOMIC_SEQ_CST);
    set_handler(pv_upcall);
    __atomic_store_n(&info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST);
}

/* What iret takes from the stack; RAX, R11 and RCX come out of it. */
static bool returns(bool masked)
{
    struct vcpu_info *info = &guest_shared_info->vcpu_info[0];
    uint64_t rax, rcx, r11;

    __asm__ volatile("movq %%rsp, %%rdx\n\t"
                     "pushq %[ss]\n\t"
                     "pushq %%rdx\n\t"
                     "pushq %[flags]\n\t"
                     "pushq %[cs]\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "pushq $0\n\t"
                     "pushq $0x77\n\t"
                     "pushq $0x1111\n\t"
                     "pushq $0x55\n\t"
                     "movl %[nr], %%eax\n\t"
                     "syscall\n"
                     "1: movq %%r11, %%rdx"
                     : "=&a"(rax), "=&c"(rcx), "=&d"(r11)
                     : [ss] "i"(KERNEL_SS), [cs] "i"(KERNEL_CS),
                       [flags] "r"(masked ? 2ul : 2ul | RFLAGS_IF),
                       [nr] "i"(__HYPERVISOR_iret)
                     : "r11", "memory", "cc");
    return rax == 0x55 && rcx == 0x77 && r11 == 0x1111 &&
           __atomic_load_n(&info->evtchn_upcall_mask, __ATOMIC_RELAXED) ==
               masked;
}

static void irets(void)
{
    bool all = true;

    take_events();
    for (unsigned i = 0; i < 100; i++)
        all &= returns(i % 2 == 0);
    all &= returns(true);
    leave_events();
    promise(all, "iret goes to the kernel itself, and says "
                 "whether events are allowed");
}

/* All of that while timers go off as densely as can be. */
static void in_the_rain(void)
{
    const long version = hypercall_xen_version(XENVER_version, NULL);
    const uint64_t end = clock_system_ns() + SECONDS * 1000000000ul;
    volatile uint64_t *page = page_alloc_zeroed(1);
    volatile uint64_t *entry = page ? entry_of(page, 1) : NULL;
    unsigned long calls = 0, wrong = 0;
    uint64_t at, frame;
    uint32_t seed = 1;

    if (!promise(entry, "another page has one"))
        return;
    at = machine_address(entry);
    frame = page_mfn((const void *)(uintptr_t)page) << PAGE_SHIFT;
    take_events();
    while (clock_system_ns() < end) {
        seed = seed * 1664525 + 1013904223; /* at no fixed place */
        hypercall_set_timer_op(clock_system_ns() + 2000 + seed % 8192);
        for (unsigned i = 0; i < CALLS_PER_TICK; i++, calls++) {
            wrong += call(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0) !=
                     version;
            wrong += call(__HYPERVISOR_vcpu_op, VCPUOP_is_up, NO_VCPU, 0, 0) !=
                     -ENOENT;
            wrong += !returns(i % 2 == 0);
        }
        returns(true);
        wrong += update(at, 0) != 0 || *entry != 0;
        wrong += update(at, frame | PTE_PRESENT | PTE_A) != 0 || *page != 0;
    }
    hypercall_set_timer_op(0);
    leave_events();
    promise(nr_events > 0, "events come");
    promise(calls > 0 && wrong == 0, "every call has its own answer, and iret "
                                     "goes where it should");
}

void guest_main(void)
{
    guest_start_drivers();
    simple_calls();
    page_tables();
    irets();
    in_the_rain();
    promise(!registers_lost, "no register is lost by a call");
    guest_print("verdict: %s\n", broken_promises ? "failure" : "success");
    guest_exit(broken_promises ? 1 : 0);
}
