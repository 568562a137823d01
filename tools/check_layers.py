#!/usr/bin/env python3
"""Checks the direction of the #include lines: a file includes its own layer and lower ones only.

Usage: check_layers.py [ROOT]. Prints one line per violation; exit status 1 if there is any.

A file under src/<layer>/ belongs to that layer, and its head may say so (`Layer: sched`) but not otherwise. A header
under include/pirn/ belongs to the layer that its head names. One that names none is looked through: including it counts
as including all that it includes. Public headers include public headers only.
"""

import pathlib
import re
import sys

# Lowest first. Layers of one row do not include each other.
ROWS = [
    ["os"],
    ["g"],
    ["timer", "poll"],
    ["sched"],
    ["sync"],
    ["io", "net"],
    ["tls", "http"],
    ["debug"],
    ["test", "lab", "bench", "examples"],
]
LOWER = {layer: {low for row in ROWS[:i] for low in row} for i, row in enumerate(ROWS) for layer in row}
# Top folders that are one layer as a whole. tests/ sees everything, as src/test/ does.
FOLDERS = {"lab": "lab", "bench": "bench", "examples": "examples", "tests": "test"}
SOURCES = ("include", "src", *FOLDERS)

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
LAYER = re.compile(r"\bLayer: (\w+)")
HEAD_LINES = 12


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.files = {}
        for folder in SOURCES:
            for path in sorted((self.root / folder).rglob("*")):
                if path.suffix in (".h", ".cpp"):
                    self.files[path.relative_to(self.root).as_posix()] = path.read_text(encoding="utf-8").splitlines()

    def stated_layer(self, name):
        for line in self.files[name][:HEAD_LINES]:
            if match := LAYER.search(line):
                return match[1]
        return None

    def layer(self, name):
        """The layer of a file; None for a public header that is looked through."""
        parts = name.split("/")
        if parts[0] == "include":
            return self.stated_layer(name)
        return parts[1] if parts[0] == "src" else FOLDERS[parts[0]]

    def includes(self, name):
        """(line number, text, file or None) of every include that is ours or looks as if it were."""
        for number, line in enumerate(self.files[name], 1):
            if not (match := INCLUDE.match(line)):
                continue
            quoted, text = match[1] == '"', match[2]
            parent, top = name.rpartition("/")[0], name.split("/")[0]
            folders = ["include"] if not quoted else [parent, top, f"{top}/common", "src", "include"]
            found = next((f"{folder}/{text}" for folder in folders if f"{folder}/{text}" in self.files), None)
            if found or quoted or text.startswith("pirn/"):
                yield number, text, found

    def reached(self, name, seen):
        """The layers that including `name` brings in, with the file that does."""
        if (layer := self.layer(name)) is not None:
            yield layer, name
        elif name not in seen:
            seen.add(name)
            for _, _, found in self.includes(name):
                if found:
                    yield from self.reached(found, seen)


def violations(tree):
    for name in tree.files:
        layer = tree.layer(name)
        stated = tree.stated_layer(name)
        if layer is not None and layer not in LOWER:
            yield f"{name}: unknown layer '{layer}'"
            continue
        if name.startswith("src/") and stated not in (None, layer):
            yield f"{name}: says it is of layer '{stated}' but stands in '{layer}'"
        for number, text, found in tree.includes(name):
            where = f"{name}:{number}"
            if found is None:
                yield f"{where}: no such file of ours: {text}"
                continue
            if name.startswith("include/") and not found.startswith("include/"):
                yield f"{where}: a public header includes the private {text}"
                continue
            if layer is None:
                continue
            for other, through in tree.reached(found, set()):
                if other in LOWER and other != layer and other not in LOWER[layer]:
                    by = "" if through == found else f" (through {through})"
                    yield f"{where}: layer '{layer}' includes {text} of layer '{other}'{by}"


def main(arguments):
    if len(arguments) > 1:
        print("usage: check_layers.py [ROOT]", file=sys.stderr)
        return 2
    tree = Tree(arguments[0] if arguments else pathlib.Path(__file__).parent.parent)
    found = list(violations(tree))
    for line in found:
        print(line)
    print(f"{len(tree.files)} files, {len(found)} violations")
    if not tree.files:
        print("nothing to check")
        return 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
