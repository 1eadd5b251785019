#!/usr/bin/env python3
"""Debian's kernel, as its package installs it: the bzImage is unpacked to what
the lab's own unpacking finds in it, and boots as a PV guest to a shell, where
somebody works with its devices and ends it."""
import contextlib
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import console  # noqa: E402
import debian  # noqa: E402
import expect  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402
import linux_guest  # noqa: E402
import tap  # noqa: E402

PATIENCE = 100  # seconds for a kernel that shares its CPU with other tests
MIB = 1 << 20
FOLDER = None  # of the files that all tests share


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


@contextlib.contextmanager
def linux(*options, args=(), **popen):
    """It, with its shell at the prompt."""
    guest.need_engine("kvm")
    vmlinuz, initrd = linux_guest.files()
    path = os.path.join(FOLDER, "initrd")
    if not os.path.exists(path):
        with open(path, "wb") as file:
            file.write(initrd)
    command = guest.command("--engine", "kvm", "--abi", "pv", "--memory",
                            "256M", "--initrd", path, *options, guest=vmlinuz,
                            args=["console=hvc0", *args])
    with console.Command(command, **popen) as process:
        process.patience = PATIENCE
        process.wait(linux_guest.PROMPT)
        yield process


def has_no_complaints(process):
    for complaint in ("WARNING", "BUG:", "Oops", "Call Trace",
                      "unpacking failed"):
        assert complaint not in process.text, (complaint, process)


def disk(name, contents):
    path = os.path.join(FOLDER, name)
    with open(path, "wb") as file:
        file.write(contents)
    return path


def checksum(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def reaches_a_shell_and_uses_its_disks():
    """It reads one, writes the other, and says what it wrote; the file says
    the same when it is off."""
    read = disk("read", random.Random(4).randbytes(4 * MIB))
    written = disk("written", bytes(4 * MIB))
    with linux("--disk", f"target={read},vdev=xvda,access=ro", "--disk",
               f"target={written},vdev=xvdb,access=rw") as process:
        assert "Hypervisor detected: Xen PV" in process.text, process
        assert "Command line: console=hvc0\n" in process.text, process
        process.line("sha256sum /dev/xvda")
        process.wait(f"^{checksum(read)}  /dev/xvda\n")
        process.line("head -c 3000000 /dev/urandom >/tmp.bin; dd if=/tmp.bin "
                     "of=/dev/xvdb bs=4096 seek=7 2>/dev/null; sync; "
                     "sha256sum /dev/xvdb")
        said = process.wait(r"^([0-9a-f]{64})  /dev/xvdb\n").group(1)
        process.line("poweroff -f")
        assert process.finish() == 0, process
        assert process.report == "", process
        has_no_complaints(process)
    assert checksum(written) == said != \
        hashlib.sha256(bytes(4 * MIB)).hexdigest(), said


POINTS = [
    (its_bzimage_is_unpacked, ""),
    (reaches_a_shell_and_uses_its_disks, "kvm"),
]


def points():
    for test, place in POINTS:
        if place:
            claim = test.__name__.replace("_", " ")
            test.__name__ = expect.point("linux", "pv", place, claim)
        yield test


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as FOLDER:
        sys.exit(tap.main(list(points())))
