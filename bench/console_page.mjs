/*
 * console_page: how long until the first page of weir-console is usable in Chromium? A line for each
 * run: milliseconds from the navigation until today's figures, the list and the slider were painted,
 * and from a move of the slider until the list was painted anew.
 *
 *	node console_page.mjs CHROMIUM FOLDER URL RUNS
 *
 * Each run is a profile that knows nothing (no cache), in one browser, which is warm by a first run
 * that is not told. It speaks the DevTools protocol over two pipes by itself, so that nothing needs
 * to be installed beside Chromium.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

const [program, folder, url, runs] = process.argv.slice(2);
const PATIENCE_MS = 60000;

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

async function measure(tools) {
	const { browserContextId } = await tools.ask("Target.createBrowserContext");
	const where = { url: "about:blank", browserContextId, width: 1280, height: 800 };
	const { targetId } = await tools.ask("Target.createTarget", where);
	const { sessionId } = await tools.ask("Target.attachToTarget", { targetId, flatten: true });
	const source = `(${watch})()`;
	await tools.ask("Page.enable", {}, sessionId);
	await tools.ask("Page.addScriptToEvaluateOnNewDocument", { source }, sessionId);
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
	await measure(tools);
	for (let run = 0; run < Number(runs); run++) {
		patience.refresh();
		const [usable_ms, answers_ms] = await measure(tools);
		console.log(`${usable_ms.toFixed(2)} ${answers_ms.toFixed(2)}`);
	}
} catch (error) {
	console.log(error.message);
	process.exitCode = 1;
}
clearTimeout(patience);
child.kill();
await ended;
rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
