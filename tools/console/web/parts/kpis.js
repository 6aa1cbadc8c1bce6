// kpis: today's key figures against what was expected; each narrows the list to its metric.

import { clock, day, figure, percent, title } from "../base/format.js";
import { bandOf } from "../base/severity.js";
import { html, useEffect, useState } from "../base/ui.js";
import { Icon } from "./icons.js";
import { Glyph } from "./severity.js";
import { Spark } from "./spark.js";
import { Name } from "./text.js";

const MOST = 12;

function columns() {
	const width = window.innerWidth;
	if (width <= 740) return 2;
	return width <= 1100 ? 4 : 6;
}

// Up to two rows on narrow screens, one on wide ones.
function useShown() {
	const [shown, setShown] = useState(() => Math.max(4, columns()));
	useEffect(() => {
		const measure = () => setShown(Math.max(4, columns()));
		window.addEventListener("resize", measure);
		return () => window.removeEventListener("resize", measure);
	}, []);
	return shown;
}

function Change({ metric }) {
	const { change: by, expected, unit } = metric;
	if (typeof by !== "number") return html`<span>nothing expected yet</span>`;
	if (Math.abs(by) < 0.005) return html`<span>as expected, ${figure(expected, unit)}</span>`;
	return html`
		<span class="kpi-change">
			<${Icon} name=${by < 0 ? "fall" : "up"} size=${15} />${percent(by)} ${by < 0 ? "below" : "above"}
		</span>
		<span>${figure(expected, unit)}<span class="hidden"> expected</span></span>
	`;
}

function Kpi({ metric, isChosen, onChoose }) {
	const { metric: name, observed, unit, severity, spark } = metric;
	const band = severity === null ? null : bandOf(severity);
	return html`
		<li class=${`kpi ${band ? `is-${band.name}` : ""}`}>
			<button
				type="button"
				class="kpi-button"
				aria-pressed=${isChosen}
				title="Show its anomalies only"
				onClick=${() => onChoose(name)}
			>
				<span class="kpi-name">
					<${Name} text=${title(name)} most=${40} />
					${
						band &&
						html`<span class="kpi-alarm"><${Glyph} severity=${severity} size=${15} /> ${band.word}</span>`
					}
				</span>
				<span class="kpi-figure">${figure(observed, unit)}</span>
				<span class="kpi-line"><${Change} metric=${metric} /></span>
				<${Spark} value=${spark?.value ?? []} expected=${spark?.expected ?? []} />
			</button>
		</li>
	`;
}

function Waiting({ count }) {
	return Array.from(
		{ length: count },
		(_, index) => html`<li key=${index} class="kpi is-waiting" aria-hidden="true"></li>`,
	);
}

/** `reply`: of the overview, null until it is there. */
export function Kpis({ reply, error, chosen, onChoose }) {
	const [all, setAll] = useState(false);
	const most = useShown();
	const metrics = reply?.metrics?.slice(0, MOST) ?? [];
	const shown = all ? metrics : metrics.slice(0, most);
	const hidden = metrics.slice(shown.length);
	const alarms = hidden.filter(({ severity }) => bandOf(severity ?? -1)).length;
	return html`
		<section class="kpis" aria-labelledby="kpis-title">
			<div class="kpis-head">
			<h2 id="kpis-title" class="section-title">
				Today
				${reply?.through_ms && html`<span class="section-note">${day(reply.through_ms)} until ${clock(reply.through_ms)}, against expected (dotted)</span>`}
			</h2>
			${
				metrics.length > most &&
				html`
					<button type="button" class="link-button kpi-more" aria-expanded=${all} onClick=${() => setAll(!all)}>
						${all ? "Fewer figures" : hidden.length === 1 ? "One more figure" : `${hidden.length} more figures`}${!all && alarms ? `, ${alarms} with something open` : ""}
					</button>
				`
			}
			</div>
			${error && !reply && html`<p class="small">${error.message}</p>`}
			<ul class="kpi-list">
				${!reply && !error && html`<${Waiting} count=${most} />`}
				${shown.map(
					(metric) => html`
						<${Kpi}
							key=${metric.metric}
							metric=${metric}
							isChosen=${chosen.includes(metric.metric)}
							onChoose=${onChoose}
						/>
					`,
				)}
			</ul>
		</section>
	`;
}
