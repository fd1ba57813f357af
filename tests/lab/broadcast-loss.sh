#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# While an edge of a large network says a hundred things to everybody and a hundred to a group, a core is killed that others
# are reached through: who is left has 99 or 100 of each, and none twice. They are so far apart that the time in which a
# lost parent is replaced costs one of each at most. Lines "figure NAME VALUE UNIT" for bench/thirty. Nodes: see many.sh.
# Without ELA_LONG=1 ten nodes, and twelve of each.
#
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/lab/many.sh
. "$(dirname "$0")/many.sh"
if [ "${ELA_LONG:-0}" = 1 ]; then
	SIZE=(8 12 10) COUNT=100 SPACING_MS=2000 SETTLE_S=8
else
	SIZE=(3 4 3) COUNT=12 SPACING_MS=1000 SETTLE_S=3
fi

# parent NODE  of an edge; empty for a core. The founder has the name of the machine
parent() {
	local name
	name=$(sed -n 's/.*ring: neighbours parent=\([^ ]*\) .*/\1/p' "$T/$1/log" | tail -n 1)
	[ "$name" != "$(hostname)" ] || name=n1
	[ "$name" = - ] || echo "$name"
}

# choose  two edges of different parents: one will speak, the other's parent is killed
choose() {
	local node core
	for node in "${NODES[@]}"; do
		core=$(parent "$node")
		[ -n "$core" ] || continue
		SENDER=${SENDER:-$node}
		[ "$core" = "$(parent "$SENDER")" ] || VICTIM=$core
	done
}

# got NODE KIND  how many different ones it got, and how many a second time
got() {
	awk -v k="$2" '$1 == k { if (seen[$3]++) twice++; else n++ } END { printf "%d %d\n", n, twice }' "$T/$1/groups"
}

lab_begin
many_up "${SIZE[@]}"
many_in "$MANY"
SENDER='' VICTIM=''
sleep $SETTLE_S # all know all
for node in "${NODES[@]}"; do
	lab_run nsenter "--net=/run/netns/$LAB-$node" -- "$LAB_HERE/groups.py" listen ela0 "$T/$node/groups"
	: >"$T/$node/groups"
done
choose
lab_check 'edges have different parents' test -n "$VICTIM"
sleep 1
# the first ones start the sessions that there are not yet
in_ns "$SENDER" "$LAB_HERE/groups.py" send ela0 limited 3 1000
sleep 1
for node in "${NODES[@]}"; do
	: >"$T/$node/groups"
done
in_ns "$SENDER" "$LAB_HERE/groups.py" send ela0 limited $COUNT $SPACING_MS &
one=$!
sleep "$(awk -v ms=$SPACING_MS 'BEGIN { print ms / 2000 }')"
in_ns "$SENDER" "$LAB_HERE/groups.py" send ela0 group4 $COUNT $SPACING_MS &
two=$!
sleep "$(awk -v ms=$SPACING_MS -v n=$COUNT 'BEGIN { print ms * n / 3000 }')"
kill -9 "${LAB_PID[$VICTIM]}"
wait $one $two
sleep 1
least=$COUNT twice=0
for node in "${NODES[@]}"; do
	case $node in "$SENDER" | "$VICTIM") continue ;; esac
	for kind in limited group4; do
		# shellcheck disable=SC2046 # into words
		set -- $(got "$node" $kind)
		if [ "$1" -lt $((COUNT - 1)) ] || [ "$2" != 0 ]; then
			lab_fail "$node, $kind: found $1 and $2 twice, wanted $((COUNT - 1)) and 0"
		fi
		[ "$1" -ge "$least" ] || least=$1
		twice=$((twice + $2))
	done
done
lab_compare "each living node has $((COUNT - 1)) of $COUNT at least" "$least" -ge $((COUNT - 1))
lab_equal 'none has one twice' "$twice" 0
figure broadcast-least "$least" "of $COUNT"
figure broadcast-twice "$twice" ''
lab_end
