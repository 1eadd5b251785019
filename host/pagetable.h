/*
 * host/pagetable.h: the guest's page tables as Xen keeps them honest.
 *
 * A frame in use has a *type*: a table of one level, a descriptor page, or
 * writable; types exclude each other while (uses) > 0. Each present L1 entry
 * with RW is one use of its target as writable; each present entry above is
 * one use of the table below. To become a table a frame is *validated*: all
 * its entries are taken, recursively; when its last use goes they are put.
 *
 * The tables lie in guest memory, and the guest has them mapped read-only.
 * Should it write to them all the same (an engine may not keep it from doing
 * so), the counts are wrong to its own harm: every step here is checked
 * against the frame's record, and no entry can name a foreign frame.
 *
 * What takes or puts many tables goes by turns: after some of them the domain's
 * lock is dropped. A table that is only half validated, or half taken apart, is
 * (changing): it has its type and one use, nobody else writes to it (-EINVAL),
 * and who wants it as the same type waits. One on the way to its new addresses
 * is (linking): it is in use as before, and who wants it waits. A vCPU waits
 * only for tables of lower levels than those it holds so, which ends.
 *
 * Other vCPUs may know old translations of a page as writable. Before it is
 * validated as a table those forget them that did not since.
 *
 * An engine caches translations (the process's mappings, a shadow); each
 * change of a present entry tells it what to forget. (linked_at) in the record
 * of a table is where it starts in the guest's address space.
 */
#ifndef HOST_PAGETABLE_H
#define HOST_PAGETABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "host/memory.h"

struct domain;
struct vcpu;

#define PTE_PRESENT  (UINT64_C(1) << 0)
#define PTE_RW       (UINT64_C(1) << 1)
#define PTE_USER     (UINT64_C(1) << 2)
#define PTE_ACCESSED (UINT64_C(1) << 5)
#define PTE_DIRTY    (UINT64_C(1) << 6)
#define PTE_PSE      (UINT64_C(1) << 7)
#define PTE_GLOBAL   (UINT64_C(1) << 8)
#define PTE_AVAIL    (UINT64_C(7) << 9)
#define PTE_GUEST    (UINT64_C(1) << 52) /* Xen's mark: was without USER */
#define PTE_AVAIL_HI (UINT64_C(0x7ff) << 52)
#define PTE_NX       (UINT64_C(1) << 63)
#define PTE_MFN_MASK UINT64_C(0x000ffffffffff000)

/*
 * Take over the tables the builder made: vcpu->cr3 is validated, pinned as L4
 * and in use as the base. 0 or what pagetable_pin returns.
 */
int pagetable_adopt(struct vcpu *vcpu);

/*
 * Pin (mfn) as a table of (level) 1 to 4: 0; -EINVAL if it is pinned already,
 * cannot take the type, or has an entry with bad bits; -EBUSY if an L1 entry
 * maps a table writable or a frame that is not the domain's; -EPERM if one
 * maps what is no RAM; -EINTR if the domain ended. Others may have their turn
 * meanwhile, as in all that follows but for entries of L1 tables.
 */
int pagetable_pin(struct vcpu *vcpu, mfn_t mfn, unsigned level);

/* 0, or -EINVAL if it is not pinned. */
int pagetable_unpin(struct vcpu *vcpu, mfn_t mfn);

/* MMUEXT_NEW_BASEPTR: errors as pagetable_pin. */
int pagetable_set_base(struct vcpu *vcpu, mfn_t l4);

/* One more use of (l4) as a base: errors as pagetable_pin; and one less. */
int pagetable_use(struct vcpu *vcpu, mfn_t l4);
void pagetable_leave(struct vcpu *vcpu, mfn_t l4);

/* MMUEXT_NEW_USER_BASEPTR; 0 for none. */
int pagetable_set_user_base(struct vcpu *vcpu, mfn_t l4);

/*
 * Where the L1 entry for (va) lies, by the tables in use: 0, or -EINVAL when
 * there is no L1 table for it or (va) is the hypervisor's.
 */
int pagetable_find(const struct vcpu *vcpu, uint64_t va, maddr_t *pte_addr);

/*
 * Write one entry, at (pte_addr), 8-aligned: validated if it lies in a table,
 * a plain store if it lies in the domain's other memory, else -EINVAL.
 * (keep_ad): accessed and dirty stay if they are set. Errors as pagetable_pin.
 */
int pagetable_write(struct vcpu *vcpu, maddr_t pte_addr, uint64_t val,
                    bool keep_ad);

/*
 * May the guest write (val) at (pte_addr) when it says that what it maps
 * belongs to DOMID_IO? 0, and then as ever: an entry that changes nothing, or
 * none of an L1. Devices have no memory here, and the guest's own is its own.
 */
int pagetable_check_io(const struct vcpu *vcpu, maddr_t pte_addr, uint64_t val);

/* The same for the L1 entry of a known (va). */
int pagetable_write_at(struct vcpu *vcpu, uint64_t va, uint64_t val);

/*
 * One more use of (mfn) as TYPE_WRITABLE or TYPE_DESC: false if it is not the
 * guest's or is in use as something else.
 */
bool frame_take_type(struct domain *dom, mfn_t mfn, enum frame_type type);
void frame_put_type(struct domain *dom, mfn_t mfn, enum frame_type type);

/* May the host write (mfn) on the guest's behalf: its own and no table? */
bool frame_is_writable(const struct domain *dom, mfn_t mfn);

/* Does (va) lie where guests may have mappings? */
bool va_is_guest(uint64_t va);

#endif
