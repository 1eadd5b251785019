#!/usr/bin/env python3
"""Every image keeps its promises on every engine, with machine frames in order
and shuffled. What is expected of an image is the same everywhere, real Xen
included (tests/harness/expect.py)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import expect  # noqa: E402
import guest  # noqa: E402
import tap  # noqa: E402

LAYOUTS = {"in order": [], "scattered": ["--scatter-p2m"]}
CRASH_REPORT = ("the guest crashed", "rip ", "code at rip: ",
                "page of rip: level 1", "stack at", "backtrace:",
                "last hypercalls", "sched_op(SCHEDOP_shutdown")


def runs_as_expected(name, options):
    result = guest.run(*options, guest=expect.path(name))
    expect.check(name, result)
    if name in expect.CRASHES:
        for part in CRASH_REPORT:
            assert part in result.report, (part, result)
    else:
        assert result.report == "", result


def cells():
    for name in expect.IMAGES:
        for engine in guest.engines():
            if engine == "process" and name in expect.RING_PROMISES:
                continue
            for layout, options in LAYOUTS.items():
                def cell(name=name, engine=engine, options=options):
                    guest.need_engine(engine)
                    runs_as_expected(name, ["--engine", engine, *options])
                cell.__name__ = expect.point(name, "pv", engine,
                                             f"frames {layout}")
                yield cell


if __name__ == "__main__":
    sys.exit(tap.main(list(cells())))
