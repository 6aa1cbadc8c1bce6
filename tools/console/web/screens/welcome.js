// welcome: the first run: the steps to the first event, which are ticked as they are done, and data
// to look around in meanwhile.

import { post } from "../base/api.js";
import { notify } from "../base/notice.js";
import { loadSession } from "../base/session.js";
import { html, useEffect, useState } from "../base/ui.js";
import { Icon } from "../parts/icons.js";

const AGAIN_MS = 3000;

// "Start the engine: weird --config weir.yaml": what to do, and the command or the key for it.
function taken(text) {
	const at = text.lastIndexOf(": ");
	return at < 0 ? { what: text, how: null } : { what: text.slice(0, at), how: text.slice(at + 2) };
}

function Step({ step, isNext }) {
	const state = step.done ? "done" : isNext ? "next" : "later";
	const { what, how } = taken(step.text);
	const said = { done: "Done:\u00a0", next: "Next:\u00a0", later: "" }[state];
	return html`
		<li class=${`step is-${state}`}>
			<span class="step-mark">${step.done && html`<${Icon} name="check" size=${18} />`}</span>
			<span class="step-text">
				<span class="hidden">${said}</span>${how ? html`${what}: <code class="step-how">${how}</code>` : what}
			</span>
		</li>
	`;
}

function Demo({ demo, isUp }) {
	const [busy, setBusy] = useState(false);
	const start = async () => {
		setBusy(true);
		try {
			await post("demo");
			await loadSession();
		} catch (error) {
			notify(error.message, { error: true });
			setBusy(false);
		}
	};
	if (demo === "running")
		return html`<p class="welcome-demo" role="status">The shop's weeks are on their way. They appear here in a minute.</p>`;
	// Without an engine there is nobody to take it.
	if (demo !== "ready" || !isUp) return null;
	return html`
		<div class="welcome-demo">
			<button type="button" class="button is-main" disabled=${busy} onClick=${start}>Look around with a made-up shop</button>
			<p class="small">Weeks of a shop's traffic, and something that breaks in it. They stay in this engine's data: take one that is only looked at.</p>
		</div>
	`;
}

export function Welcome({ session }) {
	const { steps = [], demo } = session.first_run;
	const next = steps.find(({ done }) => !done)?.key;
	useEffect(() => {
		const timer = window.setInterval(loadSession, AGAIN_MS);
		return () => window.clearInterval(timer);
	}, []);
	return html`
		<section class="welcome">
			<h1>Nothing flows yet</h1>
			<p class="welcome-text">This page fills by itself once events come. From here to the first alert:</p>
			<ol class="steps">
				${steps.map((step) => html`<${Step} key=${step.key} step=${step} isNext=${step.key === next} />`)}
			</ol>
			<${Demo} demo=${demo} isUp=${session.engine.up} />
		</section>
	`;
}
