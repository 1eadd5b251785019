#!/usr/bin/env python3
"""How guests end, or are ended, and what the world sees of it: exit statuses,
signals, streams that stop, and the terminal, restored each time."""
import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import tap  # noqa: E402

ENDING = guest.image("ending")
ASKING = "paravane: warning: asking the guest to power off; once more " \
         "destroys it"
DESTROYED = "paravane: warning: the guest is destroyed"


def run(*args, **popen):
    return guest.run(guest=ENDING, args=list(args), **popen)


def start(*args, **popen):
    """Up to where the guest says that it is ready."""
    process = guest.start(guest=ENDING, args=list(args), **popen)
    line = process.stdout.readline()
    if line != b"ready\n":
        raise AssertionError(guest.finish(process))
    return process


def the_guests_status_is_ours():
    for status in (0, 1, 2, 3, 42, 125, 126, 127, 128, 137, 254, 255):
        result = run("exit", str(status))
        assert result.status == status, result
        assert result.report == "" and result.console == "", result
    for given, status in (("256", 0), ("-1", 255), ("511", 255)):
        assert run("exit", given).status == status, given


def a_status_may_be_told_by_any_guest():
    for told, status in (("0", 0), ("7", 7), ("255", 255)):
        result = run("tell", told)
        assert result.status == status and result.report == "", result


def a_status_that_is_none_is_said():
    for told in ("abc", "256", "-1", "7x", "0x7", "9" * 40):
        result = run("tell", told)
        assert result.status == 125, (told, result)
        assert "data/exit-status" in guest.one_sentence(result), result


def reboot_ends_with_a_word():
    result = run("reason", "1")
    assert result.status == 0, result
    assert "reboot" in guest.one_sentence(result), result


def controlled(folder, *options):
    """A guest that ends as it is asked to, and what says so."""
    fifo = os.path.join(folder, "control")
    process = guest.start("--control", fifo, *options, guest=ENDING,
                          args=["wait", "0"])
    assert process.stdout.readline() == b"ready\n", guest.finish(process)

    def say(words):
        with open(fifo, "w", encoding="ascii") as file:
            file.write(words)
    return process, say


def words_of_the_user_reach_the_guest():
    with tempfile.TemporaryDirectory() as folder:
        process, say = controlled(folder)
        say("nonsense\n\n" + "x" * 1000 + "\nshut")
        say("down\n")
        result = guest.finish(process)
    assert result.status == 0 and result.console == "", result
    assert "'nonsense' means nothing" in result.report, result
    assert "a line of more than 127 characters" in result.report, result
    assert len(result.report.splitlines()) == 2, result


def a_control_that_is_no_fifo_is_refused():
    with tempfile.NamedTemporaryFile() as file:
        for path in (file.name, "/", "/nowhere/fifo"):
            result = guest.run("--control", path, guest=ENDING,
                               args=["exit", "0"])
            assert result.status == 1, result
            assert path in guest.one_sentence(result), result


def a_reboot_starts_the_guest_again():
    with tempfile.TemporaryDirectory() as folder:
        process, say = controlled(folder, "--on-reboot", "restart")
        for _ in range(3):
            say("reboot\n")
            assert process.stdout.readline() == b"ready\n", process
        say("shutdown\n")
        result = guest.finish(process)
    assert result.status == 0 and result.report == "", result


def the_status_of_the_last_run_is_ours():
    result = guest.run("--on-reboot", "restart", guest=ENDING,
                       args=["exit", "42"])
    assert result.status == 42 and result.report == "", result
    result = guest.run("--on-reboot", "restart", guest=ENDING,
                       args=["reason", "3"])
    assert result.status == 125, result


def signals_reach_a_guest_that_may_restart():
    with tempfile.TemporaryDirectory() as folder:
        process, _ = controlled(folder, "--on-reboot", "restart")
        process.send_signal(signal.SIGTERM)
        result = guest.finish(process)
        assert result.status == 0, result
        assert guest.one_sentence(result) == ASKING, result


def none_is_left_when_the_one_that_restarts_is_killed():
    with tempfile.TemporaryDirectory() as folder:
        process, _ = controlled(folder, "--on-reboot", "restart")
        process.kill()
        # Its end of the pipe is held by the child as well.
        assert process.stdout.read() == b"", process
        process.wait()


def suspend_is_refused_and_the_guest_goes_on():
    result = run("reason", "2")
    assert result.status == 0 and result.console == "answer: 1\n", result
    assert "suspend" in guest.one_sentence(result), result


def crashes_are_reported():
    for reason, said in (("3", "the guest says that it crashed"),
                         ("4", "watchdog"), ("5", "soft reset"),
                         ("6", "for reason 6"), ("-1", "for reason 255")):
        result = run("reason", reason)
        assert result.status == 125, (reason, result)
        first = result.report.splitlines()[0]
        assert first.startswith("paravane: the guest crashed: "), result
        assert said in first, result
        assert result.report.count("paravane: ") == 1, result


def a_signal_asks_and_the_guest_decides():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        for status in (0, 3, 255):
            process = start("wait", str(status))
            process.send_signal(number)
            result = guest.finish(process)
            assert result.status == status, result
            assert guest.one_sentence(result) == ASKING, result
            expected = "asked to end: 0\n" if status else ""
            assert result.console == expected, result


def a_second_signal_destroys(*args):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process = start(*(args or ("deaf",)))
        process.send_signal(number)
        assert process.stderr.readline().decode() == ASKING + "\n"
        process.send_signal(number)
        result = guest.finish(process)
        assert result.status == 128 + number, result
        assert guest.one_sentence(result) == DESTROYED, result


def a_guest_that_loops_with_events_masked_is_destroyed():
    a_second_signal_destroys("spin")


def a_guest_that_loops_in_hypercalls_is_destroyed():
    for how in "0123":
        a_second_signal_destroys("calls", how)


def a_guest_that_loops_in_traps_is_destroyed():
    a_second_signal_destroys("traps")


def the_status_is_that_of_the_first_signal():
    process = start("deaf")
    process.send_signal(signal.SIGTERM)
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert guest.finish(process).status == 128 + signal.SIGTERM


def a_quit_signal_is_a_signal_too():
    process = start("wait", "5")
    process.send_signal(signal.SIGQUIT)
    assert guest.finish(process).status == 5


def what_is_typed_arrives_and_is_answered():
    process = start("echo")
    for line in (b"one\n", b"two words\n", b"\xff\x01\x1b\x1d\n"):
        process.stdin.write(line)
        process.stdin.flush()
        assert process.stdout.readline() == b"got " + line, line
    process.stdin.write(b"quit\n")
    process.stdin.flush()
    result = guest.finish(process)
    assert result.status == 0 and result.console == "got quit\n", result


def the_end_of_stdin_ends_nothing():
    process = start("wait", "4", stdin=subprocess.DEVNULL)
    used = cpu_time(process)
    time.sleep(0.3)
    assert cpu_time(process) - used < 20, "it spins at the end of stdin"
    process.terminate()
    assert guest.finish(process).status == 4


def cpu_time(process):
    """In ticks of 10 ms."""
    with open(f"/proc/{process.pid}/stat", "rb") as stat:
        fields = stat.read().rsplit(b")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def sum_of(data):
    total = 1
    for byte in data:
        total = (total * 31 + byte) % 2**32
    return total


def more_than_a_ring_of_input_arrives_whole():
    data = bytes((i * 7 + i // 256) % 255 + 1 for i in range(100000))
    result = run("count", str(len(data)), stdin=data)
    assert result.status == 0 and result.report == "", result
    assert result.console == \
        f"ready\n{len(data)} {sum_of(data)}\n", result


def input_that_nobody_reads_is_no_load():
    with tempfile.TemporaryFile() as data:
        data.truncate(1 << 20)
        process = start("deaf", stdin=data)
        used = cpu_time(process)
        time.sleep(0.3)
        assert cpu_time(process) - used < 20, "it spins on a full ring"
        process.kill()
        guest.finish(process)


LINES = 40000


def expected_lines(nr=LINES):
    return b"".join(b"line %d of %d\n" % (i, nr) for i in range(nr))


def a_slow_reader_loses_nothing():
    process = guest.start(guest=ENDING, args=["lines", str(LINES)])
    got = b""
    while True:
        piece = os.read(process.stdout.fileno(), 16384)
        got += piece
        if not piece:
            break
        if len(got) % 7 == 0:
            time.sleep(0.002)
    process.wait()
    assert process.returncode == 0, process.stderr.read()
    assert got == expected_lines(), len(got)


def a_reader_that_comes_late_loses_nothing():
    read, write = os.pipe()
    process = guest.start(guest=ENDING, args=["lines", "5000"], stdout=write)
    os.close(write)
    time.sleep(0.2)
    with os.fdopen(read, "rb") as pipe:
        assert pipe.read() == expected_lines(5000)
    assert process.wait(60) == 0


def a_stdout_that_never_waits_loses_nothing():
    """Somebody else made the pipe non-blocking."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    process = guest.start(guest=ENDING, args=["lines", str(LINES)],
                          stdout=write)
    os.close(write)
    time.sleep(0.1)
    with os.fdopen(read, "rb") as pipe:
        assert pipe.read() == expected_lines()
    assert process.wait(60) == 0


def files_and_devices_take_all_of_it():
    with tempfile.TemporaryFile() as out:
        process = guest.start(guest=ENDING, args=["lines", str(LINES)],
                              stdout=out)
        assert process.wait(60) == 0
        out.seek(0)
        assert out.read() == expected_lines()
    with open("/dev/null", "wb") as null:
        process = guest.start(guest=ENDING, args=["lines", str(LINES)],
                              stdout=null)
        assert guest.finish(process).status == 0


def a_reader_that_leaves_ends_the_domain():
    process = guest.start(guest=ENDING, args=["lines", str(100 * LINES)])
    assert process.stdout.readline() == b"line 0 of 4000000\n"
    process.stdout.close()
    assert process.wait(60) == 1
    report = process.stderr.read().decode()
    sentence = guest.one_sentence(guest.Result(1, "", report))
    assert "stdout: Broken pipe" in sentence, report


def a_full_stdout_ends_the_domain():
    with open("/dev/full", "wb") as full:
        process = guest.start(guest=ENDING, args=["lines", str(100 * LINES)],
                              stdout=full)
        result = guest.finish(process)
    assert result.status == 1, result
    assert "stdout: No space left" in guest.one_sentence(result), result


def nobody_listening_on_stderr_changes_nothing():
    for how in ("2>&-", "2>/dev/full"):
        done = subprocess.run(
            ["sh", "-c", f'exec "$0" run "$1" -- reason 1 {how}',
             guest.PARAVANE, ENDING], capture_output=True, timeout=60,
            check=False)
        assert done.returncode == 0, done


def a_reader_that_sleeps_cannot_keep_us():
    """A full pipe, and two signals: it ends, even if what waits is lost."""
    read, write = os.pipe()
    process = guest.start(guest=ENDING, args=["lines", str(100 * LINES)],
                          stdout=write)
    os.close(write)
    select.select([read], [], [], 60)
    process.terminate()
    assert process.stderr.readline().decode() == ASKING + "\n"
    process.terminate()
    assert guest.finish(process).status == 128 + signal.SIGTERM
    os.close(read)


class Terminal:
    """A guest on a terminal of its own."""

    def __init__(self, *args, image=ENDING, **popen):
        self.here, there = pty.openpty()
        self.before = termios.tcgetattr(there)
        self.there = there

        def own():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            guest.command(guest=image, args=list(args)), stdin=there,
            stdout=there, stderr=subprocess.PIPE, preexec_fn=own, **popen)
        self.seen = b""

    def expect(self, text):
        deadline = time.monotonic() + 60
        while text not in self.seen:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.here], [], [], max(left, 0))
            assert ready, self.seen
            self.seen += os.read(self.here, 4096)

    def type(self, text):
        os.write(self.here, text)

    def is_raw(self):
        return not termios.tcgetattr(self.there)[3] & termios.ICANON

    def finish(self, status):
        _, err = self.process.communicate(timeout=60)
        after = termios.tcgetattr(self.there)
        os.close(self.here)
        os.close(self.there)
        assert self.process.returncode == status, \
            (self.process.returncode, err, self.seen)
        assert after == self.before, (self.before, after)
        return err.decode()


def a_terminal_is_raw_while_the_guest_runs():
    terminal = Terminal("echo")
    terminal.expect(b"ready\r\n")
    assert terminal.is_raw()
    terminal.type(b"hello\n")
    terminal.expect(b"got hello\r\n")
    assert terminal.seen == b"ready\r\ngot hello\r\n", terminal.seen
    terminal.type(b"quit\n")
    assert terminal.finish(0) == ""


def the_interrupt_key_is_the_guests():
    terminal = Terminal("count", "3")
    terminal.expect(b"ready\r\n")
    terminal.type(b"\x03\x1a\x1c")
    terminal.expect(f"3 {sum_of(bytes([3, 26, 28]))}\r\n".encode())
    assert terminal.finish(0) == ""


def a_terminal_is_restored_however_it_ends():
    for args, signals, status in (
            (["exit", "3"], [], 3), (["reason", "1"], [], 0),
            (["reason", "3"], [], 125), (["tell", "x"], [], 125),
            (["wait", "4"], [signal.SIGTERM], 4),
            (["deaf"], [signal.SIGINT, signal.SIGINT], 130),
            (["spin"], [signal.SIGTERM, signal.SIGHUP], 143)):
        terminal = Terminal(*args)
        if signals:
            terminal.expect(b"ready\r\n")
            assert terminal.is_raw()
        for number in signals:
            terminal.process.send_signal(number)
            terminal.process.stderr.readline()
        terminal.finish(status)


def the_leave_key_destroys():
    for args in (["echo"], ["deaf"], ["spin"]):
        terminal = Terminal(*args)
        terminal.expect(b"ready\r\n")
        terminal.type(b"\x1d")
        terminal.finish(128 + signal.SIGINT)


def a_terminal_is_restored_after_a_crash():
    terminal = Terminal(image=guest.image("crash"))
    report = terminal.finish(125)
    assert "the guest crashed" in report, report


def a_terminal_is_not_touched_for_what_is_refused():
    terminal = Terminal(image="/dev/null")
    assert "not a regular file" in terminal.finish(1)


def a_terminal_that_goes_away_ends_the_guest():
    terminal = Terminal("wait", "6")
    terminal.expect(b"ready\r\n")
    os.close(terminal.there)
    os.close(terminal.here)
    assert terminal.process.wait(60) in (6, 1), terminal.process.returncode


if __name__ == "__main__":
    sys.exit(tap.main([
        the_guests_status_is_ours,
        a_status_may_be_told_by_any_guest,
        a_status_that_is_none_is_said,
        reboot_ends_with_a_word,
        words_of_the_user_reach_the_guest,
        a_control_that_is_no_fifo_is_refused,
        a_reboot_starts_the_guest_again,
        the_status_of_the_last_run_is_ours,
        signals_reach_a_guest_that_may_restart,
        none_is_left_when_the_one_that_restarts_is_killed,
        suspend_is_refused_and_the_guest_goes_on,
        crashes_are_reported,
        a_signal_asks_and_the_guest_decides,
        a_second_signal_destroys,
        a_guest_that_loops_with_events_masked_is_destroyed,
        a_guest_that_loops_in_hypercalls_is_destroyed,
        a_guest_that_loops_in_traps_is_destroyed,
        the_status_is_that_of_the_first_signal,
        a_quit_signal_is_a_signal_too,
        what_is_typed_arrives_and_is_answered,
        the_end_of_stdin_ends_nothing,
        more_than_a_ring_of_input_arrives_whole,
        input_that_nobody_reads_is_no_load,
        a_slow_reader_loses_nothing,
        a_reader_that_comes_late_loses_nothing,
        a_stdout_that_never_waits_loses_nothing,
        files_and_devices_take_all_of_it,
        a_reader_that_leaves_ends_the_domain,
        a_full_stdout_ends_the_domain,
        nobody_listening_on_stderr_changes_nothing,
        a_reader_that_sleeps_cannot_keep_us,
        a_terminal_is_raw_while_the_guest_runs,
        the_interrupt_key_is_the_guests,
        a_terminal_is_restored_however_it_ends,
        the_leave_key_destroys,
        a_terminal_is_restored_after_a_crash,
        a_terminal_is_not_touched_for_what_is_refused,
        a_terminal_that_goes_away_ends_the_guest,
    ]))
