#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One elad in a network namespace of its own: what it may still do once it is ready, its signals, reload, a second one.
# Usage: test-daemon.sh ELAD PLUGIN_DIR...; exit 77 without root or /dev/net/tun.
set -u
[ -x "$1" ] || exit 99
if [ "$(id -u)" -ne 0 ] || [ ! -c /dev/net/tun ]; then
	echo "needs root and /dev/net/tun"
	exit 77
fi
if [ "${ELA_TEST_NETNS-}" != "$PPID" ]; then
	ELA_TEST_NETNS=$$ unshare -n "$0" "$@" &
	wait $!
	exit $?
fi
elad=$1
shift
dirs=
for dir in "$@"; do
	dirs="$dirs --plugin-dir $dir"
done
umask 022
tmp=$(mktemp -d "${TMPDIR:-/tmp}/ela-daemon-XXXXXX") || exit 99
chmod 755 "$tmp"
pid='' bad=0
end() {
	[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
	rm -rf "$tmp"
}
trap end EXIT
ip link set lo up

fail() {
	echo "FAIL $*"
	sed 's/^/  log: /' "$tmp/log"
	bad=$((bad + 1))
}

# until_log PATTERN WHAT: within 10 s; counts lines from the mark on
mark=0
until_log() {
	for _ in $(seq 100); do
		tail -n +$((mark + 1)) "$tmp/log" | grep -qE -e "$1" && return 0
		sleep 0.1
	done
	fail "$2: no line like $1"
	return 1
}

# signal NAME PATTERN WHAT
signal() {
	mark=$(wc -l <"$tmp/log")
	kill -"$1" "$pid"
	until_log "$2" "$3"
}

alive() {
	kill -0 "$pid" 2>/dev/null || fail "$1: elad has ended"
}

# start FILE
start() {
	mark=0
	: >"$tmp/log"
	# shellcheck disable=SC2086 # a list of options
	"$elad" $dirs --config "$1" --log-level debug 2>>"$tmp/log" </dev/null &
	pid=$!
	until_log '^info elad: ready ' "$1"
}

# stop SIGNAL
stop() {
	kill -"$1" "$pid"
	for _ in $(seq 50); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	kill -0 "$pid" 2>/dev/null && fail "$1: still there after 5 s"
	wait "$pid"
	code=$?
	pid=''
	[ $code -eq 0 ] || fail "$1: exit $code, wanted 0"
	[ ! -e /sys/class/net/ela0 ] || fail "$1: the device stayed"
}

"$elad" keygen "$tmp" a >"$tmp/a.pub" || exit 99
"$elad" keygen "$tmp" b >"$tmp/b.pub" || exit 99
cat >"$tmp/a.ini" <<END
[node]
name = a
address = 10.88.0.1/24
private-key-file = a.key
user = nobody
[components]
npd = tun
cipher = aead
transport = udp, tcp
routing = static
END
cp "$tmp/a.ini" "$tmp/saved"

# ---- what is left once it is ready ----
start "$tmp/a.ini"
for task in /proc/"$pid"/task/*; do
	name=$(cat "$task/comm")
	for wanted in "Uid:	$(id -u nobody)	$(id -u nobody)	$(id -u nobody)	$(id -u nobody)" \
		"Gid:	$(id -g nobody)	$(id -g nobody)	$(id -g nobody)	$(id -g nobody)" 'Groups:	 ' \
		'CapInh:	0000000000000000' 'CapPrm:	0000000000001000' 'CapEff:	0000000000001000' \
		'CapBnd:	0000000000000000' 'CapAmb:	0000000000000000' 'NoNewPrivs:	1' 'Seccomp:	2'; do
		grep -qxF "$wanted" "$task/status" || fail "thread $name: wanted $wanted"
	done
done
grep -qE '^Max core file size +0 +0 ' "/proc/$pid/limits" || fail "core dumps are possible"

# ---- a second one ----
# shellcheck disable=SC2086 # a list of options
timeout 10 "$elad" $dirs --config "$tmp/a.ini" --log-level error 2>"$tmp/second" </dev/null
code=$?
[ $code -eq 1 ] || fail "a second elad: exit $code, wanted 1"
[ "$(wc -l <"$tmp/second")" -eq 1 ] || fail "a second elad: wanted one line, found: $(cat "$tmp/second")"
alive "a second elad"

# ---- signals ----
signal USR2 '^counter=[a-z0-9.-]+ value=[0-9]+$' counters
signal USR1 'log-reopen' USR1
kill -PIPE "$pid"
sleep 0.2
alive USR1
signal HUP '^info elad: reloaded ' "an unchanged file"
printf '[peer b]\npublic-key = %s\naddress = 10.88.0.2\n' "$(cat "$tmp/b.pub")" >>"$tmp/a.ini"
signal HUP '^info elad: reloaded ' "a new peer"
sed -i 's/^name = a$/name = other/' "$tmp/a.ini"
signal HUP 'needs a restart: node.name' "another name"
sed -i 's/^name = other$/name = a/; s/^cipher = aead$/cipher = blowfish, aead/' "$tmp/a.ini"
signal HUP 'plugin "blowfish" is not loaded; needs a restart: components.cipher' "another plugin"
until_log 'reload-failed errors=1: nothing was changed' "another plugin"
grep -q blowfish "/proc/$pid/maps" && fail "another plugin: it was loaded"
sed -i 's/^cipher = .*/cipher = nosuch, aead/' "$tmp/a.ini"
signal HUP 'plugin "nosuch" is not installed' "a plugin that is not there"
sed -i 's/^cipher = .*/cipher = aead/' "$tmp/a.ini"
printf '[peer me]\npublic-key = %s\naddress = 10.88.0.3\n' "$(cat "$tmp/a.pub")" >>"$tmp/a.ini"
signal HUP "reload-refused: $tmp/a.ini:15: \[peer me\] public-key: is this node's own public key" "our own key"
sed -i '/^.peer me.$/,$d; s/^address = 10.88.0.2$/address = 10.88.0.2, 10.99.0.0\/24/' "$tmp/a.ini"
signal HUP 'reload-refused: needs a restart: peer b.address \(10.99.0.0/24 is outside 10.88.0.0/24 and needs a route of' \
	"a network behind a peer"
sed -i 's/^address = 10.88.0.2, .*/address = 10.88.0.2/' "$tmp/a.ini"
signal HUP '^info elad: reloaded ' "the peer as it was"
sed -i 's/^address = 10.88.0.2$/address = 10.88.0.2, fd00::\/64/' "$tmp/a.ini"
signal HUP "peer b.address \(fd00::/64 is outside the node's network and needs a route of the device\)$" "IPv6 behind a peer"
sed -i 's/^address = 10.88.0.2, .*/address = 10.88.0.2/' "$tmp/a.ini"
sed -i 's/^npd = tun$/npd = /; s/^address = 10.88.0.2$/adress = x/' "$tmp/a.ini"
signal HUP "^error elad: $tmp/a.ini:7: \[components\] npd: " "a broken file, first error"
until_log "^error elad: $tmp/a.ini:13: \[peer b\] adress: " "a broken file, second error"
until_log 'reload-failed errors=[0-9]+: nothing was changed' "a broken file"
alive "a broken file"
cp "$tmp/saved" "$tmp/a.ini"
signal HUP '^info elad: reloaded ' "the first file again"
stop TERM

# ---- what is odd and taken all the same ----
printf '[peer b]\npublic-key = %s\naddress = 10.89.0.2\n' "$(cat "$tmp/b.pub")" >>"$tmp/a.ini"
start "$tmp/a.ini" && until_log "^warn elad: $tmp/a.ini:13: \[peer b\] address: warning: " "a warning at the start"
printf '# \n' >>"$tmp/a.ini"
signal HUP "^warn elad: $tmp/a.ini:13: \[peer b\] address: warning: " "a warning at a reload"
stop TERM
cp "$tmp/saved" "$tmp/a.ini"

# ---- a ring without the files that ela init and ela join make ----
mark=0
{
	printf '[network]\nid = %064d\nprefix = 10.88.0.0/24\n' 7
	sed 's/^routing = static/routing = chord/; s/^address = .*/address = 10.88.0.1/' "$tmp/a.ini"
} >"$tmp/ring.ini"
# shellcheck disable=SC2086 # a list of options
"$elad" $dirs --config "$tmp/ring.ini" >"$tmp/log" 2>&1 </dev/null
code=$?
[ $code -eq 1 ] || fail "routing = chord: exit $code, wanted 1"
until_log "^elad: $tmp/node-sign.key: is not there; remedy: ela init or ela join make it\$" "routing = chord"

# ---- a file that a reload cannot read ----
chmod 600 "$tmp/a.ini"
start "$tmp/a.ini" && until_log '^warn elad: reload-impossible .*chgrp' "an unreadable file"
stop INT

# ---- without a user ----
if ! getent passwd ela >/dev/null; then
	sed -i '/^user = /d' "$tmp/a.ini"
	start "$tmp/a.ini" && until_log '^warn process: user-missing .*useradd --system ela' "no user"
	grep -qxF 'CapEff:	0000000000001000' "/proc/$pid/status" || fail "as root: CapEff is $(grep CapEff "/proc/$pid/status")"
	signal HUP '^info elad: reloaded ' "as root"
	stop TERM
fi

[ $bad -eq 0 ] && echo "ok"
[ $bad -eq 0 ]
