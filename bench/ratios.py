#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ratios.py ROWS: medians of the rows that compare collects, and ELA's promises as ratios. Exit 1 if one is missed."""
import statistics
import sys

FIELDS = ("rtt_ms", "tcp1_Gbps", "cpu_s_per_GB", "tcp4_Gbps", "udp64_kpps", "rss_MiB")


def read(path):
	rows = {}
	with open(path, encoding="utf-8") as lines:
		for line in lines:
			_, name, *pairs = line.split()
			values = dict(pair.split("=") for pair in pairs)
			name = next(kind for kind in ("ela", "wireguard-go", "ceiling", "fastd") if name.startswith(kind))
			for field in FIELDS:
				rows.setdefault(name, {}).setdefault(field, []).append(float(values[field]))
	return rows


def main():
	rows = read(sys.argv[1])
	median = {name: {field: statistics.median(values[field]) for field in FIELDS} for name, values in rows.items()}
	print("medians")
	print(f"  {'':14}" + "".join(f"{field:>14}" for field in FIELDS))
	for name, values in median.items():
		print(f"  {name:14}" + "".join(f"{values[field]:14.3f}" for field in FIELDS))
	ela, go, top, fastd = (median[name] for name in ("ela", "wireguard-go", "ceiling", "fastd"))
	promises = (
		("ELA / wireguard-go, one TCP flow", ela["tcp1_Gbps"] / go["tcp1_Gbps"], ">=", 1.6),
		("ELA / ceiling aead, one TCP flow", ela["tcp1_Gbps"] / top["tcp1_Gbps"], ">=", 0.7),
		("ELA / fastd, one TCP flow", ela["tcp1_Gbps"] / fastd["tcp1_Gbps"], ">=", 3.0),
		("ELA / wireguard-go, round trip time", ela["rtt_ms"] / go["rtt_ms"], "<=", 1.0),
	)
	print("ratios of medians")
	missed = 0
	for text, found, sign, wanted in promises:
		good = found >= wanted if sign == ">=" else found <= wanted
		missed += not good
		print(f"  {'ok  ' if good else 'FAIL'} {text}: {found:.2f}, wanted {sign} {wanted}")
	return 1 if missed else 0


if __name__ == "__main__":
	sys.exit(main())
