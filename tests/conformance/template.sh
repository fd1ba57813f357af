#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# template.sh TEMPLATE INCLUDE PC CHECK ELAD PLUGIN-DIR...: the template as a stranger has it: in a folder of its own, beside a prefix that
# holds ELA's headers and ela-plugin.pc alone. make, make check, make install, and what make says without ELA.
template=$1 include=$2 pc=$3 check=$4 elad=$5
shift 5
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
unset MAKEFLAGS MAKELEVEL CFLAGS LDFLAGS

fail() {
	echo "$1: found $2, wanted $3"
	exit 1
}

mkdir -p "$work/template" "$work/prefix/include" "$work/pkgconfig" "$work/empty" || exit 1
cp "$template"/* "$work/template" && cp -r "$include/ela" "$work/prefix/include" || exit 1
sed "s|^prefix=.*|prefix=$work/prefix|" "$pc" >"$work/pkgconfig/ela-plugin.pc" || exit 1
cd "$work/template" || exit 1

PKG_CONFIG_LIBDIR=$work/empty PKG_CONFIG_PATH='' make >"$work/out" 2>&1 && fail "make without ELA" "success" "an error"
grep -q "does not find ela-plugin: install ELA" "$work/out" || fail "make without ELA" "$(tail -1 "$work/out")" "the remedy"
export PKG_CONFIG_PATH="$work/pkgconfig" PKG_CONFIG_LIBDIR="$work/empty"
make CFLAGS="-O2 -g -Wall -Wextra -Werror" || fail make "an error" npd-echo.so
make check CHECK="$check" || fail "make check" "an error" "every line ok"
# an option's least value is a legal one
"$check" --set slots=16 ./npd-echo.so || fail "ela-plugin-check --set slots=16" "an error" "every line ok"
# ela.ini.example is an ela.ini as soon as there is a key
cp ela.ini.example ela.ini && chmod 644 ela.ini || exit 1
dirs=
for dir in "$@"; do
	dirs="$dirs --plugin-dir $dir"
done
"$elad" keygen . echo >/dev/null || fail keygen "an error" echo.key
# shellcheck disable=SC2086 # a list of options
"$elad" --check --config ela.ini --plugin-dir . $dirs >"$work/out" 2>&1 || fail "elad --check" "$(cat "$work/out")" "exit 0"
[ ! -s "$work/out" ] || fail "elad --check" "$(cat "$work/out")" silence
make install || fail "make install" "an error" "success"
plugindir=$(pkg-config --variable=plugindir ela-plugin)
case $plugindir in "$work"/prefix/*/ela) ;; *) fail plugindir "\"$plugindir\"" "PREFIX/LIBDIR/ela" ;; esac
[ -f "$plugindir/npd-echo.so" ] || fail "make install" "no file" "$plugindir/npd-echo.so"
[ "$(pkg-config --variable=abi ela-plugin)" ] || fail "abi" "nothing" "the ABI's version"
symbols=$(nm -D --defined-only npd-echo.so | awk '{ print $3 }')
[ "$symbols" = ela_plugin ] || fail "exported symbols" "$symbols" ela_plugin
