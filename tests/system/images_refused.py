#!/usr/bin/env python3
"""What is no image, or no longer one, is refused in one sentence that names
the file, before anything of a domain exists."""
import gzip
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import elf  # noqa: E402
import guest  # noqa: E402
import tap  # noqa: E402

GOOD = guest.example("hello")


def good():
    return elf.Image(GOOD)


# What one engine alone refuses.
PROCESS = ["--engine", "process"]
# What is wrong with the entry as PV alone: the other would be taken.
PV = ["--abi", "pv"]


def refused(path, *parts, options=()):
    """Both commands that look at images say the same, and status 1."""
    result = guest.run(*options, guest=path)
    sentence = guest.one_sentence(result)
    assert result.status == 1 and result.console == "", result
    assert path in sentence, result
    for part in parts:
        assert part in sentence, (part, result)
    return sentence


def image_refused(image, *parts, options=()):
    with image as path:
        refused(path, *parts, options=options)


def inspect(path):
    done = subprocess.run([guest.PARAVANE, "inspect", path], text=True,
                          capture_output=True, timeout=60, check=False)
    return guest.Result(done.returncode, done.stdout, done.stderr)


def what_is_not_there_is_refused():
    refused("/nonexistent/image.elf", "No such file")
    refused("/dev/null/image.elf", "Not a directory")
    refused("/tmp/" + "x" * 300, "File name too long")


def what_cannot_be_read_is_refused():
    with good() as path:
        os.chmod(path, 0)
        result = guest.run(guest=path, preexec_fn=guest.obey_permissions)
        assert result.status == 1, result
        assert f"{path}: cannot open the image: Permission denied" \
            in guest.one_sentence(result), result


def what_is_no_regular_file_is_refused():
    refused("/tmp", "a directory")
    refused("/dev/zero", "not a regular file")
    with tempfile.TemporaryDirectory() as folder:
        fifo = os.path.join(folder, "fifo")
        os.mkfifo(fifo)
        refused(fifo, "not a regular file")


def other_files_are_refused_by_name():
    for content, said in ((b"", "empty"), (b"#!/bin/sh\nexit 0\n", "not an ELF"),
                          (b"\x7fELF", "truncated"),
                          (b"\0" * 65536, "not an ELF"),
                          (gzip.compress(b"kernel"), "unpacked by gzip")):
        image = good()
        image.bytes = bytearray(content)
        image_refused(image, said)


def cut_at_any_boundary_it_is_refused():
    """Its section headers are its end, so nothing of it can be missing."""
    whole = good()
    cuts = {1, 4, 5, 16, elf.HEADER_SIZE, len(whole.bytes),
            whole.header("shoff")}
    phoff = whole.header("phoff")
    for i in range(whole.header("phnum")):
        cuts |= {phoff + i * elf.SEGMENT_SIZE,
                 phoff + (i + 1) * elf.SEGMENT_SIZE,
                 whole.segment(i, "offset"),
                 whole.segment(i, "offset") + whole.segment(i, "filesz")}
    for at, size in whole.notes().values():
        cuts |= {at, at + size}
    for near in sorted({c + d for c in cuts for d in (-1, 0, 1)}):
        if 0 <= near < len(whole.bytes):
            image_refused(good().cut(near))


def without_sections_the_segments_are_still_checked():
    end = max(good().segment(i, "offset") + good().segment(i, "filesz")
              for i in range(good().header("phnum")))
    with good().drop_sections().cut(end) as path:
        assert guest.run(guest=path).status == 0
    image_refused(good().drop_sections().cut(end - 1), "truncated")


def other_classes_machines_and_types_are_refused():
    for fields, said in (({"class": 1}, "32-bit"), ({"class": 3}, "class 3"),
                         ({"data": 2}, "little-endian"),
                         ({"version": 9}, "version"),
                         ({"machine": 183}, "another machine"),
                         ({"machine": 3}, "another machine"),
                         ({"type": 1}, "not an executable"),
                         ({"type": 3}, "position-independent"),
                         ({"type": 4}, "not an executable")):
        image_refused(good().set_header(**fields), said)


def headers_that_lie_are_refused():
    for fields in ({"phoff": 2**64 - 1}, {"phoff": 2**63}, {"phnum": 0},
                   {"phnum": 0xffff}, {"phentsize": 0}, {"phentsize": 57},
                   {"shoff": 2**64 - 8}, {"shnum": 0xffff},
                   {"shentsize": 1}):
        image_refused(good().set_header(**fields))
    for fields in ({"offset": 2**64 - 1}, {"offset": 2**40},
                   {"filesz": 2**64 - 1}, {"filesz": 2**40}, {"memsz": 1},
                   {"memsz": 2**64 - 1}, {"paddr": 2**64 - 1},
                   {"vaddr": 2**64 - 1}):
        image_refused(good().set_segment(0, **fields))


def programs_of_this_system_are_refused():
    refused(os.path.realpath("/bin/true"))
    refused(os.path.realpath(guest.PARAVANE), "position-independent")


def without_xen_notes_it_is_refused():
    image = good().drop_sections()
    for i in image.segments(elf.PT_NOTE):
        image.set_segment(i, type=0)
    image_refused(image, "no Xen notes")


def notes_of_another_world_are_refused():
    image_refused(good().set_note(elf.NOTE_XEN_VERSION, b"xen-2.0"), "xen-2.0",
                  options=PV)
    image_refused(good().set_note(elf.NOTE_LOADER, b"other"), "LOADER",
                  options=PV)
    image_refused(good().set_note(elf.NOTE_FEATURES, b"!x"), "feature",
                  options=PV)


def notes_that_are_broken_are_refused():
    at, _ = good().notes()[elf.NOTE_ENTRY]
    for where, value in ((-12, 0xffffffff), (-16, 0xffffffff), (-12, 3)):
        image = good()
        image.bytes[at + where:at + where + 4] = value.to_bytes(4, "little")
        image_refused(image, "corrupt")


def addresses_that_it_does_not_have_are_refused():
    for kind in elf.NOTE_ADDRESSES:
        for value in (0, 1, 0xfff, 2**47, 2**63, 2**64 - 1, 2**64 - 4096):
            if (kind, value) == (elf.NOTE_PADDR_OFFSET, 0):
                continue  # the truth
            with good().set_note(kind, value) as path:
                result = guest.run(guest=path)
                # An entry of 1 is no address; a base of 0 is one that moves
                # the kernel, which then may be no guest any more.
                assert result.status in (1, 125), (kind, value, result)
                if result.status == 1:
                    guest.one_sentence(result)


def the_upper_half_is_refused_by_a_process():
    for distance in (0xffffffff80000000, 0xffff880000000000):
        image_refused(good().move(distance), "upper half", "--engine kvm",
                      options=PROCESS)


def places_that_nobody_has_are_refused():
    for distance in (2**47, 0x8000000000000000, 0xffff800000000000,
                     2**47 - 0x400000 - 0x8000):
        image_refused(good().move(distance), options=PV)


def below_what_linux_maps_is_refused():
    image = good().move(-0x400000 % 2**64)
    image_refused(image.set_segment(0, paddr=0), "below", options=PROCESS)


def segments_that_overlap_are_refused():
    image = good()
    image.set_segment(1, paddr=image.segment(0, "paddr") + 0x1000)
    image_refused(image, "overlap")
    image = good()
    image.set_segment(2, paddr=image.segment(0, "paddr"))
    image_refused(image, "overlap")


def larger_than_memory_it_is_refused():
    image_refused(good().set_segment(2, memsz=64 << 20), "--memory",
                  options=["--memory", "16M"])
    image_refused(good().set_segment(2, memsz=1 << 40), "--memory")
    image_refused(good().set_segment(2, memsz=1 << 46))
    image_refused(good().set_segment(2, memsz=1 << 46), "up to 0x4000004",
                  options=PROCESS)


def the_memory_it_is_told_to_take_suffices():
    with good().set_segment(2, memsz=64 << 20) as large:
        for path, memory in ((GOOD, "2M"), (large, "64M")):
            sentence = refused(path, "--memory", options=["--memory", memory])
            least = sentence.split("--memory ")[1].split()[0]
            result = guest.run("--memory", least, guest=path)
            assert result.status == 0, result


def run_or_stop(path):
    """A kernel with a byte wrong may loop for ever: then it is destroyed."""
    process = guest.start("--memory", "4M", guest=path)
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.stderr.readline()
        process.terminate()
    return guest.finish(process)


def any_byte_may_be_wrong():
    """Refused, or run as far as it goes: never a crash of ours."""
    size = elf.HEADER_SIZE + good().header("phnum") * elf.SEGMENT_SIZE
    for at in range(size):
        image = good()
        image.bytes[at] ^= (0x80, 0xff, 0x01)[at % 3]
        with image as path:
            seen = inspect(path)
            assert seen.status in (0, 1), (at, seen)
            result = run_or_stop(path)
            assert result.status in (0, 1, 125, 143), (at, result)
            if seen.status == 1 or result.status == 1:
                guest.one_sentence(result)
                assert result.status == 1, (at, result)


def inspect_refuses_the_same():
    for image in (good().cut(100), good().set_header(machine=3),
                  good().set_segment(0, filesz=2**40)):
        with image as path:
            seen = inspect(path)
            assert seen.status == 1 and seen.console == "", seen
            assert guest.one_sentence(seen) == refused(path)


if __name__ == "__main__":
    sys.exit(tap.main([
        what_is_not_there_is_refused,
        what_cannot_be_read_is_refused,
        what_is_no_regular_file_is_refused,
        other_files_are_refused_by_name,
        cut_at_any_boundary_it_is_refused,
        without_sections_the_segments_are_still_checked,
        other_classes_machines_and_types_are_refused,
        headers_that_lie_are_refused,
        programs_of_this_system_are_refused,
        without_xen_notes_it_is_refused,
        notes_of_another_world_are_refused,
        notes_that_are_broken_are_refused,
        addresses_that_it_does_not_have_are_refused,
        the_upper_half_is_refused_by_a_process,
        places_that_nobody_has_are_refused,
        below_what_linux_maps_is_refused,
        segments_that_overlap_are_refused,
        larger_than_memory_it_is_refused,
        the_memory_it_is_told_to_take_suffices,
        any_byte_may_be_wrong,
        inspect_refuses_the_same,
    ]))
