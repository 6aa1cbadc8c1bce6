/*
 * templates: html`<p class="x">${y}</p>` as the calls that it stands for, h("p", {class: "x"}, y), so
 * that no browser reads templates.
 *
 *	node templates.mjs NODE_MODULES <{path: text} >{path: text}
 *
 * htm itself reads them, here, so they mean what they mean in pages that run as they are written. What
 * imports html has h by that name afterwards. A template of a form that is not known ends the build.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const packaged = (path) => import(pathToFileURL(join(resolve(process.argv[2]), path)));
const { parse } = await packaged("acorn/dist/acorn.mjs");
const { build } = await packaged("htm/src/build.mjs");
const DRAWING = /\/htm-preact\.js$/;

// What htm makes of a template: a list of these, each with the number of an expression, or a constant.
const CHILD = 0;
const ELEMENT = 2;
const TAG = 3;
const ALL_PROPS = 4;
const PROP = 5;

function* read(list) {
	for (let at = 1; at < list.length; ) {
		const [kind, field, constant] = list.slice(at, at + 3);
		at += 3;
		yield { kind, field, constant, name: kind < PROP ? null : list[at++] };
	}
}

// As a browser shows it: a line's end within a text is a space.
const written = (constant) =>
	JSON.stringify(typeof constant === "string" ? constant.replace(/\s*\n\s*/g, " ") : constant);

function parts(list, fields) {
	const found = { tag: '""', props: [], children: [] };
	for (const { kind, field, constant, name } of read(list)) {
		const value = field ? fields[field - 1] : null;
		if (kind === ELEMENT) found.children.push(call(constant, fields));
		else if (kind === CHILD) found.children.push(value ?? written(constant));
		else if (kind === TAG) found.tag = value ?? written(constant);
		else if (kind === ALL_PROPS) found.props.push(`...${value}`);
		else if (kind === PROP) found.props.push(`${JSON.stringify(name)}:${value ?? written(constant)}`);
		else throw new Error(`${name}="text and \${more}" is not known to templates.mjs`);
	}
	return found;
}

function call(list, fields) {
	const { tag, props, children } = parts(list, fields);
	const all = props.length ? `{${props.join(",")}}` : "null";
	return `html(${[tag, all, ...children].join(",")})`;
}

function template({ quasi }, text) {
	const fields = quasi.expressions.map((expression) => `(${compiled(expression, text)})`);
	const texts = quasi.quasis.map(({ value }) => value.cooked);
	const { children } = parts(build(texts, ...fields), fields);
	return children.length === 1 ? children[0] : `[${children.join(",")}]`;
}

// {from, until, text} of what is to be put in the place of parts of a node.
function* changes(node, text) {
	const { type, start, end } = node;
	if (type === "TaggedTemplateExpression" && node.tag.name === "html")
		return yield { start, end, text: template(node, text) };
	if (type === "ExportNamedDeclaration" && DRAWING.test(node.source?.value)) {
		const html = node.specifiers.find(({ local }) => local.name === "html");
		if (html) yield { start: html.start, end: html.end, text: "h as html" };
		return;
	}
	for (const below of Object.values(node).flat()) if (below?.type) yield* changes(below, text);
}

function compiled(node, text) {
	let made = "";
	let at = node.start;
	for (const change of changes(node, text)) {
		made += text.slice(at, change.start) + change.text;
		at = change.end;
	}
	return made + text.slice(at, node.end);
}

const files = JSON.parse(readFileSync(0, "utf8"));
for (const [path, text] of Object.entries(files)) {
	try {
		const program = parse(text, { ecmaVersion: 2022, sourceType: "module" });
		files[path] = text.slice(0, program.start) + compiled(program, text) + text.slice(program.end);
	} catch (error) {
		process.stderr.write(`${path}: ${error.message}\n`);
		process.exit(1);
	}
}
process.stdout.write(JSON.stringify(files));
