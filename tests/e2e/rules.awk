# rules: the marketers' sheet, worked out from daily figures, without weir.
#
#   weirctl dump DIR --sum event,channel,day --csv | sort -t, -k3,3 | awk -F, -f rules.awk
#
# Prints, for each rule and each of its periods that has something to compare with:
#   rule,period,first day,change in per cent,how many points beyond the threshold
# Days and weeks are counted from the first day of the file, which must be a Monday.

function count(event, channel, day) { return counts[event, channel, day] }
function all(event, day,    c, sum) {
	for (c in channels)
		sum += count(event, c, day)
	return sum
}
function one(metric, day) {
	if (metric == "visits") return all("session_start", day)
	if (metric == "nonpaid visits") return all("session_start", day) - count("session_start", "cpc", day)
	if (metric == "bounces") return all("bounce", day)
	if (metric == "cpc bounces") return count("bounce", "cpc", day)
	if (metric == "nonpaid bounces") return all("bounce", day) - count("bounce", "cpc", day)
	if (metric == "page views") return all("page_view", day)
	if (metric == "searches") return all("search", day)
	if (metric == "transactions") return all("purchase", day)
	if (metric == "revenue") return revenue[day]
	return count("session_start", metric, day)
}
function total(metric, period, length_days,    day, sum) {
	for (day = period * length_days; day < (period + 1) * length_days; day++)
		sum += one(metric, day)
	return sum
}
function figure(metric, period, length_days,    halves) {
	if (split(metric, halves, "/") == 2)
		return total(halves[1], period, length_days) / total(halves[2], period, length_days)
	return total(metric, period, length_days)
}
# change: in per cent, negative for a fall. days: the length of a period. back: in periods.
function rule(name, metric, change, length_days, back,    period, before, percent, beyond) {
	for (period = back; (period + 1) * length_days <= days; period++) {
		before = figure(metric, period - back, length_days)
		percent = 100 * (figure(metric, period, length_days) / before - 1)
		beyond = change < 0 ? change - percent : percent - change
		printf "%s,%d,%s,%.3f,%.3f\n", name, period, name_of[period * length_days], percent, beyond
	}
}
BEGIN { days = 0 }
$1 == "event" { next }
{
	if (!($3 in number)) {
		number[$3] = days
		name_of[days++] = $3
	}
	channels[$2]
	counts[$1, $2, number[$3]] = $4
	if ($1 == "purchase") revenue[number[$3]] += $5
}
END {
	rule("bounce-rate-up", "bounces/visits", 50, 1, 7)
	rule("branded-search-down", "organic_branded", -25, 1, 7)
	rule("cpc-bounce-up", "cpc bounces/cpc", 50, 1, 7)
	rule("cpc-down", "cpc", -33, 1, 7)
	rule("direct-down", "direct", -25, 1, 7)
	rule("direct-up", "direct", 25, 1, 7)
	rule("revenue-down", "revenue", -25, 7, 52)
	rule("transactions-down", "transactions", -33, 1, 7)
	rule("searches-down", "searches", -33, 1, 7)
	rule("searches-up", "searches", 50, 1, 7)
	rule("nonbranded-search-down", "organic_nonbranded", -25, 7, 1)
	rule("nonpaid-bounces-up", "nonpaid bounces", 50, 1, 7)
	rule("nonpaid-down", "nonpaid visits", -25, 1, 7)
	rule("page-views-down", "page views", -25, 1, 7)
	rule("referral-down", "referral", -25, 1, 7)
	rule("visits-down", "visits", -33, 1, 364)
}
