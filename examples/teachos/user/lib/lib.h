/*
 * user/lib/lib.h: all that programs have beside the kernel.
 */
#ifndef TEACHOS_LIB_H
#define TEACHOS_LIB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <teachos/syscall.h>

long syscall(long number, ...);

/* The system calls (teachos/syscall.h), under their own names. */
_Noreturn void exit(int status);
long fork(void);
long exec(const char *path, char *const *argv);
long wait(int *status);
long kill(long process);
long getpid(void);
long sleep_ms(unsigned long ms);
unsigned long time_ns(void);
void *sbrk(unsigned long bytes); /* NULL: no memory */
long open(const char *path, unsigned flags);
long close(long fd);
long read(long fd, void *to, size_t len);
long write(long fd, const void *from, size_t len);
long dup(long fd, long as);
long pipe(int ends[2]);
long seek(long fd, unsigned long offset);
long stat(const char *path, struct teachos_stat *stat);
long mkdir(const char *path);
long unlink(const char *path);
long chdir(const char *path);
long process_info(unsigned n, struct teachos_process *about);
long memory_free(void);
long set_front(long process);
long nr_cpus(void);

/* What the error means, in words. */
const char *error_text(long error);

/* %s %c %d %u %x %lu %lx and so on, a width, - and 0; to descriptor 1 or (fd).
 */
void fprintf(long fd, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#define printf(...) fprintf(1, __VA_ARGS__)

/* "NAME: WHAT: why" on descriptor 2; returns 1, for main to return. */
int complain(const char *name, const char *what, long error);

/* The next line, without its end, cut to (size): false at the end. */
bool read_line(long fd, char *line, size_t size);

size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
char *strchr(const char *s, int c);
char *strstr(const char *in, const char *what);
void *memcpy(void *to, const void *from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int value, size_t len);
int memcmp(const void *a, const void *b, size_t len);
long number(const char *text); /* -1: it is none */

#endif
