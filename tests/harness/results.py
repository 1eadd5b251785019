"""What became of single tests in a meson run, read from its log."""
import json
import os
import re

PLAN = re.compile(r"^1\.\.(\d+)", re.M)
POINT = re.compile(r"^(not ok|ok)\b[ \d]*(?:- )?([^#\n]*)(?:# *(.*))?$", re.M)


def last_line(test):
    """What a test that skips or fails as a whole has to say for itself."""
    said = (test.get("stdout") or "") + (test.get("stderr") or "")
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it does not say why"


def points_of(test):
    """Each test in one run of an executable: (name, verdict, why)."""
    name, result = test["name"].split(":", 1)[-1], test["result"]
    out = test.get("stdout") or ""
    plan = PLAN.search(out)
    points = POINT.findall(out)
    if not plan or not points and result == "SKIP":
        yield name, result, last_line(test)
        return
    failed = 0
    for word, point, note in points:
        if word == "not ok":
            failed += 1
            yield f"{name}: {point.strip()}", "FAIL", ""
        elif note.upper().startswith("SKIP"):
            yield f"{name}: {point.strip()}", "SKIP", note[4:].strip()
        else:
            yield f"{name}: {point.strip()}", "OK", ""
    for _ in range(int(plan.group(1)) - len(points)):
        failed += 1
        yield f"{name}: a test that never ran", "FAIL", result
    if result not in ("OK", "SKIP") and not failed:
        yield f"{name}: the executable itself", result, last_line(test)


def points(folder):
    """All tests of the last run in build folder (folder)."""
    with open(os.path.join(folder, "meson-logs", "testlog.json"),
              encoding="utf-8") as log:
        for line in log:
            yield from points_of(json.loads(line))
