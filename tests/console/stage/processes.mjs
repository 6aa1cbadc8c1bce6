/*
 * processes: programs that a test starts, each stopped by its process id, also when the test fails
 * or is interrupted; and waiting for something that becomes true.
 */
import { spawn, spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";

const running = new Set();

/** What ends the wait for anything here: machines may be ten times slower, and loaded. */
export const PATIENCE_S = 90;

export function pause(ms) {
	return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Ask again and again until the answer is truthy, and return it. */
export async function until(what, probe, seconds = PATIENCE_S) {
	const end = Date.now() + seconds * 1000;
	for (;;) {
		let last;
		try {
			const answer = await probe();
			if (answer) return answer;
		} catch (error) {
			if (error.final) throw error;
			last = error;
		}
		if (Date.now() > end) throw new Error(`waited in vain for ${what}${last ? `: ${last}` : ""}`);
		await pause(40);
	}
}

/** A program that runs until it is stopped; what it says goes into the file `log`. */
export function start(program, operands, { log, cwd, env } = {}) {
	const out = openSync(log, "a");
	const child = spawn(program, operands, {
		cwd,
		env: { ...process.env, ...env },
		stdio: ["ignore", out, out],
	});
	closeSync(out);
	child.log = log;
	child.ended = new Promise((resolve) => {
		child.on("error", (error) => {
			child.failed = error;
			resolve(127);
		});
		child.on("exit", (code, signal) => {
			running.delete(child);
			child.code = code ?? signal;
			resolve(child.code);
		});
	});
	running.add(child);
	return child;
}

export function said(child) {
	return readFileSync(child.log, "utf8");
}

/** Until `child` has said something; its words if it ends before. */
export function ready(child, words) {
	return until(`${child.spawnfile} to say "${words}"`, () => {
		if (child.failed || child.code !== undefined)
			throw Object.assign(new Error(`it ended with ${child.code}: ${said(child)}`), {
				final: true,
			});
		return said(child).includes(words);
	});
}

/** Ask it to end, and insist. Its exit code, or the signal that ended it. */
export async function stop(child, signal = "SIGTERM") {
	if (!child || child.code !== undefined || !child.pid) return child?.code;
	child.kill(signal);
	const insist = setTimeout(() => child.kill("SIGKILL"), 30000);
	const code = await child.ended;
	clearTimeout(insist);
	return code;
}

/** A program that does its work and ends: what it printed. Another exit code than `wanted` throws. */
export function run(program, operands, { wanted = 0, input, env } = {}) {
	const done = spawnSync(program, operands, {
		encoding: "utf8",
		input,
		env: { ...process.env, ...env },
		timeout: PATIENCE_S * 2000,
		maxBuffer: 1 << 28,
	});
	if (done.status !== wanted)
		throw new Error(
			`${program} ${operands.join(" ")} ended with ${done.status ?? done.signal ?? done.error}: ` +
				`${done.stderr}${done.stdout}`,
		);
	return done.stdout;
}

/** A port that nobody listens on. */
export function free_port() {
	return new Promise((resolve, reject) => {
		const server = createServer();
		server.on("error", reject);
		server.listen(0, "127.0.0.1", () => {
			const { port } = server.address();
			server.close(() => resolve(port));
		});
	});
}

// Whatever ends this process takes with it what it started.
process.on("exit", () => {
	for (const child of running) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
	process.on(signal, () => process.exit(128 + (signal === "SIGINT" ? 2 : 15)));
