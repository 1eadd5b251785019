#!/usr/bin/env python3
"""The command line: what is wrong with it is said in one sentence, with status
2, before anything is opened; what it offers can be read by people and by
programs."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import elf  # noqa: E402
import guest  # noqa: E402
import tap  # noqa: E402

HELLO = guest.example("hello")


def paravane(*args, **popen):
    done = subprocess.run([guest.PARAVANE, *args], text=True, timeout=60,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          check=False, **popen)
    return guest.Result(done.returncode, done.stdout, done.stderr)


def misused(*args, says=()):
    result = paravane(*args)
    sentence = guest.one_sentence(result)
    assert result.status == 2 and result.console == "", (args, result)
    assert "--help'" in sentence, (args, result)
    for part in says:
        assert part in sentence, (args, part, result)


def without_a_command_it_says_what_is_missing():
    misused(says=["a command is missing"])
    misused("", says=["''"])
    misused("--", says=["'--'"])


def unknown_commands_are_refused():
    for name in ("boot", "RUN", "--run", "-x", "run\n", HELLO):
        misused(name, says=[name.replace("\n", "?")])


def unknown_options_are_refused():
    for command in ("run", "inspect", "doctor"):
        for option in ("--nonsense", "-x", "--help=yes", "--nonsense=1", "-xv"):
            misused(command, option, says=[option[:2], f"'paravane {command}"])
    misused("run", HELLO, "--nonsense", says=["--nonsense"])
    misused("run", "-v", "-q", HELLO, says=["-q"])
    misused("run", "--verbose=3", HELLO, says=["--verbose", "no value"])
    misused("inspect", "--json=1", HELLO, says=["--json", "no value"])


def options_need_their_values():
    for option in ("--engine", "--memory", "--vcpus", "--disk", "--net",
                   "--name", "--trace", "--initrd", "--on-reboot", "--cpus",
                   "--control"):
        misused("run", HELLO, option, says=[option, "needs a value"])


def an_image_is_needed_and_one_is_enough():
    misused("run", says=["image"])
    misused("run", "", says=["image"])
    misused("run", "--", says=["image"])
    misused("run", HELLO, HELLO, says=["'--'"])
    misused("inspect", says=["image"])
    misused("inspect", HELLO, HELLO, says=["too many"])
    misused("doctor", HELLO, says=["too many"])


def silly_amounts_of_memory_are_refused():
    for size in ("", "0", "0M", "-1", "-1M", "+4M", " 4M", "4M ", "4 M", "M",
                 "4X", "4MM", "4MB", "4MiB", "0x10", "1e9", "4.5M", "1K",
                 "4097K", "many", "99999999999999999999", "18446744073709551615",
                 "17179869184G", "18014398509481984K", "9" * 5000, "\x1b[31m"):
        misused("run", "--memory", size, HELLO, says=["memory"])
    misused("run", "--memory", "64M", "--memory", "0", HELLO)


def more_memory_than_the_host_has_is_refused():
    for size in ("1000T", "16777215T", "1048576G"):
        result = guest.run("--memory", size, guest=HELLO)
        sentence = guest.one_sentence(result)
        assert result.status == 1 and result.console == "", result
        assert "this host has" in sentence and "--memory" in sentence, result


def too_little_memory_is_refused():
    for size in ("4K", "64K", "1M", "3M"):
        result = guest.run("--memory", size, guest=HELLO)
        assert "--memory" in guest.one_sentence(result), result
        assert result.status == 1 and result.console == "", result


def sizes_may_be_written_in_many_ways():
    for size in ("8", "8M", "8m", "8192K", "8192k"):
        assert guest.run("--memory", size, guest=HELLO).status == 0, size
    with_name = guest.run("--memory=8M", guest=HELLO)
    assert with_name.status == 0, with_name


def other_silly_values_are_refused():
    for option, values in {
            "--engine": ("", "xen", "PROCESS", "process,kvm"),
            "--vcpus": ("", "0", "-1", "one", "1x", "33",
                        "99999999999999999999"),
            "--cpus": ("", "x", "3-1", "^0", "0,", "1024", "0::1"),
            "--name": ("", "a/b", "n" * 64),
            "--trace": ("", "hypercall,", ",", "everything", "hypercall;event"),
            "--net": ("", "tap0", "user,mac=x", "mtu=9000")}.items():
        for value in values:
            misused("run", option, value, HELLO)
    misused("run", "--initrd", "", HELLO, says=["--initrd"])
    misused("run", "--initrd", "a", "--initrd", "b", HELLO, says=["--initrd"])
    result = guest.run("--cpus", "1023", guest=HELLO)
    assert "--cpus" in guest.one_sentence(result) and result.status == 1
    misused("run", HELLO, "--", "a" * 1024, says=["1023"])
    misused("run", HELLO, "--", "a" * 600, "b" * 600, says=["1023"])


def the_longest_arguments_arrive_whole():
    result = guest.run(guest=HELLO, args=["a" * 1023])
    assert result.status == 0, result
    result = guest.run("--name", "n" * 63, guest=HELLO)
    assert result.status == 0, result


def malformed_disks_are_refused():
    for spec in (
            "", ",", ",,,", " ", "disk.img", "disk.img,raw", "disk.img,raw,",
            ",raw,xvda,r", "disk.img,raw,xvda,r,more", "disk.img,qcow2,xvda,r",
            "disk.img,raw,xvda,x", "disk.img,raw,xvda,RW", "disk.img,raw,vda,r",
            "disk.img,raw,xvd,r", "disk.img,raw,xvda0,r", "disk.img,raw,xvda01",
            "disk.img,raw,xvda16777216,r", "disk.img,raw,sdz,r",
            "disk.img,raw,hda64,r", "disk.img,raw,xvd" + "z" * 20,
            "disk.img,raw,xvd" + "z" * 5000, "disk.img,raw,xvda,r,nonsense=1",
            "disk.img,raw,xvda,r,devtype=floppy", "=,raw,xvda", "target=",
            "target=,vdev=xvda", "vdev=xvda", "vdev=xvda,target=a,vdev=xvdb",
            "disk.img,raw,xvda,r,access=w", "disk.img,raw,xvda,w,cdrom",
            "disk.img,raw,xvda,r,backend=7", "disk.img,raw,xvda,r,script=x",
            "disk.img,raw,xvda,r,backendtype=qdisk", "a=b=c", "=", "==,==",
            "disk.img,raw,\x1b[31m,r"):
        misused("run", "--disk", spec, HELLO, says=["disk '"])


def two_disks_cannot_be_one():
    misused("run", "--disk", "a,raw,xvda,r", "--disk", "b,raw,xvda,r", HELLO,
            says=["xvda"])
    disks = []
    for letter in "abcdefghijklmnopq":
        disks += ["--disk", f"disk.img,raw,xvd{letter},r"]
    misused("run", *disks, HELLO, says=["16 disks"])


def help_is_on_stdout():
    for args in (["help"], ["--help"], ["-h"], ["run", "--help"], ["run", "-h"],
                 ["inspect", "--help"], ["inspect", "-h"], ["doctor", "--help"],
                 ["doctor", "-h"], ["run", HELLO, "--help"]):
        result = paravane(*args)
        assert result.status == 0 and result.report == "", result
        assert result.console.startswith("usage: paravane "), result
        assert max(map(len, result.console.splitlines())) <= 80, result


def every_option_of_run_is_in_its_help():
    shown = paravane("run", "--help").console
    for option in ("--engine", "--memory", "--vcpus", "--disk", "--net",
                   "--name", "--trace", "--scatter-p2m", "--verbose",
                   "--initrd", "--cpus"):
        assert option in shown, option


def the_version_is_one_line():
    for option in ("--version", "-V"):
        result = paravane(option)
        assert result.status == 0 and result.report == "", result
        name, version = result.console.split()
        assert name == "paravane" and version[0].isdigit(), result


def inspect_tells_people_and_programs_the_same():
    for name in ("hello", "clock", "blksum", "blkbench"):
        shown = paravane("inspect", guest.example(name))
        assert shown.status == 0 and shown.report == "", shown
        result = paravane("inspect", "--json", guest.example(name))
        assert result.status == 0 and result.report == "", result
        found = json.loads(result.console)
        assert found["engines"]["process"]["can_run"] is True, found
        assert found["notes"]["XEN_VERSION"] == "xen-3.0", found
        for abi in ("PV", "PVH"):
            assert found["abis"][abi]["offered"] is True, found
            entry = found["abis"][abi]["entry"]
            assert f"{abi:4} entry {entry:#x}" in shown.console, shown
        for note in found["notes"]:
            assert note in shown.console, (note, shown)


def inspect_says_why_an_abi_is_not_offered():
    image = elf.Image(guest.example("hello"))
    with image.hide_note(elf.NOTE_PHYS32_ENTRY) as path:
        shown = paravane("inspect", path)
        found = json.loads(paravane("inspect", "--json", path).console)
    assert found["abis"]["PV"]["offered"] is True, found
    assert found["abis"]["PVH"]["offered"] is False, found
    assert found["abis"]["PVH"]["why_not"] in shown.console, shown


def doctor_tells_people_and_programs_the_same():
    shown = paravane("doctor")
    assert shown.status == 0 and shown.report == "", shown
    result = paravane("doctor", "--json")
    assert result.status == 0 and result.report == "", result
    found = json.loads(result.console)
    assert "process" in found["engines"], found
    assert "process" in shown.console, shown


def doctor_measures_the_kvm_that_is_here():
    """What it concludes is what it measured, and it says so to people."""
    guest.need_engine("kvm")
    shown = paravane("doctor").console
    kvm = json.loads(paravane("doctor", "--json").console)["kvm"]
    print("# " + kvm["kind"])
    for what in ("exit_ring3_ns", "exit_ring0_ns"):
        assert 100 < kvm[what] < 10**8, kvm
    assert 0 < kvm["step_ring3_ps"] < kvm["exit_ring3_ns"] * 1000, kvm
    assert kvm["ring0_emulated"] == (kvm["step_ring0_ps"] >= 50000), kvm
    assert kvm["ring0_emulated"] == ("--abi pv" in kvm["pvh"]), kvm
    assert kvm["shadow_paging"] == ("shadowed" in kvm["kind"]), kvm
    assert kvm["sync_regs"], kvm  # the engine needs it
    assert f"kvm: {kvm['kind']}\n" in shown, shown
    hole = "cannot use 0xffff800000000000" in shown
    assert hole != kvm["slot_256"], (kvm, shown)
    assert ("no #NM" in shown) != kvm["traps_fpu"], (kvm, shown)
    assert ("no breakpoints" in shown) != kvm["breakpoints"], (kvm, shown)


def doctor_can_do_without_kvm():
    for hide in ("mount -t tmpfs none /dev",
                 "mount --bind /dev/null /dev/kvm"):
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c",
             f"{hide} && exec {guest.PARAVANE} doctor --json"],
            capture_output=True, check=False, timeout=60)
        if done.returncode and not done.stdout:
            raise tap.Skip("no namespaces for unprivileged users here")
        found = json.loads(done.stdout)
        assert not found["engines"]["kvm"]["usable"], found
        assert "/dev/kvm" in found["kvm"]["why_not"], found
        assert done.returncode == 0, done


def what_cannot_be_printed_is_said():
    with open("/dev/full", "w") as full:
        for args in (["--version"], ["--help"], ["run", "--help"],
                     ["inspect", HELLO], ["inspect", "--json", HELLO],
                     ["doctor"], ["doctor", "--json"]):
            done = subprocess.run([guest.PARAVANE, *args], stdout=full,
                                  stderr=subprocess.PIPE, text=True,
                                  timeout=60, check=False)
            result = guest.Result(done.returncode, "", done.stderr)
            assert "No space left" in guest.one_sentence(result), (args, result)
            assert result.status == 1, (args, result)


def run_with_closed(streams, *args):
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" run "$@" {streams}', guest.PARAVANE, *args],
        capture_output=True, text=True, timeout=60, check=False)
    return guest.Result(done.returncode, done.stdout, done.stderr)


def a_closed_stream_is_not_taken_for_another_file():
    """Else the console, or a sentence, would be written to the next file that
    is opened: an image, a disk, the guest's memory."""
    for streams, status in (("<&-", 0), ("2>&-", 0), ("<&- 2>&-", 0),
                            (">&-", 1), ("<&- >&- 2>&-", 1)):
        with tempfile.NamedTemporaryFile() as disk:
            disk.truncate(4096)
            result = run_with_closed(streams, "--disk",
                                     f"{disk.name},raw,xvda,w", HELLO)
            assert result.status == status, (streams, result)
            assert disk.read() == bytes(4096), streams
    result = run_with_closed(">&-", HELLO)
    assert "stdout: Bad file descriptor" in guest.one_sentence(result), result


if __name__ == "__main__":
    sys.exit(tap.main([
        without_a_command_it_says_what_is_missing,
        unknown_commands_are_refused,
        unknown_options_are_refused,
        options_need_their_values,
        an_image_is_needed_and_one_is_enough,
        silly_amounts_of_memory_are_refused,
        more_memory_than_the_host_has_is_refused,
        too_little_memory_is_refused,
        sizes_may_be_written_in_many_ways,
        other_silly_values_are_refused,
        the_longest_arguments_arrive_whole,
        malformed_disks_are_refused,
        two_disks_cannot_be_one,
        help_is_on_stdout,
        every_option_of_run_is_in_its_help,
        the_version_is_one_line,
        inspect_tells_people_and_programs_the_same,
        inspect_says_why_an_abi_is_not_offered,
        doctor_tells_people_and_programs_the_same,
        doctor_measures_the_kvm_that_is_here,
        doctor_can_do_without_kvm,
        what_cannot_be_printed_is_said,
        a_closed_stream_is_not_taken_for_another_file,
    ]))
