#!/usr/bin/env python3
"""paravane inspect --lint: each instruction that a PV kernel cannot have is
found where it is, what is none is not, and a file that lies harms nobody."""
import json
import os
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import elf  # noqa: E402
import guest  # noqa: E402
import packed  # noqa: E402
import tap  # noqa: E402

SENSITIVE = guest.image("sensitive")
SOURCE = os.path.join(os.path.dirname(__file__), "..", "guests", "sensitive.S")
FINDINGS = 3  # the exit status

# Why our own guests have what they have.
EXPLAINED = [
    "*/pvh/*",          # runs where ring 0 is the guest's own
    "user_enter", "user_left",  # swap GS base as PVH, and ask before
    "trap_state_size",  # asks how much XSAVE writes: that is the CPU's answer
    "linux_getrandom",  # asks for RDRAND, which the host's CPU has or not
]


def lint(*args):
    done = subprocess.run([guest.PARAVANE, "inspect", "--lint", *args],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=120, check=False)
    return guest.Result(done.returncode, done.stdout.decode(errors="replace"),
                        done.stderr.decode(errors="replace"))


def report(*args, status):
    result = lint("--json", *args)
    assert result.status == status, result
    return json.loads(result.console)


def wanted():
    """{line: instruction} of the source."""
    with open(SOURCE, encoding="ascii") as file:
        marks = [re.search(r"/\* finds (.*) \*/", line) for line in file]
    return {number: mark.group(1)
            for number, mark in enumerate(marks, 1) if mark}


def objcopy(*options):
    """SENSITIVE, changed by objcopy, as bytes."""
    with tempfile.NamedTemporaryFile(suffix=".elf") as to:
        done = subprocess.run(["objcopy", *options, SENSITIVE, to.name],
                              capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return packed.File(to.read())


def need_lines(found):
    if "libdw" in found.get("lines_trouble", ""):
        raise tap.Skip(found["lines_trouble"])


def each_is_found_on_its_line_and_nothing_else():
    found = report(SENSITIVE, status=FINDINGS)
    need_lines(found)
    lines = {f["line"]: f["instruction"] for f in found["findings"]}
    assert lines == wanted(), (set(lines.items()) ^ set(wanted().items()))
    assert all(f["file"].endswith("sensitive.S") for f in found["findings"])
    assert found["lines"] and not found["missing"], found["missing"]
    assert found["syscalls"] == 1 and found["undecoded_bytes"] == 0, found
    assert len(found["findings"]) == len(wanted()), "each line has one"


def functions_are_named():
    found = report(SENSITIVE, status=FINDINGS)
    groups = {f["group"]: f["function"] for f in found["findings"]}
    assert groups == {"silent": "silent", "stack": "silent",
                      "faults": "faults", "emulated": "emulated"}, groups
    first = found["findings"][0]
    assert first["offset"] == 0 and first["instruction"] == "popf", first


def people_are_told_the_same_as_programs():
    found = report(SENSITIVE, status=FINDINGS)
    result = lint(SENSITIVE)
    assert result.status == FINDINGS, result
    for finding in found["findings"]:
        assert f"0x{finding['address']:016x}  {finding['function']}+" in \
            result.console, (finding, result)
        assert f"instead: {finding['instead']}" in result.console, finding
    emulated = found["counts"]["emulated"]
    assert found["to_mend"] == len(found["findings"]) - emulated, found
    assert result.console.endswith(
        f"{found['to_mend']} to mend, {emulated} emulated\n"), result


def without_debug_information_functions_are_told():
    with objcopy("--strip-debug") as path:
        found = report(path, status=FINDINGS)
        assert "no debug information" in lint(path).console
    assert len(found["findings"]) == len(wanted()), found
    assert all("file" not in f and "function" in f for f in found["findings"])


def without_symbols_addresses_are_told():
    with objcopy("--strip-all") as path:
        found = report(path, status=FINDINGS)
        assert "without symbols: data among them" in lint(path).console
    assert all("function" not in f for f in found["findings"]), found
    # The object between the functions is read as code, and reported.
    assert len(found["findings"]) > len(wanted()), found
    assert found["symbols"] == 0, found


def without_sections_segments_are_looked_at():
    with elf.Image(SENSITIVE).drop_sections() as path:
        found = report(path, status=FINDINGS)
    assert len(found["findings"]) > len(wanted()), found


def debug_information_may_be_compressed():
    with objcopy("--compress-debug-sections") as path:
        found = report(path, status=FINDINGS)
    need_lines(found)
    assert {f["line"] for f in found["findings"]} == set(wanted()), found


def a_packed_image_is_looked_into():
    with open(SENSITIVE, "rb") as file:
        content = file.read()
    with packed.bzimage("gzip", content) as path:
        found = report(path, status=FINDINGS)
    need_lines(found)
    assert {f["line"] for f in found["findings"]} == set(wanted()), found


def exceptions_are_counted_and_not_listed():
    found = report("--except", "silent", "--except", "fau*", SENSITIVE,
                   status=0)
    counts = found["counts"]
    assert counts["excepted"] == len(wanted()) - counts["emulated"], counts
    assert found["to_mend"] == 0 and counts["emulated"] > 0, found
    result = lint("--except", "*/sensitive.S", SENSITIVE)
    need_lines(found)
    assert result.status == 0 and "popf" not in result.console, result
    assert f"{len(wanted())} more excepted by name" in result.console, result


def an_image_without_notes_is_told_what_it_lacks():
    image = elf.Image(SENSITIVE).drop_sections()
    for index in image.segments(elf.PT_NOTE):
        image.set_segment(index, filesz=0, memsz=0)
    with image as path:
        found = report("--except", "*", path, status=FINDINGS)
        assert lint(path).status == FINDINGS
    assert any("no Xen notes" in text for text in found["missing"]), found
    assert not any("no hypercall" in text for text in found["missing"]), found


def a_kernel_that_cannot_call_is_told_so():
    found = report("--abi", "pv", guest.image("pvh_small"), status=FINDINGS)
    assert any("not acceptable as a PV kernel" in text
               for text in found["missing"]), found["missing"]


def in_ring_0_there_is_nothing_to_mend():
    for args in ((guest.image("pvh_small"),),
                 ("--abi", "pvh", guest.example("hello"))):
        found = report(*args, status=0)
        assert found["abi"] == "pvh" and not found["findings"], found
        assert "ring 0" in lint(*args).console
    result = lint("--abi", "pvh", SENSITIVE)
    assert result.status == FINDINGS and "PHYS32_ENTRY" in result.console, \
        result


def lines_of_code_that_was_left_out_mislead_nobody():
    """The linker drops functions, but not their lines, which then begin at
    0: each finding's file is one that has the function."""
    found = report("--except", "*", guest.example("hello"), status=0)
    need_lines(found)
    root = os.path.join(os.path.dirname(__file__), "..", "..")
    for finding in found["findings"]:
        path = finding.get("file", "")
        if not path.startswith("../pvguest/") or path.endswith(".h"):
            continue
        with open(os.path.join(root, path[3:]), encoding="ascii") as file:
            assert finding["function"] in file.read(), finding
    assert any(f["function"] == "pvh_long_mode" and
               f["file"].endswith("pvh/start_x86_64.S")
               for f in found["findings"]), found["findings"]


def our_own_guests_are_clean_but_for_what_is_explained():
    exceptions = [word for pattern in EXPLAINED
                  for word in ("--except", pattern)]
    for name in (guest.image("freestanding"), guest.image("upper"),
                 guest.example("hello"), guest.example("clock")):
        found = report(*exceptions, name, status=0 if "tests" in name
                       else FINDINGS)
        need_lines(found)
        counted = [f for f in found["findings"] if f["counts"]]
        # musl ends a program that is beyond help by HLT: a fault, as meant.
        assert {f["instruction"] for f in counted} <= {"hlt"}, counted
        assert not found["missing"] and not found["undecoded_bytes"], found


def lies_in_debug_information_end_its_reader_alone():
    image = elf.Image(SENSITIVE)
    first = image.bytes.find(b"\x00.debug_line\x00")
    assert first > 0, "it has debug information"
    dice = random.Random(4)
    start = image.segment(0, "offset") + image.segment(0, "filesz")
    for _ in range(60):
        lie = elf.Image(SENSITIVE)
        for _ in range(dice.randrange(1, 200)):
            at = dice.randrange(start, lie.header("shoff"))
            lie.bytes[at] = dice.choice((0, 1, 0x7f, 0x80, 0xff,
                                         dice.randrange(256)))
        with lie as path:
            result = lint("--json", path)
        assert result.status in (0, 1, FINDINGS), result
        if result.status == 1:
            guest.one_sentence(result)
        else:
            json.loads(result.console)


def lies_in_headers_are_refused_or_survived():
    dice = random.Random(5)
    size = len(elf.Image(SENSITIVE).bytes)
    shoff = elf.Image(SENSITIVE).header("shoff")
    for turn in range(80):
        lie = elf.Image(SENSITIVE)
        for _ in range(dice.randrange(1, 4)):
            at = dice.randrange(shoff, size) if turn % 2 else \
                dice.randrange(16, 512)
            lie.bytes[at] = dice.randrange(256)
        with lie as path:
            result = lint("--json", path)
        assert result.status in (0, 1, FINDINGS), result
        if result.status == 1:
            guest.one_sentence(result)
        else:
            json.loads(result.console)


def what_is_no_image_is_refused():
    for content in (b"\x7fELF", b"text\n", b"\x7fELF" + bytes(200)):
        with packed.File(content) as path:
            result = lint(path)
        assert result.status == 1, result
        guest.one_sentence(result)
    result = lint("/nonexistent")
    assert result.status == 1, result


def wrong_usage_is_told():
    for args, says in ((("--abi", "xen", SENSITIVE), "xen"),
                       (("--abi",), "needs a value"), ((), "image"),
                       (("--lint=1", SENSITIVE), "no value"),
                       (("--except", "a") * 65 + (SENSITIVE,), "64 times")):
        result = lint(*args)
        assert result.status == 2 and says in guest.one_sentence(result), \
            (args, result)
    for option in ("--abi=pv", "--except=a"):
        done = subprocess.run([guest.PARAVANE, "inspect", option, SENSITIVE],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 2 and "--lint" in done.stderr, done


if __name__ == "__main__":
    sys.exit(tap.main([
        each_is_found_on_its_line_and_nothing_else,
        functions_are_named,
        people_are_told_the_same_as_programs,
        without_debug_information_functions_are_told,
        without_symbols_addresses_are_told,
        without_sections_segments_are_looked_at,
        debug_information_may_be_compressed,
        a_packed_image_is_looked_into,
        exceptions_are_counted_and_not_listed,
        an_image_without_notes_is_told_what_it_lacks,
        a_kernel_that_cannot_call_is_told_so,
        in_ring_0_there_is_nothing_to_mend,
        lines_of_code_that_was_left_out_mislead_nobody,
        our_own_guests_are_clean_but_for_what_is_explained,
        lies_in_debug_information_end_its_reader_alone,
        lies_in_headers_are_refused_or_survived,
        what_is_no_image_is_refused,
        wrong_usage_is_told,
    ]))
