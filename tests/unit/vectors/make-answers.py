#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints cipher-answers.txt: what each cipher suite must make of given input.

Everything is worked out here from the specifications (FIPS 197, SP 800-38D, RFC 8439, Schneier's Blowfish with its
tables taken from the digits of pi); of libraries only Python's hashlib and hmac are used, so the answers are independent
of OpenSSL's and intel-ipsec-mb's ciphers. It checks itself against published vectors first.

    python3 make-answers.py > cipher-answers.txt
"""
import hashlib
import hmac
import struct


# AES (FIPS 197), encryption only
def xtime(a):
    a <<= 1
    return (a ^ 0x11B) if a & 0x100 else a


def gmul(a, b):
    r = 0
    while b:
        if b & 1:
            r ^= a
        a = xtime(a)
        b >>= 1
    return r


def aes_sbox():
    box = []
    for x in range(256):
        inv = next((y for y in range(256) if gmul(x, y) == 1), 0)
        r = 0x63
        for i in range(5):
            r ^= ((inv << i) | (inv >> (8 - i))) & 0xFF
        box.append(r)
    return box


SBOX = aes_sbox()


def aes256_expand(key):
    w = [list(key[4 * i:4 * i + 4]) for i in range(8)]
    rcon = 1
    for i in range(8, 60):
        t = list(w[i - 1])
        if i % 8 == 0:
            t = [SBOX[b] for b in t[1:] + t[:1]]
            t[0] ^= rcon
            rcon = xtime(rcon)
        elif i % 8 == 4:
            t = [SBOX[b] for b in t]
        w.append([a ^ b for a, b in zip(w[i - 8], t)])
    return [sum(w[4 * r:4 * r + 4], []) for r in range(15)]


def aes256_block(keys, block):
    s = [a ^ b for a, b in zip(block, keys[0])]
    for r in range(1, 15):
        s = [SBOX[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if r < 14:
            t = []
            for c in range(4):
                col = s[4 * c:4 * c + 4]
                t += [gmul(col[i], 2) ^ gmul(col[(i + 1) % 4], 3) ^ col[(i + 2) % 4] ^ col[(i + 3) % 4]
                      for i in range(4)]
            s = t
        s = [a ^ b for a, b in zip(s, keys[r])]
    return bytes(s)


# GCM (SP 800-38D) with a 12-byte nonce and no associated data
def ghash_mul(x, y):
    z, v = 0, y
    for i in range(127, -1, -1):
        if (x >> i) & 1:
            z ^= v
        v = (v >> 1) ^ (0xE1 << 120 if v & 1 else 0)
    return z


def aes256_gcm(key, nonce, plain):
    keys = aes256_expand(key)
    h = int.from_bytes(aes256_block(keys, bytes(16)), "big")
    out = b""
    y = 0
    for i in range(0, len(plain), 16):
        pad = aes256_block(keys, nonce + struct.pack(">I", 2 + i // 16))
        block = bytes(a ^ b for a, b in zip(plain[i:i + 16], pad))
        out += block
        y = ghash_mul(y ^ int.from_bytes(block.ljust(16, b"\0"), "big"), h)
    y = ghash_mul(y ^ (8 * len(plain)), h)
    mask = aes256_block(keys, nonce + struct.pack(">I", 1))
    return out + bytes(a ^ b for a, b in zip(y.to_bytes(16, "big"), mask))


# ChaCha20-Poly1305 (RFC 8439)
def rotl(x, n):
    return ((x << n) | (x >> (32 - n))) & 0xFFFFFFFF


def quarter(s, a, b, c, d):
    for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & 0xFFFFFFFF
        s[z] = rotl(s[z] ^ s[x], n)


def chacha_block(key, counter, nonce):
    init = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key) + (counter,) +
                struct.unpack("<3I", nonce))
    s = list(init)
    for _ in range(10):
        for i in range(4):
            quarter(s, i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *[(a + b) & 0xFFFFFFFF for a, b in zip(s, init)])


def poly1305(key, data):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    acc = 0
    for i in range(0, len(data), 16):
        acc = (acc + int.from_bytes(data[i:i + 16] + b"\1", "little")) * r % ((1 << 130) - 5)
    return ((acc + int.from_bytes(key[16:], "little")) & ((1 << 128) - 1)).to_bytes(16, "little")


def pad16(data):
    return data + bytes(-len(data) % 16)


def chacha20_poly1305(key, nonce, plain, aad=b""):
    out = b""
    for i in range(0, len(plain), 64):
        out += bytes(a ^ b for a, b in zip(plain[i:i + 64], chacha_block(key, 1 + i // 64, nonce)))
    text = pad16(aad) + pad16(out) + struct.pack("<QQ", len(aad), len(out))
    return out + poly1305(chacha_block(key, 0, nonce)[:32], text)


# Blowfish: P-array and S-boxes are the fraction of pi
def pi_words(n):
    bits = 32 * n + 64

    def arctan(x):
        total, term, k = 0, (1 << bits) // x, 1
        while term:
            total += term // k if k % 4 == 1 else -(term // k)
            term //= x * x
            k += 2
        return total
    frac = (16 * arctan(5) - 4 * arctan(239)) - (3 << bits)
    return [(frac >> (bits - 32 * (i + 1))) & 0xFFFFFFFF for i in range(n)]


class Blowfish:
    tables = pi_words(18 + 1024)

    def __init__(self, key):
        self.p = self.tables[:18]
        self.s = self.tables[18:]
        for i in range(18):
            self.p[i] ^= int.from_bytes(bytes(key[(4 * i + j) % len(key)] for j in range(4)), "big")
        left = right = 0
        for table in (self.p, self.s):
            for i in range(0, len(table), 2):
                left, right = self.words(left, right)
                table[i], table[i + 1] = left, right

    def words(self, left, right):
        s = self.s
        for i in range(16):
            left ^= self.p[i]
            f = (s[left >> 24] + s[256 + (left >> 16 & 255)]) & 0xFFFFFFFF
            f = ((f ^ s[512 + (left >> 8 & 255)]) + s[768 + (left & 255)]) & 0xFFFFFFFF
            right ^= f
            left, right = right, left
        return right ^ self.p[17], left ^ self.p[16]

    def block(self, data):
        return struct.pack(">II", *self.words(*struct.unpack(">II", data)))


def blowfish_cbc(key, nonce, plain, iv):
    """IV | CBC with PKCS padding | HMAC-SHA256-128 over nonce, IV, ciphertext; key = 16 bytes Blowfish, 32 bytes HMAC."""
    cipher = Blowfish(key[:16])
    pad = 8 - len(plain) % 8
    text = plain + bytes([pad]) * pad
    last, out = iv, b""
    for i in range(0, len(text), 8):
        last = cipher.block(bytes(a ^ b for a, b in zip(text[i:i + 8], last)))
        out += last
    return iv + out + hmac.new(key[16:], nonce + iv + out, hashlib.sha256).digest()[:16]


def check():
    gcm_key = bytes.fromhex("31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22")
    assert aes256_gcm(bytes(32), bytes(12), b"").hex() == "530f8afbc74536b9a963b4f1c4cb738b"
    assert aes256_gcm(gcm_key, bytes.fromhex("0d18e06c7c725ac9e362e1ce"),
                      bytes.fromhex("2db5168e932556f8089a0622981d017d")).hex() == \
        "fa4362189661d163fcd6a56d8bf0405ad636ac1bbedd5cc3ee727dc2ab4a9489"
    text = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
            b"sunscreen would be it.")
    sealed = chacha20_poly1305(bytes(range(0x80, 0xA0)), bytes.fromhex("070000004041424344454647"), text,
                               bytes.fromhex("50515253c0c1c2c3c4c5c6c7"))
    assert sealed[:4].hex() == "d31a8d34" and sealed[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691"
    # Schneier's vectors: eight-byte keys
    for key, plain, want in (("0000000000000000", "0000000000000000", "4ef997456198dd78"),
                             ("ffffffffffffffff", "ffffffffffffffff", "51866fd5b85ecb8a"),
                             ("0123456789abcdef", "1111111111111111", "61f9c3802281b096")):
        assert Blowfish(bytes.fromhex(key)).block(bytes.fromhex(plain)).hex() == want, key


def stream(label, n):
    """n bytes that look random and are the same each time."""
    out = b""
    while len(out) < n:
        out += hashlib.sha256(b"ela answers %s %d" % (label.encode(), len(out))).digest()
    return out[:n]


def main():
    check()
    print("# SPDX-License-Identifier: Apache-2.0")
    print("# suite key nonce plain sealed, in hex, - = empty; made by make-answers.py")
    for n in (0, 1, 7, 8, 15, 16, 17, 63, 64, 65, 257, 1400):
        for name, key_len, seal in (("aes-256-gcm", 32, aes256_gcm), ("chacha20-poly1305", 32, chacha20_poly1305),
                                    ("blowfish-cbc", 48, None)):
            label = "%s %d" % (name, n)
            key, nonce, plain = stream("key " + label, key_len), stream("nonce " + label, 12), stream(label, n)
            sealed = seal(key, nonce, plain) if seal else blowfish_cbc(key, nonce, plain, stream("iv " + label, 8))
            print(name, key.hex(), nonce.hex(), plain.hex() or "-", sealed.hex())


if __name__ == "__main__":
    main()
