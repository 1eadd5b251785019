/*
 * pvguest/pvh/selector.h: what is where in the descriptor table. (private)
 */
#ifndef PVGUEST_PVH_SELECTOR_H
#define PVGUEST_PVH_SELECTOR_H

#define SELECTOR_CODE      0x08
#define SELECTOR_DATA      0x10
#define SELECTOR_TSS       0x18 /* in two */
#define SELECTOR_USER_DATA 0x2b
#define SELECTOR_USER_CODE 0x33

#define GDT_ENTRIES 7

#endif
