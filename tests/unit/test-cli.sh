#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# elad's command line: exit codes, --check, --list-plugins, --version, keygen.
# Usage: test-cli.sh ELAD VERSION PLUGIN_DIR...
set -u
elad=$1 version=$2
shift 2
dirs=
for dir in "$@"; do
	dirs="$dirs --plugin-dir $dir"
done
[ -x "$elad" ] || exit 99
umask 022
tmp=$(mktemp -d "${TMPDIR:-/tmp}/ela-cli-XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
bad=0

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
	"$elad" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	code=$?
	[ $code -eq "$wanted" ] || fail "elad $*: exit $code, wanted $wanted"
}

# one out|err PATTERN WHAT: exactly one line, which matches
one() {
	if [ "$(wc -l <"$tmp/$1")" -ne 1 ] || ! grep -qE -e "$2" "$tmp/$1"; then
		fail "$3: wanted one line like $2"
	fi
}

quiet() { # quiet out|err WHAT
	[ ! -s "$tmp/$1" ] || fail "$2: std$1 is not empty"
}

# ---- version, help, usage ----
run 0 --version
[ "$(cat "$tmp/out")" = "elad $version" ] || fail "--version: wanted elad $version"
quiet err --version
run 0 --help
for word in --config --state-dir --plugin-dir --check --list-plugins --log-level --version keygen pubkey; do
	grep -q -e "$word" "$tmp/out" || fail "--help does not name $word"
done
quiet err --help
cp "$tmp/out" "$tmp/help"
for verb in keygen pubkey; do
	run 0 $verb --help
	cmp -s "$tmp/out" "$tmp/help" || fail "$verb --help: wanted what --help prints"
done

usage() {
	run 2 "$@"
	quiet out "elad $*"
	one err '^elad: .*; see elad --help$' "elad $*"
}
usage --no-such-option
usage -x
usage --config
usage --plugin-dir
usage --log-level
usage --log-level loud
usage --state-dir "$tmp/none"
usage --plugin-dir "$tmp/none" --list-plugins
usage --plugin-dir "$0" --list-plugins
usage surplus
usage --check surplus
usage keygen
usage keygen "$tmp"
usage keygen "$tmp" a b
usage keygen "$tmp" ../a
usage keygen "$tmp" .a
usage keygen "$tmp" ''
usage pubkey
usage pubkey "$tmp/a.key" b

# ---- keygen ----
run 0 keygen "$tmp" a
quiet err keygen
one out '^[A-Za-z0-9+/]{43}=$' keygen
[ "$(stat -c %a "$tmp/a.key")" = 600 ] || fail "keygen: mode $(stat -c %a "$tmp/a.key"), wanted 600"
public=$(cat "$tmp/out") before=$(sha256sum <"$tmp/a.key")
grep -qF "$public" "$tmp/a.key" && fail "keygen: the file holds what was printed"
run 1 keygen "$tmp" a
quiet out "keygen over a file"
one err "^elad: $tmp/a.key: .*\"elad pubkey $tmp/a.key\" prints its public key" "keygen over a file"
[ "$(sha256sum <"$tmp/a.key")" = "$before" ] || fail "keygen changed an existing file"
run 0 keygen "$tmp" b
[ "$(cat "$tmp/out")" != "$public" ] || fail "keygen: the same key twice"
peer=$(cat "$tmp/out")
run 1 keygen "$tmp/none" c
[ ! -e "$tmp/none" ] || fail "keygen made a folder"

# ---- pubkey ----
run 0 pubkey "$tmp/a.key"
quiet err pubkey
[ "$(cat "$tmp/out")" = "$public" ] || fail "pubkey: wanted what keygen printed"
run 1 pubkey "$tmp/none.key"
quiet out "pubkey of no file"
one err "^elad: $tmp/none.key: is not there; make it: elad keygen $tmp none$" "pubkey of no file"
cp "$tmp/a.key" "$tmp/open.key" && chmod 640 "$tmp/open.key"
run 4 pubkey "$tmp/open.key"
quiet out "pubkey of an open file"
one err "^elad: $tmp/open.key: mode is 0640.*chmod 600 $tmp/open.key$" "pubkey of an open file"
"$elad" pubkey "$tmp/a.key" >/dev/full 2>"$tmp/err"
code=$?
[ $code -eq 1 ] || fail "pubkey to a full device: exit $code, wanted 1"

# ---- --check ----
cat >"$tmp/good.ini" <<END
[node]
name = a
address = 10.88.0.1/24
private-key-file = a.key
[components]
npd = tun
cipher = aead
transport = udp, tcp
routing = static
[peer b]
public-key = $peer
address = 10.88.0.2
endpoint = 192.0.2.2:7450
END
# shellcheck disable=SC2086 # a list of options
check() {
	wanted=$1 file=$2
	run "$wanted" $dirs --config "$file" --check
	quiet out "--check $file"
}
check 0 "$tmp/good.ini"
quiet err "--check of a good file"

# broken NAME SED_SCRIPT PATTERN...: 78, each pattern on a line of its own form, every line with the file's name
broken() {
	name=$1 script=$2
	shift 2
	sed "$script" "$tmp/good.ini" >"$tmp/$name.ini"
	check 78 "$tmp/$name.ini"
	for pattern in "$@"; do
		grep -qE "^elad: $tmp/$name.ini:$pattern" "$tmp/err" || fail "$name: no line $pattern"
	done
	[ "$(grep -vcE "^elad: $tmp/$name.ini:[0-9]+: " "$tmp/err")" -eq 0 ] || fail "$name: a line of another form"
}
broken two-errors 's/^name = a$/name = a b/; s/^npd = tun$/npd = tunn/' '2: \[node\] name: ' '6: \[components\] npd: '
broken misspelt 's/^address = 10.88.0.1/adress = 10.88.0.1/' '3: \[node\] adress: .*did you mean "address"'
broken no-user 's/^name = a$/&\nuser = no-such-user-of-ela/' '3: \[node\] user: .*no-such-user-of-ela'
check 78 "$tmp/none.ini"
one err "^elad: $tmp/none.ini:1: .*--config FILE.*examples/ela.ini" "a missing file"
# a warning is no error
sed 's/^address = 10.88.0.2$/address = 10.89.0.2/' "$tmp/good.ini" >"$tmp/outside.ini"
check 0 "$tmp/outside.ini"
one err "^elad: $tmp/outside.ini:12: \[peer b\] address: warning: .*outside this node's network 10.88.0.0/24" "a warning"

# ---- permission ----
if [ "$(id -u)" -eq 0 ]; then
	# shellcheck disable=SC2086 # a list of options
	setpriv --bounding-set -all "$elad" $dirs --config "$tmp/good.ini" >"$tmp/out" 2>"$tmp/err" </dev/null
else
	# shellcheck disable=SC2086
	"$elad" $dirs --config "$tmp/good.ini" >"$tmp/out" 2>"$tmp/err" </dev/null
fi
code=$?
[ $code -eq 4 ] || fail "without CAP_NET_ADMIN: exit $code, wanted 4"
one err "^elad: CAP_NET_ADMIN is missing; .*: setcap cap_net_admin\+ep $(readlink -f "$elad")\$" "without CAP_NET_ADMIN"

# ---- --list-plugins ----
# shellcheck disable=SC2086 # a list of options
run 0 $dirs --list-plugins
quiet err --list-plugins
cp "$tmp/out" "$tmp/list"
awk -F '\t' '
	/^\t/ { if (NF != 7) { print "an option with " NF - 1 " fields: " $0; bad = 1 } n++; next }
	NF != 6 { print "a plugin with " NF " fields: " $0; bad = 1 }
	$1 !~ /^(npd|cipher|transport|routing)$/ || $4 !~ /^[0-9]+\.[0-9]+$/ || $6 !~ /^\/.*\.so$/ { print "a field: " $0; bad = 1 }
	($1 == "cipher") == ($5 == "-") { print "suites: " $0; bad = 1 }
	END { if (n < 5) { print n " options in all"; bad = 1 } exit bad }' "$tmp/out" >"$tmp/awk" || fail "$(cat "$tmp/awk")"
for plugin in npd/tun cipher/aead cipher/blowfish transport/udp transport/tcp routing/static; do
	grep -q "^${plugin%/*}	${plugin#*/}	" "$tmp/out" || fail "--list-plugins does not name $plugin"
done
grep -q '^	port	int	7450	' "$tmp/out" || fail "--list-plugins does not show the port"
awk -F '\t' -v version="$version" '/^[^\t]/ && $6 ~ "/plugins/[^/]*/[^/]*$" && $3 != version { print $2 " is of version " $3; bad = 1 }
	END { exit bad }' "$tmp/out" >"$tmp/awk" || fail "$(cat "$tmp/awk"), elad of $version"
# what is refused is said on stderr, hides nothing, and is a failure
mkdir "$tmp/broken"
echo 'no shared object' >"$tmp/broken/npd-broken.so"
# shellcheck disable=SC2086
run 1 --plugin-dir "$tmp/broken" $dirs --list-plugins
cmp -s "$tmp/out" "$tmp/list" || fail "--list-plugins: a broken plugin changes the list"
one err '^elad: .*npd-broken.so' "--list-plugins with a broken plugin"

# ---- stdout that takes nothing ----
"$elad" --version >/dev/full 2>"$tmp/err"
code=$?
[ $code -eq 1 ] || fail "--version to a full device: exit $code, wanted 1"

[ $bad -eq 0 ] && echo "ok"
[ $bad -eq 0 ]
