#!/usr/bin/env bash
# console_pack: the console's modules are put together into few files as they are meant to be, and
# what pack.py does not know, or what would be lost, ends the build instead of breaking a page.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
exec python3 -B - "$root/tools/console" <<'PYTHON'
import os
import re
import sys

sys.path.insert(0, sys.argv[1])
from pack import PackError, pack  # noqa: E402

PAGE = """<head>
\t<link rel="preload" as="fetch" crossorigin href="/api/v1/first?a=1&amp;b=2" />
\t<link rel="stylesheet" href="/assets/style/a.css" />
\t<script type="module" src="/assets/app.js"></script>
</head>
"""
TREE = {
    "index.html": PAGE,
    "style/a.css": "/* a */\na:hover > b {\n\tcolor: red;\n}\n",
    "early.js": "export const EARLY = 1;\n",
    "app.js": 'import { EARLY } from "./early.js";\nimport { screens } from "./routes.js";\n'
              "screens(EARLY);\n",
    "routes.js": 'import { Screen as A } from "./screens/a.js";\n'
                 'import { Screen as B } from "./screens/b.js";\n'
                 'export function screens() {\n\treturn [A, B, import("./vendor/late.js")];\n}\n',
    "screens/a.js": 'import { both } from "../base/both.js";\n'
                    "export function Screen() {\n\treturn both;\n}\n",
    "screens/b.js": 'import { both as mine } from "../base/both.js";\n'
                    'import { other } from "../base/other.js";\n'
                    "export const Screen = () => mine + other;\n",
    "base/both.js": 'export { both } from "../vendor/v.js";\n',
    "base/other.js": "const inner = 2;\nexport { inner as other };\n",
    "vendor/v.js": "const a = 1, b = 2;\nexport {a as both, b as needless};\n",
}
failed = 0


def expect(what, holds):
    global failed
    if not holds:
        print(f"FAILED: {what}")
        failed = 1


def refused(what, words, **changes):
    tree = {path: text for path, text in {**TREE, **changes}.items()}
    try:
        pack(tree)
    except PackError as error:
        expect(f"{what}: says why ({error})", words in str(error))
    else:
        expect(f"{what}: is refused", False)


served = pack(TREE)
expect("few files", sorted(served) == ["app.js", "index.html", "page.html", "style.css"])
expect("what is ours and what is not", all(text in served["app.js"] for text in
                                           ("const a = 1, b = 2;", "const inner = 2;")))
expect("of what is not ours only what is used is kept", "needless" not in served["app.js"])
expect("what is imported first runs first",
       served["app.js"].index("const EARLY = 1;") < served["app.js"].index("screens(EARLY)"))
expect("what is asked early is of the first page alone",
       "/api/v1/first" in served["index.html"] and "preload" not in served["page.html"]
       and served["page.html"].count("/assets/") == served["index.html"].count("/assets/") == 2)
expect("what is imported when it is needed is left apart",
       'import("/assets/vendor/late.js")' in served["app.js"])
expect("no line of an import is left as it was written", "../base" not in "".join(served.values()))
expect("one sheet", served["style.css"] == "a:hover>b{color:red}\n")
expect("which the page names", "/assets/style.css" in served["index.html"]
       and "style/a.css" not in served["index.html"])
refused("a form that is not known", "not known", **{"early.js": "export let EARLY = 1;\n"})
refused("an import of all", "not known", **{"app.js": 'import * as all from "./routes.js";\n'})
refused("a circle", "circle", **{
    "base/other.js": 'import { both } from "./both.js";\nexport const other = both;\n',
    "base/both.js": 'import { other } from "./other.js";\nexport const both = other;\n'})
refused("a module that is not there", "no such module",
        **{"base/other.js": 'import { a } from "./gone.js";\nexport const other = a;\n'})
refused("an export that nobody imports", "nobody imports needless",
        **{"base/other.js": "export const other = 1;\nexport const needless = 2;\n"})
refused("a module that nothing imports", "imported by nothing", **{"base/lost.js": "\n"})
refused("a sheet that the page does not name", "not named", **{"style/b.css": "\n"})

# The pages as they are.
files = {}
web = os.path.join(sys.argv[1], "web")
for folder, _, names in os.walk(web):
    for name in names:
        if name.endswith((".js", ".css", ".html", ".svg")):
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as file:
                files[os.path.relpath(path, web)] = file.read()
# In the place of the packages' files.
drawn = re.search(r"\{(.*?)\}", files["base/ui.js"], re.S)[1].split(",")
files["vendor/htm-preact.js"] = "export {" + ",".join(name.strip() for name in drawn) + "};\n"
served = pack(files)
expect("every module is in it", sum(path.endswith(".js") for path in files) ==
       served["app.js"].count("=(()=>{"))
print(f"console_pack: {len(files)} files are {len(served)}")
sys.exit(failed)
PYTHON
