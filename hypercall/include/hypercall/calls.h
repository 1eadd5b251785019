/*
 * hypercall/calls.h: hypercalls as a guest makes them; all of them.
 *
 * In assembly files only HYPERCALL_STUB() is defined.
 */
#ifndef HYPERCALL_CALLS_H
#define HYPERCALL_CALLS_H

#include <hypercall/stub.h>

#ifndef __ASSEMBLY__

#include <hypercall/direct.h>
#include <hypercall/operations.h>
#include <xen/physdev.h>

#endif

#endif
