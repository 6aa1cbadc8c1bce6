// shell: what stands around every page: where one is, where one can go, whether what is shown is live.

import { useKeys } from "../base/keys.js";
import { liveState } from "../base/live.js";
import { spoken } from "../base/notice.js";
import { overview } from "../base/overview.js";
import { session } from "../base/session.js";
import { useStore } from "../base/store.js";
import { theme, toggleTheme } from "../base/theme.js";
import { html, useEffect, useState } from "../base/ui.js";
import { href, open } from "../base/url.js";
import { ROUTES } from "../routes.js";
import { Help } from "./help.js";
import { Icon, Mark } from "./icons.js";
import { Notices } from "./notices.js";
import { Name } from "./text.js";
import { TokenDialog } from "./token.js";

const PAGES = ROUTES.filter(({ label }) => label);

function Navigation({ current }) {
	return html`
		<nav class="nav" aria-label="Screens">
			${PAGES.map(
				({ name, label, path, later }) => html`
					<a key=${name} class="nav-link" href=${href(path)} aria-current=${name === current ? "page" : null}>
						<${Icon} name=${name} />
						<span>${label}</span>
						${later && html`<span class="nav-later">later</span>`}
					</a>
				`,
			)}
		</nav>
	`;
}

function LiveState() {
	const live = useStore(liveState);
	const engine = useStore(session)?.engine;
	let [kind, text, hint] = ["good", "Live", "New anomalies appear by themselves"];
	if (engine && !engine.up)
		[kind, text, hint] = ["bad", "Engine away", engine.error ?? "What is shown is what it left"];
	else if (live === "lost")
		[kind, text, hint] = ["bad", "Reconnecting", "The console does not answer"];
	else if (live === "connecting") [kind, text] = ["idle", "Connecting"];
	return html`
		<span class=${`live is-${kind}`} role="status" title=${hint}>
			<span class="live-dot" aria-hidden="true"></span>
			<span class="live-text">${text}</span>
		</span>
	`;
}

function useTitle(route) {
	useEffect(() => {
		document.title = route?.label ? `${route.label} \u00b7 weir` : "weir";
	}, [route]);
}

// Said once, below the head of every page, for as long as it is so.
function Away() {
	const known = useStore(session);
	const isEmpty = !useStore(overview).reply?.through_ms && known?.first_run?.needed;
	if (!known || known.engine.up || isEmpty) return null;
	return html`
		<p class="away" role="status">
			<strong>The engine does not answer.</strong> What is shown is what it left; nothing new is found until it is back.
		</p>
	`;
}

export function Shell({ route, children }) {
	const known = useStore(session);
	const look = useStore(theme);
	const [help, setHelp] = useState(false);
	useTitle(route);
	useKeys([
		...PAGES.map(({ key, label, path }) => ({ key, text: label, run: () => open(path) })),
		{ key: "t", text: "Light or dark", run: toggleTheme },
		{ key: "?", text: "This help", run: () => setHelp(true) },
	]);
	const other = look.shown === "dark" ? "light" : "dark";
	return html`
		<a class="skip" href="#main">Skip to the content</a>
		<header class="top">
			<a class="brand" href=${href("/")} aria-label="weir, anomalies">
				<${Mark} /><span class="brand-name">weir</span>
			</a>
			${known?.environment && html`<span class="brand-place" title="Environment"><${Name} text=${known.environment} most=${40} /></span>`}
			<${Navigation} current=${route?.under ?? route?.name} />
			<div class="top-end">
				<${LiveState} />
				<button type="button" class="icon-button" onClick=${toggleTheme} aria-label=${`Switch to ${other}`} title=${`Switch to ${other} (t)`}>
					<${Icon} name=${look.shown === "dark" ? "sun" : "moon"} />
				</button>
				<button type="button" class="icon-button" onClick=${() => setHelp(true)} aria-label="Help and keys" title="Help and keys (?)">
					<span class="icon-letter" aria-hidden="true">?</span>
				</button>
			</div>
		</header>
		<${Away} />
		<main id="main" class="main" tabindex="-1">${children}</main>
		<${Notices} />
		<${Help} isOpen=${help} onClose=${() => setHelp(false)} />
		<${TokenDialog} />
		<div class="hidden" aria-live="polite">${useStore(spoken)}</div>
	`;
}
