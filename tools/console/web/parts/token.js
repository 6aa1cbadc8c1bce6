// token: asks for the token that changes need where the console listens beyond this machine.

import { onTokenNeeded } from "../base/api.js";
import { html, useEffect, useState } from "../base/ui.js";
import { Dialog } from "./dialog.js";

export function TokenDialog() {
	const [asked, setAsked] = useState(null);
	useEffect(
		() => onTokenNeeded((reason) => new Promise((answer) => setAsked({ reason, answer }))),
		[],
	);
	const done = (token) => {
		asked?.answer(token);
		setAsked(null);
	};
	const submit = (event) => {
		event.preventDefault();
		done(new FormData(event.target).get("token").trim() || null);
	};
	return html`
		<${Dialog} isOpen=${asked !== null} onClose=${() => done(null)} title="Token needed">
			<form class="form" onSubmit=${submit}>
				<p>${asked?.reason}</p>
				<label class="field">
					<span>Token of this console, kept until this tab is closed</span>
					<input class="input" name="token" type="password" autocomplete="current-password" required />
				</label>
				<button type="submit" class="button is-main">Go on</button>
			</form>
		<//>
	`;
}
