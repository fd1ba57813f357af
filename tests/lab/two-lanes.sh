#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two lanes (then one) a node: while data flows node a gets another address, b rereads its ini, and keys are renewed.
# ELA_LAB_MIB: MiB each way of the first transfer (64). ELA_LAB_SECONDS: how long it takes at least (6); with more than 132
# the keys of AES are renewed by age in it.
#
#   a 10.99.0.1, later 10.99.0.11 ----------- 10.99.0.2 b
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_begin
MIB=${ELA_LAB_MIB:-64} TIME=${ELA_LAB_SECONDS:-6}
lan_up a b

# move_a OLD NEW  its only underlay address
move_a() {
	in_ns a ip addr del "$1/24" dev u0
	in_ns a ip addr add "$2/24" dev u0
}

rekeyed() {
	[ "$(counter a rekeys)" -ge 1 ]
}

happen() {
	move_a 10.99.0.1 10.99.0.11 && reread b || return
	[ "$TIME" -le 132 ] || lab_until 135 rekeyed
}

lab_refuse 'without elad no answer' ping_once a b
capture_start
for LANES in 2 1; do
	nodes_up a b
	ping_all
	for node in a b; do
		# one thread a lane beside the control thread
		lab_compare "$node has $LANES lanes" "$(find "/proc/${LAB_PID[$node]}/task" -mindepth 1 -maxdepth 1 | wc -l)" -gt "$LANES"
	done
	transfer "$LANES lanes, a moves, b rereads its ini" a b "$MIB" "$TIME" happen
	lab_compare 'b follows a to its new address' "$(counter b path-changes)" -ge 1
	lab_compare 'the device of a lost nothing' "$(drops a drop-busy drop-send drop-nosession drop-index | wc -c)" -eq 0
	[ "$TIME" -le 132 ] || lab_compare 'keys were renewed by age' "$(counter a rekeys)" -ge 1
	node_stop a
	node_stop b
	move_a 10.99.0.11 10.99.0.1
	MIB=64 TIME=6
done
CIPHER=blowfish LANES=2
nodes_up a b
transfer '2 lanes, blowfish' a b 64 4 reread a
lab_compare 'keys were renewed' "$(counter a rekeys)" -ge 1
capture_stop
capture_clean
lab_end
