# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A parent is lost, or leaves, while two of its network's edges talk: sourced behind lib.sh and ring.sh, by failover.sh and by
# bench/failover.
#
#   a .1  b .2  c .3  d .4   nat1 .101 --- e    nat2 .102 --- f      10.99.0.0/24
#
# e and f are edges; frames between them go through e's parent, and f's.

GAPS_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# gaps_core NODE  it is a core whatever probes find: who asks for them often is told to wait
gaps_core() {
	sed -i 's/^\[node\]$/&\nrole = core/' "$T/$1/net/ela.ini"
	[ "$(ring_role "$1")" != core ] || return 0
	node_stop "$1"
	ring_start "$1"
}

# gaps_up  the network, all in it
gaps_up() {
	local node
	wire_up
	for node in a b c d; do
		host_up $node "10.99.0.$(printf '%d' "'$node" | awk '{ print $1 - 96 }')"
	done
	router_up nat1 10.99.0.101 192.168.1 "$NAT_CONE"
	router_up nat2 10.99.0.102 192.168.2 "$NAT_RANDOM"
	lan_host e nat1 192.168.1 2
	lan_host f nat2 192.168.2 2
	ring_init a
	for node in b c d e f; do
		ring_join $node "$(ring_token a $node)"
	done
	lab_check 'all are in' lab_until 10 ring_in a b c d e f || return
	for node in a b c d; do
		gaps_core $node
	done
	for node in e f; do
		lab_equal "$node is an edge" "$(ring_role $node)" edge
	done
	lab_check 'they have parents and spares' lab_until 20 gaps_settled
}

gaps_status() {
	in_ns "$1" "$ELA_ELA" status --json --dir "$T/$1/net"
}

# gaps_parents NODE  names of parent and spare
gaps_parents() {
	gaps_status "$1" | "$GAPS_HERE/gaps.py" parents
}

# gaps_settled  all are in; the edges have those that the ring gives them, and answer each other
gaps_settled() {
	local node
	ring_in a b c d e f || return
	for node in e f; do
		gaps_status $node >"$T/status.$node" && "$GAPS_HERE/gaps.py" settled a b c d <"$T/status.$node" || return
	done
	ping_once e f && ping_once f e
}

# ---- how a parent goes, and comes back ----

# gaps_lose WAY NODE
# shellcheck disable=SC2153 # of lib.sh
gaps_lose() {
	date +%s.%N >"$T/lost"
	case $1 in
	kill) kill -9 "${LAB_PID[$2]}" ;;
	cut) in_ns "$2" nft "$(printf '%s\n' 'table inet cut {' 'chain i { type filter hook input priority 0; iifname "u0" drop; }' \
		'chain o { type filter hook output priority 0; oifname "u0" drop; }' '}')" ;;
	stop) kill -STOP "${LAB_PID[$2]}" ;;
	term) kill -TERM "${LAB_PID[$2]}" ;;
	leave) in_ns "$2" "$ELA_ELA" leave --dir "$T/$2/net" ;;
	esac
	sleep "$GAPS_WAIT"
}

# gaps_restore WAY NODE
gaps_restore() {
	case $1 in
	cut) in_ns "$2" nft delete table inet cut ;;
	stop) kill -CONT "${LAB_PID[$2]}" ;;
	*)
		lab_until 10 node_gone "$2" || lab_fail "$2 ends: found it alive"
		wait "${LAB_PID[$2]}" 2>/dev/null
		ring_start "$2"
		;;
	esac
}

# ---- one repetition ----

# gaps_shaken NODE FROM PEER...  how many sessions with those PEERs came up since its log had FROM bytes
gaps_shaken() {
	local node=$1 from=$2 pattern
	shift 2
	pattern=$(printf '|%s' "$@")
	tail -c "+$((from + 1))" "$T/$node/log" | grep -cE "session: (up|again|rekeyed) peer=(${pattern:1}) "
}

# gaps_once WAY  loses e's parent while e pings f and both move bytes: the row on stdout; what it measured in GAP_MS, the longest
# time without an answer since; GAP_BEFORE, the same of the seconds before, which is what the machine does to any flow; GAP_LOST,
# pings of every 10 ms that had no answer; GAP_SHAKEN, handshakes; and GAP_FLOW, ok or the transfer's complaint. GAPS_WAIT: seconds
# until the network is made whole again
GAPS_WAIT=5
gaps_once() {
	local way=$1 parent spare other other_spare ping at_e at_f before=$LAB_FAILED
	lab_until 30 gaps_settled || lab_fail "before $way: found no settled network" || return
	read -r parent spare <<<"$(gaps_parents e)"
	read -r other other_spare <<<"$(gaps_parents f)"
	at_e=$(stat -c %s "$T/e/log")
	at_f=$(stat -c %s "$T/f/log")
	nsenter "--net=/run/netns/$LAB-e" -- ping -n -D -i 0.01 "$(overlay f)" >"$T/ping.out" 2>&1 &
	ping=$!
	LAB_PIDS+=("$ping")
	transfer "flow over $way of $parent" e f 16 4 gaps_lose "$way" "$parent" >"$T/flow.out"
	kill -INT $ping
	wait $ping 2>/dev/null
	GAP_FLOW=$(cat "$T/flow.out")
	[ "$LAB_FAILED" -gt "$before" ] || GAP_FLOW=ok
	GAP_MS=$("$GAPS_HERE/gaps.py" longest "$T/ping.out" "$(cat "$T/lost")")
	read -r GAP_BEFORE GAP_LOST <<<"$("$GAPS_HERE/gaps.py" around "$T/ping.out" "$(cat "$T/lost")")"
	GAP_SHAKEN=$(($(gaps_shaken e "$at_e" "$spare" f) + $(gaps_shaken f "$at_f" "$other_spare" e)))
	printf 'way=%s gap_ms=%s before_ms=%s lost=%s handshakes=%s flow=%s parent=%s spare=%s other=%s other_spare=%s\n' "$way" \
		"$GAP_MS" "$GAP_BEFORE" "$GAP_LOST" "$GAP_SHAKEN" "$GAP_FLOW" "$parent" "$spare" "$other" "$other_spare"
	gaps_restore "$way" "$parent"
}
