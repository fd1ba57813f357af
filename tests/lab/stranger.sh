# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A stranger on the underlay (hostile.py), and what must hold after each thing that it does: sourced behind lib.sh, by hostile.sh
# and hostile-ring.sh. STRANGER is its node; STRANGER_HONEST asks whether the others are honest still.

STRANGER=c
STRANGER_HONEST='ping_until b a'

# field NAME  of the stranger's report
field() {
	tr ' ' '\n' <"$T/stranger" | sed -n "s/^$1=//p"
}

# stranger NAME VERB ARGUMENT...
stranger() {
	local name=$1
	shift
	in_ns "$STRANGER" timeout 600 "$LAB_HERE/hostile.py" "$@" >"$T/stranger" || lab_fail "$name: found a stranger that failed"
	lab_compare "$name: answered no more than received" "$(field received)" -le "$(field bytes)"
	# shellcheck disable=SC2086 # a command and its arguments
	lab_check "$name: the nodes are honest still" $STRANGER_HONEST
}

# pinged_meanwhile  b's pings to a are answered within two seconds, each time, while the stranger sends
pinged_meanwhile() {
	local limit=2 times=0
	[ "${ELA_SANITIZER:-0}" = 0 ] || limit=$(lab_bound 2)
	while [ ! -s "$T/stranger" ]; do
		in_ns b ping -n -q -c 1 -i 0.2 -w "$limit" 10.88.0.1 || return
		[ -s "$T/stranger" ] || times=$((times + 1))
		sleep 0.2
	done
	[ "$times" -ge 1 ]
}

# kernel_read NODE  datagrams that processes of NODE's namespace took from UDP sockets; trains are one
kernel_read() {
	in_ns "$1" awk '/^Udp: [0-9]/ { print $2 }' /proc/net/snmp
}

# note NODE  the counters now, for grown and all_grown, and what the kernel counted at the same time: a keepalive may come between
note() {
	local read=''
	kernel_read "$1" >"$T/$1/before-kernel"
	until [ "$read" = "$(cat "$T/$1/before-kernel")" ]; do
		read=$(cat "$T/$1/before-kernel")
		counters "$1" >"$T/$1/before"
		kernel_read "$1" >"$T/$1/before-kernel"
	done
}

# differences NODE PATTERN  NAME=N of each counter like PATTERN that grew since note
differences() {
	counters "$1" >"$T/$1/counters"
	awk -v pattern="$2" 'NR == FNR { was[$1] = $2; next }
		$1 ~ pattern && $2 != was[$1] { print $1 "=" $2 - was[$1] }' "$T/$1/before" "$T/$1/counters" | sort | paste -sd ' '
}

# grown NODE NAME...  sum of what these ("drops": all of those) have grown by, of the counters read last
grown() {
	local node=$1
	shift
	awk -v names=" $* " 'NR == FNR { was[$1] = $2; next }
		index(names, " " $1 " ") || ($1 ~ /^drop-/ && index(names, " drops ")) { n += $2 - was[$1] }
		END { print n + 0 }' "$T/$node/before" "$T/$node/counters"
}

# sums NODE  since note: reads of the kernel's, those that are a train, or none for a reason; datagrams, those that are an opened
# frame, an answer, or dropped for one reason
sums() {
	counters "$1" >"$T/$1/counters"
	kernel_read "$1" >"$T/$1/kernel"
	echo $(($(cat "$T/$1/kernel") - $(cat "$T/$1/before-kernel"))) \
		"$(grown "$1" transport-udp.rx-trains transport-udp.rx-empty transport-udp.rx-oversize transport-udp.rx-malformed)" \
		"$(grown "$1" transport-udp.rx-datagrams)" "$(grown "$1" frames-in cookies-out drops)"
}

# all_accounted NODE  leaves the sums for who reports that they are not equal
all_accounted() {
	local reads trains datagrams reasons
	sums "$1" >"$T/$1/sums"
	read -r reads trains datagrams reasons <"$T/$1/sums"
	[ "$reads" -eq "$trains" ] && [ "$datagrams" -eq "$reasons" ]
}

# changes NODE  "NAME: BEFORE, AFTER (+N)" of each counter that is not what it was at note, and of what the kernel counted
changes() {
	awk 'NR == FNR { was[$1] = $2; next }
		$2 != was[$1] { printf "  %s: %s before, %s after (%+d)\n", $1, was[$1], $2, $2 - was[$1] }' \
		<(cat "$T/$1/before" && sed 's/^/kernel-reads /' "$T/$1/before-kernel") \
		<(cat "$T/$1/counters" && sed 's/^/kernel-reads /' "$T/$1/kernel")
}

# accounted NODE WHAT
accounted() {
	local name="$2: each datagram has one reason" reads trains datagrams reasons
	if lab_until 3 all_accounted "$1"; then
		lab_ok "$name"
		return
	fi
	read -r reads trains datagrams reasons <"$T/$1/sums"
	lab_fail "$name: found $trains trains of $reads reads ($((trains - reads))), $reasons reasons of $datagrams datagrams" \
		"($((reasons - datagrams)))"
	changes "$1"
}
