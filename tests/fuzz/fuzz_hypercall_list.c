/*
 * Multicalls over guest memory that the calls themselves change, through
 * dispatch to handlers that check what they are given.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>

#include <hypercall/dispatch.h>

#include "input.h"

#define BASE  0x1000
#define BYTES 1024

struct guest {
    struct input input;
    uint8_t *memory;
    uint64_t nr_calls;
};

static bool in_memory(uint64_t va, size_t len)
{
    return va >= BASE && len <= BYTES && va - BASE <= BYTES - len;
}

static int read_memory(void *vcpu, uint64_t va, void *buf, size_t len)
{
    struct guest *guest = vcpu;

    if (!in_memory(va, len))
        return -EFAULT;
    memcpy(buf, guest->memory + (va - BASE), len);
    return 0;
}

static int write_memory(void *vcpu, uint64_t va, const void *buf, size_t len)
{
    struct guest *guest = vcpu;

    if (!in_memory(va, len))
        return -EFAULT;
    memcpy(guest->memory + (va - BASE), buf, len);
    return 0;
}

/* Two ints and an address: writes a byte of memory, maybe of the list. */
static long scribble(void *vcpu, const uint64_t *args)
{
    struct guest *guest = vcpu;

    PROMISE(args[0] <= UINT32_MAX && args[1] <= UINT32_MAX);
    guest->memory[args[2] % BYTES] = (uint8_t)args[1];
    return (long)args[0];
}

static const struct hypercall_handlers handlers = {
    .fn = {[__HYPERVISOR_console_io] = scribble},
};

static long call(void *vcpu, uint64_t nr, const uint64_t *args)
{
    struct guest *guest = vcpu;

    PROMISE(nr != __HYPERVISOR_multicall);
    guest->nr_calls++;
    return hypercall_dispatch(&handlers, vcpu, nr, args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guest guest = {.input = {data, size}, .memory = malloc(BYTES)};
    uint64_t list = BASE + input_u16(&guest.input) % (2 * BYTES);
    uint64_t nr_calls = input_u8(&guest.input);
    long rc;

    PROMISE(guest.memory);
    if (nr_calls == 255)
        list = input_u64(&guest.input);
    if (nr_calls == 254)
        nr_calls = input_u64(&guest.input);
    input_take(&guest.input, guest.memory, BYTES);

    rc = hypercall_run_list(&guest, list, nr_calls, read_memory, write_memory,
                            call);
    PROMISE(rc == 0 || rc == -EFAULT);
    PROMISE(guest.nr_calls <= BYTES / sizeof(struct multicall_entry));
    free(guest.memory);
    return 0;
}
