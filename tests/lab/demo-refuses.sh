#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# scripts/demo must not say "ok" of a network that does not work: it runs with daemons that end at once, that never get
# ready, that only claim to be ready, that do not answer, and that leak. And whoever interrupts it, however often, finds
# nothing left. ELA_PREFIX: an installed ELA; without it ELA_ELAD, ELA_ELA and ELA_PLUGIN_DIRS as in lib.sh.
cd "$(dirname "$0")/../.." || exit 1
if [ "$(id -u)" -ne 0 ] || [ ! -c /dev/net/tun ]; then
	echo 'skipped: the demo needs root and /dev/net/tun'
	exit 77
fi
D=$(mktemp -d)
trap 'rm -rf "$D"' EXIT
chmod 755 "$D"
FAILED=0

# What is not installed, as if it was: $D/prefix
stand_in() {
	local dir dirs options=''
	IFS=: read -r -a dirs <<<"$ELA_PLUGIN_DIRS"
	for dir in "${dirs[@]}"; do
		options+=" --plugin-dir '$dir'"
	done
	mkdir -p "$D/prefix/sbin" "$D/prefix/bin"
	cat >"$D/prefix/sbin/elad" <<-END
		#!/bin/sh
		case \$1 in keygen) exec '$ELA_ELAD' "\$@" ;; esac
		exec '$ELA_ELAD'$options "\$@"
	END
	cat >"$D/prefix/bin/ela" <<-END
		#!/bin/sh
		case "\$1 \$*" in
		*' --elad '*) ;;
		'init '* | 'join '*) exec '$ELA_ELA' "\$@" --elad '$D/prefix/sbin/elad' ;;
		esac
		exec '$ELA_ELA' "\$@"
	END
	chmod 755 "$D/prefix/sbin/elad" "$D/prefix/bin/ela"
	ELA_PREFIX=$D/prefix
}

# refuses NAME STEP  with the daemon that stands on stdin; it finds the real one in $ELAD
refuses() {
	local status=0
	cat >"$D/elad"
	chmod 755 "$D/elad"
	ELAD=$ELA_PREFIX/sbin/elad NO_COLOR=1 timeout 300 scripts/demo --prefix "$ELA_PREFIX" --elad "$D/elad" >"$D/out" 2>&1 ||
		status=$?
	if [ $status -eq 1 ] && [ "$(tail -n 1 "$D/out")" = "demo: FAILED: $2" ]; then
		echo "ok $1"
	else
		echo "FAIL $1: found exit status $status and '$(tail -n 1 "$D/out")', wanted 1 and 'demo: FAILED: $2'"
		FAILED=1
	fi
}

# left_of PID  what a demo of that number has not cleared up
left_of() {
	ip netns list | grep -o "^ela$1-[a-z0-9]*"
	pgrep -f "/ela$1-"
	ls -d "${TMPDIR:-/tmp}/ela$1-"* 2>/dev/null
}

# interrupted  by somebody impatient, while nodes join
interrupted() {
	local pid status=0 left
	# what runs in the background of a script ignores SIGINT otherwise
	NO_COLOR=1 env --default-signal=INT scripts/demo --prefix "$ELA_PREFIX" >"$D/out" 2>&1 &
	pid=$!
	for _ in $(seq 600); do
		grep -q 'c comes in.* ok' "$D/out" && break
		sleep 0.1
	done
	while kill -INT $pid 2>/dev/null; do
		sleep 0.05
	done
	wait $pid || status=$?
	left=$(left_of $pid)
	if [ $status -eq 130 ] && [ -z "$left" ] && grep -q 'c comes in.* ok' "$D/out"; then
		echo 'ok a demo that is interrupted'
	else
		echo "FAIL a demo that is interrupted: found exit status $status and '$left' after '$(tail -n 1 "$D/out")'," \
			'wanted 130 and nothing left'
		FAILED=1
		pkill -9 -f "/ela$pid-"
		ip netns list | grep -o "^ela$pid-[a-z0-9]*" | xargs -r -n 1 ip netns del
		rm -rf "${TMPDIR:-/tmp}/ela$pid-"*
	fi
}

[ -n "${ELA_PREFIX:-}" ] || stand_in
refuses 'a daemon that ends at once' 'a founds it: ela init home' <<'END'
#!/bin/sh
exit 0
END
refuses 'a daemon that only says ready' 'a founds it: ela init home' <<'END'
#!/bin/sh
echo 'info elad: ready' >&2
exec sleep 300
END
refuses 'a daemon that never gets ready' 'a founds it: ela init home' <<'END'
#!/bin/sh
exec sleep 300
END
refuses 'a node that cannot be pinged' 'each pings each' <<'END'
#!/bin/sh
case $(ip netns identify $$) in
*-e) nft 'table ip deaf { chain in { type filter hook input priority 0; iifname "ela0" icmp type echo-request drop; }; }' ;;
esac
exec "$ELAD" "$@"
END
# The marker of the demo holds its number, and so do the names of its machines.
refuses 'a daemon that leaks' 'the underlay saw nothing in the clear' <<'END'
#!/bin/bash
machine=$(ip netns identify $$)
number=${machine#ela}
[ "${machine#*-}" != a ] || while sleep 1; do
	echo "ela-lab-marker-${number%-*}-in-the-clear" >/dev/udp/10.99.0.2/9
done &
exec "$ELAD" "$@"
END
interrupted
exit $FAILED
