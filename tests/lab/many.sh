# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Networks of many nodes of two users, in the lab: sourced behind lib.sh and ring.sh.
#
#   n1 .1 ... cores    then .. edges    nat .101 --- the last ones, 192.168.1.2 ...      10.99.0.0/24

# many_up CORES EDGES BEHIND  so many machines: cores, edges beside them, and machines behind one NAT that find their role
many_up() {
	local i
	MANY_CORES=$1 MANY_OPEN=$(($1 + $2)) MANY=$(($1 + $2 + $3))
	wire_up
	for i in $(seq 1 $MANY_OPEN); do
		host_up "n$i" "10.99.0.$i"
	done
	router_up nat 10.99.0.101 192.168.1 "$NAT_CONE"
	for i in $(seq $((MANY_OPEN + 1)) $MANY); do
		lan_host "n$i" nat 192.168.1 $((i - MANY_OPEN + 1))
	done
}

# many_token NUMBER  of that node, on stdout. A user has 16 machines: the last core is the second user's first one
many_token() {
	if [ "$1" = "$MANY_CORES" ]; then
		in_ns n1 "$ELA_ELA" invite second --max-nodes 16 --dir "$T/n1/net" 2>>"$T/n1/init.err" | tail -n 1
	elif [ "$1" -le 16 ]; then
		ring_token n1 "n$1"
	else
		ring_token "n$MANY_CORES" "n$1"
	fi
}

# many_join NUMBER  that node
many_join() {
	local RING_ROLE=core
	[ "$1" -le "$MANY_CORES" ] || RING_ROLE=edge
	[ "$1" -le "$MANY_OPEN" ] || RING_ROLE=
	ring_join "n$1" "$(many_token "$1")"
}

# many_in UPTO  the first so many nodes found the network and are in
many_in() {
	local i
	ring_init n1
	for i in $(seq 2 "$1"); do
		many_join "$i"
		# who makes the tokens of others is in before
		[ "$i" != "$MANY_CORES" ] || lab_until 10 is_in "n$i"
	done
	for i in $(seq 2 "$1"); do
		lab_until 10 is_in "n$i" || lab_fail "n$i is in: found it outside"
	done
}

# in_seconds NODE  that its last join took, by its log; empty while it is not in
in_seconds() {
	sed -n 's/.*joining: in .*seconds=\([0-9.]*\).*/\1/p' "$T/$1/log" | tail -n 1
}

is_in() {
	[ -n "$(in_seconds "$1")" ]
}

# figure NAME VALUE UNIT  for bench/thirty
figure() {
	printf 'figure %s %s %s\n' "$1" "$2" "$3"
}
