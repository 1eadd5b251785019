/*
 * The smallest PVH guest that uses everything of the PVH ABI once: it finds
 * Xen's leaves and the hypercall page, prints by console_io and by its console
 * ring, places shared_info and a grant frame, and takes a timer event by the
 * callback vector, then one by the vCPU's own vector. No library of ours.
 *
 * Its argument names something else to do: see the end.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/arch-x86/hvm/start_info.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/io/console.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#include <xen/xen.h>

#define PAGE 4096u

#define VECTOR     0x40
#define OWN_VECTOR 0x51

/* Beyond RAM and below the hole: nothing is there before. */
#define SHARED_GFN 0x80000u
#define GRANT_GFN  0x80001u

#define NS_PER_MS UINT64_C(1000000)

void small_main(const struct hvm_start_info *start);
void small_upcall(void);

extern uint8_t hypercall_page[PAGE], upcall_entry[];

static volatile unsigned upcalls, timer_events;
static bool broken, by_ring;
static struct shared_info *shared;
static struct xencons_interface *console;
static evtchn_port_t console_port, timer_port;
static uint64_t idt[2 * 256];

static long call(unsigned nr, uint64_t a, uint64_t b, uint64_t c)
{
    const uint8_t *stub = hypercall_page + 32 * nr;
    long result;

    __asm__ volatile("call *%[stub]"
                     : "=a"(result), "+D"(a), "+S"(b), "+d"(c)
                     : [stub] "r"(stub)
                     : "rcx", "r8", "r9", "r10", "r11", "memory");
    return result;
}

static long call_at(unsigned nr, uint64_t cmd, void *arg)
{
    return call(nr, cmd, (uint64_t)arg, 0);
}

static void cpuid(uint32_t leaf, uint32_t out[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "0"(leaf), "2"(0));
}

static void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value), "d"(value >> 32)
                     : "memory");
}

static void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint32_t inl(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static size_t length(const char *text)
{
    size_t len = 0;

    while (text[len])
        len++;
    return len;
}

static bool same(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static bool same_start(const char *text, const char *start)
{
    while (*start && *text == *start) {
        text++;
        start++;
    }
    return !*start;
}

static void print_by_ring(const char *text, size_t len)
{
    struct evtchn_send send = {.port = console_port};

    for (size_t i = 0; i < len; i++) {
        const uint32_t at = console->out_prod % sizeof console->out;

        while (console->out_prod - console->out_cons == sizeof console->out)
            call_at(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send);
        console->out[at] = text[i];
        __atomic_store_n(&console->out_prod, console->out_prod + 1,
                         __ATOMIC_RELEASE);
    }
    call_at(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send);
}

static void print(const char *text)
{
    if (by_ring)
        print_by_ring(text, length(text));
    else
        call(__HYPERVISOR_console_io, CONSOLEIO_write, length(text),
             (uint64_t)text);
}

static void promise(bool holds, const char *what)
{
    print(holds ? "ok: " : "FAIL: ");
    print(what);
    print("\n");
    broken |= !holds;
}

static void power_off(void)
{
    struct sched_shutdown op = {.reason = SHUTDOWN_poweroff};

    call_at(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &op);
}

static bool find_hypercalls(void)
{
    uint32_t leaf[4];

    cpuid(1, leaf);
    if (!(leaf[2] >> 31))
        return false;
    cpuid(0x40000000, leaf);
    if (leaf[0] < 0x40000002 || leaf[1] != 0x566e6558 ||
        leaf[2] != 0x65584d4d || leaf[3] != 0x4d4d566e)
        return false;
    cpuid(0x40000002, leaf);
    wrmsr(leaf[1], (uint64_t)hypercall_page);
    return leaf[0] == 1;
}

static uint64_t get_param(uint32_t index)
{
    struct xen_hvm_param op = {.domid = DOMID_SELF, .index = index};

    return call_at(__HYPERVISOR_hvm_op, HVMOP_get_param, &op) ? 0 : op.value;
}

static long place(unsigned space, uint64_t idx, uint64_t gfn)
{
    struct xen_add_to_physmap op = {
        .domid = DOMID_SELF, .space = space, .idx = idx, .gpfn = gfn};

    return call_at(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &op);
}

static long take_away(uint64_t gfn)
{
    struct xen_remove_from_physmap op = {.domid = DOMID_SELF, .gpfn = gfn};

    return call_at(__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, &op);
}

static void find_console(void)
{
    console = (void *)(get_param(HVM_PARAM_CONSOLE_PFN) * PAGE);
    console_port = (evtchn_port_t)get_param(HVM_PARAM_CONSOLE_EVTCHN);
    promise(console && console_port && get_param(HVM_PARAM_STORE_PFN) &&
                get_param(HVM_PARAM_STORE_EVTCHN),
            "the parameters name console and store");
    by_ring = true;
    promise(true, "the console ring is served");
}

static void check_start(const struct hvm_start_info *start)
{
    const struct hvm_memmap_table_entry *map = (void *)start->memmap_paddr;

    promise(start->magic == XEN_HVM_START_MAGIC_VALUE && start->version == 1 &&
                start->flags == 0,
            "start_info is of version 1");
    promise(same_start((const char *)start->rsdp_paddr, "RSD PTR "),
            "and leads to ACPI tables");
    promise(start->memmap_entries > 0 && map[0].addr == 0 &&
                map[0].type == XEN_HVM_MEMMAP_TYPE_RAM &&
                map[0].size > (uint64_t)start,
            "the memory map begins with RAM");
}

static void check_features(void)
{
    struct xen_feature_info info = {.submap_idx = 0};

    promise(call(__HYPERVISOR_xen_version, XENVER_version, 0, 0) >> 16 == 4,
            "this is version 4");
    promise(call_at(__HYPERVISOR_xen_version, XENVER_get_features, &info) ==
                    0 &&
                (info.submap & 1u << XENFEAT_hvm_callback_vector) &&
                (info.submap & 1u << XENFEAT_auto_translated_physmap) &&
                (info.submap & 1u << XENFEAT_hvm_safe_pvclock),
            "the features are those of PVH");
    promise(call(__HYPERVISOR_mmu_update, 0, 0, 0) == -38 &&
                call(__HYPERVISOR_set_trap_table, 0, 0, 0) == -38,
            "calls of PV are not there");
}

/* A grant frame moves, shared_info hides RAM, and both can be taken away. */
static void check_physmap(void)
{
    static uint8_t page[PAGE] __attribute__((aligned(4096)));
    const uint64_t own = (uint64_t)page / PAGE;
    const volatile grant_entry_v1_t *grants = (void *)(GRANT_GFN * 4096ul);
    struct xen_memory_reservation back = {
        .nr_extents = 1, .domid = DOMID_SELF, .extent_start = {.p = NULL}};
    xen_pfn_t gfn = own;

    promise(place(XENMAPSPACE_grant_table, 0, GRANT_GFN) == 0,
            "a grant frame can be placed");
    /* Whether somebody has mapped it by now is told by the other flags. */
    promise((grants[GNTTAB_RESERVED_CONSOLE].flags & GTF_type_mask) ==
                    GTF_permit_access &&
                grants[GNTTAB_RESERVED_CONSOLE].frame ==
                    get_param(HVM_PARAM_CONSOLE_PFN),
            "and lends the console");
    page[0] = 1;
    promise(
        place(XENMAPSPACE_shared_info, 0, own) == 0 &&
            ((volatile struct shared_info *)page)->vcpu_info[0].time.version !=
                0,
        "shared_info can be placed over RAM");
    promise(place(XENMAPSPACE_shared_info, 0, SHARED_GFN) == 0 &&
                take_away(own) == -2,
            "and moved");
    back.extent_start.p = &gfn;
    promise(call_at(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &back) ==
                1,
            "RAM comes back");
    *(volatile uint8_t *)page = 2; /* with whatever is in it: often the old */
    promise(*(volatile uint8_t *)page == 2, "and can be used");
    promise(place(XENMAPSPACE_shared_info, 1, SHARED_GFN) == -22 &&
                place(XENMAPSPACE_gmfn_foreign, 0, SHARED_GFN) == -38,
            "what is not there cannot be placed");
    shared = (void *)(SHARED_GFN * 4096ul);
}

/* The registers of the local APIC. */
#define APIC_EOI 0xb0
#define APIC_SVR 0xf0
#define APIC_ISR 0x100

static bool by_apic;

static void apic_write(unsigned reg, uint32_t value)
{
    *(volatile uint32_t *)(0xfee00000ul + reg) = value;
}

static uint32_t apic_read(unsigned reg)
{
    return *(volatile uint32_t *)(0xfee00000ul + reg);
}

static void set_gate(unsigned vector)
{
    const uint64_t at = (uint64_t)upcall_entry;

    idt[2 * vector] = (at & 0xffff) | 8 << 16 | UINT64_C(0x8e00) << 32 |
                      (at & 0xffff0000) << 32;
    idt[2 * vector + 1] = at >> 32;
}

static void load_idt(void)
{
    const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = {sizeof idt - 1, (uint64_t)idt};

    set_gate(VECTOR);
    set_gate(OWN_VECTOR);
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

void small_upcall(void)
{
    struct vcpu_info *info = &shared->vcpu_info[0];
    uint64_t words;

    upcalls++;
    if (by_apic)
        apic_write(APIC_EOI, 0);
    info->evtchn_upcall_pending = 0;
    words = __atomic_exchange_n(&info->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < 64; i++) {
        uint64_t bits;

        if (!(words >> i & 1))
            continue;
        bits = __atomic_exchange_n(&shared->evtchn_pending[i], 0,
                                   __ATOMIC_SEQ_CST);
        if (i == timer_port / 64 && (bits >> timer_port % 64 & 1))
            timer_events++;
    }
}

static uint64_t now(void)
{
    const volatile struct vcpu_time_info *t = &shared->vcpu_info[0].time;
    uint64_t delta, time;
    uint32_t version, low, high;

    do {
        version = t->version;
        __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
        delta = ((uint64_t)high << 32 | low) - t->tsc_timestamp;
        delta =
            t->tsc_shift >= 0 ? delta << t->tsc_shift : delta >> -t->tsc_shift;
        time =
            t->system_time +
            (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
    } while (version & 1 || version != t->version);
    return time;
}

/* Until the next timer event: without a race, by STI and HLT. */
static void wait_for_timer(unsigned wanted)
{
    while (timer_events < wanted)
        __asm__ volatile("sti; hlt; cli" : : : "memory");
}

static void check_events(void)
{
    struct xen_hvm_param callback = {
        .domid = DOMID_SELF,
        .index = HVM_PARAM_CALLBACK_IRQ,
        .value = (uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | VECTOR};
    struct xen_hvm_evtchn_upcall_vector own = {.vcpu = 0, .vector = OWN_VECTOR};
    struct evtchn_bind_virq bind = {.virq = VIRQ_TIMER};
    uint64_t due;

    load_idt();
    promise(call_at(__HYPERVISOR_hvm_op, HVMOP_set_param, &callback) == 0,
            "a callback vector can be set");
    promise(call_at(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &bind) ==
                0,
            "the timer has a port");
    timer_port = bind.port;
    due = now() + 5 * NS_PER_MS;
    promise(call(__HYPERVISOR_set_timer_op, due, 0, 0) == 0,
            "a timer can be set");
    wait_for_timer(1);
    promise(now() >= due, "it comes by the callback vector, not early");

    own.vector = 15;
    promise(call_at(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector,
                    &own) == -22,
            "an exception's vector is refused");
    own.vector = OWN_VECTOR;
    promise(
        call_at(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &own) == 0,
        "a vector of the vCPU's own can be set");
    apic_write(APIC_SVR, 0x1ff);
    by_apic = true;
    for (unsigned i = 2; i < 5; i++) {
        call(__HYPERVISOR_set_timer_op, now() + NS_PER_MS, 0, 0);
        wait_for_timer(i);
    }
    promise(timer_events == 4 && upcalls >= 4, "it comes by that as well");
    promise(apic_read(APIC_ISR + OWN_VECTOR / 32 * 0x10) == 0,
            "and the APIC has it done");
}

static void check_nothing(void)
{
    volatile uint32_t *hole = (void *)0xfd000000ul;

    promise(inl(0xcf8) == UINT32_MAX, "no port is there: all ones");
    *hole = 0;
    promise(*hole == UINT32_MAX, "no device is there: all ones");
}

static void misbehave(const char *what)
{
    if (same(what, "triple-fault")) {
        const struct {
            uint16_t limit;
            uint64_t base;
        } __attribute__((packed)) none = {0, 0};

        __asm__ volatile("lidt %0; ud2" : : "m"(none));
    } else if (same(what, "page-nowhere")) {
        wrmsr(0x40000000, UINT64_C(0x7ffffff000));
    } else if (same(what, "page-unaligned")) {
        wrmsr(0x40000000, (uint64_t)hypercall_page + 1);
    } else if (same(what, "halt")) {
        print("halted\n");
        __asm__ volatile("cli; hlt");
    } else if (same(what, "debug")) {
        const char *text = "hello from a port\n";

        for (size_t i = 0; text[i]; i++)
            outb(0xe9, (uint8_t)text[i]);
        power_off();
    } else if (same(what, "run-nowhere")) {
        ((void (*)(void))0x90000000ul)();
    }
    print("FAIL: nothing happened\n");
}

void small_main(const struct hvm_start_info *start)
{
    const char *argument = (const char *)start->cmdline_paddr;

    if (!find_hypercalls())
        __asm__ volatile("ud2");
    print("hypercalls are found\n");
    if (*argument) {
        misbehave(argument);
        power_off();
    }
    check_start(start);
    check_features();
    find_console();
    check_physmap();
    check_events();
    check_nothing();
    print(broken ? "verdict: failure\n" : "verdict: success\n");
    power_off();
}
