// filter_bar: what the list is narrowed to, and by what it can be: one menu for each kind of filter
// with what there is of it, a search, and a chip for each that is set.

import { LISTS, RANGES, USUAL_RANGE } from "../base/filters.js";
import { span, title } from "../base/format.js";
import { statusWord } from "../base/sentence.js";
import { html, useEffect, useRef, useState } from "../base/ui.js";
import { Icon } from "./icons.js";
import { Menu } from "./menu.js";
import { Name } from "./text.js";
import { TimeFields } from "./time_fields.js";

const LABELS = {
	metric: "Metric",
	slice: "Where",
	status: "Status",
	detector: "Detector",
	direction: "Direction",
};
const SIDES = { up: "Above expected", down: "Below expected" };
const TYPING_MS = 250;

function worded(name, value) {
	if (name === "status") return statusWord(value);
	if (name === "direction") return SIDES[value] ?? value;
	return name === "metric" ? title(value) : value;
}

// What can be chosen; what is chosen stays there, also when there is none of it.
function optionsOf(name, facets, chosen) {
	if (name === "slice") {
		const options = Object.entries(facets?.dimension ?? {}).flatMap(([dimension, values]) =>
			values.map(([value, count]) => ({
				value: `${dimension}=${value}`,
				label: value || "(empty)",
				count,
				group: title(dimension),
			})),
		);
		return withChosen(options, chosen, (value) => ({ value, label: value, count: 0 }));
	}
	const options = (facets?.[name] ?? []).map(([value, count]) => ({
		value,
		label: worded(name, value),
		count,
	}));
	return withChosen(options, chosen, (value) => ({ value, label: worded(name, value), count: 0 }));
}

function withChosen(options, chosen, make) {
	const known = new Set(options.map(({ value }) => value));
	return options.concat(chosen.filter((value) => !known.has(value)).map(make));
}

function Search({ text, onSearch }) {
	const field = useRef(null);
	const timer = useRef(0);
	useEffect(() => {
		if (document.activeElement !== field.current) field.current.value = text;
	}, [text]);
	// What was typed is of this page: it must not reach the address of another.
	useEffect(() => () => window.clearTimeout(timer.current), []);
	const onInput = (event) => {
		const { value } = event.target;
		window.clearTimeout(timer.current);
		timer.current = window.setTimeout(() => onSearch(value.trim()), TYPING_MS);
	};
	// Escape leaves the field as it is; the browser would empty it.
	const onKeyDown = (event) => {
		if (event.key !== "Escape") return;
		event.preventDefault();
		event.target.blur();
	};
	return html`
		<label class="search">
			<span class="hidden">Search metrics and dimension values</span>
			<${Icon} name="search" size=${16} />
			<input
				id="search"
				class="input"
				type="search"
				placeholder="Search"
				maxlength="200"
				ref=${field}
				onInput=${onInput}
				onKeyDown=${onKeyDown}
			/>
		</label>
	`;
}

function Chip({ kind, text, onRemove }) {
	return html`
		<li class="chip">
			<span class="chip-kind">${kind}</span>
			<span class="chip-text"><${Name} text=${text} most=${60} /></span>
			<button type="button" class="chip-remove" onClick=${onRemove} aria-label=${`Remove ${kind} ${text.slice(0, 60)}`}>
				<${Icon} name="close" size=${14} />
			</button>
		</li>
	`;
}

function chipsOf(filters, onChange, onRange) {
	const chips = LISTS.flatMap((name) =>
		filters[name].map((value) => ({
			kind: LABELS[name],
			text: worded(name, value),
			remove: () =>
				onChange(
					name,
					filters[name].filter((other) => other !== value),
				),
		})),
	);
	if (filters.q) chips.push({ kind: "Search", text: filters.q, remove: () => onChange("q", "") });
	if (filters.range === null)
		chips.push({
			kind: "Time",
			text: span(filters.from_ms, filters.to_ms),
			remove: () => onRange(USUAL_RANGE),
		});
	return chips;
}

function Ranges({ range, seen, onRange, onSpan }) {
	return html`
		<div class="spans" role="group" aria-label="Time">
			${RANGES.map(
				({ name, text, short }) => html`
					<button key=${name} type="button" class="spans-one" aria-pressed=${name === range} title=${text} onClick=${() => onRange(name)}>
						${short}
					</button>
				`,
			)}
			<${Menu}
				label="Dates"
				kind="spans-one"
				options=${[]}
				chosen=${range === null ? ["dates"] : []}
				onClear=${() => onRange(USUAL_RANGE)}
				content=${(close) =>
					html`<${TimeFields} from_ms=${seen.from_ms} to_ms=${seen.to_ms} onSpan=${(from, to) => {
						close();
						onSpan(from, to);
					}} />`}
			/>
		</div>
	`;
}

/** seen: {from_ms, to_ms} that is looked at; onChange(name, values), onRange(name), onClear() for all. */
export function FilterBar({ filters, facets, seen, onChange, onRange, onSpan, onClear }) {
	const [open, setOpen] = useState(false);
	const toggle = (name, value) => {
		const chosen = filters[name];
		const has = chosen.includes(value);
		onChange(name, has ? chosen.filter((other) => other !== value) : [...chosen, value]);
	};
	const chips = chipsOf(filters, onChange, onRange);
	return html`
		<div class="filters" role="search" aria-label="Filters">
			<div class="filters-line">
				<${Search} text=${filters.q} onSearch=${(text) => onChange("q", text)} />
				<button
					type="button"
					class="facet filters-toggle"
					aria-expanded=${open}
					aria-controls="facets"
					onClick=${() => setOpen(!open)}
				>
					Filters ${chips.length > 0 && html`<span class="facet-count">${chips.length}</span>`}
					<${Icon} name="down" size=${14} />
				</button>
				<div id="facets" class=${open ? "facets is-open" : "facets"}>
					${LISTS.map(
						(name) => html`
							<${Menu}
								key=${name}
								label=${LABELS[name]}
								options=${optionsOf(name, facets, filters[name])}
								chosen=${filters[name]}
								onToggle=${(value) => toggle(name, value)}
								onClear=${() => onChange(name, [])}
							/>
						`,
					)}
				</div>
				<${Ranges} range=${filters.range} seen=${seen} onRange=${onRange} onSpan=${onSpan} />
			</div>
			<ul class="chips" aria-label="Filters that are set">
				${chips.map(({ kind, text, remove }) => html`<${Chip} key=${kind + text} kind=${kind} text=${text} onRemove=${remove} />`)}
				${chips.length > 1 && html`<li key="clear"><button type="button" class="link-button" onClick=${onClear}>Clear all</button></li>`}
			</ul>
		</div>
	`;
}
