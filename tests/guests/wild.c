/*
 * A guest that does to itself, one at a time, what no guest should: it jumps
 * to nowhere, runs out of stack, sets odd flags, breaks its own tables. The
 * image says what it is about to do, and "survived" where that is possible;
 * what the host made of it is looked at by tests/system/hostile.py.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>

#include <hypercall/calls.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/trap.h>

/* Where the hypercall stubs jump to. */
static uint64_t shim(void)
{
    uint64_t entry;

    memcpy(&entry, hypercall_page + 16, sizeof entry);
    return entry;
}

/* An address by name, or a number, or an offset into the shim (shim+7). */
static uint64_t place(const char *name)
{
    if (strncmp(name, "shim", 4) == 0)
        return shim() + (uint64_t)strtoll(name + 4, NULL, 0);
    if (strcmp(name, "shared") == 0)
        return (uint64_t)guest_shared_info;
    if (strcmp(name, "tables") == 0)
        return guest_start_info->pt_base;
    if (strcmp(name, "code") == 0)
        return (uint64_t)place & ~0xfffull;
    if (strcmp(name, "stack") == 0)
        return (uint64_t)__builtin_frame_address(0) & ~0xfffull;
    if (strcmp(name, "page") == 0)
        return (uint64_t)page_alloc_zeroed(1);
    return strtoull(name, NULL, 0);
}

static void jump(const char *to)
{
    __asm__ volatile("jmp *%0" : : "r"(place(to)) : "memory");
}

static void call(const char *to)
{
    __asm__ volatile("call *%0" : : "r"(place(to)) : "memory", "cc");
}

static void load(const char *from)
{
    printf("%u\n", *(volatile const uint8_t *)place(from));
}

static void store(const char *to)
{
    *(volatile uint8_t *)place(to) = 1;
}

/* Make a hypercall, or the null call, on a stack at (where). */
static void call_on_stack(const char *where)
{
    __asm__ volatile("mov %%rsp, %%rbx\n\t"
                     "mov %0, %%rsp\n\t"
                     "lea 1f(%%rip), %%rcx\n\t"
                     "mov $2, %%edi\n\t"
                     "xor %%esi, %%esi\n\t"
                     "jmp hypercall_page + 32 * 17\n\t"
                     "1: mov %%rbx, %%rsp"
                     :
                     : "r"(place(where))
                     : "rax", "rbx", "rcx", "rdi", "rsi", "memory", "cc");
}

/* Have a trap, or an interruption, on a stack at (where). */
static void trap_on_stack(const char *where)
{
    __asm__ volatile("mov %0, %%rsp\n\tud2" : : "r"(place(where)) : "memory");
}

static void spin_on_stack(const char *where)
{
    __asm__ volatile("mov %0, %%rsp\n\t"
                     "mov $300000000, %%ecx\n\t"
                     "1: dec %%ecx\n\t"
                     "jnz 1b\n\t"
                     "ud2"
                     :
                     : "r"(place(where))
                     : "rcx", "memory");
}

static void syscall_on_stack(const char *where)
{
    __asm__ volatile("mov %0, %%rsp\n\t"
                     "mov $17, %%eax\n\t"
                     "xor %%edi, %%edi\n\t"
                     "syscall\n\t"
                     "ud2"
                     :
                     : "r"(place(where))
                     : "rax", "rdi", "rcx", "r11", "memory");
}

static int recurse(volatile char *outer)
{
    volatile char frame[512];

    frame[0] = *outer;
    return frame[0] ? recurse(frame) + frame[0] : 0;
}

static void overflow(const char *unused)
{
    volatile char start = 1;

    (void)unused;
    printf("%d\n", recurse(&start));
}

/* The handler of page faults, or of invalid opcodes, is (where). */
static void handler(const char *where)
{
    const struct trap_info table[] = {{14, 0, FLAT_KERNEL_CS, place(where)},
                                      {6, 0, FLAT_KERNEL_CS, place(where)},
                                      {0, 0, 0, 0}};

    printf("set_trap_table: %ld\n", hypercall_set_trap_table(table));
    fflush(stdout);
    __asm__ volatile("ud2");
}

static void callback(const char *where)
{
    printf("set_callbacks: %ld\n",
           hypercall_set_callbacks(place(where), place(where), place(where)));
    fflush(stdout);
    guest_shared_info->vcpu_info[0].evtchn_upcall_pending = 1;
    guest_shared_info->vcpu_info[0].evtchn_upcall_mask = 0;
    hypercall_version();
    load("0"); /* in case nothing came */
}

/* Return by the iret hypercall to (where), as code and as stack. */
static void iret_to(const char *where)
{
    const uint64_t to = place(where);
    uint64_t frame[] = {0,     to, FLAT_KERNEL_CS & ~3ul,
                        0x202, to, FLAT_KERNEL_SS};

    __asm__ volatile("mov %0, %%rsp\n\t"
                     "jmp hypercall_page + 32 * 23"
                     :
                     : "r"(frame)
                     : "memory");
}

static void iret_with(const char *number)
{
    const uint64_t value = place(number);
    uint64_t frame[] = {value, value, value, value, value, value};

    __asm__ volatile("mov %0, %%rsp\n\t"
                     "jmp hypercall_page + 32 * 23"
                     :
                     : "r"(frame)
                     : "memory");
}

static void iret_from(const char *where)
{
    __asm__ volatile("mov %0, %%rsp\n\t"
                     "jmp hypercall_page + 32 * 23"
                     :
                     : "r"(place(where))
                     : "memory");
}

static void survived(void)
{
    printf("survived\n");
    fflush(stdout);
}

static bool step_over(struct trap_frame *frame)
{
    frame->rip += 2; /* ud2 */
    return true;
}

static bool go_on(struct trap_frame *frame)
{
    (void)frame;
    return true;
}

/* Run (what) with (flag) set in RFLAGS. */
#define WITH_FLAG(flag, what)                                                \
    __asm__ volatile("pushfq\n\torq %0, (%%rsp)\n\tpopfq\n\t" what           \
                     "\n\tpushfq\n\tandq %1, (%%rsp)\n\tpopfq\n\tcld"        \
                     :                                                       \
                     : "r"(flag), "r"(~(flag))                               \
                     : "rax", "rcx", "rdx", "rdi", "rsi", "r8", "r9", "r10", \
                       "r11", "memory", "cc")

static void flags(const char *which)
{
    const uint64_t flag = strtoull(which, NULL, 0);
    uint32_t features = 0;

    trap_handle(1, go_on);
    trap_handle(6, step_over);
    WITH_FLAG(flag, "nop");
    WITH_FLAG(flag, "xor %%edi, %%edi\n\tcall hypercall_page + 32 * 17");
    WITH_FLAG(flag, "mov $1, %%edi\n\txor %%esi, %%esi\n\t"
                    "call hypercall_page + 32 * 17");
    WITH_FLAG(flag, "xor %%edi, %%edi\n\tmov $17, %%eax\n\tsyscall");
    WITH_FLAG(flag, "ud2");
    if (!(flag & 0x100)) /* which a trap for each instruction makes endless */
        WITH_FLAG(flag, "mov $60000000, %%ecx\n\t1: dec %%ecx\n\tjnz 1b");
    hypercall_features(&features);
    survived();
}

/* Every exception of the FPU unmasked, one of the x87's pending. */
static void fpu(const char *unused)
{
    const uint32_t mxcsr = 0;
    const uint16_t control = 0x0340;

    (void)unused;
    __asm__ volatile("ldmxcsr %0\n\t"
                     "fldcw %1\n\t"
                     "fldz\n\t"
                     "fld1\n\t"
                     "fdivrp %%st, %%st(1)"
                     :
                     : "m"(mxcsr), "m"(control)
                     : "memory");
    for (int i = 0; i < 100; i++) {
        hypercall_version();
        hypercall_sched_op(SCHEDOP_yield, NULL);
    }
    __asm__ volatile("fninit");
    survived();
}

static void base(const char *value)
{
    long rc[2];

    for (unsigned which = 1; which < 3; which++)
        rc[which - 1] = hypercall_set_segment_base(which, place(value));
    printf("set_segment_base: %ld %ld\n", rc[0], rc[1]);
    hypercall_sched_op(SCHEDOP_yield, NULL);
    survived();
}

/* FS without the host's help, and then one of its services. */
static void own_base(const char *value)
{
    uint64_t old, features = 0;

    __asm__ volatile("rdfsbase %0" : "=r"(old));
    __asm__ volatile("wrfsbase %0\n\t" : : "r"(place(value)) : "memory");
    for (int i = 0; i < 1000; i++)
        hypercall_xen_version(XENVER_get_features, &features);
    __asm__ volatile("wrfsbase %0\n\t" : : "r"(old) : "memory");
    survived();
}

static void unmap(const char *where)
{
    const uint64_t va = place(where);
    long rc = hypercall_update_va_mapping(va, 0, UVMF_INVLPG);

    if (rc)
        printf("update_va_mapping: %ld\n", rc);
    else
        load(where);
    survived();
}

/* All of its address space, from the end, itself among it. */
static void unmap_all(const char *unused)
{
    const uint64_t end = (guest_start_info->nr_pages + 16384) << PAGE_SHIFT;

    (void)unused;
    for (uint64_t va = end; va; va -= PAGE_SIZE)
        hypercall_update_va_mapping(va - PAGE_SIZE, 0, UVMF_INVLPG);
    survived();
}

/* Clear the entries of every table, top first or last. */
static void clear_tables(const char *order)
{
    const unsigned long nr = guest_start_info->nr_pt_frames;
    long rc = 0;

    for (unsigned long i = 0; i < nr * 512; i++) {
        const unsigned long at = *order == 't' ? i : nr * 512 - 1 - i;
        const uint64_t *entry = (uint64_t *)guest_start_info->pt_base + at;
        struct mmu_update update = {.ptr = (page_mfn(entry) << PAGE_SHIFT) +
                                           at % 512 * 8};

        rc |= hypercall_mmu_update(&update, 1, NULL, DOMID_SELF);
    }
    printf("mmu_update: %ld\n", rc);
    survived();
}

static void table_op(const char *what)
{
    const unsigned cmd = (unsigned)strtoul(what, NULL, 0);
    uint64_t frames[] = {0,
                         page_mfn(page_alloc_zeroed(1)),
                         page_mfn((void *)guest_start_info->pt_base),
                         guest_start_info->console.domU.mfn,
                         guest_start_info->shared_info >> PAGE_SHIFT,
                         UINT64_MAX,
                         UINT64_MAX >> PAGE_SHIFT,
                         1ull << 40};

    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        struct mmuext_op op = {.cmd = cmd, .arg1.mfn = frames[i]};

        printf("%lx: %ld\n", frames[i],
               hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF));
    }
    survived();
}

/* Return every page of the domain, those in use too. */
static void balloon(const char *extent)
{
    const xen_pfn_t *list = (const xen_pfn_t *)guest_start_info->mfn_list;
    unsigned long nr = guest_start_info->nr_pages;
    unsigned long given = 0;

    for (unsigned long i = nr; i-- > 0;) {
        xen_pfn_t mfn = list[i];
        struct xen_memory_reservation op = {.nr_extents = 1,
                                            .extent_order =
                                                (unsigned)atoi(extent),
                                            .domid = DOMID_SELF};

        set_xen_guest_handle(op.extent_start, &mfn);
        given += hypercall_memory_op(XENMEM_decrease_reservation, &op) == 1;
    }
    printf("gave %lu of %lu\n", given, nr);
    survived();
}

/* More of everything until nobody has any. */
static void exhaust(const char *what)
{
    unsigned long nr = 0;

    if (strcmp(what, "memory") == 0)
        for (size_t size = 1 << 20; size > 16; size /= 2)
            while (malloc(size))
                nr++;
    if (strcmp(what, "pages") == 0)
        while (page_alloc_zeroed(1))
            nr++;
    if (strcmp(what, "ports") == 0) {
        evtchn_port_t port;

        while (hypercall_evtchn_alloc_unbound(0, &port) == 0)
            nr++;
    }
    if (strcmp(what, "reservation") == 0) {
        xen_pfn_t pfn = guest_start_info->nr_pages;
        struct xen_memory_reservation op = {.nr_extents = 1,
                                            .domid = DOMID_SELF};

        set_xen_guest_handle(op.extent_start, &pfn);
        while (nr < 1u << 20 &&
               hypercall_memory_op(XENMEM_populate_physmap, &op) == 1)
            nr++;
    }
    guest_print("%s: %lu\n", what, nr);
    guest_print("survived\n");
    guest_shutdown(SHUTDOWN_poweroff);
}

/* Each page another mapping than its neighbours: more than a process has. */
static void many_mappings(const char *number)
{
    const uint64_t nr = strtoull(number, NULL, 0);
    uint8_t *pages = page_alloc(nr);
    unsigned wrong = 0;

    if (!pages)
        return;
    for (uint64_t i = 0; i < nr; i++) {
        uint64_t *page = (uint64_t *)(pages + i * PAGE_SIZE);

        *page = i;
        if (i % 2)
            wrong += hypercall_update_va_mapping(
                         (uintptr_t)page, page_mfn(page) << PAGE_SHIFT | 0x61,
                         UVMF_INVLPG) != 0;
    }
    for (uint64_t i = 0; i < nr; i++)
        wrong += *(uint64_t *)(pages + i * PAGE_SIZE) != i;
    for (uint64_t i = 0; i < nr; i += 2)
        *(uint64_t *)(pages + i * PAGE_SIZE) = 0;
    printf("wrong: %u\n", wrong);
    survived();
}

static bool skip_store(struct trap_frame *frame)
{
    frame->rip += 5; /* and the jump behind it */
    return true;
}

static bool try_to_store(uint64_t va, uint64_t value)
{
    uint64_t stored = 1;

    __asm__ volatile("mov %1, (%2)\n\t"
                     "jmp 1f\n\t"
                     "xor %0, %0\n"
                     "1:"
                     : "+r"(stored)
                     : "c"(value), "a"(va)
                     : "memory", "cc");
    return stored;
}

static uint64_t random_state;

static uint64_t some_number(void)
{
    random_state = random_state * 6364136223846793005ul + 1442695040888963407ul;
    return random_state >> 24;
}

/* Where the shim's data begin: the first page behind its code to take it. */
static uint64_t find_data(void)
{
    uint64_t va = shim() & ~0xfffull, end = va + (16 << 20);
    volatile uint64_t *word;

    for (; va < end; va += PAGE_SIZE) {
        word = (volatile uint64_t *)(va + 8 * 17);
        if (try_to_store((uint64_t)word, 0))
            return va;
    }
    return 0;
}

/*
 * Overwrite words of the shim's data, and then need it: what the host prints
 * may be anything, but it has to end.
 */
static void damage(const char *seed)
{
    static const char *const ends[] = {"shim", "shim+64", "0", "code"};
    const uint64_t values[] = {0, 1, UINT64_MAX, 0x41414141, shim(), 0};
    char place_name[32];
    uint64_t data, nr;

    random_state = strtoull(seed, NULL, 0) * 0x9e3779b97f4a7c15ul + 1;
    trap_handle(14, skip_store);
    trap_handle(13, skip_store);
    data = find_data();
    nr = 1ul << some_number() % 12;
    for (uint64_t i = 0; data && i < nr; i++) {
        uint64_t value = values[some_number() % 6];

        if (some_number() % 4 == 0)
            value = some_number();
        try_to_store(data + some_number() % (64 << 10) / 8 * 8, value);
    }
    trap_handle(14, NULL);
    trap_handle(13, NULL);
    switch (some_number() % 4) {
    case 0:
        jump(ends[some_number() % 4]);
        break;
    case 1:
        trap_on_stack("0");
        break;
    case 2:
        snprintf(place_name, sizeof place_name, "shim+%lu",
                 some_number() % (1 << 20));
        jump(place_name);
        break;
    default:
        survived();
        jump("0");
    }
}

static const struct {
    const char *name;
    void (*run)(const char *arg);
} ways[] = {
    {"jump", jump},
    {"call", call},
    {"load", load},
    {"store", store},
    {"call-on-stack", call_on_stack},
    {"trap-on-stack", trap_on_stack},
    {"spin-on-stack", spin_on_stack},
    {"syscall-on-stack", syscall_on_stack},
    {"overflow", overflow},
    {"handler", handler},
    {"callback", callback},
    {"iret-to", iret_to},
    {"iret-with", iret_with},
    {"iret-from", iret_from},
    {"flags", flags},
    {"fpu", fpu},
    {"base", base},
    {"own-base", own_base},
    {"unmap", unmap},
    {"unmap-all", unmap_all},
    {"clear-tables", clear_tables},
    {"table-op", table_op},
    {"balloon", balloon},
    {"exhaust", exhaust},
    {"many-mappings", many_mappings},
    {"damage", damage},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 2 && i < sizeof ways / sizeof *ways; i++) {
        if (strcmp(argv[1], ways[i].name) != 0)
            continue;
        printf("%s %s\n", argv[1], argv[2]);
        fflush(stdout);
        ways[i].run(argv[2]);
        return 0;
    }
    printf("no such way\n");
    return 99;
}
