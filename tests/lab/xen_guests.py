"""Guests on real Xen, as domU under xl in one emulated machine."""
import os
import shutil
import subprocess
import sys
import tempfile
import threading

import debian

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
from guest import end_with_parent  # noqa: E402

PATIENCE = 120   # seconds for one guest, unless it asks for more
BOOT_PATIENCE = 120
POWEROFF, REBOOT, SUSPEND = "0", "1", "2"  # xen/sched.h
FAILED, CRASHED, TIMED_OUT = 1, 125, 124
CPU = "qemu64,+svm,+npt,+rdrand"
# Beside a guest with two busy vCPUs the default, credit2, at times leaves dom0
# in its queue, with the least credit there is, while both CPUs idle: for ever.
SCHEDULER = "credit"
KEEP = "".join(f'on_{end}="preserve"\n' for end in
               ("poweroff", "reboot", "crash", "watchdog", "soft_reset"))


# More than the 2-level ABI has; xl gives 1023 unless told.
EVENT_CHANNELS = 8191


class Guest:
    """What to run: (disks) are cases.Disk, (keys) are typed at its console.
    Once it says the words (ask), dom0 runs (visit), a shell script, if there is
    one, and asks it to power off. With (vif) it has a network device, whose
    other end is dom0's 10.77.0.1/24. Then what came of it: status as
    paravane's, console, report (what the toolstack and Xen said of trouble),
    store (its part of xenstore for its devices), visited (what (visit) said).
    """

    def __init__(self, image, abi, args=(), disks=(), keys="", memory=64,
                 patience=PATIENCE, ask="", initrd=b"", vif=False, visit="",
                 vcpus=1):
        self.image, self.abi, self.args = image, abi, args
        self.disks, self.keys, self.memory = disks, keys, memory
        self.patience, self.ask, self.initrd = patience, ask, initrd
        self.vif, self.visit, self.vcpus = vif, visit, vcpus
        self.status = None
        self.console = ""
        self.visited = ""
        self.report = ""
        self.store = ""

    def __repr__(self):
        return (f"status {self.status}\n--- console\n{self.console}"
                f"--- visit\n{self.visited}--- report\n{self.report}---")

    def _config(self, number):
        at = f"/guests/{number}"
        disks = ", ".join(
            f'"format=raw,vdev={disk.vdev},access={disk.access},script=block,'
            f'target={at}/{disk.vdev}"' for disk in self.disks)
        vifs = '"script=vif"' if self.vif else ""
        ramdisk = f'ramdisk="{at}/initrd"\n' if self.initrd else ""
        return (f'name="guest{number}"\ntype="{self.abi}"\n'
                f'memory={self.memory}\nvcpus={self.vcpus}\n'
                f'max_event_channels={EVENT_CHANNELS}\n'
                f'kernel="{at}/image"\n{ramdisk}'
                f'extra={_quoted(" ".join(self.args))}\ndisk=[{disks}]\n'
                f'vif=[{vifs}]\n{KEEP}')

    def lay_out(self, number, folder):
        """Its files, for the data disk."""
        os.makedirs(folder)
        _link(self.image, f"{folder}/image")
        for name, content in (("initrd", self.initrd),
                              *((disk.vdev, disk.content)
                                for disk in self.disks)):
            if content:
                with open(f"{folder}/{name}", "wb") as file:
                    file.write(content)
        for name, content in (("config", self._config(number)),
                              ("limit", f"{self.patience}\n"),
                              ("keys", self.keys),
                              ("ask", f"{self.ask}\n" if self.ask else ""),
                              ("visit", self.visit)):
            if content:
                with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
                    file.write(content)

    def ended(self, reason, status):
        """As xen-domu.init tells it."""
        if reason in (POWEROFF, REBOOT):
            self.status = int(status) if status != "-" else 0
        else:
            self.status = {"none": FAILED, "time": TIMED_OUT,
                           SUSPEND: FAILED}.get(reason, CRASHED)


def _quoted(text):
    """As a string of xl's configuration files, which know one escape less than
    both kinds of quotes."""
    mark = "'" if '"' in text else '"'
    if mark in text or "\n" in text:
        raise ValueError(f"xl cannot be told the argument {text}")
    return mark + text + mark


def _link(source, target):
    """Files of the cache or a build lie often on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _program(name, package):
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if not path:
        debian.need_program(name, package)
    return path


class Machine:
    """One boot with (guests). As a context it ends QEMU and removes its files;
    take() waits for the guests' ends, in order."""

    def __init__(self, lab, guests):
        self._guests = guests
        self._debugfs = _program("debugfs", "e2fsprogs")
        debian.need_program("qemu-system-x86_64", "qemu-system-x86")
        self._folder = tempfile.TemporaryDirectory()
        self._lab = lab
        self._disk = f"{self._folder.name}/guests.img"
        self._initramfs = f"{self._folder.name}/dom0.cpio"
        self._serial = f"{self._folder.name}/serial"
        self._qemu = self._watchdog = None

    def __enter__(self):
        self._make_disk()
        self._lab.write_initramfs(self._initramfs)
        self._start()
        return self

    def __exit__(self, *_):
        self._watchdog.cancel()
        self._qemu.kill()
        self._qemu.wait()
        self._qemu.stdout.close()
        self._folder.cleanup()

    def _make_disk(self):
        tree = f"{self._folder.name}/tree"
        for number, guest in enumerate(self._guests, 1):
            guest.lay_out(number, f"{tree}/{number}")
        size = sum(os.path.getsize(os.path.join(folder, name))
                   for folder, _, names in os.walk(tree) for name in names)
        subprocess.run(
            [_program("mke2fs", "e2fsprogs"), "-q", "-t", "ext4", "-O",
             "^has_journal", "-d", tree, self._disk,
             f"{64 + (size >> 20) * 5 // 4}M"], check=True, capture_output=True)
        shutil.rmtree(tree)

    def _start(self):
        seconds = BOOT_PATIENCE + sum(guest.patience + 5
                                      for guest in self._guests)
        self._qemu = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg", "-cpu", CPU,
             "-smp", "2", "-m", "1536", "-net", "none", "-display", "none",
             "-monitor", "none", "-no-reboot",
             "-serial", f"file:{self._serial}", "-serial", "stdio",
             "-drive", f"file={self._disk},format=raw,if=virtio",
             "-kernel", self._lab.xen,
             "-append", "console=com1 com1=115200 noreboot=1 guest_loglvl=all "
             f"dom0_mem=512M,max:512M dom0_max_vcpus=1 sched={SCHEDULER}",
             "-initrd", f"{self._lab.kernel} console=hvc0 quiet loglevel=4 "
             f"panic=5,{self._initramfs}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, preexec_fn=end_with_parent)
        # All of it ends, whatever becomes of dom0.
        self._watchdog = threading.Timer(seconds, self._qemu.kill)
        self._watchdog.start()

    def _xen_said(self, since=0):
        with open(self._serial, encoding="utf-8", errors="replace") as serial:
            serial.seek(since)
            return serial.read()

    def take(self):
        """Each guest when it has ended."""
        guest, since = None, 0
        for line in self._qemu.stdout:
            line = line.decode(errors="replace").rstrip("\r\n")
            word, _, rest = line.partition(" ")
            if os.environ.get("LAB_VERBOSE"):
                print(line, file=sys.stderr)
            if word == "begin":
                guest = self._guests[int(rest) - 1]
                since = os.path.getsize(self._serial)
            elif word == "|" and guest:
                guest.console += rest.removesuffix("\r") + "\n"
            elif word == "%" and guest:
                guest.store += rest + "\n"
            elif word == ">" and guest:
                guest.visited += rest + "\n"
            elif word == "&" and guest:
                guest.report += rest + "\n"
            elif word == "end" and guest:
                _, reason, status = rest.split(" ", 2)
                guest.ended(reason, status)
                if guest.status:
                    guest.report += self._xen_said(since)
                yield guest
                guest = None
            elif word in ("done", "lost"):
                self._qemu.wait()
                if word == "lost":
                    raise AssertionError(f"dom0 gave up: {rest}\n"
                                         f"{self._xen_said()}")
                return
        raise AssertionError("the machine ended before its guests\n" +
                             self._xen_said())

    def disk(self, guest, vdev):
        """The bytes of a guest's disk; only when take() has come to its end
        are they what the guests left there."""
        number = self._guests.index(guest) + 1
        copy = f"{self._folder.name}/dump"
        subprocess.run([self._debugfs, "-R", f"dump /{number}/{vdev} {copy}",
                        self._disk], check=True, capture_output=True)
        with open(copy, "rb") as file:
            return file.read()
