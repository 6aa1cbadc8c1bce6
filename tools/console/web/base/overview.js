// overview: today's figures, and how far the data go: "now" of everything that is relative.

import { get } from "./api.js";
import { useLive } from "./live.js";
import { now } from "./now.js";
import { useSoon } from "./soon.js";
import { createStore } from "./store.js";
import { useEffect } from "./ui.js";

const AGAIN_MS = 5000;
// Longer the rest of the page does not wait.
const PATIENCE_MS = 1500;

/** {reply, error, through_ms}: through_ms is null until it is known, or given up. */
export const overview = createStore({ reply: null, error: null, through_ms: null });

let loading = null;
let loaded_ms = 0;

// Without figures the newest anomaly says how far the data go at least.
async function newestMs() {
	const reply = await get("anomalies", { limit: 1 }).catch(() => null);
	return reply?.rows[0]?.through_ms ?? now();
}

async function load() {
	const given_up = window.setTimeout(() => {
		const known = overview.get();
		if (known.through_ms === null) overview.set({ ...known, through_ms: now() });
	}, PATIENCE_MS);
	try {
		const reply = await get("overview");
		overview.set({ reply, error: null, through_ms: reply.through_ms || now() });
	} catch (error) {
		const through_ms = overview.get().through_ms ?? (await newestMs());
		overview.set({ ...overview.get(), error, through_ms });
	}
	window.clearTimeout(given_up);
	loading = null;
	loaded_ms = Date.now();
}

export function loadOverview() {
	loading ??= load();
	return loading;
}

/** The same, unless it was only just done and there was something. */
export function ensureOverview() {
	const isThere = Boolean(overview.get().reply?.through_ms);
	if (!isThere || now() - loaded_ms > AGAIN_MS) loadOverview();
}

/** Keeps it up to date while the component is there. */
export function useOverviewLive() {
	const soon = useSoon(loadOverview, AGAIN_MS);
	// Nobody looks: it is asked for when somebody does.
	const look = () => document.hidden || soon();
	useLive("closed", look);
	useLive("reset", look);
	useEffect(() => {
		if (overview.get().reply) soon();
		document.addEventListener("visibilitychange", look);
		return () => document.removeEventListener("visibilitychange", look);
	}, []);
}
