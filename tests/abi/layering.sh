#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# layering.sh ROOT: who may include whom. A plugin: <ela/...>, the system's and libraries' headers, files of its own
# folder and of plugins/common, which is source that plugins share. Core: nothing of a plugin. The installed headers:
# themselves and the system's. The template: as a plugin that was built elsewhere.
root=$1
failed=0

bad() {
	echo "$1: found #include $2, wanted $3"
	failed=1
}

includes() {
	sed -n 's/^[ \t]*#[ \t]*include[ \t]*\([<"][^>"]*[>"]\).*/\1/p' "$1"
}

# A quoted name must be a file beside the source, or ../common/X for a plugin.
check_quoted() {
	file=$1 name=$2 folder=${1%/*}
	case $name in
	../common/*) case $folder in */plugins/*) ;; *) return 1 ;; esac ;;
	*/*) return 1 ;;
	esac
	[ -f "$folder/$name" ]
}

# An angled name must not be one of core's or of another plugin, found by some search path; <ela/X> must be installed.
check_angled() {
	case $1 in
	ela/*) [ -f "$root/include/$1" ] ;;
	*..*) return 1 ;;
	link.h) [ "$2" = "$root/core/footprint.c" ] ;; # the C library's, which core/meson.build sees to
	*) [ ! -f "$root/core/$1" ] && [ ! -f "$root/$1" ] && ! ls "$root"/plugins/*/"$1" >/dev/null 2>&1 ;;
	esac
}

check_file() {
	wanted=$2
	for include in $(includes "$1" | tr ' ' '?'); do
		name=${include#?}
		name=${name%?}
		case $include in
		\"*) check_quoted "$1" "$name" || bad "$1" "$include" "$wanted" ;;
		*) check_angled "$name" "$1" || bad "$1" "$include" "$wanted" ;;
		esac
	done
}

n=0
for file in "$root"/plugins/*/*.[ch] "$root"/examples/*/*.[ch]; do
	[ -f "$file" ] || continue
	n=$((n + 1))
	check_file "$file" "<ela/...>, a system header or a file of its own"
done
for file in "$root"/core/*.[ch]; do
	[ -f "$file" ] || continue
	n=$((n + 1))
	check_file "$file" "nothing outside core and include/ela"
done
for file in "$root"/include/ela/*.h; do
	[ -f "$file" ] || continue
	n=$((n + 1))
	for include in $(includes "$file"); do
		case $include in
		\<ela/*) [ -f "$root/include/$(echo "$include" | tr -d '<>')" ] || bad "$file" "$include" "an installed header" ;;
		\<std*.h\> | \<sys/uio.h\>) ;;
		*) bad "$file" "$include" "<ela/...>, a standard C header or sys/uio.h" ;;
		esac
	done
done
for file in "$root"/plugins/*/meson.build; do
	[ -f "$file" ] || continue
	if grep -n 'core_\|\.\./\.\./\|inc_core' "$file"; then
		echo "$file: found a use of core's objects, wanted none"
		failed=1
	fi
done
[ "$n" -gt 0 ] || { echo "$root: found no source, wanted some"; failed=1; }
exit $failed
