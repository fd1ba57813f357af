#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A network from nothing: a founds it, b and c join by tokens. Nothing is written by hand.
#
#   a 10.99.0.1 ----+---- 10.99.0.2 b
#                   c 10.99.0.3
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/ring.sh
. "$(dirname "$0")/ring.sh"
lab_begin
lan_up a b c
ring_init a
for node in b c; do
	ring_join $node "$(ring_token a $node)"
done
lab_check 'all are in' lab_until 10 ring_in a b c
for node in a b c; do
	lab_equal "$node is a core" "$(ring_role $node)" core
done
ping_all
# Cores meet over a connection, for a newcomer has no address; then both ends go where datagrams pass
by_datagrams() {
	local node
	for node in a b c; do
		[ "$(in_ns "$node" "$ELA_ELA" peers --json --dir "$T/$node/net" | grep -o '"transport":"udp"' | wc -l)" = 2 ] || return 1
	done
}
lab_check 'cores talk by datagrams, both ways' lab_until 10 by_datagrams
transfer 'b and c' b c 64 0
lab_end
