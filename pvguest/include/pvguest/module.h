/*
 * pvguest/module.h: what the toolstack loaded beside the image: ramdisk= of xl,
 * --initrd of paravane.
 */
#ifndef PVGUEST_MODULE_H
#define PVGUEST_MODULE_H

#include <stddef.h>

/*
 * Where it lies, in RAM that nobody else is given, and how long it is, in whole
 * pages, because not every toolstack tells more: bytes of 0 may follow what the
 * file held. NULL when there is none.
 */
const void *guest_module(size_t *len);

#endif
