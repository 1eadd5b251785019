#include "host/engine/kvm/count.h"

#include <stdio.h>

#include "host/domain.h"
#include "host/engine/kvm/kvm.h"
#include "host/log.h"

#define LINE 512

static const char *const names[EXIT_KINDS] = {
    [EXIT_HYPERCALL] = "hypercalls",   [EXIT_SYSCALL] = "system calls",
    [EXIT_PAGE_FAULT] = "page faults", [EXIT_PROTECTION] = "protection faults",
    [EXIT_TRAP] = "other traps",       [EXIT_TABLES] = "page tables",
    [EXIT_SIGNAL] = "signals",         [EXIT_OTHER] = "others",
};

void count_say(const struct domain *dom, const struct kvm_vm *vm)
{
    for (unsigned i = 0; i < dom->nr_vcpus; i++) {
        const struct kvm_cpu *cpu = &vm->cpus[i];
        char line[LINE];
        int len = 0;

        for (unsigned kind = 0; kind < EXIT_KINDS; kind++)
            if (cpu->counts.nr[kind])
                len += snprintf(line + len, sizeof line - (size_t)len,
                                "%s%lu for %s", len ? ", " : ": ",
                                cpu->counts.nr[kind], names[kind]);
        log_info("%s left the VM %lu times%s; %lu ways back led through ring 0",
                 dom->nr_vcpus > 1 ? "a vCPU" : "the guest", cpu->nr_exits,
                 len ? line : "", cpu->counts.by_helper);
        if (vm->stub.has_deputy && cpu->stub->deputy.count)
            log_info("%lu hypercalls were served without leaving it",
                     cpu->stub->deputy.count);
        if (cpu->short_paths)
            log_info("short paths inside of the VM saved %lu more",
                     cpu->stub->path.count);
    }
}
