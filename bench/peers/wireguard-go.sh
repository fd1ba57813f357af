#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: wireguard-go.sh [BINARY [NAME]]
# shellcheck source=bench/lab.sh
. "$(dirname "$0")/../lab.sh"
BIN=${1:-wireguard-go}
need_lab "$BIN:wireguard-go" wg:wireguard-tools
WORK=$(mktemp -d)
(umask 077 && wg genkey >"$WORK/a" && wg genkey >"$WORK/b")
lab_up
export WG_PROCESS_FOREGROUND=1 LOG_LEVEL=error
# its control socket is one per interface name, in one folder of the machine: two names
WA=wgA$$ WB=wgB$$
LOG=$WORK/a.log bg A "$BIN" -f $WA
LOG=$WORK/b.log bg B "$BIN" -f $WB
sleep 1
inA wg set $WA listen-port 51820 private-key "$WORK/a" peer "$(wg pubkey <"$WORK/b")" endpoint $UB:51820 allowed-ips $OB/32
inB wg set $WB listen-port 51820 private-key "$WORK/b" peer "$(wg pubkey <"$WORK/a")" endpoint $UA:51820 allowed-ips $OA/32
tunnel_up $WA $WB
measure_or_fail "${2:-wireguard-go}" "$WORK/a.log"
