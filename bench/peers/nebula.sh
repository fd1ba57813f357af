#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: nebula.sh [FOLDER-OF-BINARIES [NAME]]
# shellcheck source=bench/lab.sh
. "$(dirname "$0")/../lab.sh"
BINS=${1:-/usr/bin}
need_lab "$BINS/nebula:nebula" "$BINS/nebula-cert:nebula"
WORK=$(mktemp -d)

# config NAME OTHER-OVERLAY OTHER-UNDERLAY
config() {
	cat <<-END
		pki: {ca: $WORK/ca.crt, cert: $WORK/$1.crt, key: $WORK/$1.key}
		static_host_map: {"$2": ["$3:4242"]}
		lighthouse: {am_lighthouse: false}
		listen: {host: 0.0.0.0, port: 4242, batch: 64}
		cipher: aes
		tun: {dev: neb$1, mtu: $MTU, tx_queue: 1000}
		logging: {level: error}
		firewall: {outbound: [{port: any, proto: any, host: any}], inbound: [{port: any, proto: any, host: any}]}
	END
}

cd "$WORK" || exit 1
"$BINS/nebula-cert" ca -name x >/dev/null
"$BINS/nebula-cert" sign -name a -ip $OA/24
"$BINS/nebula-cert" sign -name b -ip $OB/24
config a $OB $UB >a.yml
config b $OA $UA >b.yml
lab_up
LOG=$WORK/b.log bg B "$BINS/nebula" -config "$WORK/b.yml"
LOG=$WORK/a.log bg A "$BINS/nebula" -config "$WORK/a.yml"
sleep 2
cd / || exit 1
measure_or_fail "${2:-nebula}" "$WORK/a.log"
