#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks for a text in the memory of processes.

  memory.py TEXT ROUNDS PID...    a line for each PID: the PID, and in how many of the rounds its memory had the text
"""
import mmap
import re
import sys
import time

PAUSE_S = 0.05
BLOCK = 1 << 22
LARGEST = 1 << 34  # beyond that it is the shadow of a sanitizer


def regions(pid):
	"""What it can write to: (start, end) of each region, those of devices left out."""
	with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as lines:
		for line in lines:
			match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw\S* \S+ \S+ \S+ *(.*)", line)
			if not match or match[3].startswith(("/dev/", "[v")):
				continue
			start, end = int(match[1], 16), int(match[2], 16)
			if end - start <= LARGEST:
				yield start, end


def present(pagemap, start, end):
	"""The parts of a region that are in memory: a reservation would take for ever."""
	pagemap.seek(start // mmap.PAGESIZE * 8)
	entries = pagemap.read((end - start) // mmap.PAGESIZE * 8)
	first = None
	for at in range(0, len(entries), 8):
		page = start + at // 8 * mmap.PAGESIZE
		if entries[at + 7] & 0xC0:  # present, or swapped out
			first = page if first is None else first
			if page - first >= BLOCK:
				yield first, page + mmap.PAGESIZE
				first = page  # a text may lie across the border
		elif first is not None:
			yield first, page
			first = None
	if first is not None:
		yield first, end


def has(pid, text):
	with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory, open(f"/proc/{pid}/pagemap", "rb") as pagemap:
		for region in regions(pid):
			for start, end in present(pagemap, *region):
				memory.seek(start)
				try:
					if text in memory.read(end - start):
						return True
				except OSError:  # unmapped meanwhile
					pass
	return False


def main(text, rounds, pids):
	found = dict.fromkeys(pids, 0)
	for _ in range(rounds):
		for pid in pids:
			found[pid] += has(pid, text)
		time.sleep(PAUSE_S)
	for pid in pids:
		print(pid, found[pid])


if __name__ == "__main__":
	main(sys.argv[1].encode(), int(sys.argv[2]), sys.argv[3:])
