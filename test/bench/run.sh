#!/bin/bash
# run.sh CALLS: prices CALLS calls on the server of test/with_server.sh, one
# process, five interleaved rounds, medians; prints nanoseconds a call and ratios.
set -euo pipefail
calls=$1
source=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$source/build/bench"
gcc -O2 -fPIC -shared -Wl,-Bsymbolic -I"$("$PG_CONFIG" --includedir-server)" -o "$source/build/bench/tokenomics_bench.so" \
    "$source/test/bench/bench.c" $(ls "$source"/src/*.o | grep -v module.o)
cp "$source/build/bench/tokenomics_bench.so" "$TOKENOMICS_LIBDIR"

psql -Xq -v ON_ERROR_STOP=1 -v calls="$calls" <<'SQL'
SET client_min_messages = warning;
CREATE EXTENSION tokenomics CASCADE;
CALL tokenomics.install('llm');
SET search_path = llm, tokenomics, public;
SELECT count(*) AS prices FROM load_default_prices() \gset
CREATE FUNCTION noop_numeric(price_book, text, text, timestamptz, tokens, text) RETURNS numeric AS '$libdir/tokenomics_bench' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION noop_int8(price_book, text, text, timestamptz, tokens, text) RETURNS bigint AS '$libdir/tokenomics_bench' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION internal_cost(price_book, text, text, timestamptz, tokens, text) RETURNS bigint AS '$libdir/tokenomics_bench' LANGUAGE C IMMUTABLE PARALLEL SAFE;
-- 200 models, few of them used much; a quarter have thresholds or versions
CREATE TABLE model AS SELECT row_number() OVER (ORDER BY md5(provider || model)) AS n, provider, model FROM (SELECT DISTINCT provider, model FROM price) m;
CREATE UNLOGGED TABLE call AS
SELECT '2025-09-01Z'::timestamptz + i * (interval '365 days' / :calls) AS at,
       tokens(input => (200 + random() ^ 3 * 60000)::bigint, cache_read => CASE WHEN i % 3 = 0 THEN (random() * 100000)::bigint END,
              output => (50 + random() ^ 2 * 3000)::bigint, reasoning => CASE WHEN i % 4 = 0 THEN (random() * 5000)::bigint END) AS tokens,
       m.provider, m.model, 'standard'::text AS service_tier
FROM (SELECT i, 1 + floor(random() ^ 4 * 200)::int AS n FROM generate_series(1, :calls) i OFFSET 0) c JOIN model m USING (n);
VACUUM ANALYZE call;
SQL

export PGOPTIONS='-c search_path=llm,tokenomics,public -c max_parallel_workers_per_gather=0'
psql -XqAt -c "SELECT format('%s calls, %s prices in the book, %s bytes a tokens value, %s of the calls priced, %s USD', count(*), (SELECT count(*) FROM price), round(avg(pg_column_size(tokens)), 1),
    count(cost((SELECT book()), provider, model, at, tokens, service_tier)), sum(cost((SELECT book()), provider, model, at, tokens, service_tier))) FROM call"
declare -A query=(
    [scan]="count(at)"
    [noop_numeric]="count(noop_numeric((SELECT book()), provider, model, at, tokens, service_tier))"
    [cost]="count(cost((SELECT book()), provider, model, at, tokens, service_tier))"
    [noop_int8]="count(noop_int8((SELECT book()), provider, model, at, tokens, service_tier))"
    [internal]="count(internal_cost((SELECT book()), provider, model, at, tokens, service_tier))"
)
order="scan noop_numeric cost noop_int8 internal"
for round in 0 1 2 3 4 5; do
    for name in $order; do
        ms=$(psql -XqAt -c '\timing on' -c "SELECT ${query[$name]} FROM call" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p')
        [ "$round" = 0 ] || echo "$name $ms"        # the first round warms up
    done
done | sort -k1,1 -k2,2n | awk -v calls="$calls" '
    { v[$1, ++n[$1]] = $2 }
    function ns(name) { return v[name, int((n[name] + 1) / 2)] * 1e6 / calls }
    END {
        printf "%-52s %6.0f ns a call\n", "scan: count(at)", ns("scan")
        printf "%-52s %6.0f ns a call\n", "no-op with the arguments of cost(), numeric result", ns("noop_numeric")
        printf "%-52s %6.0f ns a call  = %.2f x the no-op\n", "cost()", ns("cost"), ns("cost") / ns("noop_numeric")
        printf "%-52s %6.0f ns a call\n", "no-op, bigint result", ns("noop_int8")
        printf "%-52s %6.0f ns a call  = %.2f x the no-op, %+.0f ns\n", "internal form, cost and list cost, no numeric", ns("internal"), ns("internal") / ns("noop_int8"), ns("internal") - ns("noop_int8")
    }'
