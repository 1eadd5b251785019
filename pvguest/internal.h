/*
 * pvguest/internal.h: what the files of the library share. (private)
 */
#ifndef PVGUEST_INTERNAL_H
#define PVGUEST_INTERNAL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pvguest/trap.h>

#include <xen/xen.h>

/* guest.ld */
extern char guest_virt_base[], guest_stack_top[], guest_end[];
extern int (*const guest_drivers_start[])(void);
extern int (*const guest_drivers_end[])(void);

/* entry_x86_64.S */
extern char guest_upcall[], guest_failsafe[], guest_thread_entry[];
extern struct shared_info guest_shared_page;
void guest_block(void);
void guest_switch(void **save_sp, void *sp);

/* trap.c */
extern const struct trap_info guest_trap_table[];

/* panic.c: the end, by a trap if (frame). */
_Noreturn void guest_report(const struct trap_frame *frame, const char *format,
                            ...) __attribute__((format(printf, 2, 3)));

/*
 * page.c: RAM is ours from (first_free) up; the builder mapped some of it.
 */
void page_init(uintptr_t first_free);

/* Does [(address), +len) lie in RAM that is mapped? */
bool page_is_mapped(uintptr_t address, size_t len);

/*
 * map.c: page tables beyond the builder's.
 */
#define PTE_PRESENT 0x001ull
#define PTE_WRITE   0x002ull
#define PTE_USER    0x004ull
#define PTE_USED    0x060ull /* accessed and dirty, so that nobody writes it */
#define PTE_RAM     (PTE_PRESENT | PTE_WRITE | PTE_USED)
#define PTE_TABLE   (PTE_RAM | PTE_USER)
#define PTE_FRAME   0x000ffffffffff000ull

/*
 * Map the RAM at [from, to), both on 2 MiB bounds unless (to) is RAM's end.
 * Tables come from (table), pages that are mapped and ours; false, with
 * nothing lost, when the hypervisor refuses or there is no page.
 */
bool map_ram(uintptr_t from, uintptr_t to, void *(*table)(void));

/* (nr) pages of address space in a row for frames to be mapped at; 0: none. */
uintptr_t map_window(size_t nr);
bool map_frame_at(uintptr_t va, uint64_t mfn, bool writable);

/* thread.c */
extern unsigned thread_in_handler; /* depth of event handlers running */
void thread_init(void);

/* event.c: upcalls between any two instructions; read by guest_upcall. */
extern bool event_preempt;

#endif
