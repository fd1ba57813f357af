#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A network that changes under a node: d is an edge behind a NAT; the router gets a forwarded port and loses it again. d is
# core within 30 s, and edge again; its address, and what flows between it and e, go on. Short form: d's machine gets an
# address at the same moment, so that it looks at once. ELA_LONG=1: nobody tells it.
#
#   a .1  b .2  c .3   nat1 .101 --- d    nat2 .102 --- e      10.99.0.0/24
#
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/ring.sh
. "$(dirname "$0")/ring.sh"
lab_begin
wire_up
host_up a 10.99.0.1
host_up b 10.99.0.2
host_up c 10.99.0.3
router_up nat1 10.99.0.101 192.168.1 "$NAT_CONE" 'chain pre { type nat hook prerouting priority -100; }'
router_up nat2 10.99.0.102 192.168.2 "$NAT_RANDOM"
lan_host d nat1 192.168.1 2
lan_host e nat2 192.168.2 2
ring_init a
for node in b c d e; do
	ring_join $node "$(ring_token a $node)"
done
lab_check 'all are in' lab_until 10 ring_in a b c d e
role_is() {
	[ "$(ring_role "$1")" = "$2" ]
}
for node in a b c; do
	lab_check "$node is a core" lab_until 2 role_is $node core
done
for node in d e; do
	lab_equal "$node is an edge" "$(ring_role $node)" edge
done

# turn WHAT-THE-ROUTER-DOES ROLE  the router does that; d has that role within 30 s
EXTRA=0
turn() {
	local began=$SECONDS
	in_ns nat1 nft "$1" || return
	if [ "${ELA_LONG:-0}" != 1 ]; then
		EXTRA=$((EXTRA + 1))
		in_ns d ip addr add "192.168.77.$EXTRA/32" dev u0
	fi
	if ! lab_until 30 role_is d "$2"; then
		lab_fail "d is $2 soon: found $(ring_role d) after $((SECONDS - began)) s"
		return
	fi
	lab_compare "d is $2 after $((SECONDS - began)) s" $((SECONDS - began)) -le "$(lab_bound 10)"
}
# d_is ROLE  e has heard of it
heard() {
	in_ns e "$ELA_ELA" peers --json --dir "$T/e/net" | tr '{' '\n' | grep '"name":"d"' | grep -q "\"role\":\"$1\""
}

address=$(ring_address d)
lab_check 'd and e talk' ping_until d e
lab_run nsenter "--net=/run/netns/$LAB-d" -- ping -n -q -i 0.05 "$(overlay e)" >"$T/ping.out" 2>&1
ping=$LAB_LAST
transfer 'd and e, before' d e 8 0
turn 'add rule ip ela pre iifname u0 meta l4proto { tcp, udp } th dport 7450 dnat to 192.168.1.2' core
lab_check 'e hears of it' lab_until 5 heard core
transfer 'd and e, a core' d e 8 0
turn 'flush chain ip ela pre' edge
lab_check 'e hears of it again' lab_until 5 heard edge
transfer 'd and e, an edge again' d e 8 0
kill -INT $ping
wait $ping
sent=$(sed -n 's/^\([0-9]*\) packets transmitted.*/\1/p' "$T/ping.out")
lost=$((sent - $(sed -n 's/.* \([0-9]*\) received.*/\1/p' "$T/ping.out")))
lab_compare "of $sent pings $lost were lost" "$lost" -le "$(lab_bound 10)"
lab_equal 'd has its address still' "$(ring_address d)" "$address"
lab_end
