// anomaly_chart: the chart of an anomaly's series, or of one of the values that explain it; the span
// and what it is compared with are in the address.

import { title } from "../base/format.js";
import { html, useEffect } from "../base/ui.js";
import { change, list } from "../base/url.js";
import { Chart } from "./chart.js";
import { useChart } from "./chart_data.js";
import { FIT, RangeButtons, readRange, writeZoom } from "./chart_range.js";
import { Name } from "./text.js";

const COMPARED_FIRST = ["week", "year"];

// What is compared: as the address says, "none" being none.
function comparedIn(query) {
	const text = query.get("compare");
	if (text === null) return COMPARED_FIRST;
	return text === "none" ? [] : list(query, "compare");
}

function toggled(compare, key) {
	const next = compare.includes(key) ? compare.filter((one) => one !== key) : [...compare, key];
	return next.length > 0 ? next.join(",") : "none";
}

/** onSpan({from_ms, to_ms, through_ms}): what is in sight, for others to show the same, and how far
 * the data go. */
export function AnomalyChart({ row, query, onSpan }) {
	const range = readRange(query.get("chart")) ?? FIT;
	const compare = comparedIn(query);
	const slice = query.get("of") ?? row.slice;
	const all = COMPARED_FIRST.join();
	const {
		chart,
		from_ms,
		to_ms,
		slice: shown,
		busy,
		problem,
	} = useChart({ row, slice, range, compare: all });
	useEffect(() => {
		if (chart) onSpan({ from_ms, to_ms, through_ms: chart.through_ms ?? null });
	}, [chart, from_ms, to_ms]);
	const go = (next) => change({ chart: next });
	const name = shown ? `${title(row.metric)} for ${shown}` : title(row.metric);
	return html`<section class=${busy ? "hero is-busy" : "hero"} aria-busy=${busy}>
		<header class="hero-head">
			<h2 class="hero-title clip">
				<${Name} text=${name} most=${120} />
				${
					query.get("of") &&
					html` <button type="button" class="link-button"
					onClick=${() => change({ of: null }, { replace: true })}>back to the anomaly's own</button>`
				}
			</h2>
			<${RangeButtons} range=${range} from_ms=${from_ms} to_ms=${to_ms} onRange=${go}
				onZoom=${(from, to) => go(writeZoom(from, to))} />
		</header>
		${problem && html`<p class="problem" role="alert">${problem}</p>`}
		${chart?.unsaid && html`<p class="small">Nothing was expected here: <${Name} text=${chart.unsaid} most=${300} /></p>`}
		${
			chart
				? html`<${Chart} chart=${chart} label=${`Chart of ${name.slice(0, 200)}`} from_ms=${from_ms}
				to_ms=${to_ms} selected=${row.id} compare=${compare}
				onZoom=${(from, to) => go(writeZoom(from, to))} onReset=${() => go(null)}
				onCompare=${(key) => change({ compare: toggled(compare, key) }, { replace: true })} />`
				: !problem && html`<div class="chart-wait"></div>`
		}
	</section>`;
}
