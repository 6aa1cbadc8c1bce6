// url: the address is the state. What is filtered, chosen and opened stands in it, so that it can be
// sent to somebody, and so that back and forward work.
//
// A change that somebody would go back from (a filter, a page) makes an entry of the history; one
// that is on its way (a slider being dragged) replaces the entry.

export { list } from "./filters.js";

import { createStore, useStore } from "./store.js";

// These go along when another page is opened.
const KEPT = ["theme"];

function read() {
	return { path: window.location.pathname, query: new URLSearchParams(window.location.search) };
}

const address = createStore(read());

// With which query each page was left: for the way back.
const left = new Map();

// What the browser's address says is what is shown from now on.
function follow() {
	const { path, query } = address.get();
	const next = read();
	if (next.path !== path) left.set(path, query);
	address.set(next);
}

window.addEventListener("popstate", follow);

function write(path, query, replace) {
	const search = query.toString().replaceAll("%2C", ",").replaceAll("%3D", "=");
	const next = search ? `${path}?${search}` : path;
	if (next === window.location.pathname + window.location.search) return;
	if (replace) window.history.replaceState(window.history.state, "", next);
	else window.history.pushState(null, "", next);
	follow();
}

function merge(query, changes) {
	const next = new URLSearchParams(query);
	for (const [name, value] of Object.entries(changes)) {
		const text = Array.isArray(value) ? value.join(",") : value;
		if (text === null || text === undefined || text === "") next.delete(name);
		else next.set(name, String(text));
	}
	return next;
}

function keptNow() {
	return Object.fromEntries(KEPT.map((name) => [name, address.get().query.get(name)]));
}

/** Where a link to another page goes; what is kept from page to page goes along. */
export function href(path, changes = {}) {
	const search = merge(new URLSearchParams(), { ...keptNow(), ...changes }).toString();
	return search ? `${path}?${search}` : path;
}

/** The way back to a page as it was left: with its filters, in today's theme. */
export function hrefBack(path) {
	return href(path, { ...Object.fromEntries(left.get(path) ?? []), ...keptNow() });
}

/** Opens another page. */
export function open(path, changes = {}, { replace = false } = {}) {
	const url = new URL(href(path, changes), window.location.href);
	write(url.pathname, url.searchParams, replace);
	if (!replace) window.scrollTo(0, 0);
}

export function openBack(path) {
	const url = new URL(hrefBack(path), window.location.href);
	write(url.pathname, url.searchParams, false);
}

/** Changes parts of this page's query; null takes one away. */
export function change(changes, { replace = false } = {}) {
	const { path, query } = address.get();
	write(path, merge(query, changes), replace);
}

export function query() {
	return address.get().query;
}

/** The address, for a component: {path, query: URLSearchParams}. */
export function useUrl() {
	return useStore(address);
}

/** Links of our own pages are followed without loading anew; others, and those of a new tab, are not. */
export function followLinks(isPage) {
	document.addEventListener("click", (event) => {
		if (event.defaultPrevented || event.button !== 0) return;
		if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
		const link = event.target.closest?.("a[href]");
		if (!link || link.target || link.hasAttribute("download")) return;
		const url = new URL(link.href);
		if (url.origin !== window.location.origin || !isPage(url.pathname)) return;
		if (url.hash) return;
		event.preventDefault();
		write(url.pathname, url.searchParams, false);
		window.scrollTo(0, 0);
	});
}
