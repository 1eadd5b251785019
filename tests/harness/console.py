"""Somebody at a console: waits for what it says, types what it should hear.

The other side is any command that talks through its standard streams: paravane
run, or QEMU with -serial stdio.
"""
import codecs
import os
import pty
import re
import selectors
import subprocess
import tempfile
import time
import tty

# Escape sequences (ECMA-48) and the controls that only move a cursor.
_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-Z\\-~]|[\r\x00\x08]")
_BEGUN = re.compile(r"\x1b(\[[0-?]*[ -/]*|[ -/]*)$")

UP, DOWN = "\x1b[A", "\x1b[B"
RETURN = "\r"


class Console:
    """A running command and whoever sits before it; `with` ends both."""

    def __init__(self, command, terminal=False, **popen):
        """(terminal): give it one in place of pipes. It is a raw one."""
        self._report = tempfile.TemporaryFile()
        self._text = ""  # all that was said, without controls
        self._seen = 0  # how much of it has been waited for
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = ""  # half an escape sequence
        self._closed = False
        if terminal:
            self._read, theirs = pty.openpty()
            tty.setraw(theirs)
            self._write = os.dup(self._read)
            streams = (theirs, theirs)
        else:
            stdin, self._write = os.pipe()
            self._read, stdout = os.pipe()
            streams = (stdin, stdout)
        self.process = subprocess.Popen(command, stdin=streams[0],
                                        stdout=streams[1],
                                        stderr=self._report, **popen)
        for fd in set(streams):
            os.close(fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.hang_up()
        os.close(self._read)
        self._report.close()

    def wait(self, wanted, timeout=60):
        """All that is said up to (wanted), a regular expression, from where
        the last wait ended. Returns its match; fails with what was said."""
        end = time.monotonic() + timeout
        pattern = re.compile(wanted, re.MULTILINE)
        while True:
            match = pattern.search(self._text, self._seen)
            if match:
                self._seen = match.end()
                return match
            left = end - time.monotonic()
            assert left > 0, f"no '{wanted}' in {timeout} s\n{self}"
            assert not self._closed, f"it ends without '{wanted}'\n{self}"
            self._listen(left)

    def send(self, text):
        """Type (text); what it does not take in a minute nobody listens to."""
        data = text.encode()
        with selectors.DefaultSelector() as poll:
            poll.register(self._write, selectors.EVENT_WRITE)
            while data:
                assert poll.select(60), f"it takes no '{text}'\n{self}"
                data = data[os.write(self._write, data[:1024]):]

    def line(self, text):
        self.send(text + RETURN)

    def hang_up(self):
        """Type nothing more: with pipes, the end of its input."""
        if self._write is not None:
            os.close(self._write)
            self._write = None

    def finish(self, timeout=60):
        """Listen to its end; returns the exit status."""
        end = time.monotonic() + timeout
        while not self._closed:
            left = end - time.monotonic()
            assert left > 0, f"does not end in {timeout} s\n{self}"
            self._listen(left)
        return self.process.wait(max(1, end - time.monotonic()))

    @property
    def text(self):
        """All that was said so far, escape sequences left out."""
        return self._text

    @property
    def report(self):
        """What it said to stderr so far."""
        self._report.seek(0)
        return self._report.read().decode(errors="replace")

    def __repr__(self):
        return (f"status {self.process.poll()}\n--- console\n"
                f"{self._text[-4000:]}\n--- report\n{self.report[-4000:]}---")

    def _listen(self, timeout):
        """Take what comes next, for at most (timeout) seconds."""
        with selectors.DefaultSelector() as poll:
            poll.register(self._read, selectors.EVENT_READ)
            if not poll.select(timeout):
                return
        try:
            data = os.read(self._read, 65536)
        except OSError:  # how a terminal says that nobody is there
            data = b""
        if data:
            self._hear(data)
        else:
            self._closed = True

    def _hear(self, data):
        text = self._begun + self._decoder.decode(data)
        begun = _BEGUN.search(text)
        self._begun = begun.group() if begun else ""
        text = text[:len(text) - len(self._begun)]
        self._text += _CONTROL.sub("", text)
