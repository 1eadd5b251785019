#!/usr/bin/env python3
"""A KVM that cannot be had, is taken, or gives up in mid-run: what is said of
it. Most of that never happens here: another process changes what the kernel
answered."""
import errno
import os
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import meddle  # noqa: E402
import tap  # noqa: E402

SYS_IOCTL = 16
SYS_SOCKET = 41
KVM_CREATE_VM = 0xae01
KVM_CREATE_VCPU = 0xae41
KVM_RUN = 0xae80
KVM_SET_CPUID2 = 0x4008ae90
RUN_PAGE = "anon_inode:kvm-vcpu"

# struct kvm_run: where exit_reason is, and what it may say.
EXIT_REASON = 8
EXIT_DETAIL = 32
(EXIT_UNKNOWN, EXIT_IO, EXIT_MMIO, EXIT_SHUTDOWN, EXIT_FAIL_ENTRY,
 EXIT_INTERNAL_ERROR) = 0, 2, 6, 8, 9, 17

# Exit reason, what follows it in struct kvm_run, and what is said.
EXITS = [
    (EXIT_INTERNAL_ERROR, struct.pack("<I", 1),
     "KVM gave up (internal error 1): it met an instruction that it cannot "
     "emulate"),
    (EXIT_INTERNAL_ERROR, struct.pack("<I", 3),
     "KVM gave up (internal error 3): it could not deliver a trap"),
    (EXIT_INTERNAL_ERROR, struct.pack("<I", 77),
     "KVM gave up (internal error 77): "),
    (EXIT_FAIL_ENTRY, struct.pack("<Q", 0x80000021),
     "the CPU refuses the guest's state (reason 0x80000021)"),
    (EXIT_SHUTDOWN, b"", "triple fault"),
    (EXIT_MMIO, struct.pack("<Q", 0xfee00000),
     "access to machine address 0xfee00000, where nothing is"),
    (EXIT_IO, struct.pack("<BBHI", 1, 1, 0x80, 1), "access to port 0x80"),
    (EXIT_UNKNOWN, b"", "KVM stopped for reason 0"),
    (1000, b"", "KVM stopped for reason 1000"),
]


def traced(line, **meddlers):
    try:
        status, out, err = meddle.run(line, **meddlers)
    except OSError as error:
        if error.errno == errno.EPERM:
            raise tap.Skip("processes may not be traced here") from None
        raise
    return guest.Result(status, out, err)


def hello(**meddlers):
    """It runs on kvm, its system calls shown to (meddlers)."""
    guest.need_engine("kvm")
    return traced(guest.command("--engine", "kvm",
                                guest=guest.example("hello")), **meddlers)


def at_run(nth, action):
    """Do (action) when KVM_RUN returns for the (nth) time."""
    count = 0

    def left(process, number):
        nonlocal count
        if number != SYS_IOCTL or process.regs.rsi != KVM_RUN:
            return
        if process.regs.rax == 2**64 - errno.EINTR:
            return
        count += 1
        if count == nth:
            action(process)
    return left


def change_exit(reason, detail):
    def action(process):
        page = process.mapping(RUN_PAGE)
        process.write(page + EXIT_REASON, struct.pack("<I", reason))
        process.write(page + EXIT_DETAIL, detail)
    return action


def nothing_changes_by_being_traced():
    result = hello()
    assert result.status == 0 and result.report == "", result


def what_kvm_does_not_survive_is_reported():
    for reason, detail, said in EXITS:
        result = hello(left=at_run(3, change_exit(reason, detail)))
        assert result.status == 125, (reason, result)
        assert f"paravane: the guest crashed: {said}" in result.report, result
        for part in ("  rip 0000000000", "  code at rip: ",
                     "  page of rip: level 1 entry ", ", present",
                     "  stack at ", "  backtrace:\n",
                     "  last hypercalls, newest first:\n"):
            assert part in result.report, (reason, part, result)


def a_kvm_run_that_fails_is_trouble_of_the_host():
    for number in (errno.EFAULT, errno.ENOMEM, errno.EINVAL, errno.EIO,
                   errno.EBADF):
        result = hello(left=at_run(3, lambda p, n=number: p.fail(n)))
        assert result.status == 1, result
        sentence = guest.one_sentence(result)
        assert "KVM does not run the guest" in sentence, result
        assert os.strerror(number) in sentence, result


def a_vm_that_cannot_be_made_is_named():
    for request, said in ((KVM_CREATE_VM, "make a VM"),
                          (KVM_CREATE_VCPU, "give it a CPU"),
                          (KVM_SET_CPUID2, "describe the CPU")):
        for number in (errno.EBUSY, errno.ENOMEM, errno.EMFILE):
            def left(process, call, request=request, number=number):
                if call == SYS_IOCTL and process.regs.rsi == request:
                    process.fail(number)
            result = hello(left=left)
            assert result.status == 1, result
            sentence = guest.one_sentence(result)
            assert f"cannot {said}" in sentence, (request, result)
            assert os.strerror(number) in sentence, result
            if number == errno.EBUSY and request == KVM_CREATE_VM:
                assert "another hypervisor" in sentence, result


def what_the_sandbox_refuses_is_an_error_of_ours():
    """The first KVM_RUN becomes another call, which the filter then sees."""
    def entered(process, number):
        if number == SYS_IOCTL and process.regs.rsi == KVM_RUN:
            process.regs.orig_rax = SYS_SOCKET
            process.store()
    result = hello(entered=entered)
    assert result.status == 1, result
    sentence = guest.one_sentence(result)
    assert "internal error: signal 31" in sentence, result
    assert f"for system call {SYS_SOCKET:#x}; please report" in sentence, result


def who_may_not_use_it_is_told():
    if os.geteuid() != 0:
        raise tap.Skip("it takes root to become somebody else")
    if not os.path.exists("/dev/kvm"):
        raise tap.Skip("there is no /dev/kvm")
    if os.stat("/dev/kvm").st_mode & 0o006:
        raise tap.Skip("everybody may use /dev/kvm here")

    def nobody():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    def run(*options):
        """Of copies, as the build may be where only root gets."""
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            program = shutil.copy(guest.PARAVANE, folder)
            image = shutil.copy(guest.example("hello"), folder)
            done = subprocess.run([program, "run", *options, image],
                                  preexec_fn=nobody, capture_output=True,
                                  stdin=subprocess.DEVNULL, check=False)
        return guest.Result(done.returncode, done.stdout.decode(),
                            done.stderr.decode())

    result = run("--engine", "kvm")
    assert result.status == 1, result
    assert "member of the group kvm" in guest.one_sentence(result), result
    result = run()
    assert result.status == 0 and result.report == "", result


if __name__ == "__main__":
    sys.exit(tap.main([
        nothing_changes_by_being_traced,
        what_kvm_does_not_survive_is_reported,
        a_kvm_run_that_fails_is_trouble_of_the_host,
        a_vm_that_cannot_be_made_is_named,
        what_the_sandbox_refuses_is_an_error_of_ours,
        who_may_not_use_it_is_told,
    ]))
