#!/usr/bin/env python3
"""The habits of the house, checked: what lies where, who includes whom, what the pure core imports, how long
files, functions and lines are."""
import os
import re
import subprocess
import sys

ROOT = os.environ.get("ROOT", ".")
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
INSTRUMENTED = bool(os.environ.get("SANITIZE", "").strip())

TOP_LEVEL = {"engine", "include", "tools", "bench", "tests", "Makefile", "README.md", "LICENSE", "build"}
FILE_LINES_MAX = 900
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 120

# Rooms of the engine and those whose headers they may include; besides those everybody may use ticketd/.
ROOMS = {
    "base": {"base"},
    "port": {"base", "port"},
    "core": {"base", "core"},
    "durable": {"base", "port", "core", "durable"},
    "edge": {"base", "port", "core", "durable", "edge"},
}
# The layout of a stored chunk is shared by those who fill chunks and those who store them.
EXCEPTIONS = {("core", "port/store.h")}
# The client library verifies frames with the server's own code.
LIBRARY_MAY_INCLUDE = {"ticketd/wire.h", "ticketd/schema.h", "ticketd/client.h", "core/frame.h", "base/base.h"}

CORE_IMPORTS = {"memcpy", "memset", "memmove", "memcmp", "strlen", "strcmp", "assert_failed"}
COMPILER_HELPERS = {"__popcountdi2", "_GLOBAL_OFFSET_TABLE_"}
CORE_SYSTEM_HEADERS = {"string.h", "stddef.h", "stdint.h", "stdbool.h", "xxhash.h"}

failed = 0


def check(name, faults):
    global failed
    print("not ok" if faults else "ok", name)
    for fault in faults:
        print("   ", fault)
    failed += bool(faults)


def files():
    """Everything that belongs to the project: (path, name)."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in sorted(folders) if not (folder == ROOT and name in ("build", ".git"))]
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in sorted(names):
            yield os.path.relpath(os.path.join(folder, name), ROOT)


def lines_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read().split("\n")


FILES = list(files())
SOURCES = [path for path in FILES if path.endswith((".c", ".h"))]
WRITTEN = [path for path in FILES if path.endswith((".c", ".h", ".py", ".sh")) or
           os.path.basename(path) in ("run", "deps", "coverage") or os.path.basename(path).startswith("test_")]
TEXT = {path: lines_of(path) for path in WRITTEN}


def layout():
    names = {name for name in os.listdir(ROOT) if not name.startswith(".")}
    check("the top level has nothing else", sorted(names - TOP_LEVEL))
    check("files have at most %d lines" % FILE_LINES_MAX,
          ["%s: %d" % (path, len(TEXT[path])) for path in SOURCES if len(TEXT[path]) - 1 > FILE_LINES_MAX])


def string_only(line):
    """A line of a table that is one long literal cannot be broken without losing its search-ability."""
    return re.match(r'\s*(\w+\(.*)?"[^"]*"[,)]*\s*\\?$', line)


def style():
    tabs, blanks, wide, unfinished = [], [], [], []
    for path in WRITTEN:
        for number, line in enumerate(TEXT[path], 1):
            place = "%s:%d" % (path, number)
            if "\t" in line:
                tabs.append(place)
            if line != line.rstrip():
                blanks.append(place)
            if len(line) > COLUMNS_MAX and not string_only(line):
                wide.append("%s: %d" % (place, len(line)))
            if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line) and not path.startswith("tests/house/"):
                unfinished.append(place)
        if TEXT[path][-1] != "":
            blanks.append(path + ": no line feed at the end")
    check("no tabs", tabs)
    check("no trailing blanks", blanks)
    check("lines have at most %d columns" % COLUMNS_MAX, wide)
    check("nothing is left to be done later", unfinished)


def functions():
    """Bodies begin with `{` and end with `}` in the first column."""
    faults = []
    for path in SOURCES:
        begin = None
        for number, line in enumerate(TEXT[path], 1):
            if line == "{":
                begin = number
            elif line == "}" and begin:
                if number - begin - 1 > FUNCTION_LINES_MAX:
                    faults.append("%s:%d: %d lines" % (path, begin - 1, number - begin - 1))
                begin = None
    check("functions have at most %d lines" % FUNCTION_LINES_MAX, faults)


def includes():
    faults, system = [], []
    for path in SOURCES:
        parts = path.split(os.sep)
        for number, line in enumerate(TEXT[path], 1):
            own = re.match(r'#include "(.+)"', line)
            foreign = re.match(r"#include <(.+)>", line)
            place = "%s:%d: %s" % (path, number, line)
            if parts[0] == "engine" and own:
                room = own.group(1).split("/")[0]
                allowed = ROOMS[parts[1]] | {"ticketd"}
                if room not in allowed and (parts[1], own.group(1)) not in EXCEPTIONS:
                    faults.append(place)
            if parts[:2] == ["tools", "libticketd"] and own:
                if "/" in own.group(1) and own.group(1) not in LIBRARY_MAY_INCLUDE:
                    faults.append(place)
            if parts[0] == "include" and own and not own.group(1).startswith("ticketd/"):
                faults.append(place)
            if parts[:2] == ["engine", "core"] and foreign and foreign.group(1) not in CORE_SYSTEM_HEADERS:
                system.append(place)
    check("includes only point down", faults)
    check("the core includes no system header that does things", system)


def guards():
    faults = []
    for path in SOURCES:
        if path.endswith(".h"):
            room, name = path.split(os.sep)[-2:]
            guard = re.sub(r"\W", "_", "%s_%s" % (room, name)).upper()
            if "#ifndef " + guard not in TEXT[path]:
                faults.append("%s: its guard is not %s" % (path, guard))
    check("headers are guarded by their own name", faults)


def symbols(folder):
    """(object, symbol, type, section) of the objects in a folder of the engine."""
    base = os.path.join(BUILD, "obj/engine", folder)
    for name in sorted(os.listdir(base)):
        if not name.endswith(".o") or not os.path.exists(os.path.join(ROOT, "engine", folder, name[:-2] + ".c")):
            continue
        listing = subprocess.run(["nm", "--format=sysv", os.path.join(base, name)], check=True,
                                 capture_output=True, text=True).stdout
        for line in listing.split("\n"):
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) == 7:
                yield "%s/%s" % (folder, name), cells[0], cells[2], cells[6]


def objects():
    core = list(symbols("core"))
    defined = {name for _, name, kind, _ in core if kind != "U"}
    histogram = {name for source, name, kind, _ in symbols("base") if kind == "T" and "histogram" in source}
    foreign = ["%s imports %s" % (source, name) for source, name, kind, _ in core
               if kind == "U" and name not in defined | histogram | CORE_IMPORTS | COMPILER_HELPERS]
    check("the core imports nothing but an allow-list", foreign)
    # The one process of main.c is all that there may be.
    mutable = ["%s: %s" % (source, name) for room in ROOMS for source, name, kind, section in symbols(room)
               if source != "edge/main.o" and kind in "bBdDC" and not name.startswith("__") and
               not section.startswith(".data.rel.ro")]
    check("the engine has no mutable globals", mutable)


def main():
    layout()
    style()
    functions()
    includes()
    guards()
    if not INSTRUMENTED:
        objects()
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
