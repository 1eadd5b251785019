/*
 * A guest that gives the hypervisor nonsense to load: callbacks, stacks, bases,
 * tables, ports. It may be told no, get a fault, or end; tests/system looks
 * that nothing else happens. Each run does one thing, named by its argument.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <hypercall/calls.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/trap.h>

#define HOLE       0xffff800000000000ul
#define STUB       0xffff808000000000ul
#define STUB_STACK (STUB + 0x202000) /* its top, of vCPU 0 */
#define M2P        0xffff810000000000ul
#define WINDOW     0xffff818000000000ul
#define NOTHING    0x700000000000ul /* nothing is mapped there */
#define NO_PLACE   0x8000000000000000ul
#define TABLE      0x67ul
#define READ_ONLY  0x21ul

static void touch(uint64_t va)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): that is the idea */
    *(volatile uint64_t *)va = 1;
}

static void jump(uint64_t va)
{
    ((void (*)(void))va)();
}

static void read_m2p(void)
{
    printf("m2p: %lu\n", *(volatile uint64_t *)(M2P + 8 * 0x80));
}

/* Every page that the stub may have: the reads must all fault, or be data. */
static bool skip_fault(struct trap_frame *frame)
{
    frame->rip += 3;
    return true;
}

static void read_the_hole(void)
{
    uint64_t sum = 0, value;

    trap_handle(14, skip_fault);
    trap_handle(13, skip_fault);
    for (uint64_t slot = 0; slot < 16; slot++)
        for (uint64_t page = 0; page < 128; page++) {
            const uint64_t va = HOLE + (slot << 39) + (page << 12);

            value = 0;
            __asm__ volatile("mov (%%rax), %0" : "+c"(value) : "a"(va));
            sum += value;
            __asm__ volatile("mov %0, (%%rax)" ::"c"(value), "a"(va));
        }
    printf("sum: %lu\n", sum);
}

static void bad_callback(uint64_t va)
{
    hypercall_set_callbacks(va, va, va);
    guest_shared_info->vcpu_info[0].evtchn_upcall_pending = 1;
    guest_shared_info->vcpu_info[0].evtchn_upcall_mask = 0;
    HYPERCALL_2(__HYPERVISOR_xen_version, 0, 0);
}

static void bad_stack(uint64_t rsp)
{
    __asm__ volatile("mov %0, %%rsp\n\tint3" ::"r"(rsp) : "memory");
}

static void bad_bases(void)
{
    const uint64_t values[] = {HOLE, STUB, WINDOW, NO_PLACE, ~0ul, 1};

    for (unsigned which = 0; which < 5; which++)
        for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
            if (which == SEGBASE_FS)
                continue; /* we live by it */
            hypercall_set_segment_base(which, values[i]);
            __asm__ volatile("nop");
        }
}

/* A CR3 without this code. */
static void empty_table(void)
{
    uint64_t *l4 = page_alloc_zeroed(1);
    const uint64_t mfn = page_mfn(l4);
    struct mmuext_op op = {.cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = mfn};

    hypercall_update_va_mapping((uintptr_t)l4, mfn << PAGE_SHIFT | READ_ONLY,
                                UVMF_INVLPG);
    HYPERCALL_4(__HYPERVISOR_mmuext_op, &op, 1, NULL, DOMID_SELF);
}

/* Our own L4 with entries in the hypervisor's slots, and a loop of tables. */
static void own_hole(void)
{
    uint64_t *l4 = page_alloc_zeroed(1);
    const uint64_t mfn = page_mfn(l4);
    struct mmuext_op op = {.cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = mfn};

    memcpy(l4, (void *)guest_start_info->pt_base, PAGE_SIZE);
    for (unsigned i = 256; i < 272; i++)
        l4[i] = l4[0];
    l4[300] = mfn << PAGE_SHIFT | TABLE;
    hypercall_update_va_mapping((uintptr_t)l4, mfn << PAGE_SHIFT | READ_ONLY,
                                UVMF_INVLPG);
    printf("loop: %ld\n",
           (long)HYPERCALL_4(__HYPERVISOR_mmuext_op, &op, 1, NULL, DOMID_SELF));
}

/* Rewrite as many entries as there is room for, and more, in one call. */
static void many_writes(void)
{
    static struct mmu_update updates[5000];
    uint64_t *page = page_alloc_zeroed(1);
    const uint64_t pte = page_mfn(page) << PAGE_SHIFT | 0x63;
    unsigned done = 0, nr = sizeof updates / sizeof *updates;
    uint64_t *l1 = NULL, *table = (uint64_t *)guest_start_info->pt_base;
    unsigned slot = (unsigned)((uintptr_t)page >> 12) % 512;

    for (unsigned i = 0; i < guest_start_info->nr_pt_frames; i++, table += 512)
        if ((table[slot] & 0x000ffffffffff000) == (pte & ~0xffful) && i > 2)
            l1 = table;
    for (unsigned i = 0; l1 && i < nr; i++) {
        updates[i].ptr = (page_mfn(l1) << PAGE_SHIFT) + slot * 8;
        updates[i].val = i % 2 ? pte : pte & ~2ul;
    }
    printf("writes: %ld\n",
           l1 ? (long)hypercall_mmu_update(updates, nr, &done, DOMID_SELF)
              : -1);
    *page = 7;
    printf("done: %u %lu\n", done, *page);
}

static void ports(void)
{
    trap_handle(13, NULL);
    __asm__ volatile("outb %%al, $0x7e" ::"a"(0xffffffff));
    printf("out: survived\n");
    __asm__ volatile("outb %%al, $0x80" ::"a"(0));
}

static void bare_system_call(void)
{
    __asm__ volatile("mov $0xffff808000207000, %%rbx\n\t"
                     "lea 1f(%%rip), %%rcx\n\t"
                     "mov $17, %%eax\n\t"
                     "xor %%edi, %%edi\n\t"
                     "jmp *%%rbx\n"
                     "1:" ::
                         : "rax", "rbx", "rcx", "rdi", "r11", "memory");
}

static void endless_faults(void)
{
    static struct trap_info traps[] = {{14, 0, FLAT_KERNEL_CS, NO_PLACE >> 20},
                                       {0, 0, 0, 0}};

    hypercall_set_trap_table(traps);
    touch(0);
}

static void single_steps(void)
{
    static unsigned nr_steps;

    (void)nr_steps;
    __asm__ volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\t"
                     "mov $17, %%eax\n\txor %%edi, %%edi\n\tsyscall\n\t"
                     "pushfq\n\tandl $~0x100, (%%rsp)\n\tpopfq" ::
                         : "rax", "rcx", "rdi", "r11", "memory", "cc");
}

static bool stop_stepping(struct trap_frame *frame)
{
    frame->rflags &= ~0x100ul;
    return true;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    setvbuf(stdout, NULL, _IONBF, 0);
    printf("nonsense: %s\n", what);
    if (!strcmp(what, "write-hole"))
        touch(HOLE);
    else if (!strcmp(what, "write-stub"))
        touch(STUB);
    else if (!strcmp(what, "write-m2p"))
        touch(M2P);
    else if (!strcmp(what, "write-window"))
        touch(WINDOW);
    else if (!strcmp(what, "jump-stub"))
        jump(STUB + 0x2000);
    else if (!strcmp(what, "jump-window"))
        jump(WINDOW + 0x80000);
    else if (!strcmp(what, "jump-nowhere"))
        jump(NO_PLACE);
    else if (!strcmp(what, "bare-system-call"))
        bare_system_call();
    else if (!strcmp(what, "read-m2p"))
        read_m2p();
    else if (!strcmp(what, "read-hole"))
        read_the_hole();
    else if (!strcmp(what, "callback-nowhere"))
        bad_callback(NOTHING);
    else if (!strcmp(what, "callback-stub"))
        bad_callback(STUB + 0x2000);
    else if (!strcmp(what, "stack-nowhere"))
        bad_stack(NO_PLACE);
    else if (!strcmp(what, "stack-stub"))
        bad_stack(STUB_STACK);
    else if (!strcmp(what, "stack-zero"))
        bad_stack(0);
    else if (!strcmp(what, "bases"))
        bad_bases();
    else if (!strcmp(what, "empty-table"))
        empty_table();
    else if (!strcmp(what, "own-hole"))
        own_hole();
    else if (!strcmp(what, "many-writes"))
        many_writes();
    else if (!strcmp(what, "ports"))
        ports();
    else if (!strcmp(what, "endless-faults"))
        endless_faults();
    else if (!strcmp(what, "single-steps"))
        trap_handle(1, stop_stepping), single_steps();
    else
        return 2;
    printf("survived\n");
    return 0;
}
