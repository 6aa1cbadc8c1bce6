/*
 * haste: answers that come late, and hands that are quick: what was asked for before never replaces
 * what was asked for after, and what is said once is kept once.
 */
import { until } from "../stage/processes.mjs";
import { play_incident, play_weeks } from "../stage/scenes.mjs";
import { assert, story, words } from "../stage/story.mjs";

const LATE_MS = 1500;

await story("haste", async ({ stage, browser, step }) => {
	await play_weeks(stage);
	await play_incident(stage);
	await stage.start_console();
	const home = `${stage.url}/?severity=0&range=all`;
	const late = async (route) => {
		await new Promise((resolve) => setTimeout(resolve, LATE_MS));
		await route.continue();
	};

	await step("a page whose answers are late is there all the same", async () => {
		const page = await browser.open("about:blank");
		await page.route(/\/api\/v1\/(session|overview)/, late);
		await page.goto(home);
		await page.locator("ol > li[data-id]").first().waitFor();
		await page.context().close();
	});
	// Where this machine is, and how its clock goes, are not the shop's.
	const page = await browser.open("about:blank", { timezoneId: "Asia/Tokyo" });
	const main = page.getByRole("main");
	const rows = page.locator("ol > li[data-id]");
	await step("more of the list before does not come into the list after", async () => {
		let isAsked = false;
		await page.route(/\/api\/v1\/anomalies\?/, async (route) => {
			const url = new URL(route.request().url());
			const isMore = url.searchParams.has("cursor");
			url.searchParams.delete("cursor");
			const reply = await route.fetch({ url: url.href });
			const answer = await reply.json();
			if (isMore) {
				for (const row of answer.rows) row.id = row.id.replace(/^..../, "ffff");
				isAsked = true;
				await new Promise((resolve) => setTimeout(resolve, LATE_MS));
			}
			// Each list says that it goes on.
			await route.fulfill({ response: reply, json: { ...answer, cursor: isMore ? null : "0" } });
		});
		await page.goto(home);
		await rows.first().waitFor();
		const all = await rows.count();
		await page.getByRole("button", { name: "Show more" }).click();
		await until("more is asked for", () => isAsked);
		await page.getByRole("button", { name: /^Metric/ }).click();
		await page.getByRole("menuitemcheckbox", { name: /^Orders/ }).click();
		await page.keyboard.press("Escape");
		await until("fewer rows", async () => (await rows.count()) < all);
		await page.waitForTimeout(LATE_MS + 500);
		const shown = await rows.evaluateAll((list) => list.map(({ dataset }) => dataset.id));
		assert.deepEqual(
			shown.filter((id) => id.startsWith("ffff")),
			[],
		);
		assert.ok(shown.length < all, `${shown.length} of ${all}`);
		await page.unrouteAll();
	});
	await step("what is typed stays on its page", async () => {
		await page.goto(home);
		await page.getByRole("searchbox").fill("mobile");
		await page.keyboard.press("Escape");
		await page.keyboard.press("4");
		await main.getByRole("heading", { name: "Pipeline", level: 1 }).waitFor();
		await page.waitForTimeout(600);
		assert.equal(new URL(page.url()).search, "");
	});
	await step("a mute from the list, until a time of the shop's zone", async () => {
		await page.goto(home);
		await rows.first().waitFor();
		await page.keyboard.press("j");
		const link = await page.evaluate(() => document.activeElement.href);
		await page.keyboard.press("m");
		const dialog = page.getByRole("dialog", { name: "Mute alerts" });
		await dialog.getByRole("radio", { name: /^Until/ }).check();
		await dialog.getByLabel(/time of UTC/).fill("2030-06-01T18:00");
		await dialog.getByRole("radio", { name: "this anomaly only" }).check();
		await dialog.getByRole("button", { name: "Mute" }).dblclick();
		await dialog.waitFor({ state: "hidden" });
		const id = new URL(link).pathname.split("/").at(-1);
		const { mutes } = await (await fetch(`${stage.url}/api/v1/anomalies/${id}`)).json();
		assert.deepEqual(
			mutes.map(({ until_ms }) => until_ms),
			[Date.UTC(2030, 5, 1, 18)],
		);
		assert.match(await words(page.getByRole("status")), /Muted until Sat 1 Jun 2030, 18:00/);
		assert.equal(await page.evaluate(() => document.activeElement.href), link);
		await page.keyboard.press("Enter");
		await main.getByText("Muted until").waitFor();
	});
	await step("a note is kept once, however often the button is pressed", async () => {
		await page.keyboard.press("w");
		const dialog = page.getByRole("dialog", { name: "Annotate" });
		await dialog.getByLabel("Note").fill("said once");
		await dialog.getByRole("button", { name: "Keep the note" }).dblclick();
		await dialog.waitFor({ state: "hidden" });
		const id = new URL(page.url()).pathname.split("/").at(-1);
		await until("the note", async () => (await words(main)).includes("said once"));
		await page.waitForTimeout(500);
		const { timeline } = await (await fetch(`${stage.url}/api/v1/anomalies/${id}`)).json();
		const notes = timeline.filter(({ kind, text }) => kind === "note" && text === "said once");
		assert.equal(notes.length, 1);
	});
});
