#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Who is a core and who an edge is found out, never told: a founds the network on the open Internet, b and c join there, d is
# behind a NAT, e behind one whose ports follow no rule, f behind a firewall without UDP.
#
#   a .1  b .2  c .3   nat1 .101 --- d    nat2 .102 --- e    wall .103 --- f      10.99.0.0/24
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
router_up nat1 10.99.0.101 192.168.1 "$NAT_CONE"
router_up nat2 10.99.0.102 192.168.2 "$NAT_RANDOM"
router_up wall 10.99.0.103 192.168.3 "$NAT_CONE" "$NO_UDP"
lan_host d nat1 192.168.1 2
lan_host e nat2 192.168.2 2
lan_host f wall 192.168.3 2
ring_init a
for node in b c d e f; do
	ring_join $node "$(ring_token a $node)"
done
lab_check 'all are in' lab_until 10 ring_in a b c d e f
for node in a b c; do
	lab_equal "$node is a core" "$(ring_role $node)" core
done
for node in d e f; do
	lab_equal "$node is an edge" "$(ring_role $node)" edge
done
ping_all
transfer 'd and e' d e 64 0
transfer 'e and f' e f 16 0
lab_end
