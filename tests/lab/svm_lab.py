"""A machine with AMD's SVM and nested paging, whatever the host's CPU: QEMU's
TCG with Debian's cloud kernel, kvm-amd and our binary. Neither root nor
/dev/kvm is needed. It takes about 6 s to boot; its time is its own, so how long
something takes there means nothing, how often a guest leaves its VM does.
"""
import os
import re
import select
import shlex
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
sys.path.insert(0, HERE)
import console  # noqa: E402
import debian  # noqa: E402
import guest  # noqa: E402
import initramfs  # noqa: E402
import kernel  # noqa: E402

QEMU = "qemu-system-x86_64"
# EPYC without what TCG does not have, or QEMU 7.2 has wrong: with SMAP, an
# IRETQ in ring 3 is taken for an access of the kernel's, which the process
# engine's guests do all the time; XSETBV of a guest is done without asking KVM,
# which takes it back at the next exit.
CPU = ("EPYC,-smap,-xsave,-xsaveopt,-xsavec,-xgetbv1,-avx,-avx2,-f16c,-fma,"
       "-rdseed,-sha-ni,-fxsr-opt,-misalignsse,-3dnowprefetch,-osvw,-topoext,"
       "-nrip-save")
# Time goes by instructions, 4 ns each, and by the host's clock while nothing
# is to do. Else, where others keep the host busy, Linux takes its TSC for one
# of another speed and every clock of a guest is wrong.
TIME = "shift=2"
MODULES = ("kvm-amd", "virtio_pci", "virtio_console")
PACKAGES = ("busybox-static",)
FILES = "/files"  # where commands run, and where their files are
BOOT_PATIENCE = 120  # seconds
KILLED = 128 + 9
DONE = re.compile(rb"done (\d+) (\d+) (\d+)\n")


def fetch():
    """What it takes, from Debian; {package: folder}, the kernel's as
    "linux"."""
    debian.need_program(QEMU, "qemu-system-x86")
    linux = debian.linux_image("cloud-amd64")
    trees = debian.fetch(linux, *PACKAGES)
    trees["linux"] = trees.pop(linux)
    kernel.elf(trees["linux"])
    return trees


class Lab:
    """The machine while it is on (a context manager). (files): {name: path of
    the host or bytes}; what has no leading slash goes to FILES. What is
    written there is gone with it, unless it is read back by a command."""

    def __init__(self, files=None, memory=1024, cpus=1):
        self.files = dict(files or {})
        self.memory, self.cpus = memory, cpus
        self.qemu = self.folder = self.control = self.terminal = None
        self.received = b""
        self.lost = False  # it does not answer

    def _initramfs(self, trees):
        contents = initramfs.Initramfs()
        contents.file("init", os.path.join(HERE, "svm-init"), 0o755)
        contents.file("bin/busybox",
                      debian.find([trees["busybox-static"]], "bin/busybox",
                                  "usr/bin/busybox"))
        contents.file("bin/paravane", guest.PARAVANE, 0o755)
        for path, file in initramfs.libraries([guest.PARAVANE], ["/"]).items():
            contents.file(path, file)
        order = []
        for file in kernel.modules(trees["linux"], *MODULES):
            order.append(f"/modules/{os.path.basename(file)}")
            contents.file(order[-1], file)
        contents.bytes("modules.order", "\n".join(order + [""]).encode())
        contents.folder(FILES)
        for name, source in self.files.items():
            path = os.path.join(FILES, name)
            if isinstance(source, bytes):
                contents.bytes(path, source, 0o755)
            else:
                contents.file(path, source, 0o755)
        return contents

    def __enter__(self):
        trees = fetch()
        with tempfile.TemporaryDirectory() as folder:
            self._start(trees, folder)
        return self

    def _start(self, trees, folder):
        initrd = os.path.join(folder, "initrd")
        self._initramfs(trees).write(initrd)
        self.log = tempfile.TemporaryFile()
        self.control, control = socket.socketpair()
        self.terminal, terminal = socket.socketpair()
        line = [QEMU, "-accel", "tcg", "-icount", TIME, "-cpu", CPU,
                "-m", str(self.memory), "-smp", str(self.cpus), "-nodefaults",
                "-display", "none", "-no-reboot", "-serial", "stdio",
                "-kernel", kernel.elf(trees["linux"]), "-initrd", initrd,
                "-append", "console=ttyS0 quiet panic=-1 mitigations=off",
                "-device", "virtio-serial"]
        for name, end in (("control", control), ("terminal", terminal)):
            line += ["-chardev", f"socket,id={name},fd={end.fileno()}",
                     "-device", f"virtserialport,chardev={name}"]
        self.qemu = subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            pass_fds=(control.fileno(), terminal.fileno()),
            preexec_fn=guest.end_with_parent)
        control.close()
        terminal.close()
        try:
            self._receive_line(re.compile(rb"ready\n"), BOOT_PATIENCE)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.qemu.kill()
        self.qemu.wait()
        for end in (self.control, self.terminal, self.log):
            end.close()

    def log_tail(self):
        """The last of what its kernel said, and QEMU."""
        self.log.seek(0)
        return self.log.read()[-4000:].decode(errors="replace")

    def _receive(self, seconds):
        self.control.settimeout(seconds)
        try:
            data = self.control.recv(65536)
        except TimeoutError:
            data = None
        except OSError:
            data = b""
        if not data:
            self.lost = True
            why = "ended" if data == b"" else f"says nothing for {seconds} s"
            raise AssertionError(f"the lab {why}:\n{self.log_tail()}")
        self.received += data

    def _receive_line(self, pattern, seconds):
        while not (found := pattern.match(self.received)):
            assert b"\n" not in self.received, self.received
            self._receive(seconds)
        self.received = self.received[found.end():]
        return found

    def _receive_bytes(self, size, seconds):
        while len(self.received) < size:
            self._receive(seconds)
        data, self.received = self.received[:size], self.received[size:]
        return data

    def _ask(self, command, seconds, terminal):
        if not isinstance(command, str):
            command = shlex.join(command)
        assert "\n" not in command, "a request is one line"
        self.control.sendall(f"{seconds} {terminal} {command}\n".encode())

    def _answer(self, seconds):
        patience = _patience(seconds)
        status, *sizes = map(int,
                             self._receive_line(DONE, patience).groups())
        out, err = [self._receive_bytes(size, patience) for size in sizes]
        result = guest.Result(status, out.decode(errors="replace"),
                              err.decode(errors="replace"))
        result.bytes = out
        return result

    def shell(self, command, seconds=60):
        """Run it (words, or a line for a shell) to its end. Its status is
        KILLED if it takes longer than (seconds)."""
        self._ask(command, seconds, "-")
        return self._answer(seconds)

    def run(self, *options, image, args=(), stdin="/dev/null", seconds=60):
        """guest.run() in there; (image), files in (options) and (stdin) are
        files there."""
        line = ["paravane", "run", *options, image]
        if args:
            line += ["--", *args]
        result = self.shell(f"{shlex.join(line)} <{shlex.quote(stdin)}",
                            seconds)
        assert result.status != KILLED, f"it hangs for {seconds} s: {result}"
        return result

    def interact(self, command, drive, seconds=120):
        """Run it with a terminal where (drive), given the console.Console,
        types. The result's console is what was there."""
        self._ask(command, seconds, "+")
        terminal = self.terminal.fileno()
        typist = console.Console(terminal, terminal, self.control.fileno())
        try:
            drive(typist)
            typist.patience = _patience(seconds)
            typist.end()
        except AssertionError as error:
            report = self._answer(0).report if typist.ended else ""
            raise AssertionError(f"{error}\n{report}") from None
        result = self._answer(seconds)
        result.console = typist.text
        return result

    def connect(self, command, keyboard, screen, seconds=120):
        """Run it with a terminal: what comes from the descriptor (keyboard) is
        typed there, what is written there goes to (screen)."""
        self._ask(command, seconds, "+")
        terminal, control = self.terminal.fileno(), self.control.fileno()
        sources = [terminal, control, keyboard]
        patience = _patience(seconds)
        while ready := select.select(sources, [], [], patience)[0]:
            if terminal in ready:
                write_all(screen, os.read(terminal, 65536))
            if keyboard in ready:
                typed = os.read(keyboard, 65536)
                write_all(terminal, typed)
                if not typed:
                    sources.remove(keyboard)
            if control in ready:
                # What was written before may come after.
                sources, patience = [terminal], console.LATE
        return self._answer(seconds)


def _patience(seconds):
    """The lab's clock may be slower than ours."""
    return 3 * seconds + 30


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]
