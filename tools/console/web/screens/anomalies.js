// anomalies: the first page: today against what was expected, when something was found, and what.

import { countFrom, useAnomalies } from "../base/anomalies.js";
import { get, post, remove } from "../base/api.js";
import { saveAll } from "../base/export.js";
import {
	apiQuery,
	lanesQuery,
	readFilters,
	sourceNow,
	spanOf,
	writeNothing,
	writeRange,
	writeSeverity,
	writeSpan,
} from "../base/filters.js";
import { title } from "../base/format.js";
import { useKeys } from "../base/keys.js";
import { useLive } from "../base/live.js";
import { notify } from "../base/notice.js";
import { ensureOverview, loadOverview, overview, useOverviewLive } from "../base/overview.js";
import { loadSession } from "../base/session.js";
import { useSoon, whenIdle } from "../base/soon.js";
import { useStore } from "../base/store.js";
import { html, useEffect, useRef, useState } from "../base/ui.js";
import { change } from "../base/url.js";
import { peekEarly } from "../early.js";
import { FilterBar } from "../parts/filter_bar.js";
import { Headline } from "../parts/headline.js";
import { Incidents } from "../parts/incidents.js";
import { Kpis } from "../parts/kpis.js";
import { Lanes } from "../parts/lanes.js";
import { MuteDialog } from "../parts/mute_dialog.js";
import { SeveritySlider } from "../parts/severity_slider.js";
import { useNow } from "../parts/text.js";
import { Welcome } from "./welcome.js";

const STEP = 5;

// Whether somebody has the list before them: scrolled to it, or with the hand or the focus on it.
function isListRead() {
	const list = document.querySelector(".incidents");
	if (!list) return false;
	const isScrolled = list.getBoundingClientRect().top < 60;
	return isScrolled || list.matches(":hover") || list.contains(document.activeElement);
}

function rowLinks() {
	return [...document.querySelectorAll(".incident-link")];
}

function focusRow(by) {
	const links = rowLinks();
	if (!links.length) return;
	const own = document.activeElement?.closest(".incident")?.querySelector(".incident-link");
	const at = links.indexOf(own);
	const next = at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by;
	links[Math.min(links.length - 1, Math.max(0, next))].focus();
}

function focusedId() {
	return document.activeElement?.closest(".incident")?.dataset.id ?? null;
}

async function judge(verdict) {
	const id = focusedId();
	if (!id) return;
	const said =
		verdict === "yes" ? "Marked as an anomaly" : "Marked as none: its like is told no more";
	try {
		const { number } = await post(`anomalies/${id}/feedback`, { verdict });
		const undo = () =>
			remove(`feedback/${number}`).catch((error) => notify(error.message, { error: true }));
		notify(said, { action: { label: "Undo", run: undo } });
	} catch (error) {
		notify(error.message, { error: true });
	}
}

function firstCell({ lanes }) {
	return Math.min(...lanes.map(({ cells }) => cells[0]?.[0] ?? Number.POSITIVE_INFINITY));
}

function isMostlyEmpty(reply) {
	return (
		reply?.lanes.length > 0 && firstCell(reply) * reply.cell_ms * 4 > reply.to_ms - reply.from_ms
	);
}

function beginOf(reply) {
	return Math.floor(reply.from_ms + firstCell(reply) * reply.cell_ms);
}

function useLanes(filters, now_ms) {
	const asked = lanesQuery(filters, now_ms ?? 0);
	const [state, setState] = useState(null);
	const latest = useRef(0);
	const load = async (early = null) => {
		const mine = ++latest.current;
		let reply = early ?? (await get("lanes", asked).catch(() => null));
		// Of all there is, from where it begins.
		for (let step = 0; step < 2 && filters.range === "all" && isMostlyEmpty(reply); step++)
			reply = await get("lanes", { ...asked, from_ms: beginOf(reply) }).catch(() => null);
		if (reply && mine === latest.current) setState(reply);
	};
	useEffect(() => {
		if (now_ms === null) return undefined;
		// The first, which may have come already, are drawn when the list stands there.
		const early = peekEarly("lanes", asked);
		if (!state) return whenIdle(() => load(early));
		const timer = window.setTimeout(load, 150);
		return () => window.clearTimeout(timer);
	}, [JSON.stringify(asked), now_ms === null]);
	const soon = useSoon(load, 1000);
	useLive("anomaly", soon);
	useLive("reset", soon);
	return state;
}

function RowsOf({ session, rows }) {
	const dimensions = [...new Set(session.metrics.flatMap((metric) => metric.dimensions ?? []))];
	const options = ["metric", ...dimensions.filter((name) => name !== "metric")];
	if (!options.includes(rows)) options.push(rows);
	return html`
		<label class="rows-of">
			<span>by</span>
			<select class="select" value=${rows} onChange=${(event) => change({ rows: event.target.value === "metric" ? null : event.target.value })}>
				${options.map((name) => html`<option key=${name} value=${name} selected=${name === rows}>${title(name).slice(0, 40)}</option>`)}
			</select>
		</label>
	`;
}

function When({ session, filters, now_ms }) {
	const reply = useLanes(filters, now_ms);
	const lanes = (reply?.lanes ?? []).map((lane) => ({
		...lane,
		title: filters.rows === "metric" ? title(lane.name) : lane.name || "(empty)",
	}));
	const narrow = (name) =>
		change(filters.rows === "metric" ? { metric: name } : { slice: `${filters.rows}=${name}` });
	return html`
		<section class="when" aria-labelledby="when-title">
			<div class="when-head">
				<h2 id="when-title" class="section-title">When</h2>
				<${RowsOf} session=${session} rows=${filters.rows} />
			</div>
			${
				lanes.length > 0
					? html`<${Lanes} reply=${reply} lanes=${lanes} onSpan=${(from, to) => change(writeSpan(from, to))} onLane=${narrow} />`
					: html`<p class="when-none">${reply ? "Nothing in this time" : ""}</p>`
			}
		</section>
	`;
}

function useOpened() {
	const [opened, setOpened] = useState(() => new Set());
	// Of what is open when it is called: a row that was drawn long ago calls it, too.
	const toggle = (id) =>
		setOpened((now) => {
			const next = new Set(now);
			if (!next.delete(id)) next.add(id);
			return next;
		});
	return [opened, toggle];
}

// The dialog goes on to be there when it is closed, to give the focus back.
function useMute(rows) {
	const [muting, setMuting] = useState({ row: null, isOpen: false });
	const open = () => {
		const row = rows.find(({ id }) => id === focusedId());
		if (row) setMuting({ row, isOpen: true });
	};
	return { ...muting, open, close: () => setMuting({ ...muting, isOpen: false }) };
}

function useListKeys(filters, toggle, mute) {
	const severity = (value) => change(writeSeverity(Math.min(100, Math.max(0, value))));
	const search = () => document.getElementById("search")?.focus();
	useKeys([
		{ key: "j", text: "Next anomaly", run: () => focusRow(1) },
		{ key: "k", text: "Previous anomaly", run: () => focusRow(-1) },
		// A link that has the focus is opened by the browser itself.
		{ key: "Enter", text: "Open it", when: () => false, run: () => {} },
		{ key: "e", text: "Its other series", when: focusedId, run: () => toggle(focusedId()) },
		{ key: "y", text: "It is an anomaly", when: focusedId, run: () => judge("yes") },
		{ key: "n", text: "It is none", when: focusedId, run: () => judge("no") },
		{ key: "m", text: "Mute it", when: focusedId, run: mute },
		{ key: "/", text: "Search", run: search },
		{ key: "[", text: "Lower severity", run: () => severity(filters.severity - STEP) },
		{ key: "]", text: "Higher severity", run: () => severity(filters.severity + STEP) },
	]);
}

function Found({ session, query }) {
	const filters = readFilters(query);
	const state = useStore(overview);
	const clock_ms = useNow();
	const through_ms = state.through_ms === null ? null : sourceNow(state.through_ms, clock_ms);
	const list = useAnomalies(filters, through_ms, isListRead);
	const [opened, toggle] = useOpened();
	const { reply } = list;
	// Until it is known how far the data go: as far as those of what goes on.
	const open = reply?.rows.find(({ end_ms }) => end_ms === null);
	const now_ms = through_ms ?? sourceNow(open?.source_through_ms ?? null, clock_ms);
	useOverviewLive();
	const mute = useMute(list.rows);
	useListKeys(filters, toggle, mute.open);
	const count = reply ? countFrom(reply.histogram, filters.severity) : null;
	const choose = (name) => {
		const isOnly = filters.metric.length === 1 && filters.metric[0] === name;
		change({ metric: isOnly ? null : name });
	};
	const on = {
		sort: (name) => change({ sort: name === "newest" ? null : name }),
		clear: () => change({ ...writeNothing(), severity: 0 }),
		all: () => change(writeRange("all")),
		lower: () => change({ severity: 0 }),
		showWaiting: () => {
			list.showWaiting();
			document.querySelector(".list").scrollIntoView({ block: "start" });
		},
		exportAll: (format) =>
			saveAll(apiQuery(filters, now_ms), format).catch((error) =>
				notify(error.message, { error: true }),
			),
	};
	return html`
		<${Headline} now_ms=${now_ms} />
		<${Kpis} reply=${state.reply} error=${state.error} chosen=${filters.metric} onChoose=${choose} />
		<${FilterBar}
			filters=${filters}
			facets=${reply?.facets}
			seen=${spanOf(filters, now_ms)}
			onSpan=${(from, to) => change(writeSpan(from, to))}
			onChange=${(name, values) => change({ [name]: values })}
			onRange=${(name) => change(writeRange(name))}
			onClear=${() => change(writeNothing())}
		/>
		<div class="sift">
			<${SeveritySlider}
				severity=${filters.severity}
				histogram=${reply?.histogram}
				shown=${count}
				total=${reply?.total}
				onSlide=${(value, isOn) => change(writeSeverity(value), { replace: isOn })}
				onChoose=${(value) => change(writeSeverity(value))}
			/>
			<${When} session=${session} filters=${filters} now_ms=${through_ms} />
		</div>
		<${Incidents} list=${list} filters=${filters} now_ms=${now_ms} opened=${opened} onToggle=${toggle} on=${on} />
		${mute.row && html`<${MuteDialog} key=${mute.row.id} row=${mute.row} isOpen=${mute.isOpen} onClose=${mute.close} onChange=${list.refresh} />`}
	`;
}

export function Screen({ session, query }) {
	useEffect(ensureOverview, [session.first_run?.needed]);
	const { reply, through_ms } = useStore(overview);
	// An engine that is away cannot say that something is there; what it left can.
	const isFirst = (session.first_run?.needed ?? false) && !reply?.through_ms;
	// The first interval that is closed ends the first run.
	useLive("closed", () => {
		if (!isFirst) return;
		loadSession().then(loadOverview);
	});
	if (isFirst && through_ms === null) return null;
	if (isFirst) return html`<${Welcome} session=${session} />`;
	return html`<${Found} session=${session} query=${query} />`;
}
