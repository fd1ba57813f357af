#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Thirty nodes of two users: eight cores, twelve edges beside them and ten behind one NAT. Each pair talks; what all of it
# costs while nobody says anything, and how long the thirtieth takes to get in. Lines "figure NAME VALUE UNIT" for bench/thirty.
#
#   n1 .1 ... n8 .8 cores    n9 .9 ... n20 .20 edges    nat .101 --- n21 192.168.1.2 ... n30 192.168.1.11      10.99.0.0/24
#
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/ring.sh
. "$(dirname "$0")/ring.sh"
IDLE_S=20
HZ=$(getconf CLK_TCK)

figure() {
	printf 'figure %s %s %s\n' "$1" "$2" "$3"
}

# in_seconds NODE  that its last join took, by its log; empty while it is not in
in_seconds() {
	sed -n 's/.*joining: in .*seconds=\([0-9.]*\).*/\1/p' "$T/$1/log" | tail -n 1
}

is_in() {
	[ -n "$(in_seconds "$1")" ]
}

# ticks  of processor time that all daemons had, together
ticks() {
	local node sum=0 stat
	for node in "${NODES[@]}"; do
		read -r stat <"/proc/${LAB_PID[$node]}/stat"
		# shellcheck disable=SC2086 # into words
		set -- ${stat##*) }
		sum=$((sum + ${12} + ${13}))
	done
	echo $sum
}

# underlay_bytes NODE  that came and went at u0, with all headers
underlay_bytes() {
	in_ns "$1" sed -n 's/^ *u0: *//p' /proc/net/dev | awk '{ print $1 + $9 }'
}

# largest  of the numbers on stdin
largest() {
	sort -n | tail -n 1
}

# pings  each node to all others at once; prints "NODE: ADDRESS..." of those that did not answer
pings() {
	local node other pids=() addresses
	for node in "${NODES[@]}"; do
		addresses=()
		for other in "${NODES[@]}"; do
			[ "$other" = "$node" ] || addresses+=("${ADDRESS[$other]}")
		done
		nsenter "--net=/run/netns/$LAB-$node" -- "$LAB_HERE/pings.py" "$(lab_bound 5)" "${addresses[@]}" >"$T/$node/pings" &
		pids+=($!)
	done
	wait "${pids[@]}"
	for node in "${NODES[@]}"; do
		[ -z "$(cat "$T/$node/pings")" ] || echo "$node: $(cat "$T/$node/pings")"
	done
}

lab_begin
wire_up
for i in $(seq 1 20); do
	host_up "n$i" "10.99.0.$i"
done
router_up nat 10.99.0.101 192.168.1 "$NAT_CONE"
for i in $(seq 21 30); do
	lan_host "n$i" nat 192.168.1 $((i - 19))
done
ring_init n1
for i in $(seq 2 29); do
	RING_ROLE=core
	[ "$i" -le 8 ] || RING_ROLE=edge
	[ "$i" -le 20 ] || RING_ROLE=
	if [ "$i" != 8 ] && [ "$i" -le 16 ]; then
		token=$(ring_token n1 "n$i")
	elif [ "$i" = 8 ]; then
		token=$(in_ns n1 "$ELA_ELA" invite second --max-nodes 16 --dir "$T/n1/net" 2>>"$T/n1/init.err" | tail -n 1)
	else
		token=$(ring_token n8 "n$i")
	fi
	ring_join "n$i" "$token"
	# whoever makes tokens is in
	[ "$i" != 8 ] || lab_until 10 is_in n8
done
for i in $(seq 2 29); do
	lab_until 10 is_in "n$i" || lab_fail "n$i is in: found it outside"
done
seconds=()
for try in 1 2 3; do
	if [ $try = 1 ]; then
		ring_join n30 "$(ring_token n8 n30)"
	else
		node_stop n30
		sleep 1
		ring_start n30
	fi
	lab_until 10 is_in n30 || lab_fail "n30 is in: found it outside"
	seconds+=("$(in_seconds n30)")
done
join_s=$(printf '%s\n' "${seconds[@]}" | sort -n | sed -n 2p)
declare -A ADDRESS=() BYTES=()
for node in "${NODES[@]}"; do
	ADDRESS[$node]=$(ring_address "$node")
done
sleep 5 # the last one's records are everywhere

before=$(ticks)
for node in "${NODES[@]}"; do
	BYTES[$node]=$(underlay_bytes "$node")
done
sleep $IDLE_S
cpu=$(awk -v t=$(($(ticks) - before)) -v hz="$HZ" -v s=$IDLE_S 'BEGIN { printf "%.2f", 100 * t / hz / s }')
for node in "${NODES[@]}"; do
	echo "$node $(((${BYTES[$node]} * -1 + $(underlay_bytes "$node")) / IDLE_S)) $(rss_kib "$node")"
done >"$T/idle"
missing=$(pings)
lab_equal 'each pair answers' "$missing" ''
# What bench/thirty holds them to is for a machine of one's own; here only what is out of all proportion is an error.
lab_check 'the thirtieth is in within seconds' awk -v s="$join_s" -v most="$(lab_bound 3)" 'BEGIN { exit !(s != "" && s < most) }'
lab_check 'the quiet network costs a quarter of a core at most' awk -v c="$cpu" -v most="$(lab_bound 8)" 'BEGIN { exit !(c <= most) }'
lab_compare 'no node has more than 4 kB a second of control' "$(($(cut -d ' ' -f 2 "$T/idle" | largest) / $(lab_bound 1)))" -le 4096
figure join "$join_s" s
figure idle-cpu "$cpu" '%'
figure rss "$(cut -d ' ' -f 3 "$T/idle" | largest)" KiB
figure rss-after-pings "$(for node in "${NODES[@]}"; do rss_kib "$node"; done | largest)" KiB
figure control "$(cut -d ' ' -f 2 "$T/idle" | largest)" B/s
figure control-mean "$(awk '{ n += $2 } END { printf "%d", n / NR }' "$T/idle")" B/s
cat "$T/idle"
lab_end
