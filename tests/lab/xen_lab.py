"""Real Xen with a dom0 that runs guests under xl, made of Debian packages.

All of it is made once and kept in the cache, each part named for the versions
that it was made of.
"""
import gzip
import hashlib
import os

import debian
import initramfs
import kernel

HERE = os.path.dirname(os.path.abspath(__file__))
XEN = "4.17"
XEN_PACKAGE = f"xen-hypervisor-{XEN}-amd64"
TOOLS = (f"xen-utils-{XEN}", "xenstore-utils", "busybox-static")
LIBRARIES = (
    f"libxenmisc{XEN}", "libxencall1", "libxendevicemodel1", "libxenevtchn1",
    "libxenforeignmemory1", "libxengnttab1", "libxenhypfs1", "libxenstore4",
    "libxentoolcore1", "libxentoollog1", "libyajl2", "libuuid1", "liblzma5",
    "libzstd1", "zlib1g", "libtinfo6", "libc6", "libgcc-s1")

# Programs by where dom0 has them; the folder is compiled into some.
XEN_BIN = f"usr/lib/xen-{XEN}/bin"
PROGRAMS = [f"{XEN_BIN}/{name}" for name in
            ("xl", "xenstored", "xenconsoled", "xen-init-dom0",
             "libxl-save-helper")] + [
    f"usr/bin/{name}" for name in
    ("xenstore-list", "xenstore-ls", "xenstore-read", "xenstore-write")]
# Nothing names it as needed; threads that are cancelled load it.
LOADED_LATER = "lib/x86_64-linux-gnu/libgcc_s.so.1"
APPLETS = ("cat", "dmesg", "insmod", "kill", "ln", "losetup", "mkdir", "mount",
           "poweroff", "printf", "sh", "sleep", "stat", "stty", "timeout",
           "umount")
# In this order. ext4 finds its checksum by name only.
MODULES = ("xen-evtchn", "xen-gntdev", "xen-gntalloc", "xen-privcmd", "xenfs",
           "xen-blkback", "loop", "virtio_pci", "virtio_blk", "crc32c_generic",
           "ext4")
XL_CONF = 'autoballoon="off"\nlockfile="/run/lock/xl"\n'


class Lab:
    """Paths of what QEMU boots: (xen), (kernel), (initramfs)."""

    def __init__(self):
        kernel_package = debian.linux_image("amd64")
        trees = debian.fetch(XEN_PACKAGE, *TOOLS, *LIBRARIES, kernel_package)
        self.xen = _xen(trees[XEN_PACKAGE])
        self.kernel = kernel.elf(trees[kernel_package])
        self.initramfs = _initramfs(trees, trees[kernel_package])


def _xen(tree):
    """The hypervisor as the plain ELF that QEMU's multiboot loader wants."""
    def make(path):
        with gzip.open(f"{tree}/boot/xen-{XEN}-amd64.gz") as packed, \
                open(path, "wb") as plain:
            plain.write(packed.read())
    return debian.made_once(f"{os.path.basename(tree)}.elf", make)


def _initramfs(trees, kernel_tree):
    scripts = {}
    for name in ("init", "block"):
        with open(f"{HERE}/xen-domu.{name}", "rb") as file:
            scripts[name] = file.read()
    with open(__file__, "rb") as file:
        recipe = file.read()

    def make(path):
        made = initramfs.Initramfs()
        folders = list(trees.values())
        programs = {name: debian.find(folders, name) for name in PROGRAMS}
        for name, source in programs.items():
            made.file(name, source)
            made.link(f"bin/{os.path.basename(name)}", f"/{name}")
        later = debian.find(folders, LOADED_LATER)
        made.file(LOADED_LATER, later)
        for name, source in initramfs.libraries(
                [*programs.values(), later], folders).items():
            made.file(name, source)
        made.file("bin/busybox", debian.find(folders, "bin/busybox"))
        for applet in APPLETS:
            made.link(f"bin/{applet}", "busybox")
        modules = kernel.modules(kernel_tree, *MODULES)
        for module in modules:
            made.file(f"modules/{os.path.basename(module)}", module)
        made.bytes("modules/order", "".join(
            os.path.basename(module) + "\n" for module in modules).encode())
        for folder in ("proc", "sys", "dev", "run", "tmp", "guests",
                       "var/lib/xen", "var/log/xen/console"):
            made.folder(folder)
        made.link("var/run", "/run")
        made.link("var/lock", "/run/lock")
        made.bytes("etc/xen/xl.conf", XL_CONF.encode())
        made.bytes("etc/xen/scripts/block", scripts["block"], 0o755)
        made.bytes("init", scripts["init"], 0o755)
        made.write(path)
    parts = [*sorted(os.path.basename(tree) for tree in trees.values()),
             *scripts.values(), recipe]
    key = hashlib.sha256(b"\0".join(
        part if isinstance(part, bytes) else part.encode() for part in parts))
    return debian.made_once(f"xen-domu-{key.hexdigest()[:16]}.cpio", make)
