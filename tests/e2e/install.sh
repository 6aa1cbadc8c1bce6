#!/usr/bin/env bash
# install: what a stranger gets. weir is installed into an empty directory; the README's C example
# is taken out of the README, built against it through pkg-config as C and as C++, and linked
# shared and static, run without an engine and with one; the header is clean under strict warnings; the library needs libc only and
# exports weir_* only.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need cc pkg-config meson nm readelf jq
readme=$(dirname "$0")/../../README.md

root=$E2E/root
DESTDIR=$root meson install -C "$WEIR_BUILD" --no-rebuild >"$E2E/install.log" 2>&1 ||
	fail "meson install: $(tail -n 3 "$E2E/install.log")"
pc=$(find "$root" -name weir.pc)
[ -n "$pc" ] || fail "no weir.pc was installed"
export PKG_CONFIG_LIBDIR=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$root
flags=$(pkg-config --cflags --libs weir) || fail "pkg-config does not know weir"
libraries=$root$(pkg-config --variable=libdir weir)
[ -d "$libraries" ] || libraries=$(pkg-config --variable=libdir weir)
expect "weir.pc requires" "$(pkg-config --print-requires weir)" ""

# The example as the README shows it, which is the one in clients/c/examples.
# shellcheck disable=SC2016
sed -n '/^```c$/,/^```$/{/^```/d;p}' "$readme" >"$E2E/example.c"
lines=$(wc -l <"$E2E/example.c")
{ [ "$lines" -gt 5 ] && [ "$lines" -le 25 ]; } || fail "the README's example has $lines lines"
cp "$E2E/example.c" "$E2E/example.cc"
diff "$E2E/example.c" "${readme%/*}/clients/c/examples/shop.c" >&2 ||
	fail "the README's example is not clients/c/examples/shop.c"
# shellcheck disable=SC2086,SC2046 # flags are words
{
	cc -Wall -Wextra -Werror "$E2E/example.c" $flags -o "$E2E/example" ||
		fail "the README's example does not build"
	# The static library, by its full name.
	cc "$E2E/example.c" $(pkg-config --cflags weir) "$libraries/libweir.a" -o "$E2E/static" ||
		fail "the README's example does not link statically"
	strict='-Wall -Wextra -Wpedantic -Wconversion -Werror -fsyntax-only'
	printf '#include <weir/weir.h>\nint x;\n' >"$E2E/header.c"
	for standard in c99 c11; do
		for compiler in gcc clang; do
			command -v $compiler >/dev/null || continue
			$compiler -std=$standard $strict $(pkg-config --cflags weir) "$E2E/header.c" ||
				fail "weir.h is not clean as $standard under $compiler"
		done
	done
	if command -v g++ >/dev/null; then
		g++ -x c++ -std=c++17 $strict $(pkg-config --cflags weir) "$E2E/header.c" ||
			fail "weir.h is not clean as C++17"
	fi
}

shared=$(readlink -f "$libraries/libweir.so")
[ -e "$shared" ] || fail "no libweir.so was installed"
expect "needed libraries" \
	"$(readelf -d "$shared" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -v '^ld-linux')" libc.so.6
expect "exported names that are not weir_*" \
	"$(nm -D --defined-only "$shared" | awk '$2 ~ /[TDBR]/ { print $3 }' | sed 's/@.*//' | grep -v '^weir_')" ""
forbidden=$(nm -D --undefined-only "$shared" |
	grep -oE '\b(exit|_exit|abort|printf|fprintf|puts|perror|pthread_create|signal|sigaction)@' || true)
case "$WEIR_BUILD" in
*asan* | *tsan*) ;; # their runtimes bring names of their own
*) expect "calls a library must not make" "$forbidden" "" ;;
esac

# Without an engine it ends well, and nothing is safe.
said=$(LD_LIBRARY_PATH=$libraries WEIR_SOCKET=$E2E/none.sock "$E2E/example")
[ $? -le 1 ] || fail "the example crashed"
[[ $said == "1000 attempted, 0 persisted" ]] || fail "the example said: $said"

# With the installed engine it is kept, to the last event.
WEIRD=$(find "$root" -name weird -type f)
weird_start
for program in example static; do
	said=$(LD_LIBRARY_PATH=$libraries WEIR_SOCKET=$E2E/weir.sock "$E2E/$program")
	expect "$program" "$said" "1000 attempted, 1000 persisted"
done
weird_stop
"$WEIRCTL" verify "$E2E/data" --json | jq -e '.ok and .events == 2000 and .ledger_ok' >/dev/null ||
	fail "the log does not hold 2000 events"
pass
