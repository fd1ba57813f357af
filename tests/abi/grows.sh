#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# grows.sh OLD NEW RENAMES: what the table of an older ABI version says still holds in a newer one's: each line is there
# unchanged but for the minor version, for tables that grew at their end (the operations and the host), and for reserved
# fields that got a name (RENAMES: lines "old new").
awk -v old="$1" '
	FILENAME == ARGV[1] { renamed[$1] = $2; next }
	FILENAME == ARGV[2] { now[$1 " " $2] = $0; size[$2] = $4; next }
	{
		n++
		name = $2 in renamed ? renamed[$2] : $2
		was = $0
		sub(" " $2 " ", " " name " ", was)
		is = now[$1 " " name]
		if ($1 == "const" && name == "ELA_ABI_MINOR")
			next
		if ($1 == "struct" && name ~ /^ela_([a-z]+_ops|host)$/ && size[name] >= $4)
			sub("size " $4, "size " size[name], was)
		if (is != was) {
			print old ": found \"" is "\", wanted \"" was "\""
			bad = 1
		}
	}
	END { if (n < 200) { print old ": found " n + 0 " lines, wanted a recorded table"; bad = 1 } exit bad }
' "$3" "$2" "$1"
