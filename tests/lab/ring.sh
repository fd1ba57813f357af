# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Networks that nodes join, in the lab: sourced behind lib.sh. Nodes find their addresses themselves; overlay() asks their
# devices.

# ring_init NODE [OPTION...]  `ela init` there; its daemon is started
ring_init() {
	local node=$1
	shift
	mkdir -p "$T/$node"
	in_ns "$node" "$ELA_ELA" init home --dir "$T/$node/net" --name "$node" --no-start "$@" >"$T/$node/init.out" 2>"$T/$node/init.err" ||
		{ lab_fail "init at $node: found '$(tail -n 1 "$T/$node/init.err")', wanted a network" && return 1; }
	ring_start "$node"
}

# ring_token NODE NAME  a token for a further machine, made at NODE, on stdout
ring_token() {
	in_ns "$1" "$ELA_ELA" add-node "$2" --dir "$T/$1/net" 2>>"$T/$1/init.err" | tail -n 1
}

# ring_join NODE TOKEN [OPTION...]  `ela join` there; its daemon is started. RING_ROLE=core|edge: what its ini says
ring_join() {
	local node=$1 token=$2
	shift 2
	mkdir -p "$T/$node"
	in_ns "$node" "$ELA_ELA" join "$token" --dir "$T/$node/net" --name "$node" --no-start "$@" >"$T/$node/join.out" 2>"$T/$node/join.err" ||
		{ lab_fail "join of $node: found '$(tail -n 1 "$T/$node/join.err")', wanted files" && return 1; }
	[ -z "${RING_ROLE:-}" ] || sed -i "s/^\[node\]$/&\nrole = $RING_ROLE/" "$T/$node/net/ela.ini"
	ring_start "$node"
}

# ring_start NODE  the daemon of its folder
ring_start() {
	node_start_at "$1" "$T/$1/net/ela.ini"
}

# ring_address NODE  of its device, empty while it has none
ring_address() {
	in_ns "$1" ip -4 -o addr show dev ela0 2>/dev/null | sed -n 's/.* inet \([0-9.]*\)\/.*/\1/p'
}

overlay() {
	ring_address "$1"
}

# ring_role NODE
ring_role() {
	sed -n 's/.*network: role=\([a-z]*\) .*/\1/p' "$T/$1/log" | tail -n 1
}

# ring_in NODE...  all of them have an address
ring_in() {
	local node
	for node in "$@"; do
		[ -n "$(ring_address "$node")" ] || return 1
	done
}

# ---- what stands between a node and the Internet ----

# wire_up  the bridge that is the Internet, before nodes are put on it
wire_up() {
	space_new wire && in_ns wire ip link add br0 type bridge && in_ns wire ip link set br0 up
}

# host_up NODE ADDRESS  a machine of the Internet
host_up() {
	space_new "$1" && plug "$1" wire br0 "$2/24"
	NODES+=("$1")
}

# plug SPACE OTHER BRIDGE ADDRESS/BITS  a cable from u0 of SPACE to a bridge of OTHER
plug() {
	ip link add u0 netns "$LAB-$1" type veth peer name "p-$1" netns "$LAB-$2" &&
		in_ns "$2" ip link set "p-$1" master "$3" up && in_ns "$1" ip addr add "$4" dev u0 && in_ns "$1" ip link set u0 up
}

# router_up NAME ADDRESS NET [RULE...]  a router of the Internet with a LAN NET.0/24 behind it and these lines of an nft table
router_up() {
	local name=$1 address=$2 net=$3
	shift 3
	space_new "$name" && plug "$name" wire br0 "$address/24" && in_ns "$name" ip link add lan type bridge &&
		in_ns "$name" ip addr add "$net.1/24" dev lan && in_ns "$name" ip link set lan up &&
		in_ns "$name" sysctl -qw net.ipv4.ip_forward=1 &&
		in_ns "$name" nft "$(printf '%s\n' 'table ip ela {' "$@" '}')"
}

# Tables of router_up: a cone NAT, one whose ports follow no rule, a firewall that lets no UDP through
NAT_CONE='chain post { type nat hook postrouting priority 100; oifname "u0" masquerade; }'
NAT_RANDOM='chain post { type nat hook postrouting priority 100; oifname "u0" masquerade fully-random; }'
NO_UDP='chain forward { type filter hook forward priority 0; meta l4proto udp drop; }'

# lan_host NODE ROUTER NET NUMBER  a machine in the LAN of a router
lan_host() {
	space_new "$1" && plug "$1" "$2" lan "$3.$4/24" && in_ns "$1" ip route add default via "$3.1"
	NODES+=("$1")
}
