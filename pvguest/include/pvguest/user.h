/*
 * pvguest/user.h: user mode.
 *
 * A program in user mode is called like a function that comes back when the
 * program cannot go on by itself: it made a system call, it faulted, or an
 * event came. Nothing of the kernel is visible to it but what the page tables
 * in use show: as PV those that MMUEXT_NEW_USER_BASEPTR named last, as PVH
 * those in CR3. Setting them up, and which are in use, is the caller's.
 *
 *     for (;;) {
 *         switch (user_run(&state)) {
 *         case USER_EVENT:   thread_yield(); break;   (dispatches it)
 *         case USER_SYSCALL: ... state.registers.rax ...; break;
 *         default:           (an exception: its vector)
 *         }
 *     }
 *
 * The kernel keeps the model of pvguest/event.h: events are dispatched where
 * threads wait, not between any two of its instructions. In user mode they are
 * let in, so a program that computes for ever is interrupted by the next timer.
 */
#ifndef PVGUEST_USER_H
#define PVGUEST_USER_H

#include <stdbool.h>
#include <stdint.h>

#include <pvguest/trap.h>

/* What user_run returns beside the exceptions, which are below TRAP_NR. */
#define USER_EVENT   256
#define USER_SYSCALL 257

#define USER_EXTENDED 2752 /* x87, SSE, AVX, AVX-512 as XSAVE lays them out */

/*
 * All that a program has of the CPU while it does not run. (registers.vector)
 * and (.error) say why it was left. By a SYSCALL instruction it comes with the
 * registers of the moment, RIP behind the instruction; RCX and R11 are lost to
 * the program, as the instruction has it.
 */
struct user_state {
    struct trap_frame registers __attribute__((aligned(64)));
    uint8_t extended[USER_EXTENDED] __attribute__((aligned(64)));
};

/*
 * Once on each vCPU, before its first user_run: where the hypervisor, or the
 * CPU, enters the kernel. False if the hypervisor refuses.
 */
bool user_enable(void);

/* Make (state) a program that begins at (ip), its stack at (sp), all else 0. */
void user_prepare(struct user_state *state, uint64_t ip, uint64_t sp);

/*
 * Run it until it is left, and return why. What of (state) would give it more
 * rights than a user's (flags, selectors) is set right.
 */
uint64_t user_run(struct user_state *state);

#endif
