"""pack: the pages' modules as one file, without what only people read.

A browser asks for one file after another, so ninety modules take their time even on one machine, and
each is compressed on its own. So they are put together, and so are the style sheets. What the page
wants to be asked early (<link rel="preload">) is of the first page alone: all others are page.html.

In the pack each module is a function that is called once, in the order of their imports, and
answers what it exports. Nothing is guessed: an import or export of a form that is not known here, a
circle of imports, or an export that nobody imports ends the build. The names inside are shortened by
terser afterwards (embed).
"""
import os
import re

APP = "app.js"
VENDOR = "vendor/"
BASE = "/assets/"

IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";\n', re.M)
EXPORT_FROM = re.compile(r'^export \{([^}]*)\} from "([^"]+)";\n', re.M)
EXPORT_LIST = re.compile(r"^export \{([^}]*)\};\n", re.M)
EXPORT_NAMED = re.compile(r"^export ((?:async )?function|class|const) (\w+)", re.M)
DYNAMIC = re.compile(r'\bimport\("(\.[^"]+)"\)')
LEFT = re.compile(r"^(import|export)\b.*", re.M)


class PackError(Exception):
    pass


def names(text):
    """[(name there, name here)] of what stands between the braces."""
    found = []
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        there, _, here = piece.partition(" as ")
        found.append((there, here or there))
    return found


def resolve(path, relative):
    return os.path.normpath(os.path.join(os.path.dirname(path), relative))


class Module:
    def __init__(self, path, text):
        self.path, self.imports, self.exports = path, [], []
        text = IMPORT.sub(lambda found: self.take(found, self.imports), text)
        self.passed = []
        text = EXPORT_FROM.sub(lambda found: self.take(found, self.passed), text)
        for found in EXPORT_LIST.finditer(text):
            self.exports += [(here, there) for there, here in names(found[1])]
        text = EXPORT_LIST.sub("", text)
        self.exports += [(found[2], found[2]) for found in EXPORT_NAMED.finditer(text)]
        text = EXPORT_NAMED.sub(r"\1 \2", text)
        left = LEFT.search(text)
        if left:
            raise PackError(f"{path}: this form is not known to pack.py: {left[0]}")
        self.text = DYNAMIC.sub(
            lambda found: f'import("{BASE}{resolve(path, found[1])}")', text)

    def take(self, found, into):
        into.append((resolve(self.path, found[2]), names(found[1])))
        return ""

    def needs(self):
        return [path for path, _ in self.imports + self.passed]


def closure(modules, entry):
    """What an entry imports, what is imported before what imports it."""
    order, open_paths = [], []

    def visit(path):
        if path in order:
            return
        if path in open_paths:
            raise PackError(f"{path}: a circle of imports: {' > '.join(open_paths + [path])}")
        if path not in modules:
            raise PackError(f"{path}: there is no such module ({open_paths[-1]} imports it)")
        open_paths.append(path)
        for needed in modules[path].needs():
            visit(needed)
        open_paths.pop()
        order.append(path)

    visit(entry)
    return order


def check_exports(modules):
    """Everything that is exported is imported by somebody; of what is not ours, only that is kept."""
    used = {path: set() for path in modules}
    for module in modules.values():
        for needed, pairs in module.imports + module.passed:
            used[needed] |= {there for there, _ in pairs}
    for path, module in modules.items():
        if path.startswith(VENDOR):
            module.exports = [pair for pair in module.exports if pair[0] in used[path]]
        public = [name for name, _ in module.exports]
        public += [here for _, passed in module.passed for _, here in passed]
        dead = sorted(set(public) - used[path])
        if dead:
            raise PackError(f"{path}: nobody imports {', '.join(dead)}")


def letters(number):
    """a, b, ..., z, aa: short names of what a module exports."""
    text = ""
    while True:
        text = chr(ord("a") + number % 26) + text
        number = number // 26 - 1
        if number < 0:
            return text


def write_pack(modules, order):
    number = {path: f"$m{index}" for index, path in enumerate(order)}
    # What is exported, by the short name that it has between modules.
    short = {}
    for path, module in modules.items():
        public = [name for name, _ in module.exports]
        public += [here for _, passed in module.passed for _, here in passed]
        short[path] = {name: letters(index) for index, name in enumerate(public)}
    bodies = []
    for path in order:
        module = modules[path]
        lines = []
        for needed, pairs in module.imports:
            taken = ",".join(f"{short[needed][there]}:{here}" for there, here in pairs)
            lines.append(f"const {{{taken}}}={number[needed]};")
        answer = [f"{short[path][name]}:{inner}" for name, inner in module.exports]
        for needed, pairs in module.passed:
            answer += [f"{short[path][here]}:{number[needed]}.{short[needed][there]}"
                       for there, here in pairs]
        lines += [module.text.strip(), f"return{{{','.join(answer)}}}"]
        bodies.append(f"const {number[path]}=(()=>{{" + "\n".join(lines) + "})();")
    return "\n".join(bodies) + "\n"


def press_style(text):
    """A style sheet without comments and what the eye needs only."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r" ?([{};,>]) ?", r"\1", text)
    return re.sub(r"(?<=[\w-]): ", ":", text).replace(";}", "}").strip() + "\n"


def press_page(text):
    """The first page, any other, and the sheets: both pages name one in their place."""
    sheet = re.compile(r'\t*<link rel="stylesheet" href="/assets/([^"]+)" />\n')
    sheets = sheet.findall(text)
    text = sheet.sub("", text)
    at = text.index('<script type="module" src="/assets/app.js"')
    first = text[:at] + '<link rel="stylesheet" href="/assets/style.css" />\n\t\t' + text[at:]
    return first, re.sub(r'\t*<link rel="preload"[^>]*>\n', "", first), sheets


def pack(files):
    """{path in web/: text} of the pages, as they are written; as they are served."""
    modules = {path: Module(path, text) for path, text in files.items() if path.endswith(".js")}
    order = closure(modules, APP)
    lost = sorted(set(modules) - set(order))
    if lost:
        raise PackError(f"{', '.join(lost)}: imported by nothing")
    check_exports(modules)
    served = {path: text for path, text in files.items() if not path.endswith((".js", ".css"))}
    served[APP] = write_pack(modules, order)
    served["index.html"], served["page.html"], sheets = press_page(files["index.html"])
    unused = sorted(set(path for path in files if path.endswith(".css")) - set(sheets))
    if unused:
        raise PackError(f"{', '.join(unused)}: not named in index.html")
    served["style.css"] = "".join(press_style(files[path]) for path in sheets)
    return served
