#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The end of ela init and ela join: elad is started and waited for. elad is a stand-in (elad-stand-in.c).
# Usage: test-start.sh ELA STAND_IN SCHEMA.PY JSON.MD; exit 77 without root.
set -u
ela=$(realpath "$1") stand_in=$(realpath "$2") schema=$3 json_md=$4
[ -x "$ela" ] && [ -x "$stand_in" ] || exit 99
if [ "$(id -u)" -ne 0 ]; then
	echo "needs root"
	exit 77
fi
umask 022
tmp=$(mktemp -d "${TMPDIR:-/tmp}/ela-start-XXXXXX") || exit 99
chmod 755 "$tmp"
trap 'rm -rf "$tmp"' EXIT # which ends every stand-in
mkdir "$tmp/plugins"
bad=0

fail() {
	echo "FAIL $*"
	sed 's/^/  stdout: /' "$tmp/out"
	sed 's/^/  stderr: /' "$tmp/err"
	bad=$((bad + 1))
}

# run KIND CODE ARGUMENT...  with a stand-in of that kind; TAKEN_MS
run() {
	local kind=$1 wanted=$2 began=${EPOCHREALTIME/./} code
	shift 2
	STAND_IN=$kind "$ela" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	code=$?
	TAKEN_MS=$(((${EPOCHREALTIME/./} - began) / 1000))
	[ $code -eq "$wanted" ] || fail "$kind: ela $1: exit $code, wanted $wanted"
}

# init KIND CODE DIR ARGUMENT...
init() {
	run "$1" "$2" init lab --dir "$tmp/$3" --endpoint 198.51.100.7 --elad "$stand_in" "${@:4}"
}

said() { # said WHAT PATTERN...: the lines that stderr must have
	local what=$1 pattern
	shift
	for pattern in "$@"; do
		grep -qE -e "$pattern" "$tmp/err" || fail "$what: wanted a line like $pattern"
	done
}

# seen DIR EXPRESSION  of what the stand-in saw of its start
seen() {
	python3 -c 'import json, os, sys; s = json.load(open(sys.argv[1] + "/seen.json")); print(eval(sys.argv[2]))' "$tmp/$1" "$2"
}

equal() { # equal WHAT FOUND WANTED
	[ "$2" = "$3" ] || fail "$1: found '$2', wanted '$3'"
}

alive() {
	kill -0 "$(seen "$1" 's["pid"]')" 2>/dev/null
}

refused_before() { # refused_before CODE PATTERN ARGUMENT...: nothing is made
	local code=$1 pattern=$2
	shift 2
	init good "$code" none "$@"
	[ ! -e "$tmp/none" ] || fail "$pattern: the network was made"
	said refused "^ela: .*$pattern"
}

# ---- before anything is made ----
refused_before 5 'nosuch: No such file.*remedy: --elad FILE, or --no-start' --elad "$tmp/nosuch"
refused_before 1 'plugins/x: Permission denied.*remedy: ' --elad "$(touch "$tmp/plugins/x" && echo "$tmp/plugins/x")"
refused_before 2 '--timeout x: expected a duration' --timeout x
refused_before 2 '--timeout 2d: expected a duration' --timeout 2d
mkdir -m 777 "$tmp/free"
setpriv --reuid=65534 --regid=65534 --clear-groups "$ela" init lab --dir "$tmp/free/net" --elad "$stand_in" --endpoint 198.51.100.7 \
	>"$tmp/out" 2>"$tmp/err" </dev/null
equal 'init without root: exit code' $? 4
said 'init without root' 'needs CAP_NET_ADMIN; remedy: as root, or --no-start'
[ ! -e "$tmp/free/net" ] || fail "init without root: the network was made"

# ---- a good one ----
cd "$tmp" || exit 99
exec 9</dev/null
NOTIFY_SOCKET=/nowhere init good 0 good --plugin-dir "$tmp/plugins" --plugin-dir plugins
equal 'init: one line on stdout' "$(grep -cxE 'ela1_[A-Za-z0-9_-]{500,1400}' "$tmp/out")/$(wc -l <"$tmp/out")" 1/1
said 'init' '^ela: network lab, 10.77.0.0/24, is in ' \
	'^ela: for your next machine: ela join, with this token; for somebody else: ela invite NAME$' \
	"^ela: elad runs, and this node is in: 10.77.0.9, core, after [0-9]+\.[0-9] s; its log: $tmp/good/elad.log\$"
equal 'its options' "$(seen good 's["argv"]')" \
	"['--plugin-dir', '$tmp/plugins', '--plugin-dir', '$tmp/plugins', '--config', '$tmp/good/ela.ini', '--state-dir', '$tmp/good']"
equal 'a session of its own' "$(seen good 's["sid"] == s["pid"]')" True
equal 'its folder' "$(seen good 's["cwd"]')" /
equal 'its descriptors' "$(seen good 's["fds"]')" "['/dev/null', '$tmp/good/elad.log', '$tmp/good/elad.log']"
equal 'nobody to notify' "$(seen good 's["notify"]')" None
equal 'elad.pid' "$(cat "$tmp/good/elad.pid")" "$(seen good 's["pid"]')"
equal 'elad.log' "$(cat "$tmp/good/elad.log")" 'info stand-in: begins'
alive good || fail 'init: elad does not stay'
token=$(cat "$tmp/out") # for a further machine: no RSA key to wait for

# join KIND CODE DIR ARGUMENT...
join() {
	run "$1" "$2" join "$token" --dir "$tmp/$3" --elad "$stand_in" "${@:4}"
}

# ---- an elad that does not answer; its ten seconds run beside the rest ----
(
	began=$SECONDS
	STAND_IN=deaf "$ela" join "$token" --dir "$tmp/deaf" --elad "$stand_in" >"$tmp/deaf.out" 2>"$tmp/deaf.err"
	echo "$? $((SECONDS - began))" >"$tmp/deaf.code"
) </dev/null &
deaf=$!
(
	STAND_IN=silent "$ela" join "$token" --dir "$tmp/silent" --json --elad "$stand_in" >"$tmp/silent.out" 2>"$tmp/silent.err"
	echo $? >"$tmp/silent.code"
) </dev/null &
silent=$!

# ---- one that is told of by JSON, one that takes its time, one that is lost ----
init good 0 json --json
equal 'init --json: as docs/json.md says' "$("$schema" "$json_md" init <"$tmp/out" 2>&1)" ''
equal 'init --json: says nothing else' "$(cat "$tmp/err")" ''
grep -q '"started":{"address":"10.77.0.9","role":"core","seconds":' "$tmp/out" || fail 'init --json: nothing of the start'
join late 0 late
[ $TAKEN_MS -ge 1200 ] || fail "late: came back after $TAKEN_MS ms"
said join '^ela: network lab, ' '^ela: elad runs, and this node is in: 10.77.0.9, core, after '
[ ! -s "$tmp/out" ] || fail 'join: stdout is not empty'
join good 0 join-json --json
equal 'join --json: as docs/json.md says' "$("$schema" "$json_md" join <"$tmp/out" 2>&1)" ''
join lost 6 lost --timeout 1s
said lost "^ela: elad runs, but this node is not in after 1 s: no core of the token answers; remedy: it goes on trying: ela status --dir $tmp/lost"
alive lost || fail 'lost: elad does not go on trying'

# ---- one that ends ----
init fails 78 fails
said fails '^  elad: .*/fails/ela.ini:3: \[node\] name: nothing is right$' \
	"^ela: $tmp/fails is there, but elad has ended with exit code 78; remedy: see to that, then: .*/elad-stand-in --config $tmp/fails/ela.ini"
[ -s "$tmp/fails/ela.ini" ] || fail 'fails: the files are gone'
[ ! -e "$tmp/fails/elad.pid" ] || fail 'fails: elad.pid names nobody'
equal 'fails: the token was told' "$(wc -l <"$tmp/out")" 1
join fails 78 fails-json --json
equal 'fails --json: as docs/json.md says' "$("$schema" "$json_md" error <"$tmp/out" 2>&1)" ''
grep -q 'exit code 78, and said: elad: .*nothing is right' "$tmp/out" || fail 'fails --json: not what elad said'
join dies 1 dies
said dies '^  panic stand-in: dies$' 'elad was ended by signal 9'

# ---- back into a network that was left ----
pid=$(seen good 's["pid"]')
run good 0 join --dir "$tmp/good" --elad "$stand_in"
said 'join where elad runs' '^ela: elad runs already'
equal 'join where elad runs: it goes on' "$(seen good 's["pid"]')" "$pid"
kill "$pid"
while alive good; do sleep 0.05; done
run good 0 join --dir "$tmp/good" --elad "$stand_in"
said 'join without a token' '^ela: elad runs, and this node is in: 10.77.0.9, core, after '
[ "$(seen good 's["pid"]')" != "$pid" ] || fail 'join without a token: nothing was started'
equal 'join without a token: its options' "$(seen good 's["argv"]')" "['--config', '$tmp/good/ela.ini', '--state-dir', '$tmp/good']"
run good 0 join --dir "$tmp/good" --elad "$stand_in" --json
equal 'join where elad runs --json: as docs/json.md says' "$("$schema" "$json_md" back <"$tmp/out" 2>&1)" ''
kill "$(seen good 's["pid"]')"
while alive good; do sleep 0.05; done
cd good || exit 99
run good 0 join --dir . --elad "$stand_in" --json
cd "$tmp" || exit 99
equal 'join without a token --json: as docs/json.md says' "$("$schema" "$json_md" back <"$tmp/out" 2>&1)" ''
grep -q '"started":{"address":"10.77.0.9"' "$tmp/out" || fail 'join without a token --json: nothing of the start'
run good 2 join --dir "$tmp/good" --elad "$stand_in" --name x
said 'join --name' 'without a token join only starts elad again'
mkdir "$tmp/static"
run good 5 join --dir "$tmp/static" --elad "$stand_in"
said 'join where nobody joined' 'static/credential: is not there, so this is no node of a network that nodes join; remedy: ela join TOKEN'

# ---- by systemd, where it runs: a stand-in of systemctl, in a name space of its own ----
mkdir "$tmp/bin"
cat >"$tmp/bin/systemctl" <<END
#!/bin/sh
echo "\$*" >>$tmp/systemctl.seen
case \$1 in
cat) exit \$(cat $tmp/has-unit) ;;
start) [ "\$STAND_IN" != fails ] || exit 1
	$stand_in --config /etc/ela/lab/ela.ini --state-dir /var/lib/ela/lab 2>/dev/null </dev/null >/dev/null & ;;
esac
END
printf '#!/bin/sh\necho "elad: what the journal has of $7"\n' >"$tmp/bin/journalctl"
chmod 755 "$tmp/bin/"*
cat >"$tmp/unit.sh" <<'END'
ela=$1 tmp=$2 stand_in=$3
{ mount --make-rprivate / && cp -a /etc "$tmp/etc" && rm -rf "$tmp/etc/ela" && mount --bind "$tmp/etc" /etc &&
	mount -t tmpfs none /var/lib && mount -t tmpfs none /run && mkdir -p /run/systemd/system; } 2>/dev/null || exit 77
PATH=$tmp/bin:$PATH
echo 0 >"$tmp/has-unit"
"$ela" init lab --endpoint 198.51.100.7 >"$tmp/unit.token" 2>"$tmp/unit.err" || exit 10
[ "$(grep -v '^cat' "$tmp/systemctl.seen" | tr '\n' ,)" = 'start elad@lab,enable elad@lab,' ] || exit 11
grep -q 'is in: 10.77.0.9, core, after .* s; its log: journalctl -u elad@lab$' "$tmp/unit.err" || exit 12
[ ! -e /var/lib/ela/lab/elad.log ] || exit 13
rm -rf /etc/ela /var/lib/ela/lab "$tmp/systemctl.seen"
STAND_IN=fails "$ela" init lab --endpoint 198.51.100.7 >/dev/null 2>"$tmp/unit.err"
[ $? -eq 1 ] || exit 14
grep -q '^  elad: what the journal has of elad@lab$' "$tmp/unit.err" || exit 15
grep -q 'systemd could not start elad; remedy: see to that, then: systemctl start elad@lab$' "$tmp/unit.err" || exit 16
! grep -q enable "$tmp/systemctl.seen" || exit 20
rm -rf /etc/ela /var/lib/ela/lab "$tmp/systemctl.seen"
STAND_IN=good "$ela" init lab --endpoint 198.51.100.7 --elad "$stand_in" >/dev/null 2>"$tmp/unit.err" || exit 17
[ ! -e "$tmp/systemctl.seen" ] || exit 18 # another elad than the unit's
[ -s /var/lib/ela/lab/elad.log ] || exit 19
rm -rf /etc/ela /var/lib/ela/lab # which ends it
elad=$("$ela" --help | sed -n 's/.*check and plugins: the elad to run (\(.*\))$/\1/p')
[ -n "$elad" ] || exit 21
[ ! -e "$elad" ] || exit 0
echo 1 >"$tmp/has-unit" # systemd runs, and has no such unit
"$ela" init lab --endpoint 198.51.100.7 >/dev/null 2>"$tmp/unit.err"
[ $? -eq 5 ] || exit 22
grep -qx 'cat elad@.service' "$tmp/systemctl.seen" || exit 23
exit 0
END
unshare -m sh "$tmp/unit.sh" "$ela" "$tmp" "$stand_in"
code=$?
cp "$tmp/unit.err" "$tmp/err" 2>/dev/null
case $code in
0) ;;
77) echo 'left out: no mounts here' ;;
*) fail "by systemd: step $code" ;;
esac

# ---- what came of the deaf one ----
wait $deaf $silent
cp "$tmp/deaf.err" "$tmp/err"
cp "$tmp/deaf.out" "$tmp/out"
read -r code taken <"$tmp/deaf.code"
equal 'deaf: exit code' "$code" 1
[ "$taken" -ge 9 ] || fail "deaf: came back after $taken s" # of whole seconds
said deaf '^  info stand-in: begins$' "^ela: $tmp/deaf is there, but elad does not answer after 10 s; remedy: see to that, then: "
alive deaf && fail 'deaf: it was left running'
equal 'silent: exit code' "$(cat "$tmp/silent.code")" 1
equal 'silent --json: as docs/json.md says' "$("$schema" "$json_md" error <"$tmp/silent.out" 2>&1)" ''
alive silent && fail 'silent: it was left running'

[ $bad -eq 0 ] && echo ok
[ $bad -eq 0 ]
