#!/usr/bin/env python3
"""PVH guests on the kvm engine, and what is said where they cannot run."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import elf  # noqa: E402
import guest  # noqa: E402
import tap  # noqa: E402

SMALL = guest.image("pvh_small")

# What the guest does, its exit status, and what is said about it.
MISBEHAVES = {
    "triple-fault": (125, "the guest crashed: triple fault"),
    "page-nowhere": (125, "the guest crashed: triple fault"),
    "page-unaligned": (125, "the guest crashed: triple fault"),
    "run-nowhere": (125, "the guest crashed: "),
    "halt": (0, "halted"),
    "debug": (0, "guest: hello from a port"),
}


def a_stranger_finds_all_of_the_abi():
    guest.need_engine("kvm")
    result = guest.run("--engine", "kvm", guest=SMALL)
    assert result.status == 0, result
    assert result.console.endswith("verdict: success\n"), result
    assert "FAIL" not in result.console, result


def the_same_with_the_apic_of_kvm():
    guest.need_engine("kvm")
    for args, last in (([], "verdict: success\n"), (["halt"], "halted\n")):
        result = guest.run("--engine", "kvm", "--kvm-irqchip", "kernel",
                           guest=SMALL, args=args)
        assert result.status == 0, result
        assert result.console.endswith(last), result
        assert "FAIL" not in result.console, result


def an_unknown_irqchip_is_wrong_usage():
    result = guest.run("--kvm-irqchip", "pic", guest=SMALL)
    assert result.status == 2, result
    assert "there is no irqchip 'pic'" in guest.one_sentence(result), result


def nothing_else_need_be_said():
    guest.need_engine("kvm")
    result = guest.run("-v", guest=SMALL, args=["halt"])
    assert result.status == 0, result
    assert "engine process cannot run" in result.report, result
    assert "ABI PVH" in result.report, result


def the_kind_of_kvm_decides():
    """An image for VMs alone, with both entries: PVH is the better one, unless
    it were emulated. One with that entry alone runs, and the user is told."""
    guest.need_engine("kvm")
    kvm = json.loads(subprocess.run(
        [guest.PARAVANE, "doctor", "--json"], capture_output=True,
        check=True).stdout)["kvm"]
    emulated = kvm["ring0_emulated"]
    result = guest.run("-v", guest=guest.image("upper"))
    assert result.status == 0, result
    if emulated:
        assert "; ABI PV, PVH guests are emulated here" in result.report, result
        assert "warning" not in result.report, result
    else:
        assert "; ABI PVH, PVH guests run" in result.report, result
    result = guest.run(guest=SMALL, args=["halt"])
    assert result.status == 0, result
    assert emulated == ("is a PVH image: PVH guests are emulated" in
                        result.report), result
    # Whoever knows what he wants gets it in silence.
    result = guest.run("--abi", "pvh", guest=SMALL, args=["halt"])
    assert result.status == 0 and result.report == "", result


def more_memory_than_fits_below_4_gib_is_had():
    guest.need_engine("kvm")
    result = guest.run("--memory", "4100M", "--engine", "kvm", guest=SMALL)
    if "but this host has" in result.report:
        raise tap.Skip("this host has less than 4100 MiB")
    assert result.status == 0, result
    assert result.console.endswith("verdict: success\n"), result


def misbehaviour(what, status, said):
    def test():
        guest.need_engine("kvm")
        result = guest.run("-v", "--engine", "kvm", guest=SMALL, args=[what])
        assert result.status == status, result
        assert said in result.console + result.report, result
        assert "FAIL" not in result.console, result
        if status == 125:
            assert "  cr0 " in result.report, result
            assert "  page of rip: " in result.report, result
    test.__name__ = f"misbehaviour, {what}"
    return test


def the_process_engine_says_what_to_do():
    result = guest.run("--engine", "process", guest=SMALL)
    assert result.status == 1, result
    assert "PVH needs --engine kvm" in guest.one_sentence(result), result


def what_is_asked_for_must_be_offered():
    guest.need_engine("kvm")
    result = guest.run("--engine", "kvm", "--abi", "pv", guest=SMALL)
    assert result.status == 1, result
    assert "it offers no PV entry" in guest.one_sentence(result), result
    image = elf.Image(guest.example("hello"))
    with image.hide_note(elf.NOTE_PHYS32_ENTRY) as path:
        result = guest.run("--engine", "kvm", "--abi", "pvh", guest=path)
    assert result.status == 1, result
    assert "it offers no PVH entry" in guest.one_sentence(result), result


def an_unknown_abi_is_wrong_usage():
    result = guest.run("--abi", "hvm", guest=SMALL)
    assert result.status == 2, result
    assert "there is no ABI 'hvm'" in guest.one_sentence(result), result


def a_guest_too_large_is_told_how_much_it_takes():
    guest.need_engine("kvm")
    result = guest.run("--abi", "pvh", "--memory", "1M", guest=SMALL)
    assert result.status == 1, result
    assert "--memory 2M" in guest.one_sentence(result), result


if __name__ == "__main__":
    tap.main([
        a_stranger_finds_all_of_the_abi,
        the_same_with_the_apic_of_kvm,
        an_unknown_irqchip_is_wrong_usage,
        nothing_else_need_be_said,
        the_kind_of_kvm_decides,
        more_memory_than_fits_below_4_gib_is_had,
        *(misbehaviour(what, *wanted)
          for what, wanted in MISBEHAVES.items()),
        the_process_engine_says_what_to_do,
        what_is_asked_for_must_be_offered,
        an_unknown_abi_is_wrong_usage,
        a_guest_too_large_is_told_how_much_it_takes,
    ])
