#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: tinc.sh [FOLDER-OF-BINARIES [NAME]]    1.0 and 1.1
# shellcheck source=bench/lab.sh
. "$(dirname "$0")/../lab.sh"
BINS=${1:-/usr/sbin}
need_lab "$BINS/tincd:tinc"
WORK=$(mktemp -d)

# host_lines OVERLAY UNDERLAY
host_lines() {
	printf 'Subnet = %s/32\nAddress = %s\n' "$1" "$2"
}

# up_script OVERLAY
up_script() {
	# shellcheck disable=SC2016 # tinc sets INTERFACE
	printf '#!/bin/sh\nip addr add %s/24 dev $INTERFACE\nip link set $INTERFACE up mtu %s\n' "$1" "$MTU"
}

for n in a b; do
	if [ -x "$BINS/tinc" ]; then
		"$BINS/tinc" -c "$WORK/$n" init $n >/dev/null 2>&1 </dev/null
	else
		mkdir -p "$WORK/$n/hosts"
		echo "Name = $n" >"$WORK/$n/tinc.conf"
	fi
done
host_lines $OA $UA >>"$WORK/a/hosts/a"
host_lines $OB $UB >>"$WORK/b/hosts/b"
if [ ! -x "$BINS/tinc" ]; then
	for n in a b; do
		yes "" | "$BINS/tincd" -c "$WORK/$n" -K2048 >/dev/null 2>&1
	done
fi
cp "$WORK/a/hosts/a" "$WORK/b/hosts/"
cp "$WORK/b/hosts/b" "$WORK/a/hosts/"
for n in a b; do
	echo "Interface = tinc$n" >>"$WORK/$n/tinc.conf"
done
echo "ConnectTo = b" >>"$WORK/a/tinc.conf"
up_script $OA >"$WORK/a/tinc-up"
up_script $OB >"$WORK/b/tinc-up"
chmod +x "$WORK"/*/tinc-up
lab_up
LOG=$WORK/b.log bg B "$BINS/tincd" -c "$WORK/b" -D "--pidfile=$WORK/b.pid"
sleep 0.5
LOG=$WORK/a.log bg A "$BINS/tincd" -c "$WORK/a" -D "--pidfile=$WORK/a.pid"
# its path MTU discovery needs some seconds before it is at full speed
sleep 6
measure_or_fail "${2:-tinc}" "$WORK/a.log"
