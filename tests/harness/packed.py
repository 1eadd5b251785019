"""Pack kernels the way Linux's build does: as a bzImage, in every format."""
import bz2
import gzip
import lzma
import shutil
import struct
import subprocess
import tempfile

import tap

TRAILER_SIZE = 4
SETUP_SECTS = 3
PAYLOAD = (SETUP_SECTS + 1) * 512
PAYLOAD_OFFSET = 0x40  # behind the code that would unpack it

# Where a field of the boot header lies, and how it is packed.
HEADER = {"setup_sects": (0x1f1, "<B"), "boot_flag": (0x1fe, "<H"),
          "magic": (0x202, "<I"), "protocol": (0x206, "<H"),
          "kernel_version": (0x20e, "<H"), "payload_offset": (0x248, "<I"),
          "payload_length": (0x24c, "<I")}
VERSION = b"1.2.3-test (builder@host) #1"


def tool(*command):
    """A format that only a program can make."""
    def pack(content):
        if not shutil.which(command[0]):
            raise tap.Skip(f"no program {command[0]} here")
        return subprocess.run(command, input=content, capture_output=True,
                              check=True).stdout
    return pack


FORMATS = {
    "gzip": lambda content: gzip.compress(content, mtime=0),
    "xz": lzma.compress,
    "lzma": lambda content: lzma.compress(content, lzma.FORMAT_ALONE),
    "lz4": tool("lz4", "-l", "-9", "-c"),
    "zstd": tool("zstd", "-19", "-c"),
    "bzip2": bz2.compress,
    "lzo": tool("lzop", "-9", "-c"),
}


def linux_xz(content):
    """As Linux's build has it: a filter for x86 code, another checksum."""
    filters = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2}]
    return lzma.compress(content, check=lzma.CHECK_CRC32, filters=filters)


def stream(how, content):
    """What (how) makes of (content), with the size that follows it."""
    packed = FORMATS[how](content)
    if how == "gzip":  # which ends in it anyway
        return packed
    return packed + struct.pack("<I", len(content))


class File:
    """Bytes, and a file of them while it is open."""

    def __init__(self, content):
        self.bytes = bytearray(content)
        self.file = None

    def __enter__(self):
        self.file = tempfile.NamedTemporaryFile(suffix=".vmlinuz")
        self.file.write(self.bytes)
        self.file.flush()
        return self.file.name

    def __exit__(self, *_):
        self.file.close()


class BzImage(File):
    """A bzImage around (payload), whose header tests may bend."""

    def __init__(self, payload):
        super().__init__(bytes(PAYLOAD + PAYLOAD_OFFSET) + payload)
        self.bytes[0x300:0x300 + len(VERSION)] = VERSION
        self.set(setup_sects=SETUP_SECTS, boot_flag=0xaa55, magic=0x53726448,
                 protocol=0x20f, kernel_version=0x300 - 0x200,
                 payload_offset=PAYLOAD_OFFSET, payload_length=len(payload))

    def set(self, **fields):
        for name, value in fields.items():
            at, kind = HEADER[name]
            struct.pack_into(kind, self.bytes, at, value)
        return self

    def cut(self, size):
        del self.bytes[size:]
        return self


def bzimage(how, content):
    return BzImage(stream(how, content))
