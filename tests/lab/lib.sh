# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The lab: real daemons in network namespaces of this process. Sourced by each scenario, by scripts/demo too.
#
#   ela$$-a  u0 ---+
#   ela$$-b  u0 ---+-- br0  ela$$-wire        u0: 10.99.0.N / fd99::N     ela0: 10.88.0.N     N = 1 for a, 2 for b ...
#   ela$$-c  u0 ---+
#
# A scenario prints "ok NAME" or "FAIL NAME: found ..., wanted ..." for each thing it checks and exits 0 when all were ok,
# 1 otherwise, 77 when it is not root. Environment:
#   ELA_ELAD         the daemon                          ELA_PLUGIN_DIRS  folders of plugins, colons between; may be empty
#   ELA_SANITIZER=1  time bounds times ten, not three    ELA_KEEP=1       keep the folder with configs and logs

# The distribution's programs first: they are what is installed, and the shims of a version manager cost more than they run.
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH:/usr/local/sbin
export PATH LC_ALL=C.UTF-8
LAB_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB=ela$$
LAB_NAMES=(a b c d)
LAB_PORT=7450
LAB_MARKER="ela-lab-marker-$$-in-the-clear"
LAB_CONTROL="ela-lab-control-$$-seen-by-design"
LAB_FAILED=0
T=
NODES=()
declare -A LAB_PID=() LAB_KEY=()
LAB_PIDS=()
LAB_SPACES=()

# What node_ini writes; a scenario sets what it wants otherwise. The _LINES are further lines of a section.
TRANSPORT=udp CIPHER=aead NPD=tun FAMILY=4 MTU=1420 LANES='' DIALLERS=''
NODE_LINES='' NPD_LINES='' UDP_LINES='' TCP_LINES='' PEER_LINES='' PEER_TRANSPORT=''
# Bytes of each packet that a capture keeps, 0 = all
SNAP=0

# ---- verdicts ----

lab_ok() {
	printf 'ok %s\n' "$*"
}

lab_fail() {
	printf 'FAIL %s\n' "$*"
	LAB_FAILED=$((LAB_FAILED + 1))
	return 1
}

# lab_check NAME COMMAND...
lab_check() {
	local name=$1 status=0
	shift
	"$@" >"$T/check.out" 2>&1 || status=$?
	if [ $status -eq 0 ]; then
		lab_ok "$name"
	else
		lab_fail "$name: found exit status $status of '$*', wanted 0"
		tail -n 5 "$T/check.out"
		return 1
	fi
}

# lab_refuse NAME COMMAND...  the command must fail
lab_refuse() {
	local name=$1
	shift
	if "$@" >"$T/check.out" 2>&1; then
		lab_fail "$name: found success of '$*', wanted a failure"
	else
		lab_ok "$name"
	fi
}

# lab_equal NAME FOUND WANTED
lab_equal() {
	if [ "$2" = "$3" ]; then
		lab_ok "$1"
	else
		lab_fail "$1: found '$2', wanted '$3'"
	fi
}

# lab_compare NAME FOUND OPERATOR WANTED  with -eq -ge -gt -le -lt
lab_compare() {
	if [ -n "$2" ] && test "$2" "$3" "$4"; then
		lab_ok "$1"
	else
		lab_fail "$1: found '${2:-nothing}', wanted $3 $4"
	fi
}

# lab_bound SECONDS  the time a thing may take here: three times its bound, ten under a sanitizer
lab_bound() {
	if [ "${ELA_SANITIZER:-0}" = 1 ]; then
		echo $(($1 * 10))
	else
		echo $(($1 * 3))
	fi
}

# lab_until SECONDS COMMAND...  repeats until it succeeds; the bound is stretched by lab_bound
lab_until() {
	local limit=$((SECONDS + $(lab_bound "$1") + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $limit ] || return 1
		sleep 0.05
	done
}

# ---- life ----

# lab_begin  a folder, the trap that clears up; 77 without root
lab_begin() {
	if [ "$(id -u)" -ne 0 ] || [ ! -c /dev/net/tun ]; then
		echo "skipped: the lab needs root and /dev/net/tun"
		exit 77
	fi
	: "${ELA_ELAD:?names the daemon to test}"
	T=$(mktemp -d "${TMPDIR:-/tmp}/$LAB-XXXXXX")
	# elad may run as another user and reads its ini again on SIGHUP
	chmod 755 "$T"
	trap lab_clear EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

# lab_end  the scenario's last line
lab_end() {
	local node
	for node in "${!LAB_PID[@]}"; do
		node_stop "$node"
	done
	[ $LAB_FAILED -eq 0 ] && exit 0
	for node in "${NODES[@]}"; do
		[ -s "$T/$node/log" ] || continue
		printf -- '--- log of %s, its end ---\n' "$node"
		grep -v '^counter=' "$T/$node/log" | tail -n 12
	done
	exit 1
}

# shellcheck disable=SC2317 # runs by trap
lab_clear() {
	local pid space
	trap - EXIT
	trap '' HUP INT TERM # who is impatient does not keep anything alive
	disown -a # the shell shall not tell how each of them ended
	for pid in "${LAB_PIDS[@]}" "${LAB_PID[@]}"; do
		kill "$pid" 2>/dev/null
	done
	for space in "${LAB_SPACES[@]}"; do
		ip netns pids "$space" 2>/dev/null | xargs -r kill -9 2>/dev/null
	done
	wait 2>/dev/null
	for pid in "${LAB_PIDS[@]}"; do # what writes here, a compiler for example
		lab_until 1 lab_gone "$pid"
	done
	for space in "${LAB_SPACES[@]}"; do
		ip netns del "$space" 2>/dev/null
	done
	if [ "${ELA_KEEP:-0}" = 1 ]; then
		echo "kept: $T"
	else
		rm -rf --one-file-system "$T"
	fi
}

lab_gone() {
	! kill -0 "$1"
}

# lab_run COMMAND...  a program (not a function: its pid is wanted) in the background, ended by the trap; pid in LAB_LAST
lab_run() {
	"$@" &
	LAB_LAST=$!
	LAB_PIDS+=("$LAB_LAST")
}

# lab_join PID FILE  waits for checks that ran beside, in a shell of their own, and wrote FILE: their failures are failures here
lab_join() {
	wait "$1"
	cat "$2"
	LAB_FAILED=$((LAB_FAILED + $(grep -c ^FAIL "$2")))
}

# ---- namespaces ----

# space_new NAME  a namespace $LAB-NAME without IPv6 unless the underlay is IPv6
space_new() {
	ip netns add "$LAB-$1" || return
	LAB_SPACES+=("$LAB-$1")
	in_ns "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=$((FAMILY == 4)) \
		net.ipv6.conf.default.disable_ipv6=$((FAMILY == 4)) net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0 2>/dev/null
	in_ns "$1" ip link set lo up
}

# in_ns NAME COMMAND...  in the foreground; what runs in the background calls nsenter itself, so that $! is the program's pid.
# Not "ip netns exec": that wants to mount, which a plain chroot refuses.
in_ns() {
	local space=/run/netns/$LAB-$1
	shift
	nsenter "--net=$space" -- "$@"
}

# node_index NODE
node_index() {
	local i
	for i in "${!LAB_NAMES[@]}"; do
		[ "${LAB_NAMES[$i]}" = "$1" ] && echo $((i + 1)) && return
	done
}

overlay() {
	echo "10.88.0.$(node_index "$1")"
}

underlay() {
	if [ "$FAMILY" = 6 ]; then
		echo "fd99::$(node_index "$1")"
	else
		echo "10.99.0.$(node_index "$1")"
	fi
}

# endpoint NODE  as ela.ini writes it
endpoint() {
	if [ "$FAMILY" = 6 ]; then
		echo "[$(underlay "$1")]:$LAB_PORT"
	else
		echo "$(underlay "$1"):$LAB_PORT"
	fi
}

underlay_bits() {
	[ "$FAMILY" = 6 ] && echo 64 || echo 24
}

# lan_up NODE...  namespaces on one bridge, as drawn above
lan_up() {
	local node
	NODES=("$@")
	space_new wire && in_ns wire ip link add br0 type bridge && in_ns wire ip link set br0 up || return
	for node in "$@"; do
		space_new "$node" || return
		ip link add u0 netns "$LAB-$node" type veth peer name "p-$node" netns "$LAB-wire" || return
		in_ns wire ip link set "p-$node" master br0 up || return
		in_ns "$node" ip addr add "$(underlay "$node")/$(underlay_bits)" dev u0 || return
		in_ns "$node" ip link set u0 up || return
	done
}

# ---- daemons ----

# Fills ELAD_ARGS: the folders of plugins
elad_args() {
	local dir dirs
	ELAD_ARGS=()
	IFS=: read -r -a dirs <<<"${ELA_PLUGIN_DIRS:-}"
	for dir in "${dirs[@]}"; do
		ELAD_ARGS+=(--plugin-dir "$dir")
	done
}

# node_key NODE  makes $T/NODE/NODE.key, remembers the public key
node_key() {
	mkdir -p "$T/$1"
	chmod 755 "$T/$1"
	LAB_KEY[$1]=$("$ELA_ELAD" keygen "$T/$1" "$1") || return
	[ ${#LAB_KEY[$1]} -eq 44 ]
}

# peer_section NODE PEER  what NODE's ini says of PEER
peer_section() {
	printf '[peer %s]\npublic-key = %s\naddress = %s\n' "$2" "${LAB_KEY[$2]}" "$(overlay "$2")"
	# DIALLERS: only these nodes know endpoints, the others wait to be called
	case " ${DIALLERS:-$1} " in
	*" $1 "*) printf 'endpoint = %s\n' "$(endpoint "$2")" ;;
	esac
	printf 'transport = %s\n%s\n' "${PEER_TRANSPORT:-$TRANSPORT}" "$PEER_LINES"
}

# node_ini NODE  writes $T/NODE/ela.ini with every other node as a peer
node_ini() {
	local node=$1 peer any=0.0.0.0
	[ "$FAMILY" = 6 ] && any=::
	{
		printf '[node]\nname = %s\naddress = %s/24\nprivate-key-file = %s.key\n' "$node" "$(overlay "$node")" "$node"
		[ -n "$LANES" ] && printf 'lanes = %s\n' "$LANES"
		printf '%s\n' "$NODE_LINES"
		printf '[components]\nnpd = %s\ncipher = %s\ntransport = %s\nrouting = static\n' "$NPD" "$CIPHER" "$TRANSPORT"
		[ "$NPD" = tun ] && printf '[npd-tun]\ninterface = ela0\nmtu = %s\n%s\n' "$MTU" "$NPD_LINES"
		case $TRANSPORT in
		*udp*) printf '[transport-udp]\nlisten = %s\nport = %s\n%s\n' $any $LAB_PORT "$UDP_LINES" ;;
		esac
		case $TRANSPORT in
		*tcp*) printf '[transport-tcp]\nlisten = %s\nport = %s\n%s\n' $any $LAB_PORT "$TCP_LINES" ;;
		esac
		for peer in "${NODES[@]}"; do
			[ "$peer" = "$node" ] || peer_section "$node" "$peer"
		done
	} | sed '/^$/d' >"$T/$node/ela.ini"
	chmod 644 "$T/$node/ela.ini"
}

# node_start NODE [OPTION...]  starts the daemon and waits for its "ready"
node_start() {
	local node=$1
	shift
	node_start_at "$node" "$T/$node/ela.ini" "$@"
}

# node_start_at NODE INI [OPTION...]  the same with another file
node_start_at() {
	local node=$1 ini=$2
	shift 2
	elad_args
	: >"$T/$node/log"
	nsenter "--net=/run/netns/$LAB-$node" -- "$ELA_ELAD" --config "$ini" "${ELAD_ARGS[@]}" "$@" \
		</dev/null >>"$T/$node/log" 2>&1 &
	LAB_PID[$node]=$!
	lab_until 5 node_settled "$node"
	if ! node_alive "$node" || ! node_ready "$node"; then
		lab_fail "start of $node: found no daemon that says 'ready'"
		tail -n 12 "$T/$node/log"
		return 1
	fi
}

# node_ready NODE
node_ready() {
	grep -qw ready "$T/$1/log"
}

# node_settled NODE  ready or dead
node_settled() {
	node_ready "$1" || node_gone "$1"
}

# node_alive NODE
node_alive() {
	[ -n "${LAB_PID[$1]:-}" ] && kill -0 "${LAB_PID[$1]}" 2>/dev/null
}

node_gone() {
	! node_alive "$1"
}

# node_stop NODE  a clean leave: SIGTERM, exit 0 in time, nothing found by a sanitizer
node_stop() {
	local node=$1 status=0
	[ -n "${LAB_PID[$node]:-}" ] || return 0
	kill -TERM "${LAB_PID[$node]}" 2>/dev/null
	if lab_until 5 node_gone "$node"; then
		wait "${LAB_PID[$node]}" || status=$?
		[ $status -eq 0 ] || lab_fail "stop of $node: found exit status $status, wanted 0"
	else
		kill -9 "${LAB_PID[$node]}"
		lab_fail "stop of $node: found it alive after SIGTERM, wanted an exit"
	fi
	unset "LAB_PID[$node]"
	node_sane "$node"
}

# node_crash NODE  kill -9
node_crash() {
	kill -9 "${LAB_PID[$1]}"
	wait "${LAB_PID[$1]}" 2>/dev/null
	unset "LAB_PID[$1]"
}

# node_sane NODE  no sanitizer report in its log
node_sane() {
	if grep -qE 'ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:' "$T/$1/log"; then
		lab_fail "log of $1: found a sanitizer's report, wanted none"
		grep -nE -A 25 'Sanitizer|runtime error:' "$T/$1/log" | head -n 60
	fi
}

# nodes_up NODE...  keys for all of NODES that have none, then inis and daemons of the named ones
nodes_up() {
	local node
	for node in "${NODES[@]}"; do
		[ -s "$T/$node/$node.key" ] || node_key "$node" ||
			lab_fail "keygen: found '${LAB_KEY[$node]:-}', wanted 44 characters of base64" || return
	done
	for node in "$@"; do
		node_ini "$node"
	done
	for node in "$@"; do
		node_start "$node" || return
	done
}

# ---- looking at daemons ----

# counters NODE  asks by SIGUSR2; the answer as "NAME VALUE" lines
counters() {
	local log=$T/$1/log from size last=-1
	from=$(($(stat -c %s "$log") + 1))
	kill -USR2 "${LAB_PID[$1]}" || return
	lab_until 2 eval "tail -c +$from '$log' | grep -q counter=" || return
	# the block is complete when it stops growing
	while size=$(stat -c %s "$log") && [ "$size" != "$last" ]; do
		last=$size
		sleep 0.1
	done
	tail -c "+$from" "$log" | sed -n 's/.*counter=\([^ ]*\) value=\([0-9]*\).*/\1 \2/p'
}

# counter NODE NAME  one value; empty for an unknown name
counter() {
	counters "$1" | awk -v n="$2" '$1 == n { print $2 }'
}

# device NODE rx_packets|tx_packets  what the kernel counted at ela0; rx = written by elad
device() {
	in_ns "$1" sed -n 's/^ *ela0: *//p' /proc/net/dev | awk -v f="$2" '{ print f == "rx_packets" ? $2 : $10 }'
}

# rss_kib NODE, fds NODE
rss_kib() {
	awk '/^VmRSS:/ { print $2 }' "/proc/${LAB_PID[$1]}/status"
}

fds() {
	find "/proc/${LAB_PID[$1]}/fd" -mindepth 1 | wc -l
}

# ping_once FROM TO
ping_once() {
	in_ns "$1" ping -n -q -c 1 -W 1 "$(overlay "$2")"
}

# ping_until FROM TO  the first answer within two seconds, stretched
ping_until() {
	lab_until 2 ping_once "$1" "$2"
}

# ping_all  each ordered pair
ping_all() {
	local from to
	for from in "${NODES[@]}"; do
		for to in "${NODES[@]}"; do
			[ "$from" = "$to" ] || lab_check "ping $from to $to" ping_until "$from" "$to"
		done
	done
}

# ---- capture of the underlay ----

# capture_start [SPACE DEVICE]  everything that crosses the bridge, to $T/wire.pcap; a control marker proves that it sees
capture_start() {
	local space=${1:-wire} dev=${2:-br0}
	rm -f "$T/wire.pcap"
	nsenter "--net=/run/netns/$LAB-$space" -- tcpdump -i "$dev" -s "$SNAP" -B 131072 -U -Z root -w "$T/wire.pcap" \
		2>"$T/wire.err" &
	LAB_TCPDUMP=$!
	LAB_PIDS+=("$LAB_TCPDUMP")
	lab_until 3 grep -q 'listening on' "$T/wire.err" || lab_fail "capture: found tcpdump silent" || return
	in_ns "${NODES[0]}" python3 "$LAB_HERE/control.py" "$FAMILY" u0 "$LAB_CONTROL"
}

# tcpdump hears of packets once a second at the latest, and forgets what it has not heard of when it ends
capture_stop() {
	sleep 1.1
	kill -TERM "$LAB_TCPDUMP"
	wait "$LAB_TCPDUMP"
	lab_equal "capture lost nothing" "$(sed -n 's/ packets dropped by kernel//p' "$T/wire.err")" 0
}

# capture_secret  after capture_stop: the control marker is there, the payload's is not
capture_secret() {
	lab_compare "capture shows what is sent in the clear" "$(grep -c -a -F "$LAB_CONTROL" "$T/wire.pcap")" -ge 1
	lab_equal "capture shows no payload" "$(grep -c -a -F "$LAB_MARKER" "$T/wire.pcap")" 0
}

# capture_clean  the same, and no port but ELA's
capture_clean() {
	local strangers
	capture_secret
	strangers=$(tcpdump -n -r "$T/wire.pcap" "not arp and not igmp and not icmp and not icmp6 and not port $LAB_PORT
		and not ip6[6] = 0 and not (udp and dst port 9)" 2>/dev/null | head -n 3)
	lab_equal "capture shows only port $LAB_PORT" "$strangers" ""
	rm -f "$T/wire.pcap"
}

# ---- transfer ----

# transfer NAME FROM TO MIB SECONDS [EVENT...]  MIB both ways while EVENT runs; the hashes must agree
# TRANSFER_DIR: where it keeps its files; another one for each that runs at the same time
TRANSFER_SEQUENCE=0
transfer() {
	local name=$1 from=$2 to=$3 mib=$4 seconds=$5 dir=${TRANSFER_DIR:-$T} limit port client status=0
	shift 5
	limit=$(lab_bound $((20 + seconds)))
	TRANSFER_SEQUENCE=$((TRANSFER_SEQUENCE + 1))
	port=$((5200 + TRANSFER_SEQUENCE))
	rm -f "$dir/serving" "$dir/begun" "$dir/gate" "$dir/event.out"
	lab_run nsenter "--net=/run/netns/$LAB-$to" -- "$LAB_HERE/transfer.py" serve "$(overlay "$to")" $port "$dir/serving"
	lab_until 20 test -e "$dir/serving" || lab_fail "$name: found no server" || return
	nsenter "--net=/run/netns/$LAB-$from" -- timeout "$limit" "$LAB_HERE/transfer.py" move "$(overlay "$to")" $port --mib "$mib" \
		--marker "$LAB_MARKER" --seconds "$seconds" --timeout "$limit" --begun "$dir/begun" --gate "$dir/gate" \
		>"$dir/transfer.out" 2>&1 &
	client=$!
	LAB_PIDS+=("$client")
	if [ $# -gt 0 ]; then
		lab_until $((10 + seconds)) test -e "$dir/begun" && "$@" >"$dir/event.out" 2>&1 || status=1
	fi
	: >"$dir/gate"
	wait $client || status=$?
	if [ $status -eq 0 ]; then
		lab_ok "$name: $mib MiB each way, $(sed -n 's/.*seconds=\(.*\)/\1/p' "$dir/transfer.out") s"
	else
		lab_fail "$name: found '$(tail -n 1 "$dir/transfer.out")', wanted the event and equal hashes both ways"
		[ ! -s "$dir/event.out" ] || tail -n 5 "$dir/event.out"
	fi
}

# transfer_hash  of the last transfer's payload from client to server
transfer_hash() {
	sed -n 's/^up=\([0-9a-f]*\) .*/\1/p' "${TRANSFER_DIR:-$T}/transfer.out"
}

# ---- counters and the kernel's ----

# device_agrees NODE  every packet that the kernel gave or took is one that elad counted; ICMP is elad's own
device_agrees() {
	counters "$1" >"$T/$1/counters" || return
	[ "$(saved "$1" device-packets-in)" = "$(device "$1" tx_packets)" ] &&
		[ $(($(saved "$1" device-packets-out) + $(saved "$1" icmp-too-big) + $(saved "$1" icmp-unreachable))) -eq \
			"$(device "$1" rx_packets)" ]
}

# frames_agree A B  each frame that one of two nodes sealed was opened by the other
frames_agree() {
	counters "$1" >"$T/$1/counters" && counters "$2" >"$T/$2/counters" || return
	[ "$(saved "$1" frames-out)" = "$(saved "$2" frames-in)" ] && [ "$(saved "$2" frames-out)" = "$(saved "$1" frames-in)" ]
}

# saved NODE NAME  of the counters read last
saved() {
	awk -v n="$2" '$1 == n { print $2 }' "$T/$1/counters"
}

# drops NODE [ALLOWED...]  the drop counters of NODE that are not 0, on one line; drop-race and drop-answer are no loss: both had dialled
drops() {
	counters "$1" >"$T/$1/counters" && dropped "$@"
}

# dropped NODE [ALLOWED...]  the same of the counters read last
dropped() {
	local node=$1
	shift
	awk -v allowed=" drop-race drop-answer $* " '$1 ~ /drop-/ && $2 > 0 && !index(allowed, " " $1 " ") { printf "%s=%s ", $1, $2 }' \
		"$T/$node/counters"
}

# exact NODE [ALLOWED-DROP...]  packets as the kernel counts them; no drops but the named ones
exact() {
	local node=$1
	shift
	if lab_until 2 device_agrees "$node"; then
		lab_ok "$node counts the packets of its device"
	else
		lab_fail "$node counts the packets of its device: found in $(saved "$node" device-packets-in) out" \
			"$(saved "$node" device-packets-out), wanted $(device "$node" tx_packets) and $(device "$node" rx_packets)"
	fi
	lab_equal "$node dropped nothing${*:+ but }$*" "$(dropped "$node" "$@")" ""
}

# exact_pair A B [ALLOWED-DROP...]
exact_pair() {
	local a=$1 b=$2
	shift 2
	exact "$a" "$@"
	exact "$b" "$@"
	if lab_until 2 frames_agree "$a" "$b"; then
		lab_ok "each frame of $a and $b arrived"
	else
		lab_fail "each frame of $a and $b arrived: found $(saved "$a" frames-out) -> $(saved "$b" frames-in)," \
			"$(saved "$b" frames-out) -> $(saved "$a" frames-in)"
	fi
}

# frames_lost  frames that the NODES sealed less those that they opened, once two looks agree; below 0 after a node began anew
frames_lost() {
	local node lost last=
	for _ in 1 2 3 4 5; do
		lost=0
		for node in "${NODES[@]}"; do
			counters "$node" >"$T/$node/counters" || return
			lost=$((lost + $(saved "$node" frames-out) - $(saved "$node" frames-in)))
		done
		[ "$lost" != "$last" ] || break
		last=$lost
	done
	echo "$lost"
}

# lost_no_more WANTED
lost_no_more() {
	[ "$(frames_lost)" = "$1" ]
}

# exact_again A B  an event is over and took frames with it that nobody can count: from now on each one arrives again
exact_again() {
	local lost
	lost=$(frames_lost)
	transfer "$1 and $2 afterwards" "$1" "$2" 8 0
	if lab_until 2 lost_no_more "$lost"; then
		lab_ok "each frame of ${NODES[*]} arrives again"
	else
		lab_fail "each frame of ${NODES[*]} arrives again: found $(($(frames_lost) - lost)) lost"
	fi
}

# reread NODE  SIGHUP; the log's answer decides: 0 reloaded, 1 refused or failed
reread() {
	local from
	from=$(($(stat -c %s "$T/$1/log") + 1))
	kill -HUP "${LAB_PID[$1]}"
	lab_until 3 eval "tail -c +$from '$T/$1/log' | grep -qE 'reloaded|reload-refused|reload-failed'"
	tail -c "+$from" "$T/$1/log" | grep -q reloaded
}

# logged NODE PATTERN
logged() {
	grep -qE -e "$2" "$T/$1/log"
}
