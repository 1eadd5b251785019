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

#include <xen/event_channel.h>

/* guest.ld */
extern char guest_virt_base[], guest_stack_top[], guest_end[];
extern int (*const guest_drivers_start[])(void);
extern int (*const guest_drivers_end[])(void);

/* entry_x86_64.S */
extern char guest_thread_entry[];
extern struct shared_info guest_shared_page;
/* Sleep until an event is pending, the timer set to (deadline_ns); 0: as it is
 */
void guest_block(uint64_t deadline_ns);
void guest_switch(void **save_sp, void *sp);

/* event.c: as event_get_counters. */
extern struct event_counters event_counters;

/* panic.c: the end, by a trap if (frame). */
_Noreturn void guest_report(const struct trap_frame *frame, const char *format,
                            ...) __attribute__((format(printf, 2, 3)));

/*
 * page.c: RAM, of which there are (nr_ram) pages, is mapped linearly from
 * guest_virt_base on. It is ours from (first_free) to (end), and mapped up to
 * (mapped_end): all of it, if this ABI has no map_ram.
 */
void page_init(size_t nr_ram, uintptr_t first_free, uintptr_t mapped_end,
               uintptr_t end);

/* More of it beyond that; mapped and ours. Eight such; others are not used. */
void page_add(uintptr_t start, uintptr_t end);

/* Does [(address), +len) lie in RAM that is mapped? */
bool page_is_mapped(uintptr_t address, size_t len);

/* The machine frames of RAM by pfn; NULL where frame n is page n. */
extern uint64_t *page_p2m;

/*
 * balloon.c: where there is no p2m list: (book), a bit for each pfn of RAM, is
 * written to when first needed.
 */
void balloon_init(void *book);

#define PTE_PRESENT 0x001ull
#define PTE_WRITE   0x002ull
#define PTE_USER    0x004ull
#define PTE_USED    0x060ull /* accessed and dirty, so that nobody writes it */
#define PTE_RAM     (PTE_PRESENT | PTE_WRITE | PTE_USED)
#define PTE_TABLE   (PTE_RAM | PTE_USER)
#define PTE_FRAME   0x000ffffffffff000ull

/* window.c: (nr) pages of address space in a row, for map_frame; 0: none. */
uintptr_t map_window(size_t nr);

/* trap.c: bytes of x87, SSE and so on: more than FXSAVE_SIZE with XSAVE. */
#define FXSAVE_SIZE 512
size_t trap_state_size(void);

/* thread.c */
void thread_init(void);

/*
 * timer.c. What the hypervisor is yet to be told: it counts as told, and is
 * the caller's to tell; or tell it now. And run what expired untold: true if
 * something did.
 */
uint64_t timer_to_program(void);
void timer_program(void);
bool timer_dispatch(void);

/* event.c: (port) is no longer pending, and its handler not called. */
void event_forget(evtchn_port_t port);

#endif
