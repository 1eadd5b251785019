"""Somebody at a console: waits for what it says, types what it should hear.

A script for it has one step a line; blank lines and those that begin with #
do nothing:

    wait PATTERN    until text that matches this regular expression was said
                    after what the last wait found
    send TEXT       type it, with the escapes of a Python string: \\n \\r \\x1b
    within SECONDS  how long a wait may take from here on
    end             until the other side closes the console
"""
import codecs
import os
import pty
import re
import select
import subprocess
import tempfile
import time
import tty

PATIENCE = 60  # seconds for one wait, unless told
LATE = 0.5  # seconds

# Escape sequences (ECMA-48) and the controls that only move a cursor.
_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-Z\\-~]|[\r\x00\x08]")
_BEGUN = re.compile(r"\x1b(\[[0-?]*[ -/]*|[ -/]*)$")

UP, DOWN = "\x1b[A", "\x1b[B"
RETURN = "\r"


class Console:
    """The console behind the descriptors (reader) and (writer), which may be
    the same: pipes, a terminal, a socket. They stay the caller's. One that
    others will use, too, has no end of file: then it ends when the descriptor
    (news) has something to read."""

    def __init__(self, reader, writer, news=None):
        self.reader, self.writer, self.news = reader, writer, news
        self.text = ""  # all that was said, escape sequences left out
        self.seen = 0   # what of it earlier waits have dealt with
        self.patience = PATIENCE
        self.ended = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = ""  # half an escape sequence

    def __repr__(self):
        return f"--- console\n{self.text[-4000:]}\n---"

    def wait(self, pattern):
        """Until text matches the regular expression (pattern): the match."""
        compiled = re.compile(pattern, re.MULTILINE)
        found = None

        def done():
            nonlocal found
            found = compiled.search(self.text, self.seen)
            return found
        self._until(done, f'"{pattern}"')
        self.seen = found.end()
        return found

    def send(self, text):
        """Type (text). Nobody who listens lets it wait for long."""
        left = text.encode()
        while left:
            ready = select.select([], [self.writer], [], self.patience)[1]
            assert ready, f'it takes no "{text}"\n{self}'
            # As much as a pipe takes at once when it is ready.
            left = left[os.write(self.writer, left[:select.PIPE_BUF]):]

    def line(self, text):
        self.send(text + RETURN)

    def end(self):
        """Until the other side closes it."""
        self._until(lambda: self.ended, "its end")

    def follow(self, script):
        """Do what the lines of (script) say."""
        for line in script.splitlines():
            step, _, rest = line.strip().partition(" ")
            if step == "wait":
                self.wait(rest)
            elif step == "send":
                self.send(rest.encode().decode("unicode_escape"))
            elif step == "within":
                self.patience = float(rest)
            elif step == "end":
                self.end()
            elif step and not step.startswith("#"):
                raise ValueError(f"no such step: {line}")

    def _until(self, done, what):
        deadline = time.monotonic() + self.patience
        while not done():
            assert not self.ended, f"the console ended before {what}\n{self}"
            left = deadline - time.monotonic()
            assert left > 0, f"no {what} in {self.patience} s\n{self}"
            self._listen(left)

    def _listen(self, seconds):
        """Take what comes next, if something comes within (seconds)."""
        sources = [self.reader] + ([] if self.news is None else [self.news])
        ready = select.select(sources, [], [], seconds)[0]
        if ready == [self.news]:
            # What was said before may come after.
            ready = select.select([self.reader], [], [], LATE)[0]
            self.ended = not ready
        if self.reader not in ready:
            return
        try:
            data = os.read(self.reader, 65536)
        except OSError:  # how a terminal and a socket end
            data = b""
        self.ended = not data
        self._hear(data)

    def _hear(self, data):
        text = self._begun + self._decoder.decode(data)
        begun = _BEGUN.search(text)
        self._begun = begun.group() if begun else ""
        text = text[:len(text) - len(self._begun)]
        self.text += _CONTROL.sub("", text)


class Command(Console):
    """The console of a command that talks through its standard streams:
    paravane run, or QEMU with -serial stdio. `with` ends it."""

    def __init__(self, command, terminal=False, **popen):
        """(terminal): give it one, a raw one, in place of pipes."""
        if terminal:
            reader, stdin = pty.openpty()
            tty.setraw(stdin)
            writer, stdout = os.dup(reader), os.dup(stdin)
        else:
            stdin, writer = os.pipe()
            reader, stdout = os.pipe()
        super().__init__(reader, writer)
        self._errors = tempfile.TemporaryFile()
        self._report = None  # all of it, once its file is closed
        self.process = subprocess.Popen(command, stdin=stdin, stdout=stdout,
                                        stderr=self._errors, **popen)
        os.close(stdin)
        os.close(stdout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.hang_up()
        os.close(self.reader)
        self._report = self.report
        self._errors.close()

    def __repr__(self):
        return (f"status {self.process.poll()}\n{super().__repr__()}\n"
                f"--- report\n{self.report[-4000:]}---")

    def hang_up(self):
        """Type nothing more: with pipes, the end of its input."""
        if self.writer is not None:
            os.close(self.writer)
            self.writer = None

    def finish(self):
        """Listen to its end; returns the exit status."""
        self.end()
        return self.process.wait(self.patience)

    @property
    def report(self):
        """What it said to stderr so far."""
        if self._report is not None:
            return self._report
        return os.pread(self._errors.fileno(), 1 << 20, 0).decode(
            errors="replace")
