#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What happens to a network in its life: an invitation is good while a, the owner's node, is down; a token is used twice; two
# machines wish one address at once; the disk of b is full when the list comes; clocks are a day wrong; c is started again and
# again. ELA_LONG=1: 20 times.
#
#   a .1   b .2   c .3   d .4   e .5   f .6   g .7   h .8      10.99.0.0/24
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/ring.sh
. "$(dirname "$0")/ring.sh"
LAB_NAMES=(a b c d e f g h)
lab_begin
lan_up a b c d e f g h
FAKETIME_LIB=$(find /usr/lib -name libfaketime.so.1 2>/dev/null | head -n 1)

# ela_at NODE WORD...
ela_at() {
	local node=$1
	shift
	in_ns "$node" "$ELA_ELA" --dir "$T/$node/net" "$@"
}

# line NODE PATTERN WORD...  what ela says there has such a line
line() {
	local node=$1 pattern=$2
	shift 2
	ela_at "$node" "$@" >"$T/out" 2>&1
	grep -qE -e "$pattern" "$T/out"
}

# invite OPTION...  a token of a's, on stdout
invite() {
	ela_at a invite "$@" 2>>"$T/a/init.err" | tail -n 1
}

# wrong_clock DAYS COMMAND...  with a clock that is so many days wrong; nothing else is: only what asks for the date
wrong_clock() {
	local days=$1
	shift
	LD_PRELOAD=$FAKETIME_LIB FAKETIME="${days}d" FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_NO_CACHE=1 "$@"
}

ring_init a
lab_check 'a is in' lab_until 10 ring_in a
ring_join b "$(ring_token a b)"
lab_check 'b is in' lab_until 10 ring_in b

# ---- the owner is off-line ----
lab_check 'a knows where b is' lab_until 10 test -s "$T/a/net/cores"
token=$(invite ute --max-nodes 2)
day_token=$(invite dora --expires 12h)
far_token=$(invite fay)
wish_d=$(ring_token a d) wish_e=$(ring_token a e)
node_stop a
ring_join c "$token"
lab_check 'c joins while the node of the owner is down' lab_until 10 ring_in c
lab_check 'b has it' lab_until 10 line b '^10\.77\.0\.[0-9]+ +c +ute ' peers

# ---- a token twice ----
ring_join h "$token"
lab_check 'a token that was used is told to be so' lab_until 10 line h 'used by somebody else' status
ring_start a
lab_check 'a knows who joined' lab_until 15 line a ' c +ute ' peers
lab_equal 'the second user of the token is nowhere' "$(ring_address h)" ''
lab_refuse 'nor known' line b ' h +ute ' peers

# ---- one address, wished by two at once ----
for node in d e; do
	mkdir -p "$T/$node"
done
in_ns d "$ELA_ELA" join "$wish_d" --dir "$T/d/net" --name d --no-start --address 10.77.0.99 >"$T/d/join.out" 2>&1
in_ns e "$ELA_ELA" join "$wish_e" --dir "$T/e/net" --name e --no-start --address 10.77.0.99 >"$T/e/join.out" 2>&1
for node in d e; do
	in_ns wire ip link set p-$node down
	ring_start $node
done
sleep 1
in_ns wire ip link set p-d up
in_ns wire ip link set p-e up
# different  both are in, with two addresses, one of them the wished one
different() {
	local d e
	d=$(ring_address d) e=$(ring_address e)
	[ -n "$d" ] && [ -n "$e" ] && [ "$d" != "$e" ] && { [ "$d" = 10.77.0.99 ] || [ "$e" = 10.77.0.99 ]; }
}
lab_check 'two wish one address: one has it' lab_until 15 different
lab_check 'and both are reached' ping_until d e
lab_check 'by others, too' ping_until a d

# ---- clocks ----
if [ -n "$FAKETIME_LIB" ]; then
	mkdir -p "$T/f" "$T/g"
	wrong_clock +1 in_ns f "$ELA_ELA" join "$day_token" --dir "$T/f/net" --no-start >"$T/out" 2>&1
	lab_equal 'a day ahead: a token of 12 hours is refused' "$?" 1
	lab_check 'and it is told why' grep -q 'this token has expired; ask for a new one, or set the clock' "$T/out"
	wrong_clock +1 ring_join f "$far_token"
	lab_check 'a day ahead: it is in' lab_until 10 ring_in f
	lab_check 'and it is told' line f "health: this machine's clock is 1[0-9]+ minutes ahead of that of" status
	lab_check 'so does its log' logged f 'clocks-differ peer=[^ ]* ahead_s=8[0-9]* '
	wrong_clock -1 ring_join g "$day_token"
	lab_check 'a day behind: it is in' lab_until 10 ring_in g
	lab_check 'and it is told' line g "health: this machine's clock is at least 1[0-9]+ minutes behind" status
	lab_check 'wrong clocks carry packets' ping_until f g
else
	echo 'skipped: wrong clocks, for there is no libfaketime'
fi

# ---- a full disk ----
node_stop b
mkdir "$T/b/full"
if mount -t tmpfs -o size=256k,mode=700 none "$T/b/full" 2>/dev/null; then
	# shellcheck disable=SC2317 # runs by trap
	unmount() {
		umount -l "$T/b/full"
		lab_clear
	}
	trap unmount EXIT
	cp -a "$T/b/net/." "$T/b/full/"
	rm -f "$T/b/full/control.sock"
	node_start_at b "$T/b/full/ela.ini"
	lab_check 'b is in again' lab_until 10 ring_in b
	lab_check 'b has c' lab_until 10 line a ' c +ute ' peers
	dd if=/dev/zero of="$T/b/full/rubbish" bs=1k 2>/dev/null
	before=$(sha256sum "$T/b/full/list")
	ela_at a users revoke ute >"$T/out"
	b_without_c() {
		in_ns b "$ELA_ELA" --dir "$T/b/full" peers >"$T/out" && ! grep -qw ute "$T/out"
	}
	b_health() {
		in_ns b "$ELA_ELA" --dir "$T/b/full" status >"$T/out" 2>&1
		grep -q "$1" "$T/out"
	}
	lab_check 'on a full disk the list takes away' lab_until 10 b_without_c
	lab_check 'and it is told' lab_until 2 b_health 'health: users and nodes cannot be written'
	lab_equal 'nothing half is on the disk' "$(sha256sum "$T/b/full/list")" "$before"
	rm "$T/b/full/rubbish"
	b_wrote() {
		in_ns b "$ELA_ELA" --dir "$T/b/full" status >"$T/out" && ! grep -q 'users and nodes cannot be written' "$T/out"
	}
	lab_check 'with room it is written' lab_until 10 b_wrote || grep health "$T/out"
	lab_refuse 'and is another' test "$(sha256sum "$T/b/full/list")" = "$before"
else
	echo 'skipped: a full disk, for nothing can be mounted here'
	ring_start b
	ela_at a users revoke ute >"$T/out"
fi
lab_check 'c is told that it is out' lab_until 30 line c '^joining: node c was revoked' status

# ---- what answers is not what was asked for ----
# A program at the address of the token that is no ELA node, and a node of another network.
node_stop h
mkdir -p "$T/h/other" "$T/h/web"
in_ns h "$ELA_ELA" init other --no-start --dir "$T/h/other" --endpoint 10.99.0.8:7451 --endpoint 10.99.0.2:7450 \
	>"$T/h/other.out" 2>&1
lab_run nsenter "--net=/run/netns/$LAB-h" -- python3 -m http.server --directory "$T/h/web" 7451 >/dev/null 2>&1
mkdir -p "$T/h/joins"
elad_args
in_ns h "$ELA_ELA" join "$(grep -o 'ela1_[A-Za-z0-9_-]*' "$T/h/other.out" | head -n 1)" --dir "$T/h/joins/net" --timeout 8s \
	--elad "$ELA_ELAD" "${ELAD_ARGS[@]}" >"$T/out" 2>&1
lab_equal 'neither lets anybody in: a time-out' "$?" 6
lab_check 'and it is told where nobody answers' grep -q 'no core of this network answers at 10\.99\.0\.' "$T/out"
LAB_PIDS+=("$(cat "$T/h/joins/net/elad.pid")")

# ---- started again and again ----
times=4
[ "${ELA_LONG:-0}" = 1 ] && times=20
address=$(ring_address d) same=0
for ((i = 1; i <= times; i++)); do
	if [ $((i % 2)) = 0 ]; then
		node_stop d
	else
		node_crash d
	fi
	ring_start d
	lab_until 10 ring_in d && [ "$(ring_address d)" = "$address" ] && same=$((same + 1))
done
lab_equal "address and network after $times restarts" "$same" "$times"
lab_check 'and it is reached' ping_until a d
lab_end
