#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A peer dies by SIGKILL and starts anew while data flows; then another is stopped and started in order.
#
#   a 10.99.0.1 ----------- 10.99.0.2 b
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_begin
lan_up a b

restart_b() {
	node_crash b
	! ping_once a b && node_start b && ping_until a b
}

restart_a() {
	node_stop a
	! ping_once b a && node_start a && ping_until b a
}

# Frames of a session that ended with its daemon, and packets for a peer that is away for more than a second, are lost
survived() {
	exact a drop-index drop-nosession
	exact b drop-index drop-nosession
}

lab_refuse 'without elad no answer' ping_once a b
capture_start
nodes_up a b
ping_all
transfer 'b is killed and starts anew' a b 64 4 restart_b
survived
exact_again a b
transfer 'a leaves and starts anew' a b 64 4 restart_a
survived
exact_again a b
lab_compare 'b made a new session with each' "$(counter b handshakes-done)" -ge 2
ping_all
capture_stop
capture_clean
lab_end
