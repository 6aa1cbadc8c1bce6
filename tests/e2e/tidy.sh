#!/usr/bin/env bash
# tidy: each house rule is broken once, on purpose, in a tree of its own, and tidy says so.
set -uo pipefail
shopt -s lastpipe # what `breaks` finds at the end of a pipe is not to be lost in a subshell
tidy=$(cd "$(dirname "$0")/../../tools/lint" && pwd)/tidy
tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
failed=0

# put FILE: its content on stdin.
put() {
	mkdir -p "$tree/$(dirname "$1")"
	cat >"$tree/$1"
}

# A tree in which every rule holds.
good() {
	rm -rf "${tree:?}"/* "$tree/.git"
	git init -q "$tree"
	for folder in engine engine/base engine/detect tools tools/shop; do
		echo "# $folder" | put "$folder/README.md"
	done
	printf '%s\n' '/* a: the job in one line. */' '#include "base/b.h"' '#include "detect/a.h"' '' \
		'void a(void)' '{' $'\t/* Release: the slot before the cursor. */' \
		$'\tweir_store_release_32(&x, 1);' '}' | put engine/detect/a.c
	echo '/* a: the door. */' | put engine/detect/a.h
	echo '/* b: what all may use. */' | put engine/base/b.h
	echo "sources = files('detect/a.c')" | put engine/meson.build
	printf '%s\n' '#!/bin/sh' 'exit 0' | put tools/run
}

# breaks RULE FILE: with the content on stdin the rule, and no other one, does not hold.
breaks() {
	local rule=$1 said
	good
	put "$2"
	said=$("$tidy" --root "$tree" "$rule")
	if [ $? -ne 1 ] || ! grep -q "^FAIL $rule" <<<"$said"; then
		echo "$rule: $2 was not caught: $said"
		failed=1
	fi
}

good
if ! said=$("$tidy" --root "$tree"); then
	printf 'the good tree is not good:\n%s\n' "$said"
	failed=1
fi

head='/* x: a head. */'
printf '%s\n' "$head" '#include "detect/a.h"' | breaks includes engine/base/x.h
printf '%s\n' "$head" '#include "engine.h"' | breaks includes engine/detect/x.h
printf '%s\n' "$head" '#include "deliver/store.h"' | breaks includes engine/detect/x.h
printf '%s\n' "$head" '#include <hiredis/hiredis.h>' | breaks includes engine/detect/x.h
printf '%s\n' "$head" '#include "base/b.h"' | breaks includes tools/shop/x.h
printf '%s\n' "$head" '#include "base/b.h"' | breaks includes include/weir/x.h
printf '%s\n' "$head" '#include "tests/support/x.h"' | breaks includes engine/detect/x.h
{ echo "$head"; yes '' | head -n 800; } | breaks file-length engine/detect/x.h
{ echo "$head"; echo 'int f(void)'; echo '{'; yes $'\tf();' | head -n 70; echo '}'; } |
	breaks function-length engine/detect/x.c
printf '%s\n' "$head" "$(printf '\t%093d' 1)" | breaks columns engine/detect/x.h
printf '%s\n' "$head" '' '' '' '' '' '' '' 'x = weir_load_acquire_64(&y);' |
	breaks atomics engine/detect/x.c
printf '%s\n' "$head" "/* TO""DO: later */" | breaks markers engine/detect/x.h
echo hello | breaks top-level notes.txt
printf '%s\n' "$head" | breaks readmes engine/deliver/x.h
printf '%s\n' "$head" | breaks folder-names engine/base/utils/x.h
echo 'int x;' | breaks file-heads engine/detect/x.h
printf '%s\n' "$head" | breaks dead-files engine/detect/x.c
printf '%s\n' "$head" "/* see /ro""ot/x */" | breaks machine-paths engine/detect/x.h
printf '%s\n' "$head" 'strcpy(a, b);' | breaks banned-calls engine/detect/x.c
echo '{"a": }' | breaks json engine/detect/x.json
# shellcheck disable=SC2016 # the unquoted word is the point
printf '%s\n' '#!/bin/sh' 'rm $1' | breaks shellcheck tools/x
# shellcheck disable=SC2016 # backticks of Markdown
{
	row='| a promise | what is done | `tests/run.c`: `runs` | 1 | 2 |'
	echo "$row" | breaks promises tests/README.md
	for wrong in 's/tests.run.c/tools\/run/; s/`runs`/`Runs_1`/' 's/tests.run.c/tools\/run/; s/1/ /' \
		's/tests.run.c/tools\/run/; s/$/ more |/' 's/`tests.run.c`: //'; do
		sed "$wrong" <<<"$row" | breaks promises tests/README.md
	done
}
printf '%s \n' "$head" | breaks whitespace engine/detect/x.h

# A rule without a case above would be one that nobody has seen fail.
for rule in $(sed -n 's/^def rule_\(.*\)(tree).*/\1/p' "$tidy" | tr _ -); do
	grep -q "breaks $rule " "$0" || { echo "$rule: no case here" && failed=1; }
done
exit "$failed"
