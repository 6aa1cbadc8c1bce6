#!/usr/bin/env bash
# install: what package-lock.json beside this names, in FOLDER/node_modules. Done once for each lock;
# who comes meanwhile waits. No npm, or no registry: exit 77, and the last line says why.
#
#   tests/console/install.sh FOLDER
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?a folder is missing}

command -v npm >/dev/null || { echo "npm is not installed (apt-get install nodejs npm)" && exit 77; }
mkdir -p "$folder" || exit 1
exec 9>"$folder/.lock"
flock 9
cmp -s "$here/package-lock.json" "$folder/.installed" && exit 0
cp "$here/package.json" "$here/package-lock.json" "$folder/" || exit 1
# Their scripts would fetch browsers and look for newer versions; nothing here needs one.
if ! (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund >install.log 2>&1 9>&-); then
	echo "npm ci did not work, see $folder/install.log: $(grep -m 1 -E 'npm (ERR!|error)' "$folder/install.log")"
	exit 77
fi
cp "$folder/package-lock.json" "$folder/.installed"
