#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# expect.sh CHECK FILE.so CODE [LINE]: the suite must end with CODE and print a line that begins with LINE.
check=$1 file=$2 code=$3 line=$4
out=$("$check" "$file" 2>&1)
found=$?
printf '%s\n' "$out"
if [ "$found" != "$code" ]; then
	echo "exit code: found $found, wanted $code"
	exit 1
fi
[ -z "$line" ] && exit 0
printf '%s\n' "$out" | while IFS= read -r at; do
	case $at in "$line"*) exit 3 ;; esac
done
if [ $? != 3 ]; then
	echo "lines: found none that begins with \"$line\", wanted one"
	exit 1
fi
