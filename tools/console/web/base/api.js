// api: asks the console's API and tells it things. Every failure is an ApiError whose message can be
// shown as it is: the server says what is wrong and what to do.

import { address, readReply, takeEarly } from "../early.js";

const TOKEN = "weir-token";

class ApiError extends Error {
	constructor(status, message) {
		super(message);
		this.name = "ApiError";
		this.status = status;
	}
}

// What asks a person for the token (the shell sets it): resolves with the token, or with null.
let askToken = null;

export function onTokenNeeded(ask) {
	askToken = ask;
}

function savedToken() {
	try {
		return window.sessionStorage.getItem(TOKEN);
	} catch {
		return null;
	}
}

function saveToken(token) {
	try {
		window.sessionStorage.setItem(TOKEN, token);
	} catch {
		// Without storage it is asked for again.
	}
}

async function call(method, path, { query, body, signal, token, key } = {}) {
	const headers = { Accept: "application/json" };
	if (body !== undefined) headers["Content-Type"] = "application/json";
	if (token) headers.Authorization = `Bearer ${token}`;
	if (key) headers["Idempotency-Key"] = key;
	let reply;
	const url = address(path, query);
	try {
		reply = await ((method === "GET" && takeEarly(url)) ||
			fetch(url, {
				method,
				headers,
				signal,
				body: body === undefined ? undefined : JSON.stringify(body),
			}).then(readReply));
	} catch (error) {
		if (error.name === "AbortError") throw error;
		throw new ApiError(0, "The console does not answer. Is weir-console still running?");
	}
	const { status, ok, answer } = reply;
	if (status === 204 || (ok && answer)) return answer;
	throw new ApiError(status, answer?.error ?? `The console answered ${status}.`);
}

export function get(path, query, { signal } = {}) {
	return call("GET", path, { query, signal });
}

async function writeWithToken(method, path, body, key) {
	const token = savedToken();
	try {
		return await call(method, path, { body, token, key });
	} catch (error) {
		const refused = error.status === 401 || (error.status === 403 && /token/i.test(error.message));
		if (!refused || !askToken) throw error;
		const given = await askToken(error.message);
		if (!given) throw error;
		const answer = await call(method, path, { body, token: given, key });
		saveToken(given);
		return answer;
	}
}

// The keys of what nobody can say of whether it was kept: who says it again says it under the same
// one, and it is kept once.
const unanswered = new Map();

function newKey() {
	return Array.from(window.crypto.getRandomValues(new Uint32Array(4)), (part) =>
		part.toString(16),
	).join("-");
}

async function write(method, path, body) {
	const what = JSON.stringify([method, path, body]);
	const key = unanswered.get(what) ?? newKey();
	unanswered.set(what, key);
	try {
		const answer = await writeWithToken(method, path, body, key);
		unanswered.delete(what);
		return answer;
	} catch (error) {
		if (error.status !== 0 && error.status < 500) unanswered.delete(what);
		throw error;
	}
}

/** Tells something; asks for the token where one is needed. */
export function post(path, body = {}) {
	return write("POST", path, body);
}

export function remove(path) {
	return write("DELETE", path);
}
