#!/bin/bash
# write.sh report|dashboard OUT [MONTH]: writes a page, of the database that
# DATABASE_URL names, or without one of the company of the demo on a temporary server.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${DATABASE_URL:-}" ] && [ -z "${TOKENOMICS_DATADIR:-}" ]; then
    exec "$here/../test/with_server.sh" "$0" "$@"
fi
page=$1 out=$2
shift 2
if [ -z "${DATABASE_URL:-}" ]; then
    demo=$here/../test/demo
    # settled, as an install of some size is
    PGOPTIONS='-c client_min_messages=warning' psql -Xq -v ON_ERROR_STOP=1 -f "$demo/price_of_a_call.sql" -f "$demo/company.sql" \
        -c 'VACUUM ANALYZE' -c 'CALL llm.refresh()' -f "$demo/quotes.sql" -f "$demo/plans.sql" >/dev/null
fi
mkdir -p "$(dirname "$out")"
"$here/run.sh" "$page.mjs" "$@" >"$out.new" || { rm -f "$out.new"; exit 1; }
mv "$out.new" "$out"
echo "wrote $out"
