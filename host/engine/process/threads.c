/*
 * host/engine/process/threads.c: what several vCPUs in one process take. They
 * share its mappings, so they share the guest's page tables as well.
 */
#include <asm/ldt.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <xen/xen.h>

#include "host/domain.h"
#include "host/engine/process/process.h"
#include "host/guest_access.h"
#include "host/log.h"

#define WRITE_LDT 1 /* modify_ldt(2), the old form: data, of 32 bits */

struct process_cpu *process_records = process_cpus;

/* A descriptor for each vCPU; that it is there is all that matters. */
static int make_descriptors(unsigned nr)
{
    for (unsigned i = 0; i < nr; i++) {
        struct user_desc desc = {.entry_number = i, .limit = 1, .seg_32bit = 1};

        if (syscall(SYS_modify_ldt, WRITE_LDT, &desc, sizeof desc) == 0)
            continue;
        log_error("the host lets programs make no local descriptors "
                  "(modify_ldt: %s), by which the engine process tells %u "
                  "vCPUs apart: use --engine kvm, or --vcpus 1",
                  strerror(errno), nr);
        return -errno;
    }
    return 0;
}

void process_mark_thread(const struct process_cpu *cpu)
{
    const uint16_t selector = (uint16_t)PROCESS_ES(cpu->vcpu->id);

    __asm__ volatile("mov %0, %%es" : : "r"((uint32_t)selector));
}

/* Where stub (nr) jumps to: the page was filled before anybody knew. */
static uint64_t entry_of(unsigned nr)
{
    if (nr == __HYPERVISOR_xen_version)
        return (uintptr_t)process_many_version;
    return (uintptr_t)process_many + (uint64_t)nr * PROCESS_MANY_ENTRY;
}

int process_become_many(struct domain *dom, uint64_t page_va)
{
    struct walk walk;
    uint8_t *page;

    guest_walk(&dom->mem, dom->vcpus[0].cr3, page_va, &walk);
    page = walk.present ? memory_frame(&dom->mem, walk.mfn) : NULL;
    for (unsigned nr = 0; page && nr < PROCESS_NR_STUBS; nr++) {
        const uint64_t entry = entry_of(nr);

        memcpy(page + 32ul * nr + PROCESS_STUB_ENTRY, &entry, sizeof entry);
    }
    return make_descriptors(dom->nr_vcpus);
}

bool process_root_agrees(struct vcpu *vcpu)
{
    const struct domain *dom = vcpu->domain;
    const mfn_t root = vcpu_root(vcpu);
    struct process_cpu *cpu = process_cpu_of(vcpu);

    if (!dom->turn.shared || cpu->root == root)
        return true;
    cpu->root = root;
    for (unsigned i = 0; i < dom->nr_vcpus; i++) {
        const struct vcpu *other = &dom->vcpus[i];

        if (!other->up || vcpu_root(other) == root)
            continue;
        domain_crash(vcpu,
                     "vCPU %u loads the page tables at mfn 0x%lx while vCPU %u "
                     "uses those at 0x%lx: in the engine process all vCPUs "
                     "share one set. Run it with --engine kvm, or --vcpus 1",
                     vcpu->id, root, i, vcpu_root(other));
        return false;
    }
    return true;
}
