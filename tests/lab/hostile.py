#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stranger on the underlay, who knows the victim's public key (KEY, base64: it is no secret) and so makes a good mac1. Where
nodes join, KEY is "ID:BASE64", with the 64 hex digits of the network, which are in no token but with those who were in once.

  hostile.py kinds ADDRESS PORT COUNT SEED KEY           COUNT of each kind of bad datagram, one kind after the other and slowly;
                                                        prints which counters must grow, by how much: "NAME=N NAME=N ..."
  hostile.py inits ADDRESS PORT COUNT SEED KEY           inits with a good mac1 and nothing good behind it
  hostile.py flood ADDRESS PORT COUNT SEED KEY [FILE.pcap]
                                                        datagrams as fast as they go: random, truncated, oversized, plausible
                                                        headers, inits with a good mac1, and frames of the capture, whole or
                                                        with one bit turned
  hostile.py replay ADDRESS PORT PORTS FILE.pcap         every datagram of the capture, from PORTS source ports in turn
  hostile.py connect ADDRESS PORT COUNT SEED [KEY]       TCP connections: silent, rubbish, a length that is too large, half a
                                                        record; with KEY an init, and an init of XX, with a good mac1 and
                                                        nothing good behind it; prints "opened=N bytes=N received=N"

The others print "sent=N bytes=N received=N".
"""
import base64
import collections
import hashlib
import hmac
import random
import select
import socket
import struct
import sys
import time


def payloads(path):
	"""UDP payloads of a pcap of Ethernet frames with IPv4."""
	with open(path, "rb") as file:
		magic, _, _, _, _, _, link = struct.unpack("<IHHiIII", file.read(24))
		if magic not in (0xA1B2C3D4, 0xA1B23C4D) or link != 1:
			raise ValueError("not a little-endian pcap of Ethernet")
		while head := file.read(16):
			frame = file.read(struct.unpack("<IIII", head)[2])
			if frame[12:14] != b"\x08\x00" or frame[23] != 17:
				continue
			start = 14 + (frame[14] & 15) * 4
			if struct.unpack(">H", frame[start + 2:start + 4])[0] == 7450:
				yield frame[start + 8:]


def datagrams(train):
	"""The datagrams of a train as the capture has it: before the kernel cut it, by the next frame's index and counter."""
	while len(train) >= 36:
		following = train[8:12] + ((int.from_bytes(train[12:20], "big") + 1) % (1 << 64)).to_bytes(8, "big")
		at = train.find(train[:3], 20)
		while at >= 0 and train[at + 8:at + 20] != following:
			at = train.find(train[:3], at + 1)
		if at < 0:
			break
		yield train[:at]
		train = train[at:]
	yield train


def connected(address, port):
	sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	sock.connect((address, int(port)))
	return sock


def drain(sock):
	"""Bytes that came back so far; a closed connection reads as an empty end."""
	got = 0
	while select.select([sock], [], [], 0)[0]:
		try:
			data = sock.recv(65536)
		except OSError:
			break
		if not data:
			break
		got += len(data)
	return got


class Forger:
	"""Datagrams that no peer sent; see docs/protocol.md."""

	def __init__(self, seed, key):
		self.rng = random.Random(int(seed))
		network, _, own = key.rpartition(":")
		network = bytes.fromhex(network) if network else hashlib.sha256(b"ela-static-v1").digest()
		self.mac1_key, self.xx_key = (self.derive(network + more) for more in (base64.b64decode(own), b""))

	@staticmethod
	def derive(material):
		return hmac.digest(hmac.digest(bytes(32), material, "sha256"), b"ela-mac1\x01", "sha256")

	def some(self, low, high):
		return self.rng.randbytes(self.rng.randrange(low, high))

	def header(self, kind, flags=0, ttl=3, destination=bytes(4), version=1):
		return bytes([version, kind, ttl, flags]) + destination

	def handshake(self, kind, size, good=False, zero=bytes(3), key=None):
		"""A HANDSHAKE message of size random bytes behind its fixed part, the two MACs included; a good mac1 is made with key."""
		message = self.header(3) + bytes([kind]) + zero
		message += self.rng.randbytes(8) if kind != 3 else bytes(4) + self.rng.randbytes(8)  # a cookie has no session
		message += bytes(24 - len(message)) if kind in (1, 4) else self.rng.randbytes(24 - len(message))
		if kind == 3:
			return message + self.rng.randbytes(48)
		message += self.rng.randbytes(size - 32)
		covered = message[:2] + bytes(2) + message[4:]  # TTL and flags count as zero
		mac1 = hmac.digest(key or self.mac1_key, covered, "sha256")[:16] if good else self.rng.randbytes(16)
		return message + mac1 + bytes(16)

	def init(self):
		return self.handshake(1, self.rng.randrange(128, 300), good=True)

	def record(self, kind):
		"""What a stream begins with: a handshake's first message, with its length."""
		message = self.init() if kind == 1 else self.handshake(kind, 64, good=True, key=self.xx_key)
		return struct.pack(">I", len(message)) + message

	def plausible(self):
		"""Version 1, TTL 3, for the victim; any type, kind and flags."""
		rng = self.rng
		kind = rng.choice((1, 2, 3, 3, rng.randrange(256)))
		flags = rng.choice((0, 0, 1, 0x40, rng.randrange(256)))
		return self.header(kind, flags) + bytes([rng.randrange(5)]) + self.some(0, 200)

	def kinds(self):
		"""(counter, is it for the control thread, how to make one) of each reason to drop a stranger's datagram."""
		rng, header = self.rng, self.header
		other = lambda: (rng.randrange(1, 1 << 32)).to_bytes(4, "big")
		return (
			("transport-udp.rx-empty", False, lambda: b""),
			("drop-header", False, lambda: header(1)[:rng.randrange(1, 8)]),
			("drop-header", False, lambda: header(1, version=rng.choice((0, *range(2, 256)))) + self.some(28, 100)),
			("drop-header", False, lambda: header(1, flags=rng.choice((4, 8, 16, 32))) + self.some(28, 100)),
			("drop-ttl", False, lambda: header(1, ttl=0) + self.some(28, 100)),
			("drop-destination", False, lambda: header(rng.choice((1, 2, 3)), destination=other()) + self.some(0, 100)),
			("drop-hop-index", False, lambda: header(rng.choice((1, 2, 3)), flags=2) + self.some(56, 200)),
			("drop-short", False, lambda: header(rng.choice((1, 2, 3)), flags=2) + self.some(28, 56)),
			("drop-type", False, lambda: header(rng.choice((0, *range(5, 256)))) + self.some(0, 100)),
			("drop-short", False, lambda: header(rng.choice((1, 2))) + self.some(0, 28)),
			("drop-index", False, lambda: header(rng.choice((1, 2))) + self.some(28, 1200)),
			("drop-index", False, lambda: header(1, flags=rng.choice((1, 0x40, 0xc1))) + self.some(28, 100)),
			("drop-oversize", False, lambda: header(3) + self.some(2041, 4000)),
			("drop-probe-unasked", True, lambda: header(4) + self.some(0, 100)),
			("drop-handshake", True, lambda: self.handshake(rng.choice((0, *range(7, 256))), 100)),
			("drop-handshake", True, lambda: self.handshake(1, rng.randrange(32, 80), good=True)),
			("drop-handshake", True, lambda: self.handshake(1, 100, good=True, zero=b"\0\1\0")),
			("drop-handshake", True, lambda: self.handshake(1, rng.randrange(1177, 2000), good=True)),
			("drop-mac1", True, lambda: self.handshake(1, rng.randrange(80, 300))),
			("drop-mac1", True, lambda: self.handshake(2, rng.randrange(80, 300))),
			("drop-answer", True, lambda: self.handshake(3, 0)),
			("drop-answer", True, lambda: self.handshake(2, rng.randrange(80, 300), good=True)),
		)

	def bad(self, seen):
		rng = self.rng
		kind = rng.randrange(8 if seen else 6)
		if kind == 0:
			return self.some(0, 200)
		if kind == 1:
			return self.some(1200, 9000)
		if kind == 2:
			return self.plausible()
		if kind == 3:
			return bytes(rng.randrange(0, 64))
		if kind == 4:
			return self.init()
		if kind == 5:
			return rng.choice(self.kinds())[2]()
		frame = bytearray(rng.choice(seen))
		if kind == 6 and len(frame) > 1:
			return bytes(frame[:rng.randrange(1, len(frame))])
		if frame:
			frame[rng.randrange(len(frame))] ^= 1 << rng.randrange(8)
		return bytes(frame)


def kinds(address, port, count, seed, key):
	forger, sock, wanted = Forger(seed, key), connected(address, port), collections.Counter()
	for name, controls, make in forger.kinds():
		for _ in range(int(count)):
			sock.send(make())
			wanted[name] += 1
			# the ring to the control thread is short
			time.sleep(0.004 if controls else 0.0002)
	print(" ".join(f"{name}={n}" for name, n in sorted(wanted.items())))


def send_all(socks, source, pause):
	"""Sends each datagram of source from the sockets in turn; a pause now and then."""
	sent = size = got = 0
	for number, data in enumerate(source):
		sock = socks[number % len(socks)]
		try:
			size += sock.send(data)
			sent += 1
		except OSError:
			pass
		if number % 64 == 0:
			got += drain(sock)
			time.sleep(pause)
	time.sleep(0.5)
	print(f"sent={sent} bytes={size} received={got + sum(drain(sock) for sock in socks)}")


def inits(address, port, count, seed, key):
	forger = Forger(seed, key)
	send_all([connected(address, port)], (forger.init() for _ in range(int(count))), 0.05)


def flood(address, port, count, seed, key, capture=None):
	forger = Forger(seed, key)
	seen = [data for train in payloads(capture) for data in datagrams(train)][:2000] if capture else []
	send_all([connected(address, port)], (forger.bad(seen) for _ in range(int(count))), 0)


def replay(address, port, ports, capture):
	socks = [connected(address, port) for _ in range(int(ports))]
	send_all(socks, (data for train in payloads(capture) for data in datagrams(train)), 0.002)


def connect(address, port, count, seed, key=None):
	rng, forger = random.Random(int(seed)), Forger(seed, key) if key else None
	held, opened, size, got = [], 0, 0, 0
	for number in range(int(count)):
		sock = socket.socket()
		sock.settimeout(2)
		try:
			sock.connect((address, int(port)))
			opened += 1
			makes = [lambda: b"", lambda: rng.randbytes(rng.randrange(1, 300)), lambda: b"\x00\xff\xff\xff" + rng.randbytes(64),
				lambda: struct.pack(">I", 148) + rng.randbytes(50)]
			if forger:
				makes += [lambda: forger.record(1), lambda: forger.record(4)]
			data = makes[number % len(makes)]()
			if data:
				size += sock.send(data)
			sock.setblocking(False)
			held.append(sock)
		except OSError:
			sock.close()
		if len(held) > 200:
			old = held.pop(0)
			got += drain(old)
			old.close()
	time.sleep(0.5)
	for sock in held:
		got += drain(sock)
		sock.close()
	print(f"opened={opened} bytes={size} received={got}")


VERBS = {"kinds": kinds, "inits": inits, "flood": flood, "replay": replay, "connect": connect}
if len(sys.argv) < 2 or sys.argv[1] not in VERBS:
	sys.exit(__doc__)
VERBS[sys.argv[1]](*sys.argv[2:])
