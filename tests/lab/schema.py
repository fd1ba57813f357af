#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares JSON on stdin with a schema of docs/json.md: schema.py JSON.md NAME. Prints each difference; exit 1 on any.

Every member of a line of the schema must be there, of one of its types, and there must be no member without a line.
"""
import json
import re
import sys

TYPES = {"int": int, "number": (int, float), "string": str, "bool": bool, "null": type(None), "object": dict, "array": list}


def read(document, name):
    text = open(document, encoding="utf-8").read()
    block = re.search(rf"^```schema {name}\n(.*?)^```", text, flags=re.M | re.S)
    rows = {}
    for line in block.group(1).splitlines():
        path, rest = line.split(maxsplit=1)
        words = re.match(rf"(?:(?:{'|'.join(TYPES)}|optional)(?:\s+|$))+", rest).group(0).split()
        rows[path] = ([w for w in words if w != "optional"], "optional" in words)
    return rows


def fits(value, kinds):
    if isinstance(value, bool):
        return "bool" in kinds
    return any(isinstance(value, TYPES[k]) for k in kinds)


def children(path, value):
    """Where the items of a value stand in the schema."""
    if isinstance(value, list):
        return [(path + "[]", f"{path}[{i}]", v) for i, v in enumerate(value)]
    if isinstance(value, dict):
        return [((path + "." if path else "") + k, (path + "." if path else "") + k, v) for k, v in value.items()]
    return []


def check(rows, path, where, value):
    kinds, _ = rows[path] if path else (["object"], False)
    if not fits(value, kinds):
        yield f"{where}: found {json.dumps(value)}, wanted {' or '.join(kinds)}"
        return
    for below, there, item in children(path, value):
        star = path + ".*"
        if below in rows:
            yield from check(rows, below, there, item)
        elif star in rows:
            yield from check(rows, star, there, item)
        elif not (isinstance(value, dict) and value is not None and path and not any(r.startswith(path + ".") for r in rows)):
            yield f"{there}: found, wanted a line in the schema"
    if isinstance(value, dict):
        for wanted, (_, optional) in rows.items():
            parent, _, last = wanted.rpartition(".")
            if parent == path and last != "*" and not last.endswith("[]") and not optional and last not in value:
                yield f"{wanted}: found nothing, wanted it in {where or 'the reply'}"


def no_twice(pairs):
    keys = [k for k, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError(f"a key twice: {keys}")
    return dict(pairs)


def main():
    rows = read(sys.argv[1], sys.argv[2])
    text = sys.stdin.read()
    faults = []
    if text.count("\n") != 1 or not text.endswith("\n"):
        faults.append("found more or less than one line")
    faults += list(check(rows, "", "", json.loads(text, object_pairs_hook=no_twice)))
    for fault in faults:
        print("FAIL", fault)
    sys.exit(1 if faults else 0)


main()
