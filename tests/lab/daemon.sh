#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Start, refusals, signals and reload of elad as a user meets them.
#
#   a, b, c on one bridge; c joins by a reload of a
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_begin
lan_up a b c
elad_args

# refused NAME CODE PATTERN OPTION...  elad on a's ini ends with CODE and one line like PATTERN
refused() {
	local name=$1 code=$2 pattern=$3 status=0
	shift 3
	in_ns a timeout "$(lab_bound 10)" "$ELA_ELAD" --config "$T/a/ela.ini" "${ELAD_ARGS[@]}" "$@" >"$T/out" 2>&1 || status=$?
	lab_equal "$name: exit code" "$status" "$code"
	lab_compare "$name: says why" "$(grep -cE -e "$pattern" "$T/out")" -ge 1 || tail -n 3 "$T/out"
}

for node in a b c; do
	node_key $node
done
lab_refuse 'keygen keeps an existing key' "$ELA_ELAD" keygen "$T/a" a
NODES=(a b)
node_ini a
node_ini b
refused 'good file' 0 '^' --check </dev/null | grep -v 'says why'
lab_equal 'and --check is silent' "$(cat "$T/out")" ""
lab_compare '--list-plugins names all kinds' \
	"$("$ELA_ELAD" "${ELAD_ARGS[@]}" --list-plugins | grep -cE '^(npd|cipher|transport|routing)	')" -ge 6
refused 'unknown option' 2 'elad --help' --colour

# ini
cp "$T/a/ela.ini" "$T/good.ini"
sed -i 's/^mtu = .*/mtu = many/' "$T/a/ela.ini"
refused 'bad value' 78 'ela.ini:[0-9]+: \[npd-tun\] mtu: '
sed 's/^mtu = .*/mtuu = 1420/' "$T/good.ini" >"$T/a/ela.ini"
refused 'misspelt key' 78 'ela.ini:[0-9]+: \[npd-tun\] mtuu: .*did you mean "mtu"'
sed 's/^cipher = .*/cipher = enigma/' "$T/good.ini" >"$T/a/ela.ini"
refused 'unknown plugin' 78 'ela.ini:[0-9]+: \[components\] cipher: .*enigma'
cp "$T/good.ini" "$T/a/ela.ini"
chmod 660 "$T/a/a.key"
refused 'key that its group may write' 78 'private-key-file'
chmod 600 "$T/a/a.key"

# what is taken already
nsenter "--net=/run/netns/$LAB-a" -- python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", 7450)); print("up", flush=True); time.sleep(60)' >"$T/up" &
LAB_PIDS+=($!)
lab_until 5 grep -q up "$T/up"
refused 'port in use' 1 '7450.*in use'
{ kill "${LAB_PIDS[-1]}" && wait "${LAB_PIDS[-1]}"; } 2>/dev/null
lab_until 5 eval "! in_ns a ss -Hlun 'sport = :7450' | grep -q ."
node_start a
refused 'second elad' 1 'another elad answers there'
lab_check 'the first one lives on' node_alive a
node_stop a

# no TUN, no permission
# elad and what it needs in a root of its own, which has no devices: a plain chroot cannot mount them away for itself
jail() {
	local dir files modules=()
	for dir in "${ELAD_ARGS[@]}"; do
		[ -d "$dir" ] && modules+=("$dir"/*.so)
	done
	mapfile -t files < <(ldd "$ELA_ELAD" "${modules[@]}" | sed -n 's/^\t\(.* => \)\{0,1\}\(\/[^ ]*\) (.*/\2/p' | sort -u)
	mkdir -p "$T/jail/proc"
	cp -L --parents "$ELA_ELAD" "$T/a/ela.ini" "$T/a/a.key" "${modules[@]}" "${files[@]}" "$T/jail" &&
		mount -t proc proc "$T/jail/proc"
}

lab_check 'a root without devices' jail
in_ns a chroot "$T/jail" "$ELA_ELAD" --config "$T/a/ela.ini" "${ELAD_ARGS[@]}" >"$T/out" 2>&1 </dev/null
status=$?
umount "$T/jail/proc"
lab_equal 'no /dev/net/tun: exit code' $status 1
lab_compare 'no /dev/net/tun: says so' "$(grep -c '/dev/net/tun' "$T/out")" -ge 1 || tail -n 3 "$T/out"
refused_as_nobody() {
	in_ns a setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all "$ELA_ELAD" --config "$T/a/ela.ini" \
		"${ELAD_ARGS[@]}" >"$T/out" 2>&1 </dev/null
}
chmod 755 "$T" "$T/a"
refused_as_nobody
lab_equal 'no permission: exit code' $? 4
lab_compare 'no permission: one line with the remedy' "$(grep -c 'CAP_NET_ADMIN' "$T/out")" -eq 1

# signals
node_start a
node_start b
lab_check 'ping a to b' ping_until a b
lab_compare 'SIGUSR2 prints counters' "$(counters a | wc -l)" -ge 20
kill -USR1 "${LAB_PID[a]}"
NODES=(a b c)
node_ini c
node_start c
lab_refuse 'a does not know c yet' ping_once c a
node_ini a
lab_check 'SIGHUP takes a new peer' reread a
lab_check 'and it answers' ping_until c a
lab_check 'the old one still does' ping_until a b
sed -i 's/^mtu = .*/mtu = 1400/' "$T/a/ela.ini"
lab_refuse 'SIGHUP refuses another mtu' reread a
lab_check 'and names it' logged a 'needs a restart: npd-tun.mtu'
echo 'rubbish' >>"$T/a/ela.ini"
lab_refuse 'SIGHUP refuses a broken file' reread a
lab_check 'a still answers b' ping_until b a
NODES=(a b)
node_ini a
lab_check 'SIGHUP takes a peer away' reread a
lab_until 2 eval '! ping_once c a'
lab_refuse 'it gets no answer any more' ping_once c a
NODES=(a b c)
lab_end
