// dialog: a question or a sheet above the page; the browser keeps the focus in it and gives it back.

import { html, useEffect, useRef, useState } from "../base/ui.js";
import { Icon } from "./icons.js";

/** What a dialog's form does, once at a time: {submit, busy, problem: why it was refused, or null}. */
export function useSubmit(run) {
	const [state, setState] = useState({ busy: false, problem: null });
	const isBusy = useRef(false);
	const submit = async (event) => {
		event.preventDefault();
		// A second press comes before the button is drawn anew.
		if (isBusy.current) return;
		isBusy.current = true;
		setState({ busy: true, problem: null });
		const problem = await run().then(
			() => null,
			(error) => error.message,
		);
		isBusy.current = false;
		setState({ busy: false, problem });
	};
	return { ...state, submit };
}

export function Dialog({ isOpen, onClose, title, children }) {
	const element = useRef(null);
	useEffect(() => {
		const dialog = element.current;
		if (isOpen && !dialog.open) dialog.showModal();
		if (!isOpen && dialog.open) dialog.close();
	}, [isOpen]);
	// A click on the dialog itself is one beside its content.
	const onClick = (event) => event.target === element.current && onClose();
	return html`
		<dialog class="dialog" ref=${element} onClose=${onClose} onClick=${onClick} aria-label=${title}>
			${
				isOpen &&
				html`
					<div class="dialog-inside">
						<header class="dialog-head">
							<h2>${title}</h2>
							<button type="button" class="icon-button" onClick=${onClose} aria-label="Close">
								<${Icon} name="close" />
							</button>
						</header>
						${children}
					</div>
				`
			}
		</dialog>
	`;
}
