// severity_story: how a severity came about, in words and with its own numbers, so that nobody has to
// believe it. The formulas are those of engine/detect/severity.h.

import { duration, exact, moment } from "../base/format.js";
import { BANDS, bandOf, severityText } from "../base/severity.js";
import { html } from "../base/ui.js";

const WEEK_MS = 604800000;
const YEAR_WEEKS = 52.18;
const HUGE = 12; // a power of ten that nobody counts any more

// 1,740,000 as "1.7 million".
function inWords(count) {
	if (!Number.isFinite(count) || count >= 10 ** HUGE) return "a million million";
	for (const [scale, word] of [
		[1e9, "billion"],
		[1e6, "million"],
	])
		if (count >= scale) return `${Number((count / scale).toPrecision(2))} ${word}`;
	return exact(Number(count.toPrecision(2)));
}

// A return period in weeks as people say it.
function onceIn(weeks) {
	if (weeks >= YEAR_WEEKS * 1000) return "less than once in a thousand years";
	if (weeks >= YEAR_WEEKS * 1.5)
		return `once in ${exact(Number((weeks / YEAR_WEEKS).toPrecision(2)))} years`;
	if (weeks >= 1.5) return `once in ${exact(Number(weeks.toPrecision(2)))} weeks`;
	if (weeks >= 0.75) return "once a week";
	return `${exact(Math.round(1 / weeks))} times a week`;
}

// fires_at: null while nobody knows it, as when the engine is away.
function Scale({ severity, fires_at }) {
	const known = fires_at !== null;
	const fires = known ? `; this detector fires from ${severityText(fires_at)} on` : "";
	const x = (value) => 2 + Math.max(0, Math.min(100, value)) * 2.96;
	return html`<svg class="scale" viewBox="0 0 300 44" role="img"
		aria-label=${`Severity ${severityText(severity)} of 100${fires}`}>
		<rect class="scale-rail" x="2" y="18" width="296" height="6" rx="3" />
		${BANDS.map(
			({ name, from }, index) => html`<rect key=${name} class=${`scale-band is-${name}`}
				x=${x(from)} y="18" width=${x(BANDS[index - 1]?.from ?? 100) - x(from)} height="6" />`,
		)}
		${known && html`<path class="scale-fires" d=${`M${x(fires_at)} 12v18`} />`}
		${
			known &&
			html`<text class="scale-text" x=${x(fires_at)} y="41" text-anchor=${anchor(fires_at)}>
			fires from ${severityText(fires_at)}
		</text>`
		}
		<path class="scale-mark" d=${`M${x(severity)} 15l-5 -8h10z`} />
	</svg>`;
}

function anchor(value) {
	if (value < 15) return "start";
	return value > 85 ? "end" : "middle";
}

// What chance has to do with it; null where a detector compares with a fixed limit.
function chance({ log10_p, severity, return_weeks }, interval_ms) {
	if (typeof log10_p !== "number" || log10_p >= 0) return null;
	const perWeek = WEEK_MS / interval_ms;
	const weeks = return_weeks ?? 10 ** -log10_p / perWeek;
	const period = interval_ms < 1000 ? "interval" : `interval of ${duration(interval_ms)}`;
	const capped = severity >= 100 ? " or more" : "";
	return html`
		<li>
			By chance alone a value as far off as the worst one comes once in${" "}
			<b>${inWords(10 ** -log10_p)}</b> times: one ${period} each.
		</li>
		<li>
			There are ${exact(Math.round(perWeek))} in a week. So one series would do this
			${" "}<b>${onceIn(weeks)}</b>: that is severity ${severityText(severity)}${capped}.
		</li>
	`;
}

function budget({ threshold, slices, budget: added, fires_at }) {
	if (typeof fires_at !== "number") return null;
	if (!(slices > 1 && added > 0))
		return html`<li>The detector fires from <b>${severityText(fires_at)}</b> on.</li>`;
	return html`<li>
		The detector fires from ${severityText(threshold)} on for one series. It watches${" "}
		${exact(slices)}, so each has to pass ${exact(Math.round(added * 10) / 10)} more:
		${" "}<b>${severityText(fires_at)}</b>. All of them together are then wrong no more often than one.
	</li>`;
}

// A severe interval may look harmless: what counts is the run that it is the end of.
function together(row, revision) {
	const { observed, lower, upper } = revision ?? {};
	if (typeof lower !== "number" || typeof upper !== "number") return null;
	if (observed < lower || observed > upper) return null;
	const side = row.direction === "up" ? "above" : "below";
	return html`<li>
		Alone, this value is within the usual range. It is severe because those before it
		${" "}were ${side} what was expected too: a run of small differences is weighed as one.
	</li>`;
}

function peakLater(row, severity) {
	if (!(row.peak > severity + 0.5)) return null;
	return html`<li>
		It was at its worst at <b>${moment(row.peak_ms)}</b>, with
		${" "}severity ${severityText(row.peak)}${row.peak >= 100 ? " or more" : ""}.
	</li>`;
}

function Limited({ severity }) {
	const band = bandOf(severity);
	return html`<li>
		This detector compares with a limit of its configuration.
		${" "}Severity ${severityText(severity)}${band ? ` (${band.word.toLowerCase()})` : ""} is what a passed limit
		is given.
	</li>`;
}

/** strongest: the revision that came_about speaks of. */
export function SeverityStory({ row, came_about, strongest }) {
	const story = came_about ?? {};
	const severity = story.severity ?? row.peak;
	const fires_at = story.fires_at ?? null;
	const period = row.frequency_ms > 0 ? row.frequency_ms : row.interval_ms;
	const said = chance(story, period);
	return html`<div class="story">
		<${Scale} severity=${severity} fires_at=${fires_at} />
		<ul class="story-steps" role="list">
			${said ?? html`<${Limited} severity=${severity} />`}
			${said && together(row, strongest)}
			${budget(story)}
			${peakLater(row, severity)}
		</ul>
	</div>`;
}
