// anomalies: the list that the filters leave, kept up to date. What is new is asked for when the
// stream says that something happened; it is put into the list at once only where nobody is reading.

import { peekEarly } from "../early.js";
import { get } from "./api.js";
import { listQuery, PAGE } from "./filters.js";
import { resumeFrom, useLive } from "./live.js";
import { announce } from "./notice.js";
import { sentenceText } from "./sentence.js";
import { useSoon } from "./soon.js";
import { useCallback, useEffect, useRef, useState } from "./ui.js";

const MOST_AT_ONCE = 500;
// More are in no one's interest, and slow; the export has them all.
export const MOST_ROWS = 1000;
const DRAG_MS = 120;
const DAY_MS = 86400000;
const REFRESH_MS = 1000;
const GROWN_MS = 10000;

// The last answer, so that coming back shows at once what was left.
let kept = { key: null, reply: null };
// key: the question that reply answers.
const nothing = { key: null, reply: null, held: null, error: null };

function isNew(rows, known) {
	const ids = new Set(known.map(({ id }) => id));
	return rows.filter(({ id }) => !ids.has(id));
}

// What is known of the same rows, in the order that the reader has before them.
function inPlace(rows, fresh) {
	const byId = new Map(fresh.map((row) => [row.id, row]));
	return rows.map((row) => byId.get(row.id) ?? row);
}

function sayNew(rows) {
	if (rows.length === 1) announce(`New: ${sentenceText(rows[0])}`);
	else announce(`${rows.length} new anomalies`);
}

// What is there without asking: what was left here, or what came with the page.
function begin(key, asked) {
	if (kept.key === key) return { ...nothing, ...kept };
	const reply = peekEarly("anomalies", { ...asked, limit: PAGE });
	return reply ? { ...nothing, key, reply, isEarly: true } : nothing;
}

/**
 * {reply, rows, error, waiting, showWaiting(), more()}: `waiting` are those that came while the list
 * was being read. `isRead()` says whether it is.
 */
export function useAnomalies(filters, now_ms, isRead) {
	const asked = listQuery(filters, now_ms ?? 0);
	const key = JSON.stringify({ ...asked, from_ms: filters.range ?? filters.from_ms });
	const [state, setState] = useState(() => begin(key, asked));
	const latest = useRef({});
	latest.current = { asked, key, state, isRead, ready: now_ms !== null };
	const running = useRef(null);
	const timer = useRef(0);
	const arrived = useRef(new Set());

	const keep = useCallback((next) => {
		kept = { key: next.key, reply: next.reply };
		setState(next);
	}, []);

	const fetchRows = useCallback(
		async (isRefresh) => {
			running.current?.abort();
			const abort = new AbortController();
			running.current = abort;
			const { asked, key, state } = latest.current;
			// What is shown may answer another question: it is replaced then.
			const isSame = isRefresh && state.key === key;
			const shown = isSame ? state.reply.rows.length : 0;
			const limit = Math.min(MOST_AT_ONCE, Math.max(PAGE, shown));
			try {
				const reply = await get("anomalies", { ...asked, limit }, { signal: abort.signal });
				if (latest.current.key !== key) return;
				resumeFrom(reply.event_id);
				if (!isSame) return keep({ ...nothing, key, reply });
				const before = latest.current.state.reply;
				const fresh = isNew(reply.rows, before.rows.slice(0, limit));
				const reading = fresh.length > 0 && latest.current.isRead();
				if (fresh.length && latest.current.state.held === null) sayNew(fresh);
				if (!reading) arrived.current = new Set(fresh.map(({ id }) => id));
				if (!reading && shown <= limit) return keep({ ...nothing, key, reply });
				keep({
					...nothing,
					key,
					reply: { ...reply, rows: inPlace(before.rows, reply.rows), cursor: before.cursor },
					held: fresh.length ? { reply, fresh } : latest.current.state.held,
				});
			} catch (error) {
				if (error.name !== "AbortError") setState((now) => ({ ...now, error }));
			}
		},
		[keep],
	);

	// Other filters: ask, but not at every step of a slider that is being dragged.
	const first = useRef(true);
	useEffect(() => {
		if (now_ms === null) return undefined;
		window.clearTimeout(timer.current);
		const isFirst = first.current;
		first.current = false;
		if (isFirst && state.isEarly) resumeFrom(state.reply.event_id);
		else if (isFirst) fetchRows(true);
		else timer.current = window.setTimeout(() => fetchRows(false), DRAG_MS);
		return () => window.clearTimeout(timer.current);
		// Where the data go elsewhere all at once, as with the first that come, other rows are meant.
	}, [key, now_ms === null, Math.floor((now_ms ?? 0) / DAY_MS)]);

	// Something happened: once a second at most.
	const soon = useSoon(() => latest.current.ready && fetchRows(true), REFRESH_MS);
	useLive("anomaly", soon);
	useLive("reset", soon);
	// What goes on costs more with each interval.
	const later = useSoon(
		() => !document.hidden && latest.current.ready && fetchRows(true),
		GROWN_MS,
	);
	useLive("closed", later);
	useEffect(() => () => running.current?.abort(), []);

	const more = async () => {
		const { cursor } = latest.current.state.reply;
		try {
			const next = await get("anomalies", { ...asked, limit: PAGE * 2, cursor });
			const { state } = latest.current;
			// Meanwhile other rows may have been asked for.
			if (state.key !== key || latest.current.key !== key || state.reply.cursor !== cursor) return;
			const rows = state.reply.rows.concat(isNew(next.rows, state.reply.rows));
			const reply = { ...state.reply, rows: rows.slice(0, MOST_ROWS), cursor: next.cursor };
			keep({ ...state, reply });
		} catch (error) {
			setState((now) => ({ ...now, error }));
		}
	};

	const showWaiting = () => {
		arrived.current = new Set(state.held.fresh.map(({ id }) => id));
		keep({ ...nothing, key: state.key, reply: state.held.reply });
	};
	return {
		reply: state.reply,
		// Until the answer is there, at least those that the severity rules out are gone.
		rows: state.reply?.rows.filter(({ peak }) => Math.floor(peak) >= filters.severity) ?? [],
		error: state.error,
		arrived: arrived.current,
		waiting: state.held?.fresh.length ?? 0,
		showWaiting,
		more,
		refresh: () => fetchRows(true),
	};
}

/** How many pass a severity, of the histogram: known before the list is. */
export function countFrom(histogram, severity) {
	let sum = 0;
	for (let index = Math.ceil(severity); index < (histogram?.length ?? 0); index++)
		sum += histogram[index];
	return sum;
}
