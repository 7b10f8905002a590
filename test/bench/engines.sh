#!/bin/bash
# engines.sh CALLS ROUNDS: what a year of calls cost by month and model, on the
# server of test/with_server.sh, by ledger(), by plain SQL, and by DuckDB and
# ClickHouse where npm can install them.  Interleaved rounds, medians, ratios;
# fails where two ways come to different totals.  BENCH_WAYS, a regular expression,
# picks among the other ways by name; count, unpriced and ledger are always run.
set -euo pipefail
calls=$1
rounds=$2
here=$(cd "$(dirname "$0")" && pwd)
built=$here/../../build/bench/engines
folder=$(mktemp -d "${TMPDIR:-/tmp}/tokenomics_bench.XXXXXX")
engine_pids=()
finish() {
    for pid in "${engine_pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf --one-file-system "$folder"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP
say() { echo "$@" >&2; }

# Plain SQL that prices takes seconds for a million calls.
slow_rounds=$rounds
[ "$calls" -le 5000000 ] || slow_rounds=1

say "generating $calls calls ..."
psql -Xq -v ON_ERROR_STOP=1 -v calls="$calls" -f "$here/data.sql"
export PGOPTIONS='-c search_path=llm,tokenomics,public -c timezone=UTC'

# Each way returns one row: groups, the sums of the four meters, and the cost
# in units of 1e-10 USD.  The outer query uses every column, so none is left out.
cost() {        # cost SUFFIX: the cost of a call c by a price p
    echo "CASE WHEN c.input + c.cache_read > p.above
        THEN c.input * p.above_input$1 + c.cache_read * p.above_cache_read$1 + c.output * p.above_output$1 + c.reasoning * p.above_reasoning$1
        ELSE c.input * p.input$1 + c.cache_read * p.cache_read$1 + c.output * p.output$1 + c.reasoning * p.reasoning$1 END"
}
by_month() {    # by_month FROM COST
    echo "SELECT count(*), sum(i), sum(r), sum(o), sum(t), (sum(cost)$3)::numeric(38, 0)
          FROM (SELECT date_trunc('month', at) AS period, c.model, sum(c.input) AS i, sum(c.cache_read) AS r, sum(c.output) AS o,
                       sum(c.reasoning) AS t, sum($2) AS cost FROM $1 GROUP BY 1, 2) AS g"
}
lateral() { echo "plain c CROSS JOIN LATERAL (SELECT * FROM $1 q WHERE q.model = c.model AND q.valid_from <= c.at ORDER BY q.valid_from DESC LIMIT 1) AS p"; }
range() { echo "plain c JOIN $1 p ON p.model = c.model AND c.at >= p.valid_from AND c.at < p.valid_to"; }
arrays="(SELECT at, c.input AS c_input, c.cache_read AS c_cache_read, c.output AS c_output, c.reasoning AS c_reasoning, p.*, width_bucket(at, p.valid_from) AS v
         FROM plain c JOIN price_array p USING (model) OFFSET 0) AS x"
array_cost=$(cost '[v]' | sed 's/c\.\([a-z_]*\)/c_\1/g; s/p\.//g')
ours="SELECT ledger((SELECT book()), 'month', 'UTC', at, provider, model, service_tier, tokens) AS l FROM calls"

declare -A label query setting
names=()
way() {         # way NAME LABEL SETTING SQL
    [[ $1 =~ ^(count$|ledger|unpriced) || $1 =~ ${BENCH_WAYS:-} ]] || return 0
    names+=("$1")
    label[$1]=$2
    setting[$1]=$3
    query[$1]=$4
}
# what plain SQL is at its best with: memory, and no sort of all calls
plain="max_parallel_workers_per_gather=0 work_mem=256MB enable_sort=off"
way count "count(*)" "max_parallel_workers_per_gather=0" "SELECT count(*), NULL, NULL, NULL, NULL, NULL FROM calls"
for processes in 1 2; do
    way "ledger_$processes" "ledger(), then lines(), $processes process$([ $processes = 1 ] || echo es)" "max_parallel_workers_per_gather=$((processes - 1))" \
        "SELECT count(*), sum(i), sum(r), sum(o), sum(t), trim_scale(sum(cost) * 10000000000)
         FROM (SELECT period, model, sum(tokens -> 'input') AS i, sum(tokens -> 'cache_read') AS r, sum(tokens -> 'output') AS o, sum(tokens -> 'reasoning') AS t, sum(cost) AS cost
               FROM ($ours) AS x, lines(x.l) GROUP BY period, model) AS g"
done
way unpriced "plain SQL, NOT priced: GROUP BY date_trunc, model" "$plain" \
    "SELECT count(*), sum(i), sum(r), sum(o), sum(t), NULL
     FROM (SELECT date_trunc('month', at) AS period, model, sum(input) AS i, sum(cache_read) AS r, sum(output) AS o, sum(reasoning) AS t FROM plain GROUP BY 1, 2) AS g"
way lateral_numeric "plain SQL: LATERAL as-of join, numeric" "$plain" "$(by_month "$(lateral flat_price)" "$(cost '')" ' * 10000')"
way lateral_float8 "plain SQL: LATERAL as-of join, float8" "$plain" "$(by_month "$(lateral flat_price_float8)" "$(cost '')" ' * 10000')"
way range_numeric "plain SQL: hash join, range filter, numeric" "$plain" "$(by_month "$(range flat_price)" "$(cost '')" ' * 10000')"
way range_float8 "plain SQL: hash join, range filter, float8" "$plain" "$(by_month "$(range flat_price_float8)" "$(cost '')" ' * 10000')"
way range_bigint "plain SQL: hash join, range filter, bigint" "$plain" "$(by_month "$(range flat_price_bigint)" "$(cost '')" '')"
way array_bigint "plain SQL: arrays of prices, width_bucket, bigint" "$plain" \
    "SELECT count(*), sum(i), sum(r), sum(o), sum(t), sum(cost)
     FROM (SELECT date_trunc('month', at) AS period, model, sum(c_input) AS i, sum(c_cache_read) AS r, sum(c_output) AS o, sum(c_reasoning) AS t, sum($array_cost) AS cost
           FROM $arrays GROUP BY 1, 2) AS g"
slow="lateral_numeric lateral_float8 range_numeric range_float8 range_bigint array_bigint"

# The other engines: each a process that loads the rows, and is asked.
versions="PostgreSQL $(psql -XAtc 'SHOW server_version')"
declare -A ask
engine() {      # engine NAME PROGRAM
    local in out ready
    mkfifo "$folder/$1.in" "$folder/$1.out"
    (cd "$built" && exec node "$2" "$folder") <"$folder/$1.in" >"$folder/$1.out" 2>"$folder/$1.err" &
    engine_pids+=($!)
    exec {in}>"$folder/$1.in" {out}<"$folder/$1.out"
    if read -r -u "$out" ready && [ "${ready%% *}" = ready ]; then
        ask[$1]="$in $out"
        versions+=", $1 ${ready#ready }"
    else
        say "$1 does not run here, and is left out: $(grep -m1 . "$folder/$1.err")"
    fi
}
install_engines() {
    command -v node >/dev/null && command -v npm >/dev/null || { say "There is no node or npm: DuckDB and ClickHouse are left out."; return 1; }
    mkdir -p "$built"
    cp "$here"/*.mjs "$built"
    if ! cmp -s "$here/package-lock.json" "$built/installed.json"; then
        cp "$here"/package*.json "$built"
        (cd "$built" && npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 >"$folder/npm.log" 2>&1) ||
            { say "npm could not install DuckDB and ClickHouse, which are left out: $(grep -m1 . "$folder/npm.log")"; return 1; }
        cp "$here/package-lock.json" "$built/installed.json"
    fi
}
if install_engines; then
    say "loading DuckDB and ClickHouse ..."
    psql -XqAt -c "COPY (SELECT (extract(epoch FROM at) * 1000000)::bigint, input, cache_read, output, reasoning, model FROM plain) TO STDOUT (FORMAT csv)" >"$folder/calls.csv"
    psql -XqAt -c "COPY (SELECT model, (extract(epoch FROM valid_from) * 1000000)::bigint, (extract(epoch FROM valid_to) * 1000000)::bigint, above,
        input, cache_read, output, reasoning, above_input, above_cache_read, above_output, above_reasoning FROM flat_price) TO STDOUT (FORMAT csv)" >"$folder/prices.csv"
    engine DuckDB duckdb.mjs
    engine ClickHouse clickhouse.mjs
    rm -f "$folder"/*.csv
    for threads in 1 2; do
        s="$threads thread$([ $threads = 1 ] || echo s)"
        if [ -n "${ask[DuckDB]:-}" ]; then
            way "duckdb_people $threads" "DuckDB: ASOF JOIN as people write it, $s" DuckDB ""
            way "duckdb_asof $threads" "DuckDB: ASOF JOIN, TIMESTAMP, ENUM, double, $s" DuckDB ""
            way "duckdb_range_double $threads" "DuckDB: range hash join, TIMESTAMP, ENUM, double, $s" DuckDB ""
            way "duckdb_range_bigint $threads" "DuckDB: range hash join, TIMESTAMP, ENUM, bigint, $s" DuckDB ""
        fi
        if [ -n "${ask[ClickHouse]:-}" ]; then
            way "clickhouse_double $threads" "ClickHouse: ASOF JOIN, in order of time, double, $s" ClickHouse ""
            way "clickhouse_bigint $threads" "ClickHouse: ASOF JOIN, in order of time, bigint, $s" ClickHouse ""
            way "clickhouse_by_model $threads" "ClickHouse: ASOF JOIN, in order of model and time, double, $s" ClickHouse ""
        fi
    done
fi

# PostgreSQL is asked in one session: to a new one each page of shared memory is
# a page fault at first, which takes longer than count(*).
mkfifo "$folder/psql.in" "$folder/psql.out"
psql -XqAt -v ON_ERROR_STOP=1 <"$folder/psql.in" >"$folder/psql.out" 2>"$folder/psql.err" &
engine_pids+=($!)
exec {psql_in}>"$folder/psql.in" {psql_out}<"$folder/psql.out"

# run NAME: prints SECONDS and RESULT.
run() {
    local in out answer result s
    if [ -n "${query[$1]}" ]; then
        {
            echo "RESET ALL;"
            for s in ${setting[$1]}; do echo "SET ${s%%=*} = '${s#*=}';"; done
            printf '\\o %s/%s.plan\nEXPLAIN (COSTS OFF) %s;\n\\o\n\\timing on\n%s;\n\\timing off\nSELECT $$end$$;\n' "$folder" "$1" "${query[$1]}" "${query[$1]}"
        } >&"$psql_in"
        while read -r -u "$psql_out" answer && [ "$answer" != end ]; do
            case $answer in
                Time:*) awk -v result="$result" '{ printf "%.6f %s\n", $2 / 1000, result }' <<<"$answer" ;;
                *) result=$answer ;;
            esac
        done
        [ "$answer" = end ] || { say "${label[$1]} failed: $(tail -5 "$folder/psql.err")"; return 1; }
    else
        read -r in out <<<"${ask[${setting[$1]}]}"
        echo "$1" >&"$in"
        read -r -u "$out" answer || { say "${label[$1]} failed: $(tail -5 "$folder/${setting[$1]}.err")"; return 1; }
        echo "$answer"
    fi
}

for round in $(seq 0 "$rounds"); do
    say "round $round of $rounds$([ "$round" != 0 ] || echo ", to warm up")"
    for name in "${names[@]}"; do
        if [[ " $slow " = *" $name "* ]] && { [ "$round" = 0 ] || [ "$round" -gt "$slow_rounds" ]; }; then
            continue
        fi
        line=$(run "$name")
        [ "$round" = 0 ] && [[ " $slow " != *" $name "* ]] || printf '%s\t%s\t%s\n' "$name" "${line%% *}" "${line#* }" >>"$folder/times"
    done
done
for name in "${names[@]}"; do printf '%s\t%s\n' "$name" "${label[$name]}"; done >"$folder/labels"

parallel=no
grep -q Gather "$folder/ledger_2.plan" && parallel=yes
psql -XAt -F ', ' -c "SELECT $calls || ' calls of 2025', (SELECT count(*) FROM model) || ' models', (SELECT count(*) FROM flat_price) || ' dated prices',
    (SELECT count(*) FROM price) || ' with thresholds', (SELECT count(*) FROM plain WHERE input + cache_read > 200000) || ' calls above 200000 input tokens',
    'calls ' || pg_size_pretty(pg_table_size('calls')), 'plain copy ' || pg_size_pretty(pg_table_size('plain'))"
echo "$versions; shared_buffers=$(psql -XAtc 'SHOW shared_buffers'), jit=$(psql -XAtc 'SHOW jit'); $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)"
echo "plain SQL with $plain; ledger() in 2 processes with max_parallel_workers_per_gather=1 and nothing else"
echo "medians of $rounds rounds$([ "$slow_rounds" = "$rounds" ] || echo "; plain SQL that prices: $slow_rounds round")"
awk -F '\t' -v parallel="$parallel" -f "$here/report.awk" "$folder/labels" "$folder/times"
