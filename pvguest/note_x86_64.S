/*
 * How builders find the two entries of the image: the Xen ELF notes, and the
 * hypercall page that either ABI has filled.
 */
#define __ASSEMBLY__
#include <xen/elfnote.h>
#include <xen/features.h>

.macro note_string type, text
    .balign 4
    .long 4, 2f - 1f, \type
    .asciz "Xen"
1:  .asciz "\text"
2:  .balign 4
.endm

.macro note_number type, value
    .balign 4
    .long 4, 8, \type
    .asciz "Xen"
    .quad \value
.endm

    .section .note.Xen, "a", @note
    note_string XEN_ELFNOTE_GUEST_OS, "Paravane"
    note_string XEN_ELFNOTE_GUEST_VERSION, "0.1"
    note_string XEN_ELFNOTE_LOADER, "generic"
    note_string XEN_ELFNOTE_XEN_VERSION, "xen-3.0"
    note_string XEN_ELFNOTE_FEATURES, "dom0"
    note_number XEN_ELFNOTE_SUPPORTED_FEATURES, (1 << XENFEAT_dom0)
    note_number XEN_ELFNOTE_VIRT_BASE, guest_virt_base
    note_number XEN_ELFNOTE_PADDR_OFFSET, 0 /* p_paddr is physical */
    note_number XEN_ELFNOTE_ENTRY, _start
    note_number XEN_ELFNOTE_HYPERCALL_PAGE, hypercall_page
    note_number XEN_ELFNOTE_PHYS32_ENTRY, pvh_entry_phys

/* Filled by the builder, or when PVH asks for it (hypercall/calls.h). */
    .section .text.hypercall_page, "ax"
    .global hypercall_page
    .type hypercall_page, @function
    .balign 4096
hypercall_page:
    .skip 4096, 0x90
    .size hypercall_page, 4096

    .section .note.GNU-stack, "", @progbits
