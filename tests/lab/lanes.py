#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lanes.py FILE.pcap: who sent EPACKET frames to whom, by the lane in their counters (docs/protocol.md): a line "FROM TO LANE
RECORDS" each. A record of the capture may be a train, which the kernel cuts into datagrams later; a train is of one lane.
"""
import collections
import socket
import struct
import sys

# Ethernet, IPv4 without options, UDP, and the frame up to its counter's first byte
HEADS = 14 + 20 + 8 + 13


def heads(path):
	"""The first bytes of each frame of a pcap of Ethernet."""
	with open(path, "rb") as file:
		file.read(24)
		while len(head := file.read(16)) == 16:
			size = struct.unpack("<IIII", head)[2]
			yield file.read(min(size, HEADS))
			if size > HEADS:
				file.seek(size - HEADS, 1)


def main():
	lanes = collections.Counter()
	for head in heads(sys.argv[1]):
		if len(head) == HEADS and head[12:15] == b"\x08\x00\x45" and head[23] == 17 and \
				head[34:38] == struct.pack(">HH", 7450, 7450) and head[42:44] == b"\x01\x01":
			lanes[head[26:30], head[30:34], head[54]] += 1
	for (source, destination, lane), count in sorted(lanes.items()):
		print(socket.inet_ntoa(source), socket.inet_ntoa(destination), lane, count)


main()
