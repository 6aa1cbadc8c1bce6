/*
 * chromium: Debian's, by playwright-core, and how it is started: nothing of it asks the internet for
 * anything.
 */
import { createRequire } from "node:module";

export const installed = createRequire(`${process.env.WEIR_MODULES}/`);

const FLAGS = [
	"--disable-gpu",
	"--disable-quic",
	"--no-first-run",
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-sync",
];

/** A Chromium that was started; close() ends it. */
export function launch() {
	const root = process.getuid() === 0; // whom Chromium runs without its sandbox alone
	return installed("playwright-core").chromium.launch({
		executablePath: process.env.WEIR_CHROMIUM,
		args: root ? [...FLAGS, "--no-sandbox"] : FLAGS,
		chromiumSandbox: !root,
	});
}
