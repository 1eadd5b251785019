/*
 * pvguest/user_entry.h: what C and assembly share of the way to user mode and
 * back. (private)
 */
#ifndef PVGUEST_USER_ENTRY_H
#define PVGUEST_USER_ENTRY_H

#define USER_FRAME_SIZE  176
#define USER_EXTENDED_AT 192 /* in struct user_state */
#define ENTRY_KERNEL_SP  176 /* in struct user_entry */
#define ENTRY_STATE      184
#define ENTRY_USER_SP    192

#define VECTOR_SYSCALL 257

/* The parts of the extended state that fit: x87, SSE, AVX, AVX-512. */
#define USER_XSAVE_PARTS 0xe7

#ifndef __ASSEMBLY__
#include <pvguest/user.h>

#include <stddef.h>

/*
 * Of a vCPU, which enters the kernel with its stack at the end of (frame).
 * Nothing else is ever on that stack.
 */
struct user_entry {
    struct trap_frame frame;
    void *kernel_sp;          /* where user_enter was called */
    struct user_state *state; /* of whom runs */
    uint64_t user_sp;         /* where PVH's SYSCALL keeps it */
} __attribute__((aligned(64)));

/* user_x86_64.S */
void user_enter(struct user_state *state, struct user_entry *entry);
extern bool user_enabled;  /* else who goes there sees to it himself */
extern bool user_xsave;    /* else FXSAVE */
extern bool user_swaps_gs; /* as PVH: the kernel's GS base is one of two */
#endif

#endif
