"""Debian's stock kernel as a PV guest of kvm, measured: exits for what a kernel
does, how long it takes to its first program, and the same kernel on what else
there is: a machine that QEMU emulates, and one that QEMU makes with KVM."""
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", part) for part in ("lab", "harness")]
import linux_guest  # noqa: E402
import tap  # noqa: E402

MEMORY = 256  # MiB
PATIENCE = 60  # seconds for one to get to its first program
FORKS = 100


class Linux:
    """Its files, in a folder of their own; for a with statement."""

    def __enter__(self):
        def add_init(contents):
            contents.file("init", os.path.join(HERE, "linux-init"), 0o755)
        self._folder = tempfile.TemporaryDirectory()
        self.vmlinuz, initrd = linux_guest.files(add_init)
        self.initrd = os.path.join(self._folder.name, "initrd")
        with open(self.initrd, "wb") as file:
            file.write(initrd)
        return self

    def __exit__(self, *_):
        self._folder.cleanup()

    def as_pv(self, *words):
        """The arguments of paravane run."""
        return ["--memory", f"{MEMORY}M", "--initrd", self.initrd,
                self.vmlinuz, "--", "console=hvc0", "quiet", *words]

    def as_pc(self, accelerator, *words):
        return ["qemu-system-x86_64", "-accel", accelerator, "-m", str(MEMORY),
                "-nodefaults", "-display", "none", "-serial", "stdio",
                "-no-reboot", "-kernel", self.vmlinuz, "-initrd", self.initrd,
                "-append", " ".join(["console=ttyS0", "quiet", *words])]


def marks(command):
    """Seconds to each mark that was said in time."""
    begin, found = time.monotonic(), []
    with subprocess.Popen(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        os.set_blocking(process.stdout.fileno(), False)
        said = b""
        while len(found) < 2 and time.monotonic() - begin < PATIENCE:
            said += process.stdout.read() or b""
            while len(re.findall(b"mark (?:begin|end)", said)) > len(found):
                found.append(time.monotonic() - begin)
            if process.poll() is not None:
                break
            time.sleep(0.002)
        with contextlib.suppress(OSError):
            process.kill()
    return found


def exits_rows(linux, exits, row):
    base = exits(*linux.as_pv())
    pairs, forks = 20000, FORKS
    each = (exits(*linux.as_pv(f"pairs={pairs}")) - base) / (2 * pairs)
    row("kvm, Linux: a system call", "out and back", each, 2, "exits", 2.5,
        round(each, 2), "smaller")
    each = (exits(*linux.as_pv(f"forks={forks}")) - base) / forks
    row("kvm, Linux: fork, exec, exit, wait", "a first attempt's", each, 1000,
        "exits", 1, each / 1000, "smaller")


def time_rows(linux, paravane, row):
    words = f"forks={FORKS}"
    ours = marks([paravane, "run", "--engine", "kvm", "--abi", "pv",
                  *linux.as_pv(words)])
    for name, accelerator in (("QEMU TCG", "tcg"), ("QEMU/KVM", "kvm")):
        theirs = marks(linux.as_pc(accelerator, words))
        if len(theirs) < 2:
            print(f"Linux as HVM in {name}: "
                  f"{'too slow' if theirs else 'no first program'} in "
                  f"{PATIENCE} s", flush=True)
            continue
        row("kvm, Linux to its first program", name, ours[0], theirs[0], "s",
            1, ours[0] / theirs[0], "smaller")
        each = [(begin_end[1] - begin_end[0]) / FORKS * 1000
                for begin_end in (ours, theirs)]
        row("kvm, Linux: fork, exec, exit, wait", name, *each, "ms", 1,
            each[0] / each[1], "smaller")
    row("kvm, Linux to its first program", "a first attempt", ours[0], 8.4,
        "s", 0.5, ours[0] / 8.4, "smaller")
    each = (ours[1] - ours[0]) / FORKS * 1000
    row("kvm, Linux: fork, exec, exit, wait", "a first attempt", each, 77,
        "ms", 0.2, each / 77, "smaller")


def measure(paravane, exits, row):
    """All rows, or a sentence why there are none."""
    try:
        with Linux() as linux:
            exits_rows(linux, exits, row)
            time_rows(linux, paravane, row)
    except tap.Skip as skip:
        print(f"no rows for Linux: {skip}", flush=True)
