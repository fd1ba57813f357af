#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A stranger on the underlay: bad datagrams and connections, and everything that b ever received, again. ELA_LONG=1: a million
# datagrams and 10,000 connections; else a tenth. a lives on, honest, with its memory and descriptors, and says little.
#
#   a 10.99.0.1 ----+---- 10.99.0.2 b
#                   c 10.99.0.3 stranger
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_begin
DATAGRAMS=100000 CONNECTIONS=1000 SEED=${ELA_TEST_SEED:-1}
[ "${ELA_LONG:-0}" = 1 ] && DATAGRAMS=1000000 CONNECTIONS=10000
lan_up a b c
NODES=(a b)
TRANSPORT='udp, tcp' PEER_TRANSPORT=udp

# field NAME  of the stranger's report
field() {
	tr ' ' '\n' <"$T/stranger" | sed -n "s/^$1=//p"
}

# stranger NAME VERB ARGUMENT...
stranger() {
	local name=$1
	shift
	in_ns c timeout 600 "$LAB_HERE/hostile.py" "$@" >"$T/stranger" || lab_fail "$name: found a stranger that failed"
	lab_compare "$name: answered no more than received" "$(field received)" -le "$(field bytes)"
	lab_check "$name: the nodes are honest still" ping_until b a
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

lab_refuse 'without elad no answer' ping_once a b
in_ns wire ip link set br0 mtu 9000
in_ns wire ip link set p-c mtu 9000
capture_start
# b before a: it has seen each init that was made for it
nodes_up b a
lab_check 'ping b to a' ping_until b a
transfer 'something to replay' a b 4 1
capture_stop
echo "seed $SEED"
KEY=${LAB_KEY[a]}

# The capture has what a and b sent: b opens none of it again, whatever port it comes from. (Soon: an init is known for 180 s.)
note b
lost=$(frames_lost)
stranger 'the capture replayed from 1000 ports' replay 10.99.0.2 $LAB_PORT 1000 "$T/wire.pcap"
lab_check 'b opened what a sealed since, and nothing else' lab_until 2 lost_no_more "$lost"
accounted b 'replays'
lab_equal 'each replay is dropped' "$(grown b drops cookies-out transport-udp.rx-overflow)" "$(field sent)"
lab_compare 'as a replay' "$(grown b drop-replay)" -ge 1000

# one reason each
note a
lab_check 'bad datagrams, kind by kind' in_ns c sh -c \
	"exec '$LAB_HERE/hostile.py' kinds 10.99.0.1 $LAB_PORT 50 $SEED '$KEY' >'$T/wanted'"
sleep 0.3
lab_equal 'each is dropped for its own reason' "$(differences a '^(drop-|transport-udp.rx-(empty|oversize|malformed|overflow))')" \
	"$(cat "$T/wanted")"
note a
stranger 'inits with a good mac1' inits 10.99.0.1 $LAB_PORT 2000 "$SEED" "$KEY"
accounted a 'inits'
lab_compare 'some are tried and fail' "$(grown a drop-handshake)" -ge 1
lab_compare 'most are told to show an address' "$(grown a cookies-out)" -ge 1000

# once for what is made on first use
stranger 'warm-up' flood 10.99.0.1 $LAB_PORT 2000 "$SEED" "$KEY"
stranger 'warm-up by TCP' connect 10.99.0.1 $LAB_PORT 100 "$SEED"
# the last of them end with the handshake's time limit
sleep 6
rss=$(rss_kib a) fds=$(fds a)
note a
: >"$T/stranger"
stranger "$DATAGRAMS datagrams" flood 10.99.0.1 $LAB_PORT $DATAGRAMS "$SEED" "$KEY" "$T/wire.pcap" >"$T/flood.out" &
flooding=$!
sleep 0.5
lab_check 'b pings a meanwhile' pinged_meanwhile
lab_join $flooding "$T/flood.out"
accounted a 'the flood'
lab_compare 'most of it arrived' "$(grown a drops cookies-out)" -ge $((DATAGRAMS / 2))

stranger "$CONNECTIONS connections" connect 10.99.0.1 $LAB_PORT $CONNECTIONS "$SEED"
lab_until 10 eval '[ "$(fds a)" -eq "$fds" ]'
lab_equal 'the same descriptors' "$(fds a)" "$fds"
[ "${ELA_SANITIZER:-0}" = 1 ] || lab_compare 'memory grew less than 5 MiB' $(($(rss_kib a) - rss)) -lt 5120
lab_compare 'the log stays short' "$(grep -vc counter= "$T/a/log")" -lt 300
transfer 'honest data' a b 16 1
lab_end
