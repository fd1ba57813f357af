#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two nodes behind one NAT meet on their LAN, where each reaches the other, so both are cores. Then nodes of the Internet come,
# by the port that the router forwards to d: from there d is reached and e is not. d stays a core, e becomes an edge, with the
# same address.
#
#   a .1  b .2    nat1 .101 --- d 192.168.1.2 (port 7450 of nat1), e 192.168.1.3      10.99.0.0/24
#
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/ring.sh
. "$(dirname "$0")/ring.sh"
FORWARDED='chain pre { type nat hook prerouting priority -100; iifname "u0" meta l4proto { tcp, udp } th dport 7450 dnat to 192.168.1.2; }'

# far_token NODE  a token of d's that is good on the Internet
far_token() {
	in_ns d "$ELA_ELA" add-node "$1" --endpoint 10.99.0.101:7450 --dir "$T/d/net" 2>>"$T/d/init.err" | tail -n 1
}

# is_role NODE ROLE
is_role() {
	[ "$(ring_role "$1")" = "$2" ]
}

lab_begin
wire_up
host_up a 10.99.0.1
host_up b 10.99.0.2
router_up nat1 10.99.0.101 192.168.1 "$NAT_CONE" "$FORWARDED"
lan_host d nat1 192.168.1 2
lan_host e nat1 192.168.1 3
ring_init d
ring_join e "$(ring_token d e)"
lab_check 'd and e are in' lab_until 10 ring_in d e
lab_check 'e is a core: on the LAN it can be reached' lab_until 10 is_role e core
address=$(ring_address e)
ring_join a "$(far_token a)"
ring_join b "$(far_token b)"
lab_check 'a and b are in' lab_until 10 ring_in a b
lab_check 'e is an edge: from the Internet it cannot' lab_until 60 is_role e edge
for node in a b d; do
	lab_equal "$node is a core" "$(ring_role $node)" core
done
lab_equal 'e has its address still' "$(ring_address e)" "$address"
ping_all
lab_end
