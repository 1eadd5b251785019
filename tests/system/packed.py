#!/usr/bin/env python3
"""Packed kernels: what Linux's build makes of an image runs as the image does;
what is broken in any way is refused in one sentence, and costs no more memory
than a kernel may."""
import gzip
import json
import os
import random
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import elf  # noqa: E402
import guest  # noqa: E402
import packed  # noqa: E402
import tap  # noqa: E402

HELLO = guest.example("hello")


def content():
    with open(HELLO, "rb") as file:
        return file.read()


def inspect(path):
    done = subprocess.run([guest.PARAVANE, "inspect", "--json", path],
                          capture_output=True, timeout=60, check=False)
    return guest.Result(done.returncode, done.stdout.decode(),
                        done.stderr.decode())


def refused(image, *parts, **popen):
    with image as path:
        result = guest.run(guest=path, **popen)
        sentence = guest.one_sentence(result)
        assert result.status == 1 and result.console == "", result
        assert path in sentence, result
        for part in parts:
            assert part in sentence, (part, result)


def runs(image, engine, *options):
    guest.need_engine(engine)
    with image as path:
        result = guest.run("--engine", engine, *options, guest=path,
                           args=["one", "two"])
    plain = guest.run("--engine", engine, guest=HELLO, args=["one", "two"])
    assert (result.status, result.report) == (0, ""), result
    assert result.console == plain.console, (result, plain)


def built_in():
    """The formats that this binary was built with."""
    done = subprocess.run([guest.PARAVANE, "doctor", "--json"],
                          capture_output=True, check=False)
    return json.loads(done.stdout)["host"]["unpacking"]["found"].split()


def need_format(how):
    """What it was built without, it says; then there is no more to test."""
    if how not in built_in():
        refused(packed.bzimage(how, content()), f"packed by {how}",
                "built without", "build it with that library")
        raise tap.Skip(f"built without what unpacks {how}")


def a_bzimage_runs(how, engine):
    def test():
        need_format(how)
        runs(packed.bzimage(how, content()), engine)

    test.__name__ = f"a_bzImage_of_{how}_runs_on_{engine}"
    return test


def a_whole_file_of_gzip_runs():
    for engine in ("process", "kvm"):
        runs(packed.File(gzip.compress(content())), engine)


def xz_runs_as_linux_packs_it():
    payload = packed.linux_xz(content()) + struct.pack("<I", len(content()))
    runs(packed.BzImage(payload), "process")


def no_library_runs_before_main():
    """Constructors cost every start, of guests that are not packed, too: one
    of liblzma's asks the CPU what it is, 30 microseconds in some VMs."""
    sections = subprocess.run(["readelf", "-SW", guest.PARAVANE], text=True,
                              capture_output=True, check=True).stdout
    [line] = [l for l in sections.splitlines() if " .init_array " in l]
    size = int(line.split()[-6], 16)
    assert size == 8, line  # the compiler's own


def inspect_tells_what_was_unpacked():
    plain = json.loads(inspect(HELLO).console)
    assert "unpacked" not in plain, plain
    with packed.bzimage("xz", content()) as path:
        found = json.loads(inspect(path).console)
        shown = subprocess.run([guest.PARAVANE, "inspect", path], text=True,
                               capture_output=True, check=True).stdout
    outer = found.pop("unpacked")
    assert outer["container"] == "bzImage", outer
    assert outer["compression"] == "xz", outer
    assert outer["size"] == len(content()), outer
    assert outer["version"].encode() == packed.VERSION, outer
    assert outer["boot_protocol"] == 0x20f, outer
    for name in ("notes", "segments", "abis"):
        assert found[name] == plain[name], (found, plain)
    assert "boot protocol 2.15, xz" in shown, shown
    assert packed.VERSION.decode() in shown, shown
    with packed.File(gzip.compress(content())) as path:
        outer = json.loads(inspect(path).console)["unpacked"]
    assert outer["container"] == "gzip file", outer
    assert outer["compression"] == "gzip", outer


def a_version_cannot_steer_the_terminal():
    image = packed.bzimage("gzip", content())
    image.bytes[0x300:0x310] = b"\x1b[31m\nred\x07" + b"\x01" * 6
    with image as path:
        shown = subprocess.run([guest.PARAVANE, "inspect", path],
                               capture_output=True, check=True).stdout
        json.loads(inspect(path).console)
    assert not set(shown) & (set(range(32)) - {10}), shown


def what_is_unpacked_is_judged_as_ever():
    refused(packed.bzimage("gzip", b"kernel"), "unpacked by gzip", "not an ELF")
    refused(packed.bzimage("lz4", b"x" * 100000), "unpacked by lz4",
            "not an ELF")
    refused(packed.File(gzip.compress(b"kernel")), "unpacked by gzip",
            "not an ELF")
    image = elf.Image(HELLO).set_header(machine=183)
    refused(packed.bzimage("xz", image.bytes), "unpacked by xz",
            "another machine")
    # One wrapping is unwrapped, not two.
    refused(packed.bzimage("gzip", bytes(packed.bzimage("gzip",
                                                        content()).bytes)),
            "unpacked by gzip", "not an ELF")


def headers_that_lie_are_refused():
    for fields, said in (({"boot_flag": 0}, "flag"),
                         ({"protocol": 0x207}, "boot protocol 2.07"),
                         ({"protocol": 0}, "boot protocol 0.00"),
                         ({"payload_offset": 2**32 - 1}, "outside the file"),
                         ({"payload_length": 2**32 - 1}, "outside the file"),
                         ({"setup_sects": 255}, "outside the file"),
                         ({"payload_length": 0}, "holds no kernel"),
                         ({"payload_length": 10}, "holds no kernel"),
                         ({"payload_offset": 0}, "no way of packing"),
                         ({"magic": 0}, "not an ELF")):
        refused(packed.bzimage("gzip", content()).set(**fields), said)


def a_header_may_leave_things_out():
    """No version, and the number of sectors that 0 stands for."""
    image = packed.bzimage("gzip", content())
    image.bytes[packed.PAYLOAD:packed.PAYLOAD] = bytes(512)
    runs(image.set(setup_sects=0, kernel_version=0), "process")
    for version in (0xfffe, (packed.SETUP_SECTS + 1) * 512 - 0x201):
        runs(packed.bzimage("gzip", content()).set(kernel_version=version),
             "process")


def cut_anywhere_it_is_refused():
    whole = packed.bzimage("gzip", content())
    size = len(whole.bytes)
    for cut in (1, 2, 0x1f0, 0x202, 0x206, 0x248, 0x26b, packed.PAYLOAD,
                packed.PAYLOAD + packed.PAYLOAD_OFFSET + 1, size // 2,
                size - 1):
        refused(packed.bzimage("gzip", content()).cut(cut))


def a_payload_cut_anywhere_is_refused(how):
    def test():
        need_format(how)
        whole = packed.stream(how, content())
        promise = struct.pack("<I", len(content()))
        cuts = {11, 20, 100, len(whole) // 2, len(whole) - 9,
                len(whole) - 2 * packed.TRAILER_SIZE}
        for cut in sorted(cuts):
            refused(packed.BzImage(whole[:cut]))
            refused(packed.BzImage(whole[:cut] + promise))

    test.__name__ = f"a_payload_of_{how}_cut_anywhere_is_refused"
    return test


def a_corrupt_payload_is_refused_or_harmless(how):
    """With checksums it is always seen; else it ends somehow, tidily."""
    def test():
        need_format(how)
        chance = random.Random(how)
        whole = packed.stream(how, content())
        for _ in range(40):
            image = packed.BzImage(whole)
            for _ in range(chance.choice((1, 1, 1, 50))):
                image.bytes[-chance.randrange(1, len(whole) - 6)] ^= \
                    1 << chance.randrange(8)
            with image as path:
                result = inspect(path)
            assert result.status in (0, 1), result
            if result.status:
                guest.one_sentence(result)
            else:
                assert how in ("lz4", "lzma"), result

    test.__name__ = f"a_corrupt_payload_of_{how}_is_refused_or_harmless"
    return test


def a_promise_must_be_kept(how):
    """The size behind the stream: exactly that comes out of it."""
    def test():
        need_format(how)
        whole = packed.stream(how, content())
        for lie in (1, len(content()) - 1, len(content()) + 1, 2**29):
            refused(packed.BzImage(whole[:-4] + struct.pack("<I", lie)))
        for lie in (0, 2**29 + 1, 2**32 - 1):
            refused(packed.BzImage(whole[:-4] + struct.pack("<I", lie)),
                    "no kernel has more")
        extra = whole[:-4] + b"more" + whole[-4:]
        refused(packed.BzImage(extra))

    test.__name__ = f"what_{how}_promises_must_be_kept"
    return test


def a_bomb_does_no_harm(how):
    """A lot of nothing in few bytes, behind a small promise."""
    def test():
        need_format(how)
        whole = packed.stream(how, bytes(32 << 20))
        small = whole[:-4] + struct.pack("<I", 1 << 20)
        refused(packed.BzImage(small), "more than the 1048576 bytes",
                preexec_fn=guest.limit_address_space(32 << 20))

    test.__name__ = f"a_bomb_of_{how}_does_no_harm"
    return test


def other_formats_are_named_by_their_bytes():
    for start in (b"PK\3\4", b"\x7fELF", b"\0\0\0\0", b"\x02\x21\x4d\x18"):
        refused(packed.BzImage(start + bytes(100)), start.hex(" "),
                "no way of packing")


def memory_that_the_host_lacks_is_an_error():
    big = packed.bzimage("gzip", content() + bytes(100 << 20))
    for mib in (40, 80, 110):
        refused(big, "memory",
                preexec_fn=guest.limit_address_space(mib << 20))


def a_limit_on_files_is_an_error():
    refused(packed.bzimage("gzip", content()), "memory",
            preexec_fn=guest.limit_files_to(4096))


def nothing_stays_of_what_was_unpacked():
    """A kernel without symbols is dropped when it is loaded; the packed file
    is closed in any case."""
    guest.need_engine("process")
    image = elf.Image(guest.image("ending")).drop_sections()
    with packed.bzimage("gzip", bytes(image.bytes)) as path:
        process = guest.start("--engine", "process", guest=path, args=["deaf"])
        assert process.stdout.readline() == b"ready\n"
        folder = f"/proc/{process.pid}/fd"
        links = [os.readlink(os.path.join(folder, fd))
                 for fd in os.listdir(folder)]
        process.kill()
        process.wait()
    assert not any("kernel" in link or path in link for link in links), links


def a_crash_still_has_names():
    with packed.bzimage("gzip", open(guest.image("crash"), "rb").read()) \
            as path:
        result = guest.run(guest=path)
    plain = guest.run(guest=guest.image("crash"))
    assert result.status == 125, result
    assert result.report.count("+0x") == plain.report.count("+0x") > 0, result


if __name__ == "__main__":
    sys.exit(tap.main([
        *[a_bzimage_runs(how, engine) for how in packed.FORMATS
          for engine in ("process", "kvm")],
        a_whole_file_of_gzip_runs,
        xz_runs_as_linux_packs_it,
        no_library_runs_before_main,
        inspect_tells_what_was_unpacked,
        a_version_cannot_steer_the_terminal,
        what_is_unpacked_is_judged_as_ever,
        headers_that_lie_are_refused,
        a_header_may_leave_things_out,
        cut_anywhere_it_is_refused,
        *[a_payload_cut_anywhere_is_refused(how) for how in packed.FORMATS],
        *[a_corrupt_payload_is_refused_or_harmless(how)
          for how in packed.FORMATS],
        *[a_promise_must_be_kept(how) for how in packed.FORMATS],
        *[a_bomb_does_no_harm(how) for how in packed.FORMATS],
        other_formats_are_named_by_their_bytes,
        memory_that_the_host_lacks_is_an_error,
        a_limit_on_files_is_an_error,
        nothing_stays_of_what_was_unpacked,
        a_crash_still_has_names,
    ]))
