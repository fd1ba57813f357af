/* SPDX-License-Identifier: Apache-2.0 */
/* config-broken: a good ela.ini and every way to break a line of it, for test-config.c alone. */
#ifndef ELA_TEST_CONFIG_BROKEN_H
#define ELA_TEST_CONFIG_BROKEN_H

#include <stdint.h>

#define KEY_B "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
#define KEY_C "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="
#define ZERO_KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

/* The file that the broken ones are made from: line numbers below are its. */
static const char good[] = "[node]\n"                    /* 1 */
						   "name = a\n"                  /* 2 */
						   "address = 10.88.0.1/24\n"    /* 3 */
						   "private-key-file = a.key\n"  /* 4 */
						   "\n"                          /* 5 */
						   "[components]\n"              /* 6 */
						   "npd = tun\n"                 /* 7 */
						   "cipher = aead, blowfish\n"   /* 8 */
						   "transport = udp, tcp\n"      /* 9 */
						   "routing = static\n"          /* 10 */
						   "# a comment\n"               /* 11 */
						   "[npd-tun]\n"                 /* 12 */
						   "mtu = 1420\n"                /* 13 */
						   "[transport-udp]\n"           /* 14 */
						   "port = 7450\n"               /* 15 */
						   "[peer b]\n"                  /* 16 */
						   "public-key = " KEY_B "\n"    /* 17 */
						   "address = 10.88.0.2\n"       /* 18 */
						   "endpoint = 192.0.2.2:7450\n" /* 19 */
						   "transport = udp\n"           /* 20 */
						   "keepalive = 25s\n";          /* 21 */

/* One edit of the good file and its one error. */
struct broken {
	uint32_t line;        /* of good that is replaced */
	const char *text;     /* by this */
	uint32_t error_line;  /* 0 = the same */
	const char *expected; /* pattern after "FILE:LINE: " */
};

static const struct broken broken[] = {
	/* [node] */
	{2, "nam = a", 1, "[node] name: key is missing; expected 1..63*\n*:2: [node] nam: unknown key*"},
	{2, "name =", 0, "[node] name: value is empty; expected"},
	{2, "name = a b", 0, "[node] name: bad value \"a b\"; expected 1..63 of"},
	{2, "name = ..", 0, "[node] name: bad value \"..\"; expected 1..63 of"},
	{2, "name = a/b", 0, "[node] name: bad value"},
	{2, "name = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0, "[node] name: bad value"},
	{2, "name = a\nname = b", 3, "[node] name: key given twice, first in line 2; expected once"},
	{2, "name = a\\q", 0, "[node] name: bad escape; expected"},
	{2, "", 1, "[node] name: key is missing; expected 1..63"},
	{3, "", 1, "[node] address: key is missing; expected an IPv4 address"},
	{3, "address = 10.88.0.1", 0,
		"[node] address: bad value \"10.88.0.1\"; expected an IPv4 address with its prefix length"},
	{3, "address = 10.88.0.1/31", 0, "[node] address: bad value"},
	{3, "address = 10.88.0.1/7", 0, "[node] address: bad value"},
	{3, "address = 10.88.0.256/24", 0, "[node] address: bad value"},
	{3, "address = 10.88.0.1/24/2", 0, "[node] address: bad value"},
	{3, "address = 10.88.0.1/-1", 0, "[node] address: bad value"},
	{3, "address = 10.88.0.1/", 0, "[node] address: bad value"},
	{3, "address = 10.88.0.0/24", 0, "[node] address: \"10.88.0.0/24\" is the network itself; expected"},
	{3, "address = 10.88.0.255/24", 0, "[node] address: \"10.88.0.255/24\" is the broadcast address"},
	{3, "address = 127.0.0.2/24", 0, "[node] address: \"127.0.0.2/24\" is a loopback address; expected"},
	{3, "address = 224.0.0.2/24", 0, "[node] address: \"224.0.0.2/24\" is a multicast or reserved"},
	{3, "address = 0.0.0.1/24", 0, "[node] address: \"0.0.0.1/24\" is the unspecified address; expected"},
	{3, "address = fd00::1/64", 0, "[node] address: bad value \"fd00::1/64\"; expected an IPv4"},
	{3, "address = 10.88.0.1/24, fd00::1", 0, "[node] address: bad value \"fd00::1\"; expected one IPv6"},
	{3, "address = 10.88.0.1/24, fd00::/64", 0, "[node] address: \"fd00::/64\" is the network itself"},
	{3, "address = 10.88.0.1/24, fe80::1/64", 0, "[node] address: \"fe80::1/64\" is a link-local"},
	{3, "address = 10.88.0.1/24, ::1/64", 0, "[node] address: \"::1/64\" is a loopback"},
	{3, "address = 10.88.0.1/24, ff02::1/64", 0, "[node] address: \"ff02::1/64\" is a multicast"},
	{3, "address = 10.88.0.1/24, ::ffff:10.0.0.1/120", 0, "[node] address: bad value"},
	{3, "address = 10.88.0.1/24, 10.89.0.1/24", 0, "[node] address: bad value \"10.89.0.1/24\"; expected one IPv6"},
	{3, "address = 10.88.0.1/24, fd00::1/64, fd01::1/64", 0, "[node] address: \"fd01::1/64\" is one too many"},
	{3, "address = 10.88.0.1/24,", 0, "[node] address: list has an empty element; expected"},
	{3, "adress = 10.88.0.1/24", 1,
		"[node] address: key is missing*\n*:3: [node] adress: unknown key; expected*did you mean \"address\"?"},
	{4, "", 1, "[node] private-key-file: key is missing; expected a file made by"},
	{4, "private-key-file = b.key", 0, "[node] private-key-file: \"*/b.key\" is not there; make it: elad keygen /"},
	{4, "private-key-file = .", 0, "[node] private-key-file: \"*/.\" not a regular file; expected"},
	{4, "private-key-file = ela.ini", 0,
		"[node] private-key-file: \"*/ela.ini\" mode is 0644, open to group or others; expected 0600"},
	{5, "lanes = 0", 0, "[node] lanes: bad value \"0\"; expected a whole number 1..16 or auto"},
	{5, "lanes = 17", 0, "[node] lanes: bad value \"17\"; expected"},
	{5, "lanes = two", 0, "[node] lanes: bad value \"two\"; expected"},
	{5, "lanes = 99999999999999999999", 0, "[node] lanes: bad value"},
	{5, "lane = 1", 0, "[node] lane: unknown key; expected name, address,*; did you mean \"lanes\"?"},
	{5, "Lanes = 1", 0, "[node] Lanes: unknown key;*; did you mean \"lanes\"?"},
	{5, "lanes = 1\nlanes = 1", 6, "[node] lanes: key given twice, first in line 5; expected once"},
	{5, "user = a b", 0, "[node] user: bad value \"a b\"; expected the name of a user"},
	{5, "user = -x", 0, "[node] user: bad value \"-x\"; expected"},
	{5, "usr = x", 0, "[node] usr: unknown key;*; did you mean \"user\"?"},
	{5, "log-level = loud", 0, "[node] log-level: bad value \"loud\"; expected error, warn, info, debug or trace"},
	{5, "log-level = inf", 0, "[node] log-level: bad value \"inf\"; expected*; did you mean \"info\"?"},
	{5, "loglevel = info", 0, "[node] loglevel: unknown key;*; did you mean \"log-level\"?"},
	{5, "role = core", 0, "[node] role: is for a routing with a ring, and route-static has none; expected"},
	/* [components] */
	{7, "", 6, "[components] npd: key is missing; expected one device plugin"},
	{7, "npd = tn", 0,
		"[components] npd: plugin \"tn\" is not installed: npd-tn.so is not in any folder*; expected tun, mem"},
	{7, "npd = tum", 0, "[components] npd: plugin \"tum\" is not installed:*; did you mean \"tun\"?"},
	{7, "npd = npd-tun.so", 0, "[components] npd: plugin \"npd-tun.so\" is refused:*; did you mean \"tun\"?"},
	{7, "npd = ../tun", 0,
		"[components] npd: plugin \"../tun\" is refused: plugin: name: found \"../tun\", wanted 1..32 of"},
	{7, "npd = t\\nn", 0, "[components] npd: plugin \"t?n\" is refused: plugin: name: found \"t?n\", wanted"},
	{7, "npd = tun, mem", 0, "[components] npd: \"mem\" is one too many; expected a single plugin"},
	{7, "npd = mem", 12, "[npd-tun]: plugin is not loaded; expected tun in the key npd of [components], or"},
	{7, "npd = tun\nnpd = tun", 8, "[components] npd: key given twice, first in line 7"},
	{7, "ndp = tun", 6, "[components] npd: key is missing*\n*:7: [components] ndp: unknown key;*did you mean \"npd\"?"},
	{8, "", 6, "[components] cipher: key is missing; expected cipher plugins"},
	{8, "cipher = aead, aead", 0, "[components] cipher: \"aead\" is given twice; expected each element once"},
	{8, "cipher = aes", 0, "[components] cipher: plugin \"aes\" is not installed: cipher-aes.so is not in"},
	{8, "cipher = aead blowfish", 0, "[components] cipher: plugin \"aead blowfish\" is refused:"},
	{8, "cipher = a,b,c,d,e,f,g,h,i", 0, "[components] cipher: \"i\" is one too many; expected at most 8"},
	{8, "ciphers = aead", 6,
		"[components] cipher: key is missing*\n*:8: [components] ciphers: unknown key;*did you mean \"cipher\"?"},
	{9, "", 6, "[components] transport: key is missing; expected transport plugins"},
	{9, "transport = udp, upd", 0, "[components] transport: plugin \"upd\" is not installed:*; did you mean \"udp\"?"},
	{9, "transport = udp,, tcp", 0, "[components] transport: list has an empty element"},
	{9, "transport = tcp", 14,
		"[transport-udp]: plugin is not loaded;*\n*:20: [peer b] transport: bad value \"udp\"; expected*(tcp)"},
	{10, "", 6, "[components] routing: key is missing; expected one routing plugin"},
	{10, "routing = chord", 3,
		"[node] address: bad value \"10.88.0.1/24\"; expected one IPv4 address of the network*\n"
		"*:16: [peer b]: route-chord finds its peers itself; expected this section removed, or routing = static*\n"
		"*:21: [network]: section is missing; expected it with id and prefix"},
	{10, "routing = statik", 0, "[components] routing: plugin \"statik\" is not installed:*; did you mean \"static\"?"},
	{10, "routing = static\nrooting = static", 11, "[components] rooting: unknown key;*; did you mean \"routing\"?"},
	/* a plugin's options: each type, bad form, out of range, misspelt, twice */
	{13, "mtu = big", 0, "[npd-tun] mtu: bad value \"big\"; expected a whole number 576..65535"},
	{13, "mtu = 575", 0, "[npd-tun] mtu: bad value \"575\"; expected a whole number 576..65535"},
	{13, "mtu = 65536", 0, "[npd-tun] mtu: bad value \"65536\"; expected"},
	{13, "mtu = 1420 # bytes", 0, "[npd-tun] mtu: bad value \"1420 # bytes\"; expected"},
	{13, "mtu = 01420", 0, "[npd-tun] mtu: bad value"},
	{13, "mtu = 0x58c", 0, "[npd-tun] mtu: bad value"},
	{13, "mut = 1420", 0, "[npd-tun] mut: unknown key; expected interface, mode, mtu,*; did you mean \"mtu\"?"},
	{13, "mtu = 1420\nmtu = 1420", 14, "[npd-tun] mtu: key given twice, first in line 13"},
	{13, "level = -11", 0, "[npd-tun] level: bad value \"-11\"; expected a whole number -10..10"},
	{13, "interface = abcdefghijklmnop", 0, "[npd-tun] interface: bad value*; expected text of 1..15 bytes"},
	{13, "mode = pt", 0, "[npd-tun] mode: bad value \"pt\"; expected lan or ptp; did you mean \"ptp\"?"},
	{13, "mode = LAN", 0, "[npd-tun] mode: bad value \"LAN\"; expected lan or ptp; did you mean \"lan\"?"},
	{13, "delay = 25", 0, "[npd-tun] delay: bad value \"25\"; expected a duration such as*, 1ms..7d"},
	{13, "delay = 8d", 0, "[npd-tun] delay: bad value \"8d\"; expected a duration"},
	{13, "delay = 1.5s", 0, "[npd-tun] delay: bad value"},
	{13, "delay = 9999999999999999999s", 0, "[npd-tun] delay: bad value"},
	{13, "rate = 10", 0, "[npd-tun] rate: bad value \"10\"; expected a rate such as*, 1kbit..100gbit"},
	{13, "rate = 10Mbit", 0, "[npd-tun] rate: bad value"},
	{13, "rate = 101gbit", 0, "[npd-tun] rate: bad value"},
	{13, "ring = 64K", 0, "[npd-tun] ring: bad value \"64K\"; expected a size such as*, 1k..8M"},
	{13, "ring = 9M", 0, "[npd-tun] ring: bad value"},
	{13, "gateway = 10.0.0", 0, "[npd-tun] gateway: bad value \"10.0.0\"; expected an IPv4 or IPv6 address"},
	{13, "gateway = ::ffff:1.2.3.4", 0, "[npd-tun] gateway: bad value"},
	{13, "names = a, bbbb", 0, "[npd-tun] names: bad value \"bbbb\"; expected text of 1..3 bytes"},
	{15, "port = 0", 0, "[transport-udp] port: bad value \"0\"; expected a whole number 1..65535"},
	{15, "port = 70000", 0, "[transport-udp] port: bad value"},
	{15, "prot = 7450", 0, "[transport-udp] prot: unknown key; expected listen, port, gso; did you mean \"port\"?"},
	{15, "listen = 0.0.0.0, any", 0, "[transport-udp] listen: bad value \"any\"; expected an IPv4 or IPv6"},
	{15, "gso = on", 0, "[transport-udp] gso: bad value \"on\"; expected auto or off"},
	/* [peer b] */
	{16, "[peer b/c]", 0, "[peer b/c]: bad name of a peer; expected"},
	{16, "[peer  b]", 0, "[peer  b]: bad name of a peer; expected"},
	{16, "[peer]", 0, "[peer]: unknown section; expected one of network, node, components, npd-tun,"},
	{16, "[pear b]", 0, "[pear b]: unknown section; expected one of"},
	{17, "", 16, "[peer b] public-key: key is missing; expected a public key in base64"},
	{17, "public-key = abc", 0, "[peer b] public-key: bad value \"abc\"; expected a public key in base64"},
	{17, "public-key = hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmp=", 0, "[peer b] public-key: bad value"},
	{17, "public-key = hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTm==", 0, "[peer b] public-key: bad value"},
	{17, "public-key = " ZERO_KEY, 0, "[peer b] public-key: \"" ZERO_KEY "\" is a weak point of the curve; expected"},
	{17, "pubkey = " KEY_B, 16,
		"[peer b] public-key: key is missing*\n*:17: [peer b] pubkey: unknown key; expected public-key"},
	{17, "public-key = " KEY_B "\npublic-key = " KEY_C, 18, "[peer b] public-key: key given twice, first in line 17"},
	{18, "address = 10.88.2.0/24", 0, "[peer b] address: \"10.88.2.0/24\" is not the peer's own address"},
	{18, "address = fd00::2", 0, "[peer b] address: \"fd00::2\" is not the peer's own address"},
	{18, "", 16, "[peer b] address: key is missing; expected IP addresses or prefixes"},
	{18, "address = b", 0, "[peer b] address: bad value \"b\"; expected IP addresses or prefixes"},
	{18, "address = 10.88.0.2/33", 0, "[peer b] address: bad value"},
	{18, "address = 10.88.0.2/24", 0,
		"[peer b] address: \"10.88.0.2/24\" has bits set behind its length; expected 10.88.0.2 (the peer alone) or "
		"10.88.0.0/24"},
	{18, "address = 10.88.0.1", 0, "[peer b] address: \"10.88.0.1\" is this node's own address; expected"},
	{18, "address = 10.88.0.255", 0, "[peer b] address: \"10.88.0.255\" is the first or last address"},
	{18, "address = 10.88.0.0", 0, "[peer b] address: \"10.88.0.0\" is the first or last address"},
	{18, "address = 127.0.0.1", 0, "[peer b] address: \"127.0.0.1\" is a loopback, multicast or reserved"},
	{18, "address = 239.0.0.0/8", 0, "[peer b] address:"},
	{18, "address = 10.88.0.2, 10.88.0.2/32", 0, "[peer b] address: \"10.88.0.2/32\" is peer b's already; expected"},
	{18, "addres = 10.88.0.2", 16,
		"[peer b] address: key is missing*\n*:18: [peer b] addres: unknown key;*did you mean \"address\"?"},
	{19, "endpoint = 192.0.2.2:0", 0, "[peer b] endpoint: bad value \"192.0.2.2:0\"; expected host:port"},
	{19, "endpoint = 192.0.2.2:65536", 0, "[peer b] endpoint: bad value"},
	{19, "endpoint = 192.0.2.2:", 0, "[peer b] endpoint: bad value"},
	{19, "endpoint = 192.0.2.256:7450", 0, "[peer b] endpoint: bad value"},
	{19, "endpoint = :7450", 0, "[peer b] endpoint: bad value"},
	{19, "endpoint = 2001:db8::2", 0, "[peer b] endpoint: bad value"},
	{19, "endpoint = [2001:db8::2", 0, "[peer b] endpoint: bad value"},
	{19, "endpoint = [192.0.2.2]:7450", 0, "[peer b] endpoint: bad value"},
	{19, "endpoint = -b.example:1", 0, "[peer b] endpoint: bad value"},
	{19, "endpoint = b..example:1", 0, "[peer b] endpoint: bad value"},
	{19, "endpoint = b_c", 0, "[peer b] endpoint: bad value"},
	{19, "endpoint = 127.0.0.1:7450", 0, "[peer b] endpoint: \"127.0.0.1:7450\" is a loopback address; expected"},
	{19, "endpoint = 0.0.0.0:7450", 0, "[peer b] endpoint: \"0.0.0.0:7450\" is the unspecified address"},
	{19, "endpoint = 224.0.0.1", 0, "[peer b] endpoint: \"224.0.0.1\" is a multicast"},
	{19, "endpoint = 169.254.0.1", 0, "[peer b] endpoint: \"169.254.0.1\" is a link-local"},
	{19, "endpoint = [fe80::1]:7450", 0, "[peer b] endpoint: \"[fe80::1]:7450\" is a link-local"},
	{19, "endpoint = 10.88.0.2", 0, "[peer b] endpoint: \"10.88.0.2\" is inside the virtual network itself"},
	{19, "endpoint = b:1, b:1", 0, "[peer b] endpoint: \"b:1\" is given twice"},
	{19, "endpiont = b:1", 0, "[peer b] endpiont: unknown key;*; did you mean \"endpoint\"?"},
	{20, "transport = upd", 0,
		"[peer b] transport: bad value \"upd\"; expected names of*(udp, tcp); did you mean \"udp\"?"},
	{20, "transport = udp, udp", 0, "[peer b] transport: \"udp\" is given twice"},
	{20, "transports = udp", 0, "[peer b] transports: unknown key;*; did you mean \"transport\"?"},
	{21, "keepalive = 999ms", 0, "[peer b] keepalive: bad value \"999ms\"; expected a duration 1s..1h"},
	{21, "keepalive = 2h", 0, "[peer b] keepalive: bad value"},
	{21, "keepalive = 25", 0, "[peer b] keepalive: bad value"},
	{21, "keepalives = 25s", 0, "[peer b] keepalives: unknown key;*; did you mean \"keepalive\"?"},
	{21, "keepalive = 1s\nkeepalive = 2s", 22, "[peer b] keepalive: key given twice, first in line 21"},
	{21, "[peer c]\npublic-key = " KEY_B "\naddress = 10.88.0.3", 22,
		"[peer c] public-key: \"" KEY_B "\" is the public key of peer b already; expected"},
	/* the way to a peer through a peer */
	{18, "address = 10.88.0.2, 192.0.2.0/24", 19,
		"[peer b] endpoint: \"192.0.2.2\" is inside 192.0.2.0/24 of peer b, so the way to the peer would lead through"},
	{18, "address = 10.88.0.2, 0.0.0.0/0", 19, "[peer b] endpoint: \"192.0.2.2\" is inside 0.0.0.0/0 of peer b,"},
	{18, "address = 10.88.0.2, 128.0.0.0/1", 19, "[peer b] endpoint: \"192.0.2.2\" is inside 128.0.0.0/1 of peer b,"},
	{18, "address = 10.88.0.2, 0.0.0.0/0, 192.0.2.2", 19, "[peer b] endpoint: \"192.0.2.2\" is inside 192.0.2.2/32 of"},
	{19,
		"endpoint = b.example, [2001:db8:1::2]:9\n[peer c]\npublic-key = " KEY_C "\naddress = 10.88.0.3, 2001:db8::/32",
		19, "[peer b] endpoint: \"2001:db8:1::2\" is inside 2001:db8::/32 of peer c,"},
	{21, "[peer c]\npublic-key = " KEY_C "\naddress = 10.88.0.2", 23,
		"[peer c] address: \"10.88.0.2\" is peer b's already; expected"},
	/* comments behind values */
	{2, "name = a # this one", 0,
		"[node] name: bad value \"a # this one\"; expected*; comments stand on lines of their own"},
	{3, "address = 10.88.0.1/24 ; mine", 0, "[node] address: bad value*; comments stand on lines of their own"},
	{3, "address = 127.0.0.1/24, fd00::1/64\t# two", 0,
		"[node] address: \"127.0.0.1/24\" is a loopback address; expected"},
	{4, "private-key-file = a.key # mine", 0,
		"[node] private-key-file: \"*a.key # mine\" is not there*; comments stand on lines of their own"},
	{7, "npd = tun # the device", 0,
		"[components] npd: plugin \"tun # the device\" is refused*; comments stand on lines of their own"},
	{13, "mtu = 1400\t; less", 0, "[npd-tun] mtu: bad value*; comments stand on lines of their own"},
	/* sections and lines */
	{21, "[node]", 0, "[node]: section given twice, first in line 1; expected once"},
	{21, "[peer b]\nkeepalive = 5s", 0, "[peer b]: section given twice, first in line 16"},
	{21, "[npd-tun]", 0, "[npd-tun]: section given twice, first in line 12"},
	{21, "[Node]", 0, "[Node]: unknown section;*; did you mean \"node\"?"},
	{21, "[npd-tum]", 0, "[npd-tum]: unknown section;*; did you mean \"npd-tun\"?"},
	{21, "[nework]", 0,
		"[nework]: unknown section; expected one of network, node, components,*did you mean \"network\"?"},
	{21, "[transport-quic]", 0, "[transport-quic]: unknown section;"},
	{21, "[npd-mem]", 0, "[npd-mem]: plugin is not loaded; expected mem in the key npd of [components]"},
	{21, "[peer c", 0, "bad section header \"[peer c\"; expected a name in brackets"},
	{21, "[peer c] x", 0, "bad section header"},
	{1, "[node", 0, "bad section header \"[node\"; expected"},
	{1, "[no\377de]", 0, "line is not valid UTF-8; expected UTF-8 text"},
	{6, "[components]]", 0, "bad section header \"[components]]\"; expected"},
	{21, "[npd-tun]\nmtu = 1300", 0, "[npd-tun]: section given twice, first in line 12"},
	{21, "[]", 0, "bad section header \"[]\""},
	{21, "[peer \xc3\xa4]", 0, "bad section header"},
	{21, "keepalive", 0, "[peer b]: \"keepalive\" is no \"key = value\"; expected"},
	{21, "= 25s", 0, "[peer b]: \"\" is no \"key = value\"; expected"},
	{21, "key[de] = 25s", 0, "[peer b]: \"key[de]\" is no \"key = value\"; expected"},
	{21, "; comment", 0, "[peer b]: \"; comment\" is no \"key = value\"; expected that, a [section] or a # comment"},
	{21, "keepalive = \xff", 0, "[peer b]: line is not valid UTF-8; expected UTF-8 text"},
	{21, "# \xc3\x28", 0, "[peer b]: line is not valid UTF-8"},
	{21, "keepalive = 25s\x01", 0, "[peer b]: line holds a control character; expected"},
	{21, "keepalive\r = 25s", 0, "[peer b]: line holds a control character; expected"},
	{0, "name = x", 1, "key name stands before the first section; expected a [section] above it"},
	{0, "\xef\xbb\xbf", 1, "line begins with a byte order mark"},
};

#endif
