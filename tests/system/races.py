#!/usr/bin/env python3
"""Host code of several vCPUs, watched by the thread sanitizer: images that use
them all run on a paravane built with -Db_sanitize=thread (PARAVANE_BUILD), and
the first race it sees is the end. The images are those of another build folder,
PARAVANE_IMAGES. With PARAVANE_RACE_MS vCPUs race each other on every hypercall
for so long, and that is all."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import smp_cases  # noqa: E402
import tap  # noqa: E402

ON_DEMAND = "PARAVANE_RACE_MS" in os.environ
RACE_MS = os.environ.get("PARAVANE_RACE_MS", "2000")
SLOWER = 10  # than without, at most, and on a machine that others use
PATIENCE = int(RACE_MS) // 1000 + 60 * SLOWER


def watch(**more):
    words = {"halt_on_error": 1, "exitcode": 66, **more}
    os.environ["TSAN_OPTIONS"] = ":".join(f"{name}={value}"
                                          for name, value in words.items())


def the_sanitizer_is_there():
    watch(verbosity=1)
    result = guest.run("--engine", "process", guest=guest.example("hello"))
    assert "Running under ThreadSanitizer" in result.report, result


def runs_without_a_race(case, engine):
    args = [RACE_MS] if case.image == "race" else case.args
    with tempfile.TemporaryDirectory() as folder:
        options = ["--engine", engine, "--vcpus", str(case.vcpus)]
        for disk in case.disks:
            path = os.path.join(folder, disk.vdev)
            with open(path, "wb") as file:
                file.write(disk.content)
            options += ["--disk", f"{path},raw,{disk.vdev},{disk.access}"]
        result = guest.run(*options, guest=guest.image(case.image), args=args,
                           timeout=PATIENCE)
    assert "ThreadSanitizer" not in result.report, result
    case.check(result, {disk.vdev: disk.content for disk in case.disks})


def cells():
    yield the_sanitizer_is_there
    for case in smp_cases.CASES:
        if ON_DEMAND and case.image != "race" or "pv" not in case.abis:
            continue
        for engine in ("process", "kvm"):
            def cell(case=case, engine=engine):
                watch()
                guest.need_engine(engine)
                runs_without_a_race(case, engine)
            cell.__name__ = f"{case.image} on {engine}, {case.more}"
            yield cell


if __name__ == "__main__":
    sys.exit(tap.main(list(cells()), PATIENCE))
