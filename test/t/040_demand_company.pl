# The factors of the demo company: over 1,000 random slices their product is the
# total, to the last token, and every story that moves them can be read off.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

company_database();

# ---- what plain SQL counts ----
# In this company a turn is of one session, person, team and project, so that
# each call says itself whose it is (006_company.pl holds it to that).
psql(q(CREATE TABLE call AS
    SELECT row_number() OVER (ORDER BY at, request_id) AS id, date_trunc('month', at AT TIME ZONE 'Europe/Berlin')::date AS month, at, team, project, provider, model, coalesce(service_tier, 'standard') AS service_tier, agent, status, user_id AS who, tags, tokens, coalesce(total(tokens), 0) AS total,
           CASE WHEN has_ids THEN user_id END AS user_id, CASE WHEN has_ids THEN session_id END AS session_id, CASE WHEN has_ids THEN turn_id END AS turn_id
    FROM usage, LATERAL (SELECT calls = 1 AND user_id IS NOT NULL AND session_id IS NOT NULL AND turn_id IS NOT NULL AS has_ids) i;
    CREATE INDEX ON call (month); CREATE INDEX ON call (id); ANALYZE call;
    CREATE TYPE counted AS (users numeric, sessions numeric, turns numeric, calls bigint, mix tokens, total numeric, n bigint);
    CREATE FUNCTION count_slice(of_month date, slice jsonb) RETURNS counted LANGUAGE plpgsql AS $$
    DECLARE
        found counted;
    BEGIN
        EXECUTE (SELECT 'SELECT count(DISTINCT user_id), count(DISTINCT session_id), count(DISTINCT turn_id), count(turn_id), sum(tokens) FILTER (WHERE turn_id IS NOT NULL), coalesce(sum(total), 0), count(*) FROM call WHERE month = $1'
                     || coalesce(string_agg(format(CASE WHEN e.value = 'null' THEN ' AND %1$I IS NULL' WHEN jsonb_typeof(e.value) = 'array' THEN ' AND (%1$I = %2$L OR %1$I IS NULL)' ELSE ' AND %1$I = %2$L' END,
                                          CASE e.key WHEN 'user_id' THEN 'who' ELSE e.key END, CASE jsonb_typeof(e.value) WHEN 'array' THEN e.value ->> 0 ELSE e.value #>> '{}' END), ''), '')
                 FROM jsonb_each(slice) e) INTO found USING of_month;
        RETURN found;
    END $$));

# Slices of each of some columns of a random call, measured and counted: its value, or nothing, or both.
my $columns = join ', ', map { "('$_', r." . ($_ eq 'user_id' ? 'who' : $_) . ')' } qw(team project provider model service_tier agent status user_id);
psql(qq(SELECT setseed(0.20261124);
    CREATE TABLE slice AS
    SELECT e.i, r.month, e.slice
    FROM (SELECT count(*) AS n FROM call) size, generate_series(1, 1000) g, LATERAL (SELECT * FROM call WHERE id = 1 + g::bigint * 7919 * 31 % size.n) r, LATERAL (
        SELECT g AS i, jsonb_object_agg(c.name, CASE WHEN random() < 0.1 THEN jsonb_build_array(c.value, null) ELSE coalesce(to_jsonb(c.value), 'null') END) AS slice
        FROM (VALUES $columns) c(name, value) WHERE random() < CASE c.name WHEN 'user_id' THEN 0.05 WHEN 'status' THEN 0.1 ELSE 0.25 END AND r.id > 0) e;
    CREATE TABLE measured AS
    SELECT s.i, s.month AS of_month, s.slice AS of, f.f, total_tokens(f.f) AS product, c.*
    FROM slice s, LATERAL (SELECT measured_factors(s.month, s.slice, growth_months => 0) AS f OFFSET 0) f, LATERAL count_slice(s.month, s.slice) c));
is(psql(q(SELECT count(*), count(DISTINCT (of_month, of)) > 500, count(*) FILTER (WHERE (f).reason IS NULL) > 500, count(*) FILTER (WHERE (f).coverage > 0 AND (f).coverage < 1) > 10 FROM measured)),
    '1000|t|t|t', '1,000 slices, most with factors, some of calls without ids too');
is(psql('SELECT count(*) FROM measured WHERE (f).reason IS NULL AND (product IS DISTINCT FROM total OR total = 0)'), 0, 'the product of the factors is the total, exactly');
is(psql('SELECT count(*) FROM measured WHERE (f).reason IS NOT NULL AND product IS NOT NULL'), 0, 'where there are none there is no product');
is(psql('SELECT count(*) FROM measured WHERE (calls > 0 AND total(coalesce(mix, tokens())) > 0) <> ((f).reason IS NULL)'), 0, 'and that is where no call with ids reports tokens');
is(psql('SELECT count(*) FROM measured WHERE calls > 0 AND ((f).users <> users OR round((f).sessions_per_user * users, 12) <> sessions OR round((f).turns_per_session * sessions, 12) <> turns
     OR round((f).calls_per_turn * turns, 12) <> calls OR (f).mix IS DISTINCT FROM mix)'), 0, 'users, sessions, turns, calls and tokens by meter');
is(psql('SELECT count(*) FROM measured WHERE (f).reason IS NULL AND total(tokens_by_meter(f)) <> total'), 0, 'as a plan it has the same tokens');

is(psql("SELECT count(*), count(*) FILTER (WHERE total_tokens(f) = c.total) FROM unnest('{Asia/Kolkata,Australia/Lord_Howe,America/St_Johns}'::text[]) z, measured_factors_between(zone => z) f,
         LATERAL (SELECT sum(total) AS total FROM call WHERE date_trunc('month', at AT TIME ZONE z) = f.month) c"), '45|45', 'by the months of other zones too');

# ---- drivers ----
psql('CREATE TABLE driver AS SELECT * FROM demand_drivers');
is(psql('SELECT scope, count(*), sum(total_tokens) FROM driver GROUP BY 1 ORDER BY 1'), psql(q(SELECT s, count(DISTINCT (month, CASE s WHEN 'team' THEN coalesce(team, '') WHEN 'project' THEN coalesce(project, '') END)), sum(total)
         FROM call, unnest('{project,team,total}'::text[]) s GROUP BY 1 ORDER BY 1)), 'every team and project of each month, and all tokens');
is(psql('SELECT count(*) FROM driver WHERE reason IS NULL AND round(users * sessions_per_user * turns_per_session * calls_per_turn * tokens_per_call * reasoning_multiplier * coverage_multiplier) <> total_tokens'), 0, 'the columns multiply to the total');
is(psql(q(SELECT to_char(month, 'YYYY-MM'), days, users, sessions, turns, calls, calls_without_tokens, total_tokens, round(growth_tokens_per_day, 4), round(coverage, 4) FROM driver WHERE scope = 'total' AND month BETWEEN '2026-01-01' AND '2026-03-01' ORDER BY month)),
    psql(q(SELECT to_char(m.month, 'YYYY-MM'), m.days, m.users, m.sessions, m.turns, m.calls, m.failed, m.total, round((m.total / m.days) / (b.total / b.days) - 1, 4), round(m.mixed / m.total, 4)
           FROM (SELECT month, extract(day FROM month + interval '1 month - 1 day') AS days, count(DISTINCT user_id) AS users, count(DISTINCT session_id) AS sessions, count(DISTINCT turn_id) AS turns, count(turn_id) AS calls, count(turn_id) FILTER (WHERE tokens IS NULL) AS failed, sum(total) AS total, sum(total) FILTER (WHERE turn_id IS NOT NULL) AS mixed FROM call GROUP BY 1) m
           JOIN (SELECT month, extract(day FROM month + interval '1 month - 1 day') AS days, sum(total) AS total FROM call GROUP BY 1) b ON b.month = m.month - interval '1 month' WHERE m.month BETWEEN '2026-01-01' AND '2026-03-01' ORDER BY m.month)),
    'the months around February, by the day');

# ---- the stories ----
sub story {
    my ($name, $sql, $answer) = @_;
    my $got = psql($sql);
    $answer =~ s/^\s+//mg;
    chomp $answer;
    is($got, $answer, $name);
    print "$got\n" if $ENV{COMPANY_UPDATE};
}
story('an agent launch: calls a turn, of the team and of its project', q(SELECT to_char(month, 'YYYY-MM'), owner, turns, calls, round(calls_per_turn, 2), round(growth_calls_per_turn, 2), round(growth_turns_per_session, 2) FROM driver
    WHERE (owner = 'platform' OR owner = 'code') AND month BETWEEN '2025-11-01' AND '2026-01-01' ORDER BY owner, month), q(
    2025-11|code|812|1047|1.29|0.00|-0.01
    2025-12|code|280|3892|13.90|9.78|-0.08
    2026-01|code|446|6066|13.60|-0.02|0.04
    2025-11|platform|964|1214|1.26|-0.01|-0.01
    2025-12|platform|425|4046|9.52|6.56|-0.01
    2026-01|platform|599|6235|10.41|0.09|0.00));
story('a cache regression: the hit rate of the search', q(SELECT to_char(month, 'YYYY-MM'), round(cache_hit_rate, 3), round(growth_cache_hit_rate, 2) FROM driver WHERE owner = 'answers' AND month BETWEEN '2026-01-01' AND '2026-03-01' ORDER BY month), q(
    2026-01|0.817|0.00
    2026-02|0.440|-0.46
    2026-03|0.821|0.87));
story('reasoning: of everybody, before and after the assistant thinks, and of those who read papers', q(SELECT to_char(month, 'YYYY-MM'), owner, round(reasoning_multiplier, 3) FROM driver WHERE owner IN ('assistant', 'papers') AND month BETWEEN '2025-08-01' AND '2025-09-01' ORDER BY owner, month), q(
    2025-08|assistant|1.000
    2025-09|assistant|1.058
    2025-08|papers|1.219
    2025-09|papers|1.242));
story('underuse: the lab', q(SELECT to_char(month, 'YYYY-MM'), users, turns FROM driver WHERE owner = 'prototypes' AND month IN ('2025-05-01', '2026-06-01') ORDER BY month), q(
    2025-05|9|422
    2026-06|13|34));
story('programs have no users, and say so', q(SELECT DISTINCT owner, users, coverage, calls_per_turn, reason FROM driver WHERE owner IN ('enrichment', 'classification') ORDER BY owner), q(
    classification|0|0||no call has a user, a session and a turn
    enrichment|0|0||no call has a user, a session and a turn));

# ---- planning with what was measured ----
story('growth of a year, compound, by the day', q(SELECT monthly_growth, round(power(1 + monthly_growth, 12) - (1782737904 / 30.0) / (359490910 / 30.0), 6) FROM measured_factors('2026-06-01')), q(
    0.142746672639|0.000000));
story('what a model will need', q(SELECT ahead, month, total_tokens, cache_tokens, peak_tokens, needed_tokens FROM token_demand(measured_factors('2026-06-01', '{"project": "code"}'), 2)), q(
    0|2026-06-01|1312024551|-1151539075|2840879398|3001364874
    1|2026-07-01|1893954023|-1662287541|4100910265|4332576747
    2|2026-08-01|2645796656|-2322165566|5728847987|6052479077));
is(psql(q(SELECT count(*) FROM unnest('{2025-12-01,2026-02-01,2026-05-01}'::date[]) m, (SELECT book() AS book OFFSET 0) b, LATERAL plan_cost(measured_factors(m, '{"model": "claude-opus-4-1"}', 'UTC', 0), b.book, 'anthropic', 'claude-opus-4-1', m + 10) p
         WHERE p.cost = (SELECT sum(cost(b.book, provider, model, at, tokens)) FROM usage WHERE model = 'claude-opus-4-1' AND date_trunc('month', at AT TIME ZONE 'UTC') = m))), 3, 'what was measured costs what its calls did, to the last digit');
story('what if the cache of the agent failed, or it made half the calls', q(SELECT scenario, total_tokens, round(cost, 2), round(delta_cost, 2), cost_explained FROM (SELECT measured_factors('2026-06-01', '{"model": "claude-opus-4-1"}') AS f OFFSET 0) m,
    compare_scenarios(f, ARRAY[with_factor(f, 'cache_hit_rate', 0), with_factor(with_factor(f, 'cache_hit_rate', 0), 'calls_per_turn', multiply => 0.5)], '{no cache,half the calls}', book(), 'anthropic', 'claude-opus-4-1', '2026-06-15')), q(
    base|1250961210|4761.21|0.00|{}
    no cache|1250961210|21091.97|16330.76|{"cache_hit_rate": 16330.761138375}
    half the calls|625480605|10545.98|5784.78|{"cache_hit_rate": 12248.070854625, "calls_per_turn": -6463.293010875}));

# ---- limits: their partitions, and the week before ----
my $plans = psql("LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on; SET auto_explain.log_analyze = on; SET client_min_messages = log;
    SELECT count(*) FROM demand_drivers_between('2026-02-01 00:00 Europe/Berlin', '2026-03-01 00:00 Europe/Berlin')");
my %seen = map { $_ => 1 } $plans =~ /Scan[^\n]* on usage_(y\d{4}m\d\d)[^\n]*\(actual/g;
is(join(' ', sort keys %seen), 'y2026m01 y2026m02', 'limits read their months, and the one in which their turns may have begun');
done_testing();
