/*
 * The trap table: what a PV kernel has for an IDT.
 */
#include "pv.h"

/* trap_info.flags: who may raise it by INT, and that upcalls get masked. */
#define BY_INT      1
#define MASK_EVENTS 4

extern char trap_0[], trap_1[], trap_3[], trap_4[], trap_5[], trap_6[],
    trap_7[], trap_9[], trap_10[], trap_11[], trap_12[], trap_13[], trap_14[],
    trap_16[], trap_17[], trap_18[], trap_19[], trap_21[];

#define TRAP(vector, flags)                            \
    {                                                  \
        vector, MASK_EVENTS | (flags), FLAT_KERNEL_CS, \
            (uintptr_t)trap_##vector                   \
    }

const struct trap_info pv_trap_table[] = {
    TRAP(0, 0),  TRAP(1, 0),  TRAP(3, BY_INT), TRAP(4, BY_INT), TRAP(5, 0),
    TRAP(6, 0),  TRAP(7, 0),  TRAP(9, 0),      TRAP(10, 0),     TRAP(11, 0),
    TRAP(12, 0), TRAP(13, 0), TRAP(14, 0),     TRAP(16, 0),     TRAP(17, 0),
    TRAP(18, 0), TRAP(19, 0), TRAP(21, 0),     {0, 0, 0, 0},
};
