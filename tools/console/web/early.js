// early: asks for what the page will need while the page itself is still on its way. The first to
// run; who asks for the same later is given the answer that is already coming.

import { lanesQuery, listQuery, OPEN_QUERY, PAGE, readFilters, sourceNow } from "./base/filters.js";

const BASE = "/api/v1/";
const asked = new Map();
const come = new Map();

/** The address of an API noun. */
export function address(path, query) {
	const search = new URLSearchParams();
	for (const [name, value] of Object.entries(query ?? {}))
		if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
	const text = search.toString();
	return text ? `${BASE}${path}?${text}` : BASE + path;
}

// What is no JSON is no answer; what broke off on its way, or was given up, is a failure.
function unread(error) {
	if (error instanceof SyntaxError) return null;
	throw error;
}

/** {status, ok, answer} of a reply. */
export async function readReply(reply) {
	const answer = reply.status === 204 ? null : await reply.json().catch(unread);
	return { status: reply.status, ok: reply.ok, answer };
}

function ask(path, query) {
	const url = address(path, query);
	const coming = fetch(url, { headers: { Accept: "application/json" } }).then(readReply);
	asked.set(url, coming);
	coming.then(
		({ ok, answer }) => ok && come.set(url, answer),
		// Who takes it hears of a failure.
		() => {},
	);
}

/** The reply that was asked for early, once; null: it was not. */
export function takeEarly(url) {
	const coming = asked.get(url) ?? null;
	asked.delete(url);
	return coming;
}

/** An answer that has come already, for who draws; null: it has not. */
export function peekEarly(path, query) {
	return come.get(address(path, query)) ?? null;
}

/** Resolves when all that was asked for is there, or is not to be had. */
export const settledEarly = () => Promise.allSettled(asked.values());

/** The first page is drawn: from now on everybody asks anew. */
export function forgetEarly() {
	asked.clear();
	come.clear();
}

// List and lanes are of the time up to where the data go, which the overview tells: mostly to now.
function askFound() {
	const filters = readFilters(new URLSearchParams(window.location.search));
	const now_ms = sourceNow(null, Date.now());
	ask("anomalies", { ...listQuery(filters, now_ms), limit: PAGE });
	ask("lanes", lanesQuery(filters, now_ms));
}

ask("session");
if (window.location.pathname === "/") {
	ask("overview");
	askFound();
	ask("anomalies", OPEN_QUERY);
}
