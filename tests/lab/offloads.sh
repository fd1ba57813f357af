#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each offload off by ela.ini on one side, then all of them on both: the data stay the same.
#
#   a 10.99.0.1 ----------- 10.99.0.2 b
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_begin
lan_up a b

# with NAME NPD-LINE UDP-LINE  a has it off; b too for "all"
with() {
	node_ini a
	NPD_LINES=$2 UDP_LINES=$3 node_ini a
	[ "$1" = all ] && NPD_LINES=$2 UDP_LINES=$3 node_ini b
	node_start a || return
	node_start b || return
	ping_all
	transfer "$1 off" a b 64 2 ping_once b a
	exact_pair a b
	joined=$(counter a superpackets-joined) cut=$(counter a superpackets-cut)
	sends=$(counter a sends) frames=$(counter a frames-out)
	case $1 in
	nothing)
		lab_compare 'superpackets come from the device' "$cut" -ge 1
		lab_compare 'superpackets go to the device' "$joined" -ge 1
		lab_compare 'one send carries several frames' "$frames" -ge $((sends * 4))
		;;
	tso | all) lab_equal 'no superpacket comes from the device' "$cut" 0 ;;
	esac
	node_stop a
	node_stop b
}

lab_refuse 'without elad no answer' ping_once a b
capture_start
for node in a b; do
	node_key $node
done
node_ini b
with nothing '' ''
with tso 'tso = off' ''
with uso 'uso = off' ''
with csum 'csum = off' ''
with gso '' 'gso = off'
with gro '' 'gro = off'
with all $'tso = off\nuso = off\ncsum = off' $'gso = off\ngro = off'
capture_stop
capture_clean
lab_end
