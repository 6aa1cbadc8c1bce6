// spark: a line of the last day, and the dotted one that was expected. Nothing to read off exactly:
// the figures stand beside it.

import { isNumber, pathOf } from "../base/path.js";
import { html } from "../base/ui.js";

const WIDTH = 200;
const HEIGHT = 48;
const EDGE = 3;

// What lies between the two lines, where both are there.
function gapOf(value, expected, x, y) {
	const there = value.map((v, index) => isNumber(v) && isNumber(expected[index]));
	let path = "";
	for (let from = 0; from < value.length; from++) {
		if (!there[from]) continue;
		let until = from;
		while (there[until + 1]) until++;
		const along = value
			.slice(from, until + 1)
			.map((v, i) => `${x(from + i).toFixed(1)} ${y(v).toFixed(1)}`);
		const back = expected
			.slice(from, until + 1)
			.map((v, i) => `${x(from + i).toFixed(1)} ${y(v).toFixed(1)}`)
			.reverse();
		path += `M${along.join("L")}L${back.join("L")}Z`;
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
	return html`
		<svg
			class="spark"
			viewBox=${`0 0 ${WIDTH} ${HEIGHT}`}
			preserveAspectRatio="none"
			aria-hidden="true"
		>
			<path class="spark-gap" d=${gapOf(value, expected, x, y)} />
			<path class="spark-expected" d=${pathOf(expected, x, y)} />
			<path class="spark-value" d=${pathOf(value, x, y)} />
		</svg>
	`;
}
