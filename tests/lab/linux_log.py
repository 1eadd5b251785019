#!/usr/bin/env python3
"""What Debian's kernel has to say as a PV guest of ours and as one of real Xen
under xl: the same, but for lines that docs/strangers.md explains. Nothing of it
is a complaint that real Xen would not cause."""
import os
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "harness")]
import expect  # noqa: E402
import guest  # noqa: E402
import linux_guest  # noqa: E402
import tap  # noqa: E402
import xen_guests  # noqa: E402
import xen_lab  # noqa: E402

ARGS = ("console=hvc0", "earlyprintk=xen")
MEMORY = 256  # MiB
PATIENCE = 300  # seconds in an emulated machine, beside other tests
LINE = re.compile(r"<(\d+)>\[ *\d+\.\d+\] (.*?)\r?$", re.M)

# What one side says and the other does not, by what it is about.
EXPLAINED = {
    "the version": r"^Xen version: 4\.17",
    "the CPU": r"^(x86/fpu|Speculative|Spectre|SRSO|RETBleed|MDS|TAA|MMIO|L1TF|"
               r"Last level|SRBDS|GDS|ITS|Vulnerable|Mitigation|Register File|"
               r"Transient|TSA|VMSCAPE|Freeing SMP|Dynamic Preempt|"
               r".*self-tests)",
    "the TSC": r"^(tsc:|clocksource: tsc|clocksource: Switched|"
               r".*TSC doesn't count with P0)",
    "memory": r"^Memory: \d",
    "event channels": r"^xen:events: Using (2-level|FIFO-based) ABI",
    "devices": r"^(xenbus_probe_frontend: Device with no driver|blkfront:)",
    "the order of things": r"^(random:|printk: |Trying to unpack|"
                           r"Freeing initrd)",
}


def add_init(contents):
    contents.file("init", os.path.join(HERE, "linux-log.init"), 0o755)


def log_of(console):
    """[(level, line)] of the kernel's log."""
    text = console.partition("the log begins")[2].partition("the log ends")[0]
    found = [(int(level) & 7, line) for level, line in LINE.findall(text)]
    assert len(found) > 100, console
    return found


def ours(vmlinuz, initrd):
    guest.need_engine("kvm")
    with tempfile.NamedTemporaryFile() as file:
        file.write(initrd)
        file.flush()
        result = guest.run("--engine", "kvm", "--abi", "pv", "--memory",
                           f"{MEMORY}M", "--vcpus", "2", "--initrd", file.name,
                           guest=vmlinuz, args=ARGS, timeout=PATIENCE)
    assert result.status == 0 and result.report == "", result
    return log_of(result.console)


def real_xens(vmlinuz, initrd):
    linux = xen_guests.Guest(vmlinuz, "pv", ARGS, memory=MEMORY, vcpus=2,
                             patience=PATIENCE, initrd=initrd)
    with xen_guests.Machine(xen_lab.Lab(), [linux]) as machine:
        for _ in machine.take():
            pass
    assert linux.status == 0, linux
    return log_of(linux.console)


def shape(line):
    """(line) without what no two runs have in common."""
    line = re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{12,}\b", "N", line)
    return re.sub(r"\d+", "N", line)


def unexplained(log, other):
    there = {shape(line) for _, line in other}
    return [(level, line) for level, line in log if shape(line) not in there
            and not any(re.search(pattern, line)
                        for pattern in EXPLAINED.values())]


def says_what_it_says_on_real_Xen():
    vmlinuz, initrd = linux_guest.files(add_init)
    here = ours(vmlinuz, initrd)
    there = real_xens(vmlinuz, initrd)
    differences = ([f"here:     <{level}> {line}"
                    for level, line in unexplained(here, there)] +
                   [f"real Xen: <{level}> {line}"
                    for level, line in unexplained(there, here)])
    print(f"# {len(here)} lines here, {len(there)} on real Xen")
    assert not differences, "\n".join(differences)


def main():
    test = says_what_it_says_on_real_Xen
    test.__name__ = expect.point("linux", "pv", "kvm",
                                 test.__name__.replace("_", " "))
    return tap.main([test], 2 * PATIENCE)


if __name__ == "__main__":
    sys.exit(main())
