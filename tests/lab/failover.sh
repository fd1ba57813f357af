#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A parent is lost - killed, cut off, stopped - or leaves, while two edges talk: the flow goes on within the bound, over sessions
# that were there. Drawn in gaps.sh. All five ways, twice, with ELA_LONG=1; else one of each kind.
#
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/lab/gaps.sh
. "$(dirname "$0")/gaps.sh"
lab_begin
gaps_up
ways='kill term' often=1 GAPS_WAIT=3
[ "${ELA_LONG:-0}" != 1 ] || ways='kill cut stop term leave' often=2
for way in $ways; do
	case $way in
	term | leave) bound=50 ;;
	*) bound=2000 ;;
	esac
	for ((i = 0; i < often; i++)); do
		gaps_once "$way" || break
		lab_equal "flow goes on after $way" "$GAP_FLOW" ok
		lab_compare "ms without an answer after $way" "$GAP_MS" -le $(($(lab_bound $bound) + GAP_BEFORE))
		lab_compare "pings without an answer after $way" "$GAP_LOST" -le $((bound / 10))
		lab_equal "handshakes for $way" "$GAP_SHAKEN" 0
	done
done
lab_end
