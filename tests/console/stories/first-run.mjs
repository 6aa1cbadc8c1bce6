/*
 * first-run: an engine that has seen nothing: the steps to the first event are ticked as they are
 * done; the button brings a shop's weeks; then the first page is the usual one.
 */
import { chmodSync, writeFileSync } from "node:fs";
import { until } from "../stage/processes.mjs";
import { assert, story, words } from "../stage/story.mjs";

await story("first-run", async ({ stage, browser, step }) => {
	// The real shop, with a hundredth of its traffic.
	const shop = stage.path("small-shop");
	writeFileSync(shop, `#!/bin/sh\nexec "$WEIR_BUILD/tools/shop/weir-shop" "$@" --rate 60\n`);
	chmodSync(shop, 0o755);
	await stage.start_console(["--shop", shop]);
	const page = await browser.open(stage.url);
	const main = page.getByRole("main");
	const steps = main.locator("ol > li");

	await step("it says what to do, step by step", async () => {
		await main.getByRole("heading", { level: 1 }).waitFor();
		const { steps: wanted } = (await (await fetch(`${stage.url}/api/v1/session`)).json()).first_run;
		assert.ok(wanted.length >= 4);
		const told = await words(steps);
		// What is to be typed stands apart, and only of the next one.
		for (const { text } of wanted) {
			const [head] = text.split(/:|, for example/);
			assert.ok(told.includes(head.trim()), `${head} in ${told}`);
		}
		assert.match(told, /Done:/);
		assert.match(told, /Next:/);
	});
	await step("a step is ticked by itself when it is done, and only then", async () => {
		const alerts = steps.filter({ hasText: "Name a Redis" });
		const is_done = async () => (await words(alerts)).includes("Done:");
		await until("Redis to be there", is_done);
		await stage.stop_redis();
		await until("Redis to be gone", async () => !(await is_done()));
		await stage.start_redis();
		await until("Redis to be there again", is_done);
	});
	await step("the button brings a shop's weeks, without loading the page anew", async () => {
		await page.evaluate(() => {
			window.__not_loaded_anew = true;
		});
		await main.getByRole("button", { name: /made-up shop/ }).click();
		await until("the usual page", async () => (await main.getByRole("slider").count()) === 1);
		assert.equal(await page.evaluate(() => window.__not_loaded_anew), true);
	});
	await step("its metrics are there, today against expected", async () => {
		const today = main.getByRole("region", { name: /^Today/ });
		await today.getByRole("button", { name: /^Orders/ }).waitFor();
		assert.match(await words(today), /Page views/);
	});
	await step("the button is no more, and asking again is refused", async () => {
		const asked = await fetch(`${stage.url}/api/v1/demo`, {
			method: "POST",
			headers: { "Content-Type": "application/json", Origin: stage.url },
			body: "{}",
		});
		assert.equal(asked.status, 409);
	});
});
