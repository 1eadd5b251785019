/*
 * host/engine/kvm/vm.c: the VM: its memory, its vCPU, and the state in which
 * that is left for good: long mode, paging on, our descriptor tables.
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/domain.h"
#include "host/engine/kvm/kvm.h"
#include "host/log.h"
#include "host/pv/emulate.h"

#define DEVICE "/dev/kvm"
/* KVM_VCPU_TSC_CTRL is the youngest of what is used. */
#define NEEDED_LINUX "Linux 5.16 or newer"

#define CR0_BITS        0x80050033u /* PG AM WP NE ET MP PE */
#define CR4_BITS        0x00000620u /* PAE OSFXSR OSXMMEXCPT */
#define CR4_OSXSAVE     0x00040000u
#define EFER_BITS       0x00000d01u /* NXE LMA LME SCE */
#define MSR_SYSENTER_CS 0x174u
#define MSR_STAR        0xc0000081u
#define MSR_LSTAR       0xc0000082u
#define MSR_CSTAR       0xc0000083u
#define MSR_FMASK       0xc0000084u
#define FMASK_BITS      0x00257fd5u /* all but the fixed one */
#define CPUID1_XSAVE    (1u << 26)  /* of ECX */
#define CPUID1_OSXSAVE  (1u << 27)
#define XCR0_SSE        3u
#define MAX_CPUID       256
#define CPUID_EXTENDED  0x80000001u
#define CPUID_SVM       (1u << 2) /* of ECX */
#define TSS_AVAILABLE   9
#define TSS_BUSY        11

#define SLOT_GUEST   0
#define SLOT_STUB    1
#define SLOT_M2P     2
#define SLOT_RECORDS 3

static const struct {
    int cap;
    const char *name;
} needed[] = {
    {KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
    {KVM_CAP_READONLY_MEM, "KVM_CAP_READONLY_MEM"},
    {KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
    {KVM_CAP_VCPU_ATTRIBUTES, "KVM_CAP_VCPU_ATTRIBUTES"},
    {KVM_CAP_X86_USER_SPACE_MSR, "KVM_CAP_X86_USER_SPACE_MSR"},
    {KVM_CAP_X86_MSR_FILTER, "KVM_CAP_X86_MSR_FILTER"},
};

#define NEEDED_SYNC \
    (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS)

/* What to do about a device that does not open, or a VM that is not made. */
const char *vm_remedy(int error)
{
    switch (error) {
    case EBUSY:
        return "another hypervisor has the CPU's virtualization: end that";
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        return "this host has no more to give: end what has it";
    case ENOENT:
        return "load the module kvm-intel or kvm-amd, and see that "
               "virtualization is on in the firmware";
    case EACCES:
    case EPERM:
        return "become a member of the group kvm";
    default:
        return "see the kernel's log";
    }
}

static int check_kvm(int kvm, char *why, size_t size)
{
    int version = ioctl(kvm, KVM_GET_API_VERSION, 0);

    if (version < 0) {
        snprintf(why, size, "%s is no KVM", DEVICE);
        return -ENOTSUP;
    }
    if (version != KVM_API_VERSION) {
        snprintf(why, size, "%s is of version %d, not %d", DEVICE, version,
                 KVM_API_VERSION);
        return -ENOTSUP;
    }
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (ioctl(kvm, KVM_CHECK_EXTENSION, needed[i].cap) > 0)
            continue;
        snprintf(why, size, "%s has no %s; it takes " NEEDED_LINUX, DEVICE,
                 needed[i].name);
        return -ENOTSUP;
    }
    if ((ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_SYNC_REGS) & NEEDED_SYNC) !=
        NEEDED_SYNC) {
        snprintf(why, size, "%s has no KVM_CAP_SYNC_REGS for x86", DEVICE);
        return -ENOTSUP;
    }
    return 0;
}

int vm_open(char *why, size_t size)
{
    int rc, kvm = open(DEVICE, O_RDWR | O_CLOEXEC);

    if (kvm < 0) {
        rc = -errno;
        snprintf(why, size, "%s: %s: %s", DEVICE, strerror(-rc),
                 vm_remedy(-rc));
        return rc;
    }
    rc = check_kvm(kvm, why, size);
    if (rc) {
        close(kvm);
        return rc;
    }
    return kvm;
}

int vm_new(int kvm)
{
    int vm;

    /* What an io_uring that was just closed has left to do counts as a signal,
     * and is done at the way back from the call. */
    do
        vm = ioctl(kvm, KVM_CREATE_VM, 0);
    while (vm < 0 && errno == EINTR);
    return vm;
}

int vm_probe(char *why, size_t size)
{
    int kvm = vm_open(why, size);

    if (kvm < 0)
        return kvm;
    close(kvm);
    return 0;
}

/*
 * The frames in the order of their mfns: what the host has already, unless
 * they are scattered, which is for tests.
 */
static int make_view(struct kvm_vm *vm, const struct memory *mem)
{
    const size_t size = mem->nr_frames << PAGE_SHIFT;
    void *view;

    if (!mem->shuffle)
        return 0;
    view = mmap(NULL, size, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (view == MAP_FAILED)
        return -errno;
    vm->view = view;
    for (size_t i = 0; i < mem->nr_frames; i++) {
        const size_t index = memory_index(mem, mem->first_mfn + i);

        if (mmap(vm->view + (i << PAGE_SHIFT), PAGE_SIZE,
                 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, mem->fd,
                 (off_t)(index << PAGE_SHIFT)) == MAP_FAILED)
            return -errno;
    }
    return 0;
}

int vm_add_memory(int vm, uint32_t slot, uint64_t gpa, const void *at,
                  size_t size, uint32_t flags)
{
    const struct kvm_userspace_memory_region region = {
        .slot = slot,
        .flags = flags,
        .guest_phys_addr = gpa,
        .memory_size = size,
        .userspace_addr = (uintptr_t)at,
    };

    return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) ? -errno : 0;
}

static int add_all_memory(struct kvm_vm *vm, int fd, const struct memory *mem)
{
    const struct stub *stub = &vm->stub;
    int rc;

    rc = make_view(vm, mem);
    if (rc == 0)
        rc = vm_add_memory(fd, SLOT_GUEST, mem->first_mfn << PAGE_SHIFT,
                           vm->view ? vm->view : mem->base,
                           mem->nr_frames << PAGE_SHIFT, 0);
    if (rc == 0)
        rc =
            vm_add_memory(fd, SLOT_STUB, stub->gpa, stub->pages, stub->size, 0);
    if (rc == 0)
        rc = vm_add_memory(fd, SLOT_M2P, stub->m2p_gpa,
                           mem->m2p - mem->first_mfn, mem->m2p_size,
                           KVM_MEM_READONLY);
    if (rc == 0 && stub->has_deputy)
        rc = vm_add_memory(fd, SLOT_RECORDS, stub->frames_gpa, mem->frames,
                           stub->frames_size, KVM_MEM_READONLY);
    return rc;
}

static int set_xcr0(int vcpu, uint64_t value)
{
    const struct kvm_xcrs xcrs = {
        .nr_xcrs = 1,
        .xcrs[0] = {.xcr = 0, .value = value},
    };

    return ioctl(vcpu, KVM_SET_XCRS, &xcrs) ? -errno : 0;
}

/*
 * The CPU as this KVM offers it, with Xen's leaves in place of KVM's. What
 * the vector units may keep is what it can save (XCR0); 0: nothing.
 */
static int set_cpuid(int kvm, int vcpu, uint64_t *xcr0)
{
    struct kvm_cpuid2 *cpuid =
        calloc(1, sizeof *cpuid + MAX_CPUID * sizeof *cpuid->entries);
    bool xsave = false;
    unsigned nr = 0;
    int rc;

    if (!cpuid)
        return -ENOMEM;
    *xcr0 = 0;
    cpuid->nent = MAX_CPUID - EMULATE_NR_LEAVES;
    rc = ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) ? -errno : 0;
    for (unsigned i = 0; rc == 0 && i < cpuid->nent; i++) {
        struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

        if (e->function >> 8 == EMULATE_FIRST_LEAF >> 8)
            continue;
        if (e->function == 1)
            xsave = e->ecx & CPUID1_XSAVE;
        if (e->function == 0xd && e->index == 0 && xsave)
            *xcr0 = e->eax | (uint64_t)e->edx << 32;
        cpuid->entries[nr++] = *e;
    }
    for (uint32_t i = 0; rc == 0 && i < EMULATE_NR_LEAVES; i++) {
        struct kvm_cpuid_entry2 *e = &cpuid->entries[nr++];
        uint32_t out[4];

        emulate_leaf(EMULATE_FIRST_LEAF + i, 0, out);
        *e = (struct kvm_cpuid_entry2){.function = EMULATE_FIRST_LEAF + i,
                                       .eax = out[0],
                                       .ebx = out[1],
                                       .ecx = out[2],
                                       .edx = out[3]};
    }
    cpuid->nent = nr;
    if (rc == 0)
        rc = ioctl(vcpu, KVM_SET_CPUID2, cpuid) ? -errno : 0;
    free(cpuid);
    return rc;
}

static int set_msrs(const struct kvm_cpu *cpu, unsigned id)
{
    const uint64_t syscall = STUB_VA + offsetof(struct stub_pages, syscall);
    const struct kvm_msr_entry entries[] = {
        {.index = MSR_STAR, .data = (uint64_t)STUB_CS << 32},
        {.index = MSR_LSTAR,
         .data = cpu->vm->stub.has_deputy ? deputy_entry(id)
                                          : stub_entry_va(id, stub_entry)},
        {.index = MSR_CSTAR,
         .data = syscall + (uint64_t)(stub_syscall32 - stub_syscall)},
        {.index = MSR_FMASK, .data = FMASK_BITS},
        {.index = MSR_SYSENTER_CS, .data = 0}, /* a fault, for emulation */
    };
    _Alignas(
        struct kvm_msrs) char room[sizeof(struct kvm_msrs) + sizeof entries];
    struct kvm_msrs *msrs = (void *)room;
    int set;

    *msrs = (struct kvm_msrs){.nmsrs = sizeof entries / sizeof *entries};
    memcpy(msrs->entries, entries, sizeof entries);
    set = ioctl(cpu->fd, KVM_SET_MSRS, msrs);
    if (set < 0)
        return -errno;
    return set == (int)msrs->nmsrs ? 0 : -EINVAL;
}

int vm_set_tsc(int vcpu)
{
    uint64_t offset = 0;
    const struct kvm_device_attr attr = {
        .group = KVM_VCPU_TSC_CTRL,
        .attr = KVM_VCPU_TSC_OFFSET,
        .addr = (uintptr_t)&offset,
    };

    return ioctl(vcpu, KVM_SET_DEVICE_ATTR, &attr) ? -errno : 0;
}

/* All that never changes of the special registers. */
static int set_sregs(struct kvm_cpu *cpu, bool xsave)
{
    struct kvm_sregs *s = &cpu->run->s.regs.sregs;

    if (ioctl(cpu->fd, KVM_GET_SREGS, s))
        return -errno;
    s->cr0 = CR0_BITS;
    s->cr4 = CR4_BITS | (xsave ? CR4_OSXSAVE : 0);
    s->efer = EFER_BITS;
    s->idt.base = STUB_VA + offsetof(struct stub_pages, idt);
    s->idt.limit = 0xfff;
    s->gdt.base = cpu->stub_va + STUB_GDT_PAGE * (uint64_t)PAGE_SIZE;
    s->gdt.limit = STUB_TR + 15;
    s->tr = (struct kvm_segment){
        .base = cpu->stub_va + offsetof(struct stub_cpu, tss),
        .limit = STUB_TSS_LIMIT,
        .selector = STUB_TR,
        .type = cpu->vm->tss_type,
        .present = 1,
    };
    s->ldt = (struct kvm_segment){.type = 2, .unusable = 1};
    s->ds = s->es = s->fs = s->gs = (struct kvm_segment){.unusable = 1};
    return 0;
}

/*
 * The type of the TSS in use: busy, says VMX, and refuses any other. SVM takes
 * both, and KVM always says busy there because the CPU does not; but QEMU's SVM
 * looks into the TSS for open ports only if it is called available.
 */
static uint8_t tss_type(void)
{
    unsigned eax, ebx, ecx = 0, edx;

    __get_cpuid(CPUID_EXTENDED, &eax, &ebx, &ecx, &edx);
    return ecx & CPUID_SVM ? TSS_AVAILABLE : TSS_BUSY;
}

int vm_create_vcpu(struct kvm_cpu *cpu, unsigned id, int kvm, int vm)
{
    int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    void *run;

    if (size < (int)sizeof *cpu->run)
        return -EINVAL;
    cpu->fd = ioctl(vm, KVM_CREATE_VCPU, (long)id);
    if (cpu->fd < 0)
        return -errno;
    run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu->fd,
               0);
    if (run == MAP_FAILED)
        return -errno;
    cpu->run = run;
    cpu->run_size = (size_t)size;
    cpu->run->kvm_valid_regs = NEEDED_SYNC;
    cpu->vm->tss_type = tss_type();
    return 0;
}

static int set_up_vcpu(struct kvm_cpu *cpu, unsigned id, int kvm, int vm,
                       const char **step)
{
    uint64_t xcr0;
    int rc;

    *step = "give it a CPU";
    cpu->stub = &cpu->vm->stub.cpus[id];
    cpu->stub_va = stub_cpu_va(id);
    rc = vm_create_vcpu(cpu, id, kvm, vm);
    if (rc)
        return rc;
    *step = "describe the CPU";
    rc = set_cpuid(kvm, cpu->fd, &xcr0);
    if (rc)
        return rc;
    *step = "set the system call entry";
    rc = set_msrs(cpu, id);
    if (rc)
        return rc;
    *step = "let it have the host's TSC (" NEEDED_LINUX ")";
    rc = vm_set_tsc(cpu->fd);
    if (rc)
        return rc;
    *step = "set its special registers";
    rc = set_sregs(cpu, xcr0 > XCR0_SSE);
    if (rc == 0 && xcr0 > XCR0_SSE)
        rc = set_xcr0(cpu->fd, xcr0);
    return rc;
}

int vm_create(struct kvm_vm *vm, struct domain *dom)
{
    const struct memory *mem = &dom->mem;
    const uint64_t end = (mem->first_mfn + mem->nr_frames) << PAGE_SHIFT;
    const char *step = "make a VM";
    int kvm, fd, rc;
    char why[256];

    kvm = vm_open(why, sizeof why);
    if (kvm < 0) {
        log_error("%s", why);
        return kvm;
    }
    rc = stub_create(&vm->stub, mem, dom->nr_vcpus,
                     (end + 0x1fffff) & ~UINT64_C(0x1fffff),
                     deputy_is_possible(dom));
    if (rc) {
        close(kvm);
        return rc;
    }
    fd = vm_new(kvm);
    rc = fd < 0 ? -errno : 0;
    if (rc == 0) {
        step = "give it memory";
        rc = add_all_memory(vm, fd, mem);
    }
    for (unsigned i = 0; rc == 0 && i < dom->nr_vcpus; i++)
        rc = set_up_vcpu(&vm->cpus[i], i, kvm, fd, &step);
    /* what is mapped and running holds the rest */
    if (fd >= 0)
        close(fd);
    close(kvm);
    if (rc) {
        log_error("cannot %s: %s: %s", step, strerror(-rc), vm_remedy(-rc));
        vm_destroy(vm, mem);
    }
    return rc;
}

static void destroy_vcpu(struct kvm_cpu *cpu)
{
    if (cpu->run)
        munmap(cpu->run, cpu->run_size);
    if (cpu->fd >= 0)
        close(cpu->fd);
    cpu->run = NULL;
    cpu->fd = -1;
}

void vm_destroy(struct kvm_vm *vm, const struct memory *mem)
{
    for (unsigned i = 0; i < DOMAIN_MAX_VCPUS; i++)
        destroy_vcpu(&vm->cpus[i]);
    if (vm->fd >= 0)
        close(vm->fd);
    if (vm->view)
        munmap(vm->view, mem->nr_frames << PAGE_SHIFT);
    stub_destroy(&vm->stub);
    vm->fd = -1;
    vm->view = NULL;
}
