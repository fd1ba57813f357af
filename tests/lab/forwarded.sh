#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two nodes behind one NAT, and the router sends what comes to its port 7450 to one of them: that one is a core, the other
# an edge, for what was meant for it is answered by its neighbour, which cannot know the nonce.
#
#   a .1  b .2    nat1 .101 --- d 192.168.1.2 (port 7450 of nat1), e 192.168.1.3      10.99.0.0/24
#
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/ring.sh
. "$(dirname "$0")/ring.sh"
FORWARDED='chain pre { type nat hook prerouting priority -100; iifname "u0" meta l4proto { tcp, udp } th dport 7450 dnat to 192.168.1.2; }'
lab_begin
wire_up
host_up a 10.99.0.1
host_up b 10.99.0.2
router_up nat1 10.99.0.101 192.168.1 "$NAT_CONE" "$FORWARDED"
lan_host d nat1 192.168.1 2
lan_host e nat1 192.168.1 3
ring_init a
for node in b d e; do
	ring_join $node "$(ring_token a $node)"
done
lab_check 'all are in' lab_until 10 ring_in a b d e
for node in a b d; do
	lab_equal "$node is a core" "$(ring_role $node)" core
done
lab_equal 'e is an edge' "$(ring_role e)" edge
ping_all
# It can be called where it is seen, which no interface of its own says
in_ns d "$ELA_ELA" status --json --dir "$T/d/net" >"$T/d/status"
lab_check 'd is known at the address of its router' grep -q '"endpoints":\[[^]]*"10.99.0.101"' "$T/d/status"
lab_end
