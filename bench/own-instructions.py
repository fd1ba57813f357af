#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sums the self cost of a callgrind file over the lines of ELA's core, plugins and headers."""
import re
import sys

OWN = re.compile(r"(?:^|/)(?:core|include/ela|plugins/[a-z-]+)/[a-z0-9-]+\.[ch]$")
names = {}


def name_of(text):
    match = re.match(r"\((\d+)\)(?: (.*))?$", text)
    if not match:
        return text
    if match.group(2) is not None:
        names[match.group(1)] = match.group(2)
    return names.get(match.group(1), "")


total = 0
current = ""
skip = False
for line in open(sys.argv[1], encoding="utf-8", errors="replace"):
    line = line.rstrip("\n")
    if line.startswith(("fl=", "fi=", "fe=")):
        current = name_of(line[3:])
    elif line.startswith(("cfi=", "cfl=")):
        name_of(line[4:])
    elif line.startswith("calls="):
        skip = True  # the next line is the callee's inclusive cost
    elif re.match(r"[-+*0-9]\S* \d+$", line):
        if skip:
            skip = False
        elif OWN.search(current) and "/tests/" not in current:
            total += int(line.split()[1])
print(total)
