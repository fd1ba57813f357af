# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Users who are revoked and do not go: sourced behind ring.sh, by bench/revocation too. Their nodes run ELA_DEAF, which never
# takes a newer user list; they send numbered datagrams to everybody, so that it is seen when the last one arrived.
: "${ELA_DEAF:?names the daemon that does not hear of new lists}"
declare -A REVOKE_SENDER=()

# revoke_edge NODE  it will be an edge, also where it can be reached: after its files were made
revoke_edge() {
	sed -i 's/^\[node\]$/&\nrole = edge/' "$T/$1/net/ela.ini"
}

# revoke_join NODE TOKEN ROLE [OPTION...]  as ring_join; ROLE edge or auto
revoke_join() {
	local node=$1 token=$2 role=$3
	shift 3
	mkdir -p "$T/$node"
	in_ns "$node" "$ELA_ELA" join "$token" --dir "$T/$node/net" --name "$node" --no-start "$@" >"$T/$node/join.out" \
		2>"$T/$node/join.err" || lab_fail "join of $node: found '$(tail -n 1 "$T/$node/join.err")', wanted files" || return
	[ "$role" = auto ] || revoke_edge "$node"
	ring_start "$node"
}

# revoke_user NODE USER [OPTION...]  a token for USER's first node, made at NODE, on stdout
revoke_user() {
	local node=$1
	shift
	in_ns "$node" "$ELA_ELA" invite "$@" --dir "$T/$node/net" 2>>"$T/$node/init.err" | tail -n 1
}

# wish before|behind NODE CORE...  an address next to NODE's in the ring of these cores: an edge just before it has it as parent, and
# the core behind it as spare
wish() {
	local where=$1 node=$2 core others=()
	shift 2
	for core in "$@"; do
		[ "$core" = "$node" ] || others+=("$(ring_address "$core")")
	done
	"$LAB_HERE/wish.py" "$where" "$(sed -n 's/^id = //p' "$T/$node/net/ela.ini")" 10.77.0 "$(ring_address "$node")" "${others[@]}"
}

# status_of NODE KEY  a text of the node's own part of its status
status_of() {
	in_ns "$1" "$ELA_ELA" --dir "$T/$1/net" --json status | sed -n "s/.*\"self\":{[^}]*\"$2\":\"\([^\"]*\)\".*/\1/p"
}

# has_parents NODE PARENT [SPARE]
has_parents() {
	[ "$(status_of "$1" parent)" = "$(status_of "$2" id)" ] &&
		{ [ -z "${3:-}" ] || [ "$(status_of "$1" spare)" = "$(status_of "$3" id)" ]; }
}

# numbers_hear NODE...
numbers_hear() {
	local node
	for node in "$@"; do
		lab_run nsenter "--net=/run/netns/$LAB-$node" -- "$LAB_HERE/numbered.py" hear "$T/$node/heard"
	done
}

# numbers_send FROM TO...
numbers_send() {
	local from=$1 to addresses=()
	shift
	for to in "$@"; do
		addresses+=("$(ring_address "$to")")
	done
	lab_run nsenter "--net=/run/netns/$LAB-$from" -- "$LAB_HERE/numbered.py" send "${addresses[@]}"
	REVOKE_SENDER[$from]=$(ring_address "$from")
}

# numbers_last FROM TO  when the last one arrived, by the wall clock; 0: none did
numbers_last() {
	[ -e "$T/$2/heard" ] || { echo 0 && return; }
	awk -v from="${REVOKE_SENDER[$1]}" 'BEGIN { last = 0 } $2 == from && NF == 3 { last = $1 } END { print last }' "$T/$2/heard"
}

# numbers_arrive FROMS TOS  each of both lists, in one word each
numbers_arrive() {
	local from to
	for from in $1; do
		for to in $2; do
			[ "$(numbers_last "$from" "$to")" != 0 ] || return 1
		done
	done
}

# numbers_since TIME FROMS TOS  seconds from TIME to the last that arrived at any of them
numbers_since() {
	local from to
	for from in $2; do
		for to in $3; do
			numbers_last "$from" "$to"
		done
	done | awk -v since="$1" '$1 - since > last { last = $1 - since } END { printf "%.2f\n", last }'
}

# numbers_silent FROMS TOS  nothing for a second and a half; a sender that was frozen counts as silent, so who is alive is checked
numbers_silent() {
	local age
	age=$(numbers_since "$(awk "BEGIN { printf \"%.3f\", $EPOCHREALTIME - 1.5 }")" "$1" "$2")
	[ "$age" = 0.00 ]
}

# numbers_quiet SECONDS FROMS TOS  waits for silence; SECONDS are not stretched: they are what is promised, and more
numbers_quiet() {
	local limit=$((SECONDS + $1))
	until numbers_silent "$2" "$3"; do
		[ $SECONDS -lt $limit ] || return 1
		sleep 0.2
	done
}

# revoke NODE USER  the command; REVOKED: when it began
revoke() {
	REVOKED=$EPOCHREALTIME
	in_ns "$1" "$ELA_ELA" --dir "$T/$1/net" users revoke "$2" >"$T/$1/revoke.out" 2>&1
}

# knows NODE USER  has a peer with an address, or somebody with a lease who is there, of that user; a guest has none
knows() {
	in_ns "$1" "$ELA_ELA" --dir "$T/$1/net" peers >"$T/$1/peers.out" 2>&1
	in_ns "$1" "$ELA_ELA" --dir "$T/$1/net" leases >"$T/$1/leases.out" 2>&1
	grep -qE "^10\.77\.0\.[0-9]+ .* $2 " "$T/$1/peers.out" || grep -w "$2" "$T/$1/leases.out" | grep -q online
}

# forgotten NODES USER  none of them knows it
forgotten() {
	local node
	for node in $1; do
		! knows "$node" "$2" || return 1
	done
}
