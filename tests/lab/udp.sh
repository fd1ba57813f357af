#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two nodes over UDP; the transfer runs while a third machine on the underlay pings both.
#
#   a 10.99.0.1 ----+---- 10.99.0.2 b        c 10.99.0.3 runs no elad
#                   c
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_begin
lan_up a b c

ping_underlay() {
	in_ns c ping -n -q -i 0.02 -c 50 10.99.0.1 && in_ns c ping -n -q -i 0.02 -c 50 10.99.0.2
}

lab_refuse 'without elad no answer' ping_once a b
capture_start
NODES=(a b)
nodes_up a b
ping_all
transfer 'over UDP' a b 64 4 ping_underlay
exact_pair a b
lab_refuse 'c is no member and gets no answer' ping_once c a
capture_stop
capture_clean
node_stop b
lab_refuse 'b stopped, its ping stops' ping_once a b
lab_end
