/*
 * Any number, any registers, any guest memory, as a line of any length.
 */
#include <errno.h>

#include <hypercall/trace.h>

#include "input.h"

#define BASE 0x1000

/* What is left of the input is the guest's memory, at BASE. */
static int read_memory(void *vcpu, uint64_t va, void *buf, size_t len)
{
    const struct input *memory = vcpu;

    if (va < BASE || va - BASE > memory->left ||
        len > memory->left - (va - BASE))
        return -EFAULT;
    memcpy(buf, memory->data + (va - BASE), len);
    return 0;
}

static uint64_t arg(struct input *input)
{
    switch (input_u8(input) % 4) {
    case 0:
        return input_u64(input);
    case 1:
        return BASE + input_u8(input);
    default:
        return input_u8(input);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint64_t nr =
        input_u8(&input) & 0x80 ? input_u64(&input) : input_u8(&input) & 63;
    size_t room = input_u16(&input) % 1024;
    uint64_t args[HYPERCALL_NR_ARGS];
    char *line = malloc(room + 1);
    size_t len;

    PROMISE(line);
    for (int i = 0; i < HYPERCALL_NR_ARGS; i++)
        args[i] = arg(&input);

    len = hypercall_format(line, room, nr, args, read_memory, &input);
    PROMISE(room ? len < room && strlen(line) == len : len == 0);
    len = hypercall_format_answer(line, room, nr, args, read_memory, &input);
    PROMISE(room ? len < room && strlen(line) == len : len == 0);
    len = hypercall_format(line, room, nr, args, NULL, NULL);
    PROMISE(room ? len < room && strlen(line) == len : len == 0);
    len = hypercall_format_result(line, room, nr, args, (long)args[0]);
    PROMISE(room ? len < room && strlen(line) == len : len == 0);
    free(line);
    return 0;
}
