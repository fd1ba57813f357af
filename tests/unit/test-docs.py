#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what the documents say about the tree and about elad: test-docs.py ROOT ELAD PLUGIN-DIR...

docs/thesis.md: each row names a file, the kernel or "later"; each file is there; each name in brackets behind a file occurs in it.
docs/protocol.md: its block of timers says what core's files define, and has every *_NS of those that run sessions.
Every *.md: links to files of the tree lead somewhere, links to headings too.
README.md: the counters that it sends people to are there; its ini blocks are files that "elad --check" takes, with a public key in
the place of the words for one.
examples/ela.ini and ela-ring.ini: elad takes them, also with all of their commented keys; they have every option of the plugins and
no other.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

FOLDERS = ("bench/", "cli/", "core/", "docs/", "examples/", "include/", "packaging/", "plugins/", "scripts/", "tests/")


def thesis(root):
    rows = files = 0
    for number, line in enumerate((root / "docs/thesis.md").read_text().splitlines(), 1):
        cells = [c.strip() for c in line.strip("|").split("|")]
        if not line.startswith("| ") or cells[0] == "concept":
            continue
        rows += 1
        where = f"docs/thesis.md:{number}"
        if len(cells) != 3:
            yield f"{where}: found {len(cells)} cells, wanted 3"
            continue
        if not re.search(r"`[\w/.-]+/[\w/.-]+`|\*later\*", cells[2]):
            yield f"{where}: found neither a file nor *later*: {cells[2]}"
        for name, brackets in re.findall(r"`([\w/.-]+/[\w/.-]+)`(?: \(((?:`[^`]+`(?:, )?)+)\))?", cells[2]):
            files += 1
            path = root / name
            if not name.startswith(FOLDERS) or not path.is_file():
                yield f"{where}: found {name}, wanted a file of the tree"
                continue
            for symbol in re.findall(r"`([^`]+)`", brackets):
                if not re.search(rf"\b{re.escape(symbol)}\b", path.read_text()):
                    yield f"{where}: {name} has no {symbol}"
    if rows < 50 or files < 50:
        yield f"docs/thesis.md: found {rows} rows and {files} files, wanted at least 50 each: is the table still one?"


def number(text):
    """A C constant or a number with ms or s: nanoseconds for times."""
    text = re.sub(r"\b(?:UINT64_C|INT64_C)\((\d+)\)", r"\1", text)
    text = re.sub(r"\b(\d+(?:\.\d+)?)[uU]?\b", r"\1", text)
    for unit, ns in (("ELA_MSEC", 10**6), ("ELA_SEC", 10**9)):
        text = text.replace(unit, str(ns))
    text = re.sub(r"^(\d+)ms$", r"\1*10**6", text)
    text = re.sub(r"^(\d+)s$", r"\1*10**9", text)
    if not re.fullmatch(r"[\d\s.*()]+", text):
        return None
    return eval(text)  # digits, blanks, dots, stars and brackets alone: see the line above


def timers(root):
    defined, listed = {}, set()
    for name in ("initiator", "better", "responder", "control", "control-tick", "pmtu", "peer", "link", "node", "parts", "dialogue",
                 "dialogue-answer", "pull"):
        text = (root / f"core/{name}.c").read_text()
        for macro, value in re.findall(r"^#define (\w+) (.*?)(?:\s*/\*.*)?$", text, flags=re.M):
            defined[name, macro] = value
    block = re.search(r"```timers\n(.*?)```", (root / "docs/protocol.md").read_text(), flags=re.S)
    for line in block.group(1).splitlines() if block else []:
        name, macro, value = line.split()
        listed.add((name, macro))
        if (name, macro) not in defined:
            yield f"docs/protocol.md: found {name} {macro}, wanted what core/{name}.c defines"
        elif number(value) is None or number(value) != number(defined[name, macro]):
            yield f"docs/protocol.md: found {name} {macro} {value}, core/{name}.c has {defined[name, macro]}"
    for name, macro in sorted(set(defined) - listed):
        if macro.endswith("_NS") and not macro.startswith(("TICK_", "ACTIVE_")):
            yield f"docs/protocol.md: found no {name} {macro}, wanted it among the timers"


def anchors(path):
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            text = re.sub(r"[`*]", "", line.lstrip("#").strip().lower())
            yield re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def links(root):
    for path in sorted(root.glob("*.md")) + sorted(p for f in FOLDERS for p in (root / f).rglob("*.md")):
        text = re.sub(r"```.*?```", "", path.read_text(), flags=re.S)
        for target in re.findall(r"\]\(([^)]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            to = (path.parent / name).resolve() if name else path
            where = path.relative_to(root)
            if not to.exists():
                yield f"{where}: found a link to {target}, wanted one to a file that is there"
            elif anchor and anchor not in anchors(to):
                yield f"{where}: found a link to {target}, wanted one to a heading that is there"


class Elad:
    """The daemon to ask, with a folder that holds the keys a.key and b.key."""

    def __init__(self, elad, dirs, folder):
        self.command = [elad] + [word for d in dirs for word in ("--plugin-dir", d)]
        self.dirs = tuple(str(pathlib.Path(d).resolve()) for d in dirs)
        self.folder = folder
        self.public = {n: self.run("keygen", str(folder), n).strip() for n in "ab"}
        self.plugins = self.run("--list-plugins")
        self.has_ipsecmb = "cipher\tipsecmb" in self.plugins

    def run(self, *words):
        command = self.command[:1] if words[0] == "keygen" else self.command
        return subprocess.run([*command, *words], check=True, capture_output=True, text=True).stdout

    def refuses(self, name, text):
        if not self.has_ipsecmb:
            text = text.replace("ipsecmb, aead", "aead")
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o644)
        done = subprocess.run([*self.command, "--check", "--config", str(path)], capture_output=True, text=True)
        if done.returncode or done.stdout or done.stderr:
            yield f"{name}: found exit {done.returncode} of elad --check, wanted silence: {done.stderr}"


def readme(root, elad):
    blocks = re.findall(r"```ini\n(.*?)```", (root / "README.md").read_text(), flags=re.S)
    if len(blocks) != 2:
        yield f"README.md: found {len(blocks)} ini blocks, wanted those of a and b"
    for number, text in enumerate(blocks):
        text = re.sub(r"THE LINE THAT ([ab]) PRINTED", lambda m: elad.public[m.group(1)], text)
        yield from elad.refuses(f"README-{number}.ini", text)


def counters_named(root):
    known = set(re.findall(r"^\| `([\w.-]+)` ", (root / "docs/counters.md").read_text(), flags=re.M))
    section = re.search(r"### When the ping does not answer\n(.*?)\n#", (root / "README.md").read_text(), flags=re.S)
    named = re.findall(r"`((?:drop|icmp)-[\w-]+)`", section.group(1)) if section else []
    if len(named) < 4:
        yield f"README.md: found {len(named)} counters for a ping without answer, wanted at least 4"
    for name in named:
        if name not in known:
            yield f"README.md: found the counter {name}, wanted one of docs/counters.md"


def example(root, elad):
    """Both example files: each as it is and with all keys; the options of all plugins are in one of them."""
    whole = ""
    for name in ("ela.ini", "ela-ring.ini"):
        text = (root / "examples" / name).read_text()
        full = re.sub(r"^# ([a-z0-9-]+ = .*)$", r"\1", text, flags=re.M).replace("user = ela\n", "user = root\n")
        yield from elad.refuses(f"example-{name}", text)
        yield from elad.refuses(f"example-full-{name}", full)
        whole += full
    wanted, found, section = {}, {}, None
    for line in elad.plugins.splitlines():
        fields = line.split("\t")
        if fields[0] and not fields[5].startswith(elad.dirs):
            section = None  # installed on this machine, and none of ours
        elif fields[0]:
            section = ("route" if fields[0] == "routing" else fields[0]) + "-" + fields[1]
        elif section:
            wanted.setdefault(section, []).append(fields[1])
    for line in whole.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif " = " in line and "-" in section and not line.startswith("#"):
            found.setdefault(section, []).append(line.split(" = ")[0])
    for section in sorted(set(wanted) | set(found)):
        has, should = found.get(section, []), wanted.get(section, [])
        if sorted(has) != sorted(should):
            yield f"examples/ela.ini and ela-ring.ini: [{section}] has {sorted(has)}, wanted {sorted(should)}"


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    faults = list(thesis(root)) + list(timers(root)) + list(links(root)) + list(counters_named(root))
    with tempfile.TemporaryDirectory() as folder:
        elad = Elad(sys.argv[2], sys.argv[3:], pathlib.Path(folder))
        faults += list(readme(root, elad)) + list(example(root, elad))
    for fault in faults:
        print("FAIL", fault)
    sys.exit(1 if faults else 0)


main()
