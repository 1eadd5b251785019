/* host/version.h: what this hypervisor says it is. */
#ifndef HOST_VERSION_H
#define HOST_VERSION_H

/* XENVER_version: the ABI spoken is Xen 4.17's, major << 16 | minor. */
#define PARAVANE_XEN_VERSION 0x00040011

#endif
