"""Real Xen with a dom0 that runs guests under xl, made of Debian packages."""
import gzip
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
APPLETS = ("cat", "dmesg", "grep", "insmod", "ip", "kill", "ln", "losetup",
           "md5sum", "mkdir", "mount", "nc", "ping", "poweroff", "printf", "sh",
           "sleep", "stat", "stty", "tail", "timeout", "umount")
# In this order. ext4 finds its checksum by name only.
MODULES = ("xen-evtchn", "xen-gntdev", "xen-gntalloc", "xen-privcmd", "xenfs",
           "xen-blkback", "xen-netback", "loop", "virtio_pci", "virtio_blk", "crc32c_generic",
           "ext4")
# By itself netback has as many queues as dom0 has vCPUs.
OPTIONS = {"xen-netback": "max_queues=4"}
XL_CONF = 'autoballoon="off"\nlockfile="/run/lock/xl"\n'


class Lab:
    """What QEMU boots: the files (xen) and (kernel), of the cache, and dom0's
    file system, made for each run."""

    def __init__(self):
        linux = debian.linux_image("amd64")
        trees = debian.fetch(XEN_PACKAGE, *TOOLS, *LIBRARIES, linux)
        self.xen = _xen(trees[XEN_PACKAGE])
        self.kernel = kernel.elf(trees[linux])
        self._linux, self._trees = trees[linux], list(trees.values())

    def write_initramfs(self, path):
        made = initramfs.Initramfs()
        self._put_programs(made)
        self._put_modules(made)
        for folder in ("proc", "sys", "dev", "run", "tmp", "guests",
                       "var/lib/xen", "var/log/xen/console"):
            made.folder(folder)
        made.link("var/run", "/run")
        made.link("var/lock", "/run/lock")
        made.bytes("etc/xen/xl.conf", XL_CONF.encode())
        made.file("etc/xen/scripts/block", f"{HERE}/xen-domu.block", 0o755)
        made.file("etc/xen/scripts/vif", f"{HERE}/xen-domu.vif", 0o755)
        made.file("init", f"{HERE}/xen-domu.init", 0o755)
        made.write(path)

    def _put_programs(self, made):
        programs = {name: debian.find(self._trees, name) for name in PROGRAMS}
        for name, source in programs.items():
            made.file(name, source)
            made.link(f"bin/{os.path.basename(name)}", f"/{name}")
        later = debian.find(self._trees, LOADED_LATER)
        made.file(LOADED_LATER, later)
        for name, source in initramfs.libraries(
                [*programs.values(), later], self._trees).items():
            made.file(name, source)
        made.file("bin/busybox", debian.find(self._trees, "bin/busybox"))
        for applet in APPLETS:
            made.link(f"bin/{applet}", "busybox")

    def _put_modules(self, made):
        modules = kernel.modules(self._linux, *MODULES)
        for module in modules:
            made.file(f"modules/{os.path.basename(module)}", module)
        made.bytes("modules/order", "".join(
            self._order_line(os.path.basename(module))
            for module in modules).encode())

    @staticmethod
    def _order_line(name):
        return f"{name} {OPTIONS.get(name.split('.')[0], '')}\n"


def _xen(tree):
    """The hypervisor as the plain ELF that QEMU's multiboot loader wants."""
    def make(path):
        with gzip.open(f"{tree}/boot/xen-{XEN}-amd64.gz") as packed, \
                open(path, "wb") as plain:
            plain.write(packed.read())
    return debian.made_once(f"{os.path.basename(tree)}.elf", make)
