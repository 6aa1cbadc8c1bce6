// text: names that come from outside, and times. A name is set apart (<bdi>), so that one written from
// right to left turns nothing around it, and is broken or cut where it is too long.

import { ago, machineTime, moment } from "../base/format.js";
import { now } from "../base/now.js";
import { sentence } from "../base/sentence.js";
import { html, useEffect, useState } from "../base/ui.js";

// What is shown of a name; all of it is in its title, up to a bound that no tooltip passes.
const SHOWN = 200;
const TOLD = 1000;

function cut(text, most) {
	const plain = String(text ?? "");
	if (plain.length <= most) return plain;
	return `${[...plain.slice(0, most)].slice(0, -1).join("")}\u2026`;
}

/** A name from outside; of: what it is in a sentence, for the style sheets. */
export function Name({ text, of = "", most = SHOWN }) {
	const shown = cut(text, most);
	return html`<bdi class=${of ? `name ${of}` : "name"} title=${shown === String(text ?? "") ? null : cut(text, TOLD)}>${shown}</bdi>`;
}

/** An anomaly's sentence; its subject stands out. */
export function Sentence({ row, because = true }) {
	return sentence(row, { because }).map((part, index) =>
		part.name
			? html`<${Name} key=${index} of=${part.subject ? "said-of" : "said-name"} text=${part.text} />`
			: part.text,
	);
}

/** Now, again every so often. */
export function useNow(every_ms = 15000) {
	const [time_ms, setTime] = useState(now);
	useEffect(() => {
		const timer = window.setInterval(() => setTime(now()), every_ms);
		return () => window.clearInterval(timer);
	}, [every_ms]);
	return time_ms;
}

/** "12 min ago", the time itself in its title. */
export function Ago({ time_ms, now_ms }) {
	return html`<time datetime=${machineTime(time_ms)} title=${moment(time_ms)}>${ago(time_ms, now_ms)}</time>`;
}
