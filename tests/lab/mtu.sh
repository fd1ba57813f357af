#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The underlay carries less while data flows: first on the nodes' own links, then behind a router, once with and once without
# its ICMP answers.
#
#   a 10.99.0.1 ----------- 10.99.0.2 b                                        own links: 1500, then 1300
#   a 10.99.0.1 -- 10.99.0.254 r 10.99.1.254 -- 10.99.1.2 b                    r's link to b: 1500, then 1300
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_begin
lan_up a b

shrink_links() {
	in_ns a ip link set u0 mtu 1300
	in_ns b ip link set u0 mtu 1300
	in_ns wire ip link set br0 mtu 1300
}

# a packet of full size is told to be smaller by elad's own ICMP
told_smaller() {
	in_ns a ping -n -c 3 -i 0.3 -W 1 -M 'do' -s 1392 10.88.0.2 >"$T/ping.out" 2>&1
	grep -qE 'mtu ?=|Frag needed|message too long' "$T/ping.out"
}

lab_refuse 'without elad no answer' ping_once a b
capture_start
nodes_up a b
ping_all
lab_check 'packets of full size pass' in_ns a ping -n -q -c 3 -i 0.2 -M 'do' -s 1392 10.88.0.2
transfer 'own links shrink to 1300' a b 64 4 shrink_links
exact a drop-too-big
exact b drop-too-big
lab_check 'packets of full size are refused by name' lab_until 5 told_smaller
lab_check 'small ones pass' ping_until a b
exact_again a b
capture_stop
capture_clean
node_stop a
node_stop b

# The router
space_new r
in_ns r sysctl -qw net.ipv4.ip_forward=1
ip link add r0 netns "$LAB-r" type veth peer name p-r netns "$LAB-wire"
ip link add r1 netns "$LAB-r" type veth peer name u1 netns "$LAB-b"
in_ns wire ip link set br0 mtu 1500
in_ns wire ip link set p-r master br0 up
in_ns b ip link del u0
in_ns a ip link set u0 mtu 1500
in_ns r ip addr add 10.99.0.254/24 dev r0
in_ns r ip addr add 10.99.1.254/24 dev r1
in_ns b ip addr add 10.99.1.2/24 dev u1
for pair in r:r0 r:r1 b:u1; do
	in_ns "${pair%:*}" ip link set "${pair#*:}" up
done
in_ns a ip route add 10.99.1.0/24 via 10.99.0.254
in_ns b ip route add 10.99.0.0/24 via 10.99.1.254
sed -i 's/endpoint = 10.99.0.2:/endpoint = 10.99.1.2:/' "$T/a/ela.ini"

shrink_router() {
	in_ns r ip link set r1 mtu 1300
	in_ns b ip link set u1 mtu 1300
}

# Nobody is told: packets just end at the router
shrink_silently() {
	in_ns r nft -f - <<-END || return
		table ip t {
			chain c { type filter hook output priority 0; icmp type destination-unreachable drop; }
		}
	END
	in_ns r ip link set r1 mtu 1240
	in_ns b ip link set u1 mtu 1240
}

capture_start
node_start a
node_start b
lab_check 'ping through the router' ping_until a b
transfer "the router's link shrinks to 1300" a b 64 4 shrink_router
exact a drop-too-big
exact b drop-too-big
transfer 'it shrinks to 1240 without a word' a b 64 4 shrink_silently
exact a drop-too-big
exact b drop-too-big
exact_again a b
capture_stop
capture_clean
lab_end
