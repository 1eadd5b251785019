#!/usr/bin/env python3
"""The kvm engine under a guest that gives it nonsense to load, without a KVM,
and how often a guest has to leave its VM."""
import itertools
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import tap  # noqa: E402

# What the guest did, its exit status, and what is said about it.
NONSENSE = {
    "write-hole": (125, "page fault at address 0xffff800000000000"),
    "write-stub": (125, "page fault at address 0xffff808000000000"),
    "write-m2p": (125, "page fault at address 0xffff810000000000"),
    "write-window": (125, "page fault at address 0xffff818000000000"),
    "jump-stub": (125, "page fault at address 0xffff808000002000"),
    "jump-window": (125, "page fault at address 0xffff818000080000"),
    "jump-nowhere": (125, "general protection fault"),
    "bare-system-call": (0, "survived"),
    "read-m2p": (0, "survived"),
    "read-hole": (0, "survived"),
    "callback-nowhere": (125, "page fault at address 0x700000000000"),
    "callback-stub": (125, "page fault at address 0xffff808000002000"),
    "stack-nowhere": (125, "stack at 0x8000000000000000 cannot take"),
    "stack-stub": (125, "stack at 0xffff808000202000 cannot take"),
    "stack-zero": (125, "stack at 0x0 cannot take"),
    "bases": (0, "survived"),
    "empty-table": (125, "cannot take its frame"),
    "own-hole": (0, "loop: -22"),
    "many-writes": (0, "done: 5000 7"),
    "ports": (125, "general protection fault"),
    "endless-faults": (125, "cannot take its frame"),
    "single-steps": (0, "survived"),
}

# What the kernel of tests/guests/paths.c does to those who serve its irets and
# the system calls of its program.
LIES = ["stack-nowhere", "stack-no-place", "stack-zero", "stack-low",
        "stack-stub", "stack-window", "stack-hole-end", "stack-hole-start",
        "stack-read-only", "frame-nowhere", "frame-no-place", "frame-zero",
        "frame-top", "frame-stub", "frame-window", "frame-hole",
        "trap-nowhere", "trap-no-place", "trap-zero", "trap-low", "trap-stub",
        "trap-window", "trap-hole-end", "handler-nowhere", "handler-no-place",
        "handler-none", "callback-nowhere", "callback-no-place",
        "callback-none", "callback-stub", "no-tables"]
SEEDS = range(1, 5)
FRAMES = 300
# What it does often, and the exits that each takes where there are none.
EXITS_WITHOUT = {"count": 2, "faults": 2, "bases": 3}
# What -v says of short paths.
HAS_PATHS = "system calls and irets are served inside of the VM"
HAS_NONE = "no short paths: "

EXITS = re.compile(r"the guest left the VM (\d+) times")

# What tests/bench/exits.c does: how often, and the exits each time.
OPERATIONS = {"call": (5000, 1), "clock": (100000, 0), "poll": (200, 1),
              "tables": (500, 1)}  # these are multicalls of 32
COUNTED = os.path.join(guest.BUILD, "tests", "bench", "exits.elf")
FEW = 100  # exits of the start and the end
TICKS = 100  # a second, at most


def nonsense(what, status, said):
    def test():
        guest.need_engine("kvm")
        for layout in ([], ["--scatter-p2m"]):
            result = guest.run("--engine", "kvm", *layout,
                               guest=guest.image("nonsense"), args=[what])
            assert result.status == status, result
            assert said in result.console + result.report, result
            assert "please report" not in result.report, result
    test.__name__ = f"nonsense, {what}"
    return test


def nobody_can_run_without_it():
    """In a namespace of its own where /dev is empty, and where it is a lie."""
    for hide in ("mount -t tmpfs none /dev",
                 "mount --bind /dev/null /dev/kvm"):
        if subprocess.run(["unshare", "-rm", "sh", "-c", hide], check=False,
                          capture_output=True).returncode:
            raise tap.Skip("no namespaces for unprivileged users here")
        line = " ".join(guest.command("--engine", "kvm",
                                      guest=guest.example("hello")))
        done = subprocess.run(["unshare", "-rm", "sh", "-c",
                               f"{hide} && exec {line}"],
                              capture_output=True, check=False, timeout=60)
        result = guest.Result(done.returncode, done.stdout.decode(),
                              done.stderr.decode())
        assert result.status == 1, result
        assert "/dev/kvm" in guest.one_sentence(result), result


def check_exits(what, result, seconds):
    """Those of a run of (what) that took (seconds)."""
    times, each = OPERATIONS[what]
    assert result.status == 0 and result.console == "", result
    exits = int(EXITS.search(result.report).group(1))
    print(f"# {exits / times:.3f} exits for each {what}")
    assert exits >= times * each, result
    assert exits <= times * each + FEW + TICKS * seconds, (seconds, result)


def exits_of(what):
    def test():
        guest.need_engine("kvm")
        begin = time.monotonic()
        result = guest.run("-v", "--engine", "kvm", guest=COUNTED,
                           args=[what, str(OPERATIONS[what][0])])
        check_exits(what, result, time.monotonic() - begin)
    test.__name__ = f"exits of {what}"
    return test


def same_end(lie, run):
    """Short paths or not, a lie ends the same way; (run) takes arguments of the
    image and what the option says."""
    def test():
        with_paths, without = run([lie]), run([lie], "off")
        assert with_paths.status == without.status, (with_paths, without)
        assert with_paths.console == without.console, (with_paths, without)
        assert first_sentence(with_paths) == first_sentence(without), \
            (with_paths, without)
        assert "please report" not in with_paths.report, with_paths
        assert with_paths.status in (0, 125), with_paths
    test.__name__ = f"{lie} ends the same with short paths and without"
    return test


def first_sentence(result):
    """What a report begins with, and where."""
    said = [line for line in result.report.splitlines() if "crashed" in line
            or " rip " in line]
    return said[:2]


def same_marks(run):
    """Frames of all kinds lead to the same registers, traps, masks; so do
    calls that set some."""
    for what, seed in itertools.product(("random", "calls"), SEEDS):
        args = [what, str(seed), str(FRAMES)]
        with_paths, without = run(args), run(args, "off")
        assert with_paths.status == without.status == 0, (with_paths, without)
        lines = with_paths.console.splitlines()
        assert len(lines) == FRAMES + 1, with_paths
        for line, other in zip(lines, without.console.splitlines()):
            assert line == other, f"\n{line}, without short paths\n{other}"


def run_paths(args, mode="auto"):
    guest.need_engine("kvm")
    return guest.run("-v", "--engine", "kvm", "--kvm-short-paths", mode,
                     guest=guest.image("paths"), args=args)


def frames_lead_to_the_same_with_short_paths_and_without():
    same_marks(run_paths)


def short_paths_are_used_where_they_are_cheaper():
    """They are, where ring 0 is the CPU's own; else finding out costs little.
    """
    for what, each in EXITS_WITHOUT.items():
        with_paths, without = [run_paths([what, "1000"], mode)
                               for mode in ("auto", "off")]
        counts = [int(EXITS.search(result.report).group(1))
                  for result in (with_paths, without)]
        print(f"# {counts[0]} exits for 1000 {what}, without short paths "
              f"{counts[1]}")
        assert HAS_NONE not in without.report, without
        assert HAS_PATHS not in without.report, without
        assert counts[1] >= each * 1000, without
        if HAS_PATHS in with_paths.report:
            assert counts[0] < 1000, with_paths
        else:
            assert HAS_NONE in with_paths.report, with_paths
            assert counts[0] >= each * 1000, with_paths


def a_deep_queue_needs_few_exits():
    guest.need_engine("kvm")
    requests = 20000
    with tempfile.NamedTemporaryFile() as disk:
        disk.write(os.urandom(8 << 20))
        disk.flush()
        result = guest.run("-v", "--engine", "kvm", "--disk",
                           f"{disk.name},raw,xvda,r",
                           guest=guest.example("blkbench"),
                           args=[f"count={requests}"])
    assert result.status == 0, result
    exits = int(EXITS.search(result.report).group(1))
    print(f"# {exits / requests:.3f} exits for each request")
    assert exits <= requests / 10, result


def simple_calls_stay_inside():
    """Where ring 0 is emulated, of kernels that live in the upper half."""
    guest.need_engine("kvm")
    if not guest.kvm_kind().get("ring0_emulated", False):
        raise tap.Skip("ring 0 of the KVM here is no slower than ring 3")
    image = guest.image("upper_calls")
    result = guest.run("-v", "--engine", "kvm", guest=image)
    assert result.status == 0, result
    inside = int(re.search(r"(\d+) hypercalls were served without leaving",
                           result.report).group(1))
    exits = int(EXITS.search(result.report).group(1))
    print(f"# {inside} calls inside, {exits} exits")
    assert inside > exits, result
    traced = guest.run("-v", "--engine", "kvm", "--trace", "hypercall",
                       guest=image)
    assert traced.status == 0, traced
    assert "without leaving" not in traced.report, "a trace shows all"


if __name__ == "__main__":
    sys.exit(tap.main([
        *[nonsense(what, *expected) for what, expected in NONSENSE.items()],
        nobody_can_run_without_it,
        *[exits_of(what) for what in OPERATIONS],
        *[same_end(lie, run_paths) for lie in LIES],
        frames_lead_to_the_same_with_short_paths_and_without,
        short_paths_are_used_where_they_are_cheaper,
        a_deep_queue_needs_few_exits,
        simple_calls_stay_inside,
    ]))
