#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two lanes (then one) a node, both of a at work: while data flows between a and b, and a and c, a gets another address, b
# rereads its ini, and keys are renewed.
# ELA_LAB_MIB: MiB each way of the first transfers (64). ELA_LAB_SECONDS: how long they take at least (6); with more than 132
# the keys of AES are renewed by age in it.
#
#   a 10.99.0.1, later .41 ----------------+---- 10.99.0.2 b
#                                          +---- 10.99.0.3 or 51 to 80 c
#
# The kernel hashes the sender's address and port onto the sockets of a's lanes, with a secret of its own, and hands a flow to
# the lane that it comes in on. So an address of c gives it b's lane at a, or the other: one that does not is looked for first.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_begin
MIB=${ELA_LAB_MIB:-64} TIME=${ELA_LAB_SECONDS:-6}
lan_up a b c
declare -A AT=([a]=10.99.0.1 [b]=10.99.0.2 [c]=10.99.0.3)
# a sanitizer makes lanes too slow for their sockets, and frames outlive their session
SLOW=()
[ "${ELA_SANITIZER:-0}" = 0 ] || SLOW=(drop-busy drop-nosession drop-index)

# move NODE ADDRESS  its only underlay address
move() {
	[ "$2" != "${AT[$1]}" ] || return 0
	in_ns "$1" ip addr del "${AT[$1]}/24" dev u0
	in_ns "$1" ip addr add "$2/24" dev u0
	AT[$1]=$2
}

# answers_by PEER  the lane of a that answers PEER's pings
answers_by() {
	"$LAB_HERE/lanes.py" "$T/probe.pcap" | grep "^${AT[a]} ${AT[$1]} " | sort -k 4nr | sed -n '1s/.* \([0-9]*\) .*/\1/p'
}

# splits ADDRESS  c moves there and is followed; b and c come in on two lanes of a
splits() {
	local pid node
	move c "$1"
	ping_until c a && ping_until c b && ping_until a c && ping_until b a || return
	nsenter "--net=/run/netns/$LAB-wire" -- tcpdump -i br0 -U --immediate-mode -Z root -w "$T/probe.pcap" 2>"$T/probe.err" &
	pid=$!
	lab_until 3 grep -q 'listening on' "$T/probe.err"
	for node in b c; do
		in_ns "$node" ping -n -q -c 8 -i 0.02 -W 1 10.88.0.1 >/dev/null
	done
	sleep 0.2
	kill "$pid" && wait "$pid"
	[ -n "$(answers_by b)" ] && [ -n "$(answers_by c)" ] && [ "$(answers_by b)" != "$(answers_by c)" ]
}

# c stays where it comes in on another lane than b
find_splitting() {
	local number
	for number in 3 $(seq 51 80); do
		! splits "10.99.0.$number" || return 0
	done
	return 1
}

rekeyed() {
	[ "$(counter a rekeys)" -ge 1 ]
}

happen() {
	move a 10.99.0.41 && reread b || return
	[ "$TIME" -le 132 ] || lab_until 135 rekeyed
}

# Two transfers at once; the event falls into the first, and the second goes on all the while
transfers() {
	local beside
	mkdir -p "$T/beside"
	(TRANSFER_DIR=$T/beside transfer "$LANES lanes, a and c meanwhile" c a "$MIB" "$TIME") >"$T/beside.out" 2>&1 &
	beside=$!
	transfer "$LANES lanes, a moves, b rereads its ini" a b "$MIB" "$TIME" happen
	lab_join "$beside" "$T/beside.out"
}

# sent_by LANE  what the capture saw of a's frames (in $T/lanes), as a share of all in percent
sent_by() {
	awk -v lane="$1" '$1 == "10.99.0.1" || $1 == "10.99.0.41" { n += $4; if ($3 == lane) own += $4 }
		END { print n ? int(100 * own / n) : 0 }' "$T/lanes"
}

lanes_running() {
	cat "/proc/${LAB_PID[$1]}/task"/*/comm | grep -c '^lane[0-9]'
}

lab_refuse 'without elad no answer' ping_once a b
for LANES in 2 1; do
	nodes_up a b c
	ping_all
	for node in a b c; do
		lab_equal "$node has $LANES lanes" "$(lanes_running $node)" "$LANES"
	done
	[ "$LANES" = 1 ] || lab_check 'an address of c gives b and c a lane of a each' find_splitting
	capture_start
	transfers
	capture_stop
	if [ "$LANES" = 2 ]; then
		"$LAB_HERE/lanes.py" "$T/wire.pcap" >"$T/lanes"
		lab_compare 'lane 0 moved its share' "$(sent_by 0)" -ge 5
		lab_compare 'lane 1 moved its share' "$(sent_by 1)" -ge 5
	fi
	capture_clean
	lab_compare 'b follows a to its new address' "$(counter b path-changes)" -ge 1
	# a has no address for a moment
	exact a drop-send "${SLOW[@]}"
	exact b "${SLOW[@]}"
	exact c "${SLOW[@]}"
	exact_again a b
	[ "$TIME" -le 132 ] || lab_compare 'keys were renewed by age' "$(counter a rekeys)" -ge 1
	for node in a b c; do
		node_stop $node
	done
	move a 10.99.0.1
	move c 10.99.0.3
	MIB=64 TIME=6
done
NODES=(a b) CIPHER=blowfish LANES=2
nodes_up a b
capture_start
transfer '2 lanes, blowfish' a b 64 4 reread a
capture_stop
capture_clean
lab_compare 'keys were renewed' "$(counter a rekeys)" -ge 1
exact_pair a b "${SLOW[@]}"
lab_end
