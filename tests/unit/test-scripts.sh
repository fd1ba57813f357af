#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Scripts that cannot do their work say so in one line with the remedy and exit 2, before they make anything.
# Usage: test-scripts.sh ROOT
root=$1
tmp=$(mktemp -d "${TMPDIR:-/tmp}/ela-scripts-XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
bad=0

# refuses NAME PATTERN COMMAND...  exit 2, nothing on stdout, PATTERN among the lines of stderr
refuses() {
	local name=$1 pattern=$2 code
	shift 2
	timeout 60 "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	code=$?
	if [ $code -ne 2 ] || [ -s "$tmp/out" ] || ! grep -qE -e "$pattern" "$tmp/err"; then
		echo "FAIL $name: exit $code, wanted 2 and a line like $pattern"
		sed 's/^/  /' "$tmp/out" "$tmp/err"
		bad=1
	fi
}

peers=$root/bench/peers
refuses 'ela.sh without a prefix' '^ela.sh: PREFIX/sbin/elad is not there; usage: ' bash "$peers/ela.sh"
refuses 'ela.sh of an empty prefix' "^ela.sh: $tmp/sbin/elad is not there; usage: " bash "$peers/ela.sh" "$tmp"
refuses 'wireguard-go.sh' "^wireguard-go.sh: needs $tmp/none: apt-get install wireguard-go$" \
	bash "$peers/wireguard-go.sh" "$tmp/none"
refuses 'nebula.sh' "^nebula.sh: needs $tmp/nebula-cert: apt-get install nebula$" bash "$peers/nebula.sh" "$tmp"
refuses 'tinc.sh' "^tinc.sh: needs $tmp/tincd: apt-get install tinc$" bash "$peers/tinc.sh" "$tmp"
for pair in fastd:fastd openvpn:openvpn; do
	command -v "${pair%:*}" >/dev/null && continue # it is here: nothing to refuse
	refuses "${pair%:*}.sh" "^${pair%:*}.sh: needs ${pair%:*}: apt-get install ${pair#*:}$" bash "$peers/${pair%:*}.sh"
done
PATH=$PATH:/usr/sbin:/sbin command -v iptables >/dev/null ||
	refuses 'loss.sh' '^loss.sh: needs iptables: apt-get install iptables$' bash "$root/bench/loss.sh" "$peers/ela.sh" /nonexistent
refuses 'demo --prefix' '^demo: --prefix needs a value; ' bash "$root/scripts/demo" --prefix
refuses 'demo --elad' '^demo: --elad needs a value; ' bash "$root/scripts/demo" --elad
refuses 'demo of an empty prefix' "^demo: $tmp/sbin/elad is not there; " bash "$root/scripts/demo" --prefix "$tmp"

[ $bad -eq 0 ] && echo ok
exit $bad
