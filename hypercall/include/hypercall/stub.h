/*
 * hypercall/stub.h: the hypercall page, and a call of any number through it.
 *
 * For x86-64 guests that were given a hypercall page: 4096 bytes of stubs at
 * the symbol hypercall_page, which the image reserves and names in its Xen
 * notes. Stub (nr) is at hypercall_page + 32 * nr; arguments go in RDI, RSI,
 * RDX, R10, R8 and the result comes back in RAX.
 *
 * - The argument registers a call used are lost, all others are kept.
 * - A stub pushes on the caller's stack, unseen by the compiler: everything
 *   that includes this file is compiled with -mno-red-zone.
 * - Any return from a call is a moment at which pending events may be
 *   delivered, and a long call may be interrupted by one and resumed.
 *
 * In assembly files only HYPERCALL_STUB() is defined. iret has no C function:
 * it does not return and is jumped to, never called, with RSP at a frame of
 * {flags, rip, cs, rflags, rsp, ss} (struct iret_context after its three
 * registers, which the stub pushes itself) and all registers as the new
 * context wants them:
 *
 *     jmp HYPERCALL_STUB(__HYPERVISOR_iret)
 */
#ifndef HYPERCALL_STUB_H
#define HYPERCALL_STUB_H

#ifndef __ASSEMBLY__
#include <stdint.h>
#endif

#include <xen/xen.h>

#if __XEN_INTERFACE_VERSION__ < 0x00040700
#error "define __XEN_INTERFACE_VERSION__ as 0x00040e00 for all of the program"
#endif

#define HYPERCALL_STUB_SIZE 32
#define HYPERCALL_STUB(nr)  (hypercall_page + (nr)*HYPERCALL_STUB_SIZE)

#ifndef __ASSEMBLY__

extern char hypercall_page[];

/*
 * One hypercall with one to five arguments. (nr) is a constant. The memory
 * clobber: any call may read and write what its arguments point to, and an
 * upcall may run before it returns.
 */
#define HYPERCALL_1(nr, a1)                                       \
    ({                                                            \
        unsigned long rdi_ = (unsigned long)(a1);                 \
        long rax_;                                                \
        __asm__ volatile("call hypercall_page + %c[offset]"       \
                         : "=a"(rax_), "+D"(rdi_)                 \
                         : [offset] "i"((nr)*HYPERCALL_STUB_SIZE) \
                         : "memory");                             \
        rax_;                                                     \
    })

#define HYPERCALL_2(nr, a1, a2)                                   \
    ({                                                            \
        unsigned long rdi_ = (unsigned long)(a1);                 \
        unsigned long rsi_ = (unsigned long)(a2);                 \
        long rax_;                                                \
        __asm__ volatile("call hypercall_page + %c[offset]"       \
                         : "=a"(rax_), "+D"(rdi_), "+S"(rsi_)     \
                         : [offset] "i"((nr)*HYPERCALL_STUB_SIZE) \
                         : "memory");                             \
        rax_;                                                     \
    })

#define HYPERCALL_3(nr, a1, a2, a3)                                       \
    ({                                                                    \
        unsigned long rdi_ = (unsigned long)(a1);                         \
        unsigned long rsi_ = (unsigned long)(a2);                         \
        unsigned long rdx_ = (unsigned long)(a3);                         \
        long rax_;                                                        \
        __asm__ volatile("call hypercall_page + %c[offset]"               \
                         : "=a"(rax_), "+D"(rdi_), "+S"(rsi_), "+d"(rdx_) \
                         : [offset] "i"((nr)*HYPERCALL_STUB_SIZE)         \
                         : "memory");                                     \
        rax_;                                                             \
    })

#define HYPERCALL_4(nr, a1, a2, a3, a4)                                    \
    ({                                                                     \
        unsigned long rdi_ = (unsigned long)(a1);                          \
        unsigned long rsi_ = (unsigned long)(a2);                          \
        unsigned long rdx_ = (unsigned long)(a3);                          \
        register unsigned long r10_ __asm__("r10") = (unsigned long)(a4);  \
        long rax_;                                                         \
        __asm__ volatile("call hypercall_page + %c[offset]"                \
                         : "=a"(rax_), "+D"(rdi_), "+S"(rsi_), "+d"(rdx_), \
                           "+r"(r10_)                                      \
                         : [offset] "i"((nr)*HYPERCALL_STUB_SIZE)          \
                         : "memory");                                      \
        rax_;                                                              \
    })

#define HYPERCALL_5(nr, a1, a2, a3, a4, a5)                                \
    ({                                                                     \
        unsigned long rdi_ = (unsigned long)(a1);                          \
        unsigned long rsi_ = (unsigned long)(a2);                          \
        unsigned long rdx_ = (unsigned long)(a3);                          \
        register unsigned long r10_ __asm__("r10") = (unsigned long)(a4);  \
        register unsigned long r8_ __asm__("r8") = (unsigned long)(a5);    \
        long rax_;                                                         \
        __asm__ volatile("call hypercall_page + %c[offset]"                \
                         : "=a"(rax_), "+D"(rdi_), "+S"(rsi_), "+d"(rdx_), \
                           "+r"(r10_), "+r"(r8_)                           \
                         : [offset] "i"((nr)*HYPERCALL_STUB_SIZE)          \
                         : "memory");                                      \
        rax_;                                                              \
    })

#endif

#endif
