/*
 * pvdrivers/vdev.h: the names behind virtual-device numbers.
 */
#ifndef PVDRIVERS_VDEV_H
#define PVDRIVERS_VDEV_H

#include <stddef.h>
#include <stdint.h>

/*
 * "xvda" for 51712 and so on: xvd, sd and hd disks and their partitions; other
 * numbers in decimal.
 */
void vdev_name(uint32_t number, char *name, size_t size);

#endif
