#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A stranger on the underlay: bad datagrams and connections, and everything that b ever received, again. ELA_LONG=1: a million
# datagrams and 10,000 connections; else a tenth. a lives on, honest, with its memory and descriptors, and says little.
#
#   a 10.99.0.1 ----+---- 10.99.0.2 b
#                   c 10.99.0.3 stranger
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/stranger.sh
. "$(dirname "$0")/stranger.sh"
lab_begin
DATAGRAMS=100000 CONNECTIONS=1000 SEED=${ELA_TEST_SEED:-1}
[ "${ELA_LONG:-0}" = 1 ] && DATAGRAMS=1000000 CONNECTIONS=10000
lan_up a b c
NODES=(a b)
TRANSPORT='udp, tcp' PEER_TRANSPORT=udp

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
