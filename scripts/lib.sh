# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shared by demo, test and bench: words on a terminal, and Debian packages that are missing. Sourced, never run.

# The distribution's programs first: they are what is installed, and the shims of a version manager cost more than they run.
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH:/usr/local/sbin
export PATH LC_ALL=C.UTF-8
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Colour only for a person: a terminal, and NO_COLOR unset or empty.
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	BOLD=$'\e[1m' GREEN=$'\e[32m' RED=$'\e[31m' DIM=$'\e[2m' PLAIN=$'\e[0m'
else
	BOLD='' GREEN='' RED='' DIM='' PLAIN=''
fi
# shellcheck disable=SC2034 # for whoever sources this
readonly BOLD GREEN RED DIM PLAIN TOP

# Packages by purpose; each list adds to the one before it.
PACKAGES_BUILD=(gcc libc6-dev meson ninja-build pkg-config libglib2.0-dev libssl-dev libxml2-dev libmnl-dev
	libseccomp-dev libcap-ng-dev)
# libipsec-mb is x86 only; without it cipher-ipsecmb is not built and cipher-aead carries the same suite.
if [ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ]; then
	PACKAGES_BUILD+=(libipsec-mb-dev)
fi
# shellcheck disable=SC2034
PACKAGES_DEMO=(iproute2 iputils-ping iperf3 tcpdump python3 make nftables procps)
# shellcheck disable=SC2034
PACKAGES_TEST=(check clang llvm libclang-rt-14-dev valgrind g++ ethtool patch clang-format
	clang-tidy-14 shellcheck strace libfaketime dbus avahi-daemon avahi-utils samba smbclient nfs-ganesha nfs-ganesha-vfs
	libnfs-utils)
# shellcheck disable=SC2034
PACKAGES_BENCH=(bc ethtool iptables wireguard-tools fastd openssl)

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# packages_missing PACKAGE...  prints those that are not installed, one a line
packages_missing() {
	local p
	for p in "$@"; do
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || printf '%s\n' "$p"
	done
}

# as_root COMMAND...
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo -- "$@"
	fi
}

# Package scripts must not start services (fastd and others would): Debian asks policy-rc.d first. 101 = forbidden.
policy_forbid() {
	[ -e /usr/sbin/policy-rc.d ] && return 1
	# shellcheck disable=SC2016 # $0 is the inner shell's
	as_root sh -c 'printf "#!/bin/sh\nexit 101\n" >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d'
}

apt_get() {
	as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

# packages_install PACKAGE...  installs what is missing; the lists are fetched only when a first try fails without them
packages_install() {
	local missing status=0 forbidden=0 log
	mapfile -t missing < <(packages_missing "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	command -v apt-get >/dev/null || die "needs these packages of Debian 12, or their equals: ${missing[*]}"
	if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
		die "packages are missing; as root: apt-get install ${missing[*]}"
	fi
	printf '%sinstalling %s%s\n' "$DIM" "${missing[*]}" "$PLAIN"
	log=$(mktemp)
	policy_forbid && forbidden=1
	apt_get install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1 || {
		apt_get update >"$log" 2>&1 && apt_get install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1
	} || status=$?
	[ $forbidden -eq 0 ] || as_root rm -f /usr/sbin/policy-rc.d
	if [ $status -ne 0 ]; then
		tail -n 15 "$log" >&2
		rm -f "$log"
		die "could not install ${missing[*]}"
	fi
	rm -f "$log"
}

# need_root WHAT  namespaces and devices need root; say so at once
need_root() {
	[ "$(id -u)" -eq 0 ] || die "$1 needs root (network namespaces and a TUN device): run it with sudo"
	[ -c /dev/net/tun ] || die "$1 needs /dev/net/tun: modprobe tun, or mknod /dev/net/tun c 10 200"
}

# Seconds since the epoch of the boot, with hundredths: not disturbed by clock changes.
uptime_s() {
	cut -d' ' -f1 /proc/uptime
}

# seconds_since UPTIME
seconds_since() {
	awk -v a="$1" -v b="$(uptime_s)" 'BEGIN { printf "%.1f", b - a }'
}
