#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: fastd.sh [METHOD]
# shellcheck source=bench/lab.sh
. "$(dirname "$0")/../lab.sh"
need_lab fastd:fastd
METHOD=${1:-aes128-ctr+umac}
WORK=$(mktemp -d)

field() {
	sed -n "s/^$2: //p" "$WORK/$1.key"
}

# config NAME OWN OTHER ENDPOINT
config() {
	cat <<-END
		log level error;
		interface "f$1";
		mode tun;
		method "$METHOD";
		bind 0.0.0.0:10000;
		secret "$(field "$2" Secret)";
		mtu $MTU;
		peer "x" { key "$(field "$3" Public)"; remote ipv4 "$4" port 10000; }
	END
}

(
	umask 077
	fastd --generate-key >"$WORK/a.key" 2>/dev/null
	fastd --generate-key >"$WORK/b.key" 2>/dev/null
	config a a b $UB >"$WORK/a.conf"
	config b b a $UA >"$WORK/b.conf"
)
lab_up
LOG=$WORK/b.log bg B fastd -c "$WORK/b.conf"
LOG=$WORK/a.log bg A fastd -c "$WORK/a.conf"
sleep 2
tunnel_up fa fb
measure_or_fail "fastd-$METHOD" "$WORK/a.log"
