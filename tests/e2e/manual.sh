#!/usr/bin/env bash
# manual: an installed weir has a page for every program and every command, mandoc finds nothing
# to say about any of them, and each option that --help names is on its page.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need mandoc meson

root=$E2E/root
DESTDIR=$root meson install -C "$WEIR_BUILD" --no-rebuild >"$E2E/install.log" 2>&1 ||
	fail "meson install: $(tail -n 3 "$E2E/install.log")"
pages=$(dirname "$(find "$root" -path '*man1/weirctl.1*')")
[ -d "$pages" ] || fail "no weirctl.1 was installed"
pages=${pages%/*}
mapfile -t commands < <("$WEIRCTL" --help | sed -n 's/^  \([a-z]*\) .*/\1/p')
[ ${#commands[@]} -ge 9 ] || fail "weirctl knows ${#commands[@]} commands only"

mapfile -t questions < <("$WEIR_BUILD/bench/weir-bench" --help | sed -n 's/^  \([a-z]*\) .*/\1/p')
[ ${#questions[@]} -ge 3 ] || fail "weir-bench knows ${#questions[@]} questions only"
# The questions of a question have a page each as well.
mapfile -t qualities < <("$WEIR_BUILD/bench/weir-bench" quality --help | sed -n 's/^  \([a-z]*\) .*/\1/p')
[ ${#qualities[@]} -ge 1 ] || fail "weir-bench quality knows no question"

# The console is not there where npm is absent.
daemons=(man8/weird.8)
[ ! -x "$WEIR_BUILD/tools/console/weir-console" ] || daemons+=(man8/weir-console.8)

# mandoc looks for what a page names in the system's folders only; here it is looked for beside it.
all=("$pages"/man[0-9]/*)
mandoc -T lint "${all[@]}" 2>/dev/null | grep -v 'referenced manual not found' >"$E2E/lint"
[ ! -s "$E2E/lint" ] || fail "mandoc: $(head -n 5 "$E2E/lint")"
while read -r _ name section _; do
	[ -e "$pages/man$section/$name.$section" ] || fail "a page names $name($section): there is none"
done < <(sed -n '/^\.Xr \(systemd 1\|sd_notify 3\)/!{/^\.Xr /p}' "${all[@]}")
expect "pages" "$(cd "$pages" && printf '%s\n' man*/* | sort | paste -sd ' ')" \
	"$(printf '%s\n' "${commands[@]/#/man1/weirctl-}" "${questions[@]/#/man1/weir-bench-}" \
		"${qualities[@]/#/man1/weir-bench-quality-}" man1/weir-bench man1/weir-shop man1/weirctl |
		sed 's/$/.1/' | cat - <(printf '%s\n' "${daemons[@]}") | sort | paste -sd ' ')"

# has PAGE COMMAND...: every option of its --help.
has() {
	local page=$1 option
	shift
	mandoc -T utf8 "$pages/$page" | sed 's/.\x08//g' >"$E2E/text"
	for option in $("$@" --help | grep -oE '^ +(-.,)? *--[a-z-]+' | grep -o -- '--.*'); do
		grep -q -- "$option" "$E2E/text" || fail "$page does not know $option"
	done
}
for command in "${commands[@]}"; do
	has "man1/weirctl-$command.1" "$WEIRCTL" "$command"
	grep -q 'EXIT STATUS' "$E2E/text" || fail "weirctl-$command.1 does not say its exit codes"
	mandoc -T utf8 "$pages/man1/weirctl.1" | sed 's/.\x08//g' | grep -q "weirctl-$command(1)" ||
		fail "weirctl.1 does not name $command"
done
has man1/weir-shop.1 "$WEIR_SHOP"
for question in "${questions[@]}"; do
	has "man1/weir-bench-$question.1" "$WEIR_BUILD/bench/weir-bench" "$question"
done
for question in "${qualities[@]}"; do
	has "man1/weir-bench-quality-$question.1" "$WEIR_BUILD/bench/weir-bench" quality "$question"
done
has man8/weird.8 "$WEIRD"
[ ${#daemons[@]} -eq 1 ] || has man8/weir-console.8 "$WEIR_BUILD/tools/console/weir-console"

# And completion lies where the shells look.
[ -s "$(find "$root" -path '*bash-completion/completions/weirctl.bash')" ] || fail "no bash completion"
[ -s "$(find "$root" -path '*zsh/site-functions/_weirctl')" ] || fail "no zsh completion"
pass
