#!/usr/bin/env python3
"""Every image keeps its promises on every engine, with machine frames in order
and shuffled. What is expected of an image is the same everywhere, real Xen
included (tests/lab)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import tap  # noqa: E402

HERE = os.path.dirname(__file__)
ENGINES = ["process", "kvm"]
LAYOUTS = {"in order": [], "scattered": ["--scatter-p2m"]}
# Its last line is its verdict.
PROMISES = ["events", "freestanding", "grants", "interrupted", "libc",
            "pages", "threads", "timers", "traps", "vectors"]
# The same, where rings are real and the guest has all addresses.
RING_PROMISES = ["segments", "upper"]
# All of its lines are known.
LINES = ["hello", "clock"]


def keeps_its_promises(name, options):
    result = guest.run(*options, guest=guest.image(name))
    assert result.status == 0, result
    assert result.console.endswith("verdict: success\n"), result
    assert result.report == "", result


def prints_its_lines(name, options):
    with open(os.path.join(HERE, "..", "lab", name + ".txt")) as expected:
        lines = expected.read()
    result = guest.run(*options, guest=guest.example(name))
    assert result.status == 0, result
    assert result.console == lines, result
    assert result.report == "", result


def crashes_with_a_report(_, options):
    result = guest.run(*options, guest=guest.image("crash"))
    assert result.status == 125, result
    assert "page fault at address 0x10" in result.console, result
    for part in ("the guest crashed", "rip ", "code at rip: ",
                 "page of rip: level 1", "stack at", "backtrace:",
                 "last hypercalls", "sched_op(SCHEDOP_shutdown"):
        assert part in result.report, (part, result)


def cells():
    for check, names, engines in (
            (keeps_its_promises, PROMISES, ENGINES),
            (keeps_its_promises, RING_PROMISES, ["kvm"]),
            (prints_its_lines, LINES, ENGINES),
            (crashes_with_a_report, ["crash"], ENGINES)):
        for name in names:
            for engine in engines:
                for layout, options in LAYOUTS.items():
                    def cell(check=check, name=name, engine=engine,
                             options=options):
                        guest.need_engine(engine)
                        check(name, ["--engine", engine, *options])
                    cell.__name__ = f"{name} on {engine}, frames {layout}"
                    yield cell


if __name__ == "__main__":
    sys.exit(tap.main(list(cells())))
