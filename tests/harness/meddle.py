"""Run a program and lie to it about what the kernel answered, by ptrace: for
failures of the host that cannot be had otherwise."""
import ctypes
import errno
import os
import signal
import tempfile

PTRACE_TRACEME = 0
PTRACE_GETREGS = 12
PTRACE_SETREGS = 13
PTRACE_SYSCALL = 24
PTRACE_SETOPTIONS = 0x4200
OPTIONS = 0x100001  # EXITKILL, TRACESYSGOOD
SYSCALL_STOP = signal.SIGTRAP | 0x80


class Regs(ctypes.Structure):
    """struct user_regs_struct"""
    _fields_ = [(name, ctypes.c_ulonglong) for name in
                "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi "
                "orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs"
                .split()]


_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p,
                         ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request, pid, address=None, data=None):
    if _libc.ptrace(request, pid, address, data) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class Process:
    """A stopped one, at the entry of a system call or at its end."""

    def __init__(self, pid):
        self.pid = pid
        self.regs = Regs()

    def load(self):
        _ptrace(PTRACE_GETREGS, self.pid, None, ctypes.byref(self.regs))

    def store(self):
        _ptrace(PTRACE_SETREGS, self.pid, None, ctypes.byref(self.regs))

    def fail(self, number):
        """At the end: the call failed with this errno."""
        self.regs.rax = 2**64 - number
        self.store()

    def mapping(self, name):
        """The address of the first mapping of that name."""
        with open(f"/proc/{self.pid}/maps", encoding="ascii") as maps:
            for line in maps:
                if name in line:
                    return int(line.split("-")[0], 16)
        raise AssertionError(f"no mapping of {name}")

    def write(self, address, data):
        with open(f"/proc/{self.pid}/mem", "rb+", buffering=0) as memory:
            memory.seek(address)
            memory.write(data)


def _trace(process, entered, left):
    inside = False
    number = 0
    while True:
        _, status = os.waitpid(process.pid, 0)
        if os.WIFEXITED(status):
            return os.WEXITSTATUS(status)
        if os.WIFSIGNALED(status):
            return -os.WTERMSIG(status)
        deliver = os.WSTOPSIG(status)
        if deliver == SYSCALL_STOP:
            deliver = 0
            process.load()
            inside = not inside
            if inside:
                number = process.regs.orig_rax
                entered(process, number)
            else:
                left(process, number)
        elif deliver == signal.SIGTRAP:
            deliver = 0  # the exec
        _ptrace(PTRACE_SYSCALL, process.pid, None, deliver)


def _nothing(_process, _number):
    pass


def run(line, entered=_nothing, left=_nothing):
    """(status, stdout, stderr) of a command whose system calls are shown to
    entered(process, number) and left(process, number)."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            try:
                os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                _ptrace(PTRACE_TRACEME, 0)
                os.execv(line[0], line)
            finally:
                os._exit(127)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            raise OSError(errno.EPERM, "nothing can be traced here")
        _ptrace(PTRACE_SETOPTIONS, pid, None, OPTIONS)
        _ptrace(PTRACE_SYSCALL, pid, None, 0)
        status = _trace(Process(pid), entered, left)
        out.seek(0)
        err.seek(0)
        return status, out.read().decode(), err.read().decode()
