"""Runs of examples/teachos: its own tests, what its shell does, and disks that
are not as they should be."""
import os
import struct

import guest
from cases import Case, Disk

DISK = os.path.join(guest.BUILD, "examples", "teachos.img")

# As include/teachos/disk.h has it.
BLOCK = 4096
MAGIC = 8
SUPER = struct.Struct("<5I")
INODE, ENTRY = 64, 32
ROOT = 1

KERNEL = 0x411000
HUGE = 1 << 40


class Image:
    """The disk, to be broken."""

    def __init__(self, content):
        self.bytes = bytearray(content)
        (self.nr_blocks, self.nr_inodes, self.bitmap, self.inodes,
         self.data) = SUPER.unpack_from(self.bytes, MAGIC)

    def inode(self, number):
        """Where it lies: its type, its size, the numbers of its blocks."""
        return self.inodes * BLOCK + number * INODE

    def _first_block(self, number):
        return struct.unpack_from("<I", self.bytes,
                                  self.inode(number) + 8)[0] * BLOCK

    def entry(self, path):
        """Where the entry of (path) lies in its folder."""
        number = ROOT
        for name in path.strip("/").split("/"):
            at = self._first_block(number)
            while self.bytes[at + 4:at + ENTRY].rstrip(b"\0").decode() != name:
                at += ENTRY
            number = struct.unpack_from("<I", self.bytes, at)[0]
        return at

    def number(self, path):
        return struct.unpack_from("<I", self.bytes, self.entry(path))[0]

    def file(self, path):
        """Where its first byte lies."""
        return self._first_block(self.number(path))

    def put(self, form, at, value):
        struct.pack_into("<" + form, self.bytes, at, value)
        return self


def _says(status, *parts, without=()):
    def check(_, result, __):
        assert result.status == status, result
        at = 0
        for part in parts:
            assert part in result.console[at:], (part, result)
            at = result.console.index(part, at) + len(part)
        for part in without:
            assert part not in result.console, (part, result)
    return check


def _keeps_its_promises(_, result, __):
    assert result.status == 0, result
    assert result.console.endswith("verdict: success\n"), result
    assert "FAIL" not in result.console, result


def _is_written(_, result, after):
    assert result.status == 0, result
    assert result.console.endswith("something new\n"), result
    assert b"something new\n" in after["xvda"]


def _broken(image):
    """Disks that are broken: what is special, the disk, what to run, the status
    and what is said."""
    def one(form, at, value):
        return bytes(Image(image).put(form, at, value).bytes)

    def of_program(offset, form, value):
        disk = Image(image)
        return one(form, disk.file("bin/wc") + offset, value)

    disk = Image(image)
    segment = 64 + 56  # the second: the first is what the headers are in
    alive = "wc /README; echo alive"
    not_a_program = (0, "wc: not a program\n", "alive\n")
    return [
        ("something else on the disk", bytes(64 * BLOCK), "ps", 1,
         "there is no file system of teachos on the disk"),
        ("a disk cut short", image[:len(image) // 2], "ps", 1,
         "the disk is broken: it should have blocks: 512"),
        ("no inodes", one("I", MAGIC + 4, 0), "ps", 1, "broken: inodes: 0"),
        ("inodes without end", one("I", MAGIC + 4, 2**32 - 1), "ps", 1,
         "broken: inodes: 4294967295"),
        ("inodes where the files are", one("I", MAGIC + 12, 2**32 - 1), "ps",
         1, "broken: its parts overlap"),
        ("a root that is a file", one("I", disk.inode(ROOT), 1), "ps", 1,
         "broken: its root is no folder"),
        ("a file too large", one("I", disk.inode(disk.number("README")) + 4,
                                 2**32 - 1),
         "cat /README; echo alive", 0, "broken: too large is inode", "alive\n"),
        ("a file in the inodes",
         one("I", disk.inode(disk.number("README")) + 8, 2),
         "cat /README; echo alive", 0, "broken: a file has block 2", "alive\n"),
        ("an entry for nobody", one("I", disk.entry("README"), 2**32 - 1),
         "cat /README; echo alive", 0, "the disk is broken", "alive\n"),
        ("a folder in itself",
         one("I", disk.entry("README"), disk.number("bin")),
         "ls README/; cat README; echo alive", 0, "sleep\n", "alive\n"),
        ("no shell", one("I", disk.entry("bin/sh"), 0), "ps", 1,
         "cannot start /bin/sh: error 2"),
        ("a program that begins nowhere", of_program(24, "Q", KERNEL), alive,
         *not_a_program),
        ("a program with headers beyond its end",
         of_program(32, "Q", 2**31), alive, *not_a_program),
        ("a program with too many headers", of_program(56, "H", 65535), alive,
         *not_a_program),
        ("a program linked at the kernel",
         of_program(segment + 16, "Q", KERNEL), alive, *not_a_program),
        ("a program larger than the address space",
         of_program(segment + 40, "Q", 2**64 - 1), alive, *not_a_program),
        ("a program larger than memory",
         of_program(segment + 40, "Q", HUGE // 1024 // 2), alive, 0,
         "wc: out of memory\n", "alive\n"),
        ("a program cut short", of_program(segment + 8, "Q", 2**31), alive,
         *not_a_program),
        ("a program for another machine", of_program(18, "H", 40), alive,
         *not_a_program),
    ]


def _cases(image):
    def case(more, check, command, *disks, **how):
        return Case("teachos", more, check,
                    *(disks or [Disk(image, "w")]), args=[command], **how)

    yield case("", _keeps_its_promises, "tests")
    yield case("2 vCPUs", _keeps_its_promises, "tests", vcpus=2)
    yield Case("teachos", "a disk in memory", _keeps_its_promises,
               args=["tests"], initrd=image)
    yield case("a status", _says(7), "exit 7")
    yield case("a pipe", _says(0, "1 2 3\n1 3 6\n"),
               "echo 1 2 3 | cat; echo 1 2 3 | wc | cat | grep 1")
    yield case("what is written", _is_written,
               "mkdir /a; echo something new > /a/b && cat < /a/b")
    yield case("a read-only disk", _says(0, "read-only\n", "read-only\n"),
               "mkdir /a; echo x > /a; echo", Disk(image))
    yield case("no command of that name",
               _says(127, "nothing: no such file\n"), "nothing")
    yield case("programs that do what they must not",
               _says(0, "(crash) ended: it must not read 0x411000",
                     "(crash) ended: it must not write 0x411000",
                     "(crash) ended: it must not execute 0x411000",
                     "(crash) ended: it must not execute 0x100",
                     "(crash) ended: exception 13",
                     "(crash) ended: exception 0", "alive\n",
                     without=["it did not"]),
               "crash read; crash write; crash jump; crash execute; "
               "crash privileged; crash divide; echo alive")
    yield case("a program that takes all memory",
               _says(0, "(bench) ended: it must not write", "alive\n"),
               "bench fault 32000; echo alive")
    yield case("computing side by side", _says(0, "2262\n", "done\n"),
               "primes 20000 & primes 20000 & primes 20000; wait; echo done")
    yield Case("teachos", "no disk", _says(1, "neither a disk nor a module"))
    yield Case("teachos", "lines that are typed",
               _says(5, "$ ", "typed\n", "$ ", "mended\n"),
               Disk(image, "w"),
               keys="echo typed\necho mendez\x7fd\nnonsense\x15exit 5\n")


def _broken_cases(image):
    for more, disk, command, status, *parts in _broken(image):
        yield Case("teachos", more, _says(status, *parts), Disk(disk, "w"),
                   args=[command])


def _all(of):
    """There is nothing to run where guests are not built."""
    if not os.path.exists(DISK):
        return []
    with open(DISK, "rb") as file:
        return list(of(file.read()))


CASES = _all(_cases)
# What becomes of these does not depend on where they run.
BROKEN = _all(_broken_cases)
