#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: loss.sh PEER-SCRIPT [ARGUMENT...]    the thesis's figure 2.5: TCP through a tunnel against loss on the underlay
# Runs a peer's script with another measure(): loss 0 1 2 5 % in both directions at the receivers, 100 Mbit/s by tbf. GSO, TSO
# and GRO are off on the veth: a rule there would otherwise drop whole superpackets.
HERE=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { sed -n '3s/^# //p' "$0" >&2; exit 2; }
# shellcheck source=bench/lab.sh
. "$HERE/lab.sh"
need_lab iptables:iptables ethtool:ethtool tc:iproute2

# shellcheck disable=SC2317 # called in the peer's script
measure() {
	local name=$1 target=$2 side loss rate
	for side in A B; do
		"in$side" ethtool -K "v$side" tso off gso off gro off >/dev/null
		"in$side" tc qdisc replace dev "v$side" root tbf rate 100mbit burst 64k latency 30ms
	done
	ip netns exec "$B" iperf3 -s -p 5201 >/dev/null 2>&1 &
	PIDS+=($!)
	sleep 0.5
	for loss in 0 0.01 0.02 0.05; do
		for side in A B; do
			"in$side" iptables -t raw -F
			[ "$loss" = 0 ] || "in$side" iptables -t raw -A PREROUTING -i "v$side" -m statistic --mode random \
				--probability "$loss" -j DROP || { echo "loss.sh: iptables makes no loss; nothing measured" >&2; exit 1; }
		done
		rate=$(iperf "$target" gbps)
		printf '%-26s loss=%-5s tcp_Mbps=%s\n' "$name" "$loss" "$(awk -v g="${rate:-0}" 'BEGIN { print g * 1000 }')"
	done
}

WORK_LOSS=$(mktemp -d)
mkdir "$WORK_LOSS/peers"
cp "$1" "$WORK_LOSS/peers/run.sh"
{
	cat "$HERE/lab.sh"
	declare -f measure
} >"$WORK_LOSS/lab.sh"
shift
bash "$WORK_LOSS/peers/run.sh" "$@"
STATUS=$?
rm -rf "$WORK_LOSS"
exit $STATUS
