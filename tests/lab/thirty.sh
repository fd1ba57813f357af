#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Thirty nodes of two users: eight cores, twelve edges beside them and ten behind one NAT (many.sh has the drawing). Each pair
# talks; what all of it costs while nobody says anything, and how long the last one takes to get in. Lines "figure NAME VALUE
# UNIT" for bench/thirty. Without ELA_LONG=1 twelve nodes for a shorter while.
#
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/lab/many.sh
. "$(dirname "$0")/many.sh"
if [ "${ELA_LONG:-0}" = 1 ]; then
	SIZE=(8 12 10) IDLE_S=40 SETTLE_S=15 # each record is renewed once
else
	SIZE=(4 5 3) IDLE_S=6 SETTLE_S=2
fi
HZ=$(getconf CLK_TCK)

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

# underlay_bytes NODE  that came, and that went, at u0, with all headers
underlay_bytes() {
	in_ns "$1" sed -n 's/^ *u0: *//p' /proc/net/dev | awk '{ print $1, $9 }'
}

# column NUMBER  of what was found
column() {
	cut -d ' ' -f "$1" "$T/idle"
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
many_up "${SIZE[@]}"
many_in $((MANY - 1))
seconds=()
for try in 1 2 3; do
	if [ $try = 1 ]; then
		many_join "$MANY"
	else
		node_stop "n$MANY"
		sleep 1
		ring_start "n$MANY"
	fi
	lab_until 10 is_in "n$MANY" || lab_fail "n$MANY is in: found it outside"
	seconds+=("$(in_seconds "n$MANY")")
done
join_s=$(printf '%s\n' "${seconds[@]}" | sort -n | sed -n 2p)
declare -A ADDRESS=() BYTES=()
for node in "${NODES[@]}"; do
	ADDRESS[$node]=$(ring_address "$node")
done
sleep $SETTLE_S # the last one's records are everywhere, and what its join needed is given back

before=$(ticks)
for node in "${NODES[@]}"; do
	BYTES[$node]=$(underlay_bytes "$node")
done
sleep $IDLE_S
cpu=$(awk -v t=$(($(ticks) - before)) -v hz="$HZ" -v s=$IDLE_S 'BEGIN { printf "%.2f", 100 * t / hz / s }')
for node in "${NODES[@]}"; do
	# shellcheck disable=SC2046,SC2086 # into words
	set -- ${BYTES[$node]} $(underlay_bytes "$node") $(rss_kib "$node")
	echo "$node $((($3 - $1) / IDLE_S)) $((($4 - $2) / IDLE_S)) $((($3 - $1 + $4 - $2) / IDLE_S)) $5"
done >"$T/idle"
missing=$(pings)
lab_equal 'each pair answers' "$missing" ''
# What bench/thirty holds them to is for a machine of one's own; here only what is out of all proportion is an error.
lab_check 'the last one is in within seconds' awk -v s="$join_s" -v most="$(lab_bound 3)" 'BEGIN { exit !(s != "" && s < most) }'
lab_check 'the quiet network costs a quarter of a core at most' awk -v c="$cpu" -v most="$(lab_bound 8)" 'BEGIN { exit !(c <= most) }'
lab_compare 'no node sends more than three times 1 kB a second of control' "$(column 3 | largest)" -le $(($(lab_bound 1) * 1024))
[ "${ELA_SANITIZER:-0}" = 1 ] || lab_compare 'no node has more than 16 MiB in memory' "$(column 5 | largest)" -le 16384
figure join "$join_s" s
figure idle-cpu "$cpu" '%'
figure rss "$(column 5 | largest)" KiB
figure rss-after-pings "$(for node in "${NODES[@]}"; do rss_kib "$node"; done | largest)" KiB
figure control-sent "$(column 3 | largest)" B/s
figure control-both "$(column 4 | largest)" B/s
figure control-mean "$(column 4 | awk '{ n += $1 } END { printf "%d", n / NR }')" B/s
cat "$T/idle"
lab_end
