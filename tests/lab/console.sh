#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ela against real daemons: every verb and every exit code, as root and as others; the socket's life; JSON against its schema.
#
#   a, b on one bridge; c is configured and never there
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
: "${ELA_ELA:?names the command to test}"
: "${ELA_JSON_MD:?names docs/json.md}"
lab_begin
lan_up a b c
elad_args

# ela_is NAME CODE PATTERN WORD...  ela on a ends with CODE and says PATTERN, or nothing
ela_is() {
	local name=$1 code=$2 pattern=$3 status=0
	shift 3
	timeout "$(lab_bound 20)" "$ELA_ELA" --dir "$T/a" "$@" >"$T/out" 2>&1 </dev/null || status=$?
	if [ $status -eq "$code" ] && { [ -z "$pattern" ] && [ ! -s "$T/out" ] || grep -qE -e "${pattern:-.^}" "$T/out"; }; then
		lab_ok "$name"
	else
		lab_fail "$name: found exit $status and '$(head -n 3 "$T/out")', wanted $code and $pattern"
	fi
}

# json_is SCHEMA CODE WORD...  the same with --json; one line by that schema
json_is() {
	local schema=$1 code=$2 status=0 faults
	shift 2
	"$ELA_ELA" --dir "$T/a" --json "$@" >"$T/json" 2>"$T/err" </dev/null || status=$?
	faults=$("$LAB_HERE/schema.py" "$ELA_JSON_MD" "$schema" <"$T/json" 2>&1)
	lab_equal "--json $*: exit code" $status "$code"
	lab_equal "--json $*: as docs/json.md says" "$faults" ''
	lab_equal "--json $*: says nothing else" "$(cat "$T/err")" ''
}

# value EXPRESSION  of the JSON read last
value() {
	python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$T/json" "$1"
}

# raw TEXT  what elad replies to these bytes, as they are
raw() {
	python3 - "$T/a/control.sock" "$1" <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(15)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode().decode("unicode_escape").encode("latin-1"))
print(s.makefile("rb").readline().decode(errors="replace"), end="")
END
}

for node in a b c; do
	node_key $node
done
NODES=(a b)
NODE_LINES='user = nobody'
node_ini b
NODES=(a b c)
node_ini a

# ---- nobody is there ----
ela_is 'no elad yet' 3 'no elad is running.*elad --config' status
json_is error 3 status
ela_is 'no such folder' 5 'no such folder' --dir "$T/none" status
ela_is 'no verb' 2 'which verb'
ela_is 'an unknown verb' 2 'did you mean "status"' statsu
ela_is 'a verb of later' 2 'no verb "graph"' graph
ela_is 'too many words' 2 'unexpected "b"' status b
ela_is 'ping without a node' 2 'ping needs NODE' ping
ela_is 'a bad count' 2 'whole number' ping -c many b
ela_is 'check is silent' 0 '' check --elad "$ELA_ELAD" "${ELAD_ARGS[@]}"
json_is check 0 check --elad "$ELA_ELAD" "${ELAD_ARGS[@]}"
cp "$T/a/ela.ini" "$T/good.ini"
sed -i 's/^mtu = .*/mtuu = 1420/' "$T/a/ela.ini"
ela_is 'check of a broken file' 78 'did you mean "mtu"' check --elad "$ELA_ELAD" "${ELAD_ARGS[@]}"
json_is check 78 check --elad "$ELA_ELAD" "${ELAD_ARGS[@]}"
lab_equal 'and names the key' "$(value 'r["check"]["good"], "mtuu" in r["check"]["errors"][0]')" '(False, True)'
cp "$T/good.ini" "$T/a/ela.ini"
ela_is 'plugins' 0 '^transport	udp	' plugins --elad "$ELA_ELAD" "${ELAD_ARGS[@]}"
json_is plugins 0 plugins --elad "$ELA_ELAD" "${ELAD_ARGS[@]}"
lab_equal 'plugins: udp has a port' \
	"$(value '[o["default"] for p in r["plugins"] if p["name"] == "udp" for o in p["options"] if o["key"] == "port"]')" "['7450']"

# ---- the socket ----
node_start a
node_start b
lab_check 'ping a to b' ping_until a b
lab_equal 'control.sock: rights' "$(stat -c %a "$T/a/control.sock")" 660
lab_equal 'control.sock: owner' "$(stat -c %U "$T/a/control.sock")" root
in_ns a timeout "$(lab_bound 10)" "$ELA_ELAD" --config "$T/a/ela.ini" "${ELAD_ARGS[@]}" >"$T/out" 2>&1 </dev/null
lab_equal 'two elads on one state dir: exit code' $? 1
lab_compare 'two elads on one state dir: one line with the remedy' "$(grep -c 'another elad answers there; remedy: ' "$T/out")" -eq 1
lab_check 'the first one still answers' "$ELA_ELA" --dir "$T/a" status

# ---- looking ----
ela_is 'status: first line' 0 '^a 10.88.0.1 on ela0, node [0-9a-f]{8}, udp 7450, 1 of 2 peers up, for [0-9]+' status
ela_is 'status: a peer' 0 '^10.88.0.2 +b +direct udp 10.99.0.2:7450 +[0-9.]+ ms ' status
ela_is 'status: one that is called' 0 '^10.88.0.3 +c +calling' status
lab_equal 'status: no colour into a file' "$("$ELA_ELA" --dir "$T/a" status | grep -c $'\e')" 0
terminal() {
	NO_COLOR=$1 python3 -c 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)' "$ELA_ELA" --dir "$T/a" status | grep -c $'\e\\[32m'
}
lab_compare 'status: colour on a terminal' "$(terminal '')" -ge 1
lab_equal 'status: none with NO_COLOR' "$(terminal 1)" 0
ela_is 'peers' 0 '^10.88.0.2 +b +direct udp' peers
json_is status 0 status
lab_equal 'status: up and calling' "$(value '[p["state"] for p in r["peers"]]')" "['up', 'calling']"
in_ns a ping -n -q -c 20 -i 0.01 -s 1000 "$(overlay b)" >/dev/null
json_is status 0 status
lab_equal 'status: bytes of both directions' \
	"$(value '[min(p["rx_bytes"], p["tx_bytes"]) >= 20 * 1028 for p in r["peers"]]')" '[True, False]'
lab_equal 'status: nothing is lost' "$(value 'r["peers"][0]["loss"]')" 0.0
lab_equal 'status: mtu' "$(value 'r["peers"][0]["mtu"]')" 1420
lab_equal 'status: counters' "$(value 'r["counters"]["frames-in"] >= 20')" True
ela_is 'why b' 0 'udp at 10.99.0.2:7450' why b
ela_is 'why b: the way' 0 'way: udp at 10.99.0.2:7450: in use' why b
json_is why 0 why b
ela_is 'why by address' 0 '^b: up' why 10.88.0.2
ela_is 'why by ID' 0 '^b: up' why "$("$ELA_ELA" --dir "$T/a" peers --json | sed 's/.*"name":"b".*"id":"\([0-9a-f]*\)","role".*"name":"c".*/\1/')"
ela_is 'why c' 0 'way: udp at 10.99.0.3:7450: no answer; tries: [0-9]+, the last' why c
json_is why 0 why c
ela_is 'why of an unknown one' 5 'no node "bb"; did you mean "b"|no node "bb"' why bb
ela_is 'why of oneself' 5 'this node itself' why a
json_is error 5 why nobody
ela_is 'ping b' 0 '^2 sent, 2 answered, 0.0 % loss' ping b -c 2
json_is ping 0 ping -c 1 b
ela_is 'ping c' 1 '^1 sent, 0 answered, 100.0 % loss' ping -c 1 c
json_is ping 1 ping -c 1 c
ela_is 'ping of an unknown one' 5 'no node' ping nosuchnode

# ---- loss ----
# every fourth datagram on its way to a ends before it
if in_ns a nft -f - 2>/dev/null <<-END; then
	table ip t {
		chain c { type filter hook input priority 0; udp dport $LAB_PORT numgen inc mod 4 0 drop; }
	}
END
	in_ns a ping -n -q -i 0.01 -c 400 -W 1 "$(overlay b)" >/dev/null
	json_is status 0 status
	lab_equal 'status: loss of the way here' "$(value '0.15 < r["peers"][0]["loss"] < 0.35')" True
	"$ELA_ELA" --dir "$T/a" ping -c 9 b >"$T/out"
	lab_equal 'ping with loss: some are answered' $? 0
	lab_compare 'ping with loss: some are not' "$(grep -c 'no answer within' "$T/out")" -ge 1
	in_ns a nft delete table ip t
fi

# ---- changing ----
ela_is 'log debug' 0 '' log debug
lab_check 'debug lines come' eval 'kill -USR1 ${LAB_PID[a]}; lab_until 3 logged a log-reopen'
ela_is 'log of no level' 2 'did you mean "debug"' log debgu
json_is 'done' 0 log info
json_is 'done' 0 reload
sed -i 's/^mtu = .*/mtu = 1400/' "$T/a/ela.ini"
ela_is 'reload refused' 1 'needs a restart: npd-tun.mtu; remedy: ' reload
json_is error 1 reload
ela_is 'health: the refusal' 0 'health: the last reload was refused: needs a restart: npd-tun.mtu' status
sed -i 's/^mtu = .*/mtuu = 1400/' "$T/a/ela.ini"
ela_is 'reload of a broken file' 78 'ela.ini:[0-9]+: \[npd-tun\] mtuu' reload
cp "$T/good.ini" "$T/a/ela.ini"
ela_is 'reload of a good one' 0 '' reload
lab_equal 'health: no refusal any more' "$("$ELA_ELA" --dir "$T/a" status | grep -c 'last reload')" 0

# ---- who may ----
as_user() {
	setpriv --reuid="$1" --regid="$2" --clear-groups "${@:3}"
}
as_user 65534 65534 "$ELA_ELA" --dir "$T/a" status >"$T/out" 2>&1
lab_equal 'another user: exit code' $? 4
lab_compare 'another user: the remedy' "$(grep -c 'member of the group ela' "$T/out")" -eq 1
chmod 666 "$T/a/control.sock"
lab_check 'let in, he may look' as_user 12345 12345 "$ELA_ELA" --dir "$T/a" status
for words in reload 'log debug' leave; do
	# shellcheck disable=SC2086 # words of the command
	as_user 12345 12345 "$ELA_ELA" --dir "$T/a" $words >"$T/out" 2>&1
	lab_equal "but not $words" $? 4
done
# the user that elad runs as is nobody special
as_user 65534 65534 "$ELA_ELA" --dir "$T/a" leave >"$T/out" 2>&1
lab_equal 'nor may the user that elad runs as' $? 4
chmod 660 "$T/a/control.sock"
lab_check 'elad is still there' node_alive a

# ---- strangers' bytes ----
for text in '\n' '{}\n' 'x\n' '{"verb":"status","x":1}\n' '{"verb":1}\n' '{"verb":"leave"} x\n' '\xff\xfe\n' '[[[[[[[[[[[[[[[[[[[[\n' \
	'{"verb":"status"\x00}\n'; do
	lab_compare "refused: $text" "$(raw "$text" | grep -c '"code":2')" -eq 1
done
# too_long  what elad replies to more than root may say in one line
too_long() {
	python3 - "$T/a/control.sock" <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(15)
s.connect(sys.argv[1])
try:
    s.sendall(b"x" * 730000)
except OSError:
    pass  # it has closed: its reply is there all the same
print(s.recv(4096).decode())
END
}
lab_compare 'too long' "$(too_long | grep -c '4096')" -eq 1
lab_compare 'two requests at once' "$(raw '{"verb":"peers"}\n{"verb":"peers"}\n' | grep -c '"schema":1')" -eq 1
before=$(fds a)
cat >"$T/crowd.py" <<'END'
import socket, subprocess, sys, time
crowd = []
for i in range(12):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(15)
    s.connect(sys.argv[1])
    crowd.append(s)
    time.sleep(0.02)
replies = [s.recv(4096) for s in crowd[8:]]
print(subprocess.run(sys.argv[2:], capture_output=True).returncode, "by ela")
print(sum(b"at once" in r for r in replies), "told")
began = time.monotonic()
print(crowd[0].recv(1) == b"", "closed after", time.monotonic() - began > 3)
END
lab_equal 'a crowd: those beyond eight are told, the silent are closed' \
	"$(python3 "$T/crowd.py" "$T/a/control.sock" "$ELA_ELA" --dir "$T/a" status | tr '\n' ' ')" \
	'1 by ela 4 told True closed after True '
lab_until 12 eval "[ \$(fds a) -eq $before ]"
lab_equal 'a crowd: no descriptor stays' "$(fds a)" "$before"
cat >"$T/slow.py" <<'END'
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
s.connect(sys.argv[1])
s.sendall(b'{"verb":"status"}\n' * 100)
time.sleep(3)
END
python3 "$T/slow.py" "$T/a/control.sock" &
lab_check 'a slow reader holds nobody up' "$ELA_ELA" --dir "$T/a" status
wait $!
lab_check 'elad has had enough of nothing' "$ELA_ELA" --dir "$T/a" status

kill -STOP "${LAB_PID[a]}"
ela_is 'an elad that hangs' 6 'does not answer' status
kill -CONT "${LAB_PID[a]}"
lab_check 'and goes on' "$ELA_ELA" --dir "$T/a" status

# ---- the end, and after ----
node_crash a
ela_is 'after kill -9' 3 'no elad is running' status
lab_check 'its socket is still there' test -S "$T/a/control.sock"
node_start a
lab_check 'the next elad takes its place' "$ELA_ELA" --dir "$T/a" status
old=${LAB_PID[a]}
lab_check 'leave' "$ELA_ELA" --dir "$T/a" leave
lab_check 'leave: it said so' logged a stopping
node_start a
lab_check 'the next one can start at once' "$ELA_ELA" --dir "$T/a" leave
wait "$old"
lab_equal 'the first one ended orderly' $? 0
wait "${LAB_PID[a]}"
lab_equal 'the second one too' $? 0
unset 'LAB_PID[a]'
node_sane a
ela_is 'nobody is there again' 3 'no elad is running' leave
rm -f "$T/a/control.sock"
echo precious >"$T/a/control.sock"
in_ns a timeout "$(lab_bound 10)" "$ELA_ELAD" --config "$T/a/ela.ini" "${ELAD_ARGS[@]}" >"$T/out" 2>&1 </dev/null
lab_equal 'a file that is no socket: exit code' $? 1
lab_equal 'a file that is no socket: it stays' "$(cat "$T/a/control.sock")" precious
rm -f "$T/a/control.sock"
mkdir "$T/state"
node_start a --state-dir "$T/state"
lab_check '--state-dir has the socket' "$ELA_ELA" --dir "$T/state" status
lab_end
