#!/usr/bin/env bash
# console_templates: the calls that the build puts in the place of html`...` draw what htm itself makes
# of the same template, and what templates.mjs does not know ends the build.
#   console_templates.sh NODE_MODULES
set -euo pipefail
export ROOT MODULES
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
MODULES=$(cd "$1" && pwd)
exec node --input-type=module - <<'SCRIPT'
import { deepStrictEqual, match, notStrictEqual, strictEqual } from "node:assert";
import { spawnSync } from "node:child_process";
import { pathToFileURL } from "node:url";

const { ROOT, MODULES } = process.env;
const { default: htm } = await import(pathToFileURL(`${MODULES}/htm/dist/htm.mjs`));
const h = (type, props, ...children) => ({ type, props: { ...props }, children });

function made(files) {
	const input = JSON.stringify(files);
	return spawnSync("node", [`${ROOT}/tools/console/templates.mjs`, MODULES], { input, encoding: "utf8" });
}

const CASES = [
	"html`a text`",
	"html`<p>one <b>two</b> three</p>`",
	"html`<p class=\"x\" title='y' hidden data-a=1>${n}</p>`",
	"html`<${Part} of=${n} ...${more} late />`",
	"html`<${Part} ...${more} of=${n}>${text}<//>`",
	"html`<li>${n}</li><li>${text}</li>`",
	"html`\n\t<ul>\n\t\t${[1, 2].map((i) => html`<li key=${i}>${i} of ${n}</li>`)}\n\t</ul>\n`",
	"html`<p>${n > 1 && html`<b>${(() => html`<i/>`)()}</b>`} and </p>`",
	"html`<p>${n}<!-- ${text} --></p>`",
	"html`<p title=\"${n}\">\\u00b7 \"quoted\" </p>`",
	"((a) => html`<p onClick=${() => ({ a }, n)}>${`${a}-${n}`}</p>`)(3)",
];
const text = CASES.map((code) => `() => ${code}`).join(",\n");
const run = (code, html) =>
	new Function("html", "n", "text", "more", "Part", `return [${code}]`)(
		html, 7, "<b>", { late: 1, of: 2 }, "part");
const { stdout, stderr } = made({ "a.js": `[${text}];\n`, "ui.js":
	'export {\n\thtml,\n\trender,\n} from "../vendor/htm-preact.js";\n', "other.js": "html;\n" });
strictEqual(stderr, "");
const files = JSON.parse(stdout);
const code = files["a.js"].trim().slice(1, -2);
strictEqual(/html`/.test(code), false, "no template is left");
// A function is not equal to another: what it is written as is.
const plain = (drawn) => JSON.parse(JSON.stringify(drawn ?? "", (_, value) =>
	typeof value === "function" ? "a function" : value));
const expected = run(text, htm.bind(h));
run(code, h).forEach((draw, index) =>
	deepStrictEqual(plain(draw()), plain(expected[index]()), CASES[index]));
match(files["ui.js"], /\th as html,\n\trender,/);
strictEqual(files["other.js"], "html;\n");

for (const [what, file, words] of [
	["a text and more as one value", 'html`<p class="a ${b}" />`;', /a\.js: class=.* not known/],
	["what is no module", "html`<p>${`;", /a\.js: /],
]) {
	const { status, stderr } = made({ "a.js": file });
	notStrictEqual(status, 0, what);
	match(stderr, words, what);
}
console.log(`console_templates: ${CASES.length} templates draw the same`);
SCRIPT
