#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Who is in, by the command line: a founds a network, b is a further machine of its user, c an edge of another one, kin.
# What is said of them, by the daemon and of its folder; c leaves and comes back, and is revoked; the recovery key makes a
# new owner.
#
#   a 10.99.0.1 ----+---- 10.99.0.2 b
#                   c 10.99.0.3
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/ring.sh
. "$(dirname "$0")/ring.sh"
lab_begin

# ela_at NODE WORD...  stdout in $T/out, stderr in $T/err
ela_at() {
	local node=$1
	shift
	in_ns "$node" "$ELA_ELA" --dir "$T/$node/net" "$@" >"$T/out" 2>"$T/err" </dev/null
}

# says NAME NODE CODE PATTERN WORD...  and what comes has such a line
says() {
	local name=$1 node=$2 code=$3 pattern=$4 status=0
	shift 4
	ela_at "$node" "$@" || status=$?
	if [ $status -eq "$code" ] && cat "$T/out" "$T/err" | grep -qE -e "$pattern"; then
		lab_ok "$name"
	else
		lab_fail "$name: found exit $status and '$(cat "$T/out" "$T/err")', wanted $code and $pattern"
	fi
}

# json_is SCHEMA NODE WORD...
json_is() {
	local schema=$1 node=$2
	shift 2
	ela_at "$node" --json "$@"
	lab_equal "--json $*: as docs/json.md says" "$("$LAB_HERE/schema.py" "$ELA_JSON_MD" "$schema" <"$T/out" 2>&1)" ''
}

# line NODE PATTERN WORD...  as says(), without a verdict
line() {
	local node=$1 pattern=$2
	shift 2
	ela_at "$node" "$@" && grep -qE -e "$pattern" "$T/out"
}

lan_up a b c
ring_init a
lab_check 'a is in' lab_until 10 ring_in a
ring_join b "$(ring_token a b)"
in_ns a "$ELA_ELA" invite kin --edge-only --dir "$T/a/net" >"$T/kin.token" 2>>"$T/a/init.err"
ring_join c "$(cat "$T/kin.token")"
lab_check 'all are in' lab_until 10 ring_in a b c
lab_check 'a knows both' lab_until 10 line a '^list 0\.1,.*' users list
lab_check 'a has a session with c' lab_until 10 line a '^10\.77\.0\.[0-9]+ +c +kin +edge +(direct|via) ' peers
ping_all

# ---- what is said ----
json_is status a status
json_is status b status
json_is why a why c
json_is leases a leases
json_is users b users
says 'status: its role first' a 0 '^core: .*; core [12] of 2 in the ring, 3 nodes; .* 10\.77\.0\.[0-9]+ ' status
says 'leases: kin' b 0 "^$(ring_address c) +c +kin +[0-9-]+ +online$" leases
says 'why: by hops' a 0 'hop [12]: c: the node itself, ' why c
says 'users: kin is enrolled' b 0 '^kin +no +no +1 of 4 +- +enrolled$' users

# ---- away and back ----
address=$(ring_address c)
lab_check 'leave' ela_at c leave
lab_check 'leave: elad has gone' lab_until 5 node_gone c
unset 'LAB_PID[c]'
lab_check 'leases: c is away' lab_until 10 line a "^$address +c +kin +[0-9-]+ +away for " leases
says 'users at c: of its folder' c 0 '^kin +no +no +1 of 4 +- +enrolled$' users
elad_args
ela_at c join --elad "$ELA_ELAD" "${ELAD_ARGS[@]}"
lab_equal 'join without a token' "$?" 0
lab_equal 'join without a token: its address' "$(ring_address c)" "$address"
lab_check 'leases: c is back' lab_until 10 line a "^$address +c +kin +[0-9-]+ +online$" leases
says 'join without a token: where it runs' c 0 'elad runs already' join --elad "$ELA_ELAD"

# ---- the owner changes the list ----
says 'users at b: not its owner' b 4 "user.pem is not here: only the network's owner changes who is in it" users renew
says 'users set: not yet in the list' a 0 '^user kin: max-nodes is 2; list 0\.2, good until' users set kin max-nodes 2
lab_check 'b has the list' lab_until 10 line b '^kin +no +no +1 of 2 +- +listed$' users
says 'users reserve' a 0 '^10\.77\.0\.200 is kept for user kin; .*; list 0\.3, ' users reserve kin c 10.77.0.200
says 'users revoke' a 0 '^user kin is out with all of his nodes and tokens; list 0\.4, ' users revoke kin
lab_check 'b has that list' lab_until 10 line b '^kin +no +no +0 of 2 +10\.77\.0\.200 +revoked$' users
json_is status a status
kin_gone() { ! line a ' c +kin ' peers && ! line b ' c +kin ' peers; }
lab_check 'nobody has c as a peer' lab_until 10 kin_gone
lab_refuse 'c reaches nobody' in_ns c ping -c 1 -W 1 "$(ring_address a)"
lab_check 'a and b go on' in_ns a ping -c 1 -W 2 "$(ring_address b)"
says 'users revoke again' a 0 '^user kin is out .*; list 0\.4, ' users revoke kin

# ---- a new owner ----
mv "$T/a/net/recovery.pem" "$T/recovery.pem"
says 'recover: another key' a 4 "is not the network's recovery key" recover "$T/a/net/user.pem"
says 'recover' a 0 'the network has a new owner: whoever has .*/owner-1\.pem; .*; list 1\.1, ' recover "$T/recovery.pem"
lab_check 'b has the list of the new owner' lab_until 25 line b '^list 1\.1, ' users
says 'users renew by the new owner' a 0 '^the user list is renewed; list 1\.2, ' users renew
lab_check 'kin stays out' line b '^kin .* revoked$' users
lab_end
