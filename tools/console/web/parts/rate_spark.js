// rate_spark: a rate of the last two minutes as a small line, from zero up: is it steady, is it
// rising, did it stop. The figure stands beside it.

import { pathOf } from "../base/path.js";
import { html } from "../base/ui.js";

const WIDTH = 120;
const HEIGHT = 28;
const POINTS_MIN = 40; // one a second: until then the line grows from the right

export function RateSpark({ values }) {
	const most = Math.max(...values.map((value) => value ?? 0), 0);
	const points = Math.max(POINTS_MIN, values.length);
	const x = (index) => ((points - values.length + index) / (points - 1)) * WIDTH;
	const y = (value) => HEIGHT - 2 - (most > 0 ? value / most : 0) * (HEIGHT - 6);
	return html`<svg class="rate-spark" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none"
		aria-hidden="true">
		<path class="rate-floor" d=${`M0 ${HEIGHT - 2}h${WIDTH}`} />
		<path class="rate-line" d=${pathOf(values, x, y)} />
	</svg>`;
}
