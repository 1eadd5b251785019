#!/usr/bin/env python3
"""PVH guests that nobody here wrote, on AMD's SVM with nested paging: GRUB as
Debian ships it for Xen, and Debian's own kernel. Both are driven through their
consoles, and what they wrote is read back from their disks."""
import hashlib
import os
import random
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import svm_lab  # noqa: E402, puts the harness on the path
import debian  # noqa: E402
import expect  # noqa: E402
import grub_talk as talk  # noqa: E402
import guest  # noqa: E402
import linux_guest  # noqa: E402
import tap  # noqa: E402

PLACE = "kvm in the SVM lab"
GRUB = "usr/lib/grub-xen/grub-i386-xen_pvh.bin"
SECONDS = 100  # for one guest
MIB = 1 << 20
# QEMU 7.2 lets an XSETBV of the innermost guest go by unnoticed, so that KVM
# tells it a wrong size of its state, and Linux complains.
LINUX_ARGS = ("noxsave",)
BLANK = random.Random(4).randbytes(4 * MIB)  # what Linux writes over


class Strangers:
    """One machine for all, or why there is none."""

    def __init__(self):
        self.lab = self.folder = self.trouble = None

    def machine(self):
        if self.trouble:
            raise self.trouble
        if not self.lab:
            try:
                self.lab = svm_lab.Lab(self._files()).__enter__()
            except Exception as trouble:
                self.trouble = trouble
                raise
        return self.lab

    def _files(self):
        self.folder = tempfile.TemporaryDirectory()
        disk = os.path.join(self.folder.name, "disk")
        talk.make_disk(disk)
        with open(disk, "rb") as file:
            self.checksum = hashlib.sha256(file.read()).hexdigest()
        vmlinuz, initrd = linux_guest.files()
        trees = debian.fetch("grub-xen-host")
        return {"grub": debian.find(trees.values(), GRUB), "disk": disk,
                "vmlinuz": vmlinuz, "initrd": initrd, "blank": BLANK}

    def end(self):
        if self.lab:
            self.lab.__exit__()
        if self.folder:
            self.folder.cleanup()


strangers = Strangers()


def lab():
    return strangers.machine()


def meet(image, drive, *options, args=()):
    """Run (image) there as PVH, (drive) typing at its console, to its end."""
    command = ["paravane", "run", "--engine", "kvm", "--abi", "pvh", *options,
               image]
    result = lab().interact([*command, "--", *args] if args else command,
                            drive, SECONDS)
    assert result.status == 0, result
    return result


def disk(name, vdev="xvda", access="ro"):
    return ["--disk", f"target={name},vdev={vdev},access={access}"]


def grub_reaches_its_prompt_and_reads_its_disk():
    def drive(grub):
        talk.menu(grub)
        talk.prompt(grub)
        talk.knows_its_disk(grub)
        grub.line("halt")
    result = meet("grub", drive, *disk("disk"))
    assert result.report == "", result


def grub_writes_to_its_disk():
    def drive(grub):
        talk.menu(grub)
        talk.prompt(grub)
        talk.remember(grub, "elephant")
        grub.line("halt")
    lab().shell("cp disk written")
    meet("grub", drive, *disk("written", access="rw"))
    found = lab().shell("grep -c '^memory=elephant$' written")
    assert found.console == "1\n", found


def grub_obeys_its_menu():
    def drive(grub):
        talk.menu(grub)
        talk.choose(grub, talk.GREET)
        grub.wait("a greeting from xen/xvda")
        grub.line("")
        talk.menu(grub)
        talk.choose(grub, talk.POWER_OFF)
    meet("grub", drive, *disk("disk"))


def grub_survives_kernels_that_are_none():
    def drive(grub):
        talk.menu(grub)
        talk.prompt(grub)
        talk.survives_nonsense(grub)
        grub.line("reboot")
    result = meet("grub", drive, *disk("disk"))
    assert "asked for a reboot" in result.report, result


def linux_reaches_a_shell_and_uses_its_disks():
    """It reads a whole disk and a file system on it, writes another, and says
    what it wrote; the disk's file says the same when it is off."""
    written = None

    def drive(linux):
        nonlocal written
        linux.patience = SECONDS
        linux.wait(linux_guest.PROMPT)
        linux.line("sha256sum /dev/xvda")
        linux.wait(f"^{strangers.checksum}  /dev/xvda\n")
        linux.line("mkdir /mnt; mount -o ro /dev/xvda /mnt && "
                   "cat /mnt/boot/secret.txt")
        linux.wait(f"^{talk.SECRET}\n")
        linux.line("head -c 3000000 /dev/urandom >/tmp.bin; "
                   "dd if=/tmp.bin of=/dev/xvdb bs=4096 seek=7 2>/dev/null; "
                   "sync; sha256sum /dev/xvdb")
        written = linux.wait(r"^([0-9a-f]{64})  /dev/xvdb\n").group(1)
        linux.line("dmesg | grep -c -e 'Call Trace' -e 'WARNING: CPU' "
                   "-e 'BUG:'")
        complaints = linux.wait(r"^(\d+)\n").group(1)
        assert complaints == "0", linux
        linux.line("poweroff -f")
    lab().shell("cp blank scratch")
    result = meet("vmlinuz", drive, "--initrd", "initrd", "--memory", "192M",
                  *disk("disk"), *disk("scratch", "xvdb", "rw"),
                  args=["console=hvc0", "quiet", *LINUX_ARGS])
    assert result.report == "", result
    found = lab().shell("sha256sum scratch")
    assert found.console == f"{written}  scratch\n", found
    assert written != hashlib.sha256(BLANK).hexdigest(), result


TESTS = {
    "grub": [
        grub_reaches_its_prompt_and_reads_its_disk,
        grub_writes_to_its_disk,
        grub_obeys_its_menu,
        grub_survives_kernels_that_are_none,
    ],
    "linux": [
        linux_reaches_a_shell_and_uses_its_disks,
    ],
}


def points():
    for image, tests in TESTS.items():
        for test in tests:
            claim = test.__name__.replace("_", " ").removeprefix(image + " ")
            test.__name__ = expect.point(image, "pvh", PLACE, claim)
            yield test


if __name__ == "__main__":
    try:
        sys.exit(tap.main(list(points())))
    finally:
        strangers.end()
