// severity: how bad, three times over: a shape, a word, a colour. Octagon, triangle, diamond, ring:
// they differ from afar, without colours, and printed.

import { bandOf, severityText } from "../base/severity.js";
import { html } from "../base/ui.js";

const SHAPES = {
	critical: html`<path d="M5 .8h6L15.2 5v6L11 15.2H5L.8 11V5z" /><path class="glyph-cut" d="M8 4v4.8M8 11.2v1" />`,
	major: html`<path d="M8 1.2l7.2 13.2H.8z" />`,
	minor: html`<path d="M8 .8L15.2 8 8 15.2.8 8z" />`,
	warning: html`<circle class="glyph-ring" cx="8" cy="8" r="5.6" />`,
	none: html`<path class="glyph-ring" d="M3 8h10" />`,
};

/** The shape alone; label it where no word stands beside it. */
export function Glyph({ severity, size = 16, label = null }) {
	const band = bandOf(severity)?.name ?? "none";
	return html`
		<svg
			class=${`glyph is-${band}`}
			viewBox="0 0 16 16"
			width=${size}
			height=${size}
			role=${label ? "img" : null}
			aria-label=${label}
			aria-hidden=${label ? null : "true"}
		>${SHAPES[band]}</svg>
	`;
}

/** Shape, number and word: "88 Critical". */
export function Severity({ severity }) {
	const band = bandOf(severity);
	return html`
		<span class=${`severity is-${band?.name ?? "none"}`}>
			<${Glyph} severity=${severity} size=${18} />
			<span class="severity-number">${severityText(severity)}</span>
			<span class="severity-word">${band?.word ?? "Low"}</span>
		</span>
	`;
}
