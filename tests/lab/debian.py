"""Debian packages for the labs: fetched once, unpacked, never installed.

They are kept in the cache's folder "lab", each in a folder named for its
version, whole or not at all; neither root nor an empty machine is needed. What
cannot be had raises tap.Skip with the reason.
"""
import contextlib
import fcntl
import functools
import getpass
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import tap  # noqa: E402

PATIENCE = 300  # seconds for one command of apt


def cache():
    """The folder for what the labs fetch and make of it."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    top = (os.environ.get("PARAVANE_CACHE") or
           os.path.join(home, "paravane"))
    path = os.path.join(top, "lab")
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise tap.Skip(f"cannot make the folder {path}: "
                       f"{error.strerror}") from None
    return path


@contextlib.contextmanager
def alone(subject):
    """One process at a time fetches or makes (subject)."""
    with open(os.path.join(cache(), f".{subject}.lock"), "w",
              encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def made_once(name, make):
    """The file or folder (name) in the cache; (make), given a path, makes it
    if it is not there yet."""
    path = os.path.join(cache(), name)
    if os.path.exists(path):
        return path
    with alone(name), tempfile.TemporaryDirectory(
            dir=cache(), prefix=".making-") as folder:
        if not os.path.exists(path):
            new = os.path.join(folder, "new")
            make(new)
            os.rename(new, path)
    return path


def need_program(name, package):
    """Skip where the host has no program (name)."""
    if not shutil.which(name):
        raise tap.Skip(f"{name} not found: install {package}")


def _apt(*command, own_lists, cwd=None):
    """Its output, or None when it failed."""
    need_program(command[0], "apt")
    options = []
    if own_lists:
        top = os.path.join(cache(), "apt")
        for part in ("lists/partial", "archives/partial"):
            os.makedirs(os.path.join(top, part), exist_ok=True)
        options = ["-o", f"Dir::State::lists={top}/lists",
                   "-o", f"Dir::Cache={top}",
                   "-o", f"APT::Sandbox::User={getpass.getuser()}"]
    done = subprocess.run([command[0], "-q", *options, *command[1:]],
                          capture_output=True, text=True, check=False,
                          timeout=PATIENCE, cwd=cwd,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})
    return done.stdout if done.returncode == 0 else None


@functools.cache
def _fresh_lists():
    """Lists of our own, for machines whose lists are old or gone."""
    return _apt("apt-get", "update", own_lists=True) is not None


def _stanzas(names, own_lists):
    """What the lists say of (names): {package: {field: value}}."""
    said = _apt("apt-cache", "show", "--no-all-versions", *names,
                own_lists=own_lists) or ""
    stanzas = {}
    for stanza in said.split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+): *(.*)$", stanza, re.M))
        if "Package" in fields:
            stanzas[fields["Package"]] = fields
    return stanzas


def _folder(name, version):
    return f"{name}_{version.replace(':', '%3a')}"


def _unpack(name, version, own_lists):
    """Fetch one package into the cache. False where it is not to be had."""
    def make(path):
        where = os.path.dirname(path)
        if _apt("apt-get", "download", f"{name}={version}",
                own_lists=own_lists, cwd=where) is None:
            raise LookupError(name)
        deb, = [f for f in os.listdir(where) if f.endswith(".deb")]
        subprocess.run(["dpkg-deb", "-x", deb, "new"], cwd=where, check=True)
    try:
        made_once(_folder(name, version), make)
    except LookupError:
        return False
    return True


def _cached(names):
    """The newest of each that earlier runs have left, without asking apt."""
    found = {}
    for name in names:
        there = [os.path.join(cache(), f) for f in os.listdir(cache())
                 if f.startswith(name + "_")]
        if there:
            found[name] = max(there, key=os.path.getmtime)
    return found


_skipped = {}  # who is not there now need not be asked again


def fetch(*names):
    """The packages (names), unpacked: {name: folder}."""
    if names in _skipped:
        raise tap.Skip(_skipped[names])
    try:
        return _fetch(names)
    except tap.Skip as skip:
        _skipped[names] = str(skip)
        raise


def _fetch(names):
    for program, package in (("apt-get", "apt"), ("dpkg-deb", "dpkg")):
        need_program(program, package)
    for own_lists in (False, True, "fresh"):
        if own_lists == "fresh" and not _fresh_lists():
            break
        said = _stanzas(names, bool(own_lists))
        if set(said) >= set(names) and all(
                _unpack(name, said[name]["Version"], bool(own_lists))
                for name in names):
            return {name: os.path.join(cache(), _folder(
                name, said[name]["Version"])) for name in names}
    found = _cached(names)
    missing = [name for name in names if name not in found]
    if missing:
        raise tap.Skip(f"cannot download the Debian package {missing[0]}: "
                       "is there a network?")
    return found


def linux_image(flavour):
    """The package that linux-image-(flavour) stands for, with its version in
    its name; (flavour) is amd64 or cloud-amd64."""
    meta = f"linux-image-{flavour}"
    pattern = re.compile(rf"linux-image-[\d.]+-\d+-{flavour}\b")
    for own_lists in (False, True, "fresh"):
        if own_lists == "fresh" and not _fresh_lists():
            break
        fields = _stanzas([meta], bool(own_lists)).get(meta, {})
        found = pattern.search(fields.get("Depends", ""))
        if found:
            return found.group()
    there = [name for name in os.listdir(cache()) if pattern.match(name)]
    if not there:
        raise tap.Skip(f"cannot tell what {meta} depends on: is there a "
                       "network?")
    newest = max(there, key=lambda name:
                 os.path.getmtime(os.path.join(cache(), name)))
    return newest.split("_")[0]


def find(trees, *paths):
    """The first of (paths) that one of the folders (trees) holds."""
    for path in paths:
        for tree in trees:
            there = os.path.join(tree, path.lstrip("/"))
            if os.path.lexists(there):
                return there
    raise FileNotFoundError(f"no {' or '.join(paths)} in {', '.join(trees)}")
