# Reasoning, fan-out, cache and hours of the company of the demo: what each view
# says is what its calls say, one by one.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

my $database = company_database();
psql(q(CREATE TABLE call AS SELECT u.*, cost((SELECT book()), provider, model, at, tokens, service_tier) AS cost FROM usage u;
    ANALYZE call, usage));

# ---- hours of the week ----
is(psql(q(SELECT count(*), count(DISTINCT (side, dow, hour)), sum(minutes) FILTER (WHERE side = 'total') = (SELECT extract(epoch FROM upper(s) - lower(s)) / 60 FROM (SELECT span(usage_profile()) AS s) x),
                 round(sum(mean * minutes) FILTER (WHERE side = 'total')) = (SELECT sum(total(tokens)) FROM call WHERE calls = 1),
                 round(sum(mean * minutes) FILTER (WHERE side = 'output')) = (SELECT sum(output_total(tokens)) FROM call WHERE calls = 1),
                 min(coverage) = (SELECT trim_scale(count(tokens) FILTER (WHERE calls = 1) / sum(calls)) FROM call) FROM peak_profile)), '504|504|t|t|t|t', 'every hour of the week, all minutes, all tokens');
is(psql(q(SELECT count(*) FROM peak_profile p JOIN (
        SELECT extract(isodow FROM m AT TIME ZONE 'Europe/Berlin') AS dow, extract(hour FROM m AT TIME ZONE 'Europe/Berlin') AS hour, percentile_disc(0.95) WITHIN GROUP (ORDER BY coalesce(n, 0)) AS p95, max(n) AS max
        FROM generate_series((SELECT date_trunc('minute', min(at)) FROM call WHERE calls = 1), (SELECT max(at) FROM call WHERE calls = 1), interval '1 minute') m
        LEFT JOIN (SELECT date_trunc('minute', at) AS m, coalesce(sum(total(tokens)), 0)::bigint AS n FROM call WHERE calls = 1 GROUP BY 1) x USING (m) GROUP BY 1, 2) q USING (dow, hour)
    WHERE side = 'total' AND p.p95 = q.p95 AND p.max = coalesce(q.max, 0))), '168', 'percentiles of each hour, in Berlin, with its idle minutes');
is(psql(q(SELECT sum(p.calls), sum(m.calls) FROM (SELECT merge(x) AS x FROM (SELECT usage_profile(s, s + interval '1 month', 'Europe/Berlin') AS x FROM generate_series('2025-05-01 00:00+02'::timestamptz, '2026-07-01', interval '1 month') s) y) z, LATERAL (SELECT calls(x) AS calls) p, LATERAL (SELECT calls(usage_profile()) AS calls) m)) =~ /^(\d+)\|\1$/, 1, 'months merge into the whole');

# ---- reasoning ----
is(psql(q(SELECT count(*) FROM reasoning_profile r JOIN (SELECT model, count(*) AS n, sum(t)::bigint AS t, percentile_disc(0.5) WITHIN GROUP (ORDER BY t) AS p50, percentile_disc(0.99) WITHIN GROUP (ORDER BY t) AS p99, max(t) AS max
        FROM (SELECT model, tokens -> 'reasoning' AS t FROM call WHERE calls = 1 AND tokens -> 'reasoning' IS NOT NULL) x GROUP BY 1) c USING (model)
    WHERE r.per = 'call' AND (r.count, r.reasoning_tokens, r.p50, r.p99, r.max) = (c.n, c.t, c.p50, c.p99, c.max))), psql(q(SELECT count(DISTINCT model) FROM call WHERE tokens -> 'reasoning' IS NOT NULL)), 'reasoning per call, of each model that reports it');
is(psql(q(SELECT r.count, r.reasoning_tokens, r.p90, r.max FROM reasoning_profile r WHERE per = 'turn' AND model = 'o3')),
    psql(q(SELECT count(*), sum(t)::bigint, percentile_disc(0.9) WITHIN GROUP (ORDER BY t), max(t) FROM (SELECT sum(tokens -> 'reasoning')::bigint AS t FROM call WHERE model = 'o3' AND turn_id IS NOT NULL GROUP BY turn_id HAVING count(tokens -> 'reasoning') > 0) x)), 'and per turn');
is(psql(q(SELECT count(*) FROM reasoning_profile WHERE count = 0 AND (reasoning_tokens IS NOT NULL OR mean IS NOT NULL OR max IS NOT NULL OR coverage <> 0))), '0', 'where no call reports it nothing is said, not zero');
is(psql(q(SELECT sum(reasoning_tokens) FROM reasoning_profile WHERE per = 'call')), psql(q(SELECT sum(tokens -> 'reasoning') FROM call WHERE calls = 1)), 'all reasoning tokens');
for my $cap (0, 500, 2000, 100000) {
    is(psql("SELECT model, currency, calls, calls_above, saved_tokens, saved_cost FROM cap_reasoning($cap) WHERE calls > 0 ORDER BY 1"),
        psql("SELECT model, CASE WHEN count(cost) > 0 THEN 'USD' END, count(*), count(*) FILTER (WHERE r > $cap), sum(greatest(r - $cap, 0)),
            trim_scale(sum(cost - cost((SELECT book()), provider, model, at, tokens - tokens(reasoning => greatest(r - $cap, 0)), service_tier)))
            FROM (SELECT *, tokens -> 'reasoning' AS r FROM call WHERE calls = 1) x WHERE r IS NOT NULL GROUP BY model ORDER BY 1"), "a cap of $cap, call by call");
}
is(psql(q(SELECT saved_cost FROM cap_reasoning(0) WHERE model = 'gpt-5-2025-08-07')), psql(q(SELECT trim_scale(sum(e.cost)) FROM call c, explain_cost((SELECT book()), provider, model, at, tokens, service_tier) e WHERE c.model = 'gpt-5-2025-08-07' AND e.meter = 'reasoning' AND e.priced_by = 'contracted' AND c.calls = 1)), 'no reasoning at all would save what it cost');
is(psql(q(SELECT count(*) FROM (SELECT sum(saved_cost) AS s, cap, lag(sum(saved_cost)) OVER (ORDER BY cap) AS b FROM cap_reasoning(ARRAY[0, 100, 1000, 5000, 20000, 50000]) GROUP BY cap) x WHERE s > b)), '0', 'the higher a cap, the less it saves');

# ---- fan-out ----
psql(q(CREATE TABLE turn AS SELECT turn_id, min(at) AS at, count(*) AS calls, coalesce(total(sum(tokens)), 0) AS tokens, sum(cost) AS cost FROM call WHERE turn_id IS NOT NULL AND calls = 1 GROUP BY 1));
is(psql(q(SELECT month, turns, calls, p50, p99, max, tokens, round(top_percent_share, 12) FROM fan_out WHERE scope = 'total' ORDER BY 1)),
    psql(q(SELECT month, count(*), sum(calls), percentile_disc(0.5) WITHIN GROUP (ORDER BY calls), percentile_disc(0.99) WITHIN GROUP (ORDER BY calls), max(calls), sum(tokens), round(sum(tokens) FILTER (WHERE place <= ceil(n / 100.0)) / sum(tokens), 12)
           FROM (SELECT *, row_number() OVER (PARTITION BY month ORDER BY tokens DESC) AS place, count(*) OVER (PARTITION BY month) AS n FROM (SELECT *, date_trunc('month', at AT TIME ZONE 'Europe/Berlin')::date AS month FROM turn) x) y GROUP BY month ORDER BY 1)), 'calls per turn, and the share of the top hundredth');
is(psql(q(SELECT count(DISTINCT (turns, calls, tokens)) FROM (SELECT sum(turns) AS turns, sum(calls) AS calls, sum(tokens) AS tokens FROM fan_out GROUP BY scope) x)), '1', 'teams and projects add up to all turns');
is(psql(q(SELECT string_agg(turn_id, ' ' ORDER BY cost_converted DESC, total_tokens DESC, turn_id) FROM costliest_turns(20, '2026-01-01', '2026-03-01'))), psql(q(SELECT string_agg(turn_id, ' ' ORDER BY cost DESC, tokens DESC, turn_id) FROM (SELECT * FROM turn WHERE at >= '2026-01-01' AND at < '2026-03-01' ORDER BY cost DESC NULLS LAST, tokens DESC, turn_id LIMIT 20) x)), 'the costliest turns');
is(psql(q(SELECT count(*) FROM costliest_turns(20) c JOIN turn t USING (turn_id) WHERE c.cost = t.cost AND c.calls = t.calls AND c.total_tokens = t.tokens AND jsonb_array_length(call_list) = t.calls AND (SELECT sum((e ->> 'cost')::numeric) FROM jsonb_array_elements(call_list) e) = t.cost)), '20', 'to the last digit, with all their calls');
is(psql(q(SELECT count(*) FROM turns_between('2026-05-31 21:59:30Z', '2026-06-02') t JOIN turn USING (turn_id) WHERE t.calls <> turn.calls OR t.tokens IS NOT NULL AND total(t.tokens) <> turn.tokens)), '0', 'turns that the limits cut are whole');

# ---- cache ----
is(psql(q(SELECT sum(calls), sum(cache_read_tokens), sum(cacheable_tokens) FROM cache_use)), psql(q(SELECT sum(calls), sum(tokens -> 'cache_read'), sum(input_total(tokens)) FILTER (WHERE tokens -> 'cache_read' IS NOT NULL) FROM call)), 'all calls and what of them the cache had');
is(psql(q(SELECT month, model, net_cache_saving FROM (SELECT month, model, sum(net_cache_saving) AS net_cache_saving FROM cache_use WHERE currency = 'USD' AND model LIKE 'claude-%4-1' GROUP BY 1, 2) x ORDER BY 1)),
    psql(q(SELECT date_trunc('month', at AT TIME ZONE 'Europe/Berlin')::date, model, trim_scale(sum(cost((SELECT book()), provider, model, at, tokens(input => input_total(tokens)), service_tier) - cost((SELECT book()), provider, model, at, tokens - tokens(output => tokens -> 'output', reasoning => tokens -> 'reasoning'), service_tier)))
           FROM call WHERE model LIKE 'claude-%4-1' AND tokens IS NOT NULL GROUP BY 1, 2 ORDER BY 1)), 'the cache saves what its tokens would have cost as plain input, less what they did');
is(psql(q(SELECT sum(calls), sum(cache_read_tokens) FROM cache_by_session_depth)), psql(q(SELECT count(*), sum(tokens -> 'cache_read') FROM call WHERE session_id IS NOT NULL AND calls = 1)), 'every call of a session has its depth');
is(psql(q(SELECT sum(cache_read_tokens) / sum(cacheable_tokens) < 0.4, (SELECT sum(cache_read_tokens) / sum(cacheable_tokens) > 0.85 FROM cache_by_session_depth WHERE depth > 10) FROM cache_by_session_depth WHERE depth = 1)), 't|t', 'long sessions hit the cache more');
is(psql(q(SELECT count(*) FROM cache_by_session_depth WHERE depth = 1 AND depth_to = 1 AND team = 'legal')) > 0, 1, 'by team');

# ---- limits: only their partitions, and a week about them where turns and sessions are whole ----
sub partitions {
    my ($sql) = @_;
    my $plans = psql("LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on; SET client_min_messages = log; $sql");
    my %seen = map { $_ => 1 } $plans =~ /Scan[^\n]* on usage_(y\d{4}m\d\d|default)/g;
    return join ' ', sort keys %seen;
}
is(partitions("SELECT count(*) FROM $_('2026-02-01Z', '2026-03-01Z')"), 'y2026m02', "$_(): its partition alone") for qw(peak_profile_between cache_use_between);
is(partitions("SELECT count(*) FROM cap_reasoning(5, '2026-02-01Z', '2026-03-01Z')"), 'y2026m02', 'cap_reasoning() too');
is(partitions("SELECT count(*) FROM $_('2026-02-08Z', '2026-02-20Z')"), 'y2026m02', "$_(): with a week about it") for qw(reasoning_profile_between fan_out_between turns_between cache_by_session_depth_between);
is(partitions("SELECT count(*) FROM costliest_turns(3, '2026-02-08Z', '2026-02-20Z')"), 'y2026m02', 'costliest_turns() too');
for my $view (qw(peak_profile reasoning_profile fan_out cache_by_session_depth cache_use)) {
    is(psql("SELECT (SELECT count(*) FROM $view) = (SELECT count(*) FROM ${view}_between()), (SELECT reloptions FROM pg_class WHERE oid = '$view'::regclass)"), 't|{security_invoker=true}', "$view is ${view}_between() without limits, with the rights of the reader");
}

# ---- settled months say the same, and do so without their calls ----
my @views = qw(demand_drivers peak_profile reasoning_profile fan_out cache_by_session_depth cache_use);
psql("CREATE TABLE counted_$_ AS SELECT * FROM $_") for @views;
$ENV{PGOPTIONS} = '-c client_min_messages=warning';
psql('CALL refresh()');
sub differences { my ($view) = @_; return psql("SELECT (SELECT count(*) FROM (SELECT * FROM $view EXCEPT ALL TABLE counted_$view) x), (SELECT count(*) FROM (TABLE counted_$view EXCEPT ALL SELECT * FROM $view) x)") }
is(differences($_), '0|0', "$_ of settled months") for @views;
is(psql('SELECT count(DISTINCT starts) >= 14, count(DISTINCT what) FROM stored_measure'), 't|6', 'all is stored');
is(psql(q(SELECT string_agg(DISTINCT outcome, ',') FROM verify('2025-05-02', '2025-05-03'))), 'equal', 'and verifies');
is(psql(q(SELECT archive('2025-05-01') > 30; DROP TABLE usage_y2025m05)), 't', 'a month is archived, and its partition dropped');
psql('CALL refresh()');
is(differences($_), '0|0', "$_ still has it") for @views;
is(psql(q(SELECT count(*) FROM measured_factors_between('2025-04-30 22:00Z', '2025-06-30 22:00Z') WHERE month = '2025-05-01' AND reason IS NULL)), 1, 'its factors too');
like(psql_error(q(SELECT measured_factors('2025-05-01', '{"team": "search"}', growth_months => 0))), qr/cannot be counted that way.*Ask for whole months/s, 'what was not stored is refused, not made up');
is(psql(q(SELECT measured_factors('2026-05-01', '{"team": "search"}', growth_months => 10)::text IS NOT NULL)), 't', 'slices of later months are counted');
done_testing();
