// spark: a line of the last day, and the dotted one that was expected. Nothing to read off exactly:
// the figures stand beside it.

import { isNumber, lineOf, tenth } from "../base/path.js";
import { html } from "../base/ui.js";

const WIDTH = 200;
const HEIGHT = 48;
const EDGE = 3;

// Where each value that is there lies, "x y"; null: there is none.
function places(values, x, y) {
	return values.map((v, index) => (isNumber(v) ? `${tenth(x(index))} ${tenth(y(v))}` : null));
}

// What lies between the two lines, where both are there.
function gapOf(value, expected) {
	let path = "";
	for (let from = 0; from < value.length; from++) {
		let until = from;
		while (value[until] && expected[until]) until++;
		if (until === from) continue;
		const back = expected.slice(from, until).reverse();
		path += `M${value.slice(from, until).join("L")}L${back.join("L")}Z`;
		from = until;
	}
	return path;
}

export function Spark({ value, expected }) {
	const all = [...value, ...expected].filter(isNumber);
	if (!all.length)
		return html`<svg class="spark" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true" />`;
	const least = Math.min(0, ...all);
	const most = Math.max(...all);
	const count = Math.max(value.length, expected.length, 2);
	const x = (index) => (index / (count - 1)) * WIDTH;
	const y = (v) => HEIGHT - EDGE - ((v - least) / (most - least || 1)) * (HEIGHT - 2 * EDGE);
	const actual = places(value, x, y);
	const wanted = places(expected, x, y);
	return html`
		<svg
			class="spark"
			viewBox=${`0 0 ${WIDTH} ${HEIGHT}`}
			preserveAspectRatio="none"
			aria-hidden="true"
		>
			<path class="spark-gap" d=${gapOf(actual, wanted)} />
			<path class="spark-expected" d=${lineOf(wanted)} />
			<path class="spark-value" d=${lineOf(actual)} />
		</svg>
	`;
}
