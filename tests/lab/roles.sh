#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Who is a core and who an edge is found out, never told: a founds the network on the open Internet, b and c join there, d is
# behind a NAT, e, another user's, behind one whose ports follow no rule, f behind a firewall without UDP, g lets no connection in,
# h is invited at e. Parents and spares are those of the ring, and the next ones where a core cannot be reached.
#
#   a .1  b .2  c .3  g .4  h .5   nat1 .101 --- d    nat2 .102 --- e    wall .103 --- f      10.99.0.0/24
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
host_up g 10.99.0.4
in_ns g nft "$(printf '%s\n' 'table ip ela {' 'chain in { type filter hook input priority 0; tcp dport 7450 drop; }' \
	'chain out { type filter hook output priority 0; }' '}')"
router_up nat1 10.99.0.101 192.168.1 "$NAT_CONE"
router_up nat2 10.99.0.102 192.168.2 "$NAT_RANDOM"
router_up wall 10.99.0.103 192.168.3 "$NAT_CONE" "$NO_UDP"
lan_host d nat1 192.168.1 2
lan_host e nat2 192.168.2 2
lan_host f wall 192.168.3 2
ring_init a
for node in b c d f g; do
	ring_join $node "$(ring_token a $node)"
done
ring_join e "$(in_ns a "$ELA_ELA" invite aki --dir "$T/a/net" 2>>"$T/a/init.err")"
lab_check 'all are in' lab_until 10 ring_in a b c d e f g
role_is() {
	[ "$(ring_role "$1")" = "$2" ]
}
for node in a b c; do
	lab_check "$node is a core" lab_until 2 role_is $node core
done
for node in d e f g; do
	lab_equal "$node is an edge" "$(ring_role $node)" edge
done

# An edge lets nobody in: a token that is made there names cores. h is another machine of e's user.
host_up h 10.99.0.5
ring_join h "$(ring_token e h)"
lab_check 'h is in by a token of the edge e' lab_until 10 ring_in h
lab_check 'h is a core' lab_until 2 role_is h core

# self NODE KEY  of ela status
self() {
	in_ns "$1" "$ELA_ELA" status --json --dir "$T/$1/net" | grep -o '"self":{.*' | grep -o "\"$2\":\"[0-9a-f]*\"" | head -n 1 | cut -d '"' -f 4
}
# clockwise ID CORE...  the cores as they come at or after that ID: naive, by nothing but their IDs
clockwise() {
	local id=$1 core
	shift
	for core in "$@"; do
		self "$core" id
	done | sort | awk -v id="$id" '$1 >= id { print } $1 < id { rest = rest $1 "\n" } END { printf "%s", rest }'
}
# parents_are NODE CORE...  the node's parent and spare are the first two of those cores, clockwise
parents_are() {
	local node=$1 wanted
	shift
	wanted=$(clockwise "$(self "$node" id)" "$@" | head -n 2 | tr '\n' ' ')
	[ "$(self "$node" parent) $(self "$node" spare) " = "$wanted" ]
}
for node in d e f g; do
	lab_check "parent and spare of $node are the ring's" lab_until 8 parents_are $node a b c h
done
declare -A AT=([a]=10.99.0.1 [b]=10.99.0.2 [c]=10.99.0.3 [h]=10.99.0.5)
others=()
for node in a b c h; do
	if [ "$(self $node id)" = "$(self g parent)" ]; then
		in_ns g nft "add rule ip ela in ip saddr ${AT[$node]} drop; add rule ip ela out ip daddr ${AT[$node]} drop"
	else
		others+=("$node")
	fi
done
lab_check 'parent and spare of g are the next that it can reach' lab_until 8 parents_are g "${others[@]}"
ping_all
transfer 'd and e' d e 64 0
transfer 'e and f' e f 16 0
lab_end
