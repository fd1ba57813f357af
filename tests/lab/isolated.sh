#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Nodes on one LAN without a default route, where nothing that they remember is true any more: other addresses, and the
# node that invited them is gone. They find each other by hellos, keep their overlay addresses, and nobody else is told.
#
#   a 10.99.0.1 (then gone) ---+--- br0 ---+--- b 10.99.0.2, then 10.98.0.12
#                              +--- x      +--- c 10.99.0.3, then 10.98.0.13        x: another network, 10.98.0.14
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
ring_init a
for node in b c; do
	ring_join $node "$(ring_token a $node)"
done
lab_check 'all are in' lab_until 10 ring_in a b c
for node in b c; do
	WAS[$(node_index $node)]=$(ring_address $node)
done
for node in b c a; do
	node_stop $node
done

# move NODE ADDRESS  it has this address alone, and no way out of its LAN
move() {
	in_ns "$1" ip addr flush dev u0 scope global
	in_ns "$1" ip addr add "$2/24" brd + dev u0
}

move b 10.98.0.12
move c 10.98.0.13
lab_equal 'no route leads elsewhere' "$(in_ns b ip route show default; in_ns c ip route show default)" ''
host_up x 10.98.0.14
ring_init x
ring_start b
ring_start c
NODES=(b c)
met() {
	in_ns b "$ELA_ELA" ping c -c 1 --dir "$T/b/net"
}
begun=$SECONDS
lab_check 'they find each other' lab_until 15 met
lab_ok "after $((SECONDS - begun)) s"
for node in b c; do
	lab_equal "$node has its address again" "$(ring_address $node)" "${WAS[$(node_index $node)]}"
	lab_compare "$node said hello" "$(counter $node hellos-out)" -ge 1
done
ping_all
lab_compare 'a hello was answered' $(($(counter b hellos-answered) + $(counter c hellos-answered))) -ge 1
lab_compare 'hellos of another network are dropped' "$(counter x drop-hello)" -ge 1
lab_equal 'and not answered' "$(counter x hellos-answered)" 0
lab_equal 'nor are those who say them called' "$(counter x handshakes-started)" 0
lab_end
