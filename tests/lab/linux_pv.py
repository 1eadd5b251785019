#!/usr/bin/env python3
"""Debian's kernel, as its package installs it: the bzImage is unpacked to what
the lab's own unpacking finds in it, and boots as a PV guest to the point where
it starts its first program."""
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import debian  # noqa: E402
import guest  # noqa: E402
import initramfs  # noqa: E402
import kernel  # noqa: E402
import tap  # noqa: E402

PATIENCE = 100  # seconds for a kernel that shares its CPU with other tests
INIT = b"#!/bin/sh\n"  # that it is there is enough


def tree():
    package = debian.linux_image("cloud-amd64")
    return debian.fetch(package)[package]


def its_bzimage_is_unpacked():
    path = kernel.bzimage(tree())
    done = subprocess.run([guest.PARAVANE, "inspect", "--json", path],
                          capture_output=True, timeout=60, check=True)
    found = json.loads(done.stdout)
    outer = found["unpacked"]
    with open(path, "rb") as file:
        assert outer["size"] == len(kernel.elf_of(file.read())), outer
    assert outer["container"] == "bzImage", outer
    assert outer["version"].startswith(kernel.release(tree()) + " "), outer
    assert found["abis"]["PV"]["offered"], found
    assert found["abis"]["PVH"]["offered"], found
    assert found["notes"]["MOD_START_PFN"] == 1, found
    assert found["notes"]["INIT_P2M"] == 0x8000000000, found


def run_until(process, wanted):
    """What it wrote until (wanted) was among it."""
    said, end = b"", time.monotonic() + PATIENCE
    os.set_blocking(process.stdout.fileno(), False)
    while wanted not in said:
        more = process.stdout.read()
        said += more or b""
        if more == b"" or time.monotonic() > end:
            raise AssertionError(said.decode(errors="replace"))
        time.sleep(0.05)
    return said


def as_PV_it_boots_to_its_first_program():
    guest.need_engine("kvm")
    with tempfile.NamedTemporaryFile() as initrd:
        contents = initramfs.Initramfs()
        contents.bytes("init", INIT, 0o755)
        contents.write(initrd.name, compress=True)
        process = guest.start("--engine", "kvm", "--abi", "pv", "--memory",
                              "256M", "--initrd", initrd.name,
                              guest=kernel.bzimage(tree()),
                              args=["console=hvc0", "panic=-1"])
        said = run_until(process, b"Run /init as init process")
        process.kill()
        process.wait()
    assert b"Hypervisor detected: Xen PV" in said, said
    assert b"Command line: console=hvc0 panic=-1\r\n" in said, said
    assert b"unpacking failed" not in said, said
    for complaint in (b"WARNING", b"BUG:", b"Oops"):
        assert complaint not in said, said


if __name__ == "__main__":
    sys.exit(tap.main([
        its_bzimage_is_unpacked,
        as_PV_it_boots_to_its_first_program,
    ]))
