/*
 * How a PV64 builder finds and starts the image: the Xen ELF notes, the
 * hypercall page it fills, and the first instructions.
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

/* Filled by the builder (hypercall/calls.h). */
    .section .text.hypercall_page, "ax"
    .global hypercall_page
    .type hypercall_page, @function
    .balign 4096
hypercall_page:
    .skip 4096, 0x90
    .size hypercall_page, 4096

/*
 * RSI is start_info, RSP the end of the boot stack, which is also the end of
 * all that the builder put into memory.
 */
    .section .text.start, "ax"
    .global _start
    .type _start, @function
_start:
    cld
    mov %rsi, %rdi
    mov %rsp, %rsi
    mov $guest_stack_top, %rsp
    xor %ebp, %ebp
    call guest_start
    ud2
    .size _start, . - _start

    .section .note.GNU-stack, "", @progbits
