// fill_bar: how much of something is used. Near its end it is hatched as well as coloured.

import { share } from "../base/format.js";
import { html } from "../base/ui.js";

const NEAR = 0.75;

export function FillBar({ part, label, near = NEAR }) {
	if (part === null || part === undefined) return html`<span class="quiet">–</span>`;
	const width = Math.max(0, Math.min(1, part)) * 100;
	const text = part > 0 && part < 0.001 ? "<0.1 %" : share(part, 2);
	return html`<span class=${part >= near ? "fill is-near" : "fill"}>
		<svg class="fill-bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img"
			aria-label=${`${label}: ${text}`}>
			<rect class="fill-rail" width="100" height="10" />
			<rect class="fill-used" width=${width} height="10" />
			<path class="fill-near" d=${`M${near * 100} 0v10`} />
		</svg>
		<span class="fill-text figures" aria-hidden="true">${text}</span>
	</span>`;
}
