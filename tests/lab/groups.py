#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""groups.py: programs that find each other by broadcast and multicast.

groups.py listen DEVICE FILE		writes "KIND SOURCE NUMBER" for each datagram that comes; FILE is there when it listens
groups.py send DEVICE KIND COUNT MS	sends the numbers 1 to COUNT, one each MS milliseconds

KIND: limited (255.255.255.255), directed (the device's broadcast address), group4 (239.77.0.1), group6 (ff02::4c41).
"""
import fcntl
import select
import socket
import struct
import sys
import time

PORT = 7777
GROUP4, GROUP6 = "239.77.0.1", "ff02::4c41"
SIOCGIFADDR, SIOCGIFBRDADDR = 0x8915, 0x8919


def address(device, request):
	"""An IPv4 address of the device."""
	with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
		reply = fcntl.ioctl(sock, request, struct.pack("256s", device.encode()))
	return socket.inet_ntoa(reply[20:24])


def receiver4(device, kind, target):
	"""A socket that hears of this kind alone: it is bound to the address that the datagrams go to."""
	sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
	sock.bind((target, PORT))
	if kind == "group4":
		sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
			socket.inet_aton(GROUP4) + socket.inet_aton(address(device, SIOCGIFADDR)))
	return sock


def receiver6(device):
	sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
	sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
	index = socket.if_nametoindex(device)
	sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, GROUP6) +
		struct.pack("=I", index))
	sock.bind((GROUP6, PORT, 0, index))
	return sock


def targets(device):
	return {"limited": "255.255.255.255", "directed": address(device, SIOCGIFBRDADDR), "group4": GROUP4}


def listen(device, path):
	kinds = {receiver4(device, kind, target): kind for kind, target in targets(device).items()}
	kinds[receiver6(device)] = "group6"
	with open(path, "a", encoding="ascii") as file:
		while True:
			for sock in select.select(list(kinds), [], [])[0]:
				text, source = sock.recvfrom(2048)
				print(kinds[sock], source[0], text.decode("ascii"), file=file, flush=True)


def send(device, kind, count, ms):
	if kind == "group6":
		sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
		to = (GROUP6, PORT, 0, socket.if_nametoindex(device))
	else:
		sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
		sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
		to = (targets(device)[kind], PORT)
	for number in range(1, count + 1):
		sock.sendto(str(number).encode("ascii"), to)
		time.sleep(ms / 1000)


if sys.argv[1] == "listen":
	listen(*sys.argv[2:])
else:
	send(sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))
