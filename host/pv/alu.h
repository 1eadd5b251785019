/*
 * host/pv/alu.h: what the arithmetic of an emulated instruction comes to.
 */
#ifndef HOST_PV_ALU_H
#define HOST_PV_ALU_H

#include <stdbool.h>
#include <stdint.h>

#include "host/pv/decode.h"

/*
 * The result of (operation), OP_ADC to OP_NOT but for the exchanging ones, on
 * operands of (bytes): the new operand 0. (rflags) is read and changed.
 * OP_CMP and OP_TEST change nothing else: the result is (a).
 */
uint64_t alu(enum operation operation, unsigned bytes, uint64_t a, uint64_t b,
             uint64_t *rflags);

/* Does condition (code), as instructions encode it, hold? */
bool alu_condition(unsigned code, uint64_t rflags);

#endif
