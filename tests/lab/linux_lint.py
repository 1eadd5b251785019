#!/usr/bin/env python3
"""paravane inspect --lint looks through Debian's kernel: 13 MB of code that
nobody here wrote, without symbols, that patches itself."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import debian  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402
import tap  # noqa: E402

FINDINGS = 3  # the exit status
# Linux has these for bare hardware, whatever its version.
SURELY = {"cli", "cpuid", "hlt", "iret", "lgdt", "lidt", "ltr", "mov to cr3",
          "popf", "pushf", "sgdt", "swapgs", "wrmsr"}


def lint(*options, status=FINDINGS):
    package = debian.linux_image("cloud-amd64")
    path = kernel.bzimage(debian.fetch(package)[package])
    done = subprocess.run([guest.PARAVANE, "inspect", "--lint", *options,
                           path], capture_output=True, timeout=120, text=True,
                          check=False)
    assert done.returncode == status and not done.stderr, done.stderr
    return done.stdout


def what_is_for_bare_hardware_is_found():
    found = json.loads(lint("--json"))
    names = {f["instruction"] for f in found["findings"]}
    assert names >= SURELY, SURELY - names
    assert found["instructions"] > 1000000, found["instructions"]
    # Little of what is executable is no code.
    assert found["undecoded_bytes"] * 1000 < found["instructions"], found
    assert found["counts"]["unlisted"] == 0 and not found["missing"], found


def its_alternatives_are_told_apart():
    found = json.loads(lint("--json"))
    places = {f["place"] for f in found["findings"]}
    assert places == {"plain", "replaced", "replacement"}, places
    assert found["patches_itself"], found
    assert not any(f["counts"] for f in found["findings"]
                   if f["place"] != "plain")
    # SMAP's pair is nowhere but in the lists.
    assert {f["place"] for f in found["findings"]
            if f["instruction"] in ("stac", "clac")} == {"replacement"}
    text = lint()
    assert "more in Linux's lists of alternatives" in text
    assert "pv_ops" in text and "without symbols" in text


def as_PVH_its_calls_are_told():
    found = json.loads(lint("--abi", "pvh", "--json", status=0))
    assert found["abi"] == "pvh" and not found["findings"], found
    # One for Intel's CPUs, one for AMD's; and KVM's own, which it may inline.
    assert found["vm_calls_replaced"] == 2, found
    assert found["vm_calls"] >= 2, found
    text = lint("--abi", "pvh", status=0)
    assert "of these 2 are the whole of a function" in text, text


if __name__ == "__main__":
    sys.exit(tap.main([what_is_for_bare_hardware_is_found,
                       its_alternatives_are_told_apart,
                       as_PVH_its_calls_are_told]))
