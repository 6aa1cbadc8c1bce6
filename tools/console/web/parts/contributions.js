// contributions: what each dimension's values have to do with an anomaly, as bars that add up to
// 100 % within a dimension, with what was observed and expected of each. A value opens its own chart.

import { figure, share } from "../base/format.js";
import { html, useState } from "../base/ui.js";
import { Name } from "./text.js";

const SHOWN_FIRST = 6;

function Bar({ part }) {
	const width = Math.max(0, Math.min(1, part ?? 0)) * 100;
	return html`<svg class="share-bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
		<rect class="share-rail" width="100" height="8" />
		<rect class="share-fill" width=${width} height="8" />
	</svg>`;
}

function ofExpected({ observed, expected }, unit) {
	if (observed === null || observed === undefined) return "";
	return `${rounded(observed, unit)} of ${rounded(expected, unit)}`;
}

// An expectation of 65.85 orders says no more than one of 66.
function rounded(value, unit) {
	return figure(unit !== "share" && Math.abs(value) >= 10 ? Math.round(value) : value, unit);
}

// As a slice's name has it.
function escaped(value) {
	return value.replaceAll(/[\\,=]/g, "\\$&");
}

function Value({ dimension, entry, unit, chosen, onChoose }) {
	const rest = entry.value === null;
	const slice = `${dimension}=${escaped(entry.value ?? "")}`;
	const inside = html`
		<span class="share-name">
			${rest ? "All others" : html`<${Name} text=${entry.value === "" ? "(empty)" : entry.value} most=${80} />`}
		</span>
		<${Bar} part=${entry.share} />
		<span class="share-part figures">${share(entry.share, entry.share < 0.1 ? 2 : 3)}</span>
		<span class="share-of figures">${ofExpected(entry, unit)}</span>
	`;
	if (rest) return html`<li class="share-row is-rest">${inside}</li>`;
	return html`<li>
		<button type="button" class="share-row" aria-pressed=${chosen === slice}
			onClick=${() => onChoose(chosen === slice ? null : slice)}>
			${inside}
		</button>
	</li>`;
}

function Dimension({ group, unit, chosen, onChoose }) {
	const [all, setAll] = useState(false);
	const { dimension, values } = group;
	const many = values.length > SHOWN_FIRST + 1;
	const shown = all || !many ? values : values.slice(0, SHOWN_FIRST);
	const hidden = values.slice(shown.length);
	const rest = hidden.reduce((sum, entry) => sum + (entry.share ?? 0), 0);
	return html`<section class="dimension">
		<h3 class="dimension-name"><${Name} text=${dimension} /></h3>
		<ul class="shares" role="list">
			${shown.map(
				(entry, index) => html`<${Value} key=${index} dimension=${dimension} entry=${entry}
					unit=${unit} chosen=${chosen} onChoose=${onChoose} />`,
			)}
			${
				hidden.length > 0 &&
				html`<li>
				<button type="button" class="share-row is-rest" onClick=${() => setAll(true)}>
					<span class="share-name">${hidden.length} more</span>
					<${Bar} part=${rest} />
					<span class="share-part figures">${share(rest, 2)}</span>
					<span class="share-of">show</span>
				</button>
			</li>`
			}
		</ul>
	</section>`;
}

/** chosen: the slice whose chart is shown, or null; onChoose(slice or null). */
export function Contributions({ contributions, unit, chosen, onChoose }) {
	if (!contributions?.length)
		return html`<p class="quiet">
			Nothing is known of where it comes from: this metric is not watched by any dimension.
		</p>`;
	return html`<div class="dimensions">
		${contributions.map(
			(group) => html`<${Dimension} key=${group.dimension} group=${group} unit=${unit}
				chosen=${chosen} onChoose=${onChoose} />`,
		)}
	</div>`;
}
