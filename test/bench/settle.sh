#!/bin/bash
# settle.sh CALLS ROUNDS: what reports take from settled days, what it takes to
# settle them, and what their marks cost who writes, on the server of
# test/with_server.sh: a year of CALLS calls, 200 models, 20 teams.  It reports:
# medians, and beside them the limits that a quiet machine holds.  One that is
# missed is said and fails nothing, as a busy machine misses it too; what could
# not be measured fails.
set -euo pipefail
calls=$1
rounds=$2
say() { echo "$@" >&2; }

say "generating $calls calls ..."
psql -Xq -v ON_ERROR_STOP=1 -v calls="$calls" <<'SQL' >/dev/null
SET client_min_messages = warning;
CREATE EXTENSION tokenomics CASCADE;
CALL tokenomics.install('llm');
SET search_path = llm, tokenomics, public;
SET timezone = 'UTC';
SELECT setseed(0.5);
-- 200 models, of which each was priced anew seven times in the year, a quarter with a threshold
INSERT INTO price (provider, model, above_input_tokens, rates, valid)
SELECT 'vendor' || m % 10, 'model-' || m || '-2025', above, rates(jsonb_build_object('currency', 'USD', 'input', (1 + m % 9 + v) * (1 + (above > 0)::int), 'cache_read', 0.1, 'output', (5 + m % 30) * (1 + (above > 0)::int))),
       tstzrange(CASE WHEN v > 0 THEN '2025-01-10Z'::timestamptz + v * interval '45 days' END, CASE WHEN v < 7 THEN '2025-01-10Z'::timestamptz + (v + 1) * interval '45 days' END)
FROM generate_series(1, 200) m, generate_series(0, 7) v, unnest(ARRAY[0, 200000]) above WHERE above = 0 OR m % 4 = 0;
SELECT count(*) FROM ensure_partitions('2025-01-01', '2025-12-31');
ALTER TABLE usage DISABLE TRIGGER mark_usage;
INSERT INTO usage (at, tokens, provider, model, team, project, calls)
SELECT '2025-01-01Z'::timestamptz + i * (interval '365 days' / :calls), tokens(input => (200 + random() ^ 3 * 60000)::bigint, cache_read => CASE WHEN i % 3 = 0 THEN (random() * 250000)::bigint END, output => (50 + random() ^ 2 * 3000)::bigint),
       'vendor' || n % 10, 'model-' || n || '-2025', 'team ' || (random() * 19)::int, 'project ' || (random() * 49)::int, 1
FROM (SELECT i, 1 + floor(random() ^ 4 * 200)::int AS n FROM generate_series(0, :calls - 1) i OFFSET 0) c;
ALTER TABLE usage ENABLE ALWAYS TRIGGER mark_usage;
-- a day of 55,000 calls, after the year
SELECT count(*) FROM ensure_partitions('2026-01-01', '2026-01-31');
CREATE TABLE day AS
SELECT '2026-01-05Z'::timestamptz + i * (interval '24 hours' / 55000) AS at, tokens(input => 1000 + i, output => 200) AS tokens, 'vendor' || n % 10 AS provider, 'model-' || n || '-2025' AS model, 'team ' || i % 20 AS team, 'project ' || i % 50 AS project,
       substr(md5(i::text), 1, 16) AS request_id, substr(md5('u' || i % 500), 1, 16) AS user_id, substr(md5('s' || i % 5000), 1, 16) AS session_id, substr(md5('t' || i % 9000), 1, 16) AS turn_id, 'agent' AS agent
FROM (SELECT i, 1 + floor(random() ^ 4 * 200)::int AS n FROM generate_series(0, 54999) i OFFSET 0) c;
VACUUM ANALYZE;
SQL
export PGOPTIONS='-c search_path=llm,tokenomics,public -c timezone=UTC -c client_min_messages=warning -c max_parallel_workers_per_gather=0'

times=$(mktemp)
trap 'rm -f "$times"' EXIT
# measure NAME SQL [SQL BEFORE]: appends NAME and milliseconds; a session that has done it once
measure() {
    psql -XqAt -v ON_ERROR_STOP=1 <<<"${WARM:+${3:+$3;} $2;} ${3:+$3;}
\\timing on
$2;" | sed -n "s/^Time: \([0-9.]*\) ms.*/$1 \1/p" >>"$times"
}
median() { sort -k1,1 -k2,2n "$times" | awk -v name="$1" '$1 == name { v[++n] = $2 } END { print n ? v[int((n + 1) / 2)] : 0 }'; }
ratio() { awk -v a="$(median "$1")" -v b="$(median "$2")" 'BEGIN { printf("%.2f", (b > 0 ? a / b : 0)) }'; }

by_model="SELECT count(*) FROM (SELECT l.period, l.model, sum(l.cost) FROM lines(usage_ledger('month')) l GROUP BY 1, 2) x"
by_team="SELECT count(*) FROM (SELECT l.period, l.label, l.model, sum(l.cost) FROM lines(usage_ledger('month', dimension => 'team')) l GROUP BY 1, 2, 3) x"
WARM=1
measure raw "$by_model"
say "settling the year ..."
WARM= measure year "CALL refresh()"
for _ in $(seq "$rounds"); do
    measure model "$by_model"
    measure team "$by_team"
    measure view "SELECT count(*) FROM cost_per_token"
    measure days "SELECT count(*) FROM daily_spend"
    measure zone "SELECT count(*) FROM lines(usage_ledger('month', zone => 'Asia/Kolkata')) l"
done

# One price of the most used model, for the year: every day holds it.
WARM=
psql -Xq -c "SELECT correct_price('vendor1', 'model-1-2025', '{\"currency\": \"USD\", \"input\": 7, \"output\": 9}', '[2025-01-01,2026-01-01)', 'bench')" >/dev/null
measure reprice "CALL refresh()"

# A new day, with and without marks; then settled, against one pass of ledger().
columns="at, tokens, provider, model, team, project, request_id, user_id, session_id, turn_id, agent"
file=$(psql -XqAtc "SELECT current_setting('data_directory') || '/bench_day'")
part=$(psql -XqAtc "SELECT partition FROM usage_partitions('usage', '2026-01-05Z', '2026-01-06Z') WHERE isfinite(starts)")
at="u.at >= '2026-01-05Z' AND u.at < '2026-01-06Z'"
pass() { echo "SELECT calls(ledger((SELECT book()), '$1', 'UTC', u.at, u.provider, u.model, u.service_tier, u.tokens, NULL::text, u.calls)) FROM usage u WHERE $at"; }
psql -Xq -c "COPY (SELECT $columns FROM day ORDER BY at) TO '$file'"
for round in $(seq "$rounds"); do
    say "a new day, round $round of $rounds"
    for way in marks plain; do
        psql -Xq -c "TRUNCATE $part" -c "ALTER TABLE $part $([ $way = marks ] && echo ENABLE ALWAYS || echo DISABLE) TRIGGER mark_usage" -c CHECKPOINT
        measure "copy_$way" "COPY usage ($columns) FROM '$file'"
    done
    psql -Xq -c "ALTER TABLE $part ENABLE ALWAYS TRIGGER mark_usage" -c "VACUUM ANALYZE $part"
    WARM=1 measure pass "$(pass day)"
    WARM=1 measure pass_quarter "$(pass quarter_hour)"
    WARM=1 measure day "SELECT settle_day('2026-01-05Z')" "DELETE FROM settled WHERE starts = '2026-01-05Z'; DELETE FROM stored_ledger WHERE starts = '2026-01-05Z'"
done

# a row with all ids of 16 characters
bytes=$(psql -XqAt -v ON_ERROR_STOP=1 <<'SQL'
CREATE TABLE filled (LIKE usage INCLUDING DEFAULTS);
INSERT INTO filled (at, tokens, provider, model, service_tier, request_id, user_id, session_id, turn_id, agent, team, project, status, ttft, duration)
SELECT at, tokens, provider, model, 'standard', request_id, user_id, session_id, turn_id, left(md5('a' || i % 7), 16), left(md5('e' || i % 20), 16), left(md5('p' || i % 50), 16), 'ok', 300, 4000
FROM (SELECT d.*, row_number() OVER () AS i FROM day d) d;
SELECT round(pg_relation_size('filled')::numeric / count(*), 1) FROM filled;
SQL
)

psql -XAtc "SELECT format('%s calls of 2025, %s models, %s teams; usage %s; stored ledgers %s, of a year by day, quarter_hour, month and 2 dimensions; PostgreSQL %s, load %s', $calls, 200, 20,
    (SELECT pg_size_pretty(sum(pg_table_size(relid))) FROM pg_partition_tree('usage')), pg_size_pretty(pg_total_relation_size('stored_ledger')), current_setting('server_version'), '$(cut -d' ' -f1 /proc/loadavg)')"
missing=0
# line TEXT VALUE UNIT [LIMIT]: the value, and the limit beside it
line() {
    awk -v text="$1" -v value="$2" -v unit="$3" -v limit="${4:-}" 'BEGIN {
        if (value + 0 == 0) {
            print text ": NOT MEASURED"
            exit 1
        }
        printf "%-66s %9.*f %-12s", text, (unit == "x" ? 2 : 1), value, unit
        print (limit == "" ? "" : "at most " limit ", " (value + 0 <= limit + 0 ? "holds" : "MISSED"))
    }' | sed 's/ *$//' || missing=1
}
line "month x model, from calls" "$(median raw)" ms
line "month x model, from settled months" "$(median model)" ms 50
line "month x team x model, from settled months" "$(median team)" ms 200
line "view cost_per_token" "$(median view)" ms
line "view daily_spend" "$(median days)" ms
line "month x model by the months of Asia/Kolkata" "$(median zone)" ms
line "refresh() of the year" "$(median year)" ms
line "refresh() of the year after a price of its most used model changed" "$(median reprice)" ms
line "one pass of ledger() over a day of 55,000 calls, by day" "$(median pass)" ms
line "one pass by quarter_hour" "$(median pass_quarter)" ms
line "settle_day(), as refresh() calls it: 4 ledgers, stored" "$(median day)" ms
line "  against the pass by day" "$(ratio day pass)" x 3
line "COPY of it with marks" "$(median copy_marks)" ms
line "  against COPY without" "$(ratio copy_marks copy_plain)" x 1.15
line "heap of a call with all ids, 16 characters each" "$bytes" bytes 240
exit "$missing"
