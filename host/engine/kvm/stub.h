/*
 * host/engine/kvm/stub.h: what lies beside the guest in its VM.
 *
 * A few pages of ours, in the L4 slots that Xen reserves for itself: the IDT
 * and one `out` per vector, so that every trap of ring 3 leaves the VM; for
 * each vCPU its GDT, TSS and stack; the M2P table for the guest to read; and a
 * window over all frames through which ring 0 touches page-table entries that
 * the host wrote, because a KVM that shadows page tables sees only writes from
 * inside.
 *
 * Slot 256, Xen's own place for the M2P table, is filled as well, but one KVM
 * cannot show it to ring 3: guests are told of slot 258.
 */
#ifndef HOST_ENGINE_KVM_STUB_H
#define HOST_ENGINE_KVM_STUB_H

/* The only port of the VM. For this one, every KVM moves RIP past the `out`
 * before it exits (KVM_X86_QUIRK_OUT_7E_INC_RIP). */
#define STUB_PORT 0x7e

#define STUB_FIRST_SLOT  256
#define STUB_LAST_SLOT   271
#define STUB_WINDOW_SLOT 259

#define STUB_VA        0xffff808000000000
#define STUB_CPU_SHIFT 21 /* each vCPU's part, behind what they share */
#define STUB_M2P_VA    0xffff810000000000
#define STUB_WINDOW_VA 0xffff818000000000

/* Bytes from one vector's entry to the next; the `out` takes two. */
#define STUB_VECTOR_SIZE 4

/* Pages of a vCPU's part: its stack, its entry of SYSCALL, its short paths, and
 * one where another of ours can be shown (probe.c). */
#define STUB_STACK_PAGE 1
#define STUB_ENTRY_PAGE 7
#define STUB_CODE_PAGE  8
#define STUB_SPARE_PAGE 80

/* Vectors with a gate into the short paths, and their size there. */
#define STUB_NR_GATES  20
#define STUB_GATE_SIZE 32
#define STUB_SYSCALL   0x100 /* in place of a vector */

/* Selectors of the GDT's last page, which is Xen's in every GDT. */
#define STUB_CS  0xe008
#define STUB_SS  0xe010
#define STUB_TR  0xe040
#define STUB_LDT 0xe050 /* no descriptor: it is loaded from outside */

/*
 * Struct stub_path by offsets, for the code of the short paths; stub.c holds
 * them against the struct. Its page is the one behind that code.
 */
#define PATH_BOUNCE         0x00
#define PATH_IRET           0x08
#define PATH_CALLS          0x10
#define PATH_USER           0x18
#define PATH_RAX            0x20
#define PATH_RBX            0x28
#define PATH_RCX            0x30
#define PATH_RDX            0x38
#define PATH_R11            0x40
#define PATH_RSP            0x48
#define PATH_FROM_USER      0x50
#define PATH_VECTOR         0x58
#define PATH_TRAP           0x60
#define PATH_CR2            0x90
#define PATH_CR3            0x98
#define PATH_GS             0xa8
#define PATH_INFO           0xb8
#define PATH_KERNEL_SS      0xc0
#define PATH_KERNEL_SP      0xc8
#define PATH_CALLBACK       0xd0
#define PATH_CALLBACK_MASKS 0xd8
#define PATH_HANDLERS       0xe0
#define PATH_MASKING        0x180
#define PATH_IOPL           0x188
#define PATH_IOPL_MASK      0x190
#define PATH_GUEST_CR2      0x198
#define PATH_COUNT          0x1a0
#define PATH_NEW_RAX        0x1a8
#define PATH_NEW_RCX        0x1b0
#define PATH_MASKS          0x1b8
#define PATH_MASK           0x1c0
#define PATH_HAS_ERROR      0x1c8
#define PATH_KEEP           0x1d0
#define PATH_FRAME          0x800

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/engine/kvm/deputy.h"
#include "host/memory.h"
#include "host/vcpu.h"

#define STUB_TSS_LIMIT 0x7f /* its last byte: the I/O bitmap ends there */

#define STUB_TOUCHES 2048 /* entries of (touched) */

/* Vectors whose gates lead to short paths: those that are nobody's but the
 * guest's, 0, 3-5, 11, 12, 14, 16, 17, 19. */
#define STUB_GATES 0xb5839u

/* What the helper pops on its way back to the guest. */
struct stub_return {
    uint64_t rax, rcx, rbx, rsi;
    uint64_t rip, cs, rflags, rsp, ss;
};

/* What the CPU pushes on its way in, the top of the stack. */
struct stub_frame {
    uint64_t error; /* for the vectors that have one */
    uint64_t rip, cs, rflags, rsp, ss;
};

/*
 * What the short paths need of one vCPU (path.c). The first part is the host's
 * to fill before each entry; what the VM changes of it is taken back at each
 * exit. [0] is the kernel's, [1] the user programs'.
 */
struct stub_path {
    uint64_t may_bounce, may_iret, may_call; /* by the path that is theirs */
    uint64_t user_mode;
    uint64_t rax, rbx, rcx, rdx, r11, rsp; /* as they were when it began */
    uint64_t from_user, vector;            /* the same; or STUB_SYSCALL */
    struct stub_frame trap;
    uint64_t cr2;
    uint64_t cr3[2], gs_base[2];
    uint64_t info; /* struct vcpu_info, in the window */
    uint64_t kernel_ss, kernel_sp;
    uint64_t callback, callback_masks;
    uint64_t handlers[STUB_NR_GATES], masking; /* one bit each */
    uint64_t iopl, iopl_mask; /* RFLAGS of frames, with the assist */
    uint64_t guest_cr2;
    uint64_t count; /* what did not leave the VM */
    uint64_t new_rax, new_rcx, masks, mask, has_error, keep; /* on the way */
    uint8_t room[PATH_FRAME - PATH_KEEP - 8];
    uint64_t rip, cs, rflags, new_rsp, ss; /* for IRETQ */
    uint8_t more_room[PAGE_SIZE - PATH_FRAME - 40];
};

/* What the vCPUs share: whole pages, as the guest has them at STUB_VA. */
struct stub_pages {
    uint64_t idt[512];
    uint64_t no_gdt[512];  /* in place of the guest's own pages, without any */
    uint8_t code[4096];    /* ring 0: one entry per vector, the helper */
    uint8_t syscall[4096]; /* ring 3 may run it: CSTAR, some helpers */
    uint8_t deputy[4096];  /* where ring 0 is emulated, at LSTAR */
    uint64_t l1[512];      /* of these pages; the other tables are behind */
};

/* What is one vCPU's: whole pages, as the guest has them at stub_cpu_va(id). */
struct stub_cpu {
    uint8_t tss[4096];
    union {
        uint8_t stack[4096];
        struct {
            uint8_t below[2048]; /* should the helper trap */
            struct stub_return ret;
            uint8_t room[2048 - sizeof(struct stub_return) -
                         sizeof(struct stub_frame)];
            struct stub_frame frame;
        };
    };
    uint64_t gdt[512];              /* the last page of the GDT */
    uint64_t touched[STUB_TOUCHES]; /* window addresses */
    uint8_t entry[4096];            /* at LSTAR elsewhere */
    uint8_t code[4096];             /* the short paths, and then ... */
    struct stub_path path;
    uint64_t idt[512]; /* with gates to the code */
    struct deputy deputy;
    uint64_t l1[512]; /* of these pages */
};

/* Pages from a vCPU's first to its GDT, which is fifteen more. */
#define STUB_GDT_PAGE 64

/* And to its LDT, sixteen pages that come one by one. */
#define STUB_LDT_PAGE 96

struct stub {
    struct stub_pages *pages; /* host's view */
    struct stub_cpu *cpus;    /* behind them */
    unsigned nr_cpus;
    size_t size; /* with the tables behind */
    uint64_t gpa;
    uint64_t m2p_gpa;
    uint64_t l4[STUB_LAST_SLOT - STUB_FIRST_SLOT + 1]; /* of every L4 */
    unsigned nr_l4;
    bool has_deputy;
    uint64_t deputy_l4;  /* the last slot, of kernels alone */
    uint64_t *deputy_l1; /* the deputy's pages */
    uint64_t frames_gpa; /* of the frames' records; and their size */
    size_t frames_size;
    size_t next_table; /* pages */
};

/*
 * Make the stub for (mem) and (nr_cpus) vCPUs: its pages and tables, to lie at
 * (gpa) on and the M2P table behind it; then the frames' records, if it is to
 * have a (deputy). 0, or -errno with a sentence logged.
 */
int stub_create(struct stub *stub, const struct memory *mem, unsigned nr_cpus,
                uint64_t gpa, bool deputy);
void stub_destroy(struct stub *stub);

/* Whoever uses an L4 sees our slots, but not all of them. */
enum stub_view {
    STUB_KERNEL,
    STUB_BOTH, /* without the deputy's */
    STUB_USER, /* nor the M2P table's */
};

/*
 * Fill our slots of (l4). Returns those that had something else before, a bit
 * each: a shadow of them has to be told.
 */
uint32_t stub_install(const struct stub *stub, uint64_t *l4,
                      enum stub_view view);

/* Show the deputy of vCPU (id) its struct vcpu_info in (mfn): true if it was
 * elsewhere. And where the entry for that is. */
bool stub_show_info(struct stub *stub, unsigned id, mfn_t mfn);
uint64_t stub_info_entry(const struct stub *stub, unsigned id);

/* Show (vcpu) the guest's own pages of its GDT. */
void stub_set_gdt(struct stub *stub, const struct vcpu *vcpu);

/* Where the guest has the part of vCPU (id). */
static inline uint64_t stub_cpu_va(unsigned id)
{
    return STUB_VA + ((uint64_t)(id + 1) << STUB_CPU_SHIFT);
}

/* Show (vcpu) page (i) of its LDT; none if (mfn) is 0. */
void stub_set_ldt_page(struct stub *stub, const struct vcpu *vcpu, unsigned i,
                       mfn_t mfn);

/* The same for a page of the LDT. */
uint64_t stub_ldt_entry(const struct stub *stub, unsigned id, unsigned i);

/* Where the GDT page that shows the guest's page (i) is mapped from. */
uint64_t stub_gdt_entry(const struct stub *stub, unsigned id, unsigned i);

/* stub_x86_64.S: the code pages' contents. */
extern const char stub_code[], stub_code_end[];
extern const char stub_helper[], stub_touch[];
extern const char stub_touch_end[];
extern const char stub_syscall[], stub_syscall32[], stub_syscall_end[];
extern const char stub_selectors[], stub_selectors_out[];
extern const char stub_ask[];

/* stub_path_x86_64.S: one vCPU's entry of SYSCALL. It begins with a jump; where
 * to is its second byte, and can be changed while the vCPU is stopped. */
extern const char stub_entry[], stub_entry_out[], stub_entry_path[];
extern const char stub_probe[], stub_probe_out[], stub_entry_end[];

/* stub_path_x86_64.S: one vCPU's code of the short paths. Each starts where all
 * registers are kept, and leaves by an `out` of its own what is the host's. */
extern const char stub_path[], stub_path_end[], stub_path_leave[];
extern const char stub_gates[], stub_trap[], stub_trap_kept[];
extern const char stub_bounce[], stub_frame[], stub_frame_leave[];
extern const char stub_frame_gs[], stub_frame_mask[], stub_frame_end[];
extern const char stub_iret[], stub_iret_gs[], stub_iret_end[], stub_call[];

/* Where vCPU (id) has a place in that. */
static inline uint64_t stub_path_va(unsigned id, const char *label)
{
    return stub_cpu_va(id) + offsetof(struct stub_cpu, code) +
           (uint64_t)(label - stub_path);
}

/* The same for its entry. */
static inline uint64_t stub_entry_va(unsigned id, const char *label)
{
    return stub_cpu_va(id) + offsetof(struct stub_cpu, entry) +
           (uint64_t)(label - stub_entry);
}

/*
 * stub_tables.c: gates for all vectors to what all vCPUs share; what vCPU (id)
 * needs beside these; and its short paths, which its entry leads to from now
 * on: their pages are not touched where there are none.
 */
void stub_fill_idt(uint64_t *idt);
void stub_fill_cpu(struct stub_cpu *own, unsigned id);
void stub_fill_paths(struct stub_cpu *own, unsigned id);

/* Let the entry of (own) lead to (label), of the same page. */
void stub_lead_to(struct stub_cpu *own, const char *label);

/* Show the vCPU (id) the page (shown) of ours as its spare one; none if that is
 * NULL. A KVM that shadows page tables does not see it. */
void stub_show_spare(struct stub *stub, unsigned id, const void *shown);

/* deputy_x86_64.S: by where it was left, what has become of a call. */
extern const char deputy_code[], deputy_code_end[];
extern const char deputy_keeps[], deputy_kept[], deputy_done[];
extern const char deputy_iret[], deputy_iret_done[];

/* Where the guest has a place in deputy_code. */
static inline uint64_t stub_deputy_va(const char *label)
{
    return STUB_VA + offsetof(struct stub_pages, deputy) +
           (uint64_t)(label - deputy_code);
}

/* Where the guest has a place in stub_code. */
static inline uint64_t stub_code_va(const char *label)
{
    return STUB_VA + offsetof(struct stub_pages, code) +
           (uint64_t)(label - stub_code);
}

/* Where it has one in stub_syscall. */
static inline uint64_t stub_syscall_va(const char *label)
{
    return STUB_VA + offsetof(struct stub_pages, syscall) +
           (uint64_t)(label - stub_syscall);
}

#endif
#endif
