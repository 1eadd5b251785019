/*
 * What the racers do to each other, by subject. Each deed is one or a few
 * hypercalls on things that all share; whether they work is a matter of luck.
 * What a file shares it makes ready before the race, and has back after it.
 */
#ifndef TESTS_GUESTS_RACE_RACE_H
#define TESTS_GUESTS_RACE_RACE_H

#include <stdbool.h>
#include <stdint.h>

#include <hypercall/calls.h>

#include "../tables.h"

#define US 1000ull
#define MS 1000000ull

#define PTE_RAM  0x63ull /* present, writable, accessed, dirty */
#define PTE_READ 0x61ull

#define NR_TABLES        12
#define NR_LENT          6
#define NR_GIVEN         6
#define NUMBER_OF(array) (sizeof(array) / sizeof *(array))

struct racer {
    uint64_t state; /* of its random numbers */
    unsigned id;
};

extern unsigned count; /* of vCPUs */
extern domid_t own_domid;

/* Below (nr). */
uint64_t any(struct racer *self, uint64_t nr);

/* One more than there are. */
unsigned any_vcpu(struct racer *self);

/* What must have worked now and then, or there was no race. */
extern int nr_opened, nr_mapped, nr_given, nr_pinned, nr_changed;

/* Count in (*nr) that a call did (good). */
bool note(int *nr, bool good);

/* Something that one racer at a time may have in its hands. */
enum holding { HERE, IN_HAND, AWAY };
bool take(int *holding, int from);
void put(int *holding, int as);

/* ports.c */
evtchn_port_t a_port(struct racer *self); /* 0: none */
void open_a_port(struct racer *self);
void use_a_port(struct racer *self);
bool close_all_ports(void);
/* The one that the next would be: more of them if some were lost. */
evtchn_port_t next_port(void);

/* grants.c: (windows) are where pages that are lent get mapped */
extern uint64_t lent[NR_LENT][NR_ENTRIES], windows[NR_LENT][NR_ENTRIES];
bool lend_pages(void);
void map_a_grant(struct racer *self);
void unmap_a_grant(struct racer *self);
void copy_a_grant(struct racer *self);
void swap_grants(struct racer *self);
void ask_for_grants(struct racer *self);
bool end_all_grants(void);

/* memory.c */
extern uint64_t given[NR_GIVEN][NR_ENTRIES];
void find_frames(void);
void give_a_page(struct racer *self);
void take_a_page(struct racer *self);
void ask_for_memory(struct racer *self);
bool take_all_pages(void);

/* page_tables.c */
extern uint64_t tables[NR_TABLES][NR_ENTRIES];
bool find_tables(void);
uint64_t an_entry(struct racer *self);
void update_entries(struct racer *self);
void update_a_mapping(struct racer *self);
void pin_or_unpin(struct racer *self);
void flush(struct racer *self);
void set_frames_of_gdt(struct racer *self);
bool restore_tables(void);

/* cpu.c */
void set_a_trap(struct racer *self);
void set_a_timer(struct racer *self);
void keep_the_time(struct racer *self);

#endif
