"""teachos, measured by its own bench program: on kvm the exits for each thing
that a kernel does for its programs, and on every engine the time."""
import os
import re
import subprocess

# What there is; how often, twice; and the exits each may take on kvm.
KINDS = (("syscall", "a system call", 500, 2500, 2),
         ("fault", "a page fault", 100, 600, 3),
         ("fork", "fork, exit, wait", 10, 60, 22),
         ("switch", "to another process and back", 100, 600, 11))


def _arguments(build, kind, number):
    """Of paravane run."""
    disk = os.path.join(build, "examples", "teachos.img")
    return ["--memory", "64M", "--disk", f"target={disk},vdev=xvda,access=ro",
            os.path.join(build, "examples", "teachos.elf"), "--",
            f"bench {kind} {number}"]


def exits_rows(build, exits, row):
    """(exits): how often such a guest on kvm left its VM."""
    for kind, what, few, many, target in KINDS:
        counts = [exits(*_arguments(build, kind, number))
                  for number in (few, many)]
        each = (counts[1] - counts[0]) / (many - few)
        row(f"kvm, teachos: {what}", "as many", each, target, "exits", target,
            round(each, 1), "smaller")


def times(build, paravane, engine):
    """What it says itself, which is for nobody to meet."""
    for kind, what, _, many, _ in KINDS:
        done = subprocess.run(
            [paravane, "run", "--engine", engine, "--abi", "pv",
             *_arguments(build, kind, many)], check=True, capture_output=True,
            stdin=subprocess.DEVNULL)
        each = int(re.search(rb"(\d+) ns each", done.stdout).group(1))
        name = f"{engine}, teachos: {what}"
        print(f"{name:40} {each / 1000:10.4g} us", flush=True)
