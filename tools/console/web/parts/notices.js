// notices: lines that come and go at the foot of the page; what failed stays until it is dismissed.

import { dismiss, notices } from "../base/notice.js";
import { useStore } from "../base/store.js";
import { html } from "../base/ui.js";
import { Icon } from "./icons.js";

function Notice({ notice: { id, text, error, action } }) {
	const act = () => {
		dismiss(id);
		action.run();
	};
	return html`
		<div class=${error ? "notice is-error" : "notice"} role=${error ? "alert" : "status"}>
			<span class="notice-text">${text}</span>
			${action && html`<button type="button" class="link-button" onClick=${act}>${action.label}</button>`}
			<button type="button" class="icon-button" onClick=${() => dismiss(id)} aria-label="Dismiss">
				<${Icon} name="close" size=${16} />
			</button>
		</div>
	`;
}

export function Notices() {
	return html`
		<div class="notices">
			${useStore(notices).map((notice) => html`<${Notice} key=${notice.id} notice=${notice} />`)}
		</div>
	`;
}
