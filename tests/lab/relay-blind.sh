#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A relay reads and alters nothing: what two edges say to each other is never in the memory of the cores that carry it, nor on
# the underlay, and what is altered on the way is dropped by the end, and counted.
#
#   a .1  b .2   nat1 .101 --- e    nat2 .102 --- f      10.99.0.0/24
#
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/ring.sh
. "$(dirname "$0")/ring.sh"

# look_20  in how many of 20 looks each daemon's memory has the marker
look_20() {
	"$LAB_HERE/memory.py" "$LAB_MARKER" 20 "${LAB_PID[a]}" "${LAB_PID[b]}" "${LAB_PID[e]}" "${LAB_PID[f]}" >"$T/found"
}

# found NODE
found() {
	awk -v pid="${LAB_PID[$1]}" '$1 == pid { print $2 }' "$T/found"
}

# A byte of the ciphertext of some large datagrams that a core sends becomes another; ELA's header and both tags stay.
flip() {
	local node
	for node in a b; do
		in_ns "$node" nft "$(printf '%s\n' 'table ip flip {' 'counter n { }' 'chain out { type filter hook postrouting priority 0;' \
			'udp length > 400 limit rate 20/second burst 5 packets @th,1600,8 set 0xa5 counter name n; }' '}')" || return
	done
	sleep 2
	for node in a b; do
		in_ns "$node" nft flush chain ip flip out || return
		in_ns "$node" nft list counter ip flip n | sed -n 's/.*packets \([0-9]*\).*/\1/p' >"$T/flipped.$node"
		in_ns "$node" nft delete table ip flip || return
	done
}

lab_begin
wire_up
host_up a 10.99.0.1
host_up b 10.99.0.2
router_up nat1 10.99.0.101 192.168.1 "$NAT_CONE"
router_up nat2 10.99.0.102 192.168.2 "$NAT_RANDOM"
lan_host e nat1 192.168.1 2
lan_host f nat2 192.168.2 2
ring_init a
for node in b e f; do
	ring_join $node "$(ring_token a $node)"
done
lab_check 'all are in' lab_until 10 ring_in a b e f
lab_equal 'e is an edge' "$(ring_role e)" edge
lab_equal 'f is an edge' "$(ring_role f)" edge
lab_check 'e hears f' lab_until 10 ping_once e f

capture_start
transfer 'what is looked for' e f 16 4 look_20
capture_stop
capture_secret
for node in a b; do
	lab_equal "$node never has it" "$(found $node)" 0
done
for node in e f; do
	lab_compare "$node has it: the search finds it" "$(found $node)" -ge 1
done
relayed=$(($(counter a relayed) + $(counter b relayed)))
lab_compare 'frames that cores relayed' "$relayed" -ge 10000

before=$(($(counter e drop-tag) + $(counter f drop-tag)))
transfer 'altered on the way' e f 16 3 flip
flipped=$(cat "$T/flipped.a" "$T/flipped.b" | awk '{ n += $1 } END { print n }')
dropped=$(($(counter e drop-tag) + $(counter f drop-tag) - before))
lab_compare 'datagrams that were altered' "$flipped" -ge 5
lab_compare "ends dropped and counted them, of $flipped" "$dropped" -ge $((flipped / 2))
lab_compare 'and no more than those' "$dropped" -le "$flipped"
lab_end
