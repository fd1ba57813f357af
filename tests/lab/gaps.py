#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads what `ping -D` printed, and names of a status.

  gaps.py longest FILE SINCE   milliseconds: the longest time without an answer, of those that end after SINCE (seconds of the
                               epoch). With no answer after SINCE: from SINCE until now
  gaps.py around FILE SINCE    milliseconds: the longest time without an answer before SINCE, which is what the machine does to any
                               flow; and how many questions after SINCE had no answer
  gaps.py quantile P           of the numbers on stdin
  gaps.py parents              of a status in JSON on stdin: names of parent and spare, "-" for none
  gaps.py settled NAME...      exit 0 if these cores are peers of that status, and parent and spare the first two clockwise
"""
import json
import re
import sys
import time


def answers(name):
	"""When they came, and to which question: [(seconds of the epoch, sequence)]"""
	answer = re.compile(r"^\[([0-9.]+)\] \d+ bytes from .* icmp_seq=(\d+) ")
	with open(name, encoding="ascii") as lines:
		return [(float(match[1]), int(match[2])) for match in map(answer.match, lines) if match]


def around(name, since):
	found = answers(name)
	before = [(b - a) * 1000 for (a, _), (b, _) in zip(found, found[1:]) if b <= since]
	after = {sequence for at, sequence in found if at > since}
	return max(before, default=0), max(after) - min(after) + 1 - len(after) if after else 0


def longest(name, since):
	times = [at for at, _ in answers(name)]
	gaps = [(b - a) * 1000 for a, b in zip(times, times[1:]) if b > since]
	if not gaps:
		gaps = [(time.time() - since) * 1000]
	return max(gaps)


def quantile(values, p):
	values = sorted(values)
	return values[min(len(values) - 1, int(p * len(values)))]


def parents(status):
	names = {peer["id"]: peer["name"] for peer in status["peers"]}
	names[None] = "-"
	own = status["self"]
	return names.get(own["parent"], "-"), names.get(own["spare"], "-")


def settled(status, names):
	own = status["self"]
	start = int(own["id"], 16)
	cores = [peer["id"] for peer in status["peers"] if peer["name"] in names]
	cores.sort(key=lambda core: (int(core, 16) - start) % 2**32)
	return len(cores) == len(names) and cores[:2] == [own["parent"], own["spare"]]


def main(arguments):
	if arguments[0] == "longest":
		print(round(longest(arguments[1], float(arguments[2]))))
	elif arguments[0] == "around":
		before, lost = around(arguments[1], float(arguments[2]))
		print(round(before), lost)
	elif arguments[0] == "quantile":
		print(round(quantile([float(line) for line in sys.stdin if line.strip()], float(arguments[1]))))
	elif arguments[0] == "settled":
		sys.exit(0 if settled(json.load(sys.stdin), arguments[1:]) else 1)
	else:
		print(*parents(json.load(sys.stdin)))


if __name__ == "__main__":
	main(sys.argv[1:])
