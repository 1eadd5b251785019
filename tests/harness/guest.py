"""Run an image under paravane and look at all that came of it."""
import atexit
import ctypes
import functools
import json
import os
import resource
import signal
import subprocess
import time

import tap

BUILD = os.path.abspath(os.environ.get("PARAVANE_BUILD", "build"))
PARAVANE = os.path.join(BUILD, "host", "paravane")
# A build with sanitizers has no images of its own.
IMAGES = os.path.abspath(os.environ.get("PARAVANE_IMAGES", BUILD))


def example(name):
    return os.path.join(IMAGES, "examples", name + ".elf")


def image(name):
    return os.path.join(IMAGES, "tests", "guests", name + ".elf")


@functools.cache
def engines():
    """What paravane doctor says of each engine."""
    done = subprocess.run([PARAVANE, "doctor", "--json"], capture_output=True,
                          check=False)
    return json.loads(done.stdout)["engines"]


def need_engine(name):
    """Skip the test where this host cannot run (name)."""
    engine = engines()[name]
    if not engine["usable"]:
        raise tap.Skip(f"no engine {name} here: {engine['why_not']}")


@functools.cache
def kvm_kind():
    """What paravane doctor measured of /dev/kvm."""
    done = subprocess.run([PARAVANE, "doctor", "--json"], capture_output=True,
                          check=False)
    return json.loads(done.stdout)["kvm"]


def need_ring0():
    """Skip the test where a guest's ring 0 is not the CPU's own."""
    need_engine("kvm")
    if kvm_kind().get("ring0_emulated", False):
        raise tap.Skip("the KVM here emulates ring 0, and not all of it: the "
                       "SVM lab is for this")


@functools.cache
def need_vcpus(engine):
    """Skip the test where (engine) gives a guest one vCPU only."""
    if "runs one vCPU" in run("--engine", engine, "--vcpus", "2",
                              guest=example("hello")).report:
        raise tap.Skip(f"the engine {engine} gives a guest one vCPU")


class Result:
    """What a run left behind: status, console (stdout), report (stderr)."""

    def __init__(self, status, console, report):
        self.status, self.console, self.report = status, console, report

    def __repr__(self):
        return (f"status {self.status}\n--- console\n{self.console}"
                f"--- report\n{self.report}---")


def obey_permissions():
    """For preexec_fn: root, too, may only do what a file's mode allows."""
    if os.geteuid() == 0:
        prctl = ctypes.CDLL(None).prctl
        for capability in (1, 2):  # DAC_OVERRIDE, DAC_READ_SEARCH
            prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


# The engine for tests that name none; without it, what auto chooses.
ENGINE = os.environ.get("PARAVANE_ENGINE")


def limit_address_space(size):
    """For preexec_fn."""
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size))


def end_with_parent():
    """For preexec_fn: gone when we are, even if we were killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG


def limit_descriptors(number):
    """For preexec_fn."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))


def limit_files_to(size):
    """For preexec_fn."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def command(*options, guest=None, args=()):
    line = [PARAVANE, "run", *options]
    if ENGINE:
        need_engine(ENGINE)
    if ENGINE and "--engine" not in options:
        line += ["--engine", ENGINE]
    if guest is not None:
        line.append(guest)
    if args:
        line += ["--", *args]
    return line


def run(*options, guest=None, args=(), stdin=b"", timeout=60, **popen):
    """One run to its end. Text that is not UTF-8 is kept by escapes."""
    done = subprocess.run(command(*options, guest=guest, args=args),
                          input=stdin, capture_output=True, timeout=timeout,
                          check=False, **popen)
    return Result(done.returncode, done.stdout.decode(errors="replace"),
                  done.stderr.decode(errors="replace"))


_started = []


@atexit.register
def _leave_none_behind():
    for process in _started:
        if process.poll() is None:
            process.kill()


def start(*options, guest=None, args=(), **popen):
    """A run that is still going, for signals and disturbances."""
    streams = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
    process = subprocess.Popen(command(*options, guest=guest, args=args),
                               **{**streams, **popen})
    _started.append(process)
    return process


def wait_until_it_runs(process):
    """Up to where its domain is built and the sandbox closed."""
    while process.poll() is None:
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            if "Seccomp:\t2" in status.read():
                return
        time.sleep(0.001)


def finish(process, timeout=60):
    """Wait for it; kill it when it does not end, and say so."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"did not end in {timeout} s\n"
                             f"{out}\n{err}") from None
    return Result(process.returncode, (out or b"").decode(errors="replace"),
                  (err or b"").decode(errors="replace"))


def one_sentence(result):
    """The report is a single line that says who speaks."""
    lines = [l for l in result.report.splitlines() if l]
    assert len(lines) == 1, result
    assert lines[0].startswith("paravane: "), result
    return lines[0]
