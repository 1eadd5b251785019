"""What is expected of an image is the same everywhere: on every engine, in the
labs, on real Xen. So are the names of the points that say what came of it."""
import os

import disk_cases
import guest
import initrd_cases
import life_cases
import mode_cases
import net_cases
import smp_cases
import tap
import verdicts
import teachos_cases

# Its last line is its verdict.
PROMISES = ["assists", "callbacks", "debug", "descriptors", "emulated", "events",
            "fifo", "freestanding", "grants", "interrupted", "libc", "mapped", "pages",
            "smp", "threads", "timers", "traps", "updates", "vcpus",
            "vectors"]
# The same, where rings are real and the guest has all addresses: everywhere
# but on the process engine.
RING_PROMISES = ["breakpoints", "fpu", "ldt", "segments", "upper",
                 "upper_calls", "usermode"]
# What is done for PV kernels alone.
PV_ONLY = ["assists", "breakpoints", "callbacks", "debug", "descriptors",
           "emulated", "fpu", "ldt", "mapped", "updates", "upper_calls",
           "usermode", "verdict_mmu"]
# What they need that not every KVM has for ring 3: the word of paravane doctor.
NEEDS_OF_KVM = {"breakpoints": "breakpoints", "fpu": "traps_fpu"}
# All of its lines are known: tests/lab/NAME.txt.
LINES = ["clock", "hello"]
# Each of its lines is an answer: what real Xen's was, but for known exceptions.
VERDICTS = verdicts.IMAGES
# It follows a wild pointer.
CRASHES = ["crash"]

IMAGES = PROMISES + RING_PROMISES + LINES + VERDICTS + CRASHES
# Images that are run in several ways, with arguments, disks, input.
CASES = (disk_cases.CASES + initrd_cases.CASES + life_cases.CASES +
         mode_cases.CASES + net_cases.CASES + smp_cases.CASES +
         teachos_cases.CASES)
CRASHED = 125  # the exit status of a run whose guest crashed

# Cells that no test can fill.
_NO_PVH_PROCESS = "a PVH image starts in ring 0, which a process has not"
_NO_RING = {
    "breakpoints": "a process may not arm any",
    "fpu": "a process has its FPU always",
    "ldt": "it loads selectors that a process cannot have",
    "segments": "it loads selectors that a process cannot have",
    "upper": "it is linked where a process has no addresses",
    "upper_calls": "it is linked where a process has no addresses",
    "usermode": "some of its programs are of 32-bit code",
}
_ONE_ROOT = "its vCPUs use different page tables, and a process has one"

# Kernels of others judge our host, each where it tells most: GRUB as PV on the
# machine at hand, PVH where ring 0 is the CPU's own.
STRANGERS = ["grub", "linux"]
# QEMU 7.2 loads DR7 at VMRUN without looking for breakpoints in it.
_NO_SVM = {"breakpoints": "the CPU that QEMU plays there never meets any"}
_STRANGER = "a kernel of others judges our host, and is not tried everywhere"

_PV_ALONE = {
    "contexts": "a PVH guest gives its vCPUs contexts of another form",
    "race": "it races with page tables and trap tables, which PV kernels have",
}
_PVH_ALONE = {"startup": "a PV guest has no APIC to start vCPUs by"}

_LINES_FOLDER = os.path.join(os.path.dirname(__file__), "..", "lab")


def path(name):
    """The file of an image of ours."""
    example = guest.example(name)
    return example if os.path.exists(example) else guest.image(name)


def need_abi(name, abi):
    """Skip what (abi) has no use for."""
    if abi == "pvh" and name in PV_ONLY:
        raise tap.Skip("a PVH guest does itself what this is about")


def need_of_kvm(name, kind):
    """Skip what a KVM of (kind), as paravane doctor has it, cannot do."""
    word = NEEDS_OF_KVM.get(name)
    if word and not kind[word]:
        raise tap.Skip(f"the KVM here does not do it: {word}")


def point(name, abi, place, more=""):
    """The name of a cell of the matrix, as tests/matrix looks for it."""
    return f"{name} as {abi} on {place}" + (f", {more}" if more else "")


def lines(name):
    """All that an image in LINES writes."""
    with open(os.path.join(_LINES_FOLDER, name + ".txt"),
              encoding="ascii") as file:
        return file.read()


def never(name, abi, place, more=""):
    """Why there can be no such cell, or None."""
    if (name, more) in mode_cases.ANYWHERE:
        place = ""
    if place == "process" and abi == "pvh":
        return _NO_PVH_PROCESS
    if name in STRANGERS:
        return _STRANGER
    alone = (_PV_ALONE if abi == "pvh" else _PVH_ALONE).get(name)
    if alone:
        return alone
    if place == "kvm in the SVM lab":
        return _NO_SVM.get(name)
    if place == "process" and name == "teachos" and more == "2 vCPUs":
        return _ONE_ROOT
    return _NO_RING.get(name) if place == "process" else None


def check(name, result, abi, place):
    """Its status and what it wrote; (result) is shown if they are wrong."""
    status = CRASHED if name in CRASHES else 0
    assert result.status == status, result
    if name in LINES:
        assert result.console == lines(name), result
    elif name in VERDICTS:
        verdicts.check(name, abi, place, result.console)
    elif name in CRASHES:
        assert "page fault at address 0x10" in result.console, result
    else:
        assert result.console.endswith("verdict: success\n"), result
