#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A network in two parts for a while, and what both sides did meanwhile: one token used by two machines, and two user lists of
# one version by an owner who has his key on both sides. When they meet one machine is out and is told why, and the fork is an
# alarm until the owner signs again.
#
#   a 10.99.0.1, c 10.99.0.3  br0 --/-- br1  b 10.99.0.2, d 10.99.0.4
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/ring.sh
. "$(dirname "$0")/ring.sh"
lab_begin
lan_up a b c d

# line NODE PATTERN WORD...  what ela says there has such a line
line() {
	local node=$1 pattern=$2
	shift 2
	in_ns "$node" "$ELA_ELA" --dir "$T/$node/net" "$@" >"$T/out" 2>&1
	grep -qE -e "$pattern" "$T/out"
}

# apart BRIDGE  where the cables of b and d are
apart() {
	in_ns wire ip link set p-b master "$1" && in_ns wire ip link set p-d master "$1"
}

both_forked() {
	line a 'contradict each other' status && line b 'contradict each other' status
}

none_forked() {
	! line a 'contradict each other' status && ! line b 'contradict each other' status
}

# One of c and d is in, in the eyes of both cores; its name goes to $T/winner.
one_is_in() {
	local winner loser
	for winner in c d; do
		[ "$winner" = c ] && loser=d || loser=c
		if line a " $winner +ute " peers && line b " $winner +ute " peers && ! line a " $loser +ute " peers &&
			! line b " $loser +ute " peers; then
			echo "$winner $loser" >"$T/winner"
			return 0
		fi
	done
	return 1
}

is_told() {
	line "$1" '^joining: .*(revoked|not authorised|somebody else)' status
}

in_ns wire ip link add br1 type bridge && in_ns wire ip link set br1 up
ring_init a
lab_check 'a is in' lab_until 10 ring_in a
ring_join b "$(ring_token a b)"
lab_check 'b is in' lab_until 10 ring_in b
lab_check 'a knows where b is' lab_until 10 test -s "$T/a/net/cores"
cp "$T/a/net/user.pem" "$T/b/net/user.pem"
in_ns a "$ELA_ELA" invite ute eve --dir "$T/a/net" >"$T/tokens" 2>>"$T/a/init.err"
token=$(sed -n 's/.*\(ela1_.*\)/\1/p' "$T/tokens" | head -n 1)

apart br1
ring_join c "$token"
ring_join d "$token"
lab_check 'both have used the token, on either side' lab_until 15 ring_in c d
apart br0
lab_check 'one machine is in' lab_until 30 one_is_in
read -r winner loser <"$T/winner"
lab_check "and the other is told why ($loser)" lab_until 30 is_told "$loser"
lab_check "$winner goes on" ping_until "$winner" b

apart br1
lab_check 'the owner changes the list at a' line a 'list 0\.2' users set ute max-nodes 2
lab_check 'and at b' line b 'list 0\.2' users set ute max-nodes 3
apart br0
lab_check 'both sides know that the list is forked' lab_until 90 both_forked
lab_check 'and their logs do' logged a 'two user lists of one version'
lab_check 'rights are what both give: the user is in both' ping_until "$winner" a
lab_check 'the owner signs again' line a 'list 0\.3' users renew
lab_check 'and the alarm is over' lab_until 15 none_forked
lab_check "$winner goes on through it all" ping_until "$winner" b
lab_end
