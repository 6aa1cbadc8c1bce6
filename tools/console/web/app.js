// app: starts the console: theme, session, the frame of every page, and the screen that the address names.

import { onLive } from "./base/live.js";
import { loadSession, noteEngine, session, sessionError } from "./base/session.js";
import { useStore } from "./base/store.js";
import { startTheme } from "./base/theme.js";
import { html, render, useEffect, useErrorBoundary } from "./base/ui.js";
import { followLinks, useUrl } from "./base/url.js";
import { forgetEarly, settledEarly } from "./early.js";
import { Shell } from "./parts/shell.js";
import { Failure } from "./parts/state.js";
import { findRoute } from "./routes.js";

// Longer nobody looks at an empty page: then it is drawn with what is there.
const PATIENCE_MS = 300;

function Page({ route, id, query }) {
	const [error, reset] = useErrorBoundary((thrown) => console.error(thrown));
	const known = useStore(session);
	const failed = useStore(sessionError);
	if (!route)
		return html`<${Failure} title="There is no such page" text="The address is not one of the console's." home />`;
	if (failed && !known)
		return html`<${Failure} title="The console cannot be reached" text=${failed.message} retry=${loadSession} />`;
	if (error)
		return html`<${Failure} title="This page broke" text=${error.message} retry=${reset} />`;
	if (!known) return null;
	return html`<${route.screen} id=${id} query=${query} session=${known} />`;
}

function App() {
	const { path, query } = useUrl();
	const { route, id } = findRoute(path) ?? { route: null, id: "" };
	useEffect(forgetEarly, []);
	return html`
		<${Shell} route=${route}>
			<${Page} key=${route?.name} route=${route} id=${id} query=${query} />
		<//>
	`;
}

// Once, with all that is on its way already: each further drawing takes as long as the first.
async function start() {
	const { route } = findRoute(window.location.pathname) ?? {};
	const first = [loadSession(), settledEarly(), route?.ready?.()];
	const waited = new Promise((resolve) => window.setTimeout(resolve, PATIENCE_MS));
	await Promise.race([Promise.all(first), waited]);
	render(html`<${App} />`, document.getElementById("app"));
}

startTheme();
onLive("engine", noteEngine);
followLinks((path) => findRoute(path) !== null);
start();
