#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every key of ela.ini with a bad value, out of range, misspelt and twice: test-keys-refused.py ELAD PLUGIN-DIR...

The keys of plugins come from "elad --list-plugins", those of [network], [node], [components] and [peer] from the tables below.
Each row breaks one line of a good file: one of configured peers, then one with a ring. elad --check must exit with 78, say
nothing on stdout and one line on stderr: of that line, that section and that key. (A required key that is misspelt is missing as
well.) Prints a "FAIL" line a row that went wrong. With ELA_SANITIZER=1 every third row: they differ in values alone, and each is
a process.
"""
import base64
import os
import pathlib
import re
import subprocess
import sys
import tempfile

PREFIX = {"npd": "npd", "cipher": "cipher", "transport": "transport", "routing": "route"}
UNITS = {"duration": {"ms": 1, "s": 1000, "m": 60000, "h": 3600000, "d": 86400000}, "size": {"": 1, "k": 1 << 10, "M": 1 << 20}}
PEER = base64.b64encode(bytes(range(32))).decode()
WEAK = base64.b64encode(bytes(32)).decode()
ID = "0123456789abcdef" * 4

# section, key: a good value, bad values (type first, then range), required
PEERS = {
    ("network", "id"): (ID, ["lab", ID[1:], ID + "0", ID[1:] + "g"], False),
    ("node", "name"): ("a", ["a b", "", "a" * 64], True),
    ("node", "address"): ("10.88.0.1/24", ["here", "10.88.0.1/31", "10.88.0.1/7", "10.88.0.256/24"], True),
    ("node", "private-key-file"): ("a.key", ["none.key", "."], True),
    ("node", "lanes"): ("2", ["two", "0", "17"], False),
    ("node", "user"): ("root", ["no-such-user-of-ela", "a b"], False),
    ("node", "log-level"): ("info", ["loud"], False),
    ("components", "npd"): ("tun", ["tunn", "tun, tun"], True),
    ("components", "cipher"): ("aead, blowfish", ["enigma", "aead, aead", "aead,", "a,b,c,d,e,f,g,h,i"], True),
    ("components", "transport"): ("udp, tcp", ["pigeon", "udp, udp", "udp,, tcp"], True),
    ("components", "routing"): ("static", ["statik", "static, static"], True),
    ("peer b", "public-key"): (PEER, ["key", PEER[:-2], WEAK], True),
    ("peer b", "address"): ("10.88.0.2", ["there", "10.88.0.2/33", "10.88.0.2, 10.88.0.2"], True),
    ("peer b", "endpoint"): ("192.0.2.2:7450", ["192.0.2.2:", "192.0.2.2:0", "192.0.2.2:65536"], False),
    ("peer b", "transport"): ("udp", ["pigeon", "udp, udp"], False),
    ("peer b", "keepalive"): ("25s", ["25", "999ms", "2h"], False),
}

RING = {
    ("network", "id"): (ID.upper(), ["lab", ID[1:], ID + "0", ID[1:] + "g"], True),
    ("network", "name"): ("lab", ["a b", "", "a" * 64], False),
    ("network", "prefix"): ("10.77.0.0/24", ["lab", "10.77.0.0", "fd00::/24", "10.77.0.0/7", "10.77.0.0/29", "10.77.0.1/24"], True),
    ("network", "bootstrap"): ("192.0.2.1:7450, b.example", ["b:", "b:0", "b:65536", "b, b", ",".join(map("b{}".format, range(17)))],
        False),
    ("node", "name"): ("a", ["a b", "", "a" * 64], True),
    ("node", "address"): ("10.77.0.5", ["here", "10.77.0.5/24", "10.77.0.0", "10.77.0.255", "10.77.1.1"], False),
    ("node", "role"): ("edge", ["boss", "Edge", ""], False),
    ("node", "private-key-file"): ("a.key", ["none.key", "."], False),
    **{key: row for key, row in PEERS.items() if key[1] in ("lanes", "user", "log-level") or key[0] == "components"},
    ("components", "routing"): ("chord", ["chrod", "chord, chord"], True),
}


def scalar(kind, text):
    """A value of --list-plugins as a number: 64k, 1h."""
    if kind == "int":
        return int(text)
    number, unit = re.fullmatch(r"(\d+)([a-zA-Z]*)", text).groups()
    return int(number) * UNITS[kind][unit]


def plugin_rows(kind, default, bounds):
    """A good value, and bad ones, of an option."""
    if kind == "choice":
        return default, ["sideways", default.upper(), default + "x", ""]
    if kind == "ip list":
        return "192.0.2.1", ["here", "192.0.2", "192.0.2.1,", "192.0.2.1, 192.0.2.1x"]
    low, high = bounds.split("..")
    if kind == "string":
        return (default if default != "-" else "x" * int(low)), ["", "x" * (int(high) + 1)]
    if kind not in ("int", "duration", "size"):
        raise ValueError(f"no rows for options of type {kind}")
    low, high = scalar(kind, low), scalar(kind, high)
    good = default if default != "-" else str(low)
    unit = {"int": "", "duration": "ms", "size": ""}[kind]
    wrong = {"int": ["many", "0x10", "1.5"], "duration": ["25", "1 s", "soon"], "size": ["64K", "64kk", "much"]}[kind]
    return good, wrong + [f"{low - 1}{unit}", f"{high + 1}{unit}", f"{10 ** 30}{unit}"]


def table(listing, own):
    """All rows: the own keys, and the loaded plugins' as elad lists them."""
    keys, section = dict(own), None
    routing = own["components", "routing"][0]
    for line in listing.splitlines():
        cells = line.split("\t")
        if cells[0]:
            section = f"{PREFIX[cells[0]]}-{cells[1]}"
        elif not section.startswith("route-") or section == f"route-{routing}":
            good, bad = plugin_rows(cells[2], cells[3], cells[4])
            keys[section, cells[1]] = (good, bad, False)
    return keys


class Tester:
    def __init__(self, elad, folders, work, own):
        self.elad, self.work = elad, work
        self.options = [word for folder in folders for word in ("--plugin-dir", folder)]
        self.rows = self.failed = 0
        self.every = 3 if os.environ.get("ELA_SANITIZER") == "1" else 1
        listing = subprocess.run([elad, *self.options, "--list-plugins"], check=True, capture_output=True, text=True).stdout
        self.keys = table(listing, own)

    def lines(self):
        """The good file, and where each key stands."""
        lines, where, last = [], {}, None
        for (section, key), (good, _, _) in self.keys.items():
            if section != last:
                lines.append(f"[{section}]")
                last = section
            lines.append(f"{key} = {good}")
            where[section, key] = len(lines)
        return lines, where

    def check(self, lines):
        path = self.work / "ela.ini"
        path.write_text("\n".join(lines) + "\n")
        done = subprocess.run([self.elad, *self.options, "--config", str(path), "--check"], capture_output=True, text=True)
        return done.returncode, done.stdout, [line.removeprefix(f"elad: {path}:") for line in done.stderr.splitlines()]

    def refused(self, name, lines, *wanted):
        """Each line on stderr is one of the wanted ones, patterns behind the file's name, and all are there."""
        self.rows += 1
        if self.rows % self.every:
            return
        code, out, errors = self.check(lines)
        if code == 78 and not out and len(errors) == len(wanted) and all(
                any(re.match(pattern, line) for line in errors) for pattern in wanted):
            return
        self.failed += 1
        print(f"FAIL {name}: found exit status {code} and {errors}, wanted 78 and {list(wanted)}")

    def run(self):
        good, where = self.lines()
        code, out, errors = self.check(good)
        if code or out or errors:
            print(f"FAIL the good file: found exit status {code} and {errors}, wanted 0 and silence")
            return 1
        for (section, key), (value, bad, required) in self.keys.items():
            at, head = where[section, key], rf"\[{section}\] {re.escape(key)}: "
            name = f"[{section}] {key}"
            for other in bad:
                self.refused(f"{name} = {other}", good[:at - 1] + [f"{key} = {other}"] + good[at:], rf"{at}: {head}")
            missing = [rf"\d+: {head}key is missing"] if required else []
            wrong = key[:-1] + "qz"
            self.refused(f"{name} misspelt", good[:at - 1] + [f"{wrong} = {value}"] + good[at:],
                rf"{at}: \[{section}\] {wrong}: unknown key; expected .*\b{re.escape(key)}\b", *missing)
            self.refused(f"{name} twice", good[:at] + [f"{key} = {value}"] + good[at:],
                rf"{at + 1}: {head}key given twice, first in line {at}; expected once")
        return self.failed or self.rows < 100


def main():
    failed = False
    with tempfile.TemporaryDirectory() as work:
        for key in ("a", "node"):  # node.key is what a file with a ring means when it names none
            subprocess.run([sys.argv[1], "keygen", work, key], check=True, capture_output=True)
        for own in (PEERS, RING):
            tester = Tester(sys.argv[1], sys.argv[2:], pathlib.Path(work), own)
            failed |= bool(tester.run())
            print(f"{'FAIL' if failed else 'ok'} {tester.rows} rows of {len(tester.keys)} keys, {tester.failed} went wrong")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
