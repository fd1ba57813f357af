#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Programs as Debian ships them believe in the LAN (the thesis's second scenario): avahi finds a service, nmblookup a Samba
# server and smbclient copies from it, libnfs from nfs-ganesha; server and client are edges behind two NATs.
#
#   a core .1      nat1 .101 --- d: servers      nat2 .102 --- e: clients      10.99.0.0/24
#
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/ring.sh
. "$(dirname "$0")/ring.sh"
MIB=100

# bus_start NODE  a system bus of its own: there is one for each machine
bus_start() {
	cat >"$T/$1/bus.conf" <<-EOF
		<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
		 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
		<busconfig>
		<type>system</type>
		<listen>unix:path=$T/$1/bus</listen>
		<auth>EXTERNAL</auth>
		<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy>
		</busconfig>
	EOF
	lab_run dbus-daemon --config-file="$T/$1/bus.conf" --nofork --nopidfile --nosyslog 2>"$T/$1/bus.log"
	lab_until 3 test -S "$T/$1/bus"
}

# avahi_start NODE  its folder of a running daemon is its own, too
avahi_start() {
	cat >"$T/$1/avahi.conf" <<-EOF
		[server]
		host-name=$1
		use-ipv4=yes
		use-ipv6=yes
		allow-interfaces=ela0
	EOF
	# shellcheck disable=SC2016 # $1 is the inner shell's
	DBUS_SYSTEM_BUS_ADDRESS=unix:path=$T/$1/bus lab_run nsenter "--net=/run/netns/$LAB-$1" -- unshare --mount sh -c \
		'mount -t tmpfs none /run && exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f "$1"' \
		- "$T/$1/avahi.conf" >"$T/$1/avahi.log" 2>&1
	lab_until 5 grep -q 'Server startup complete' "$T/$1/avahi.log"
}

# on_bus NODE COMMAND...
on_bus() {
	DBUS_SYSTEM_BUS_ADDRESS=unix:path=$T/$1/bus in_ns "$@"
}

# found  e sees what d publishes, where it is
found() {
	on_bus e timeout 5 avahi-browse -rpkt _http._tcp >"$T/found" 2>&1
	grep -qF "=;ela0;IPv4;$1;_http._tcp;local;d.local;$(ring_address d);8080;" "$T/found"
}

# samba_conf NODE NAME
samba_conf() {
	local dir=$T/$1/samba
	mkdir -p "$dir"
	cat >"$T/$1/smb.conf" <<-EOF
		[global]
		netbios name = $2
		workgroup = HOME
		interfaces = ela0
		bind interfaces only = yes
		name resolve order = bcast
		map to guest = Bad User
		disable spoolss = yes
		load printers = no
		private dir = $dir
		lock directory = $dir
		state directory = $dir
		cache directory = $dir
		pid directory = $dir
		ncalrpc dir = $dir/ncalrpc
		log file = $dir/log
		[share]
		path = $T/share
		guest ok = yes
		read only = yes
	EOF
}

# copied NAME FILE
copied() {
	lab_equal "$1 copied $MIB MiB, hashes equal" "$(sha256sum <"$2")" "$(sha256sum <"$T/share/big")"
	rm -f "$2"
}

lab_begin
wire_up
host_up a 10.99.0.1
router_up nat1 10.99.0.101 192.168.1 "$NAT_CONE"
router_up nat2 10.99.0.102 192.168.2 "$NAT_RANDOM"
lan_host d nat1 192.168.1 2
lan_host e nat2 192.168.2 2
for node in d e; do
	in_ns $node sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.u0.disable_ipv6=1
done
mkdir "$T/share"
chmod 755 "$T/share"
head -c ${MIB}M /dev/urandom >"$T/share/big"
ring_init a
for node in d e; do
	ring_join $node "$(ring_token a $node)"
done
lab_check 'all are in' lab_until 10 ring_in a d e
lab_check 'd hears e' ping_until d e

for node in d e; do
	bus_start $node
	lab_check "avahi runs at $node" avahi_start $node
done
service="page of $LAB"
DBUS_SYSTEM_BUS_ADDRESS=unix:path=$T/d/bus lab_run nsenter "--net=/run/netns/$LAB-d" -- avahi-publish -s "$service" _http._tcp 8080 \
	>"$T/d/publish.log" 2>&1
lab_check 'avahi of e finds what d publishes' lab_until 10 found "page\\032of\\032$LAB"
lab_equal 'and the name of d' "$(on_bus e timeout 10 avahi-resolve -4 -n d.local 2>&1)" "d.local	$(ring_address d)"

samba_conf d SADA
samba_conf e RIKA
lab_run nsenter "--net=/run/netns/$LAB-d" -- nmbd -F --no-process-group -s "$T/d/smb.conf" >"$T/d/nmbd.log" 2>&1
lab_run nsenter "--net=/run/netns/$LAB-d" -- smbd -F --no-process-group -s "$T/d/smb.conf" >"$T/d/smbd.log" 2>&1
# nmbd claims its name for some seconds before it answers to it
lab_check 'nmblookup of e finds the server of d' lab_until 20 eval \
	"in_ns e nmblookup -s '$T/e/smb.conf' SADA | grep -q '^$(ring_address d) SADA<00>'"
lab_check 'smbclient of e finds it by its name, and copies' in_ns e timeout 60 smbclient -s "$T/e/smb.conf" //SADA/share -N \
	-c "get big $T/e/big"
copied smbclient "$T/e/big"

# The server wants a table of mounts, which a root without an init system has not.
mkdir "$T/d/etc"
cp -a /etc/passwd /etc/group /etc/nsswitch.conf /etc/ld.so.cache /etc/netconfig /etc/protocols /etc/services /etc/hosts "$T/d/etc" \
	2>/dev/null # what is there
ln -s /proc/self/mounts "$T/d/etc/mtab"
cat >"$T/d/ganesha.conf" <<EOF
NFS_CORE_PARAM { Protocols = 4; NFS_Port = 2049; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; }
NFSv4 { Graceless = true; RecoveryRoot = $T/d/recovery; }
EXPORT { Export_Id = 1; Path = $T/share; Pseudo = /share; Access_Type = RO; Squash = No_root_squash; SecType = sys;
	FSAL { Name = VFS; } }
EOF
mkdir "$T/d/recovery"
# shellcheck disable=SC2016 # $1 is the inner shell's
lab_run nsenter "--net=/run/netns/$LAB-d" -- unshare --mount sh -c \
	'mount --bind "$1/etc" /etc && exec ganesha.nfsd -F -f "$1/ganesha.conf" -L "$1/ganesha.log" -p "$1/ganesha.pid"' - "$T/d" \
	>"$T/d/ganesha.out" 2>&1
lab_check 'nfs-ls of e lists what d exports' lab_until 20 eval \
	"in_ns e nfs-ls 'nfs://$(ring_address d)/share?version=4' | grep -q ' big$'"
lab_check 'nfs-cp of e copies' in_ns e timeout 60 nfs-cp "nfs://$(ring_address d)/share/big?version=4" "$T/e/big"
copied nfs-cp "$T/e/big"
for node in d e; do
	lab_equal "$node is an edge" "$(ring_role $node)" edge
done
lab_end
