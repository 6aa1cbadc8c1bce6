// live: one stream of what happens (server-sent events), shared by all that listen. It takes up
// where it broke off; where nothing can be had of it, listeners of "reset" are told to fetch anew
// from time to time, so that a page behind a proxy that breaks streams still moves.

import { createStore } from "./store.js";
import { useEffect, useRef } from "./ui.js";

const TOPIC = { pipeline: "pipeline" };
const KINDS = ["anomaly", "closed", "pipeline", "engine", "reset"];
const WAIT_MS = 400;
const POLL_MS = 15000;

const listeners = new Map();
let source = null;
let openTopics = "";
let lastId = null;
let timer = 0;
let failures = 0;

/** "connecting", "live" or "lost". */
export const liveState = createStore("connecting");

function wanted() {
	const topics = new Set();
	for (const [kind, set] of listeners) if (set.size) topics.add(TOPIC[kind] ?? "anomalies");
	return [...topics].sort().join(",");
}

function tell(kind, data) {
	for (const listener of [...(listeners.get(kind) ?? [])]) listener(data);
}

function hear(kind, event) {
	if (event.lastEventId) lastId = event.lastEventId;
	let data = null;
	try {
		data = event.data ? JSON.parse(event.data) : null;
	} catch {
		return;
	}
	tell(kind, data);
}

function close() {
	source?.close();
	source = null;
}

function failed({ target }) {
	if (target !== source) return;
	liveState.set("lost");
	if (source.readyState !== EventSource.CLOSED) return;
	close();
	failures += 1;
	if (failures > 2) tell("reset", null);
	schedule(Math.min(1000 * 2 ** failures, POLL_MS));
}

function connect() {
	timer = 0;
	const topics = wanted();
	if (source && topics === openTopics) return;
	close();
	openTopics = topics;
	if (!topics) return;
	const query = new URLSearchParams({ topics });
	if (lastId !== null) query.set("last_id", lastId);
	source = new EventSource(`/api/v1/events?${query}`);
	source.addEventListener("open", () => {
		failures = 0;
		liveState.set("live");
	});
	source.addEventListener("error", failed);
	for (const kind of KINDS) source.addEventListener(kind, (event) => hear(kind, event));
}

function schedule(wait_ms) {
	window.clearTimeout(timer);
	timer = window.setTimeout(connect, wait_ms);
}

/** What was fetched is of this event: the stream goes on after it, nothing is missed between. */
export function resumeFrom(id) {
	if (lastId !== null || id === null || id === undefined) return;
	lastId = String(id);
	if (source) {
		close();
		openTopics = "";
	}
	schedule(0);
}

/** Calls listener(data) at each event of a kind; the answer ends it. */
export function onLive(kind, listener) {
	if (!listeners.has(kind)) listeners.set(kind, new Set());
	listeners.get(kind).add(listener);
	schedule(WAIT_MS);
	return () => {
		listeners.get(kind).delete(listener);
		schedule(WAIT_MS);
	};
}

/** The same for a component; the listener may change with every drawing. */
export function useLive(kind, listener) {
	const latest = useRef(listener);
	latest.current = listener;
	useEffect(() => onLive(kind, (data) => latest.current(data)), [kind]);
}
