#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints core-answers.txt: node IDs, handshake MACs, cookies and sealed frames as docs/protocol.md describes them.

Worked out from the description alone, with Python's hashlib and hmac and the ciphers of make-answers.py; nothing of
core is used.

    python3 make-core.py > core-answers.txt
"""
import hashlib
import hmac
import importlib.util
import pathlib

spec = importlib.util.spec_from_file_location("answers", pathlib.Path(__file__).with_name("make-answers.py"))
answers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(answers)

NETWORK = hashlib.sha256(b"ela-static-v1").digest()
OTHER = hashlib.sha256(b"another network").digest()


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf(salt, ikm, info, length):
    """RFC 5869."""
    prk = mac(salt or bytes(32), ikm)
    out = block = b""
    for i in range(1, 256):
        if len(out) >= length:
            break
        block = mac(prk, block + info + bytes([i]))
        out += block
    return out[:length]


def node_id(network, address):
    """Four Feistel rounds over the two halves of the address."""
    octets = bytes(int(x) for x in address.split("."))
    left, right = octets[:2], octets[2:]
    for number in range(4):
        f = mac(network, b"ela-id" + bytes([number]) + right)[:2]
        left, right = right, bytes(a ^ b for a, b in zip(left, f))
    return left + right


def header(kind, flags, destination):
    return bytes([1, kind, 3, flags]) + destination.to_bytes(4, "big")


def frame_head(kind, flags, destination, index, counter):
    return header(kind, flags, destination) + index.to_bytes(4, "big") + counter.to_bytes(8, "big")


def nonce(head, iv):
    mask = bytes([head[0], head[1], head[3] & 0x3D, 0]) + head[12:20]
    return bytes(a ^ b for a, b in zip(iv, mask))


SUITES = (("aes-256-gcm", 32), ("chacha20-poly1305", 32), ("blowfish-cbc", 48))


def seal(suite, key, number, plain):
    if suite == "aes-256-gcm":
        return answers.aes256_gcm(key, number, plain)
    if suite == "chacha20-poly1305":
        return answers.chacha20_poly1305(key, number, plain)
    return answers.blowfish_cbc(key, number, plain, answers.stream("core iv", 8))


def sessions():
    """Frames of both directions of a session whose chaining key is known: lane 2, packet 7."""
    ck, plain = answers.stream("core ck", 32), answers.stream("core plain", 61)
    yield "ck", ck
    yield "plain", plain
    for suite, key_len in SUITES:
        for direction, flags in ((1, 0xC1), (2, 0x00)):
            material = hkdf(b"", ck, b"ela-data" + suite.encode() + bytes([direction]), key_len + 12)
            key, iv = material[:key_len], material[key_len:]
            head = frame_head(1, flags, 0x0A0B0C0D, 0x01020304, 2 << 56 | 7)
            yield "frame-%s-%d" % (suite, direction), head + seal(suite, key, nonce(head, iv), plain)
    send = answers.stream("core send", 32)
    yield "control-send", send
    for number, message in ((0, b""), (1, answers.stream("core message", 22))):
        head = frame_head(2, 0, 0x0A0B0C0D, 0x01020304, 255 << 56 | number)
        yield "control-%d" % number, head + answers.chacha20_poly1305(send, nonce(head, bytes(12)), message)
        yield "message-%d" % number, message


def handshakes():
    public = answers.stream("core public", 32)
    mac1_key = hkdf(b"", NETWORK + public, b"ela-mac1", 32)
    cookie_key = hkdf(b"", NETWORK + public, b"ela-cookie", 32)
    yield "public", public
    yield "mac1-key", mac1_key
    yield "cookie-key", cookie_key
    head = header(3, 0, 0x11121314) + bytes([1, 0, 0, 0]) + bytes.fromhex("21222324" "31323334" "00000000")
    text = head + answers.stream("core noise", 90)
    cookie = answers.stream("core cookie", 16)
    mac1 = mac(mac1_key, text[:2] + bytes(2) + text[4:])[:16]
    covered = text + mac1
    mac2 = mac(cookie, covered[:2] + bytes(2) + covered[4:])[:16]
    yield "cookie", cookie
    yield "init", text + mac1 + bytes(16)
    yield "init-mac2", text + mac1 + mac2
    salt = answers.stream("core salt", 16)
    key = hkdf(salt, cookie_key, b"ela-cookie-message", 32)
    head = header(3, 0, 0x31323334) + bytes([3, 0, 0, 0]) + bytes(4) + bytes.fromhex("11121314" "21222324")
    yield "salt", salt
    yield "cookie-message", head + salt + answers.chacha20_poly1305(key, bytes(12), cookie, mac1)
    suites = b"aes-256-gcm,chacha20-poly1305"
    yield "hello", b"\1" + len(suites).to_bytes(2, "big") + suites + b"\2\0\1\4" + b"\3\0\4\0\0\0\1"
    yield "prologue-ik", b"ELA1IK" + NETWORK
    yield "prologue-xx", b"ELA1XX" + NETWORK


def main():
    answers.check()
    print("# SPDX-License-Identifier: Apache-2.0")
    print("# name value, in hex, - = empty; made by make-core.py")
    print("network", NETWORK.hex())
    print("other-network", OTHER.hex())
    for name, network in (("id", NETWORK), ("other-id", OTHER)):
        for address in ("10.88.0.1", "10.88.0.2", "0.0.0.0", "255.255.255.255"):
            print("%s-%s" % (name, address), node_id(network, address).hex())
    for name, value in [*sessions(), *handshakes()]:
        print(name, value.hex() or "-")


if __name__ == "__main__":
    main()
