/*
 * pvguest/trap.h: exceptions of the running guest.
 *
 * Without a handler an exception ends the guest with a report. A handler runs
 * on top of the faulting code, on its stack, with its registers and extended
 * state saved; what it changes in the frame is what the code goes on with.
 */
#ifndef PVGUEST_TRAP_H
#define PVGUEST_TRAP_H

#include <stdbool.h>
#include <stdint.h>

#define TRAP_NR 32 /* exceptions have vectors below */

struct trap_frame {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
    uint64_t rax, rcx, rdx, rsi, rdi;
    uint64_t vector, error; /* error 0 where the vector has none */
    uint64_t rip, cs, rflags, rsp, ss;
};

/* True: resume from the frame. False: not mine, report and end. */
typedef bool (*trap_fn)(struct trap_frame *frame);

/* Have (fn) handle (vector); NULL ends that. Returns the one before. */
trap_fn trap_handle(unsigned vector, trap_fn fn);

/* The address of the last page fault (CR2), for vector 14's handler. */
uint64_t trap_fault_address(void);

#endif
