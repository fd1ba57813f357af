#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Numbered datagrams between nodes, to see when the last one arrived.

  numbered.py send ADDRESS...   one to each every 10 ms, until it is ended; what cannot be sent is left out
  numbered.py hear FILE         a line "SECONDS SENDER NUMBER" for each that arrives, by the wall clock
"""
import socket
import sys
import time

PORT = 7999
EVERY = 0.01


def send(addresses):
	sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	sock.setblocking(False)
	number, due = 0, time.monotonic()
	while True:
		number += 1
		for address in addresses:
			try:
				sock.sendto(b"%d" % number, (address, PORT))
			except OSError:
				pass  # nobody is there, or may not be reached: that is what is measured
		due += EVERY
		time.sleep(max(0, due - time.monotonic()))


def hear(path):
	sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	sock.bind(("0.0.0.0", PORT))
	with open(path, "w", buffering=1, encoding="ascii") as file:
		while True:
			data, sender = sock.recvfrom(64)
			file.write("%.3f %s %d\n" % (time.time(), sender[0], int(data)))


if __name__ == "__main__":
	if len(sys.argv) > 2 and sys.argv[1] == "send":
		send(sys.argv[2:])
	elif len(sys.argv) == 3 and sys.argv[1] == "hear":
		hear(sys.argv[2])
	else:
		sys.exit(__doc__)
