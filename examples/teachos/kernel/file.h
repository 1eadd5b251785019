/*
 * kernel/file.h: what a descriptor stands for: the console, an end of a pipe,
 * a file or folder on the disk.
 */
#ifndef TEACHOS_FILE_H
#define TEACHOS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "process.h"

#define ROOT_FOLDER 1u /* its inode (teachos/disk.h) */

/* How a kind of file does it; counts and errors as the system calls return. */
struct file_kind {
    unsigned type; /* TYPE_ */
    bool whole;    /* reads give all that was asked for, up to the end */
    long (*read)(struct file *file, void *to, size_t len);
    long (*write)(struct file *file, const void *from, size_t len);
    void (*close)(struct file *file); /* the last who had it has it no more */
};

struct file {
    const struct file_kind *kind;
    unsigned nr_users; /* descriptors that are this one */
    unsigned flags;    /* OPEN_ */
    void *object;      /* the pipe */
    uint32_t inode, offset;
};

/* A new one, which one has; NULL: no memory. */
struct file *file_new(const struct file_kind *kind, unsigned flags);

/* The file of the calling process's (descriptor); NULL: there is none. */
struct file *file_get(long descriptor);

/* The lowest descriptor that is free becomes (file), or E_MFILE. */
long file_install(struct file *file);

/* Descriptors 0, 1 and 2 are the console: 0, or E_NOMEM. */
int file_open_console(struct file **files);

/* The system calls of these names. */
long file_open(const char *path, unsigned flags);
long file_close(long descriptor);
long file_dup(long descriptor, long as);
long file_seek(long descriptor, uint64_t offset);
long file_read(struct file *file, uint64_t to, size_t len);
long file_write(struct file *file, uint64_t from, size_t len);

/* One who had it has it no more. */
void file_drop(struct file *file);

/* For fork and exit. */
void file_share_all(struct file **to, struct file *const *from);
void file_close_all(struct file **files);

#endif
