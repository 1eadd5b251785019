#!/usr/bin/env python3
"""examples/teachos on disks that are broken, and with somebody at its shell.
What else it does is in tests/harness/teachos_cases.py, wherever it runs."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import console  # noqa: E402
import guest  # noqa: E402
import tap  # noqa: E402
import teachos_cases  # noqa: E402

KERNEL = guest.example("teachos")


def with_disk(content, run):
    with tempfile.NamedTemporaryFile() as disk:
        disk.write(content)
        disk.flush()
        return run(["--engine", "kvm", "--disk", f"{disk.name},raw,xvda,w"])


def broken(case):
    def test():
        guest.need_engine("kvm")
        result = with_disk(
            case.disks[0].content,
            lambda options: guest.run(*options, guest=KERNEL, args=case.args))
        case.check(result, {})
    test.__name__ = f"{case.more}: told, and survived"
    return test


def at_the_shell(script):
    """Its status, after the console's (script)."""
    guest.need_engine("kvm")
    with open(teachos_cases.DISK, "rb") as disk:
        content = disk.read()

    def run(options):
        with console.Command(guest.command(*options, guest=KERNEL),
                             terminal=True) as shell:
            shell.follow(script)
            return shell.process.wait(timeout=console.PATIENCE)
    return with_disk(content, run)


def the_interrupt_key_ends_what_runs():
    status = at_the_shell(r"""
        wait \$ $
        send sleep 1000 | cat | cat\r
        wait cat$
        send \x03
        wait \^C\s+\$ $
        send primes 100000000\r
        wait 00$
        send \x03
        wait \^C\s+\$ $
        send ps | grep primes; echo none\r
        wait ^none$
        wait \$ $
        send exit 3\r
        end
    """)
    assert status == 3, status


def the_end_of_input_ends_the_shell():
    status = at_the_shell(r"""
        wait \$ $
        send cat\r
        wait cat$
        send one\r
        wait ^one$
        send \x04
        wait \$ $
        send \x04
        end
    """)
    assert status == 0, status


def a_process_in_the_background_can_be_killed():
    status = at_the_shell(r"""
        wait \$ $
        send sleep 1000 &\r
        wait \[2\]
        wait \$ $
        send kill 2; wait; echo it is over\r
        wait ^it is over$
        send exit\r
        end
    """)
    assert status == 0, status


def programs_run_on_all_vcpus():
    guest.need_engine("kvm")
    with open(teachos_cases.DISK, "rb") as disk:
        content = disk.read()
    result = with_disk(content, lambda options: guest.run(
        *options, "--vcpus", "4", guest=KERNEL, args=["tests"]))
    assert result.status == 0, result
    assert result.console.endswith("verdict: success\n"), result


if __name__ == "__main__":
    sys.exit(tap.main([
        *(broken(case) for case in teachos_cases.BROKEN),
        programs_run_on_all_vcpus,
        the_interrupt_key_ends_what_runs,
        the_end_of_input_ends_the_shell,
        a_process_in_the_background_can_be_killed,
    ]))
