#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# layering-finds.sh LAYERING: a small tree that is in order passes, and with one wrong line each it does not.
layering=$1
tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
failed=0

expect() {
	code=$1 what=$2
	"$layering" "$tree" >"$tree/out" 2>&1
	found=$?
	if [ "$found" != "$code" ]; then
		echo "$what: found exit $found, wanted $code"
		cat "$tree/out"
		failed=1
	fi
}

# with FILE LINE WHAT: must be refused
with() {
	echo "$2" >>"$tree/$1"
	expect 1 "$3"
	sed -i '$d' "$tree/$1"
}

mkdir -p "$tree/include/ela" "$tree/core" "$tree/plugins/npd-a" "$tree/plugins/npd-b" "$tree/plugins/common" \
	"$tree/examples/t" || exit 1
echo '#include <stdint.h>' >"$tree/include/ela/ela.h"
echo '#include "log.h"' >"$tree/core/main.c"
echo '#include <ela/ela.h>' >"$tree/core/log.h"
printf '#include <ela/ela.h>\n#include "a.h"\n#include "../common/ip.h"\n#include <stdio.h>\n' >"$tree/plugins/npd-a/a.c"
echo '#include <ela/ela.h>' >"$tree/examples/t/t.c"
: >"$tree/plugins/npd-a/a.h"
: >"$tree/plugins/npd-b/b.h"
: >"$tree/plugins/common/ip.h"
echo "inc_abi" >"$tree/plugins/npd-a/meson.build"
expect 0 "a tree in order"
with plugins/npd-a/a.c '#include "../../core/log.h"' "a plugin that includes core's header by its path"
with plugins/npd-a/a.c '#include "log.h"' "a plugin that includes core's header by its name"
with plugins/npd-a/a.c '#include <log.h>' "a plugin that includes core's header as a system's"
with plugins/npd-a/a.c '#include "../npd-b/b.h"' "a plugin that includes another's header"
with plugins/npd-a/a.c '	#  include <b.h>' "a plugin that includes another's header as a system's"
with plugins/npd-a/a.c '#include <ela/none.h>' "a plugin that includes a header that is not installed"
with plugins/npd-a/meson.build 'core_dep' "a plugin that links core"
with core/main.c '#include "../plugins/npd-a/a.h"' "core that includes a plugin's header"
with core/main.c '#include <a.h>' "core that includes a plugin's header as a system's"
with examples/t/t.c '#include "../../plugins/common/ip.h"' "a template that includes the tree's files"
with include/ela/ela.h '#include <glib.h>' "an installed header that needs a library"
expect 0 "the tree in order again"
exit $failed
