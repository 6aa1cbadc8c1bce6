# shellcheck shell=bash
# The Debian 12 packages that building, showing and checking weir need, and a way to install them.
# Sourced by tools/demo and tools/check.
# shellcheck disable=SC2034 # the lists are for them

packages_build=(gcc libc6-dev pkg-config meson ninja-build libck-dev liburing-dev libhiredis-dev
	libsqlite3-dev libjansson-dev libcyaml-dev libyaml-dev libmicrohttpd-dev)
packages_demo=(redis-server redis-tools jq tzdata)
packages_check=(clang libclang-rt-14-dev libcriterion-dev valgrind strace python3 git patch
	universal-ctags shellcheck g++ gawk mandoc zsh prometheus curl systemd e2fsprogs faketime)
# What weir-bench compare puts beside weir; without them it says that they are absent. Redis is among
# those of the demo; liblttng-ust-dev must be there when weir is built; babeltrace2 reads a trace a
# second time.
packages_compare=(lttng-tools liblttng-ust-dev babeltrace2)

# What the pages of the console are tested in; without it these tests say that they are skipped.
packages_browser=(chromium)
# What the console is built with beside npm; without them it is left out.
packages_console=(zlib1g-dev)

# packages_console_need: what the console is built with. npm comes with Node.js in many ways: Debian's
# are taken only where there is none.
packages_console_need() {
	local packages=("${packages_console[@]}")
	command -v npm >/dev/null && command -v node >/dev/null || packages+=(nodejs npm)
	packages_need "${packages[@]}"
}

# packages_need PACKAGE...: install those that are missing; without root or sudo say what to do.
packages_need() {
	local missing=() package as_root=()
	if ! command -v dpkg-query >/dev/null; then
		echo "not a Debian system: make sure that you have the like of: $*" >&2
		return 0
	fi
	for package in "$@"; do
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		as_root=(sudo)
		[ -t 0 ] || as_root=(sudo -n)
		if ! command -v sudo >/dev/null; then
			echo "missing packages, and no sudo; as root run:" >&2
			echo "  apt-get install ${missing[*]}" >&2
			return 1
		fi
	fi
	echo "installing ${missing[*]}" >&2
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update >&2 </dev/null
	if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends "${missing[@]}" \
		>&2 </dev/null; then
		echo "could not install them; see above, or install by hand: ${missing[*]}" >&2
		return 1
	fi
}
