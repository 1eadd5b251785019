#!/usr/bin/env python3
"""Every image keeps its promises in a VM on AMD's SVM with nested paging, as
PV and as PVH: what is expected is the same as everywhere
(tests/harness/expect.py). So do those who give the CPU nonsense
to load (tests/system/kvm.py, pvh.py), for here it is the CPU that loads it."""
import functools
import json
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "system"))
import svm_lab  # noqa: E402, puts the harness on the path
import expect  # noqa: E402
import guest  # noqa: E402
import kvm  # noqa: E402
import pvh  # noqa: E402
import tap  # noqa: E402
import traps  # noqa: E402
import verdicts  # noqa: E402

PLACE = "kvm in the SVM lab"
SECONDS = 120  # for one image, on a machine that others use as well
MAX_BOOTS = 3
EXITS = re.compile(r"the guest left the VM (\d+) times")
ABIS = ("pv", "pvh")
OWN_IMAGES = ("nonsense", "paths", "pvh_small")  # no cells of the matrix
# What runs by short paths wherever it can, and must not notice.
WITHOUT_PATHS = ("callbacks", "debug", "ldt", "segments", "traps", "usermode")


class Shared:
    """One machine for all, another if that got lost; or why there is none."""

    def __init__(self):
        self.machine = self.trouble = None
        self.boots = 0

    def __call__(self):
        if self.machine and self.machine.lost:
            self.end()
        if not self.machine and not self.trouble:
            self._boot()
        if self.trouble:
            raise self.trouble
        return self.machine

    def _boot(self):
        assert self.boots < MAX_BOOTS, "the lab gets lost again and again"
        self.boots += 1
        try:
            self.machine = svm_lab.Lab(files()).__enter__()
        except Exception as trouble:
            self.trouble = trouble

    def end(self):
        if self.machine:
            self.machine.__exit__()
        self.machine = None


lab = Shared()


def files():
    names = {*expect.IMAGES, *OWN_IMAGES,
             *(case.image for case in expect.CASES)}
    found = {f"{name}.elf": expect.path(name) for name in names}
    found["exits.elf"] = kvm.COUNTED
    for number, case in enumerate(expect.CASES):
        found[f"{number}.keys"] = case.keys.encode()
        found[f"{number}.initrd"] = case.initrd
        for disk in case.disks:
            found[f"{number}.{disk.vdev}"] = disk.content
    return found


@functools.cache
def abis(path):
    """What paravane inspect says of each that the image may offer."""
    done = subprocess.run([guest.PARAVANE, "inspect", "--json", path],
                          capture_output=True, check=True)
    return json.loads(done.stdout)["abis"]


def run(name, abi, *options, **more):
    """On the kvm engine there, with the exits as a remark."""
    expect.need_abi(name, abi)
    path = kvm.COUNTED if name == "exits" else expect.path(name)
    offered = abis(path)[abi.upper()]
    if not offered["offered"]:
        raise tap.Skip(offered["why_not"])
    result = lab().run("-v", "--engine", "kvm", "--abi", abi, *options,
                       image=f"{name}.elf", seconds=SECONDS, **more)
    exits = EXITS.search(result.report)
    if exits:
        print(f"# {name} as {abi} left the VM {exits.group(1)} times")
    assert "please report" not in result.report, result
    return result


def image(name, abi):
    def test():
        result = run(name, abi, "--vcpus", str(verdicts.VCPUS.get(name, 1)))
        expect.check(name, result, abi, PLACE)
        if name == "ldt":  # which elsewhere may have found no occasion
            assert "leads to the failsafe callback" in result.console, result
        if name in expect.CRASHES:
            for part in ("the guest crashed", "page of rip: ", "backtrace:"):
                assert part in result.report, result
    test.__name__ = expect.point(name, abi, PLACE)
    return test


def run_of(number, case, abi):
    def test():
        options = ["--initrd", f"{number}.initrd"] if case.initrd else []
        if case.vcpus > 1:
            options += ["--vcpus", str(case.vcpus)]
        after = {}
        for disk in case.disks:
            lab().shell(f"cp {number}.{disk.vdev} {disk.vdev}")
            options += ["--disk", f"{disk.vdev},raw,{disk.vdev},{disk.access}"]
        result = run(case.image, abi, *options, args=case.args,
                     stdin=f"{number}.keys")
        for disk in case.disks:
            after[disk.vdev] = lab().shell(["cat", disk.vdev]).bytes
        case.check(result, after)
    test.__name__ = expect.point(case.image, abi, PLACE, case.more)
    return test


def nonsense(image_name, abi, what, status, said):
    def test():
        result = run(image_name, abi, args=[what])
        assert result.status == status, result
        assert said in result.console + result.report, result
    test.__name__ = f"{image_name} as {abi}, {what}"
    return test


def exits_of(what, abi):
    def test():
        begin = time.monotonic()
        result = run("exits", abi, args=[what, str(kvm.OPERATIONS[what][0])])
        kvm.check_exits(what, result, time.monotonic() - begin)
    test.__name__ = f"exits of {what} as {abi}"
    return test


def without_short_paths(name):
    def test():
        result = run(name, "pv", "--kvm-short-paths", "off")
        expect.check(name, result, "pv", PLACE)
        assert kvm.HAS_PATHS not in result.report, result
    test.__name__ = f"{name} as pv, without short paths"
    return test


def run_paths(args, mode="auto"):
    return run("paths", "pv", "--kvm-short-paths", mode, args=args)


def frames_lead_to_the_same_with_short_paths_and_without():
    kvm.same_marks(run_paths)


def by_short_paths_it_does_not_leave_the_VM(what):
    """Nor do the irets before."""
    def test():
        begin = time.monotonic()
        result = run_paths([what, "5000"])
        seconds = time.monotonic() - begin
        assert kvm.HAS_PATHS in result.report, result
        exits = int(EXITS.search(result.report).group(1))
        assert exits <= kvm.FEW + kvm.TICKS * seconds, (seconds, result)
    test.__name__ = f"{what} by short paths do not leave the VM"
    return test


def the_abi_of_PVH_as_a_stranger_finds_it():
    result = run("pvh_small", "pvh")
    assert result.status == 0, result
    assert result.console.endswith("verdict: success\n"), result
    assert "FAIL" not in result.console, result


def the_same_with_the_APIC_of_KVM():
    for args, last in (((), "verdict: success\n"), (("halt",), "halted\n")):
        result = lab().run("--engine", "kvm", "--kvm-irqchip", "kernel",
                           image="pvh_small.elf", args=args, seconds=SECONDS)
        assert result.status == 0, result
        assert result.console.endswith(last), result
        assert "FAIL" not in result.console, result


def the_process_engine_misses_XSAVE_there():
    result = lab().run("--engine", "process", image="hello.elf")
    assert result.status == 1, result
    assert "XSAVE" in guest.one_sentence(result), result


def the_doctor_finds_hardware():
    result = lab().shell(["paravane", "doctor", "--json"])
    assert result.status == 0, result
    found = json.loads(result.console)
    assert found["engines"]["kvm"]["usable"], result
    assert not found["engines"]["process"]["usable"], result
    assert not found["host"]["xsave"]["ok"], result
    kind = found["kvm"]
    assert kind["kind"].startswith("hardware"), result
    assert not kind["ring0_emulated"] and not kind["shadow_paging"], result
    assert kind["slot_256"] and kind["host_is_guest"], result
    assert kind["traps_fpu"], result


def what_becomes_of_sensitive_instructions_there():
    result = lab().shell(["paravane", "traps", "--json"])
    assert result.status == 0, result
    places = json.loads(result.console)["places"]
    traps.check_ring3(places["native"]["instructions"])
    assert not places["process-pv"]["tried"], places["process-pv"]
    traps.check_pv(places["kvm-pv"])
    assert places["kvm-pv"]["instructions"]["mov from cs"]["value"] == 0xe033
    traps.check_pvh(places["kvm-pvh"])


def tests():
    yield from (image(name, abi) for name in expect.IMAGES for abi in ABIS
                if not expect.never(name, abi, PLACE))
    yield from (run_of(number, case, abi)
                for number, case in enumerate(expect.CASES)
                for abi in case.abis)
    yield from (nonsense("nonsense", "pv", what, *expected)
                for what, expected in kvm.NONSENSE.items())
    yield the_abi_of_PVH_as_a_stranger_finds_it
    yield the_same_with_the_APIC_of_KVM
    yield from (nonsense("pvh_small", "pvh", what, *expected)
                for what, expected in pvh.MISBEHAVES.items())
    yield from (exits_of(what, abi) for what in kvm.OPERATIONS for abi in ABIS)
    yield from (without_short_paths(name) for name in WITHOUT_PATHS)
    yield from (kvm.same_end(lie, run_paths) for lie in kvm.LIES)
    yield frames_lead_to_the_same_with_short_paths_and_without
    yield from map(by_short_paths_it_does_not_leave_the_VM, kvm.EXITS_WITHOUT)
    yield the_process_engine_misses_XSAVE_there
    yield the_doctor_finds_hardware
    yield what_becomes_of_sensitive_instructions_there


if __name__ == "__main__":
    try:
        status = tap.main(list(tests()))
    finally:
        lab.end()
    sys.exit(status)
