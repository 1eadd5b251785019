#include "host/engine/kvm/measure.h"

#include <cpuid.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "host/engine/kvm/kvm.h"
#include "host/pagetable.h"

#define CPUID1_HYPERVISOR (1u << 31) /* of ECX */
#define MAX_CPUID         256

#define CR0_TS    0x8u
#define DR6_BITS  0xffff0ff0u
#define DR7_BITS  0x400u
#define DR7_FIRST 0x1u        /* its first breakpoint is on */
#define CR0_BITS  0x80050033u /* PG AM WP NE ET MP PE */
#define CR4_BITS  0x00000620u /* PAE OSFXSR OSXMMEXCPT */
#define EFER_BITS 0x00000d01u /* NXE LMA LME SCE */
/* IOPL 3: there is nothing here that ring 3 could break. */
#define RFLAGS_BITS 0x3002u

#define NR_EXITS     16 /* the best of which counts */
#define FIRST_STEPS  1000
#define NR_LOOKS     4 /* the best of which counts */
#define MORE_STEPS   200000
#define SLOW_STEP_PS 50000 /* no native instruction of ours takes so long */
#define VALUE_A      1
#define VALUE_B      2

/* The VM's memory, by pages; each lies at its own number in the VM. */
enum page { FREE, L4, L3, L2, L1, TSS, CODE, DATA_A, DATA_B, WINDOW, NR_PAGES };

#define AT(page) ((uint64_t)(page) << PAGE_SHIFT)
#define TABLE    (PTE_PRESENT | PTE_RW | PTE_USER | PTE_ACCESSED)
#define LEAF     (TABLE | PTE_DIRTY)
#define SLOT_256 256

extern const char measure_code[], measure_code_end[];
extern const char measure_exits[], measure_loop[], measure_read[];
extern const char measure_reload[], measure_fpu[], measure_watched[];

/* The throw-away VM. */
struct small {
    int vm, cpu;
    uint64_t (*pages)[PAGE_SIZE / 8];
    struct kvm_run *run;
    size_t run_size;
    struct kvm_sregs sregs; /* of ring 0 */
};

static void fill_pages(struct small *s)
{
    s->pages[L4][0] = s->pages[L4][SLOT_256] = AT(L3) | TABLE;
    s->pages[L3][0] = AT(L2) | TABLE;
    s->pages[L2][0] = AT(L1) | TABLE;
    for (enum page p = L4; p < NR_PAGES; p++)
        s->pages[L1][p] = AT(p) | LEAF;
    s->pages[L1][WINDOW] = AT(DATA_A) | LEAF;
    s->pages[DATA_A][0] = VALUE_A;
    s->pages[DATA_B][0] = VALUE_B;
    memcpy(s->pages[CODE], measure_code,
           (size_t)(measure_code_end - measure_code));
}

/* Long mode wants a CPU that says it has it. */
static int set_cpuid(int kvm, int cpu)
{
    struct kvm_cpuid2 *cpuid =
        calloc(1, sizeof *cpuid + MAX_CPUID * sizeof *cpuid->entries);
    int rc;

    if (!cpuid)
        return -ENOMEM;
    cpuid->nent = MAX_CPUID;
    rc = ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) ||
                 ioctl(cpu, KVM_SET_CPUID2, cpuid)
             ? -errno
             : 0;
    free(cpuid);
    return rc;
}

static struct kvm_segment segment(uint8_t type, uint8_t dpl, bool code)
{
    return (struct kvm_segment){
        .limit = UINT32_MAX,
        .selector = (uint16_t)((code ? 0x8 : 0x10) | dpl),
        .type = type,
        .present = 1,
        .dpl = dpl,
        .s = 1,
        .l = code,
        .db = !code,
        .g = 1,
    };
}

static int get_sregs(struct small *s)
{
    struct kvm_sregs *r = &s->sregs;

    if (ioctl(s->cpu, KVM_GET_SREGS, r))
        return -errno;
    r->cr0 = CR0_BITS;
    r->cr3 = AT(L4);
    r->cr4 = CR4_BITS;
    r->efer = EFER_BITS;
    /* No trap is expected: one would be a triple fault, which is told. */
    r->idt.limit = r->gdt.limit = 0;
    r->tr = (struct kvm_segment){.base = AT(TSS),
                                 .limit = 0x67,
                                 .selector = 0x18,
                                 .type = 11, /* a busy TSS */
                                 .present = 1};
    r->ldt = (struct kvm_segment){.type = 2, .unusable = 1};
    r->ds = r->es = r->fs = r->gs = (struct kvm_segment){.unusable = 1};
    return 0;
}

static int set_up(struct small *s, int kvm)
{
    struct kvm_userspace_memory_region region = {.memory_size = AT(NR_PAGES)};
    const int run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    void *p;

    p = mmap(NULL, AT(NR_PAGES), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return -errno;
    s->pages = p;
    fill_pages(s);
    region.userspace_addr = (uintptr_t)p;
    s->vm = vm_new(kvm);
    if (s->vm < 0 || ioctl(s->vm, KVM_SET_USER_MEMORY_REGION, &region))
        return -errno;
    s->cpu = ioctl(s->vm, KVM_CREATE_VCPU, 0);
    if (s->cpu < 0)
        return -errno;
    if (run_size < (int)sizeof *s->run)
        return -EINVAL;
    p = mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, s->cpu,
             0);
    if (p == MAP_FAILED)
        return -errno;
    s->run = p;
    s->run_size = (size_t)run_size;
    if (set_cpuid(kvm, s->cpu))
        return -errno;
    return get_sregs(s);
}

static void tear_down(struct small *s)
{
    if (s->run)
        munmap(s->run, s->run_size);
    if (s->cpu >= 0)
        close(s->cpu);
    if (s->vm >= 0)
        close(s->vm);
    if (s->pages)
        munmap(s->pages, AT(NR_PAGES));
}

/* Be about to execute (code) in (ring). */
static int place(struct small *s, unsigned ring, const char *code, uint64_t rbx,
                 uint64_t rcx)
{
    const struct kvm_regs regs = {
        .rip = AT(CODE) + (uint64_t)(code - measure_code),
        .rbx = rbx,
        .rcx = rcx,
        .rflags = RFLAGS_BITS,
    };

    s->sregs.cs = segment(11, (uint8_t)ring, true);
    s->sregs.ss = segment(3, (uint8_t)ring, false);
    if (ioctl(s->cpu, KVM_SET_SREGS, &s->sregs) ||
        ioctl(s->cpu, KVM_SET_REGS, &regs))
        return -errno;
    return 0;
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Up to the next `out`: 0 and the (ns) that it took, or -errno. */
static int go(struct small *s, uint64_t *ns)
{
    const uint64_t begin = now_ns();
    int rc;

    do
        rc = ioctl(s->cpu, KVM_RUN, 0) ? -errno : 0;
    while (rc == -EINTR);
    *ns = now_ns() - begin;
    if (rc)
        return rc;
    return s->run->exit_reason == KVM_EXIT_IO ? 0 : -EIO;
}

static int time_exits(struct small *s, unsigned ring, uint64_t *best)
{
    uint64_t ns;
    int rc = place(s, ring, measure_exits, 0, 0);

    *best = UINT64_MAX;
    for (unsigned i = 0; rc == 0 && i < NR_EXITS; i++) {
        rc = go(s, &ns);
        if (ns < *best)
            *best = ns;
    }
    return rc;
}

/* Picoseconds for one of (steps) instructions; an exit takes (exit_ns). */
static int time_some_steps(struct small *s, unsigned ring, uint64_t steps,
                           uint64_t exit_ns, uint64_t *ps)
{
    uint64_t ns = 0;
    int rc = place(s, ring, measure_loop, 0, steps / 2);

    if (rc == 0)
        rc = go(s, &ns);
    ns = ns > exit_ns ? ns - exit_ns : 0;
    *ps = ns * 1000 / steps;
    return rc;
}

/*
 * A few show whether they are slow; if not, it takes more to see them. One
 * interrupt makes a few seem slow, so they get more than one chance.
 */
static int time_steps(struct small *s, unsigned ring, uint64_t exit_ns,
                      uint64_t *ps)
{
    int rc = 0;

    *ps = SLOW_STEP_PS;
    for (unsigned i = 0; rc == 0 && *ps >= SLOW_STEP_PS && i < NR_LOOKS; i++)
        rc = time_some_steps(s, ring, FIRST_STEPS, exit_ns, ps);
    if (rc == 0 && *ps < SLOW_STEP_PS)
        rc = time_some_steps(s, ring, MORE_STEPS, exit_ns, ps);
    return rc;
}

/* What ring 3 reads at (va). */
static int read_at(struct small *s, uint64_t va, uint64_t *value)
{
    struct kvm_regs regs;
    uint64_t ns;
    int rc = place(s, 3, measure_read, va, 0);

    if (rc == 0)
        rc = go(s, &ns);
    if (rc == 0 && ioctl(s->cpu, KVM_GET_REGS, &regs))
        rc = -errno;
    *value = rc ? 0 : regs.rax;
    return rc;
}

/*
 * The host changes an entry, the VM reloads CR3: the CPU's own walk sees the
 * new one; a KVM that translated the old one, and was not told, does not.
 */
static int find_paging(struct small *s, bool *shadow)
{
    uint64_t value, ns;
    int rc = read_at(s, AT(WINDOW), &value);

    if (rc == 0 && value != VALUE_A)
        rc = -EIO;
    __atomic_store_n(&s->pages[L1][WINDOW], AT(DATA_B) | LEAF,
                     __ATOMIC_RELEASE);
    if (rc == 0)
        rc = place(s, 0, measure_reload, AT(L4), 0);
    if (rc == 0)
        rc = go(s, &ns);
    if (rc == 0)
        rc = read_at(s, AT(WINDOW), &value);
    *shadow = value != VALUE_B;
    return rc;
}

/* Ring 3 executes (code): is that the end, for there is no handler of traps? */
static bool traps(struct small *s, const char *code)
{
    uint64_t ns;

    return place(s, 3, code, 0, 0) == 0 && go(s, &ns) == -EIO &&
           s->run->exit_reason == KVM_EXIT_SHUTDOWN;
}

static bool find_lazy_fpu(struct small *s)
{
    bool found;

    s->sregs.cr0 |= CR0_TS;
    found = traps(s, measure_fpu);
    s->sregs.cr0 &= ~(uint64_t)CR0_TS;
    return found;
}

static bool find_breakpoints(struct small *s)
{
    struct kvm_debugregs regs = {
        .db[0] = AT(CODE) + (uint64_t)(measure_watched - measure_code),
        .dr6 = DR6_BITS,
        .dr7 = DR7_BITS | DR7_FIRST,
    };

    return ioctl(s->cpu, KVM_SET_DEBUGREGS, &regs) == 0 &&
           traps(s, measure_watched);
}

static int measure(struct small *s, struct kvm_kind *kind, const char **step)
{
    uint64_t value;
    int rc;

    *step = "leave ring 0";
    rc = time_exits(s, 0, &kind->exit0_ns);
    if (rc)
        return rc;
    *step = "leave ring 3";
    rc = time_exits(s, 3, &kind->exit3_ns);
    if (rc)
        return rc;
    *step = "run a loop in ring 0";
    rc = time_steps(s, 0, kind->exit0_ns, &kind->step0_ps);
    if (rc)
        return rc;
    *step = "run a loop in ring 3";
    rc = time_steps(s, 3, kind->exit3_ns, &kind->step3_ps);
    if (rc)
        return rc;
    *step = "change a page table";
    rc = find_paging(s, &kind->shadow_paging);
    if (rc)
        return rc;
    /* Last: where it cannot be had, that is the end of the VM, and where the
     * others can. They go on from any state, as place() sets all that counts.
     */
    kind->slot_256 = read_at(s, MEASURE_SLOT_256 + AT(DATA_A), &value) == 0 &&
                     value == VALUE_A;
    kind->traps_fpu = find_lazy_fpu(s);
    kind->breakpoints = find_breakpoints(s);
    return 0;
}

static bool is_guest(void)
{
    unsigned a, b, c = 0, d;

    return __get_cpuid(1, &a, &b, &c, &d) && c & CPUID1_HYPERVISOR;
}

static bool has(int kvm, int capability)
{
    return ioctl(kvm, KVM_CHECK_EXTENSION, capability) > 0;
}

int measure_kvm(struct kvm_kind *kind, char *why, size_t size)
{
    struct small s = {.vm = -1, .cpu = -1};
    const char *step = "make a VM";
    int rc, kvm = vm_open(why, size);

    *kind = (struct kvm_kind){0};
    if (kvm < 0)
        return kvm;
    kind->host_is_guest = is_guest();
    kind->xen_hvm = has(kvm, KVM_CAP_XEN_HVM);
    kind->user_msr = has(kvm, KVM_CAP_X86_USER_SPACE_MSR);
    kind->split_irqchip = has(kvm, KVM_CAP_SPLIT_IRQCHIP);
    kind->sync_regs = has(kvm, KVM_CAP_SYNC_REGS);
    rc = set_up(&s, kvm);
    if (rc == 0)
        rc = measure(&s, kind, &step);
    kind->ring0_emulated = kind->step0_ps >= SLOW_STEP_PS;
    if (rc)
        snprintf(why, size, "a small VM could not %s: %s: %s", step,
                 strerror(-rc), vm_remedy(-rc));
    tear_down(&s);
    close(kvm);
    return rc;
}

uint64_t measure_slowdown(const struct kvm_kind *kind)
{
    return kind->step3_ps && kind->step0_ps > kind->step3_ps
               ? kind->step0_ps / kind->step3_ps
               : 1;
}

const char *measure_name(const struct kvm_kind *kind)
{
    if (kind->ring0_emulated)
        return kind->shadow_paging
                   ? "no hardware virtualization: ring 3 runs natively, ring 0 "
                     "is emulated, page tables are shadowed"
                   : "ring 0 is emulated";
    if (kind->shadow_paging)
        return kind->host_is_guest
                   ? "hardware, nested in another VM, page tables are shadowed"
                   : "hardware, page tables are shadowed";
    return kind->host_is_guest ? "hardware, nested in another VM"
                               : "hardware, nested paging";
}

void measure_say_pv(const struct kvm_kind *kind, char *text, size_t size)
{
    snprintf(text, size,
             "PV guests run well here: their code at full speed, and %lu.%lu "
             "us for each time they call the host",
             kind->exit3_ns / 1000, kind->exit3_ns / 100 % 10);
}

void measure_say_pvh(const struct kvm_kind *kind, char *text, size_t size)
{
    if (kind->ring0_emulated)
        snprintf(text, size,
                 "PVH guests are emulated here, about %lu times slower than "
                 "the CPU, and not every instruction can be: use --abi pv "
                 "where there is one",
                 measure_slowdown(kind));
    else if (kind->shadow_paging)
        snprintf(
            text, size,
            "PVH guests run here, but slowly where they change page tables");
    else
        snprintf(
            text, size,
            "PVH guests run well here: their code at full speed, and %lu.%lu "
            "us for each time they call the host",
            kind->exit0_ns / 1000, kind->exit0_ns / 100 % 10);
}
