#!/usr/bin/env python3
"""How vCPUs spend their time is told to the guest (tests/guests/runstates.c):
two that work on one CPU of the host wait for each other."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import tap  # noqa: E402

LINE = re.compile(r"vCPU \d: (\d+) of (\d+), (\d+)")
WHILE = 300_000_000  # ns that each works, by the clock


def waits(engine):
    guest.need_engine(engine)
    if not os.path.exists("/proc/self/schedstat"):
        raise tap.Skip("this kernel does not count for how long threads wait")
    cpu = min(os.sched_getaffinity(0))
    result = guest.run("--engine", engine, "--vcpus", "2", "--cpus", str(cpu),
                       guest=guest.image("runstates"))
    assert result.status == 0, result
    found = [[int(word) for word in line] for line in
             LINE.findall(result.console)]
    assert len(found) == 2, result
    for waited, spent, kept in found:
        assert spent >= WHILE, result
        assert waited <= spent, result
        assert kept > 0, result
    # Both at once, and one CPU: what one ran, the other did not.
    assert sum(waited for waited, _, _ in found) >= WHILE // 2, result


def a_vCPU_that_waits_for_a_CPU_is_runnable_in_a_process():
    waits("process")


def a_vCPU_that_waits_for_a_CPU_is_runnable_in_a_VM():
    waits("kvm")


if __name__ == "__main__":
    sys.exit(tap.main([
        a_vCPU_that_waits_for_a_CPU_is_runnable_in_a_process,
        a_vCPU_that_waits_for_a_CPU_is_runnable_in_a_VM,
    ]))
