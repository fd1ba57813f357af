#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# scripts/demo must not say "ok" of a network that does not work: it runs with daemons that end at once, that never get
# ready, and that only claim to be ready. ELA_PREFIX: an installed ELA.
cd "$(dirname "$0")/../.." || exit 1
if [ "$(id -u)" -ne 0 ] || [ ! -c /dev/net/tun ]; then
	echo 'skipped: the demo needs root and /dev/net/tun'
	exit 77
fi
: "${ELA_PREFIX:?names the folder ELA is installed in}"
D=$(mktemp -d)
trap 'rm -rf "$D"' EXIT
FAILED=0

# refuses NAME STEP  with the daemon that stands on stdin
refuses() {
	local status=0
	cat >"$D/elad"
	chmod 755 "$D/elad"
	NO_COLOR=1 timeout 300 scripts/demo --prefix "$ELA_PREFIX" --elad "$D/elad" >"$D/out" 2>&1 || status=$?
	if [ $status -eq 1 ] && [ "$(tail -n 1 "$D/out")" = "demo: FAILED: $2" ]; then
		echo "ok $1"
	else
		echo "FAIL $1: found exit status $status and '$(tail -n 1 "$D/out")', wanted 1 and 'demo: FAILED: $2'"
		FAILED=1
	fi
}

refuses 'a daemon that ends at once' 'start elad three times' <<'END'
#!/bin/sh
exit 0
END
refuses 'a daemon that only says ready' 'ping all pairs' <<'END'
#!/bin/sh
echo 'info elad: ready' >&2
exec sleep 300
END
refuses 'a daemon that never gets ready' 'start elad three times' <<'END'
#!/bin/sh
exec sleep 300
END
exit $FAILED
