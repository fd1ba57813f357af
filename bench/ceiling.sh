#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: ceiling.sh [aead]    builds ceiling.c and measures it; EVP=1 for OpenSSL instead of ipsec-mb
HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/lab.sh
. "$HERE/lab.sh"
WORK=$(mktemp -d)
if [ -n "${EVP:-}" ]; then
	gcc -O3 -march=native -DEVP -o "$WORK/ceiling" "$HERE/ceiling.c" -lcrypto -lpthread
else
	gcc -O3 -march=native -o "$WORK/ceiling" "$HERE/ceiling.c" -lIPSec_MB -lpthread
fi || exit 1
lab_up
LOG=$WORK/a.log bg A "$WORK/ceiling" lA $UA $UB 5555 ${1:+"$1"}
LOG=$WORK/b.log bg B "$WORK/ceiling" lB $UB $UA 5555 ${1:+"$1"}
sleep 0.5
tunnel_up lA lB
measure_or_fail "ceiling-${1:-plain}${EVP:+-evp}" "$WORK/a.log"
