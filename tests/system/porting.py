#!/usr/bin/env python3
"""docs/porting.md does what it says: the kernel that it builds piece by piece
compiles, runs, and is what the linter calls clean."""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import guide  # noqa: E402
import tap  # noqa: E402

LOW, HIGH = "virt_base = 0x400000;", "virt_base = 0xffffffff80000000;"


def prints_what_the_page_says(*options, change=lambda name, content: content):
    files = guide.files()
    with guide.kernel(change) as image:
        for args, wanted in (((), files["console"]),
                             (("user",),
                              files["console"] + files["console.user"])):
            result = guest.run("--memory", "8M", *options, guest=image,
                               args=args)
            assert result.status == 0 and not result.report, result
            assert result.console == wanted, result


def its_kernel_runs_on_process():
    guest.need_engine("process")
    prints_what_the_page_says("--engine", "process")
    prints_what_the_page_says("--engine", "process", "--scatter-p2m")


def its_kernel_runs_on_kvm():
    guest.need_engine("kvm")
    prints_what_the_page_says("--engine", "kvm")
    prints_what_the_page_says("--engine", "kvm", "--scatter-p2m")


def in_the_upper_half_as_well():
    guest.need_engine("kvm")

    def change(name, content):
        assert name != "day.ld" or LOW in content
        return content.replace(LOW, HIGH)
    prints_what_the_page_says("--engine", "kvm", change=change)


def second_cpu(engine):
    def test():
        guest.need_engine(engine)
        files = guide.files()
        with guide.kernel() as image:
            result = guest.run("--memory", "8M", "--engine", engine, "--vcpus",
                               "2", guest=image, args=("second",))
        if result.status == 1 and "runs one vCPU" in result.report:
            raise tap.Skip(guest.one_sentence(result))
        assert result.status == 0 and not result.report, result
        assert result.console == files["console"] + files["console.second"], \
            result
    test.__name__ = f"on {engine} it starts a second CPU"
    return test


def a_second_cpu_that_is_not_there_is_told():
    with guide.kernel() as image:
        result = guest.run("--memory", "8M", guest=image, args=("second",))
    assert result.status == 125, result
    assert "initialise: error -0x0000000000000002\n" in result.console, result


def the_linter_calls_it_clean():
    with guide.kernel() as image:
        done = subprocess.run([guest.PARAVANE, "inspect", "--lint", "--json",
                               image], capture_output=True, check=False)
    found = json.loads(done.stdout)
    assert done.returncode == 0 and not found["findings"], found


def with_an_instruction_of_bare_hardware_it_is_not():
    """The linter's line is the page's."""
    def change(name, content):
        return content.replace('__asm__ volatile("int3");',
                               '__asm__ volatile("cli");')
    with guide.kernel(change) as image:
        done = subprocess.run([guest.PARAVANE, "inspect", "--lint", "--json",
                               image], capture_output=True, check=False)
    lines = guide.files()["day.c"].splitlines()
    line = lines.index('    __asm__ volatile("int3");') + 1
    finding, = json.loads(done.stdout)["findings"]
    assert done.returncode == 3 and finding["instruction"] == "cli", finding
    assert finding.get("line", line) == line, finding


def a_trap_it_did_not_expect_ends_it_with_a_word():
    def change(name, content):
        return content.replace('__asm__ volatile("int3");',
                               '__asm__ volatile("cli");')
    with guide.kernel(change) as image:
        result = guest.run("--memory", "8M", guest=image)
    assert result.status == 125, result
    assert "a trap: 0x000000000000000d\nat 0x" in result.console, result


def files_that_it_names_are_there():
    for path in re.findall(r"`([\w./*-]+/[\w./*-]*)`", guide.text()):
        if "*" in path or path.startswith("build/"):
            continue
        assert os.path.exists(os.path.join(guide.ROOT, path)), path


if __name__ == "__main__":
    sys.exit(tap.main([
        its_kernel_runs_on_process,
        its_kernel_runs_on_kvm,
        in_the_upper_half_as_well,
        second_cpu("kvm"),
        second_cpu("process"),
        a_second_cpu_that_is_not_there_is_told,
        the_linter_calls_it_clean,
        with_an_instruction_of_bare_hardware_it_is_not,
        a_trap_it_did_not_expect_ends_it_with_a_word,
        files_that_it_names_are_there,
    ]))
