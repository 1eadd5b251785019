"""A talk with GRUB at its console, the same for every GRUB and every place
where it runs: what lies on its disk, and what it must know of it."""
import hashlib
import os
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import console  # noqa: E402
import debian  # noqa: E402
import expect  # noqa: E402

PROMPT = "grub> $"
SECTOR = 512
MIB = 1 << 20
PARTITION_START = MIB  # of the only one of a partitioned disk

SECRET = "only the disk knows this line"
NOISE = random.Random(3).randbytes(2 * MIB + 77)

ENVIRONMENT = "-f /boot/grub/grubenv"  # for the commands that use it

MENU = """\
set timeout=-1
menuentry "Greet" {
    echo "a greeting from $root"
    read nothing
}
menuentry "Start a unikernel" {
    linux /boot/hello.elf first second
}
menuentry "Power off" {
    halt
}
menuentry "Reboot" {
    reboot
}
"""


def make_disk(path, partitioned=False, size=16 * MIB):
    """A disk with a file system as mke2fs makes it, on it or in its first
    partition; with the menu, images to start, and files to look at."""
    debian.need_program("mke2fs", "e2fsprogs")
    with tempfile.TemporaryDirectory() as files:
        def put(name, data):
            there = os.path.join(files, name)
            os.makedirs(os.path.dirname(there), exist_ok=True)
            with open(there, "wb") as file:
                file.write(data)

        put("boot/grub/grub.cfg", MENU.encode())
        put("boot/grub/grubenv", environment_block())
        put("boot/secret.txt", f"{SECRET}\n".encode())
        put("boot/noise.bin", NOISE)
        for image in ("hello", "blksum"):
            with open(expect.path(image), "rb") as file:
                put(f"boot/{image}.elf", file.read())
        offset = PARTITION_START if partitioned else 0
        with open(path, "wb") as disk:
            disk.truncate(offset + size)
        if partitioned:
            debian.need_program("sfdisk", "fdisk")
            subprocess.run(["sfdisk", "-q", path], input=b"2048,,L,*\n",
                           capture_output=True, check=True)
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext2", "-E",
                        f"offset={offset}", "-d", files, path,
                        f"{size // 1024}k"], capture_output=True, check=True)


def environment_block(**variables):
    """What grub-editenv makes: one KiB, so that it is rewritten in place."""
    text = "# GRUB Environment Block\n" + "".join(
        f"{name}={value}\n" for name, value in variables.items())
    return text.encode().ljust(1024, b"#")


def menu(grub):
    """Wait until the menu is drawn."""
    grub.wait(r"GNU GRUB  version")
    grub.wait(r"\*Greet")
    grub.wait("Reboot")


def prompt(grub):
    """From the menu to the command line."""
    grub.send("c")
    grub.wait(PROMPT)


def ask(grub, command):
    """What the command line answers to (command)."""
    grub.line(command)
    grub.wait(re.escape(command) + r"\s*\n")
    start = grub.seen
    end = grub.wait(PROMPT).start()
    return grub.text[start:end]


def knows_its_disk(grub, disk="xen/xvda", partition=""):
    """At the prompt: the disk's files are what the host wrote to it."""
    found = ask(grub, "ls")
    assert f"({disk})" in found, grub
    if partition:
        assert f"({disk},{partition})" in found, grub
    where = f"({disk},{partition})" if partition else f"({disk})"
    assert "secret.txt" in ask(grub, f"ls {where}/boot/"), grub
    assert SECRET in ask(grub, f"cat {where}/boot/secret.txt"), grub
    assert hashlib.sha256(NOISE).hexdigest() in ask(
        grub, f"sha256sum {where}/boot/noise.bin"), grub


def survives_nonsense(grub):
    """At the prompt: what is no kernel is refused by GRUB, which goes on."""
    for command, answer in (("linux /boot/secret.txt", "error: "),
                            ("linux /boot/none", "not found"),
                            ("ls (xen/xvdq)/", "error: "),
                            ("boot", "error: ")):
        assert answer in ask(grub, command), grub


def remember(grub, value):
    """At the prompt: write it to the disk."""
    ask(grub, f"set memory={value}")
    ask(grub, f"save_env {ENVIRONMENT} memory")


def choose(grub, entry):
    """In the menu: go down (entry) times, press return."""
    for _ in range(entry):
        grub.send(console.DOWN)
    grub.send(console.RETURN)


GREET, UNIKERNEL, POWER_OFF, REBOOT = range(4)
