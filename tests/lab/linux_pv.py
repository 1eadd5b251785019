#!/usr/bin/env python3
"""Debian's kernel, as its package installs it: the bzImage is unpacked to what
the lab's own unpacking finds in it, and boots as a PV guest to a shell, where
somebody works with its devices and ends it."""
import contextlib
import hashlib
import http.server
import json
import os
import random
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import console  # noqa: E402
import debian  # noqa: E402
import expect  # noqa: E402
import guest  # noqa: E402
import kernel  # noqa: E402
import lan  # noqa: E402
import linux_guest  # noqa: E402
import tap  # noqa: E402

PATIENCE = 100  # seconds for a kernel that shares its CPU with other tests
MIB = 1 << 20
FOLDER = None  # of the files that all tests share


def tree():
    package = debian.linux_image("cloud-amd64")
    return debian.fetch(package)[package]


def its_bzimage_is_unpacked():
    path = kernel.bzimage(tree())
    done = subprocess.run([guest.PARAVANE, "inspect", "--json", path],
                          capture_output=True, timeout=60, check=True)
    found = json.loads(done.stdout)
    outer = found["unpacked"]
    with open(path, "rb") as file:
        assert outer["size"] == len(kernel.elf_of(file.read())), outer
    assert outer["container"] == "bzImage", outer
    assert outer["version"].startswith(kernel.release(tree()) + " "), outer
    assert found["abis"]["PV"]["offered"], found
    assert found["abis"]["PVH"]["offered"], found
    assert found["notes"]["MOD_START_PFN"] == 1, found
    assert found["notes"]["INIT_P2M"] == 0x8000000000, found


@contextlib.contextmanager
def linux(*options, args=(), **popen):
    """It, with its shell at the prompt."""
    guest.need_engine("kvm")
    vmlinuz, initrd = linux_guest.files()
    path = os.path.join(FOLDER, "initrd")
    if not os.path.exists(path):
        with open(path, "wb") as file:
            file.write(initrd)
    command = guest.command("--engine", "kvm", "--abi", "pv", "--memory",
                            "256M", "--initrd", path, *options, guest=vmlinuz,
                            args=["console=hvc0", *args])
    with console.Command(command, **popen) as process:
        process.patience = PATIENCE
        process.wait(linux_guest.PROMPT)
        yield process


def has_no_complaints(process):
    for complaint in ("WARNING", "BUG:", "Oops", "Call Trace",
                      "unpacking failed"):
        assert complaint not in process.text, (complaint, process)


def disk(name, contents):
    path = os.path.join(FOLDER, name)
    with open(path, "wb") as file:
        file.write(contents)
    return path


def checksum(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def reaches_a_shell_and_uses_its_disks():
    """It reads one, writes the other, and says what it wrote; the file says
    the same when it is off."""
    read = disk("read", random.Random(4).randbytes(4 * MIB))
    written = disk("written", bytes(4 * MIB))
    with linux("--disk", f"target={read},vdev=xvda,access=ro", "--disk",
               f"target={written},vdev=xvdb,access=rw") as process:
        assert "Hypervisor detected: Xen PV" in process.text, process
        assert "Command line: console=hvc0\n" in process.text, process
        process.line("sha256sum /dev/xvda")
        process.wait(f"^{checksum(read)}  /dev/xvda\n")
        process.line("head -c 3000000 /dev/urandom >/tmp.bin; dd if=/tmp.bin "
                     "of=/dev/xvdb bs=4096 seek=7 2>/dev/null; sync; "
                     "sha256sum /dev/xvdb")
        said = process.wait(r"^([0-9a-f]{64})  /dev/xvdb\n").group(1)
        process.line("poweroff -f")
        assert process.finish() == 0, process
        assert process.report == "", process
        has_no_complaints(process)
    assert checksum(written) == said != \
        hashlib.sha256(bytes(4 * MIB)).hexdigest(), said


def uses_two_vcpus():
    """Both work at once, and both hear of it."""
    read = disk("two", random.Random(5).randbytes(4 * MIB))
    with linux("--vcpus", "2", "--disk", f"target={read},vdev=xvda,access=ro",
               args=["quiet"]) as process:
        process.line("grep -c ^processor /proc/cpuinfo")
        process.wait("^2\n")
        process.line("for i in 1 2 3 4; do sha256sum /dev/xvda & done; wait")
        for _ in range(4):
            process.wait(f"^{checksum(read)}  /dev/xvda\n")
        process.line("taskset 1 true && taskset 2 true && echo on both")
        process.wait("^on both\n")
        process.line("grep -c 'timer[01]$' /proc/interrupts; "
                     "grep ' 0 .*timer[01]$' /proc/interrupts | wc -l")
        process.wait("^2\n")
        process.line("poweroff -f")
        assert process.finish() == 0, process
        has_no_complaints(process)


KIB = "cat /sys/devices/system/xen_memory/xen_memory0/info/current_kb"


def fifo():
    return os.path.join(FOLDER, "control")


def say(words):
    with open(fifo(), "w", encoding="ascii") as file:
        file.write(words + "\n")


def gives_memory_and_reboots_when_told():
    """By words on the control FIFO, and by its own reboot."""
    with linux("--control", fifo(), "--on-reboot", "restart",
               args=["quiet"]) as process:
        for target in (200, 256):
            say(f"mem-set {target}M")
            process.line(f"until [ $({KIB}) = {target << 10} ]; do sleep 0.1; "
                         f"done; echo has {target}")
            process.wait(f"^has {target}\n")
        process.line("touch /here; reboot -f")
        process.wait("reboot: Restarting system")
        process.wait(linux_guest.PROMPT)
        process.line("ls /here || echo born again")
        process.wait("^born again\n")
        say("sysrq h")
        process.wait("sysrq: HELP")
        process.line("poweroff -f")
        assert process.finish() == 0, process
        has_no_complaints(process)


def lets_go_of_devices_when_told():
    read = disk("gone", bytes(MIB))
    with linux("--control", fifo(), "--disk",
               f"target={read},vdev=xvda,access=ro", "--disk",
               f"target={read},vdev=xvdb,access=ro", args=["quiet"]) as process:
        process.line("ls /dev/xvda /dev/xvdb && echo both")
        process.wait("^both\n")
        say("block-detach xvda")
        process.line("while [ -e /dev/xvda ]; do sleep 0.1; done; echo one")
        process.wait("^one\n")
        process.line("sha256sum /dev/xvdb")
        process.wait(f"^{checksum(read)}  /dev/xvdb\n")
        say("block-detach xvdz")
        process.line("poweroff -f")
        assert process.finish() == 0, process
        assert "no disk 'xvdz'" in process.report, process
        has_no_complaints(process)


def reaches_the_host_by_eth0():
    """With an address from passt, which leads to the host's own services."""
    lan.need_passt()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Greeter) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with linux("--net", "user", args=["quiet"]) as process:
            process.line("ip link set eth0 up; udhcpc -q -n -i eth0 -s /dhcp")
            process.wait("lease of [0-9.]+ obtained")
            process.line("wget -q -O - "
                         f"http://$(cat /router):{server.server_port}/")
            process.wait("^well come\n")
            process.line("poweroff -f")
            assert process.finish() == 0, process
            has_no_complaints(process)
        server.shutdown()


class Greeter(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"well come\n")

    def log_message(self, *_):
        pass


POINTS = [
    (its_bzimage_is_unpacked, ""),
    (reaches_a_shell_and_uses_its_disks, "kvm"),
    (uses_two_vcpus, "kvm"),
    (gives_memory_and_reboots_when_told, "kvm"),
    (lets_go_of_devices_when_told, "kvm"),
    (reaches_the_host_by_eth0, "kvm"),
]


def points():
    for test, place in POINTS:
        if place:
            claim = test.__name__.replace("_", " ")
            test.__name__ = expect.point("linux", "pv", place, claim)
        yield test


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as FOLDER:
        sys.exit(tap.main(list(points())))
