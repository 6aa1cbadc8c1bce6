// early: asks for what the page will need before anything of it is made; the first page's questions stand
// in the page itself, and are on their way by then. Who asks for the same later is given the answer that is
// coming.

import {
	firstQuery,
	lanesQuery,
	listQuery,
	OPEN_QUERY,
	PAGE,
	readFilters,
} from "./base/filters.js";

const BASE = "/api/v1/";
const asked = new Map();
const come = new Map();
let isOver = false;

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

// What has come is kept until the first page is drawn.
function hasCome(path, query, answer) {
	if (isOver) return;
	const url = address(path, query);
	asked.set(url, Promise.resolve({ status: 200, ok: true, answer }));
	come.set(url, answer);
}

// No header of our own: so it is what the page has named already (<link rel="preload">).
function ask(path, query) {
	const url = address(path, query);
	const coming = fetch(url).then(readReply);
	asked.set(url, coming);
	coming.then(
		({ ok, answer }) => ok && hasCome(path, query, answer),
		// Who takes it hears of a failure.
		() => {},
	);
	return coming;
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
	isOver = true;
	asked.clear();
	come.clear();
}

// The list and the lanes are of the time up to now by the console's clock; where the data end long before,
// they are asked for anew.
function takeApart(filters, { session, anomalies, lanes, open }) {
	hasCome("anomalies", { ...listQuery(filters, session.now_ms), limit: PAGE }, anomalies);
	hasCome("lanes", lanesQuery(filters, session.now_ms), lanes);
	hasCome("anomalies", OPEN_QUERY, open);
}

function askFirst(filters, query) {
	const session = ask("first", query).then((reply) => {
		if (reply.ok && reply.answer) takeApart(filters, reply.answer);
		return { ...reply, answer: reply.answer?.session ?? reply.answer };
	});
	asked.set(address("session"), session);
}

function askPage() {
	const filters = readFilters(new URLSearchParams(window.location.search));
	const query = firstQuery(filters);
	ask("overview");
	if (query) return askFirst(filters, query);
	const now_ms = Date.now();
	ask("session");
	ask("anomalies", { ...listQuery(filters, now_ms), limit: PAGE });
	ask("lanes", lanesQuery(filters, now_ms));
	ask("anomalies", OPEN_QUERY);
}

if (window.location.pathname === "/") askPage();
else ask("session");
