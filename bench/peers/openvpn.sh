#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: openvpn.sh udp|tcp
# shellcheck source=bench/lab.sh
. "$(dirname "$0")/../lab.sh"
need_lab openvpn:openvpn openssl:openssl
PROTO=${1:-udp}
WORK=$(mktemp -d)
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$WORK/k.pem" -out "$WORK/c.pem" -days 10 -subj /CN=x >/dev/null 2>&1
PRINT=$(openssl x509 -in "$WORK/c.pem" -noout -fingerprint -sha256 | cut -d= -f2)
SERVER=$PROTO CLIENT=$PROTO
[ "$PROTO" = tcp ] && SERVER=tcp-server CLIENT=tcp-client
BOTH=(--cert "$WORK/c.pem" --key "$WORK/k.pem" --peer-fingerprint "$PRINT" --data-ciphers AES-256-GCM --ping 10
	--tun-mtu "$MTU" --txqueuelen 1000 --sndbuf 4194304 --rcvbuf 4194304)
lab_up
LOG=$WORK/b.log bg B openvpn --dev tun --proto "$SERVER" --local $UB --lport 1194 --ifconfig $OB $OA --tls-server --dh none \
	"${BOTH[@]}"
sleep 1
LOG=$WORK/a.log bg A openvpn --dev tun --proto "$CLIENT" --remote $UB 1194 --nobind --ifconfig $OA $OB --tls-client "${BOTH[@]}"
sleep 2
measure_or_fail "openvpn-$PROTO" "$WORK/a.log"
