// filters: what the list of anomalies is narrowed to, as it stands in the address and as the API is
// asked for it. What is as usual is not written.

const HOUR_MS = 3600000;
const SEVERITY = 50;
export const SORTS = [
	{ name: "newest", text: "Newest first" },
	{ name: "severity", text: "Most severe first" },
	{ name: "impact", text: "Greatest impact first" },
];
export const RANGES = [
	{ name: "1h", text: "Last hour", short: "1 h", span_ms: HOUR_MS },
	{ name: "24h", text: "Last 24 hours", short: "24 h", span_ms: 24 * HOUR_MS },
	{ name: "7d", text: "Last 7 days", short: "7 d", span_ms: 168 * HOUR_MS },
	{ name: "30d", text: "Last 30 days", short: "30 d", span_ms: 720 * HOUR_MS },
	{ name: "all", text: "All there is", short: "All", span_ms: null },
];
export const USUAL_RANGE = "7d";
// The lanes need two ends; what is older than this is in the list only.
const ALL_MS = 400 * 24 * HOUR_MS;
// So that an open end moves in steps, not with every question.
const STEP_MS = 60000;

// The filters that are lists of names, in the order of their buttons.
export const LISTS = ["metric", "slice", "status", "detector", "direction"];

// Data that end this long ago are a recording (an import, a replay): its end counts as now.
const RECORDED_MS = HOUR_MS;
export const PAGE = 30;
const NARROW = 740;

/** The time that "ago" and "the last 7 days" are counted from; `through_ms`: how far the data go. */
export function sourceNow(through_ms, now_ms) {
	return through_ms !== null && now_ms - through_ms > RECORDED_MS ? through_ms : now_ms;
}

/** A list in an address: metric=a,b. */
export function list(query, name) {
	const text = query.get(name);
	return text ? text.split(",") : [];
}

function bounded(text, least, most, otherwise) {
	const value = text === null || text === "" ? Number.NaN : Number(text);
	return Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : otherwise;
}

// A value may hold a comma: what has no = belongs to the value before it.
function pairs(pieces) {
	const found = [];
	for (const piece of pieces)
		if (found.length && !piece.includes("=")) found[found.length - 1] += `,${piece}`;
		else found.push(piece);
	return found;
}

/** The filters of an address; what makes no sense in it is as usual. */
export function readFilters(query) {
	const from_ms = bounded(query.get("from_ms"), 0, 4e12, null);
	const to_ms = bounded(query.get("to_ms"), 0, 4e12, null);
	const named = RANGES.find(({ name }) => name === query.get("range"))?.name ?? USUAL_RANGE;
	return {
		...Object.fromEntries(LISTS.map((name) => [name, list(query, name)])),
		slice: pairs(list(query, "slice")),
		severity: Math.round(bounded(query.get("severity"), 0, 100, SEVERITY)),
		q: query.get("q") ?? "",
		range: from_ms !== null && to_ms !== null && from_ms < to_ms ? null : named,
		from_ms,
		to_ms,
		sort: SORTS.find(({ name }) => name === query.get("sort"))?.name ?? SORTS[0].name,
		rows: query.get("rows") ?? "metric",
	};
}

/** The change of the address that sets a filter; null is as usual. */
export const writeSeverity = (value) => ({ severity: value === SEVERITY ? null : value });
export const writeRange = (name) => ({
	range: name === USUAL_RANGE ? null : name,
	from_ms: null,
	to_ms: null,
});
export const writeSpan = (from_ms, to_ms) => ({
	range: null,
	from_ms: Math.round(from_ms),
	to_ms: Math.round(to_ms),
});
export const writeNothing = () => ({
	...Object.fromEntries(LISTS.map((name) => [name, null])),
	q: null,
	...writeRange(USUAL_RANGE),
});

/** {from_ms, to_ms} that is looked at; `now_ms`: how far the data go. */
export function spanOf(filters, now_ms) {
	if (filters.range === null) return { from_ms: filters.from_ms, to_ms: filters.to_ms };
	const to_ms = Math.ceil(now_ms / STEP_MS) * STEP_MS;
	const { span_ms } = RANGES.find(({ name }) => name === filters.range);
	return { from_ms: to_ms - (span_ms ?? ALL_MS), to_ms };
}

/** What the API is asked for; an end that is open is not named. */
export function apiQuery(filters, now_ms) {
	const asked = { severity: filters.severity, q: filters.q };
	for (const name of LISTS) asked[name] = filters[name].join(",");
	if (filters.direction.length > 1) asked.direction = "";
	const { from_ms, to_ms } = spanOf(filters, now_ms);
	if (filters.range !== "all") asked.from_ms = from_ms;
	if (filters.range === null) asked.to_ms = to_ms;
	return asked;
}

/** What the list is asked for. */
export function listQuery(filters, now_ms) {
	return { ...apiQuery(filters, now_ms), sort: filters.sort, by: "group" };
}

/** What is open, and the worst of it. */
export const OPEN_QUERY = {
	status: "open,acknowledged",
	severity: 0,
	sort: "severity",
	limit: 1,
};

/** What the lanes are asked for: so many spans of time. */
export function lanesQuery(filters, now_ms) {
	const cells = window.innerWidth < NARROW ? 48 : 96;
	return { ...apiQuery(filters, now_ms), ...spanOf(filters, now_ms), rows: filters.rows, cells };
}

/** What is asked for list and lanes at once; null: they are of different times. */
export function firstQuery(filters) {
	const span_ms = RANGES.find(({ name }) => name === filters.range)?.span_ms;
	if (!span_ms) return null;
	const { from_ms, ...asked } = listQuery(filters, 0);
	const { rows, cells } = lanesQuery(filters, 0);
	return { within_ms: span_ms, ...asked, limit: PAGE, rows, cells };
}
