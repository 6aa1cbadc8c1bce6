/*
 * anomaly: the page of one incident: every number on it is the engine's; its chart can be read, moved
 * and compared; every action on it reaches the engine and can be taken back.
 */
import { until } from "../stage/processes.mjs";
import { NOON_MS, play_incident, play_weeks } from "../stage/scenes.mjs";
import { assert, story, words } from "../stage/story.mjs";

await story("anomaly", async ({ stage, browser, step }) => {
	await play_weeks(stage);
	await play_incident(stage);
	await stage.start_console();
	const page = await browser.open(stage.url, {
		permissions: ["clipboard-read", "clipboard-write"],
	});
	const main = page.getByRole("main");
	const section = (name) =>
		main.locator("section").filter({ has: page.getByRole("heading", { name, exact: true }) });
	const button = (name) => main.getByRole("button", { name, exact: true });
	const dialog = (name) => page.getByRole("dialog", { name });
	const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
	const query = (name) => new URL(page.url()).searchParams.get(name);

	let id;
	/** What the engine says was said of it. */
	const operator = () =>
		stage.ctl_json("anomalies").find(({ data }) => data.id === id)?.operator ?? {};
	const detail = async () => (await fetch(`${stage.url}/api/v1/anomalies/${id}`)).json();

	await step("a row of the list leads to it", async () => {
		await main
			.getByRole("link", { name: /^Orders for .*country=IT/ })
			.last()
			.click();
		await page.waitForURL(/\/anomalies\/[0-9a-f]{32}/);
		id = new URL(page.url()).pathname.split("/").at(-1);
		const title = main.getByRole("heading", { level: 1 });
		await title.waitFor();
		assert.match(await words(title), /Orders for .*country=IT.* are \d+ % below expected/);
		await until("its name in the title", async () => (await page.title()).includes("country=IT"));
	});
	await step("observed, expected, difference, loss and severity are the engine's", async () => {
		const { row } = await detail();
		const facts = await words(main.locator("dl.facts"));
		for (const term of ["Observed", "Expected", "Difference", "Lost", "Severity"])
			assert.ok(facts.includes(term), `${term} in ${facts}`);
		assert.ok(facts.includes(String(row.observed)), `${row.observed} in ${facts}`);
		assert.ok(facts.includes(String(Math.floor(row.peak))), `${row.peak} in ${facts}`);
		assert.equal(row.start_ms, NOON_MS);
		assert.match(facts, /fewer orders than expected/);
	});
	await step("what is lost is what the chart says, added up", async () => {
		const { row } = await detail();
		const query = new URLSearchParams({
			metric: row.metric,
			slice: row.slice,
			source: row.source,
			from_ms: row.start_ms,
			step_ms: row.interval_ms,
			...(row.end_ms === null ? {} : { to_ms: row.end_ms }),
		});
		const chart = await (await fetch(`${stage.url}/api/v1/chart?${query}`)).json();
		const lost = chart.value.reduce((sum, value, i) => sum + chart.expected[i] - value, 0);
		await until("the sum", async () => {
			const [, shown] = (await words(main.locator("dl.facts"))).match(/Lost\s*([\d,.]+)/) ?? [];
			return shown && Math.abs(Number(shown.replaceAll(",", "")) - lost) <= 1;
		});
	});
	await step("the contributions of each dimension add up to 100 %", async () => {
		const { contributions } = await detail();
		assert.ok(contributions.length >= 1);
		for (const { dimension, values } of contributions) {
			const sum = values.reduce((all, { share }) => all + share, 0);
			assert.ok(Math.abs(sum - 1) < 1e-6, `${dimension}: ${sum}`);
			const told = main.locator("section.dimension").filter({ hasText: dimension });
			const shares = [...(await words(told)).matchAll(/([\d.]+) %/g)].map(([, part]) =>
				Number(part),
			);
			const shown = shares.reduce((all, part) => all + part, 0);
			assert.ok(Math.abs(shown - 100) <= 2, `${dimension}: ${shares} %`);
		}
	});
	await step("how the severity came about, with its own numbers", async () => {
		const { came_about } = await detail();
		const told = await words(section("How severe, and why"));
		assert.match(told, /By chance alone/);
		assert.ok(told.includes(`${Math.floor(came_about.fires_at)}`), told);
	});
	await step("what else moved, and the series that are affected", async () => {
		const { related, members } = await detail();
		const moved = await words(section("What else moved"));
		for (const { metric } of related)
			assert.ok(moved.toLowerCase().includes(metric.replaceAll("_", " ")), `${metric} in ${moved}`);
		if (members.length > 1) await section("Affected series").getByRole("link").first().waitFor();
	});
	await step(
		"the chart: a figure with a table, arrow keys, zoom, ranges and comparisons",
		async () => {
			const figure = page.getByRole("figure", { name: /^Chart of Orders/ });
			await figure.waitFor();
			await until("a drawing", () =>
				figure
					.locator("canvas")
					.first()
					.evaluate(({ width }) => width > 100),
			);
			const table = main.getByRole("table").first();
			assert.match((await table.allTextContents()).join(), /Expected/);
			await figure.focus();
			const spoken = main.locator("section.hero [aria-live=polite]");
			await page.keyboard.press("ArrowLeft");
			await until("a point to be told", async () =>
				/\d/.test((await spoken.allTextContents()).join()),
			);
			const first = (await spoken.allTextContents()).join();
			await page.keyboard.press("ArrowLeft");
			await until("another point", async () => (await spoken.allTextContents()).join() !== first);
			const address = page.url();
			await button("Zoom out").click();
			await until("the span in the address", () => page.url() !== address);
			await button("Show as a table").click();
			await main.getByRole("region", { name: "Data of the chart" }).waitFor();
			await button("Hide the table").click();
			const week = main.getByRole("button", { name: /last week|week before/i }).first();
			const pressed = await week.getAttribute("aria-pressed");
			await week.click();
			await until(
				"the comparison to change",
				async () => (await week.getAttribute("aria-pressed")) !== pressed,
			);
		},
	);
	await step("a contribution opens its chart, and back", async () => {
		await main.locator("section.dimension").getByRole("button").first().click();
		await until("the slice in the address", () => query("of"));
		await page.getByRole("figure", { name: new RegExp(query("of").split("=")[1]) }).waitFor();
		await button("back to the anomaly's own").click();
		await until("no slice in the address", () => !query("of"));
	});
	await step("acknowledge", async () => {
		await button("Acknowledge").click();
		await button("Acknowledged").waitFor();
		await until("the engine to know", () => operator().ack);
		await until("it in the timeline", async () =>
			/Acknowledged/.test(await words(section("What happened"))),
		);
	});
	await step("annotate: a note on it, and on the charts", async () => {
		await button("Annotate").click();
		await dialog("Annotate").getByLabel("Note").fill("the payment provider is down");
		await dialog("Annotate").getByRole("button", { name: "Keep the note" }).click();
		await dialog("Annotate").waitFor({ state: "hidden" });
		await until("it in the timeline", async () =>
			(await words(section("What happened"))).includes("the payment provider is down"),
		);
		assert.equal(operator().notes[0].text, "the payment provider is down");
		const spans = stage.ctl_json("annotate", "--list").filter(({ from_ms }) => from_ms === NOON_MS);
		assert.equal(spans.length, 1);
	});
	await step("mute for an hour, and end it", async () => {
		await button("Mute").click();
		await dialog("Mute alerts").getByRole("radio", { name: "1 hour" }).check();
		await dialog("Mute alerts").getByRole("radio", { name: "this anomaly only" }).check();
		await dialog("Mute alerts").getByLabel("Why, for who wonders later").fill("known");
		await dialog("Mute alerts").getByRole("button", { name: "Mute", exact: true }).click();
		await button("End the mute").waitFor();
		const mutes = () => stage.ctl_json("mute", "--list", "--all").filter(({ ended }) => !ended);
		const [mute] = mutes();
		assert.equal(mute.text, "known");
		assert.match(await words(main.locator("ul.mutes")), /Muted until .*known/);
		await button("End the mute").click();
		await button("End the mute").waitFor({ state: "hidden" });
		assert.deepEqual(mutes(), []);
	});
	await step("was it real: yes, no, not sure, with a note, and back", async () => {
		for (const [name, verdict] of [
			["Yes", "yes"],
			["No", "no"],
			["Not sure", "unsure"],
		]) {
			await button(name).click();
			await until(`${verdict} at the engine`, () => operator().feedback?.verdict === verdict);
			const pressed = async () => (await button(name).getAttribute("aria-pressed")) === "true";
			await until(`${verdict} on the page`, pressed);
		}
		await main.getByLabel("Why, for who reads it later").fill("ask finance");
		await button("Add the note").click();
		await until("the note at the engine", () => operator().feedback?.text === "ask finance");
		await until("it on the page", async () => (await words(main)).includes("ask finance"));
		await main.locator(".verdict").getByRole("button", { name: "Undo" }).click();
		await until("it to be taken back", () => operator().feedback?.text !== "ask finance");
	});
	await step("copy the command and the JSON", async () => {
		await button("Copy command").click();
		await until("a command", async () => (await clipboard()).startsWith("weirctl "));
		assert.ok((await clipboard()).includes(id.slice(0, 12)));
		await button("Copy JSON").click();
		await until("JSON", async () => (await clipboard()).startsWith("{"));
		assert.equal(JSON.parse(await clipboard()).data.id, id);
	});
	await step("its revisions come by themselves", async () => {
		const revisions = (await detail()).revisions.length;
		await page.evaluate(() => {
			window.__not_loaded_anew = true;
		});
		const to_ms = NOON_MS + 4 * 3_600_000;
		await stage.play({ from_ms: NOON_MS + 3_600_000, to_ms });
		await until("a revision", async () => (await detail()).revisions.length > revisions);
		// "No" is what stands in the end.
		await until("its end on the page", async () => {
			const told = await words(main.locator("header").first());
			return told.includes("Dismissed") && !told.includes("going on");
		});
		assert.equal(await page.evaluate(() => window.__not_loaded_anew), true);
	});
	await step("an id that is none says so, and leads home", async () => {
		browser.forgive(/anomalies\/ffffffff|status of 404/);
		await page.goto(`${stage.url}/anomalies/ffffffffffffffffffffffffffffffff`);
		await main.getByRole("alert").waitFor();
		await main.getByRole("link").first().click();
		await page.waitForURL((url) => url.pathname === "/");
	});
});
