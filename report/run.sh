#!/bin/bash
# run.sh [SCRIPT [ARGUMENT]...]: runs a Node script of this folder, report.mjs or
# dashboard.mjs, beside the npm packages of the lock file, which are installed into
# build/report once, with a cache of their own; without SCRIPT only installs them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
built=${TOKENOMICS_REPORT_BUILD:-$here/../build/report}
mkdir -p "$built"
built=$(cd "$built" && pwd)
# of two at once one installs, and the other waits
exec 9>"$built/lock"
! command -v flock >/dev/null || flock 9
if ! cmp -s "$here/package-lock.json" "$built/installed.json"; then
    cp "$here"/package*.json "$built"
    (cd "$built" && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --loglevel=error --fetch-retries=1 --cache "$built/cache" >"$built/npm.log" 2>&1) ||
        { cat "$built/npm.log" >&2; exit 1; }
    cp "$here/package-lock.json" "$built/installed.json"
fi
[ $# -gt 0 ] || exit 0
# what has not changed is left alone: another run may be reading it
mkdir -p "$built/charts"
(cd "$here" && ls ./*.mjs ./*.js ./*.css config.json charts/*) | while read -r file; do
    cmp -s "$here/$file" "$built/$file" || { cp "$here/$file" "$built/$file.new" && mv "$built/$file.new" "$built/$file"; }
done
exec 9>&-
script=$1
shift
exec node "$built/$script" "$@"
