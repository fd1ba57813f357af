#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# headers.sh INCLUDE TABLE CC CXX: each installed header compiles alone, as C11 and as C++, without a warning; and each
# struct and constant in them is in the recorded table, so that none can be changed unseen.
include=$1 table=$2 cc=$3 cxx=$4
failed=0

try() {
	what=$1 header=$2
	shift 2
	if ! printf '#include <ela/%s>\n#include <ela/%s>\n' "$header" "$header" | "$@" -I"$include" -Wall -Wextra -pedantic \
		-Werror -Wno-unused -fsyntax-only -; then
		echo "ela/$header: found an error or a warning as $what, wanted none"
		failed=1
	fi
}

if ! command -v "$cxx" >/dev/null; then
	echo "no C++ compiler \"$cxx\": found none, wanted one (apt install g++)"
	exit 1
fi
n=0
for path in "$include"/ela/*.h; do
	header=${path##*/}
	n=$((n + 1))
	try C11 "$header" "$cc" -std=c11 -x c
	try C++11 "$header" "$cxx" -std=c++11 -x c++
	# shellcheck disable=SC2013 # names have no spaces
	for name in $(sed -n 's/^struct \(ela_[a-z0-9_]*\) {.*/\1/p' "$path"); do
		grep -q "^struct $name size " "$table" || { echo "ela/$header: struct $name: found no line, wanted one in $table"; failed=1; }
	done
	# guards and these two have no value
	# shellcheck disable=SC2013 # names have no spaces
	for name in $(sed -n 's/^#define \(ELA_[A-Z0-9_]*\).*/\1/p' "$path"); do
		case $name in ELA_*_H | ELA_EXPORT | ELA_PLUGIN) continue ;; esac
		grep -q "^const $name " "$table" || { echo "ela/$header: $name: found no line, wanted one in $table"; failed=1; }
	done
done
[ "$n" -ge 8 ] || { echo "headers in $include/ela: found $n, wanted 8 at least"; failed=1; }
if ! printf '%s\n' '#include <ela/ela.h>' 'static const struct ela_npd_ops ops = {0};' \
	'ELA_PLUGIN(.kind = ELA_KIND_NPD, .name = "x", .ops = &ops, .ops_size = sizeof ops);' |
	"$cc" -std=c11 -x c -I"$include" -Wall -Wextra -pedantic -Werror -Wno-missing-field-initializers -fsyntax-only -; then
	echo "ELA_PLUGIN(): found an error or a warning, wanted none"
	failed=1
fi
exit $failed
