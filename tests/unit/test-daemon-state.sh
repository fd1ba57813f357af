#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# elad in a network with a ring: what it does with the state folder before the drop, and what it may do there after it.
# Usage: test-daemon-state.sh ELA ELAD UNIT PLUGIN_DIR...; exit 77 without root or /dev/net/tun.
set -u
[ -x "$1" ] && [ -x "$2" ] || exit 99
if [ "$(id -u)" -ne 0 ] || [ ! -c /dev/net/tun ]; then
	echo "needs root and /dev/net/tun"
	exit 77
fi
if [ "${ELA_TEST_NETNS-}" != "$PPID" ]; then
	ela=$(realpath "$1") elad=$(realpath "$2")
	shift 2
	ELA_TEST_NETNS=$$ unshare -n "$0" "$ela" "$elad" "$@" &
	wait $!
	exit $?
fi
ela=$1 elad=$2 unit=$3
shift 3
dirs=
for dir in "$@"; do
	dirs="$dirs --plugin-dir $dir"
done
umask 022
tmp=$(mktemp -d "${TMPDIR:-/tmp}/ela-state-XXXXXX") || exit 99
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

# start STATE_DIR: and wait until it is ready or has ended
start() {
	: >"$tmp/log"
	# shellcheck disable=SC2086 # a list of options
	"$elad" $dirs --config "$net/ela.ini" --state-dir "$1" 2>>"$tmp/log" </dev/null &
	pid=$!
	for _ in $(seq 100); do
		grep -q '^info elad: ready ' "$tmp/log" && return
		kill -0 "$pid" 2>/dev/null || return
		sleep 0.1
	done
}

stop() {
	kill -TERM "$pid" 2>/dev/null
	wait "$pid"
	code=$?
	pid=''
	[ $code -eq "$1" ] || fail "exit $code, wanted $1"
}

owner() { # owner USER FILE...
	wanted=$1
	shift
	for file in "$@"; do
		[ "$(stat -c %U "$file")" = "$wanted" ] || fail "$file: of $(stat -c %U "$file"), wanted $wanted"
	done
}

# ready WHAT: it is; and has the folder open, may write there and nowhere else
ready() {
	grep -q '^info elad: ready ' "$tmp/log" || fail "$1: not ready"
	grep -qE '^info process: privileges-dropped .* seccomp=on( landlock=on)?$' "$tmp/log" || fail "$1: no drop in the log"
	find "/proc/$pid/fd" -lname "$2" | grep -q . || fail "$1: $2 is not open"
	[ ! -e "$2/.proof" ] || fail "$1: the proof has left its file"
}

net=$tmp/net
"$ela" init lab --dir "$net" --no-start --endpoint 198.51.100.7 >"$tmp/token" 2>"$tmp/log" || fail "ela init"
sed -i "s/^routing = .*/routing = ring/; s/^cipher = .*/cipher = aead/; s/^\[node\]\$/[node]\nuser = nobody/" "$net/ela.ini"

# ---- one folder for all ----
start "$net"
ready "one folder" "$net"
owner nobody "$net" "$net/genesis" "$net/list" "$net/credential"
owner root "$net/ela.ini" "$net/node.key" "$net/node-sign.key" "$net/user.pem" "$net/recovery.pem"
for file in "$net"/*; do
	case $file in
	*.ini | *.key | *.pem | */slots | */control.sock) owner root "$file" ;;
	*) owner nobody "$file" ;; # whatever else init makes is what elad replaces
	esac
done
stop 0
start "$net"
ready "the second time" "$net"
stop 0

# ---- a folder of its own ----
mkdir -m 750 "$tmp/var"
for file in genesis list credentials credential; do
	cp -p "$net/$file" "$tmp/var" && chown root: "$tmp/var/$file"
done
start "$tmp/var"
ready "its own folder" "$tmp/var"
owner nobody "$tmp/var" "$tmp/var/genesis"
stop 0

# ---- folders that are refused ----
chmod 777 "$tmp/var"
start "$tmp/var"
stop 4
grep -q "^elad: $tmp/var: mode is 0777, .*remedy: chmod go-w $tmp/var\$" "$tmp/log" || fail "a folder for all: no remedy"
chmod 750 "$tmp/var"
ln -s "$tmp/var" "$tmp/link"
start "$tmp/link"
stop 1
grep -q "^elad: $tmp/link: is a symbolic link; remedy: --state-dir " "$tmp/log" || fail "a link: no remedy"
chown 4242 "$tmp/var"
start "$tmp/var"
stop 4
grep -q "^elad: $tmp/var: belongs to uid 4242, .*remedy: chown -hR root: $tmp/var\$" "$tmp/log" || fail "a stranger's: no remedy"

# ---- as the unit starts it: with the capabilities that it names, twice, for then the folder is another's ----
caps=$(sed -n 's/^CapabilityBoundingSet=//p' "$unit" | tr 'A-Z ' 'a-z,' | sed 's/cap_/+/g')
cat >"$tmp/unit.sh" <<'END'
	caps=$1 config=$2 elad=$3
	shift 3
	{ mount --make-rprivate / && mount -t tmpfs none /var/lib && mount -t tmpfs none /run; } 2>/dev/null || exit 77
	mkdir -p /var/lib/ela/lab
	for file in genesis list credentials credential; do cp "${config%/*}/$file" /var/lib/ela/lab && chown root: "/var/lib/ela/lab/$file"; done
	chmod 750 /var/lib/ela/lab
	for turn in first second; do
		setpriv --bounding-set "-all,$caps" "$elad" "$@" --config "$config" --state-dir /var/lib/ela/lab >log 2>&1 </dev/null &
		for _ in $(seq 100); do
			grep -q '^info elad: ready ' log || ! kill -0 $! 2>/dev/null || sleep 0.1
		done
		kill $! 2>/dev/null
		wait $! || { echo "as the unit, the $turn time: exit $?" && exit 1; }
		[ "$(stat -c %U:%a /var/lib/ela/lab)" = nobody:750 ] || { echo "as the unit, the $turn time: $(stat /var/lib/ela/lab)" && exit 1; }
	done
END
: >"$tmp/log"
# shellcheck disable=SC2086 # a list of options
(cd "$tmp" && unshare -m sh unit.sh "$caps" "$net/ela.ini" "$elad" $dirs >unit.out 2>&1)
case $? in
0) ;;
77) echo "left out: no mounts here" ;;
*) fail "$(cat "$tmp/unit.out")" ;;
esac

[ $bad -eq 0 ] && echo "ok"
[ $bad -eq 0 ]
