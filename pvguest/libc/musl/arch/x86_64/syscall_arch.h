/*
 * musl's way into the kernel, for guests: in a PV kernel the SYSCALL
 * instruction is a hypercall, so Linux's calls become a function of ours
 * (pvguest/libc/linux.c).
 */
#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

long guest_linux_syscall(long nr, long a1, long a2, long a3, long a4, long a5,
                         long a6);

static __inline long __syscall0(long nr)
{
    return guest_linux_syscall(nr, 0, 0, 0, 0, 0, 0);
}

static __inline long __syscall1(long nr, long a1)
{
    return guest_linux_syscall(nr, a1, 0, 0, 0, 0, 0);
}

static __inline long __syscall2(long nr, long a1, long a2)
{
    return guest_linux_syscall(nr, a1, a2, 0, 0, 0, 0);
}

static __inline long __syscall3(long nr, long a1, long a2, long a3)
{
    return guest_linux_syscall(nr, a1, a2, a3, 0, 0, 0);
}

static __inline long __syscall4(long nr, long a1, long a2, long a3, long a4)
{
    return guest_linux_syscall(nr, a1, a2, a3, a4, 0, 0);
}

static __inline long __syscall5(long nr, long a1, long a2, long a3, long a4,
                                long a5)
{
    return guest_linux_syscall(nr, a1, a2, a3, a4, a5, 0);
}

static __inline long __syscall6(long nr, long a1, long a2, long a3, long a4,
                                long a5, long a6)
{
    return guest_linux_syscall(nr, a1, a2, a3, a4, a5, a6);
}

#define IPC_64 0
