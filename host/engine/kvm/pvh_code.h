/*
 * host/engine/kvm/pvh_code.h: the instructions by which a PVH guest calls.
 *
 * A hypercall is an `out` here, because every KVM hands that to us. Kernels
 * that execute VMCALL or VMMCALL themselves (Linux since the fixes of XSA-466)
 * would call KVM instead: in their images these are replaced.
 */
#ifndef HOST_ENGINE_KVM_PVH_CODE_H
#define HOST_ENGINE_KVM_PVH_CODE_H

#include <stddef.h>
#include <stdint.h>

#include "host/memory.h"

/* Fill a hypercall page. */
void pvh_write_page(uint8_t page[PAGE_SIZE]);

/*
 * Replace VMCALL and VMMCALL in the (len) bytes of (code), which lie at (at),
 * where one is surely the whole of a function: at its start, on a boundary of
 * 16 bytes or behind an ENDBR64 there, with a return behind (RET, a jump to a
 * return thunk, INT3). Returns how many.
 */
unsigned pvh_replace_calls(uint8_t *code, size_t len, uint64_t at);

#endif
