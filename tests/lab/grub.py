#!/usr/bin/env python3
"""GRUB as Debian ships it for Xen is a guest of ours: nobody here wrote its
console, store and disk drivers, nor how it starts a kernel of its own."""
import contextlib
import functools
import hashlib
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import console  # noqa: E402
import debian  # noqa: E402
import expect  # noqa: E402
import grub_talk as talk  # noqa: E402
import guest  # noqa: E402
import tap  # noqa: E402

IMAGE = "usr/lib/grub-xen/grub-x86_64-xen.bin"
NAME = "grub"  # in the matrix
FOLDER = None  # of the disks that all tests share


@functools.cache
def image():
    return debian.find(debian.fetch("grub-xen-host").values(), IMAGE)


def disk(partitioned=False):
    """A disk nobody writes to, made when first asked for."""
    path = os.path.join(FOLDER, f"disk-{partitioned}")
    if not os.path.exists(path):
        talk.make_disk(path, partitioned)
    return path


@contextlib.contextmanager
def grub(*options, path=None, access="ro", **popen):
    """GRUB with its menu on the screen."""
    guest.need_engine("kvm")
    command = guest.command(
        "--engine", "kvm", "--disk",
        f"target={path or disk()},vdev=xvda,access={access}", *options,
        guest=image())
    with console.Command(command, **popen) as process:
        talk.menu(process)
        yield process


def ends(process, status=0, said=""):
    """It ends by itself; its report is one sentence with (said), or none."""
    assert process.finish() == status, process
    report = process.report
    assert said in report and len(report.splitlines()) == bool(said), process


def reads_its_disk(*options, **popen):
    with grub(*options, **popen) as process:
        talk.prompt(process)
        talk.knows_its_disk(process)
        process.line("halt")
        ends(process)


def reaches_its_prompt_and_reads_its_disk():
    reads_its_disk()


def reads_its_disk_with_scattered_frames():
    reads_its_disk("--scatter-p2m")


def reads_its_disk_at_a_terminal():
    reads_its_disk(terminal=True)


def reads_its_disk_with_much_memory():
    reads_its_disk("--memory", "600M")


def reads_a_partition():
    with grub(path=disk(partitioned=True)) as process:
        talk.prompt(process)
        talk.knows_its_disk(process, partition="msdos1")
        process.line("halt")
        ends(process)


def sees_every_disk():
    with grub("--disk", f"target={disk(True)},vdev=xvdb,access=ro") as process:
        talk.prompt(process)
        talk.knows_its_disk(process)
        talk.knows_its_disk(process, "xen/xvdb", "msdos1")
        process.line("halt")
        ends(process)


def writes_to_its_disk():
    path = os.path.join(FOLDER, "written")
    shutil.copy(disk(), path)
    with grub(path=path, access="rw") as process:
        talk.prompt(process)
        talk.remember(process, "elephant")
        process.line("halt")
        ends(process)
    with open(path, "rb") as file:
        assert talk.environment_block(memory="elephant") in file.read()
    with grub(path=path) as process:
        talk.prompt(process)
        assert "elephant" in talk.ask(
            process, f"list_env {talk.ENVIRONMENT}"), process


def cannot_write_to_a_read_only_disk():
    with grub() as process:
        talk.prompt(process)
        talk.ask(process, "set memory=nothing")
        assert "error: write failed" in talk.ask(
            process, f"save_env {talk.ENVIRONMENT} memory"), process
        talk.knows_its_disk(process)


def obeys_its_menu():
    with grub() as process:
        talk.choose(process, talk.GREET)
        process.wait(r"a greeting from xen/xvda")
        process.line("")
        talk.menu(process)
        talk.choose(process, talk.POWER_OFF)
        ends(process)


def reboots():
    with grub() as process:
        talk.choose(process, talk.REBOOT)
        ends(process, said="reboot")


def survives_kernels_that_are_none():
    with grub() as process:
        talk.prompt(process)
        talk.survives_nonsense(process)
        talk.knows_its_disk(process)
        process.line("halt")
        ends(process)


def starts_a_unikernel_in_its_place():
    for options in ((), ("--scatter-p2m",)):
        with grub(*options) as process:
            talk.choose(process, talk.UNIKERNEL)
            process.wait(expect.lines("hello") +
                         "argument 1: first\nargument 2: second\n")
            ends(process)


def hands_its_disk_over():
    """What it starts connects the disk again, which GRUB had before."""
    with open(disk(), "rb") as file:
        size, checksum = os.path.getsize(disk()), hashlib.sha256(file.read())
    with grub() as process:
        talk.prompt(process)
        talk.knows_its_disk(process)
        talk.ask(process, "linux /boot/blksum.elf")
        talk.ask(process, "initrd /boot/noise.bin")
        process.line("boot")
        process.wait(f"disk xvda: {size} bytes\n"
                     f"sha256 {checksum.hexdigest()}\n")
        ends(process)


def waits_at_its_menu_until_it_is_destroyed():
    """It hears no request to power off; it is a stranger after all."""
    with grub() as process:
        process.process.terminate()
        while "once more" not in process.report:
            time.sleep(0.01)
        process.process.terminate()
        assert process.finish() == 128 + 15, process


def is_refused_on_the_process_engine():
    """By a sentence that says why and what to do."""
    result = guest.run("--engine", "process", guest=image())
    assert result.status == 1, result
    said = guest.one_sentence(result)
    assert "linked at 0x0" in said and "--engine kvm" in said, result
    raise tap.Skip(said.split("process: ")[1])


def points():
    for test in TESTS:
        def point(test=test):
            test()
        point.__name__ = expect.point(NAME, "pv", "kvm",
                                      test.__name__.replace("_", " "))
        yield point
    is_refused_on_the_process_engine.__name__ = expect.point(NAME, "pv",
                                                             "process")
    yield is_refused_on_the_process_engine


TESTS = [
    reaches_its_prompt_and_reads_its_disk,
    reads_its_disk_with_scattered_frames,
    reads_its_disk_at_a_terminal,
    reads_its_disk_with_much_memory,
    reads_a_partition,
    sees_every_disk,
    writes_to_its_disk,
    cannot_write_to_a_read_only_disk,
    obeys_its_menu,
    reboots,
    survives_kernels_that_are_none,
    starts_a_unikernel_in_its_place,
    hands_its_disk_over,
    waits_at_its_menu_until_it_is_destroyed,
]

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as FOLDER:
        sys.exit(tap.main(list(points())))
