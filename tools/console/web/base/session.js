// session: what the console says of itself once: versions, zone, metrics, whether anything is there.

import { get } from "./api.js";
import { setNow } from "./now.js";
import { createStore } from "./store.js";
import { setZone } from "./zone.js";

/** null until it is known. */
export const session = createStore(null);
export const sessionError = createStore(null);

export async function loadSession() {
	try {
		const found = await get("session");
		setZone(found.timezone ?? "UTC", found.clocks);
		setNow(found.now_ms);
		sessionError.set(null);
		session.set(found);
	} catch (error) {
		sessionError.set(error);
	}
}

/** The engine went away or came back. */
export function noteEngine({ up, error }) {
	const found = session.get();
	if (found) session.set({ ...found, engine: { ...found.engine, up, error: error ?? null } });
}
