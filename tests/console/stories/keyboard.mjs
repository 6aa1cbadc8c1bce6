/*
 * keyboard: a whole visit without a pointer: from the first key to an anomaly that is judged, muted
 * and annotated, and back.
 */
import { until } from "../stage/processes.mjs";
import { play_incident, play_weeks } from "../stage/scenes.mjs";
import { assert, story, words } from "../stage/story.mjs";

await story("keyboard", async ({ stage, browser, step }) => {
	await play_weeks(stage);
	await play_incident(stage);
	await stage.start_console();
	const page = await browser.open(stage.url);
	const main = page.getByRole("main");
	const rows = main.locator("ol > li[data-id]");
	const focused = () =>
		page.evaluate(() => document.activeElement?.closest("li[data-id]")?.dataset.id ?? null);
	const press = (...keys) =>
		keys.reduce((last, key) => last.then(() => page.keyboard.press(key)), Promise.resolve());
	const severity = () => Number(new URL(page.url()).searchParams.get("severity") ?? 50);
	const operator = (id) =>
		stage.ctl_json("anomalies").find(({ data }) => data.id === id)?.operator ?? {};

	await rows.first().waitFor();
	await step("the first Tab leads past the navigation", async () => {
		await press("Tab");
		const skip = page.getByRole("link", { name: "Skip to the content" });
		assert.ok(await skip.evaluate((link) => link === document.activeElement));
		await press("Enter");
		await until("the content to have the focus", () =>
			page.evaluate(
				() => document.activeElement?.id === "main" || window.location.hash === "#main",
			),
		);
	});
	await step("[ and ] move the severity", async () => {
		await press("[", "[");
		await until("40", () => severity() === 40);
		await press("]");
		await until("45", () => severity() === 45);
	});
	await step("every stop of Tab can be seen", async () => {
		for (let i = 0; i < 40; i++) {
			await press("Tab");
			const hidden = await page.evaluate(() => {
				const at = document.activeElement;
				if (!at || at === document.body) return null;
				const { width, height } = at.getBoundingClientRect();
				const marks = [null, "::after"].map((part) => window.getComputedStyle(at, part));
				const marked = marks.some(
					({ outlineStyle, boxShadow }) => outlineStyle !== "none" || boxShadow !== "none",
				);
				return width > 0 && height > 0 && (marked || at.matches("input[type=range]"))
					? null
					: at.outerHTML.slice(0, 200);
			});
			assert.equal(hidden, null, "no sign of the focus");
		}
	});
	await step("/ searches, Escape leaves the search", async () => {
		await press("/");
		await page.keyboard.type("IT");
		await until(
			"the search in the address",
			() => new URL(page.url()).searchParams.get("q") === "IT",
		);
		await press("Escape");
		assert.ok(await page.evaluate(() => document.activeElement?.id !== "search"));
		await page.goBack();
		await until("no search", () => !new URL(page.url()).searchParams.get("q"));
	});
	await step("j and k go through the list", async () => {
		const ids = await rows.evaluateAll((all) => all.map(({ dataset }) => dataset.id));
		assert.ok(ids.length >= 2, `${ids.length} rows`);
		await press("j");
		await until("the first row", async () => (await focused()) === ids[0]);
		await press("j");
		await until("the second row", async () => (await focused()) === ids[1]);
		await press("k");
		await until("the first row again", async () => (await focused()) === ids[0]);
	});
	let id;
	await step("Enter opens it, Escape goes back, Enter opens it again", async () => {
		id = await focused();
		await press("Enter");
		await page.waitForURL(new RegExp(id));
		await main.getByRole("heading", { level: 1 }).waitFor();
		await press("Escape");
		await page.waitForURL((url) => url.pathname === "/");
		await page.goBack();
		await page.waitForURL(new RegExp(id));
		await main.getByRole("button", { name: "Mute", exact: true }).waitFor();
	});
	await step("y, n and u judge it", async () => {
		for (const [key, verdict] of [
			["y", "yes"],
			["n", "no"],
			["u", "unsure"],
		]) {
			await press(key);
			await until(verdict, () => operator(id).feedback?.verdict === verdict);
		}
	});
	await step("a acknowledges it", async () => {
		await press("a");
		await until("the engine to know", () => operator(id).ack);
	});
	await step("m mutes it for the time that is chosen", async () => {
		await press("m");
		const dialog = page.getByRole("dialog", { name: "Mute alerts" });
		await dialog.waitFor();
		await press("Escape");
		await dialog.waitFor({ state: "hidden" });
		// The page hears of the end of a dialog a moment after it.
		await until("the dialog again", async () => {
			await press("m");
			return dialog.isVisible();
		});
		await dialog.getByRole("radio", { name: "1 hour" }).focus();
		await press("ArrowDown", "Enter");
		await dialog.waitFor({ state: "hidden" });
		const mutes = stage.ctl_json("mute", "--list", "--all");
		assert.equal(mutes.length, 1);
		// From now on, by the clock of the data.
		const { rows: listed } = await (await fetch(`${stage.url}/api/v1/anomalies?limit=1`)).json();
		const hours = (mutes[0].until_ms - listed[0].source_through_ms) / 3600000;
		assert.ok(hours > 23 && hours < 25, `${hours} hours`);
	});
	await step("w writes a note", async () => {
		await press("w");
		const dialog = page.getByRole("dialog", { name: "Annotate" });
		await dialog.getByLabel("Note").focus();
		await page.keyboard.type("no pointer was used: y n m j k");
		await press("Tab", "Tab", "Enter");
		await dialog.waitFor({ state: "hidden" });
		await until(
			"the note",
			() => operator(id).notes?.[0]?.text === "no pointer was used: y n m j k",
		);
	});
	await step("? tells these keys", async () => {
		await press("?");
		const help = page.getByRole("dialog", { name: "Help" });
		await help.waitFor();
		const keys = await help.locator("kbd").allInnerTexts();
		for (const key of ["y", "n", "m", "a", "w"]) assert.ok(keys.includes(key), `${key} in ${keys}`);
		await press("Escape");
		assert.ok(!(await words(page.getByRole("dialog"))).includes("Help"));
	});
	await step("n in the list judges the row that has the focus, and can be taken back", async () => {
		await page.goto(`${stage.url}/?severity=0`);
		await rows.first().waitFor();
		await press("j");
		await until("a row", focused);
		const other = await focused();
		await press("n");
		await until("the verdict", () => operator(other).feedback?.verdict === "no");
		const undo = page.getByRole("button", { name: "Undo" });
		await undo.focus();
		await press("Enter");
		await until("it to be taken back", () => operator(other).feedback?.verdict !== "no");
	});
});
