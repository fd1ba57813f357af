#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tally.py FILE...: counts what tests said, one FILE (testlog.json of Meson, a JSON object a line) after the other.

A program counts as many checks as it reports: Check's closing line ("100%: Checks: 7, Failures: 0, Errors: 0"), lines "ok
NAME" and "FAIL NAME ..." or "not ok NAME"; one without any of them counts as one. A program that failed counts at least one
failure. Prints "PASSED FAILED SKIPPED" and, on stderr, the programs that did not pass with the end of what they said.
"""
import json
import re
import sys

CHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.M)
GOOD = re.compile(r"^ok\b", re.M)
BAD = re.compile(r"^(?:FAIL|not ok)\b", re.M)
TELLING = re.compile(r"^(?:FAIL|not ok)\b|Sanitizer|runtime error:|:[FE]:|[Aa]ssert|Error", re.M)


def judge(test):
	"""(passed, failed, skipped) of one program."""
	text = test.get("stdout", "")
	if test["result"] == "SKIP":
		return 0, 0, 1
	closing = CHECK.findall(text)
	if closing:
		total = sum(int(line[0]) for line in closing)
		failed = sum(int(line[1]) + int(line[2]) for line in closing)
		passed = total - failed
	else:
		passed, failed = len(GOOD.findall(text)), len(BAD.findall(text))
	if test["result"] in ("OK", "EXPECTEDFAIL"):
		# "FAIL" in a program that ended well is what it wanted to see of another one
		return 1 if failed else max(passed, 1), 0, 0
	return passed, max(failed, 1), 0


def explain(test):
	lines = (test.get("stdout", "") + "\n" + test.get("stderr", "")).strip().splitlines()
	print(f"--- {test['name']}: {test['result']}, exit status {test['returncode']}", file=sys.stderr)
	telling = [line for line in lines[:-15] if TELLING.search(line)][:25]
	for line in telling + lines[-15:]:
		print("    " + line[:300], file=sys.stderr)


def main():
	passed = failed = skipped = 0
	for path in sys.argv[1:]:
		with open(path, encoding="utf-8", errors="replace") as lines:
			for line in lines:
				test = json.loads(line)
				good, bad, none = judge(test)
				passed, failed, skipped = passed + good, failed + bad, skipped + none
				if bad or none:
					explain(test)
	print(passed, failed, skipped)
	return 0


if __name__ == "__main__":
	sys.exit(main())
