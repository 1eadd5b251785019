"""Take a good image, change some of its numbers, and write it elsewhere."""
import os
import struct
import tempfile

HEADER_SIZE = 64
SEGMENT_SIZE = 56
PT_NOTE = 4

# Where a field lies in its header, and how it is packed.
HEADER = {"class": (4, "<B"), "data": (5, "<B"), "version": (6, "<B"),
          "type": (16, "<H"), "machine": (18, "<H"), "entry": (24, "<Q"),
          "phoff": (32, "<Q"), "shoff": (40, "<Q"), "phentsize": (54, "<H"),
          "phnum": (56, "<H"), "shentsize": (58, "<H"), "shnum": (60, "<H"),
          "shstrndx": (62, "<H")}
SEGMENT = {"type": (0, "<I"), "flags": (4, "<I"), "offset": (8, "<Q"),
           "vaddr": (16, "<Q"), "paddr": (24, "<Q"), "filesz": (32, "<Q"),
           "memsz": (40, "<Q")}


class Image:
    """The bytes of an image, and a file of them while it is open."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = bytearray(file.read())
        self.path = None

    def __enter__(self):
        fd, self.path = tempfile.mkstemp(suffix=".elf")
        with os.fdopen(fd, "wb") as file:
            file.write(self.bytes)
        return self.path

    def __exit__(self, *_):
        os.remove(self.path)

    def _get(self, at, field):
        return struct.unpack_from(field[1], self.bytes, at + field[0])[0]

    def _set(self, at, field, value):
        struct.pack_into(field[1], self.bytes, at + field[0], value)

    def header(self, name):
        return self._get(0, HEADER[name])

    def set_header(self, **fields):
        for name, value in fields.items():
            self._set(0, HEADER[name], value)
        return self

    def segment(self, index, name):
        return self._get(self.header("phoff") + index * SEGMENT_SIZE,
                         SEGMENT[name])

    def set_segment(self, index, **fields):
        for name, value in fields.items():
            self._set(self.header("phoff") + index * SEGMENT_SIZE,
                      SEGMENT[name], value)
        return self

    def segments(self, kind):
        """The indices of the segments of this type."""
        return [i for i in range(self.header("phnum"))
                if self.segment(i, "type") == kind]

    def drop_sections(self):
        return self.set_header(shoff=0, shnum=0, shstrndx=0)

    def cut(self, size):
        del self.bytes[size:]
        return self

    def notes(self):
        """Where each Xen note's descriptor lies: {type: (offset, size)}."""
        found = {}
        for i in self.segments(PT_NOTE):
            at = self.segment(i, "offset")
            end = at + self.segment(i, "filesz")
            while at < end:
                name, size, kind = struct.unpack_from("<III", self.bytes, at)
                at += 12 + (name + 3 & ~3)
                found[kind] = (at, size)
                at += size + 3 & ~3
        return found

    def set_note(self, kind, value):
        """A number, or text that is not longer than what it replaces."""
        at, size = self.notes()[kind]
        if isinstance(value, int):
            value = value.to_bytes(size, "little")
        assert len(value) <= size
        self.bytes[at:at + size] = value.ljust(size, b"\0")
        return self

    def hide_note(self, kind):
        """Give it a type that nobody knows."""
        at, _ = self.notes()[kind]
        self.bytes[at - 8] = 0x7f
        return self

    def move(self, distance):
        """Link it (distance) higher, as far as headers and notes tell.
        Where it lies in physical memory stays."""
        for i in range(self.header("phnum")):
            if self.segment(i, "memsz"):
                there = self.segment(i, "vaddr") + distance
                self.set_segment(i, vaddr=there % 2**64)
        for kind in NOTE_VIRTUAL:
            at, size = self.notes()[kind]
            there = int.from_bytes(self.bytes[at:at + size], "little")
            self.set_note(kind, (there + distance) % 2**64)
        return self.set_header(entry=(self.header("entry") + distance) % 2**64)


# xen/elfnote.h
NOTE_ENTRY = 1
NOTE_HYPERCALL_PAGE = 2
NOTE_VIRT_BASE = 3
NOTE_PADDR_OFFSET = 4
NOTE_XEN_VERSION = 5
NOTE_GUEST_OS = 6
NOTE_LOADER = 8
NOTE_FEATURES = 10
NOTE_PHYS32_ENTRY = 18
NOTE_VIRTUAL = (NOTE_ENTRY, NOTE_HYPERCALL_PAGE, NOTE_VIRT_BASE)
NOTE_ADDRESSES = NOTE_VIRTUAL + (NOTE_PADDR_OFFSET,)
