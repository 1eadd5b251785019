#!/usr/bin/env python3
"""Every image keeps its promises on every engine, with machine frames in order
and shuffled. What is expected of an image is the same everywhere, real Xen
included (tests/harness/expect.py)."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import expect  # noqa: E402
import guest  # noqa: E402
import tap  # noqa: E402
import verdicts  # noqa: E402

LAYOUTS = {"in order": [], "scattered": ["--scatter-p2m"]}
CRASH_REPORT = ("the guest crashed", "rip ", "code at rip: ",
                "page of rip: level 1", "stack at", "backtrace:",
                "last hypercalls", "sched_op(SCHEDOP_shutdown")


def runs_as_expected(name, options, abi="pv"):
    vcpus = verdicts.VCPUS.get(name, 1)
    result = guest.run(*options, "--vcpus", str(vcpus),
                       guest=expect.path(name))
    place = options[options.index("--engine") + 1]
    expect.check(name, result, abi, place)
    if name in expect.CRASHES:
        for part in CRASH_REPORT:
            assert part in result.report, (part, result)
    elif name not in expect.VERDICTS:  # which does what is worth a warning
        assert result.report == "", result


def is_as_the_case_says(case, options):
    with tempfile.TemporaryDirectory() as folder:
        options = list(options)
        for disk in case.disks:
            path = os.path.join(folder, disk.vdev)
            with open(path, "wb") as file:
                file.write(disk.content)
            options += ["--disk", f"{path},raw,{disk.vdev},{disk.access}"]
        if case.initrd:
            path = os.path.join(folder, "initrd")
            with open(path, "wb") as file:
                file.write(case.initrd)
            options += ["--initrd", path]
        if case.vcpus > 1:
            guest.need_vcpus(options[options.index("--engine") + 1])
            options += ["--vcpus", str(case.vcpus)]
        result = guest.run(*options, guest=expect.path(case.image),
                           args=case.args, stdin=case.keys.encode())
        after = {}
        for disk in case.disks:
            with open(os.path.join(folder, disk.vdev), "rb") as file:
                after[disk.vdev] = file.read()
    case.check(result, after)
    assert result.report == "" or not case.disks, result


def runs():
    """What to run: a name, what is special, as what, and how, given the
    options."""
    for name in expect.IMAGES:
        yield name, "", ("pv", "pvh"), lambda options, name=name: \
            runs_as_expected(name, options,
                             "pvh" if "pvh" in options else "pv")
    for case in expect.CASES:
        yield case.image, case.more, case.abis, lambda options, case=case: \
            is_as_the_case_says(case, options)


def cells():
    for name, more, abis, run in runs():
        for engine in guest.engines() if "pv" in abis else ():
            if expect.never(name, "pv", engine, more):
                continue
            for layout, options in LAYOUTS.items():
                def cell(name=name, run=run, engine=engine,
                         options=options):
                    guest.need_engine(engine)
                    if engine == "kvm":
                        expect.need_of_kvm(name, guest.kvm_kind())
                    run(["--engine", engine, *options])
                cell.__name__ = expect.point(
                    name, "pv", engine,
                    (more + ", " if more else "") + f"frames {layout}")
                yield cell
        if "pvh" in abis:
            yield pvh_cell(name, more, run)


def pvh_cell(name, more, run):
    def cell():
        expect.need_abi(name, "pvh")
        guest.need_ring0()
        run(["--engine", "kvm", "--abi", "pvh"])
    cell.__name__ = expect.point(name, "pvh", "kvm", more)
    return cell


if __name__ == "__main__":
    sys.exit(tap.main(list(cells())))
