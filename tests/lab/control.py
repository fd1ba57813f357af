#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""control.py 4|6 DEVICE TEXT: sends TEXT in the clear to everybody on the underlay (discard port), so that a capture which
shows no payload is known to see payload at all."""
import socket
import sys

family, device, text = sys.argv[1:]
if family == "4":
	with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
		sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
		sock.sendto(text.encode(), ("10.99.0.255", 9))
else:
	with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
		sock.sendto(text.encode(), ("ff02::1", 9, 0, socket.if_nametoindex(device)))
