/*
 * hostile: a hundred names that mean harm, as dimension values, notes, authors
 * and programs: on every page none of them runs, none becomes an element, none breaks the layout.
 */
import { writeFileSync } from "node:fs";
import { NAMES } from "../stage/names.mjs";
import { said, until } from "../stage/processes.mjs";
import { assert, story } from "../stage/story.mjs";

const MINUTE_MS = 60_000;
const BEGIN_MS = Date.UTC(2026, 0, 5);
const ROW_PIXELS = 320; // a row of a list is no taller, whatever it is called: a note may be
const YAML = `interval: 60s
lateness: {event: 0s}
metrics:
  - {name: orders, event: purchase, by: [name]}
detectors:
  - {name: orders, metric: orders, kind: window, window: 10, k: 4, severity: 10, direction: up}
`;

/** Each name surges for three minutes, one after the other: an anomaly of its own for each. */
async function play_names(stage) {
	const minutes = 20 + NAMES.length * 10;
	const rows = [];
	for (let minute = 0; minute < minutes; minute++)
		for (const [i, name] of NAMES.entries()) {
			const surges = minute >= 20 + i * 10 && minute < 23 + i * 10;
			const orders = surges ? 200 : 40 + ((minute + i) % 3);
			rows.push(JSON.stringify({ time: BEGIN_MS + minute * MINUTE_MS, name, orders }));
		}
	const file = stage.path("names.jsonl");
	writeFileSync(file, `${rows.join("\n")}\n`);
	const operands = ["--format", "jsonl", "--source", "shop", "--time-format", "ms", "--quiet"];
	operands.push("--event", "purchase", "--dimension", "name", "--aggregate", "count=orders");
	stage.import_file(file, operands);
	await stage.settled("shop", BEGIN_MS + (minutes - 1) * MINUTE_MS);
}

/** What a producer of that name is called: the characters that are whole within 31 bytes. */
function cut(name) {
	const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
	return decoder.decode(Buffer.from(name).subarray(0, 31), { stream: true });
}

/** What is wrong with the page as it is now: runs in the page. */
function wrongs(row_pixels) {
	const found = [];
	if (window.__ran !== undefined) found.push("a name ran");
	for (const element of document.querySelectorAll("[data-evil]"))
		found.push(`a name became ${element.outerHTML.slice(0, 80)}`);
	const attributes = [
		"onerror",
		"onload",
		"onclick",
		"onfocus",
		"onmouseover",
		"ontoggle",
		"srcdoc",
	];
	for (const element of document.querySelectorAll(attributes.map((name) => `[${name}]`).join()))
		found.push(`an attribute in ${element.outerHTML.slice(0, 80)}`);
	for (const link of document.querySelectorAll("a[href], link[href], script[src], img[src]")) {
		const url = new URL(link.href ?? link.src, window.location.href);
		if (url.origin !== window.location.origin) found.push(`a link leads to ${url}`);
	}
	const { scrollWidth, clientWidth } = document.documentElement;
	if (scrollWidth > clientWidth)
		found.push(`the page is ${scrollWidth} wide, ${clientWidth} are there`);
	const clipped = (element) => {
		for (let at = element.parentElement; at && at !== document.body; at = at.parentElement)
			if (window.getComputedStyle(at).overflowX !== "visible") return true;
		return false;
	};
	for (const element of document.querySelectorAll("body *")) {
		const { left, right, width, height } = element.getBoundingClientRect();
		if (!width || !height || element.closest("svg, .hidden, .skip, [hidden]")) continue;
		if ((right > clientWidth + 1 || left < -1) && !clipped(element))
			found.push(`${element.tagName}.${element.className} reaches from ${left} to ${right}`);
		if (element.matches("li[data-id], .menu-option, .chip, .share-row, tr") && height > row_pixels)
			found.push(`${element.tagName}.${element.className} is ${height} tall`);
	}
	return found;
}

await story(
	"hostile",
	async ({ stage, browser, step }) => {
		await play_names(stage);
		await stage.start_console();
		let looks = 0;
		const sound = async (page, what) => {
			assert.deepEqual(await page.evaluate(wrongs, ROW_PIXELS), [], what);
			looks++;
		};
		const post = (path, body) =>
			fetch(`${stage.url}/api/v1/${path}`, {
				method: "POST",
				headers: { "Content-Type": "application/json", Origin: stage.url },
				body: JSON.stringify(body),
			});
		const everything = "/?severity=0&range=all&rows=name";
		const asked = await fetch(`${stage.url}/api/v1/anomalies?severity=0&limit=500`);
		const { rows: found } = await asked.json();

		await step("every name has an anomaly", () => {
			const names = new Set(found.map(({ dimensions }) => dimensions.name));
			assert.deepEqual(
				NAMES.filter((name) => !names.has(name)),
				[],
			);
		});
		await step("the list, its lanes and its menus, wide and narrow", async () => {
			for (const width of [1280, 390]) {
				const page = await browser.open(`${stage.url}${everything}`, { width });
				const rows = page.locator("ol > li[data-id]");
				await rows.first().waitFor();
				const more = page.getByRole("button", { name: "Show more" });
				await until("all rows", async () => {
					if (await more.isVisible()) await more.click({ timeout: 2000 }).catch(() => {});
					return (await rows.count()) === NAMES.length;
				});
				await sound(page, `the list at ${width}`);
				if (width < 1000) await page.getByRole("button", { name: /^Filters/ }).click();
				await page.getByRole("button", { name: /^Where/ }).click();
				await page.getByRole("menuitemcheckbox").first().waitFor();
				await sound(page, `the menu at ${width}`);
				await page.context().close();
			}
		});
		await step("a chip of each, and of what no address should have", async () => {
			const page = await browser.open(`${stage.url}${everything}`);
			for (const name of NAMES.filter((name, i) => i % 5 === 0 && name.length < 100)) {
				const query = new URLSearchParams({
					severity: 0,
					slice: `name=${name}`,
					q: name.slice(0, 60),
					rows: name,
				});
				await page.goto(`${stage.url}/?${query}`);
				await page.locator("ul.chips li").first().waitFor();
				await sound(page, `a chip of ${name}`);
			}
			await page.context().close();
		});
		const [first] = found;
		await step(
			"notes, mutes and feedback by authors of such names, as long as it may be",
			async () => {
				for (const [i, name] of NAMES.entries()) {
					const text = i % 3 ? name : name.repeat(Math.floor(1000 / Buffer.byteLength(name)));
					const reply = await post(`anomalies/${first.id}/notes`, {
						text,
						author: name.slice(0, 30),
					});
					// White space alone is no note.
					assert.ok(reply.ok || !name.trim() || reply.status === 400, `${name}: ${reply.status}`);
				}
				const { start_ms: from_ms, through_ms, metric, slice, source } = first;
				for (const name of NAMES.slice(0, 12)) {
					const span = { from_ms, until_ms: through_ms, metric, slice, source };
					assert.ok((await post("notes", { ...span, text: name, author: "a" })).ok);
				}
				const mute = {
					id: first.id,
					for_ms: 3_600_000,
					text: NAMES[4],
					author: NAMES[0].slice(0, 30),
				};
				assert.ok((await post("mutes", mute)).ok);
				const said = { verdict: "unsure", text: NAMES[5], author: NAMES[6].slice(0, 30) };
				assert.ok((await post(`anomalies/${first.id}/feedback`, said)).ok);
			},
		);
		await step("64 KiB are refused, cleanly", async () => {
			for (const body of [
				{ text: "<b data-evil>".repeat(5041) },
				{ text: "x", author: "y".repeat(65536) },
			]) {
				const { status } = await post(`anomalies/${first.id}/notes`, body);
				assert.ok(status >= 400 && status < 500, String(status));
			}
		});
		await step("the page of every one of them", async () => {
			const page = await browser.open(`${stage.url}${everything}`);
			for (const row of found) {
				await page.goto(`${stage.url}/anomalies/${row.id}`);
				await page.getByRole("heading", { level: 1 }).waitFor();
				await page.getByRole("heading", { name: "What happened" }).waitFor();
				await sound(page, `the page of ${row.slice}`);
			}
			await page.context().close();
		});
		await step("with its chart and its table, narrow", async () => {
			const page = await browser.open(`${stage.url}/anomalies/${first.id}`, { width: 390 });
			await page.getByRole("figure").locator("canvas").first().waitFor();
			await page.getByRole("button", { name: "Show as a table" }).click();
			await sound(page, "its page, narrow");
			await page.keyboard.press("m");
			await page.getByRole("dialog", { name: "Mute alerts" }).waitFor();
			await sound(page, "its dialog, narrow");
			await page.context().close();
		});
		await step("the pipeline, with a producer of each name", async () => {
			const crowd = stage.start_crowd(NAMES);
			const shown = NAMES.map(cut);
			await until("all producers", async () => {
				const { producers } = await (await fetch(`${stage.url}/api/v1/pipeline`)).json();
				const programs = new Set(producers.map(({ program }) => program));
				return producers.length >= NAMES.length && shown.every((name) => programs.has(name));
			});
			for (const width of [1280, 390]) {
				const page = await browser.open(`${stage.url}/pipeline`, { width });
				await page.getByText("//example.invalid/x").first().waitFor();
				await sound(page, `the pipeline at ${width}`);
				await page.context().close();
			}
			assert.equal(crowd.code, undefined, said(crowd));
		});
		console.log(`PROOF console-hostile-names ${NAMES.length} 0`);
		console.log(`PROOF console-hostile-pages ${looks} 0`);
	},
	{ yaml: YAML },
);
