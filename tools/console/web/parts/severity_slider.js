// severity_slider: from which severity on things are shown, above it how many there are of each.
// The count follows the hand; the list comes after it.

import { exact } from "../base/format.js";
import { BANDS, bandOf } from "../base/severity.js";
import { html, useRef } from "../base/ui.js";
import { Glyph } from "./severity.js";

const STEP = 2;
const HEIGHT = 36;

// The bars: two severities each, so that they can be told apart; the root, so that few are seen
// beside many.
function Histogram({ histogram, severity }) {
	const bars = [];
	for (let from = 0; from < 100; from += STEP) {
		let count = 0;
		for (let at = from; at < from + STEP; at++) count += histogram[at] ?? 0;
		if (from + STEP >= 100) count += histogram[100] ?? 0;
		bars.push({ from, count });
	}
	const most = Math.max(1, ...bars.map(({ count }) => count));
	// One shape for each band: a slider that is dragged draws four, not fifty.
	const paths = {};
	for (const { from, count } of bars) {
		if (!count) continue;
		const height = Math.max(3, Math.sqrt(count / most) * HEIGHT).toFixed(1);
		const band = from + STEP > severity ? (bandOf(from + 1)?.name ?? "none") : "out";
		paths[band] =
			`${paths[band] ?? ""}M${from + 0.25} ${HEIGHT}v-${height}h${STEP - 0.5}v${height}z`;
	}
	return html`
		<svg class="bins" viewBox=${`0 0 100 ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
			${Object.entries(paths).map(([band, path]) => html`<path key=${band} class=${`bin is-${band}`} d=${path} />`)}
		</svg>
	`;
}

function Marks({ severity }) {
	return html`
		<div class="slider-marks" aria-hidden="true">
			${BANDS.map(
				({ name, word, from }) => html`
					<span
						key=${name}
						class=${`slider-mark ${severity > from ? "is-out" : ""}`}
						style=${{ left: `${from}%` }}
					>
						<${Glyph} severity=${from} size=${10} />${word}
					</span>
				`,
			)}
		</div>
	`;
}

/** onSlide(value, isOn) while it is dragged, isOn from the second step; onChoose(value) when it is set. */
export function SeveritySlider({ severity, histogram, shown, total, onSlide, onChoose }) {
	const read = (event) => Math.min(100, Math.max(0, Math.round(Number(event.target.value) || 0)));
	const word = bandOf(severity)?.word;
	const isSliding = useRef(false);
	const onInput = (event) => {
		onSlide(read(event), isSliding.current);
		isSliding.current = true;
	};
	const onChange = (event) => {
		isSliding.current = false;
		onChoose(read(event));
	};
	return html`
		<div class="slider" role="group" aria-label="Severity">
			<div class="slider-head">
				<label class="slider-label" for="severity-number">Severity from</label>
				<input
					id="severity-number"
					class="input slider-number"
					type="number"
					inputmode="numeric"
					min="0"
					max="100"
					value=${severity}
					onChange=${(event) => onChoose(read(event))}
				/>
				<output class="slider-count" aria-live="polite">
					<strong>${exact(shown)}</strong> of ${exact(total)} shown
				</output>
			</div>
			<div class="slider-body">
				<${Histogram} histogram=${histogram ?? []} severity=${severity} />
				<input
					class="slider-range"
					type="range"
					min="0"
					max="100"
					value=${severity}
					aria-label="Least severity shown"
					aria-valuetext=${`${severity}${word ? `, ${word}` : ""}: ${shown ?? 0} of ${total ?? 0} shown`}
					onInput=${onInput}
					onChange=${onChange}
				/>
				<${Marks} severity=${severity} />
			</div>
		</div>
	`;
}
