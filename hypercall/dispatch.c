/*
 * From a number to the function that serves it.
 */
#include <hypercall/dispatch.h>

#include <errno.h>
#include <string.h>

#include <xen/xen.h>

#include <xen/arch-x86/xen-mca.h>

/*
 * Which bits of each argument mean something. Compilers leave rubbish in the
 * upper half of a register that passes an int, and Xen does not look at it.
 */
#define BITS_int32 0
#define BITS_int64 UINT32_MAX

static const uint32_t high_bits[HYPERCALL_NR_MAX][HYPERCALL_NR_ARGS] = {
#define ARG(width_, kindof, ref_, count_) BITS_##width_
#define HYPERCALL(name_, result_, ...)    [__HYPERVISOR_##name_] = {__VA_ARGS__},
#include <hypercall/table.def>
#undef ARG
};

long hypercall_dispatch(const struct hypercall_handlers *handlers, void *vcpu,
                        uint64_t nr, const uint64_t *args)
{
    uint64_t meant[HYPERCALL_NR_ARGS];

    if (nr >= HYPERCALL_NR_MAX || !handlers->fn[nr])
        return -ENOSYS;

    for (int i = 0; i < HYPERCALL_NR_ARGS; i++)
        meant[i] = args[i] & ((uint64_t)high_bits[nr][i] << 32 | UINT32_MAX);
    return handlers->fn[nr](vcpu, meant);
}

long hypercall_run_list(void *vcpu, uint64_t list, uint64_t nr_calls,
                        hypercall_read_fn read, hypercall_write_fn write,
                        long (*call)(void *vcpu, uint64_t nr,
                                     const uint64_t *args))
{
    uint64_t end = list + (uint32_t)nr_calls * sizeof(struct multicall_entry);

    if (end < list)
        return -EFAULT;

    for (; list != end; list += sizeof(struct multicall_entry)) {
        struct multicall_entry entry;
        uint64_t args[HYPERCALL_NR_ARGS];
        xen_ulong_t result;

        if (read(vcpu, list, &entry, sizeof entry))
            return -EFAULT;

        for (int i = 0; i < HYPERCALL_NR_ARGS; i++)
            args[i] = entry.args[i];
        result = (xen_ulong_t)(entry.op == __HYPERVISOR_multicall
                                   ? -EINVAL
                                   : call(vcpu, entry.op, args));

        if (write(vcpu, list + offsetof(struct multicall_entry, result),
                  &result, sizeof result))
            return -EFAULT;
    }
    return 0;
}
