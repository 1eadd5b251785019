#!/usr/bin/env python3
"""paravane traps: what it prints is what becomes of each instruction here, and
what cannot be tried is told."""
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import tap  # noqa: E402

GP, UD = 13, 6
# They end in ring 3 on any CPU, or a process could stop the machine.
PRIVILEGED = ["cli", "sti", "hlt", "lgdt", "lidt", "lldt", "ltr", "lmsw",
              "clts", "mov to cr0", "mov from cr0", "mov to cr2",
              "mov from cr2", "mov to cr3", "mov from cr3", "mov to cr4",
              "mov from cr4", "mov to cr8", "mov from cr8", "mov to dr",
              "mov from dr", "invlpg", "wbinvd", "rdmsr", "wrmsr", "swapgs",
              "in", "out", "ins", "outs"]
# What made x86 famous. (sgdt and its like may trap, where UMIP is on and the
# kernel does not make up values.)
SILENT = ["pushf", "popf", "iret", "lar", "mov from cs"]
# What Xen carries out for PV kernels: host/pv/, docs/engines.md.
EMULATED = ["ud2 xen cpuid", "clts", "mov from cr0", "mov to cr0",
            "mov from cr2", "mov to cr2", "mov from cr3", "mov to cr3",
            "mov from cr4", "mov to cr4", "mov from dr", "mov to dr", "wbinvd",
            "rdmsr", "wrmsr"]


def traps(*args, program=guest.PARAVANE, **popen):
    done = subprocess.run([program, "traps", *args], text=True, timeout=120,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          check=False, **popen)
    return guest.Result(done.returncode, done.stdout, done.stderr)


def table(**popen):
    result = traps("--json", **popen)
    assert result.status == 0 and not result.report, result
    return json.loads(result.console)


def check_ring3(found):
    for name in SILENT:
        assert found[name]["verdict"] == "wrong", (name, found[name])
    assert found["mov from cs"]["value"] & 3 == 3, found["mov from cs"]
    for name in ("pushf", "popf", "iret"):
        assert found[name]["value"] & 0x200, "interrupts look on, always"
    assert found["rdtsc"]["verdict"] == "works", found["rdtsc"]


def check_pv(place):
    assert place["tried"] and "why" not in place and place["ring"] == 3, place
    found = place["instructions"]
    check_ring3(found)
    for name in EMULATED:
        assert found[name]["verdict"] == "emulated", (name, found[name])
    for name in set(PRIVILEGED) - set(EMULATED):
        assert found[name]["verdict"] == "traps", (name, found[name])
        assert found[name]["vector"] == GP, (name, found[name])
    assert found["mov from cr0"]["value"] == 0x80050033, found
    assert found["ud2 xen cpuid"]["value"] == 0x566e6558, "XenV"


def check_pvh(place):
    """In ring 0 of the CPU's own making nothing is missing."""
    assert place["tried"] and "why" not in place and place["ring"] == 0, place
    found = dict(place["instructions"])
    assert found.pop("ud2 xen cpuid")["vector"] == UD
    for name in ("hlt", "sysret"):
        assert found.pop(name)["verdict"] == "not tried", name
    for name, result in found.items():
        assert result["verdict"] == "works", (name, result)
    assert found["mov from cs"]["value"] & 3 == 0, found["mov from cs"]


def in_a_process_the_famous_ones_do_not_trap():
    found = table()
    native = found["places"]["native"]
    assert native["tried"] and "why" not in native, native
    check_ring3(native["instructions"])
    for name in PRIVILEGED:
        result = native["instructions"][name]
        assert result["verdict"] == "traps" and result["vector"] == GP, \
            (name, result)
    forced = native["instructions"]["ud2 xen cpuid"]
    assert forced["verdict"] == "traps" and forced["vector"] == UD, forced
    assert not found["virtualizable"], found


def on_the_process_engine_xen_carries_out_the_rest():
    guest.need_engine("process")
    check_pv(table()["places"]["process-pv"])


def on_kvm_as_well():
    guest.need_engine("kvm")
    check_pv(table()["places"]["kvm-pv"])


def in_ring_0_all_of_it_works():
    guest.need_ring0()
    check_pvh(table()["places"]["kvm-pvh"])


def a_ring_0_that_is_emulated_is_not_tried():
    guest.need_engine("kvm")
    if not guest.kvm_kind().get("ring0_emulated", False):
        raise tap.Skip("ring 0 is the CPU's own here")
    place = table()["places"]["kvm-pvh"]
    assert not place["tried"] and "emulated" in place["why"], place


def unmeasured(text):
    """How much slower something is differs from time to time."""
    return re.sub(r"\d+", "N", text)


def people_are_told_the_same_as_programs():
    found = table()
    result = traps()
    assert result.status == 0 and not result.report, result
    rows = {row[:14].strip(): row[14:]
            for row in result.console.split("\n\n")[0].splitlines()}
    for name, cell in found["places"]["native"]["instructions"].items():
        word = {GP: "#GP", UD: "#UD"}[cell["vector"]] \
            if cell["verdict"] == "traps" else cell["verdict"]
        assert rows[name].split()[0].rstrip(":") == word, (name, rows[name])
    for place in found["places"].values():
        if not place["tried"]:
            assert f"not tried: {unmeasured(place['why'])}" in \
                unmeasured(result.console), place
    assert "verdict: " in result.console.splitlines()[-1], result


def the_binary_alone_is_enough():
    with tempfile.TemporaryDirectory() as folder:
        alone = shutil.copy(guest.PARAVANE, folder)
        places = table(program=alone, cwd=folder)["places"]
    assert places["process-pv"]["tried"] == \
        guest.engines()["process"]["usable"], places


def without_kvm_the_rest_is_tried():
    if os.geteuid() != 0:
        raise tap.Skip("it takes root to become somebody without /dev/kvm")

    def drop():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        alone = shutil.copy(guest.PARAVANE, folder)
        places = table(program=alone, preexec_fn=drop)["places"]
    if places["kvm-pv"]["tried"]:
        raise tap.Skip("/dev/kvm is for everybody here")
    assert "/dev/kvm" in places["kvm-pv"]["why"], places["kvm-pv"]
    assert places["native"]["tried"], places["native"]


def without_processes_it_says_so():
    if os.geteuid() != 0:
        raise tap.Skip("it takes root to become somebody without processes")

    def none_left():
        os.setgroups([])
        os.setgid(65533)
        os.setuid(65533)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        alone = shutil.copy(guest.PARAVANE, folder)
        result = traps(program=alone, preexec_fn=none_left)
    assert result.status == 1, result
    assert "a process: not tried: cannot start a process" in result.console, \
        result


def a_guest_that_ends_early_is_told():
    guest.need_engine("process")
    result = traps("--json",
                   preexec_fn=guest.limit_files_to(4096))  # of its memfds
    assert result.status == 0, result
    place = json.loads(result.console)["places"]["process-pv"]
    assert "why" in place, place


def wrong_usage_is_told():
    for args in (("--nonsense",), ("more",), ("--json=1",)):
        result = traps(*args)
        assert result.status == 2, result
        guest.one_sentence(result)
    result = traps("--help")
    assert result.status == 0 and "--json" in result.console, result


if __name__ == "__main__":
    sys.exit(tap.main([
        in_a_process_the_famous_ones_do_not_trap,
        on_the_process_engine_xen_carries_out_the_rest,
        on_kvm_as_well,
        in_ring_0_all_of_it_works,
        a_ring_0_that_is_emulated_is_not_tried,
        people_are_told_the_same_as_programs,
        the_binary_alone_is_enough,
        without_kvm_the_rest_is_tried,
        without_processes_it_says_so,
        a_guest_that_ends_early_is_told,
        wrong_usage_is_told,
    ]))
