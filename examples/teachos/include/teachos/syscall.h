/*
 * teachos/syscall.h: what kernel and programs have agreed on.
 *
 * A program puts the number of the call into RAX and up to three arguments into
 * RDI, RSI and RDX, and executes SYSCALL. The answer comes back in RAX: 0 or
 * more, or one of the errors below, negative. RCX and R11 are lost.
 */
#ifndef TEACHOS_SYSCALL_H
#define TEACHOS_SYSCALL_H

#define SYS_EXIT    0  /* (status): never returns */
#define SYS_FORK    1  /* (): the child's number; 0 in the child */
#define SYS_EXEC    2  /* (path, argv): returns only if it fails */
#define SYS_WAIT    3  /* (status *): the number of a child that ended */
#define SYS_KILL    4  /* (process) */
#define SYS_GETPID  5  /* () */
#define SYS_SLEEP   6  /* (milliseconds) */
#define SYS_TIME    7  /* (): nanoseconds of some clock that never goes back */
#define SYS_SBRK    8  /* (bytes): the heap's end before; it grows */
#define SYS_OPEN    9  /* (path, OPEN_ flags): a descriptor */
#define SYS_CLOSE   10 /* (descriptor) */
#define SYS_READ    11 /* (descriptor, buffer, bytes): how many; 0: the end */
#define SYS_WRITE   12 /* (descriptor, buffer, bytes): how many */
#define SYS_DUP     13 /* (descriptor, as): as the descriptor (as) */
#define SYS_PIPE    14 /* (int[2]): one to read from, one to write to */
#define SYS_SEEK    15 /* (descriptor, offset): from the beginning */
#define SYS_STAT    16 /* (path, struct teachos_stat *) */
#define SYS_MKDIR   17 /* (path) */
#define SYS_UNLINK  18 /* (path): a file, or a folder that is empty */
#define SYS_CHDIR   19 /* (path) */
#define SYS_PROCESS 20 /* (n, struct teachos_process *): about the nth */
#define SYS_MEMORY  21 /* (): pages free */
#define SYS_FRONT   22 /* (process): whom the interrupt key ends; 0: nobody */
#define SYS_CPUS    23 /* (): how many virtual CPUs there are */

#define OPEN_READ     1
#define OPEN_WRITE    2
#define OPEN_CREATE   4 /* if it is not there */
#define OPEN_TRUNCATE 8
#define OPEN_APPEND   16

/* Errors. */
#define E_PERM     (-1)  /* not allowed */
#define E_NOENT    (-2)  /* no such file */
#define E_SRCH     (-3)  /* no such process */
#define E_INTR     (-4)  /* killed while it waited */
#define E_IO       (-5)  /* the disk, or what is on it, is broken */
#define E_TOOBIG   (-7)  /* too many arguments */
#define E_NOEXEC   (-8)  /* not a program */
#define E_BADF     (-9)  /* no such descriptor, or not open for this */
#define E_CHILD    (-10) /* no children */
#define E_AGAIN    (-11) /* too many processes */
#define E_NOMEM    (-12)
#define E_FAULT    (-14) /* the address is not the program's */
#define E_BUSY     (-16) /* somebody has it open */
#define E_EXIST    (-17)
#define E_NOTDIR   (-20)
#define E_ISDIR    (-21)
#define E_INVAL    (-22)
#define E_MFILE    (-24) /* too many open files */
#define E_FBIG     (-27) /* larger than a file can be */
#define E_NOSPC    (-28) /* the disk is full */
#define E_ROFS     (-30) /* the disk is read-only */
#define E_PIPE     (-32) /* nobody reads it */
#define E_NOSYS    (-38) /* no such system call */
#define E_NOTEMPTY (-39)

/* The status of a program that did not end by itself. */
#define STATUS_KILLED 137
#define STATUS_FAULT  139

#define NAME_SIZE 28 /* of a file in its folder, with the NUL */
#define PATH_SIZE 256
#define ARGS_SIZE 4096 /* of all arguments, each with its NUL */
#define ARGS_MAX  64

#define TYPE_FREE    0
#define TYPE_FILE    1
#define TYPE_FOLDER  2
#define TYPE_CONSOLE 3
#define TYPE_PIPE    4

struct teachos_stat {
    unsigned inode, type;
    unsigned long size;
};

#define PROCESS_FREE  0
#define PROCESS_RUNS  1 /* or could */
#define PROCESS_WAITS 2
#define PROCESS_ENDED 3 /* its parent has not asked yet */

struct teachos_process {
    int id, parent;
    unsigned state;
    unsigned cpu; /* the virtual one it lives on */
    char name[NAME_SIZE];
    unsigned long pages;  /* mapped */
    unsigned long cpu_ns; /* in user mode */
};

/* Where programs live; everything else belongs to the kernel. */
#define USER_START 0x10000000000ul
#define USER_STACK 0x10040000000ul /* it ends here and grows down */
#define STACK_MAX  0x100000ul
#define HEAP_MAX   0x8000000ul

#endif
