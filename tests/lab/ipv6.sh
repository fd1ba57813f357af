#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two nodes over an IPv6 underlay, by UDP and by TCP.
#
#   a fd99::1 ----------- fd99::2 b
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_begin
FAMILY=6 MTU=1400
lan_up a b
for TRANSPORT in udp tcp; do
	lab_refuse "without elad no answer ($TRANSPORT)" ping_once a b
	capture_start
	nodes_up a b
	ping_all
	transfer "over $TRANSPORT and IPv6" a b 64 3 ping_until b a
	exact_pair a b
	capture_stop
	capture_clean
	node_stop a
	node_stop b
done
lab_end
