#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Moves bytes both ways over one TCP connection and compares hashes, while a scenario does something to the path.

  transfer.py serve ADDRESS PORT READY-FILE
  transfer.py move ADDRESS PORT --mib N --marker TEXT [--seconds S] [--timeout S] [--source ADDRESS]
                   [--begun FILE] [--gate FILE]

move sends N MiB and receives as many. It creates --begun when a quarter has arrived, and neither side sends its last eighth
before --gate exists: an event between the two files surely falls into the transfer. --seconds spreads the sending. The
marker stands in each 4 KiB of payload. Prints "up=SHA256 down=SHA256 seconds=S"; exit 0 only if both ends saw the bytes that
the other one sent.
"""
import argparse
import hashlib
import json
import os
import random
import socket
import sys
import threading
import time

MIB = 1 << 20
CHUNK = 1 << 16


def payload(seed, mib, marker):
	"""Yields mib blocks of 1 MiB: random, numbered, with the marker in each 4 KiB."""
	block = bytearray(random.Random(seed).randbytes(MIB))
	for offset in range(0, MIB, 4096):
		block[offset + 128:offset + 128 + len(marker)] = marker
	for number in range(mib):
		block[64:72] = number.to_bytes(8, "big")
		yield bytes(block)


class End:
	"""One end of the connection: sends its payload and receives the other's, in two threads."""

	def __init__(self, sock, plan, own_seed, begun=None):
		self.sock, self.plan, self.own_seed = sock, plan, own_seed
		self.begun = begun
		self.sent = hashlib.sha256()
		self.error = None

	def send(self):
		mib, marker = self.plan["mib"], self.plan["marker"].encode()
		total, done, start = mib * MIB, 0, time.monotonic()
		for block in payload(self.own_seed, mib, marker):
			self.sent.update(block)
			for offset in range(0, MIB, CHUNK):
				if done >= total * 7 // 8:
					self.wait_gate()
				self.sock.sendall(block[offset:offset + CHUNK])
				done += CHUNK
				ahead = self.plan["seconds"] * done / total - (time.monotonic() - start)
				if ahead > 0:
					time.sleep(ahead)

	def wait_gate(self):
		limit = time.monotonic() + self.plan["timeout"]
		while self.plan["gate"] and not os.path.exists(self.plan["gate"]):
			if time.monotonic() > limit:
				raise TimeoutError("the gate stayed closed")
			time.sleep(0.02)

	def receive(self):
		total, done, got = self.plan["mib"] * MIB, 0, hashlib.sha256()
		while done < total:
			data = self.sock.recv(min(CHUNK * 4, total - done))
			if not data:
				raise ConnectionError(f"closed after {done} of {total} bytes")
			got.update(data)
			done += len(data)
			if self.begun and done * 4 >= total:
				with open(self.begun, "w", encoding="ascii"):
					self.begun = None
		return got.digest()

	def run(self):
		def sender():
			try:
				self.send()
			except OSError as error:
				self.error = error
				self.sock.close()

		thread = threading.Thread(target=sender, daemon=True)
		thread.start()
		got = self.receive()
		thread.join()
		if self.error:
			raise self.error
		return got


def expected(seed, plan):
	whole = hashlib.sha256()
	for block in payload(seed, plan["mib"], plan["marker"].encode()):
		whole.update(block)
	return whole.digest()


def read_exact(sock, size):
	data = b""
	while len(data) < size:
		more = sock.recv(size - len(data))
		if not more:
			raise ConnectionError("closed early")
		data += more
	return data


def family(address):
	return socket.AF_INET6 if ":" in address else socket.AF_INET


def serve(args):
	with socket.socket(family(args.address)) as listener:
		listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		listener.bind((args.address, args.port))
		listener.listen(1)
		with open(args.ready, "w", encoding="ascii"):
			pass
		sock, _ = listener.accept()
	with sock:
		sock.settimeout(30)
		plan = json.loads(read_exact(sock, int.from_bytes(read_exact(sock, 4), "big")))
		sock.settimeout(plan["timeout"])
		got = End(sock, plan, plan["seed"] + 1).run()
		sock.sendall(got)
		good = got == expected(plan["seed"], plan)
		read_exact(sock, 1)
	return 0 if good else 1


def move(args):
	plan = {"mib": args.mib, "marker": args.marker, "seconds": args.seconds, "timeout": args.timeout, "seed": args.seed,
		"gate": args.gate and os.path.abspath(args.gate)}
	start = time.monotonic()
	source = (args.source, 0) if args.source else None
	with socket.create_connection((args.address, args.port), 30, source) as sock:
		sock.settimeout(args.timeout)
		line = json.dumps(plan).encode()
		sock.sendall(len(line).to_bytes(4, "big") + line)
		end = End(sock, plan, args.seed, args.begun)
		down = end.run()
		up = read_exact(sock, 32)
		sock.sendall(b"\0")
	good = up == end.sent.digest() and down == expected(args.seed + 1, plan)
	print(f"up={up.hex()} down={down.hex()} seconds={time.monotonic() - start:.2f}")
	return 0 if good else 1


def main():
	parser = argparse.ArgumentParser()
	verbs = parser.add_subparsers(dest="verb", required=True)
	one = verbs.add_parser("serve")
	one.add_argument("address")
	one.add_argument("port", type=int)
	one.add_argument("ready")
	two = verbs.add_parser("move")
	two.add_argument("address")
	two.add_argument("port", type=int)
	two.add_argument("--mib", type=int, required=True)
	two.add_argument("--marker", required=True)
	two.add_argument("--seed", type=int, default=1)
	two.add_argument("--seconds", type=float, default=0)
	two.add_argument("--timeout", type=float, default=60)
	two.add_argument("--source")
	two.add_argument("--begun")
	two.add_argument("--gate")
	args = parser.parse_args()
	try:
		return serve(args) if args.verb == "serve" else move(args)
	except OSError as error:
		print(f"transfer: {error!r}", file=sys.stderr)
		return 1


if __name__ == "__main__":
	sys.exit(main())
