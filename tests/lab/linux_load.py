#!/usr/bin/env python3
"""Debian's kernel as a PV guest under its own load: processes, pipes, archives,
a disk read and a disk written, all at once on two vCPUs, and stress-ng. Twenty
seconds as a test; by hand, linux_load.py SECONDS."""
import hashlib
import os
import random
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
import console  # noqa: E402
import debian  # noqa: E402
import expect  # noqa: E402
import guest  # noqa: E402
import initramfs  # noqa: E402
import linux_guest  # noqa: E402
import tap  # noqa: E402

SECONDS = 20
LONG = 60  # from here on stress-ng is worth its download
PATIENCE = 150  # seconds beside the load itself
MIB = 1 << 20
KINDS = ("processes", "reading", "writing", "archives")
COMPLAINTS = ("FAIL", "WARNING", "BUG:", "Oops", "Call Trace",
              "detected stall", "blocked for more")
# stress-ng and all that it is linked with.
STRESS = """stress-ng libapparmor1 libbsd0 libc6 libcrypt1 libdrm2 libegl1
libexpat1 libffi8 libgbm1 libgcc-s1 libgles2 libglvnd0 libipsec-mb1
libjpeg62-turbo libjudydebian1 libkmod2 liblzma5 libmd0 libsctp1 libssl3
libwayland-server0 libx11-6 libxau6 libxcb1 libxcb-randr0 libxdmcp6 libxxhash0
libzstd1 zlib1g""".split()


def stress_ng(contents):
    """It, with its libraries, if it is to be had."""
    try:
        trees = debian.fetch(*STRESS)
    except tap.Skip as skip:
        print(f"# without stress-ng: {skip}")
        return
    program = debian.find([trees["stress-ng"]], "usr/bin/stress-ng")
    contents.file("usr/bin/stress-ng", program, 0o755)
    found = initramfs.libraries([program], list(trees.values()))
    for path, file in found.items():
        contents.file(path, file)
    contents.link("lib64", "lib/x86_64-linux-gnu")


def survives(seconds):
    def more(contents):
        contents.file("load", os.path.join(HERE, "linux-load.sh"), 0o755)
        if seconds >= LONG:
            stress_ng(contents)
    guest.need_engine("kvm")
    vmlinuz, initrd = linux_guest.files(more)
    image = random.Random(6).randbytes(8 * MIB)
    with tempfile.TemporaryDirectory() as folder:
        options = []
        for vdev, access, content in (("xvda", "ro", image),
                                      ("xvdb", "rw", bytes(4 * MIB))):
            path = os.path.join(folder, vdev)
            with open(path, "wb") as file:
                file.write(content)
            options += ["--disk", f"target={path},vdev={vdev},access={access}"]
        path = os.path.join(folder, "initrd")
        with open(path, "wb") as file:
            file.write(initrd)
        command = guest.command("-v", "--engine", "kvm", "--abi", "pv",
                                "--memory", "512M", "--vcpus", "2",
                                "--initrd", path, *options, guest=vmlinuz,
                                args=["console=hvc0", "quiet"])
        with console.Command(command) as process:
            process.patience = seconds + PATIENCE
            process.wait(linux_guest.PROMPT)
            process.line(f"/load {seconds} {hashlib.sha256(image).hexdigest()}")
            process.wait("^load: over\n")
            process.line("dmesg; poweroff -f")
            assert process.finish() == 0, process
    for kind in KINDS:
        rounds = re.search(rf"^{kind}: (\d+) rounds", process.text, re.M)
        assert rounds and int(rounds.group(1)) > 0, (kind, process)
        print(f"# {rounds.group()}")
    for line in re.findall("left the VM.*", process.report):
        print(f"# a vCPU {line}")
    for complaint in COMPLAINTS:
        assert complaint not in process.text, (complaint, process)


def main():
    seconds = int(sys.argv.pop(1)) if len(sys.argv) > 1 else SECONDS

    def test():
        survives(seconds)
    test.__name__ = expect.point("linux", "pv", "kvm",
                                 f"survives {seconds} seconds of its own load")
    return tap.main([test], seconds + 2 * PATIENCE)


if __name__ == "__main__":
    sys.exit(main())
