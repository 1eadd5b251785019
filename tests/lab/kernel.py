"""What the labs take out of a Debian kernel package: the kernel as a plain
ELF, and modules in the order to load them."""
import gzip
import lzma
import os
import re
import struct
import subprocess

import debian

LIBRARY_FOLDERS = ("lib/modules", "usr/lib/modules")


def release(tree):
    """What uname -r says: 6.1.0-N-cloud-amd64."""
    name, = os.listdir(debian.find([tree], *LIBRARY_FOLDERS))
    return name


def bzimage(tree):
    return debian.find([tree], f"boot/vmlinuz-{release(tree)}")


def elf_of(image):
    """The bytes of the ELF within a bzImage's (image) bytes."""
    # Documentation/arch/x86/boot.rst: setup_sects, payload_offset and _length.
    setup_sectors = image[0x1f1]
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    payload = image[start:start + length]
    if payload.startswith(b"\xfd7zXZ\0"):
        # The size of the whole follows, which is not part of the stream.
        return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(payload)
    if payload.startswith(b"\x1f\x8b"):
        return gzip.decompress(payload[:-4])
    if payload.startswith(b"\x02\x21\x4c\x18"):
        debian.need_program("lz4", "lz4")
        return subprocess.run(["lz4", "-dc"], input=payload[:-4], check=True,
                              capture_output=True).stdout
    raise ValueError(f"a payload that begins with {payload[:4].hex()}")


def elf(tree):
    """The path of the kernel as an ELF: booted without unpacking itself, which
    takes seconds where the CPU is emulated."""
    def make(path):
        with open(bzimage(tree), "rb") as packed, open(path, "wb") as plain:
            plain.write(elf_of(packed.read()))
    return debian.made_once(f"vmlinux-{os.path.basename(tree)}", make)


def modules(tree, *names):
    """The files of the modules (names) and of all that they need, in the order
    to load them; those built into the kernel left out."""
    top = os.path.join(debian.find([tree], *LIBRARY_FOLDERS), release(tree))
    files = {}
    for folder, _, found in os.walk(top):
        for name in found:
            if name.endswith(".ko"):
                files[_plain(name)] = os.path.join(folder, name)
    with open(os.path.join(top, "modules.builtin"), encoding="ascii") as list_:
        built_in = {_plain(os.path.basename(line.strip())) for line in list_}
    order = []

    def add(name):
        if name in built_in:
            return
        if name not in files:
            raise FileNotFoundError(f"no module {name} in {top}")
        for needed in _depends(files[name]):
            add(_plain(needed))
        if files[name] not in order:
            order.append(files[name])
    for name in names:
        add(_plain(name))
    return order


def _plain(name):
    """Files may have dashes where modules have underscores."""
    return name.removesuffix(".ko").replace("-", "_")


def _depends(path):
    with open(path, "rb") as file:
        found = re.search(rb"\0depends=([^\0]*)\0", file.read())
    return [name for name in found.group(1).decode().split(",") if name]
