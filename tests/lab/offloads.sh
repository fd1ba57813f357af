#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each offload off by ela.ini on one side, then all of them on both: the data stay the same, and the counters of device and
# transport say that it is off - and with nothing off, that it is on.
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
	transfer "$1 off" a b 64 2 ping_until b a
	exact_pair a b
	features=$(in_ns a ethtool -k ela0)
	counted "$1"
	node_stop a
	node_stop b
}

# on FEATURE  what the kernel says of ela0: on or off
on() {
	sed -n "s/^[[:space:]]*$1: \([a-z]*\).*/\1/p" <<<"$features"
}

# value NAME  of a's counters; exact_pair read them last
value() {
	saved a "$1"
}

# counted NAME  what NAME off, and nothing else, does to a's counters and device
counted() {
	case $1 in tso | csum | all)
		lab_equal 'no superpacket comes from the device' "$(value superpackets-cut) $(value npd-tun.rx-superpackets)" '0 0'
		lab_equal 'the kernel cuts TCP itself' "$(on tx-tcp-segmentation)" off
		;;
	*)
		lab_compare 'superpackets come from the device' "$(value superpackets-cut)" -ge 1
		lab_equal 'each of them was cut' "$(value npd-tun.rx-superpackets)" "$(value superpackets-cut)"
		lab_equal 'the kernel leaves cutting TCP' "$(on tx-tcp-segmentation)" on
		;;
	esac
	# segments of one train are joined, never those of two: without GRO there is nothing to join
	case $1 in tso | csum | gro | all)
		lab_equal 'no superpacket goes to the device' "$(value superpackets-joined) $(value npd-tun.tx-superpackets)" '0 0' ;;
	*)
		lab_compare 'superpackets go to the device' "$(value superpackets-joined)" -ge 1
		lab_equal 'the device took each of them' "$(value npd-tun.tx-superpackets)" "$(value superpackets-joined)"
		;;
	esac
	case $1 in
	uso | csum | all) lab_equal 'the kernel cuts UDP itself' "$(on tx-udp-segmentation)" off ;;
	*) lab_equal 'the kernel leaves cutting UDP' "$(on tx-udp-segmentation)" "$USO" ;;
	esac
	case $1 in
	csum | all) lab_equal 'the kernel makes checksums itself' "$(on tx-checksum-ip-generic)" off ;;
	*) lab_equal 'the kernel leaves checksums' "$(on tx-checksum-ip-generic)" on ;;
	esac
	case $1 in
	gso | all) lab_equal 'a message to the kernel is a datagram' "$(value transport-udp.tx-messages)" "$(value transport-udp.tx-datagrams)" ;;
	tso | csum) ;; # trains are short then
	*) lab_compare 'a message carries several datagrams' "$(value transport-udp.tx-datagrams)" -ge $((2 * $(value transport-udp.tx-messages))) ;;
	esac
	case $1 in
	gro | all) lab_equal 'a train received is a datagram' "$(value transport-udp.rx-trains)" "$(value transport-udp.rx-datagrams)" ;;
	*) lab_compare 'a train received has several datagrams' "$(value transport-udp.rx-datagrams)" -ge $((2 * $(value transport-udp.rx-trains))) ;;
	esac
}

lab_refuse 'without elad no answer' ping_once a b
capture_start
for node in a b; do
	node_key $node
done
node_ini b
# Linux 6.2 brought UDP superpackets to TUN
USO=off
[ "$(printf '6.2\n%s\n' "$(uname -r)" | sort -V | head -n 1)" != 6.2 ] || USO=on
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
