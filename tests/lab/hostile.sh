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
	lab_check "$name: a is honest still" ping_until b a
}

# drops_of_all  sum of a's drop counters
drops_of_all() {
	counters a | awk '$1 ~ /^drop-/ { n += $2 } END { print n + 0 }'
}

lab_refuse 'without elad no answer' ping_once a b
in_ns wire ip link set br0 mtu 9000
in_ns wire ip link set p-c mtu 9000
capture_start
nodes_up a b
lab_check 'ping b to a' ping_until b a
transfer 'something to replay' a b 4 1
capture_stop
echo "seed $SEED"
# once for what is made on first use
stranger 'warm-up' flood 10.99.0.1 $LAB_PORT 2000 "$SEED"
stranger 'warm-up by TCP' connect 10.99.0.1 $LAB_PORT 100 "$SEED"
# the last of them end with the handshake's time limit
sleep 6
rss=$(rss_kib a) fds=$(fds a) before=$(drops_of_all)
stranger "$DATAGRAMS datagrams" flood 10.99.0.1 $LAB_PORT $DATAGRAMS "$SEED" "$T/wire.pcap"
lab_compare 'drops are counted' $(($(drops_of_all) - before)) -ge $((DATAGRAMS / 20))
frames=$(counter b frames-in)
stranger 'the capture replayed from 1000 ports' replay 10.99.0.2 $LAB_PORT 1000 "$T/wire.pcap"
lab_compare 'b opened no more than its peer sealed' "$(counter b frames-in)" -le $((frames + 20))
replays=$(counters b | awk '$1 ~ /^drop-(replay|index|repeated|mac1|rate)/ { n += $2 } END { print n + 0 }')
lab_compare 'replays are counted' "$replays" -ge 100
stranger "$CONNECTIONS connections" connect 10.99.0.1 $LAB_PORT $CONNECTIONS "$SEED"
lab_until 10 eval '[ "$(fds a)" -eq "$fds" ]'
lab_equal 'the same descriptors' "$(fds a)" "$fds"
[ "${ELA_SANITIZER:-0}" = 1 ] || lab_compare 'memory grew less than 5 MiB' $(($(rss_kib a) - rss)) -lt 5120
lab_compare 'the log stays short' "$(grep -vc counter= "$T/a/log")" -lt 300
transfer 'honest data' a b 16 1
lab_end
