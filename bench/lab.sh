# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Two namespaces on one machine, joined by a veth pair; sourced by each peer's script.
#
#   A  labA$$  vA 10.99.0.1 ------------ vB 10.99.0.2  labB$$  B
#              tunnel 10.88.0.1          tunnel 10.88.0.2
#
# Environment: DUR seconds a run (6), CC congestion control of the measured flows, MTU of the tunnel (1420).

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH LC_ALL=C.UTF-8
A=labA$$ B=labB$$ UA=10.99.0.1 UB=10.99.0.2 OA=10.88.0.1 OB=10.88.0.2
MTU=${MTU:-1420} DUR=${DUR:-6} CC=${CC:-}
PIDS=()

# need PROGRAM:PACKAGE...  exit 2 and a line for each program that is not there; a program may be a path
need() {
	local pair missing=0
	for pair in "$@"; do
		command -v "${pair%:*}" >/dev/null && continue
		printf '%s: needs %s: apt-get install %s\n' "${0##*/}" "${pair%:*}" "${pair##*:}" >&2
		missing=1
	done
	[ $missing -eq 0 ] || exit 2
}

# need_lab PROGRAM:PACKAGE...  those, and what every measurement needs
need_lab() {
	need "$@" ip:iproute2 ping:iputils-ping iperf3:iperf3 python3:python3
}

inA() {
	ip netns exec "$A" "$@"
}

inB() {
	ip netns exec "$B" "$@"
}

# bg A|B COMMAND...  a program in the background, its output to $LOG
bg() {
	local space=$A
	[ "$1" = B ] && space=$B
	shift
	ip netns exec "$space" "$@" >"${LOG:-/dev/null}" 2>&1 &
	PIDS+=($!)
}

lab_up() {
	trap lab_down EXIT
	trap 'exit 130' INT TERM
	ip netns add "$A" && ip netns add "$B" || exit 1
	ip link add vA netns "$A" type veth peer name vB netns "$B"
	inA ip addr add $UA/24 dev vA
	inB ip addr add $UB/24 dev vB
	inA ip link set vA up
	inB ip link set vB up
	inA ip link set lo up
	inB ip link set lo up
}

lab_down() {
	local pid space
	trap - EXIT
	for pid in "${PIDS[@]}"; do
		kill "$pid" 2>/dev/null
	done
	sleep 0.3
	for space in "$A" "$B"; do
		ip netns pids "$space" 2>/dev/null | xargs -r kill -9 2>/dev/null
	done
	wait 2>/dev/null
	PIDS=()
	for space in "$A" "$B"; do
		ip netns del "$space" 2>/dev/null
	done
	[ -z "${WORK:-}" ] || rm -rf "$WORK"
}

# tunnel_up DEVICE-A DEVICE-B  addresses and MTU for those who do not set them
tunnel_up() {
	inA ip addr add $OA/24 dev "$1"
	inB ip addr add $OB/24 dev "$2"
	inA ip link set "$1" mtu "$MTU" up
	inB ip link set "$2" mtu "$MTU" up
}

wait_ping() {
	local i
	for ((i = 0; i < 100; i++)); do
		inA ping -n -c 1 -W 1 "$1" >/dev/null 2>&1 && return 0
		sleep 0.1
	done
	return 1
}

busy_ticks() {
	awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 }' /proc/stat
}

# iperf TARGET FIELD OPTION...  runs from A, prints one figure: gbps, or kpps received
iperf() {
	local target=$1 field=$2
	shift 2
	inA timeout $((DUR + 20)) iperf3 -c "$target" ${CC:+-C "$CC"} -t "$DUR" -J "$@" 2>/dev/null | python3 -c '
import json, sys
end = json.load(sys.stdin)["end"]
if sys.argv[1] == "gbps":
    print("%.2f" % (end["sum_received"]["bits_per_second"] / 1e9))
else:
    print("%.0f" % ((end["sum"]["packets"] - end["sum"]["lost_packets"]) / end["sum"]["seconds"] / 1e3))
' "$field" 2>/dev/null
}

# Largest resident set in A that is not the meter's
tunnel_rss_mib() {
	local pid
	for pid in $(ip netns pids "$A"); do
		case $(cat "/proc/$pid/comm" 2>/dev/null) in
		iperf3 | ping) ;;
		*) awk '/VmRSS/ { print $2 / 1024 }' "/proc/$pid/status" 2>/dev/null ;;
		esac
	done | sort -n | tail -n 1
}

# measure NAME TARGET  prints one row
measure() {
	local name=$1 target=$2 server rtt t0 t1 tcp1 tcp4 udp cpu
	ip netns exec "$B" iperf3 -s -p 5201 >/dev/null 2>&1 &
	server=$!
	PIDS+=("$server")
	sleep 0.5
	rtt=$(inA ping -n -i 0.002 -c 2000 -q "$target" | sed -n 's/.*= [0-9.]*\/\([0-9.]*\)\/.*/\1/p')
	t0=$(busy_ticks)
	tcp1=$(iperf "$target" gbps)
	t1=$(busy_ticks)
	tcp4=$(iperf "$target" gbps -P 4)
	udp=$(CC='' iperf "$target" kpps -u -l 64 -b 0)
	cpu=$(awk -v t="$((t1 - t0))" -v g="${tcp1:-0}" -v d="$DUR" 'BEGIN { printf "%.2f", t / 100 / (g * d / 8 + 0.0001) }')
	printf '%-26s rtt_ms=%-7s tcp1_Gbps=%-7s cpu_s_per_GB=%-6s tcp4_Gbps=%-7s udp64_kpps=%-5s rss_MiB=%.1f\n' "$name" \
		"${rtt:-?}" "${tcp1:-?}" "$cpu" "${tcp4:-?}" "${udp:-?}" "$(tunnel_rss_mib)"
	kill "$server" 2>/dev/null
	wait "$server" 2>/dev/null
}

# measure_or_fail NAME LOG  the end of each peer's script
measure_or_fail() {
	if wait_ping $OB; then
		measure "$1" $OB
		lab_down
	else
		printf '%s: no ping\n' "$1" >&2
		[ -n "$2" ] && tail -n 5 "$2" >&2
		lab_down
		exit 1
	fi
}
