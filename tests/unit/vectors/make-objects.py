#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints objects.txt: one genesis, user list, credential and record as docs/protocol.md describes them.

Worked out from the description and the GVariant specification alone; the signatures are openssl's. RSA-PSS has a random
salt, so another run prints another genesis, and another network id in all that follows.

    python3 make-objects.py > objects.txt
"""
import hashlib
import hmac
import pathlib
import subprocess
import tempfile

KEYS = pathlib.Path(__file__).with_name("keys")


# GVariant, little-endian: a type is a string such as "u" or "ay", a tuple's is a list of types, an array's ("a", type).

def align(kind):
    if isinstance(kind, list):
        return max(map(align, kind))
    if isinstance(kind, tuple):
        return align(kind[1])
    return {"q": 2, "u": 4, "t": 8}.get(kind, 1)


def is_fixed(kind):
    return all(map(is_fixed, kind)) if isinstance(kind, list) else kind in ("y", "b", "q", "u", "t")


def pad(data, to):
    return data + bytes(-len(data) % to)


def with_offsets(data, ends):
    """Ends of what has no fixed size, in as few bytes each as can count to the end of the whole."""
    for size in (1, 2, 4, 8):
        if len(data) + size * len(ends) < 1 << 8 * size:
            return data + b"".join(end.to_bytes(size, "little") for end in ends)
    raise ValueError


def put(kind, value):
    if kind in ("y", "b", "q", "u", "t"):
        return int(value).to_bytes({"q": 2, "u": 4, "t": 8}.get(kind, 1), "little")
    if kind == "s":
        return value.encode() + b"\0"
    if kind == "ay":
        return value
    data, ends = b"", []
    children = list(zip(kind, value)) if isinstance(kind, list) else [(kind[1], v) for v in value]
    for i, (child, v) in enumerate(children):
        data = pad(data, align(child)) + put(child, v)
        if not is_fixed(child) and (isinstance(kind, tuple) or i + 1 < len(children)):
            ends.append(len(data))
    if isinstance(kind, list):
        return pad(data, align(kind)) if is_fixed(kind) else with_offsets(data, ends[::-1])
    return with_offsets(data, ends)


# Keys and signatures.

def openssl(*arguments, data=b""):
    return subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=True).stdout


def der(name):
    return openssl("pkey", "-in", KEYS / f"{name}.pem", "-pubout", "-outform", "DER")


def sha256(data):
    return hashlib.sha256(data).digest()


def pss(name, data):
    return openssl("dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32", "-sign",
                   KEYS / f"{name}.pem", data=data)


def private(seed, kind):
    """PKCS#8 of RFC 8410: X25519 is 110, Ed25519 112."""
    return bytes.fromhex(f"302e020100300506032b65{kind:02x}04220420") + seed


def public(seed, kind):
    return openssl("pkey", "-inform", "DER", "-pubout", "-outform", "DER", data=private(seed, kind))[-32:]


def ed25519(seed, data):
    with tempfile.NamedTemporaryFile() as key, tempfile.NamedTemporaryFile() as text:
        key.write(private(seed, 112))
        text.write(data)
        key.flush()
        text.flush()
        return openssl("pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", key.name, "-in", text.name)


def signed(number, label, network, key_hash, body, sign):
    signature = sign(b"ELA-" + label + b"-v1\0" + network + body)
    return bytes([number]) + key_hash + len(body).to_bytes(4, "big") + body + signature


def node_id(network, address):
    left, right = address >> 16, address & 0xffff
    for i in range(4):
        f = hmac.new(network, b"ela-id" + bytes([i]) + right.to_bytes(2, "big"), hashlib.sha256).digest()[:2]
        left, right = right, left ^ int.from_bytes(f, "big")
    return left << 16 | right


# The objects.

owner, recovery, sada, aki = map(der, ("owner", "recovery", "sada", "aki"))
seed = bytes([1]) * 32
node = public(seed, 112)
token = public(bytes([9]) * 32, 112)
address = 10 << 24 | 77 << 16 | 5

genesis = signed(1, b"GENESIS", bytes(32), sha256(owner),
                 put(["ay", "ay", "u", "y"], [owner, sha256(recovery), 10 << 24 | 77 << 16, 24]),
                 lambda data: pss("owner", data))
network = sha256(genesis)

USER = ["s", "ay", "b", "b", "u", ("a", "u"), ("a", ["ay", "ay"])]
LIST = ["t", "t", "t", "t", ("a", "s"), "q", ("a", USER), ("a", ["ay", "t"]), ("a", "ay")]
users = [["sada", sada, True, True, 4, [], []], ["aki", aki, True, False, 2, [address], [[token, sha256(aki)]]]]
revoked = sorted([[sha256(bytes([7]) * 32), 1100], [sha256(bytes([8]) * 32), 1150]])
userlist = signed(3, b"LIST", network, sha256(owner),
                  put(LIST, [0, 2, 1200, 2000, ["aes-256-gcm", "chacha20-poly1305"], 1400, users, revoked, []]),
                  lambda data: pss("owner", data))

credential = signed(7, b"CREDENTIAL", network, sha256(sada),
                    put(["ay", "u", "t", "s", "ay", "ay", "y"],
                        [sha256(sada), 0, 1, "node-1", public(seed, 110), node, 1]),
                    lambda data: pss("sada", data))

RECORD = ["u", "u", "ay", "y", "u", "t", "t", "b", ("a", ["ay", "q", "q"])]
places = [[bytes([192, 0, 2, 1]), 7450, 7450], [bytes.fromhex("20010db8000000000000000000000001"), 10000, 20000]]
record = signed(8, b"RECORD", network, sha256(node),
                put(RECORD, [node_id(network, address), address, sha256(credential), 2, 0x11223344, 7, 12, False, places]),
                lambda data: ed25519(seed, data))
mark = signed(9, b"LEASE", network, sha256(node), put(["u", "ay", "t"], [node_id(network, address), sha256(node), 1300]),
              lambda data: ed25519(seed, data))

print("# Made by make-objects.py: keys of keys/, node 1 and token 9 have private keys of one byte repeated.")
for name, value in (("genesis", genesis), ("network-id", network), ("list", userlist), ("credential", credential),
                    ("record", record + mark)):
    print(f"{name} = {value.hex()}")
