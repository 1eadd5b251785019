#!/usr/bin/env python3
"""What a guest does to itself ends the guest, with a report and status 125, or
does not even that: never the host, which knows what happened."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import tap  # noqa: E402

ON = guest.ENGINE or "process"
ENGINE = ["--engine", ON]

NOWHERE = ["0", "1", "0x1000", "0x3fffffff000", "0x3effffffffff",
           "0x7fffffffffff", "0x800000000000", "0xffff87fffffff000",
           "0xffff880000000000", "0xffffffffff600000", "0xffffffffffffffff"]
# What the engine has beside the guest: the M2P table, the shim, the stub.
M2P = {"process": "0x3f0000000000", "kvm": "0xffff810000000000"}[ON]
HOSTS = {"process": [M2P, "shim", "shim+5", "shim-0x1000"],
         "kvm": [M2P, "0xffff808000000000", "0xffff808000002000",
                 "0xffff808000003000", "0xffff818000000000"]}[ON]
OWN = ["shared", "tables", "code", "stack", "page"]


def wild(*args, options=(), **popen):
    result = guest.run(*ENGINE, *options, guest=guest.image("wild"),
                       args=list(args), **popen)
    started = " ".join(args) + "\n"
    assert result.console.startswith(started) or result.console == "", \
        (args, result)
    return result


def crashed(*args, says=r""):
    """The host's first sentence tells why; the report follows."""
    result = wild(*args)
    assert result.status == 125, (args, result)
    sentences = [line for line in result.report.splitlines()
                 if line.startswith("paravane: ")]
    assert re.match(r"paravane: the guest crashed: .*" + says,
                    sentences[-1]), (args, result)
    assert "internal error" not in result.report, (args, result)
    # A guest that damaged its console as well has that said before.
    assert len(sentences) == 1 or (len(sentences) == 2 and
                                   "console" in sentences[0]), (args, result)
    for part in ("  rip ", "  stack at ", "  backtrace:\n", "last hypercalls"):
        assert part in result.report, (args, part, result)
    return result


def survived(*args, options=()):
    result = wild(*args, options=options)
    assert result.status == 0 and result.report == "", (args, result)
    assert result.console.endswith("survived\n"), (args, result)
    return result


def jumps_to_nowhere_are_the_guests_end():
    for where in [*NOWHERE, M2P, "shared", "tables"]:
        crashed("jump", where)


def loads_and_stores_nowhere_are_the_guests_end():
    for where in NOWHERE:
        crashed("store", where)
        if where != "0xffffffffff600000":  # the vsyscall page may be there
            crashed("load", where)
    crashed("store", M2P)  # the M2P table can only be read
    crashed("store", "tables")


def stacks_that_are_nowhere_are_the_guests_end():
    for way in ("call-on-stack", "trap-on-stack", "syscall-on-stack",
                "iret-from"):
        for where in [*NOWHERE, M2P, "tables"]:
            crashed(way, where)
    places = ["0", "0xffffffffffffffff", HOSTS[1]]
    if ON != "kvm":  # some emulate all that runs with a stack which is none
        places.append("0x800000000000")
    for where in places:
        crashed("spin-on-stack", where, says="stack at")
    crashed("overflow", "0", says="trap 14 .* stack at")


def handlers_that_are_nowhere_are_the_guests_end():
    for where in NOWHERE:
        crashed("handler", where)
        crashed("callback", where)


def returns_to_nowhere_are_the_guests_end():
    for where in [*NOWHERE, *OWN]:
        crashed("iret-to", where)
        crashed("iret-with", where)


def odd_flags_are_not_the_shims():
    """CF, TF, DF, NT, RF, AC, VIF, ID, most of them, and the IOPL."""
    for flags in (0x1, 0x100, 0x400, 0x4000, 0x10000, 0x40000, 0x80000,
                  0x200000, 0x254dd5, 0x40100, 0x3000):
        survived("flags", hex(flags))
    survived("fpu", "0")


def odd_bases_are_not_the_shims():
    for where in ["0", "1", "0x1000", "0x7fffffffffff", "0xffff800000000000",
                  "0xffffffffffffffff", *HOSTS, *OWN]:
        result = survived("base", where)
        assert "set_segment_base: 0 0\n" in result.console, result
        survived("own-base", where)
    result = survived("base", "0x800000000000")
    assert "set_segment_base: -22 -22\n" in result.console, result


def jumps_into_the_shim_give_nothing():
    """Any byte of its entry may be the first; some do what a call does, others
    call something with registers that nobody set: then the shim itself breaks,
    and says so."""
    if ON == "kvm":
        raise tap.Skip("it is not in the guest's address space")
    sentences = {0: "", 125: "the guest crashed", 1: "internal error"}
    hangs = 0
    for offset in range(0, 640, 4):
        try:
            result = wild("jump", f"shim+{offset}", timeout=20)
        except subprocess.TimeoutExpired:
            hangs += 1  # the middle of an instruction may be a loop
            continue
        assert result.status in sentences, (offset, result)
        assert sentences[result.status] in result.report, (offset, result)
    assert hangs <= 2, hangs
    for offset in range(0x200000, 0x300000, 0x5000):
        crashed("jump", f"shim+{offset:#x}")


def jumps_into_the_stub_give_nothing():
    """Ring 3 may run one of its pages: there is a system call's `out`."""
    if ON != "kvm":
        raise tap.Skip("there is none on this engine")
    for page in range(0, 8):
        for offset in (0, 1, 2, 0xffe):
            result = wild("jump", hex(0xffff808000000000 + page * 4096 +
                                      offset))
            assert result.status == 125, (page, offset, result)
            assert "guest crashed" in result.console + result.report, result
            assert "please report" not in result.report, result


def damage_to_the_shim_is_not_for_ever():
    """It may say anything, or nothing, but once it has spoken it ends; only a
    guest that damages the shim and says nothing of it may go on for ever."""
    if ON == "kvm":
        raise tap.Skip("it is not in the guest's address space")
    ended = {}
    for seed in range(150):
        process = guest.start(*ENGINE, guest=guest.image("wild"),
                              args=["damage", str(seed)])
        try:
            out, report = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            out, report = process.communicate()
            assert b"paravane: " not in report, (seed, out, report)
        ended[process.returncode] = ended.get(process.returncode, 0) + 1
    print(f"# ends by exit status: {ended}")
    assert ended.get(125, 0) > 75, ended


def a_guest_may_unmap_itself():
    crashed("unmap", "stack", says="trap 14 .* stack at")
    for where in ("code", "tables", "shared"):
        crashed("unmap", where)
    survived("unmap", "page")
    for where in ("0", "0x1000", "0x800000000000", "0xffffffffffffffff",
                  *HOSTS[:2]):
        result = survived("unmap", where)
        assert "update_va_mapping: -22\n" in result.console, result
    crashed("unmap-all", "0", says="trap 14 .* stack at")


def a_guest_may_destroy_its_tables():
    """The report tells where the way of the address that failed ends."""
    for order in ("top", "bottom"):
        result = crashed("clear-tables", order)
        assert re.search(r"  walk of cr2 [0-9a-f]{16}:\n"
                         r"    L4 in mfn [0-9a-f]+ \(an L4 table\), slot 0: "
                         r"[0-9a-f]{16}[^\n]*\n", result.report), result
        assert ", not present\n" in result.report, result


def the_report_tells_what_frames_are_used_as():
    result = crashed("store", "tables")
    walk = re.search(r"  walk of cr2 .*?\n(?=  \w)", result.report, re.S)
    assert walk, result
    levels = re.findall(r"    L(\d) in mfn [0-9a-f]+ \(an L\1 table\)",
                        walk.group())
    assert levels == ["4", "3", "2", "1"], result
    assert re.search(r" ro kernel.*, mfn [0-9a-f]+ \(an L4 table\)\n",
                     walk.group()), result


def table_operations_on_what_is_none_are_refused():
    for command in [*range(16), 17, 18, 19, 20, 21, 99, 2**32 - 1]:
        result = survived("table-op", str(command))
        for frame in ("ffffffffffffffff", "10000000000"):
            if command not in (6, 7, 10, 11, 13):  # flushes take no frame
                assert f"{frame}: -" in result.console, (command, result)


def a_guest_may_give_all_of_its_memory_away():
    result = survived("balloon", "0")
    given, total = re.search(r"gave (\d+) of (\d+)", result.console).groups()
    assert given == total, result
    for order in ("1", "9", "63", "4294967295"):
        survived("balloon", order)
    survived("balloon", "0", options=["--scatter-p2m"])


def a_guest_may_exhaust_what_it_has():
    for what in ("memory", "pages", "ports", "reservation"):
        for memory in ("4M", "64M"):
            survived("exhaust", what, options=["--memory", memory])


def a_guest_may_have_more_mappings_than_a_process():
    with open("/proc/sys/vm/max_map_count", encoding="ascii") as count:
        limit = int(count.read())
    if limit > 100000:
        raise tap.Skip(f"it takes a guest of {limit >> 7} MiB here")
    number = limit + 5000
    result = survived("many-mappings", str(number), options=[
        "--memory", f"{(number >> 8) + 32}M"])
    assert "wrong: 0\n" in result.console, result


def garbage(kind):
    """Given as often as it takes: how much of it was taken?"""
    for options in ([], ["--scatter-p2m"]):
        result = guest.run(*ENGINE, "--abi", "pv", *options,
                           guest=guest.image("garbage"), args=[kind])
        assert result.status == 0 and result.report == "", result
        assert result.console.endswith("survived\n"), result
        assert "FAIL" not in result.console, result
    return int(re.search(r"taken (\d+), ", result.console).group(1))


def garbage_in_descriptors_and_selectors_is_survived():
    garbage("descriptors")


def garbage_in_callbacks_is_survived():
    garbage("callbacks")


def garbage_in_registers_is_survived():
    garbage("registers")


def no_entry_names_what_is_not_the_domains():
    assert garbage("entries") == 0


def tables_that_lead_to_themselves_are_refused():
    """But those of the lowest level, whose entries are only mappings."""
    assert garbage("circles") == 2 + 3 + 4


if __name__ == "__main__":
    sys.exit(tap.main([
        jumps_to_nowhere_are_the_guests_end,
        loads_and_stores_nowhere_are_the_guests_end,
        stacks_that_are_nowhere_are_the_guests_end,
        handlers_that_are_nowhere_are_the_guests_end,
        returns_to_nowhere_are_the_guests_end,
        odd_flags_are_not_the_shims,
        odd_bases_are_not_the_shims,
        jumps_into_the_shim_give_nothing,
        jumps_into_the_stub_give_nothing,
        damage_to_the_shim_is_not_for_ever,
        a_guest_may_unmap_itself,
        a_guest_may_destroy_its_tables,
        the_report_tells_what_frames_are_used_as,
        table_operations_on_what_is_none_are_refused,
        a_guest_may_give_all_of_its_memory_away,
        a_guest_may_exhaust_what_it_has,
        a_guest_may_have_more_mappings_than_a_process,
        garbage_in_descriptors_and_selectors_is_survived,
        garbage_in_callbacks_is_survived,
        garbage_in_registers_is_survived,
        no_entry_names_what_is_not_the_domains,
        tables_that_lead_to_themselves_are_refused,
    ]))
