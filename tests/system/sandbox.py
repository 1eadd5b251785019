#!/usr/bin/env python3
"""A hostile guest gets nowhere: neither by its own SYSCALL instructions, which
are hypercalls, nor by those it finds in the shim's code."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import tap  # noqa: E402

WITNESS = "/tmp/paravane-hostile-witness"

ATTACKS = ["open", "openat", "mkdir", "execve", "fork", "clone", "socket",
           "ptrace", "kill", "memfd", "mmap-anonymous", "mmap-fixed",
           "mprotect", "prctl", "seccomp", "uring-setup", "uring-register",
           "sigaction", "dup", "fcntl", "tiocsti"]

# The shim's allocator may be told "no memory"; so may a guest that asks.
ANSWERED_ENOMEM = {"mmap-anonymous", "mmap-fixed"}


def attack(*args, engine="process", **popen):
    if os.path.exists(WITNESS):
        os.remove(WITNESS)
    result = guest.run("--engine", engine, guest=guest.image("hostile"),
                       args=args, **popen)
    assert f"attack: {' '.join(args)}\n" in result.console, result
    assert not os.path.lexists(WITNESS), result
    return result


def outcome(result):
    """What the guest saw as the call's result, or None if it never did."""
    for line in result.console.splitlines():
        if line.startswith("result: "):
            return int(line.split()[1])
    return None


def raw_system_calls_are_hypercalls():
    for name in ATTACKS:
        result = attack("raw", name)
        # Xen's answer to what is no sensible hypercall: an error, or nothing.
        # 19 and 57 and the like exist on neither side; some numbers mean a
        # hypercall whose arguments are nonsense here.
        assert result.status in (0, 125), (name, result)
        if result.status == 0:
            assert outcome(result) is not None, (name, result)
            assert outcome(result) <= 0, (name, result)


def system_calls_from_inside_the_shim_are_refused():
    for name in ATTACKS:
        result = attack("inside", name)
        if name in ANSWERED_ENOMEM:
            assert outcome(result) == -12, (name, result)
            assert result.status == 0, (name, result)
            continue
        assert outcome(result) is None, (name, result)
        assert result.status == 125, (name, result)
        assert "the sandbox refused system call" in result.report, result


def foreign_descriptors_cannot_be_written():
    with open("/tmp/paravane-foreign", "wb+") as foreign:
        os.set_inheritable(foreign.fileno(), True)
        for fd in [*range(3, 16), foreign.fileno()]:
            result = attack("inside", "write", str(fd),
                            pass_fds=[foreign.fileno()])
            assert result.status == 125, (fd, result)
            assert "refused system call 1," in result.report, (fd, result)
        assert foreign.seek(0, os.SEEK_END) == 0
    os.remove("/tmp/paravane-foreign")


def descriptors_cannot_be_mapped():
    for fd in range(0, 16):
        result = attack("inside", "map", str(fd))
        assert result.status == 125, (fd, result)
        assert "refused system call 9," in result.report, (fd, result)


def raw_system_calls_are_hypercalls_on_kvm():
    guest.need_engine("kvm")
    for name in ATTACKS:
        result = attack("raw", name, engine="kvm")
        assert result.status in (0, 125), (name, result)
        if result.status == 0:
            assert outcome(result) <= 0, (name, result)


def is_the_kernels(pid, thread):
    """KVM does its housekeeping in a thread that it adds to the process."""
    with open(f"/proc/{pid}/task/{thread}/comm") as comm:
        return comm.read().startswith("kvm-")


def hold_only_own_descriptors(engine, own):
    with open("/tmp/paravane-foreign", "wb+") as foreign:
        process = guest.start("--engine", engine, guest=guest.example("clock"),
                              args=["ticks=1000"],
                              pass_fds=[foreign.fileno()])
        try:
            process.stdout.readline()
            held = sorted(os.readlink(f"/proc/{process.pid}/fd/{fd}")
                          for fd in os.listdir(f"/proc/{process.pid}/fd"))
            status = open(f"/proc/{process.pid}/status").read()
            threads = [t for t in os.listdir(f"/proc/{process.pid}/task")
                       if not is_the_kernels(process.pid, t)]
        finally:
            process.kill()
            process.wait()
        assert not any("foreign" in target for target in held), held
        allowed = ("pipe:", "/memfd:", "anon_inode:[signalfd]", *own,
                   f"/proc/{process.pid}/task/{process.pid}/schedstat",
                   os.path.abspath(guest.example("clock")))
        assert all(t.startswith(allowed) for t in held), held
        assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status, status
        assert len(threads) == 1, threads
    os.remove("/tmp/paravane-foreign")


def a_running_domain_holds_only_its_own_descriptors():
    hold_only_own_descriptors("process", [])


def on_kvm_its_only_other_one_is_the_vcpu():
    guest.need_engine("kvm")
    hold_only_own_descriptors("kvm", ["anon_inode:kvm-vcpu:0"])


if __name__ == "__main__":
    sys.exit(tap.main([
        raw_system_calls_are_hypercalls,
        system_calls_from_inside_the_shim_are_refused,
        foreign_descriptors_cannot_be_written,
        descriptors_cannot_be_mapped,
        raw_system_calls_are_hypercalls_on_kvm,
        a_running_domain_holds_only_its_own_descriptors,
        on_kvm_its_only_other_one_is_the_vcpu,
    ]))
