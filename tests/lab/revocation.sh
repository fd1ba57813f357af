#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A revoked user who does not go: his nodes run a daemon that never takes a newer list (deaf.c). h is a core and the parent of
# the edge d, i an edge, both mallory's; g is eve's. All send numbered datagrams to everybody, and are out within seconds; they
# cannot come back, relay or publish. eve is revoked by an owner whose node dies at once. ELA_LONG=1: parent and spare of an edge
# hold the list back, both mallory's.
#
#   a, b, c: cores, the owner's     d: an edge, the owner's     h, i, g: as above     10.99.0.0/24
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/lab/revoke.sh
. "$(dirname "$0")/revoke.sh"
LAB_NAMES=(a b c d h i g)
lab_begin
lan_up a b c d h i g

# out_within NAME SECONDS FROMS TOS  and says how long it took
out_within() {
	local took limit
	limit=$(lab_bound "$2")
	numbers_quiet "$limit" "$3" "$4"
	took=$(numbers_since "$REVOKED" "$3" "$4")
	if awk "BEGIN { exit !($took <= $limit) }"; then
		lab_ok "$1: the last datagram arrived $took s after the command"
	else
		lab_fail "$1: found a datagram $took s after the command, wanted $limit s at most"
	fi
}

alive() {
	local node
	for node in "$@"; do
		node_alive "$node" || return 1
	done
}

ring_init a
lab_check 'a is in' lab_until 10 ring_in a
ring_join b "$(ring_token a b)"
ring_join c "$(ring_token a c)"
ELA_ELAD=$ELA_DEAF revoke_join h "$(revoke_user a mallory --max-nodes 4)" auto
lab_check 'all cores are in' lab_until 10 ring_in a b c h
ELA_ELAD=$ELA_DEAF revoke_join i "$(ring_token h i)" edge
if [ "${ELA_LONG:-0}" = 1 ]; then
	ELA_ELAD=$ELA_DEAF revoke_join g "$(ring_token h g)" auto --address "$(wish behind h a b c h)"
	lab_check 'g is in' lab_until 10 ring_in g
	revoke_join d "$(ring_token a d)" edge --address "$(wish before h a b c h g)"
	lab_check 'parent and spare of d are both hostile' lab_until 10 has_parents d h g
	hostile='h i g' limit=70
else
	revoke_join d "$(ring_token a d)" edge --address "$(wish before h a b c h)"
	lab_check 'the parent of d is hostile' lab_until 10 has_parents d h
	hostile='h i' limit=10
fi
lab_check 'all are in' lab_until 10 ring_in d i

numbers_hear a b c d
for node in $hostile; do
	numbers_send "$node" a b c d
done
lab_check 'they reach everybody' lab_until 10 numbers_arrive "$hostile" 'a b c d'
revoke a mallory
lab_equal 'ela users revoke' $? 0
out_within 'mallory' $limit "$hostile" 'a b c d'
# shellcheck disable=SC2086 # a list of words
lab_check 'and sends still' alive $hostile
lab_check 'nobody has a peer or a record of his' lab_until 10 forgotten 'a b c d' mallory
lab_check 'd goes on without h' ping_until d a

# It begins anew, with all that it had: nobody lets it in.
node_crash i
ELA_ELAD=$ELA_DEAF ring_start i

if [ "${ELA_LONG:-0}" != 1 ]; then
	# His token is from before; he is in for a moment, with an owner who is not there.
	ELA_ELAD=$ELA_DEAF revoke_join g "$(revoke_user a eve)" auto
	lab_equal 'his token names no node of mallory' "$(grep -c "^bootstrap = .*$(underlay h)" "$T/g/net/ela.ini")" 0
	lab_check 'g is in' lab_until 10 ring_in g
	numbers_send g a b c d
	lab_check 'g reaches everybody' lab_until 10 numbers_arrive g 'a b c d'
	revoke a eve
	node_crash a
	out_within "eve, whose owner's node is down" 10 g 'b c d'
	lab_check 'nobody who is up has a peer or a record of eve' lab_until 10 forgotten 'b c d' eve
fi
lab_check 'the others go on' ping_until d b
lab_equal 'since then nothing of mallory arrived' "$(numbers_silent "$hostile" 'b c d' && echo nothing)" nothing
lab_check 'and nobody let him in' forgotten 'b c d' mallory
lab_end
