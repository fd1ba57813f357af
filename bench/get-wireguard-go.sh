#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: get-wireguard-go.sh [FOLDER]    prints the path of a wireguard-go with UDP GSO and GRO
# Debian 12's package has neither; Debian 13's is unpacked into a folder, not installed.
set -e
DIR=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/ela-bench}
BIN=$DIR/root/usr/bin/wireguard-go
if [ ! -x "$BIN" ]; then
	mkdir -p "$DIR/lists/partial" "$DIR/cache/archives/partial"
	MIRROR=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1)
	[ -n "$MIRROR" ] || MIRROR=$(awk '$1 == "deb" { print $2; exit }' /etc/apt/sources.list)
	echo "deb $MIRROR trixie main" >"$DIR/trixie.list"
	OPTIONS=(-o "Dir::Etc::SourceList=$DIR/trixie.list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$DIR/lists"
		-o "Dir::Cache=$DIR/cache" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
	cd "$DIR"
	{ apt-get "${OPTIONS[@]}" update && apt-get "${OPTIONS[@]}" download wireguard-go; } >"$DIR/log" 2>&1 || {
		tail -n 5 "$DIR/log" >&2
		exit 1
	}
	for deb in wireguard-go_*.deb; do
		dpkg -x "$deb" root
	done
fi
echo "$BIN"
