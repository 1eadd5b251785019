/*
 * kernel/filesystem.h: files and folders on the disk, by the number of their
 * inode.
 *
 * What the disk says is not believed: a number that leads outside of it, or
 * into its own books, is an error (E_IO) that is told on the console. All
 * functions return 0, or a count, or an error of teachos/syscall.h; they wait
 * for the disk, and for each other.
 */
#ifndef TEACHOS_FILESYSTEM_H
#define TEACHOS_FILESYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <teachos/syscall.h>

/* Find the disk and look at its superblock. False, and why is told. */
bool fs_mount(void);

/* The inode of (path), from folder (from) on if it does not begin with /. */
long fs_find(uint32_t from, const char *path);

int fs_stat(uint32_t inode, struct teachos_stat *stat);

/* A new file or folder (TYPE_) at (path), which must not exist: its inode. */
long fs_create(uint32_t from, const char *path, uint32_t type);

/* A file that nobody has open, or a folder that is empty. */
int fs_remove(uint32_t from, const char *path);

/* Who has it open, from the first to the last, keeps it from being removed. */
void fs_hold(uint32_t inode);
void fs_drop(uint32_t inode);

/* Cut the file to nothing. */
int fs_truncate(uint32_t inode);

/* As much as there is; (write) as much as there is room for, or an error. */
long fs_read(uint32_t inode, void *to, uint32_t offset, size_t len);
long fs_write(uint32_t inode, const void *from, uint32_t offset, size_t len);

#endif
