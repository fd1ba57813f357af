#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stranger on the underlay.

  hostile.py flood ADDRESS PORT COUNT SEED [FILE.pcap]   datagrams: random, truncated, oversized, plausible headers, and frames
                                                        of the capture, whole or with one bit turned; prints
                                                        "sent=N bytes=N received=N"
  hostile.py replay ADDRESS PORT PORTS FILE.pcap         every UDP payload of the capture, from PORTS source ports in turn
  hostile.py connect ADDRESS PORT COUNT SEED             TCP connections: silent, rubbish, a length that is too large, half a
                                                        record; prints "opened=N bytes=N received=N"
"""
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


def bad_datagram(rng, seen):
	kind = rng.randrange(6 if seen else 4)
	if kind == 0:
		return rng.randbytes(rng.randrange(0, 200))
	if kind == 1:
		return rng.randbytes(rng.randrange(1200, 9000))
	if kind == 2:  # version 1 and any type in front
		return bytes([0x10 | rng.randrange(16)]) + rng.randbytes(rng.randrange(7, 160))
	if kind == 3:
		return bytes(rng.randrange(0, 64))
	frame = bytearray(rng.choice(seen))
	if kind == 4 and len(frame) > 1:
		return bytes(frame[:rng.randrange(1, len(frame))])
	if frame:
		frame[rng.randrange(len(frame))] ^= 1 << rng.randrange(8)
	return bytes(frame)


def flood(address, port, count, seed, capture=None):
	rng = random.Random(int(seed))
	# A train in the capture is cut like the kernel would: frames of handshake size and below are enough to play with.
	seen = [data[:1400] for data in payloads(capture)][:2000] if capture else []
	sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	sock.connect((address, int(port)))
	sent = size = got = 0
	for number in range(int(count)):
		data = bad_datagram(rng, seen)
		try:
			size += sock.send(data)
			sent += 1
		except OSError:
			pass
		if number % 64 == 0:
			got += drain(sock)
			time.sleep(0)
	time.sleep(0.5)
	print(f"sent={sent} bytes={size} received={got + drain(sock)}")


def replay(address, port, ports, capture):
	socks = []
	for _ in range(int(ports)):
		sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		sock.connect((address, int(port)))
		socks.append(sock)
	sent = size = 0
	for number, data in enumerate(payloads(capture)):
		sock = socks[number % len(socks)]
		for start in range(0, len(data), 60000):  # trains stand in the capture as the kernel handed them on
			try:
				size += sock.send(data[start:start + 60000])
				sent += 1
			except OSError:
				pass
	time.sleep(0.5)
	print(f"sent={sent} bytes={size} received={sum(drain(sock) for sock in socks)}")


def connect(address, port, count, seed):
	rng = random.Random(int(seed))
	held, opened, size, got = [], 0, 0, 0
	for number in range(int(count)):
		sock = socket.socket()
		sock.settimeout(2)
		try:
			sock.connect((address, int(port)))
			opened += 1
			kind = number % 4
			data = (b"", rng.randbytes(rng.randrange(1, 300)), b"\x00\xff\xff\xff" + rng.randbytes(64),
				struct.pack(">I", 148) + rng.randbytes(50))[kind]
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


VERBS = {"flood": flood, "replay": replay, "connect": connect}
if len(sys.argv) < 2 or sys.argv[1] not in VERBS:
	sys.exit(__doc__)
VERBS[sys.argv[1]](*sys.argv[2:])
