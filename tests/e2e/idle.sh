#!/usr/bin/env bash
# idle: what weird costs where nothing happens. With one producer attached it wakes at most 600 times
# a second, and stays below 64 MiB of memory beside what it maps of the producer's. A wake costs 10 to
# 60 us, by the machine, so the time is told, and only refused where a thread does not sleep at all.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"

# A producer that has emitted once and then waits for a byte that never comes.
cat >"$E2E/quiet.c" <<'END'
#include <unistd.h>
#include <weir/weir.h>

int main(void)
{
	char byte;
	weir *w;

	if (weir_open(NULL, &w) < 0)
		return 1;
	int views = weir_series(w, WEIR_PAGE_VIEW, NULL, WEIR_KIND_NUMBER, NULL, 0);
	weir_emit(w, views, 1);
	if (weir_wait(w, WEIR_PERSISTED, 5000) < 0)
		return 1;
	if (write(STDOUT_FILENO, "kept\n", 5) < 0)
		return 1;
	return read(STDIN_FILENO, &byte, 1) > 0;
}
END
include=$(cd "$(dirname "$0")/../../include" && pwd)
cc -I"$include" "$E2E/quiet.c" "$WEIR_BUILD/clients/c/libweir.a" -o "$E2E/quiet" ||
	fail "the producer does not build"

# ticks PID: of processor time; wakes PID: of all its threads; memory_kib PID: resident, without what
# is shared with producers.
ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'; }
wakes() { awk '/^voluntary/ { sum += $2 } END { print sum }' /proc/"$1"/task/*/status; }
memory_kib() { awk '/^Rss(Anon|File):/ { sum += $2 } END { print sum }' "/proc/$1/status"; }

redis_start
config_write <<'END'
metrics:
  - {name: page_views, event: page_view, by: [country, device]}
  - {name: revenue, event: purchase, agg: sum, by: [country, device]}
END
weird_start
mkfifo "$E2E/never"
WEIR_SOCKET=$E2E/weir.sock "$E2E/quiet" <>"$E2E/never" >"$E2E/said" &
quiet=$!
started $quiet
wait_for 60 "the producer's event to be kept" grep -q kept "$E2E/said"

# The first files are written ahead by then.
written_ahead() { [ "$(find "$E2E/data/lane-00" -name 'spare-*.wspare' | wc -l)" = 2 ]; }
wait_for 120 "the files to be written ahead" written_ahead
sleep 1
seconds=5
ticks=$(ticks "$WEIRD_PID") wakes=$(wakes "$WEIRD_PID")
sleep $seconds
ticks=$(($(ticks "$WEIRD_PID") - ticks)) wakes=$((($(wakes "$WEIRD_PID") - wakes) / seconds))
percent=$(awk -v t=$ticks -v hz="$(getconf CLK_TCK)" -v s=$seconds \
	'BEGIN { printf "%.1f", 100 * t / hz / s }')
kib=$(memory_kib "$WEIRD_PID")
echo "idle: $percent % of a core, $wakes wakes a second, $kib KiB"
[ "$wakes" -gt 10 ] || fail "the wakes were not read"
[ "$wakes" -le 600 ] || fail "$wakes wakes a second"
awk -v p="$percent" 'BEGIN { exit !(p <= 25) }' || fail "$percent % of a core"
[ "$kib" -gt 1000 ] || fail "the memory was not read"
[ "$kib" -le 65536 ] || fail "$kib KiB resident"
weird_stop
pass
