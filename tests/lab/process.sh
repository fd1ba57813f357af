#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What elad may still do once it is ready: /proc/PID/status, and what the kernel answers to the calls that its own proof tries
# (security.md, Process), as strace sees them.
#
#   a alone
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_begin
lan_up a

# status FIELD  of every thread, each value once
status() {
	sed -n "s/^$1:[[:space:]]*//p" "/proc/${LAB_PID[a]}/task"/*/status | sort -u
}

# same_name FIELD  the same for the real, effective, saved and file identities
ids() {
	status "$1" | tr -s '\t' '\n' | sort -u
}

node_key a
NODE_LINES='user = nobody'
node_ini a
# the key is read before the drop, the ini again on SIGHUP
node_start a
NET_ADMIN=0000000000001000
lab_equal 'permitted: CAP_NET_ADMIN alone' "$(status CapPrm)" $NET_ADMIN
lab_equal 'effective: CAP_NET_ADMIN alone' "$(status CapEff)" $NET_ADMIN
lab_equal 'inheritable: none' "$(status CapInh)" 0000000000000000
lab_equal 'ambient: none' "$(status CapAmb)" 0000000000000000
lab_equal 'no new privileges' "$(status NoNewPrivs)" 1
lab_equal 'system calls are filtered' "$(status Seccomp)" 2
lab_equal 'runs as the user of the ini' "$(ids Uid)" "$(id -u nobody)"
lab_equal 'and as its group' "$(ids Gid)" "$(id -g nobody)"
lab_equal 'no further groups' "$(status Groups)" ""
lab_equal 'no core dumps' "$(awk '/^Max core file size/ { print $5 }' "/proc/${LAB_PID[a]}/limits")" 0
lab_check 'rereads its ini after the drop' reread a
node_stop a

# Without the user "ela" and without [node] user root stays, with one capability and a warning
NODE_LINES=
node_ini a
node_start a
lab_equal 'one capability again' "$(status CapEff)" $NET_ADMIN
if id ela >/dev/null 2>&1; then
	lab_equal 'the user ela' "$(ids Uid)" "$(id -u ela)"
else
	lab_equal 'root without its rights' "$(ids Uid)" 0
	lab_check 'says so' logged a '^warn.*(root|user)'
fi
node_stop a

# The proof: strace hears each call and the kernel's answer. Only what follows the drop counts: the filter of calls is the last
# step of it. A tracer is a parent here (-D: not elad's), so the leak checker of a sanitizer cannot run.
elad_traced() {
	printf '#!/bin/sh\nASAN_OPTIONS=detect_leaks=0:$ASAN_OPTIONS exec strace -D -f -o "%s" -e trace=%s "%s" "$@"\n' "$T/calls" \
		"$1" "$ELA_ELAD" >"$T/elad-traced"
	chmod 755 "$T/elad-traced"
}

# tried CALL  the answers that it got after the filter was set
tried() {
	sed -n '/seccomp(SECCOMP_SET_MODE_FILTER.*= 0$/,$p' "$T/calls" |
		sed -nE "s/^[0-9]* *($1\(|<\.\.\. $1 resumed>).* = -1 (E[A-Z]*) .*/\2/p" | sort -u
}

CALLS=(setuid setns unshare execve kill process_vm_readv mount bpf perf_event_open keyctl personality io_uring_setup unlinkat)
# a sanitizer needs these for itself
[ "${ELA_SANITIZER:-0}" = 1 ] || CALLS+=(clone ptrace)
elad_traced "seccomp,$(IFS=, && echo "${CALLS[*]}")"
ELA_ELAD=$T/elad-traced node_start a
for call in "${CALLS[@]}"; do
	lab_equal "the proof tried $call and it was refused" "$(tried "$call")" EPERM
done
lab_end
