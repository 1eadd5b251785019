/*
 * User mode: what both ABIs share of it.
 */
#include <pvguest/user.h>

#include <string.h>

#include "abi.h"
#include "internal.h"
#include "this_vcpu.h"

/* CF PF AF ZF SF TF DF OF RF AC ID: what a program may set. */
#define FLAGS_USER  0x250dd5ull
#define FLAGS_FIXED 0x202ull /* bit 1, and IF: events come in */

#define FPU_CONTROL_AT 0
#define MXCSR_AT       24
#define FPU_CONTROL    0x37f
#define MXCSR          0x1f80

_Static_assert(sizeof(struct trap_frame) == USER_FRAME_SIZE,
               "entry_x86_64.S copies a whole frame");
_Static_assert(offsetof(struct user_state, extended) == USER_EXTENDED_AT,
               "entry_x86_64.S saves the extended state there");
_Static_assert(offsetof(struct user_entry, kernel_sp) == ENTRY_KERNEL_SP &&
                   offsetof(struct user_entry, state) == ENTRY_STATE &&
                   offsetof(struct user_entry, user_sp) == ENTRY_USER_SP &&
                   offsetof(struct guest_vcpu, user) == VCPU_USER,
               "assembly finds them there");

bool user_enable(void)
{
    user_xsave = trap_state_size() > FXSAVE_SIZE;
    user_swaps_gs = guest_abi->is_pvh;
    user_enabled = guest_abi->enable_user(this_vcpu());
    return user_enabled;
}

void user_prepare(struct user_state *state, uint64_t ip, uint64_t sp)
{
    const uint16_t control = FPU_CONTROL;
    const uint32_t mxcsr = MXCSR;

    memset(state, 0, sizeof *state);
    state->registers.rip = ip;
    state->registers.rsp = sp;
    memcpy(state->extended + FPU_CONTROL_AT, &control, sizeof control);
    memcpy(state->extended + MXCSR_AT, &mxcsr, sizeof mxcsr);
}

uint64_t user_run(struct user_state *state)
{
    struct trap_frame *r = &state->registers;

    timer_program(); /* which is told of late otherwise */
    r->rflags = (r->rflags & FLAGS_USER) | FLAGS_FIXED;
    r->cs = guest_abi->user_cs;
    r->ss = guest_abi->user_ss;
    user_enter(state, &this_vcpu()->user);
    return r->vector;
}
