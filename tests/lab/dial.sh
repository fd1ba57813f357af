#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A network whose founder nobody can call: `ela invite --dial` has him call the newcomer, who can be reached; that works when elad
# of the founder was started again meanwhile, too. The newcomer becomes the core then, and the founder an edge.
#
#   b core .2      nat1 .101 --- a: founds the network      10.99.0.0/24
#
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/ring.sh
. "$(dirname "$0")/ring.sh"

# invite OPTION...  at a; its exit code
invite() {
	in_ns a "$ELA_ELA" invite "$@" --dir "$T/a/net" >"$T/out" 2>&1
}

# becomes NODE ROLE
becomes() {
	[ "$(ring_role "$1")" = "$2" ]
}

lab_begin
wire_up
host_up b 10.99.0.2
router_up nat1 10.99.0.101 192.168.1 "$NAT_CONE"
lan_host a nat1 192.168.1 2
mkdir "$T/a"
in_ns a "$ELA_ELA" init home --dir "$T/a/net" --name a --no-start >"$T/a/init.out" 2>&1
invite bob --dial 10.99.0.2
lab_equal 'without its elad: exit code' "$?" 3
ring_start a
lab_check 'a is in, alone' lab_until 10 ring_in a
invite bob --dial 10.99.0.2:nowhere
lab_equal 'no endpoint: exit code' "$?" 2
lab_check 'and it is told what is expected' grep -q 'expected HOST:PORT such as' "$T/out"
invite bob --dial 10.99.0.2
lab_equal 'b is to be called: exit code' "$?" 0
lab_refuse 'nobody is warned of private addresses' grep -q warning "$T/out"
token=$(tail -n 1 "$T/out")
lab_check 'it is on the disk' grep -q '^10\.99\.0\.2:7450 [0-9]*$' "$T/a/net/dials"
lab_check 'a calls, though nobody is there' lab_until 10 logged a 'bootstrap: failed endpoint=10\.99\.0\.2 .*'
lab_refuse 'b cannot call a' in_ns b ping -n -q -c 1 -W 1 192.168.1.2
node_stop a
ring_start a
lab_check 'a is in again' lab_until 10 ring_in a
ring_join b "$token"
lab_check 'b is in' lab_until 10 ring_in b
lab_check 'they talk' ping_until a b
lab_check 'and the other way' ping_until b a
lab_check 'nobody is called any more' lab_until 5 logged a 'dial: ends endpoint=10\.99\.0\.2 port=7450 reason="it is in"'
lab_equal 'nor on the disk' "$(cat "$T/a/net/dials")" ''
lab_check 'b becomes a core' lab_until 20 becomes b core
lab_check 'a becomes an edge' lab_until 30 becomes a edge
invite carol --dial 10.99.0.2
lab_equal 'an edge lets nobody in: exit code' "$?" 1
lab_check 'and it is told where to do it' grep -q 'this node is an edge, which lets nobody in.*at a core' "$T/out"
lab_check 'they talk still' ping_until a b
lab_end
