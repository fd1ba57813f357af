#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# ela init, invite, add-node, join: exit codes, what is said where, the files, JSON by docs/json.md.
# Usage: test-enter.sh ELA ELAD SCHEMA.PY JSON.MD PLUGIN_DIR...
set -u
ela=$1 elad=$2 schema=$3 json_md=$4
shift 4
dirs=
for dir in "$@"; do
	dirs="$dirs --plugin-dir $dir"
done
[ -x "$ela" ] && [ -x "$elad" ] || exit 99
umask 022
tmp=$(mktemp -d "${TMPDIR:-/tmp}/ela-enter-XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
work="$tmp/work" bad=0
mkdir "$work"

fail() {
	echo "FAIL $*"
	sed 's/^/  stdout: /' "$tmp/out"
	sed 's/^/  stderr: /' "$tmp/err"
	bad=$((bad + 1))
}

# run WANTED_CODE ARGUMENT...
run() {
	wanted=$1
	shift
	"$ela" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	code=$?
	[ $code -eq "$wanted" ] || fail "ela $*: exit $code, wanted $wanted"
}

# refused WANTED_CODE PATTERN ARGUMENT...: nothing on stdout, one line on stderr, no file made
refused() {
	wanted=$1 pattern=$2
	shift 2
	find "$work" | sort >"$tmp/before"
	run "$wanted" "$@"
	find "$work" | sort >"$tmp/after"
	[ ! -s "$tmp/out" ] || fail "ela $*: stdout is not empty"
	if [ "$(wc -l <"$tmp/err")" -ne 1 ] || ! grep -qE -e "^ela: .*$pattern" "$tmp/err"; then
		fail "ela $*: wanted one line like $pattern"
	fi
	cmp -s "$tmp/before" "$tmp/after" || fail "ela $*: left files: $(diff "$tmp/before" "$tmp/after")"
}

# tokens N WHAT: so many lines on stdout, each a token
tokens() {
	[ "$(wc -l <"$tmp/out")" -eq "$1" ] || fail "$2: wanted $1 lines"
	[ "$(grep -cxE 'ela1_[A-Za-z0-9_-]{500,1400}' "$tmp/out")" -eq "$1" ] || fail "$2: wanted $1 tokens"
}

said() { # said PATTERN WHAT
	grep -qE -e "$1" "$tmp/err" || fail "$2: wanted a line like $1 on stderr"
}

mode() { # mode MODE FILE...
	wanted=$1
	shift
	for file in "$@"; do
		[ "$(stat -c %a "$file")" = "$wanted" ] || fail "$file: mode $(stat -c %a "$file"), wanted $wanted"
	done
}

as_documented() { # as_documented SCHEMA: the JSON on stdout, and nothing beside it
	faults=$("$schema" "$json_md" "$1" <"$tmp/out" 2>&1)
	[ -z "$faults" ] || fail "--json: $faults"
}

net="$work/net"

# ---- init ----
run 0 --help
for word in init join invite add-node --name --address --prefix --user --no-start --endpoint --edge-only --may-invite --max-nodes --expires; do
	grep -q -e "$word" "$tmp/out" || fail "--help does not name $word"
done
refused 2 'init needs NETWORK' init --dir "$net" --no-start
refused 2 'is no name for a network' init 'a b' --dir "$net" --no-start
refused 2 'is no name for a user.*--user NAME' init lab --user .x --dir "$net" --no-start
refused 2 '--prefix here: expected an IPv4 prefix' init lab --prefix here --dir "$net" --no-start
refused 2 'expected an IPv4 unicast one of 8 to 28 bits' init lab --prefix 10.77.0.0/30 --dir "$net" --no-start
refused 2 'expected an IPv4 unicast one of 8 to 28 bits' init lab --prefix 10.77.0.1/24 --dir "$net" --no-start
refused 2 '--endpoint x:y: expected HOST:PORT' init lab --endpoint x:y --dir "$net" --no-start
refused 2 '--endpoint 127.0.0.1: 127.0.0.1 cannot be called' init lab --endpoint 127.0.0.1 --dir "$net" --no-start
refused 2 '--name a b: expected a name for a node' init lab --name 'a b' --dir "$net" --no-start
refused 2 '--name .x: expected a name for a node' init lab --name .x --dir "$net" --no-start
refused 2 'init takes no --edge-only' init lab --edge-only --dir "$net" --no-start
refused 2 'init takes no --network' init lab --network lab --no-start
refused 2 'status takes no --prefix' status --prefix 10.0.0.0/8
run 0 init lab --dir "$net/" --no-start --user sada --endpoint 198.51.100.7:7000 --prefix 10.78.0.0/16
tokens 1 init
said 'network lab, 10.78.0.0/16, is in .*/net; you are its owner and its user sada' init
said 'recovery key is .*/net/recovery.pem: keep it elsewhere' init
mode 600 "$net/user.pem" "$net/recovery.pem" "$net/node.key" "$net/node-sign.key" "$net/genesis" "$net/list" "$net/credential"
mode 644 "$net/ela.ini"
mode 755 "$net"
grep -qx 'prefix = 10.78.0.0/16' "$net/ela.ini" || fail "init: ela.ini has another prefix"
# shellcheck disable=SC2086 # a list of options
"$elad" $dirs --check --config "$net/ela.ini" >"$tmp/out" 2>"$tmp/err" || fail "elad --check refuses the ela.ini of init"
refused 1 'has a network already, which is never overwritten' init lab --dir "$net" --no-start
mkdir "$work/full" && touch "$work/full/file"
refused 1 'is there already and is no empty folder' init lab --dir "$work/full" --no-start
run 0 init lab --dir "$work/second" --no-start --json --endpoint 198.51.100.7 --name desk
as_documented init
[ ! -s "$tmp/err" ] || fail "init --json: stderr is not empty"
grep -q '"node":"desk"' "$tmp/out" || fail "init --name: another name in what it says"
grep -qx 'name = desk' "$work/second/ela.ini" || fail "init --name: another name in ela.ini"
grep -q '"recovery_key":"/.*/second/recovery.pem"' "$tmp/out" || fail "init --json: no recovery key"

# ---- invite ----
refused 2 'invite needs USER' invite --dir "$net"
refused 2 '"aki" is given twice' invite aki kin aki --dir "$net"
refused 2 '"a b" is no name' invite aki 'a b' --dir "$net"
refused 1 'there is a user sada already' invite aki sada --dir "$net"
refused 2 '--max-nodes 0: expected a whole number 1..1024' invite aki --max-nodes 0 --dir "$net"
refused 2 '--max-nodes 1025: expected' invite aki --max-nodes 1025 --dir "$net"
refused 2 '--expires 7: expected a duration 1m..365d' invite aki --expires 7 --dir "$net"
refused 2 '--expires 59s: expected' invite aki --expires 59s --dir "$net"
refused 2 '--expires 366d: expected' invite aki --expires 366d --dir "$net"
refused 2 'at most 3 addresses' invite aki --dir "$net" --endpoint 198.51.100.1 --endpoint 198.51.100.2 --endpoint 198.51.100.3 \
	--endpoint 198.51.100.4
refused 2 'is given twice' invite aki --dir "$net" --endpoint 198.51.100.1 --endpoint 198.51.100.1:7450
refused 2 'invite takes no --user' invite aki --user x --dir "$net"
refused 5 'no such folder' invite aki --dir "$work/none"
run 0 invite aki kin --dir "$net" --endpoint '[2001:db8::7]:7451' --may-invite --max-nodes 2 --expires 30m
tokens 2 invite
[ ! -s "$tmp/err" ] || fail "invite: stderr is not empty"
[ "$(sort -u "$tmp/out" | wc -l)" -eq 2 ] || fail "invite: one token twice"
run 0 invite aki --dir "$net" --edge-only --json --endpoint 198.51.100.7
as_documented tokens
now=$(date +%s)
week=$(grep -oE '"expires_s":[0-9]+' "$tmp/out" | grep -oE '[0-9]+')
off=$((now + 7 * 86400 - week))
if [ $off -lt 0 ] || [ $off -gt 60 ]; then fail "invite: expires $week, wanted in 7 days"; fi
mv "$net/user.pem" "$work/user.pem"
refused 4 'this machine cannot speak for its user' invite aki --dir "$net"
mv "$work/user.pem" "$net/user.pem"
cp "$net/ela.ini" "$work/saved"
echo junk >>"$net/ela.ini"
refused 78 'ela.ini:[0-9]+: .*"junk" is no "key = value"' invite aki --dir "$net"
cp "$work/saved" "$net/ela.ini"

# ---- addresses of this machine ----
if [ "$(id -u)" -eq 0 ] && unshare -n true 2>/dev/null; then
	cat >"$tmp/net.sh" <<-'END'
		ip link set lo up
		"$1" invite aki --dir "$2" >"$3/none.out" 2>"$3/none.err" || exit 1
		ip addr add 192.168.7.7/24 dev lo && ip addr add 10.78.0.9/16 dev lo || exit 1
		"$1" invite aki --dir "$2" >"$3/private.out" 2>"$3/private.err" || exit 1
		ip addr add 198.51.100.9/24 dev lo
		"$1" invite aki --dir "$2" >"$3/global.out" 2>"$3/global.err" || exit 1
	END
	unshare -n sh "$tmp/net.sh" "$ela" "$net" "$tmp" || fail "invite in a namespace of its own"
	grep -q 'warning: no address of this machine is known' "$tmp/none.err" || fail "no address: $(cat "$tmp/none.err")"
	grep -q 'warning: only private addresses' "$tmp/private.err" || fail "a private address: $(cat "$tmp/private.err")"
	[ ! -s "$tmp/global.err" ] || fail "a global address: $(cat "$tmp/global.err")"
	# a core of the token: key, 4, address, ports
	for case in none:c0a80707 private:c6336409 private:0a4e0009; do
		python3 - "$tmp/${case%%:*}.out" "${case##*:}" <<-'END' || fail "${case%%:*}: the address ${case##*:} is in it"
			import base64, sys
			text = open(sys.argv[1]).read().strip()[5:]
			sys.exit(("04" + sys.argv[2]) in base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex())
		END
	done
	for case in private:c0a80707 global:c6336409 global:c0a80707; do
		python3 - "$tmp/${case%%:*}.out" "${case##*:}" <<-'END' || fail "${case%%:*}: the address ${case##*:} is not in it"
			import base64, sys
			text = open(sys.argv[1]).read().strip()[5:]
			sys.exit(("04" + sys.argv[2] + "1d1a1d1a") not in base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex())
		END
	done
fi

# ---- add-node ----
refused 2 'add-node needs NAME' add-node --dir "$net"
refused 2 '"a b" is no name' add-node 'a b' --dir "$net"
refused 2 'unexpected "c"' add-node b c --dir "$net"
refused 2 'add-node takes no --may-invite' add-node b --may-invite --dir "$net"
run 0 add-node laptop --dir "$net" --endpoint 198.51.100.7 --expires 2d
tokens 1 add-node
run 0 add-node --json laptop --dir "$net" --endpoint 198.51.100.7
as_documented tokens

# ---- join ----
"$ela" invite aki --dir "$net" --endpoint 198.51.100.7:7000 >"$tmp/token"
"$ela" add-node laptop --dir "$net" --endpoint 198.51.100.7 >"$tmp/machine"
token=$(cat "$tmp/token")
refused 5 'there is no such folder' join --dir "$work/none"
refused 1 'this is no token; expected one line that starts with ela1_' join hello --dir "$work/b" --no-start
refused 1 'mistyped or cut; copy the whole line' join "${token%?}" --dir "$work/b" --no-start
refused 1 'this is no token' join - --dir "$work/b" --no-start
refused 2 '--address here: expected an IPv4 address' join "$token" --address here --dir "$work/b" --no-start
refused 2 '10.77.0.5 is not the address of a host in the network; expected one of 10.78.0.0/16' join "$token" \
	--address 10.77.0.5 --dir "$work/b" --no-start
refused 2 '"a b" is no name for a node' join "$token" --name 'a b' --dir "$work/b" --no-start
refused 2 '--name is longer than 63' join "$token" --name "$token" --dir "$work/b" --no-start
refused 2 'b: is no endpoint' join "$token" --endpoint b: --dir "$work/b" --no-start
refused 2 'join takes no --network' join "$token" --network lab --no-start
refused 2 'join takes no --user' join "$token" --user x --dir "$work/b" --no-start
refused 1 'has a network already' join "$token" --dir "$net" --no-start
run 0 join "$token" --dir "$work/b" --no-start --name desk --address 10.78.0.5 --endpoint core.example
[ ! -s "$tmp/out" ] || fail "join: stdout is not empty"
said 'network lab, 10.78.0.0/16, is in .*/b; this machine is node desk of user aki' join
mode 600 "$work/b/user.pem" "$work/b/node.key" "$work/b/node-sign.key" "$work/b/claim" "$work/b/credential" "$work/b/cores"
grep -qx 'bootstrap = core.example, 198.51.100.7:7000' "$work/b/ela.ini" || fail "join: ela.ini has other bootstraps"
grep -qx 'address = 10.78.0.5' "$work/b/ela.ini" || fail "join: ela.ini has another wish"
# shellcheck disable=SC2086 # a list of options
"$elad" $dirs --check --config "$work/b/ela.ini" >"$tmp/out" 2>"$tmp/err" || fail "elad --check refuses the ela.ini of join"
refused 5 'has not joined the network yet' invite kin --dir "$work/b"
"$ela" join - --dir "$work/c" --no-start --json <"$tmp/machine" >"$tmp/out" 2>"$tmp/err" || fail "join -: exit $?"
as_documented join
grep -q '"user":"sada","node":"laptop"' "$tmp/out" || fail "join -: wanted node laptop of user sada"
[ ! -e "$work/c/user.pem" ] || fail "join -: a further machine has the user's key"
refused 4 'this machine cannot speak for its user' add-node d --dir "$work/c"

# ---- users and recover, where no elad runs: the state folder has the list ----
for word in users leases recover; do
	"$ela" --help | grep -q "^  $word " || fail "--help does not name $word"
done
users() { # users WANTED_LINE...: what users prints has these
	run 0 users --dir "$net"
	for line in "$@"; do
		grep -qxE -e "$line" "$tmp/out" || fail "users: wanted a line like $line"
	done
}
users 'USER +CORE +INVITE +NODES +KEPT ADDRESSES +STATE' 'sada +yes +yes +1 of 16 +- +owner' 'list 0\.1, good until 20[0-9-]+'
run 0 users list --dir "$net" --json
as_documented users
refused 2 'users does not "revok"; did you mean "revoke"' users revok x --dir "$net"
refused 2 'expected users revoke NAME' users revoke --dir "$net"
refused 2 'expected users renew' users renew now --dir "$net"
refused 2 'expected users set NAME KEY VALUE' users set sada max-nodes --dir "$net"
refused 5 'there is no user "sade"; did you mean "sada".*ela users shows all' users revoke sade --dir "$net"
refused 2 "sada is the network's owner: ela recover" users revoke sada --dir "$net"
refused 2 'max-nodes "x": expected a whole number 1..1024' users set sada max-nodes x --dir "$net"
refused 2 '"10.78.0" *: expected an IPv4 address' users reserve sada desk 10.78.0 --dir "$net"
refused 2 '"\.-/" is no name of a node' users reserve sada .-/ 10.78.0.9 --dir "$net"
refused 2 '192.0.2.1 is no address of a node in the network' users reserve sada desk 192.0.2.1 --dir "$net"
users 'list 0\.1, .*'
run 0 users set sada max-nodes 20 --dir "$net"
grep -q "^user sada: max-nodes is 20; list 0\.2, good until .*, for when this node's elad runs$" "$tmp/out" || fail "users set: other words"
run 0 users reserve sada desk 10.78.0.9 --dir "$net" --json
as_documented users-done
grep -q '"done":"reserved","changed":true,"list":{"epoch":0,"version":3,' "$tmp/out" || fail "users reserve: other JSON"
run 0 users reserve sada desk 10.78.0.9 --dir "$net" --json
grep -q '"changed":false,"list":{"epoch":0,"version":3,' "$tmp/out" || fail "users reserve again: other JSON"
run 0 users renew --dir "$net"
users 'sada +yes +yes +1 of 20 +10\.78\.0\.9 +owner' 'list 0\.4, .*'
refused 5 'no elad runs, and this node has not joined' users --dir "$work/b"
refused 3 'no elad is running' leases --dir "$net"
mv "$net/user.pem" "$tmp/user.pem"
refused 4 "only the network's owner changes.*ela recover FILE" users renew --dir "$net"
refused 5 'nobody.pem: is not there' recover "$tmp/nobody.pem" --dir "$net"
refused 4 "user.pem: this is not the network's recovery key" recover "$tmp/user.pem" --dir "$net"
mv "$net/recovery.pem" "$tmp/recovery.pem"
run 0 recover "$tmp/recovery.pem" --dir "$net" --json
as_documented recover
mode 600 "$net/owner-1.pem" "$net/recovery-1.pem"
refused 4 'or it was used before' recover "$tmp/recovery.pem" --dir "$net"
users 'sada +yes +yes +1 of 20 +10\.78\.0\.9 +listed' 'list 1\.1, .*'
run 0 users revoke sada --dir "$net"
users 'sada +yes +yes +0 of 20 +10\.78\.0\.9 +revoked' 'list 1\.2, .*'
# one that was cut off behind the keys goes on with them
mv "$net/recovery-1.pem" "$tmp/"
cp "$net/owner-1.pem" "$net/owner-2.pem"
run 0 recover "$tmp/recovery-1.pem" --dir "$net"
cmp -s "$net/owner-1.pem" "$net/owner-2.pem" || fail "recover: made another key where there was one"
users 'sada +.*revoked' 'list 2\.1, .*'
# as root in a folder that is somebody else's: what is written is his
if [ "$(id -u)" -eq 0 ]; then
	for file in genesis revoked list forks enrolments credentials credential; do
		[ ! -e "$net/$file" ] || chown 12345:12345 "$net/$file"
	done
	chown 12345:12345 "$net"
	run 0 users renew --dir "$net"
	users 'list 2\.2, .*'
	[ "$(stat -c %u "$net/list")" -eq 12345 ] || fail "users renew: the list belongs to $(stat -c %U "$net/list")"
	[ "$(stat -c %u "$net/owner-2.pem")" -eq 0 ] || fail "users renew: the owner's key is not root's any more"
fi

[ $bad -eq 0 ] && echo "ok"
[ $bad -eq 0 ]
