// menu: a button that opens a list to choose from: searched by typing, gone through with the arrow
// keys, any number of it chosen.

import { html, useEffect, useRef, useState } from "../base/ui.js";
import { Icon } from "./icons.js";
import { Name } from "./text.js";

const MOST = 60;
const SEARCH_FROM = 6;
// What is longer does not fit into an address.
const LONGEST = 500;

function matches(options, text) {
	const wanted = text.trim().toLowerCase();
	if (!wanted) return options;
	return options.filter(({ label, group }) =>
		`${group ?? ""} ${label}`.toLowerCase().includes(wanted),
	);
}

function Option({ option, isFirst, isChosen, onToggle }) {
	const { value, label, count, group } = option;
	return html`
		${isFirst && group && html`<div class="menu-group" role="presentation"><${Name} text=${group} most=${60} /></div>`}
		<button
			type="button"
			class="menu-option"
			role="menuitemcheckbox"
			aria-checked=${isChosen}
			tabindex="-1"
			disabled=${value.length > LONGEST}
			onClick=${() => onToggle(value)}
		>
			<span class="menu-check">${isChosen && html`<${Icon} name="check" size=${16} />`}</span>
			<span class="menu-label"><${Name} text=${label} most=${80} /></span>
			${count !== undefined && html`<span class="menu-count">${count}</span>`}
		</button>
	`;
}

function useOutside(element, isOpen, onClose) {
	useEffect(() => {
		if (!isOpen) return undefined;
		const close = (event) => {
			if (!element.current?.contains(event.target)) onClose();
		};
		document.addEventListener("pointerdown", close);
		document.addEventListener("focusin", close);
		return () => {
			document.removeEventListener("pointerdown", close);
			document.removeEventListener("focusin", close);
		};
	}, [isOpen]);
}

// Moves the focus among what can be chosen; from the first up it is the search's again.
function step(panel, by) {
	const items = [...panel.querySelectorAll(".menu-search, .menu-option:not(:disabled)")];
	const at = items.indexOf(document.activeElement);
	items[Math.min(items.length - 1, Math.max(0, at + by))]?.focus();
}

/** options: [{value, label, count, group}]; content(close): instead; onToggle(value), onClear(). */
export function Menu({ label, options, chosen, onToggle, onClear, content, kind = "facet" }) {
	const [isOpen, setOpen] = useState(false);
	const [text, setText] = useState("");
	const root = useRef(null);
	const panel = useRef(null);
	useOutside(root, isOpen, () => setOpen(false));
	useEffect(() => {
		if (isOpen) panel.current.querySelector(".menu-search, .menu-option, input")?.focus();
		else setText("");
	}, [isOpen]);
	const close = () => {
		setOpen(false);
		root.current.querySelector("button").focus();
	};
	const onKeyDown = (event) => {
		// The arrows of a field that is not the search are its own.
		const isOwn = event.target.matches("input:not(.menu-search)");
		if (event.key === "Escape" && isOpen) close();
		else if (isOwn) return;
		else if (event.key === "ArrowDown" && isOpen) step(panel.current, 1);
		else if (event.key === "ArrowUp" && isOpen) step(panel.current, -1);
		else return;
		event.preventDefault();
		event.stopPropagation();
	};
	const found = isOpen ? matches(options, text) : [];
	const shown = found.slice(0, MOST);
	return html`
		<div class="menu-root" ref=${root} onKeyDown=${onKeyDown}>
			<button
				type="button"
				class=${chosen.length ? `${kind} is-set` : kind}
				aria-haspopup="true"
				aria-expanded=${isOpen}
				onClick=${() => setOpen(!isOpen)}
			>
				${label}
				${kind === "facet" && chosen.length > 0 && html`<span class="facet-count">${chosen.length}</span>`}
				<${Icon} name="down" size=${14} />
			</button>
			${
				isOpen &&
				html`
					<div class="menu" ref=${panel}>
						${
							options.length >= SEARCH_FROM &&
							html`<input
								class="input menu-search"
								type="search"
								placeholder="Type to search"
								aria-label=${`Search ${label}`}
								value=${text}
								onInput=${(event) => setText(event.target.value)}
							/>`
						}
						${content?.(close) ?? ""}
						${
							shown.length > 0 &&
							html`<div class="menu-options" role="menu" aria-label=${label}>
							${shown.map(
								(option, index) => html`
									<${Option}
										key=${`${option.group ?? ""}=${option.value}`}
										option=${option}
										isFirst=${shown[index - 1]?.group !== option.group}
										isChosen=${chosen.includes(option.value)}
										onToggle=${onToggle}
									/>
								`,
							)}
						</div>`
						}
						${!shown.length && !content && html`<p class="menu-note">Nothing to choose</p>`}
						${found.length > MOST && html`<p class="menu-note">${found.length - MOST} more: type to find them</p>`}
						${
							chosen.length > 0 &&
							html`<button type="button" class="link-button menu-clear" onClick=${onClear}>Clear</button>`
						}
					</div>
				`
			}
		</div>
	`;
}
