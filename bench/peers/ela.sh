#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: [TRANSPORT=udp|tcp] [CIPHER=aead|ipsecmb|blowfish] [LANES=N] ela.sh PREFIX [NAME]
# Without CIPHER the default ini's order is used: ipsecmb, aead where ipsecmb is installed.
# shellcheck source=bench/lab.sh
. "$(dirname "$0")/../lab.sh"
if [ ! -x "${1:-}/sbin/elad" ]; then
	echo "ela.sh: ${1:-PREFIX}/sbin/elad is not there; usage: ela.sh PREFIX [NAME], the folder ELA is installed in" >&2
	exit 2
fi
need_lab
PREFIX=$1
TRANSPORT=${TRANSPORT:-udp}
ELAD=$PREFIX/sbin/elad
if [ -z "${CIPHER:-}" ]; then
	CIPHER=aead
	"$ELAD" --list-plugins | grep -q ipsecmb && CIPHER='ipsecmb, aead'
fi
WORK=$(mktemp -d)
chmod 755 "$WORK"

# config NAME OVERLAY PEER PEER-OVERLAY PEER-UNDERLAY PEER-KEY
config() {
	cat <<-END
		[node]
		name = $1
		address = $2/24
		private-key-file = $1.key
		${LANES:+lanes = $LANES}
		[components]
		npd = tun
		cipher = $CIPHER
		transport = $TRANSPORT
		routing = static
		[npd-tun]
		interface = ela$1
		mtu = $MTU
		[transport-$TRANSPORT]
		listen = 0.0.0.0
		port = 7450
		[peer $3]
		public-key = $6
		address = $4
		endpoint = $5:7450
		transport = $TRANSPORT
	END
}

KA=$("$ELAD" keygen "$WORK" a) && KB=$("$ELAD" keygen "$WORK" b) || exit 1
config a $OA b $OB $UB "$KB" >"$WORK/a.ini"
config b $OB a $OA $UA "$KA" >"$WORK/b.ini"
lab_up
mkdir "$WORK/state-a" "$WORK/state-b"
LOG=$WORK/b.log bg B "$ELAD" --config "$WORK/b.ini" --state-dir "$WORK/state-b"
LOG=$WORK/a.log bg A "$ELAD" --config "$WORK/a.ini" --state-dir "$WORK/state-a"
measure_or_fail "${2:-ela-$TRANSPORT-${CIPHER%%,*}}" "$WORK/a.log"
