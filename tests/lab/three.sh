#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Three nodes, each with both others as peers; c crashes and comes back while a and b move data, and broadcast reaches all.
#
#   a 10.99.0.1 ----+---- 10.99.0.2 b
#                   c 10.99.0.3
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_begin
lan_up a b c

crash_c() {
	node_crash c
	! ping_once a c
	node_start c && ping_until a c && ping_until c b
}

# Answers to one broadcast ping of a, its own excluded
broadcast_answers() {
	in_ns a ping -n -b -c 3 -i 0.3 -W 2 10.88.0.255 2>/dev/null | sed -n 's/.*from \(10.88.0.[23]\):.*/\1/p' | sort -u | wc -l
}

both_answer() {
	[ "$(broadcast_answers)" = 2 ]
}

lab_refuse 'without elad no answer' ping_once a b
capture_start
nodes_up a b c
ping_all
for node in b c; do
	in_ns $node sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0
done
lab_check 'b and c answer a broadcast' lab_until 3 both_answer
transfer 'a and b while c crashes' a b 64 4 crash_c
# packets for c while it was away, frames of sessions that ended with it
exact a drop-nosession
exact b drop-nosession
exact c drop-index
transfer 'b and c' b c 64 2
ping_all
exact a drop-nosession
exact b drop-nosession
exact c drop-index
exact_again a c
capture_stop
capture_clean
lab_end
