/*
 * The first instructions as PVH: 32-bit protected mode, paging off, EBX at the
 * builder's struct hvm_start_info, and nothing else to stand on. Everything
 * has to be named by physical address here (guest.ld), and all that the
 * builder left in memory is copied, because it lies in what will be free.
 */
#include "selector.h"

#define INFO_MODULES  12 /* offsets in struct hvm_start_info */
#define INFO_MODLIST  16
#define INFO_CMDLINE  24
#define INFO_MEMMAP   40
#define INFO_NR       48
#define INFO_SIZE     56
#define CMDLINE_SIZE  1023 /* leaves a NUL */
#define MEMMAP_MAX    128
#define MEMMAP_SIZE   24
#define MODULE_SIZE   32

#define CR0_START     0x80010033 /* PG WP NE ET MP PE */
#define CR4_START     0x00000620 /* OSXMMEXCPT OSFXSR PAE */
#define MSR_EFER      0xc0000080
#define EFER_LME      0x100

#define ENTRY_TABLE   0x23  /* present, writable, used */
#define ENTRY_2MIB    0xe3  /* and dirty, large */
#define SIZE_2MIB     0x200000


    .section .text.start, "ax"
    .code32
    .global pvh_entry
    .type pvh_entry, @function
pvh_entry:
    cld
    mov %ebx, %esi
    mov $pvh_info_phys, %edi
    mov $INFO_SIZE, %ecx
    rep movsb

    /* What lies beyond 4 GiB is not to be seen from here: none. */
    mov INFO_CMDLINE(%ebx), %esi
    test %esi, %esi
    jz 1f
    cmpl $0, INFO_CMDLINE + 4(%ebx)
    jne 1f
    mov $pvh_command_line_phys, %edi
    mov $CMDLINE_SIZE, %ecx
    rep movsb
1:
    cmpl $0, INFO_MODULES(%ebx)
    je 1f
    cmpl $0, INFO_MODLIST + 4(%ebx)
    jne 1f
    mov INFO_MODLIST(%ebx), %esi
    mov $pvh_module_phys, %edi
    mov $MODULE_SIZE, %ecx
    rep movsb
1:
    mov INFO_MEMMAP(%ebx), %esi
    mov INFO_NR(%ebx), %ecx
    cmpl $0, INFO_MEMMAP + 4(%ebx)
    jne 2f
    cmp $MEMMAP_MAX, %ecx
    jbe 1f
    mov $MEMMAP_MAX, %ecx
1:  mov %ecx, pvh_nr_memmap_phys
    imul $MEMMAP_SIZE, %ecx, %ecx
    mov $pvh_memmap_phys, %edi
    rep movsb
2:
    /*
     * The first GiB, less what the L2 is short of, where it is linked; and its
     * first 2 MiB where it lies, for as long as it takes to get there.
     */
    mov $pvh_l3_phys + ENTRY_TABLE, %eax
    mov $pvh_l4_slot, %edi
    mov %eax, pvh_l4_phys
    mov %eax, pvh_l4_phys(%edi)
    mov $pvh_l2_phys + ENTRY_TABLE, %eax
    mov $pvh_l3_slot, %edi
    mov %eax, pvh_l3_phys
    mov %eax, pvh_l3_phys(%edi)
    mov $ENTRY_2MIB, %eax
    mov $pvh_l2_slot, %edi
    mov %eax, pvh_l2_phys
1:  mov %eax, pvh_l2_phys(%edi)
    add $SIZE_2MIB, %eax
    add $8, %edi
    cmp $4096, %edi
    jb 1b

    mov $CR4_START, %eax
    mov %eax, %cr4
    mov $pvh_l4_phys, %eax
    mov %eax, %cr3
    mov $MSR_EFER, %ecx
    rdmsr
    or $EFER_LME, %eax
    wrmsr
    mov $CR0_START, %eax
    mov %eax, %cr0
    lgdt pvh_gdt_low_phys
    ljmp $SELECTOR_CODE, $pvh_long_mode_phys

    .code64
    .global pvh_long_mode
pvh_long_mode:
    movabs $1f, %rax
    jmp *%rax
1:  lgdt pvh_gdt_high(%rip)
    mov $SELECTOR_DATA, %eax
    mov %eax, %ss
    mov %eax, %ds
    mov %eax, %es
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov $guest_stack_top, %rsp
    xor %ebp, %ebp
    call pvh_start
    ud2
    .size pvh_entry, . - pvh_entry

/* selector.h; the TSS is cpu.c's. */
    .data
    .balign 16
    .global pvh_gdt, pvh_gdt_low
pvh_gdt:
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
    .quad 0
    .quad 0
    .quad 0x00cff3000000ffff
    .quad 0x00affb000000ffff
pvh_gdt_end:
pvh_gdt_low:
    .word pvh_gdt_end - pvh_gdt - 1
    .long pvh_gdt_phys
pvh_gdt_high:
    .word pvh_gdt_end - pvh_gdt - 1
    .quad pvh_gdt

    .section .bss_pages, "aw", @nobits
    .balign 4096
    .global pvh_l4, pvh_l3, pvh_l2
pvh_l4:
    .skip 4096
pvh_l3:
    .skip 4096
pvh_l2:
    .skip 4096

    .section .note.GNU-stack, "", @progbits
