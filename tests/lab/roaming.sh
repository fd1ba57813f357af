#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# a moves to another address while data flows, twice; b only ever follows a path that answered a sealed challenge.
#
#   a 10.99.0.1 -> .11 -> .12 ----------- 10.99.0.2 b
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_begin
DIALLERS=a
lan_up a b

# move_a OLD NEW
move_a() {
	in_ns a ip addr del "$1/24" dev u0
	in_ns a ip addr add "$2/24" dev u0
}

# a cannot send while it has no address
moved() {
	exact a drop-send
	exact b
}

lab_refuse 'without elad no answer' ping_once a b
capture_start
nodes_up a b
lab_check 'ping a to b' ping_until a b
before=$(counter b handshakes-done)
transfer 'a moves to .11' a b 64 4 move_a 10.99.0.1 10.99.0.11
moved
lab_equal 'b changed the path once' "$(counter b path-changes)" 1
lab_compare 'b asked for a proof' "$(counter b path-challenges)" -ge 1
transfer 'a moves to .12' a b 64 4 move_a 10.99.0.11 10.99.0.12
moved
exact_again a b
lab_equal 'b changed the path again' "$(counter b path-changes)" 2
lab_equal 'the session lived on' "$(counter b handshakes-done)" "$before"
capture_stop
capture_clean
lab_end
