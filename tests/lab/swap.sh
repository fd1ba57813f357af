#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Swapping a part is one edited line: cipher, transport, and the device for the template's, built outside the tree. The same
# 100 MiB arrive each time; the device of the template answers pings itself.
#
#   a 10.99.0.1 ----------- 10.99.0.2 b
# ELA_PC: the ela-plugin.pc of the build; the template finds headers by it in a prefix of its own
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_begin
lan_up a b
for node in a b; do
	node_key $node
done
for node in a b; do
	node_ini $node
done
first=
elad_args
# Swap lines by sed on the files that are there, as a user would
edit() {
	sed -i "$1" "$T/a/ela.ini" "$T/b/ela.ini"
}

# Enough of each packet, superpackets too, to see a marker that stands in each 4 KiB: a gigabyte is more than a busy disk takes.
SNAP=2048
capture_start
for cipher in aead ipsecmb blowfish; do
	if ! "$ELA_ELAD" "${ELAD_ARGS[@]}" --list-plugins | grep -q "^cipher	$cipher	"; then
		echo "note: cipher-$cipher is not built here"
		continue
	fi
	edit "s/^cipher = .*/cipher = $cipher/"
	for transport in udp tcp; do
		edit "s/^transport = .*/transport = $transport/; s/^\[transport-.*\]/[transport-$transport]/"
		{ node_start a && node_start b; } || continue
		lab_check "ping with $cipher over $transport" ping_until a b
		transfer "$cipher over $transport" a b 100 0
		lab_equal "$cipher over $transport: the same hash" "$(transfer_hash)" "${first:=$(transfer_hash)}"
		node_stop a
		node_stop b
	done
done
capture_stop
capture_clean

# b's device becomes the template's
template_build() {
	local top=$LAB_HERE/../..
	mkdir -p "$T/template" "$T/prefix/include" && cp "$top/examples/plugin-template/"* "$T/template" &&
		cp -r "$top/include/ela" "$T/prefix/include" &&
		sed "s|^prefix=.*|prefix=$T/prefix|" "$ELA_PC" >"$T/prefix/ela-plugin.pc" &&
		env -u MAKEFLAGS -u CFLAGS -u LDFLAGS make -C "$T/template" PKG_CONFIG_PATH="$T/prefix" &&
		chmod 755 "$T/template/npd-echo.so"
}

lab_check 'the template builds outside the tree' template_build
edit 's/^cipher = .*/cipher = aead/; s/^transport = .*/transport = udp/; s/^\[transport-.*\]/[transport-udp]/'
sed -i 's/^npd = .*/npd = echo/; /^\[npd-tun\]/d; /^interface = /d; /^mtu = /d' "$T/b/ela.ini"
lab_refuse 'b does not answer without elad' ping_once a b
node_start a
node_start b --plugin-dir "$T/template"
lab_check 'the template answers' ping_until a b
lab_check 'twenty times' in_ns a ping -n -q -c 20 -i 0.02 -W 2 10.88.0.2
lab_equal 'b has no device of the kernel' "$(in_ns b ip -br link show ela0 2>/dev/null)" ""
lab_end
