#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Addresses by their places in a ring (docs/protocol.md, "Identity").

  wish.py before|behind NETWORK-ID PREFIX CORE OTHER...   an address of the network (PREFIX: its first three bytes, A.B.C) with no
                                                        other core between it and CORE, clockwise before or behind it
"""
import hashlib
import hmac
import socket
import sys


def node_id(network, address):
	ip = socket.inet_aton(address)
	left, right = int.from_bytes(ip[:2], "big"), int.from_bytes(ip[2:], "big")
	for turn in range(4):
		word = hmac.new(network, b"ela-id" + bytes([turn]) + right.to_bytes(2, "big"), hashlib.sha256).digest()
		left, right = right, left ^ int.from_bytes(word[:2], "big")
	return left << 16 | right


def main(where, network, prefix, core, *others):
	network = bytes.fromhex(network)
	ids = {address: node_id(network, address) for address in others}
	place = node_id(network, core)
	for last in range(20, 250):
		address = "%s.%d" % (prefix, last)
		own = node_id(network, address)
		start, end = (own, place) if where == "before" else (place, own)
		if address != core and not any((other - start) % 2**32 <= (end - start) % 2**32 for other in ids.values()):
			print(address)
			return
	sys.exit("no address has that place")


if __name__ == "__main__":
	if len(sys.argv) < 5 or sys.argv[1] not in ("before", "behind"):
		sys.exit(__doc__)
	main(*sys.argv[1:])
