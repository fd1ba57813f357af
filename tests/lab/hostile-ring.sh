#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A stranger, who was a member once and knows the network's ID, beside a core with five children that talk through it: replays,
# inits that cost a multiplication, a flood, connections that say nothing, rubbish or half a handshake, of XX too. After each the
# children talk on; a's memory and descriptors stay, and it answers no more than it hears. Then a member who wants a to send
# for him (prober.c). ELA_LONG=1: a million datagrams and 10,000 connections; else a twentieth.
#
#   core a .1    its children b .2  c .3  d .4  e .5  f .6    stranger g .7    member h .8      10.99.0.0/24
#
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/lab/stranger.sh
. "$(dirname "$0")/stranger.sh"
LAB_NAMES=(a b c d e f g h)
DATAGRAMS=50000 CONNECTIONS=500 SEED=${ELA_TEST_SEED:-1} CHILDREN=(b c d e f)
[ "${ELA_LONG:-0}" = 1 ] && DATAGRAMS=1000000 CONNECTIONS=10000
lab_begin
lan_up a b c d e f g h
NODES=(a "${CHILDREN[@]}")
# shellcheck disable=SC2034 # stranger.sh
STRANGER=g STRANGER_HONEST=children_talk

# children_talk  through a
children_talk() {
	ping_until b c && ping_until d e && ping_until f b
}

# sessions NODE  how often one came up there
sessions() {
	grep -cE 'session: (up|again) ' "$T/$1/log"
}

ring_init a
for node in "${CHILDREN[@]}"; do
	RING_ROLE=edge ring_join "$node" "$(ring_token a "$node")"
done
lab_check 'all are in' lab_until 15 ring_in "${NODES[@]}"
for node in "${CHILDREN[@]}"; do
	lab_equal "$node is an edge" "$(ring_role "$node")" edge
done
lab_check 'the children talk' children_talk
KEY=$(sed -n 's/^id = //p' "$T/a/net/ela.ini"):$("$ELA_ELAD" pubkey "$T/a/net/node.key")
capture_start
transfer 'something to replay' b c 2 1
capture_stop
echo "seed $SEED"

stranger 'the capture replayed from 1000 ports' replay 10.99.0.1 $LAB_PORT 1000 "$T/wire.pcap"
note a
stranger 'inits with a good mac1' inits 10.99.0.1 $LAB_PORT 2000 "$SEED" "$KEY"
counters a >"$T/a/counters"
lab_compare 'some are tried and fail' "$(grown a drop-handshake)" -ge 1
lab_compare 'most are told to show an address' "$(grown a cookies-out)" -ge 1000

# once for what is made on first use
stranger 'warm-up' flood 10.99.0.1 $LAB_PORT 2000 "$SEED" "$KEY"
stranger 'warm-up by TCP' connect 10.99.0.1 $LAB_PORT 100 "$SEED" "$KEY"
sleep 6 # the last of them end with the handshake's time limit
rss=$(rss_kib a) fds=$(fds a) before=$(sessions b)
note a
: >"$T/stranger"
stranger "$DATAGRAMS datagrams" flood 10.99.0.1 $LAB_PORT $DATAGRAMS "$SEED" "$KEY" "$T/wire.pcap" >"$T/flood.out" &
flooding=$!
transfer 'two children through a meanwhile' b c 4 2
lab_join $flooding "$T/flood.out"
counters a >"$T/a/counters"
lab_compare 'most of it arrived' "$(grown a drops cookies-out)" -ge $((DATAGRAMS / 2))
stranger "$CONNECTIONS connections" connect 10.99.0.1 $LAB_PORT $CONNECTIONS "$SEED" "$KEY"
lab_until 10 eval '[ "$(fds a)" -eq "$fds" ]'
lab_equal 'the same descriptors' "$(fds a)" "$fds"
[ "${ELA_SANITIZER:-0}" = 1 ] || lab_compare 'memory grew less than 5 MiB' $(($(rss_kib a) - rss)) -lt 5120
lab_compare 'a child lost no session' $(($(sessions b) - before)) -le 1
lab_compare 'the log stays short' "$(grep -vc counter= "$T/a/log")" -lt 300
transfer 'honest data' d e 4 1

# caught FILTER...  packets of the capture that a sent, by address and port they went to; port 9 is capture_start's own
caught() {
	tcpdump -n -q -t -r "$T/wire.pcap" "src host 10.99.0.1 and not dst port 9 and $*" 2>/dev/null |
		sed -n 's/^IP [^ ]* > \([0-9.]*\): .*/\1/p' | sort | uniq -c
}

# of_others  lines on stdin that are not of h
of_others() {
	grep -vc ' 10\.99\.0\.8\.' || true
}

capture_start
note a
before=$(sessions b)
ELA_ELAD=$ELA_PROBER ring_join h "$(ring_token a h)"
lab_check 'the member is in' lab_until 10 ring_in h
transfer 'two children meanwhile' b c 4 10
counters a >"$T/a/counters"
capture_stop
lab_compare 'a is asked for probes, and for verdicts' "$(grown a messages-in)" -ge 100
lab_compare 'a sends some of them' "$(grown a probes-out)" -ge 1
lab_compare 'and no more than the first one and six a minute, of each kind' "$(grown a probes-out)" -le 14
lab_equal 'nothing goes to the ports of services' "$(caught 'dst portrange 1-1023')" ''
lab_equal 'a calls nobody but the member' "$(caught 'tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn' | of_others)" 0
lab_equal 'nor sends datagrams to other ports' "$(caught "udp and not dst port $LAB_PORT" | of_others)" 0
lab_compare 'a child lost no session' $(($(sessions b) - before)) -le 1
lab_check 'the children talk' children_talk
lab_end
