/* Which instructions of an image are taken for its calls of the hypervisor. */
#include <stdint.h>
#include <string.h>

#include <criterion/criterion.h>

#include "host/engine/kvm/pvh_code.h"
#include "host/engine/kvm/stub.h"

#define VMCALL  0x0f, 0x01, 0xc1
#define VMMCALL 0x0f, 0x01, 0xd9

static const uint8_t out[] = {0xe6, STUB_PORT, 0x90};

static unsigned replace(uint8_t *code, size_t len)
{
    return pvh_replace_calls(code, len, 0x1000000);
}

Test(pvh_code, functions_that_only_call_are_replaced)
{
    uint8_t code[] = {/* as Linux has it, with a return thunk and its padding */
                      VMMCALL, 0xe9, 1, 2, 3, 4, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc,
                      0xcc, 0xcc, 0xcc,
                      /* a plain return */
                      VMCALL, 0xc3, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc,
                      0xcc, 0xcc, 0xcc, 0xcc, 0xcc,
                      /* behind a landing pad */
                      0xf3, 0x0f, 0x1e, 0xfa, VMCALL, 0xc3};

    cr_expect_eq(replace(code, sizeof code), 3);
    cr_expect_eq(memcmp(code, out, sizeof out), 0);
    cr_expect_eq(memcmp(code + 16, out, sizeof out), 0);
    cr_expect_eq(memcmp(code + 36, out, sizeof out), 0);
    cr_expect_eq(code[3], 0xe9, "what is behind stays");
}

Test(pvh_code, all_else_stays_as_it_is)
{
    uint8_t code[] = {/* in the midst of a function */
                      0x90, VMCALL, 0xc3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                      /* with more behind: not the whole function */
                      VMMCALL, 0x48, 0x89, 0xc3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                      /* another instruction */
                      0x0f, 0x01, 0xc2, 0xc3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                      0,
                      /* at the end, with nothing behind that returns */
                      VMCALL};
    uint8_t before[sizeof code];

    memcpy(before, code, sizeof code);
    cr_expect_eq(replace(code, sizeof code), 0);
    cr_expect_eq(memcmp(code, before, sizeof code), 0);
}

Test(pvh_code, functions_are_aligned_in_memory_not_in_the_segment)
{
    uint8_t code[32] = {[0] = 0x90, [8] = 0x0f, 0x01, 0xc1, 0xc3};

    cr_expect_eq(pvh_replace_calls(code, sizeof code, 0x1000000), 0);
    cr_expect_eq(pvh_replace_calls(code, sizeof code, 0x1000008), 1);
    cr_expect_eq(pvh_replace_calls(code, 0, 0x1000008), 0);
}

Test(pvh_code, a_hypercall_page_calls_by_number)
{
    static uint8_t page[PAGE_SIZE];
    uint32_t nr;

    pvh_write_page(page);
    memcpy(&nr, page + 32 * 17 + 1, sizeof nr);
    cr_expect_eq(page[32 * 17], 0xb8);
    cr_expect_eq(nr, 17);
    cr_expect_eq(page[32 * 17 + 5], 0xe6);
    cr_expect_eq(page[32 * 17 + 6], STUB_PORT);
    cr_expect_eq(page[32 * 17 + 7], 0xc3);
    cr_expect_eq(page[32 * 23], 0x0f, "iret is none of PVH's");
    cr_expect_eq(page[32 * 23 + 1], 0x0b);
}
