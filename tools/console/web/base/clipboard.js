// clipboard: copies a text; true where the browser did. Over plain HTTP, where it has no clipboard to
// offer, the old way through a field is taken.

export async function copyText(text) {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		return copySelected(text);
	}
}

function copySelected(text) {
	const field = document.createElement("textarea");
	field.value = text;
	field.className = "hidden";
	const before = document.activeElement;
	document.body.append(field);
	field.select();
	let done = false;
	try {
		done = document.execCommand("copy");
	} catch {
		// Not allowed: what is said is that it was not copied.
	}
	field.remove();
	before?.focus?.();
	return done;
}
