/*
 * story: a test of the console: a stage, a browser, and steps that are told as they are done. Any
 * step that throws fails the test, and so does anything that the browser complained of. At the end a
 * line PROOF counts what tests/README.md promises.
 */
import assert from "node:assert/strict";
import { Browser } from "./browser.mjs";
import { SHOP, Stage } from "./stage.mjs";

export { assert };

/** What a person reads there; of several places, one in a line. */
export async function words(locator) {
	return (await locator.allInnerTexts()).join("\n").replaceAll(/[\u00a0\u2009\u202f]/g, " ");
}

/**
 * told: the test's name. play: async ({stage, browser, step}). yaml: of the engine beside its places.
 */
export async function story(told, play, { yaml = SHOP } = {}) {
	const stage = new Stage(yaml);
	const browser = new Browser();
	const begun = Date.now();
	let steps = 0;
	let doing = "the stage is set";
	const step = async (what, act) => {
		doing = what;
		await act();
		steps++;
		console.log(`${((Date.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${what}`);
	};
	let passed = false;
	try {
		await stage.start_redis();
		await stage.start_engine();
		await browser.start();
		await play({ stage, browser, step });
		assert.deepEqual(browser.complaints, [], "the browser complained");
		passed = true;
	} catch (error) {
		console.log(`FAILED: ${told}: ${doing}`);
		console.log(error.stack ?? error);
		for (const complaint of browser.complaints.slice(0, 20)) console.log(`  ${complaint}`);
		await browser.picture(stage.path("page.png")).catch(() => {});
	}
	await browser.end().catch(() => {});
	await stage.end(passed);
	console.log(`PROOF console-steps ${steps} ${passed ? 0 : 1}`);
	console.log(`PROOF console-complaints ${browser.pages} ${browser.complaints.length}`);
	process.exitCode = passed ? 0 : 1;
}
