/*
 * console_page: how long until the first page of weir-console is usable in Chromium? A line for each
 * run: milliseconds from the navigation until today's figures, the list and the slider were painted;
 * from a move of the slider until the list was painted anew; and the first once more in a window that
 * does not come to rest before.
 *
 *	node console_page.mjs CHROMIUM FOLDER URL RUNS
 *
 * Each run is a profile that knows nothing (no cache), in one browser, which is warm by a first run
 * that is not told. It has a window of its own, and that is at rest before it goes to the page: while a
 * new window opens, the browser fetches some 300 files of its own (chrome://omnibox-popup...), which
 * takes as long as the page and is none of its. It speaks the DevTools protocol over two pipes by itself, so that nothing needs
 * to be installed beside Chromium.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

const [program, folder, url, runs] = process.argv.slice(2);
const PATIENCE_MS = 60000;
/* At rest: so many looks at what it uses, each so long and below this part of a processor. */
const QUIET_LOOKS = 3;
const LOOK_MS = 50;
const QUIET_PART = 0.1;

/* In the page, before anything of its own: the moment after a frame that shows figures, list and
 * slider, and then what a move of the slider takes. */
function watch() {
	const slider = () => document.querySelector("input[type=range]");
	const rows = () => document.querySelectorAll("li[data-id] a[href*='anomalies/']").length;
	const figures = () => document.querySelectorAll(".kpi-figure").length;
	/* A task behind a frame: what stood in the page before it has been painted. */
	const painted = () =>
		new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)));
	const until = (is) =>
		new Promise((resolve) => {
			const look = () => {
				if (!is()) return;
				observer.disconnect();
				painted().then(() => resolve(performance.now()));
			};
			const observer = new MutationObserver(look);
			observer.observe(document, { subtree: true, childList: true, characterData: true });
			look();
		});
	window.__measured = (async () => {
		const usable_ms = await until(() => slider() && rows() > 0 && figures() > 0);
		/* What does not pass any more is gone. */
		const shown = () => [...document.querySelectorAll("li[data-id] .severity-number")];
		const passes = (from) => shown().every(({ textContent }) => Number(textContent) >= from);
		const moved_ms = performance.now();
		const value = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value");
		value.set.call(slider(), "80");
		slider().dispatchEvent(new Event("input", { bubbles: true }));
		slider().dispatchEvent(new Event("change", { bubbles: true }));
		const answered_ms = await until(() => rows() > 0 && passes(80));
		return [usable_ms, answered_ms - moved_ms];
	})();
}

class DevTools {
	constructor(child) {
		this.waiting = new Map();
		this.number = 0;
		this.to = child.stdio[3];
		let rest = "";
		child.stdio[4].setEncoding("utf8").on("data", (text) => {
			const pieces = (rest + text).split("\0");
			rest = pieces.pop();
			for (const piece of pieces) this.#hear(JSON.parse(piece));
		});
	}

	#hear({ id, error, result }) {
		const { resolve, reject } = this.waiting.get(id) ?? {};
		this.waiting.delete(id);
		if (error) reject?.(new Error(error.message));
		else resolve?.(result);
	}

	ask(method, params = {}, sessionId) {
		const id = ++this.number;
		this.to.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
		return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
	}
}

/* What all processes of the browser have used of the processors. */
async function used_ms(tools) {
	const { processInfo } = await tools.ask("SystemInfo.getProcessInfo");
	return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime * 1e3, 0);
}

/* Until the browser does nothing more by itself: three looks, one after the other. */
async function at_rest(tools) {
	let before_ms = await used_ms(tools);
	for (let quiet = 0; quiet < QUIET_LOOKS; ) {
		await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
		const now_ms = await used_ms(tools);
		quiet = now_ms - before_ms < LOOK_MS * QUIET_PART ? quiet + 1 : 0;
		before_ms = now_ms;
	}
}

async function measure(tools, rests) {
	const { browserContextId } = await tools.ask("Target.createBrowserContext");
	const where = { url: "about:blank", browserContextId, width: 1280, height: 800 };
	const { targetId } = await tools.ask("Target.createTarget", where);
	const { sessionId } = await tools.ask("Target.attachToTarget", { targetId, flatten: true });
	const source = `(${watch})()`;
	await tools.ask("Page.enable", {}, sessionId);
	await tools.ask("Page.addScriptToEvaluateOnNewDocument", { source }, sessionId);
	if (rests) await at_rest(tools);
	await tools.ask("Page.navigate", { url }, sessionId);
	const asked = { expression: "window.__measured", awaitPromise: true, returnByValue: true };
	const { result, exceptionDetails } = await tools.ask("Runtime.evaluate", asked, sessionId);
	await tools.ask("Target.disposeBrowserContext", { browserContextId });
	if (exceptionDetails || !Array.isArray(result.value))
		throw new Error(`the page: ${JSON.stringify(exceptionDetails ?? result)}`);
	return result.value;
}

const profile = mkdtempSync(join(folder, "chromium."));
const flags = [
	"--headless",
	"--remote-debugging-pipe",
	`--user-data-dir=${profile}`,
	"--disable-gpu",
	"--disable-quic",
	"--no-first-run",
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-sync",
	...(process.getuid() === 0 ? ["--no-sandbox"] : []),
];
const child = spawn(program, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
child.on("error", (error) => {
	console.log(`${program}: ${error.message}`);
	process.exit(1);
});
const ended = new Promise((resolve) => child.on("exit", resolve));
process.on("SIGTERM", () => process.exit(143));
process.on("exit", () => child.kill("SIGKILL"));
const patience = setTimeout(() => {
	console.log(`${url} was not usable within ${PATIENCE_MS / 1000} s`);
	process.exit(1);
}, PATIENCE_MS);
const tools = new DevTools(child);
try {
	await measure(tools, true);
	for (let run = 0; run < Number(runs); run++) {
		patience.refresh();
		const [usable_ms, answers_ms] = await measure(tools, true);
		const [opened_ms] = await measure(tools, false);
		console.log([usable_ms, answers_ms, opened_ms].map((ms) => ms.toFixed(2)).join(" "));
	}
} catch (error) {
	console.log(error.message);
	process.exitCode = 1;
}
clearTimeout(patience);
child.kill();
await ended;
rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
