#include "host/engine/kvm/pvh_code.h"

#include <stdbool.h>
#include <string.h>

#include <hypercall/dispatch.h>
#include <xen/xen.h>

#include "host/engine/kvm/stub.h"

#define STUB_SIZE ((size_t)32) /* of the hypercall page */

#define FUNCTION_ALIGNMENT 16
#define CALL_SIZE          3

#define OPCODE_RET  0xc3
#define OPCODE_JMP  0xe9
#define OPCODE_INT3 0xcc

/* What every number's stub does: mov $nr,%eax; out %al,$port; ret. */
static void write_stub(uint8_t *stub, uint32_t nr)
{
    static const uint8_t code[] = {0xb8, 0, 0, 0, 0, 0xe6, STUB_PORT, 0xc3};
    static const uint8_t ud2[] = {0x0f, 0x0b};

    memset(stub, OPCODE_INT3, STUB_SIZE);
    if (nr == __HYPERVISOR_iret) {
        memcpy(stub, ud2, sizeof ud2);
        return;
    }
    memcpy(stub, code, sizeof code);
    memcpy(stub + 1, &nr, sizeof nr);
}

void pvh_write_page(uint8_t page[PAGE_SIZE])
{
    for (uint32_t nr = 0; nr < HYPERCALL_NR_MAX; nr++)
        write_stub(page + nr * STUB_SIZE, nr);
}

static bool is_call(const uint8_t *code)
{
    static const uint8_t vmcall[CALL_SIZE] = {0x0f, 0x01, 0xc1};
    static const uint8_t vmmcall[CALL_SIZE] = {0x0f, 0x01, 0xd9};

    return !memcmp(code, vmcall, CALL_SIZE) ||
           !memcmp(code, vmmcall, CALL_SIZE);
}

static bool returns(uint8_t opcode)
{
    return opcode == OPCODE_RET || opcode == OPCODE_JMP ||
           opcode == OPCODE_INT3;
}

/* A function starts at (code), (len) bytes before the end. */
static bool replace_call(uint8_t *code, size_t len)
{
    static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
    static const uint8_t out[CALL_SIZE] = {0xe6, STUB_PORT, 0x90};

    if (len > sizeof endbr64 && !memcmp(code, endbr64, sizeof endbr64)) {
        code += sizeof endbr64;
        len -= sizeof endbr64;
    }
    if (len <= CALL_SIZE || !is_call(code) || !returns(code[CALL_SIZE]))
        return false;
    memcpy(code, out, CALL_SIZE);
    return true;
}

unsigned pvh_replace_calls(uint8_t *code, size_t len, uint64_t at)
{
    unsigned nr = 0;

    for (size_t i = -at % FUNCTION_ALIGNMENT; i < len; i += FUNCTION_ALIGNMENT)
        nr += replace_call(code + i, len - i);
    return nr;
}
