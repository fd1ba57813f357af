#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two nodes over TCP. While the transfer runs the connection between them is cut (ss -K) and made again.
#
#   a 10.99.0.1 ----------- 10.99.0.2 b
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_begin
TRANSPORT=tcp
lan_up a b

cut() {
	in_ns a ss -K "( dport = :$LAB_PORT or sport = :$LAB_PORT )" >"$T/cut"
	in_ns b ss -K "( dport = :$LAB_PORT or sport = :$LAB_PORT )" >>"$T/cut"
}

lab_refuse 'without elad no answer' ping_once a b
capture_start
nodes_up a b
ping_all
transfer 'over TCP' a b 64 2
exact_pair a b
transfer 'over TCP, connection cut' a b 64 4 cut
lab_compare 'a connection was cut' "$(grep -c "$LAB_PORT" "$T/cut")" -ge 1
# what waited for the connection, and what came before there was another
exact a drop-stream drop-queue drop-nosession
exact b drop-stream drop-queue drop-nosession
lab_check 'ping after the cut' ping_until a b
exact_again a b
capture_stop
capture_clean
lab_end
