// state: a page that has nothing to show says so, and what to do.

import { html } from "../base/ui.js";
import { href } from "../base/url.js";

/** Something failed: what, and a way on. */
export function Failure({ title, text, retry = null, home = false }) {
	return html`
		<section class="state" role="alert">
			<h1>${title}</h1>
			<p>${text}</p>
			${retry && html`<button type="button" class="button" onClick=${() => retry()}>Try again</button>`}
			${home && html`<a class="button" href=${href("/")}>To the anomalies</a>`}
		</section>
	`;
}

/** Nothing is there, which may be good. */
export function Nothing({ title, text, children }) {
	return html`
		<div class="state">
			<h2>${title}</h2>
			${text && html`<p>${text}</p>`}
			${children}
		</div>
	`;
}
