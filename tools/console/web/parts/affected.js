// affected: the series of an anomaly's group, the most severe first, as small charts over the same
// span as the large one. Each is fetched when it is seen, a few at a time.

import { get } from "../base/api.js";
import { change } from "../base/format.js";
import { severityText } from "../base/severity.js";
import { html, useEffect, useRef, useState } from "../base/ui.js";
import { href } from "../base/url.js";
import { Glyph } from "./severity.js";
import { SmallChart } from "./small_chart.js";
import { Name } from "./text.js";

const COUNTS = [4, 10, 20];
const POINTS = 120;
const AT_ONCE = 3;

// Waiting fetches: the browser has six connections to a host, and the large chart wants one.
const waiting = [];
let running = 0;

function next() {
	while (running < AT_ONCE && waiting.length > 0) {
		running += 1;
		const job = waiting.shift();
		job().finally(() => {
			running -= 1;
			next();
		});
	}
}

function enqueue(job) {
	waiting.push(job);
	next();
	return () => {
		const at = waiting.indexOf(job);
		if (at >= 0) waiting.splice(at, 1);
	};
}

function useSmall(row, from_ms, to_ms) {
	const [state, setState] = useState({ chart: null, problem: null });
	const element = useRef(null);
	useEffect(() => {
		const abort = new AbortController();
		let forget = () => {};
		const fetchIt = async () => {
			const { metric, slice, source } = row;
			const query = { metric, slice, source, from_ms, to_ms, points: POINTS, expected: 1 };
			try {
				const chart = await get("chart", query, { signal: abort.signal });
				setState({ chart, problem: null });
			} catch (error) {
				if (error.name !== "AbortError") setState({ chart: null, problem: error.message });
			}
		};
		const look = ([entry]) => {
			if (!entry.isIntersecting) return;
			seen.disconnect();
			forget = enqueue(fetchIt);
		};
		const seen = new IntersectionObserver(look, { rootMargin: "400px" });
		seen.observe(element.current);
		return () => {
			seen.disconnect();
			forget();
			abort.abort();
		};
	}, [row.id, from_ms, to_ms]);
	return [element, state];
}

function Small({ row, from_ms, to_ms, current }) {
	const [element, { chart, problem }] = useSmall(row, from_ms, to_ms);
	const name = row.slice || "all";
	const label = `${name}: ${change(row.change)}, severity ${severityText(row.peak)}`;
	return html`<li ref=${element}>
		<a class="small-card" href=${href(`/anomalies/${row.id}`)} aria-current=${current ? "page" : null}
			aria-label=${label}>
			<span class="small-head">
				<${Glyph} severity=${row.peak} size=${14} />
				<span class="small-name clip"><${Name} text=${name} most=${80} /></span>
				<span class="small-change figures">${change(row.change)}</span>
			</span>
			${chart && html`<${SmallChart} chart=${chart} label=${label} />`}
			${!chart && html`<span class="small-wait quiet">${problem ?? ""}</span>`}
		</a>
	</li>`;
}

export function Affected({ members, current, from_ms, to_ms }) {
	const [count, setCount] = useState(COUNTS[0]);
	const sorted = [...members].sort(
		(a, b) => b.peak - a.peak || Math.abs(b.impact ?? 0) - Math.abs(a.impact ?? 0),
	);
	const offered = COUNTS.filter((_many, index) => index === 0 || sorted.length > COUNTS[index - 1]);
	return html`<div class="affected">
		${
			offered.length > 1 &&
			html`<div class="segmented" role="group" aria-label="How many series">
			${offered.map(
				(many) => html`<button key=${many} type="button" aria-pressed=${count === many}
					onClick=${() => setCount(many)}>${many}</button>`,
			)}
		</div>`
		}
		<ul class="smalls" role="list">
			${sorted.slice(0, count).map(
				(row) => html`<${Small} key=${row.id} row=${row} from_ms=${from_ms} to_ms=${to_ms}
					current=${row.id === current} />`,
			)}
		</ul>
	</div>`;
}
