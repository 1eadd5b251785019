"""The kernel of docs/porting.md: its files as the page has them, built as the
page says."""
import contextlib
import os
import re
import subprocess
import tempfile

import guest

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
PAGE = os.path.join(ROOT, "docs", "porting.md")

# ```LANGUAGE NAME: the next piece of the file NAME.
PIECE = re.compile(r"^```\w+ ([\w.]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text():
    with open(PAGE, encoding="utf-8") as file:
        return file.read()


def files():
    """{name: content}; "build" is the command, "console" what it prints."""
    found = {}
    for name, piece in PIECE.findall(text()):
        found[name] = found.get(name, "") + piece
    return found


@contextlib.contextmanager
def kernel(change=lambda name, content: content):
    """The image, each file changed by (change) before it is built."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files().items():
            with open(os.path.join(folder, name), "w",
                      encoding="utf-8") as file:
                file.write(change(name, content))
        environment = {**os.environ,
                       "PKG_CONFIG_PATH": os.path.abspath(guest.BUILD)}
        done = subprocess.run(["sh", "-e", "build"], cwd=folder, text=True,
                              env=environment, capture_output=True,
                              check=False)
        assert done.returncode == 0 and not done.stderr, done
        yield os.path.join(folder, "day.elf")
