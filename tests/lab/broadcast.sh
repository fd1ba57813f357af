#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Programs that look for others on the LAN find them in the overlay: what one node sends to everybody, or to a group, each
# other node gets, and gets once, though few have sessions with each other before it. Roles as in roles.sh.
#
#   a .1  b .2  c .3   nat1 .101 --- d    nat2 .102 --- e    wall .103 --- f      10.99.0.0/24
#
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/ring.sh
. "$(dirname "$0")/ring.sh"
ALL=(a b c d e f)

# with_ip6 NODE  the overlay's device has IPv6, the underlay has none
with_ip6() {
	in_ns "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.u0.disable_ipv6=1
}

# got NODE KIND  how many datagrams of that kind it got; how many of them were others' or came a second time
got() {
	awk -v k="$2" '$1 == k { n++; twice += seen[$2, $3]++ > 0 } END { printf "%d %d\n", n, twice }' "$T/$1/groups"
}

# got_all KIND COUNT FROM  each node but FROM has COUNT
got_all() {
	local node
	for node in "${ALL[@]}"; do
		[ "$node" = "$3" ] || [ "$(got "$node" "$1")" = "$2 0" ] || return 1
	done
}

# to_all FROM KIND COUNT MS
to_all() {
	local node
	for node in "${ALL[@]}"; do
		: >"$T/$node/groups"
	done
	in_ns "$1" "$LAB_HERE/groups.py" send ela0 "$2" "$3" "$4"
	lab_until 2 got_all "$2" "$3" "$1"
	sleep 0.3 # for what may come twice
	for node in "${ALL[@]}"; do
		[ "$node" = "$1" ] || lab_equal "$node has $3 of $2 from $1, none twice" "$(got "$node" "$2")" "$3 0"
	done
}

lab_begin
wire_up
host_up a 10.99.0.1
host_up b 10.99.0.2
host_up c 10.99.0.3
router_up nat1 10.99.0.101 192.168.1 "$NAT_CONE"
router_up nat2 10.99.0.102 192.168.2 "$NAT_RANDOM"
router_up wall 10.99.0.103 192.168.3 "$NAT_CONE" "$NO_UDP"
lan_host d nat1 192.168.1 2
lan_host e nat2 192.168.2 2
lan_host f wall 192.168.3 2
for node in "${ALL[@]}"; do
	with_ip6 "$node"
done
ring_init a
for node in b c d e f; do
	ring_join $node "$(ring_token a $node)"
done
lab_check 'all are in' lab_until 10 ring_in "${ALL[@]}"
sleep 3 # all know all
for node in "${ALL[@]}"; do
	lab_run nsenter "--net=/run/netns/$LAB-$node" -- "$LAB_HERE/groups.py" listen ela0 "$T/$node/groups"
done
for node in "${ALL[@]}"; do
	lab_check "$node listens" lab_until 5 test -e "$T/$node/groups"
done
to_all d limited 1 0
to_all e group6 1 0
to_all d limited 100 30
to_all d directed 100 30
to_all f group4 100 30
to_all a group6 100 30
for node in "${ALL[@]}"; do
	counters "$node" >"$T/$node/counters"
	lab_equal "$node dropped no copy" "$(saved "$node" drop-nosession) $(saved "$node" drop-copies)" '0 0'
done
lab_end
