#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Blowfish has 64-bit blocks: its keys end early. 128 MiB make several, while data flows.
#
#   a 10.99.0.1 ----------- 10.99.0.2 b
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_begin
lan_up a b
CIPHER=blowfish
nodes_up a
CIPHER=aead
nodes_up b
lab_refuse 'no suite in common, no session' lab_until 1 ping_once a b
node_stop b
CIPHER=blowfish
node_ini b
capture_start
node_start b
ping_all
lab_check 'it warns at start' logged a '[Bb]lowfish'
transfer 'with blowfish' a b 64 4 ping_until b a
lab_compare 'new keys were made meanwhile' "$(counter a rekeys)" -ge 1
exact_pair a b drop-nosession drop-handshake
capture_stop
capture_clean
lab_end
