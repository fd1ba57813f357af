#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A stranger's plugin against an installed ELA: the template, copied out of the tree, is built with nothing but what pkg-config
# finds in the prefix, checked with the prefix's ela-plugin-check, and loaded by the prefix's elad. ELA_PREFIX: the prefix.
: "${ELA_PREFIX:?names the folder ELA is installed in}"
tree=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/ela-installed-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
chmod 755 "$work" # elad refuses plugins in folders of others
bad=0

# step NAME COMMAND...
step() {
	name=$1
	shift
	if "$@" >"$work/out" 2>&1; then
		echo "ok $name"
	else
		echo "FAIL $name: found exit status $? of '$*', wanted 0"
		tail -n 10 "$work/out" | sed 's/^/  /'
		bad=1
	fi
}

# An environment of its own: no flags, no other pkg-config files
in_prefix() {
	env -i PATH="$PATH" LC_ALL=C.UTF-8 PKG_CONFIG_LIBDIR="$pc" "$@"
}

# Headers of ELA that the template was compiled with: from the prefix alone
headers() {
	in_prefix sh -c 'cc $(pkg-config --cflags ela-plugin) -M npd-echo.c' | tr ' ' '\n' | grep '/ela/.*\.h$' >"$work/headers" &&
		! grep -v "^$ELA_PREFIX/include/ela/" "$work/headers"
}

# elad ARGUMENT...: what the installed one lists; the template's line has its kind, name and file
listed() {
	"$ELA_PREFIX/sbin/elad" --plugin-dir "$work/template" --list-plugins >"$work/list" &&
		awk -F '\t' -v file="$work/template/npd-echo.so" '
			$1 == "npd" && $2 == "echo" && $6 == file { found = 1 }
			END { exit !found }' "$work/list" && grep -q '^npd	tun	' "$work/list"
}

pc=$(find "$ELA_PREFIX" -name ela-plugin.pc -printf '%h\n')
mkdir "$work/template" && cp "$tree/examples/plugin-template"/* "$work/template" && cd "$work/template" || exit 1
step 'the template builds against the installed prefix' in_prefix make
step 'with the headers of the prefix alone' headers
step 'the installed ela-plugin-check passes it' in_prefix "$ELA_PREFIX/bin/ela-plugin-check" ./npd-echo.so
step 'make check finds that one by itself' sh -c "env -i PATH='$PATH' PKG_CONFIG_LIBDIR='$pc' make check | grep -F '$ELA_PREFIX/bin/ela-plugin-check'"
chmod 755 npd-echo.so
step 'the installed elad loads it beside its own plugins' listed
exit $bad
