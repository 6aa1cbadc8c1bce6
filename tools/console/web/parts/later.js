// later: a screen whose place is kept: what it will be for, and what does it until then.

import { html } from "../base/ui.js";

/** commands: [{command, text}] of weirctl. */
export function Later({ title, text, commands }) {
	return html`<section class="later">
		<p class="later-mark">Comes later</p>
		<h1>${title}</h1>
		<p class="later-text">${text}</p>
		<h2>Until then, on a terminal</h2>
		<dl class="later-commands">
			${commands.map(
				({ command, text: what }) => html`<div key=${command}>
					<dt><code>${command}</code></dt>
					<dd>${what}</dd>
				</div>`,
			)}
		</dl>
	</section>`;
}
