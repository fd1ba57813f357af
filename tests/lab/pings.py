#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pings.py SECONDS ADDRESS...: ICMP echo to each address, once a second until it answered; prints those that did not."""
import os
import select
import socket
import struct
import sys
import time


def checksum(data):
	total = sum(struct.unpack(f">{len(data) // 2}H", data))
	total = (total >> 16) + (total & 0xffff)
	return ~(total + (total >> 16)) & 0xffff


def main():
	until = time.monotonic() + float(sys.argv[1])
	missing = set(sys.argv[2:])
	head = struct.pack(">BBHHH", 8, 0, 0, os.getpid() & 0xffff, 1)
	request = head[:2] + struct.pack(">H", checksum(head)) + head[4:]
	with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
		while missing and time.monotonic() < until:
			for address in missing:
				sock.sendto(request, (address, 0))
			again = min(time.monotonic() + 1, until)
			while missing and select.select([sock], [], [], max(again - time.monotonic(), 0))[0]:
				packet, source = sock.recvfrom(2048)
				if packet[20] == 0 and packet[24:28] == request[4:]:
					missing.discard(source[0])
	print(*sorted(missing))


main()
