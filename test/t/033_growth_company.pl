# Why the bill of the demo's company grows: each of its stories in the effect
# where it belongs, and no cent of the bill without one.  COMPANY_UPDATE=1 prints
# each answer.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

my $database = company_database();
psql("ALTER DATABASE $database SET jit = off");
psql("ALTER DATABASE $database SET timezone = 'Europe/Berlin'");
psql('CREATE TABLE bill AS SELECT * FROM bill_growth; CREATE TABLE team AS SELECT * FROM bill_growth_by_team; CREATE TABLE project AS SELECT * FROM bill_growth_by_project;'
      . 'CREATE TABLE driver AS SELECT * FROM bill_growth_by_driver; CREATE TABLE dollars AS SELECT * FROM bill_growth_between(in_currency => \'USD\');'
      . 'CREATE TABLE trend AS SELECT * FROM total_spend_trend');

sub fact {
    my ($name, $sql, $expected) = @_;
    my $answer = psql($sql);
    diag("== $name\n$answer\n==") if $ENV{COMPANY_UPDATE};
    return is($answer, $expected =~ s/^\s+//mgr =~ s/\n\z//r, $name);
}

# ---- nothing is left over ----
my $effects = join ' + ', map { "${_}_effect" } qw(price volume mix new discontinued currency purchase other);
fact('months, currencies and comparisons', 'SELECT comparison, currency, count(*), count(change), count(note) FROM bill GROUP BY 1, 2 ORDER BY 1, 2', q(
        month on month|EUR|14|13|1
        month on month|USD|14|13|1
        year on year|EUR|14|2|12
        year on year|USD|14|2|12));
for my $table (qw(bill team project dollars)) {
    fact("$table: the effects are the change", "SELECT count(*) FROM $table WHERE $effects <> change OR change <> spend - spend_before", '0');
}
fact('the spend is that of the trend', 'SELECT count(*), count(*) FILTER (WHERE b.spend <> t.total_spend) FROM bill b JOIN trend t USING (month, currency)', '56|0');
fact('in one currency too', 'SELECT count(*), count(*) FILTER (WHERE d.spend <> t.spend) FROM dollars d JOIN (SELECT month, sum(total_spend_converted) AS spend FROM trend GROUP BY 1) t USING (month)', '28|0');
for my $owner (qw(team project)) {
    my $sums = join ', ', map { "sum(o.$_)" } qw(spend change), map { "${_}_effect" } qw(price volume mix new discontinued currency purchase other);
    my $whole = join ', ', map { "b.$_" } qw(spend change), map { "${_}_effect" } qw(price volume mix new discontinued currency purchase other);
    fact("contributions of each $owner add up to every effect of the bill",
        "SELECT count(*), count(*) FILTER (WHERE o.o IS DISTINCT FROM ROW($whole)) FROM bill b JOIN (SELECT month, comparison, currency, ROW($sums) AS o FROM $owner o GROUP BY 1, 2, 3) o USING (month, comparison, currency)
         WHERE b.change IS NOT NULL", '30|0');
}
my $by_driver = join ' + ', map { "${_}_effect" } qw(tokens cache mix price purchase other);
my $tokens = join ' + ', map { "${_}_effect" } qw(users sessions_per_user turns_per_session calls_per_turn tokens_per_call reasoning coverage);
fact('drivers are the change, and seven of them the tokens', "SELECT count(change), count(*) FILTER (WHERE $by_driver <> change), count(*) FILTER (WHERE $tokens <> tokens_effect), count($tokens) FROM driver", '30|0|0|30');
fact('groups of any kind add up to the whole, across a year, in one currency', q(
    WITH whole AS (SELECT * FROM bill_bridge('2025-06-01', '2025-09-01', '2026-04-01', '2026-07-01', in_currency => 'USD') WHERE currency IS NOT NULL)
    SELECT count(*), count(*) FILTER (WHERE (g.change, g.price, g.volume, g.mix, g.new, g.gone, g.fx) IS DISTINCT FROM (w.change, w.price_effect, w.volume_effect, w.mix_effect, w.new_effect, w.discontinued_effect, w.currency_effect))
    FROM whole w, unnest('{charge_category,provider,model,service_tier,meter,team,project}'::text[]) k,
         LATERAL (SELECT sum(change) AS change, sum(price_effect) AS price, sum(volume_effect) AS volume, sum(mix_effect) AS mix, sum(new_effect) AS new, sum(discontinued_effect) AS gone, sum(currency_effect) AS fx
                  FROM bill_bridge('2025-06-01', '2025-09-01', '2026-04-01', '2026-07-01', ARRAY[k], in_currency => 'USD') WHERE currency IS NOT NULL) g), '7|0');
fact('in a zone of half hours', q(SELECT count(*), count(*) FILTER (WHERE b.spend <> t.total_spend) FROM bill_growth_between(zone => 'Asia/Kolkata') b JOIN total_spend_trend_between(zone => 'Asia/Kolkata') t USING (month, currency)), '60|0');

# ---- the stories ----
fact('a price cut: o3 in June and July 2025, and no other price', q(
    SELECT m.month, b.model, round(b.price_effect, 2) FROM (VALUES ('2025-05-01'::date), ('2025-06-01'), ('2025-07-01')) m(month),
         bill_bridge(m.month, m.month + interval '1 month', m.month + interval '1 month', m.month + interval '2 months', '{model}') b WHERE b.price_effect <> 0 ORDER BY 1, 2), q(
        2025-05-01|o3|-1147.45
        2025-06-01|o3|-466.84));
fact('a contract: 10 % off one vendor', q(SELECT provider, round(price_effect, 2) FROM bill_bridge('2025-12-01', '2026-01-01', '2026-01-01', '2026-02-01', '{provider}') WHERE price_effect <> 0), q(
        anthropic|-232.46));
fact('a model switch: the help desk in October 2025 is mix', q(SELECT round(change, 2), price_effect, round(volume_effect, 2), round(mix_effect, 2), new_effect, discontinued_effect FROM project WHERE project = 'helpdesk' AND month = '2025-10-01' AND comparison = 'month on month'), q(
        -309.31|0|-52.44|-256.86|0|0));
fact('an agent launch: new models in December 2025, volume from then on', q(SELECT month, round(change, 2), round(price_effect, 2), round(volume_effect, 2), round(mix_effect, 2), round(new_effect, 2), round(discontinued_effect, 2) FROM project
      WHERE project = 'code' AND month BETWEEN '2025-12-01' AND '2026-03-01' AND comparison = 'month on month' ORDER BY 1), q(
        2025-12-01|1149.55|0.00|0.00|0.00|1577.60|-428.05
        2026-01-01|588.30|-198.11|586.30|200.11|0.00|0.00
        2026-02-01|317.09|0.00|142.39|174.70|0.00|0.00
        2026-03-01|867.45|0.00|683.99|183.45|0.00|0.00));
fact('it is calls per turn, and tokens per call', q(SELECT round(change, 2), round(users_effect, 2), round(calls_per_turn_effect, 2), round(tokens_per_call_effect, 2) FROM driver WHERE month = '2025-12-01' AND currency = 'USD' AND comparison = 'month on month'), q(
        1075.71|3.91|260.07|364.01));
fact('a cache regression: mix in February 2026, and back in March; no price', q(SELECT month, round(change, 2), price_effect, round(volume_effect, 2), round(mix_effect, 2) FROM project WHERE project = 'answers' AND month BETWEEN '2026-02-01' AND '2026-03-01' AND comparison = 'month on month' ORDER BY 1), q(
        2026-02-01|39.57|0|3.78|35.79
        2026-03-01|-36.68|0|15.71|-52.39));
fact('and the cache for the whole', q(SELECT month, round(cache_effect, 2) FROM driver WHERE currency = 'USD' AND comparison = 'month on month' AND month BETWEEN '2026-01-01' AND '2026-04-01' ORDER BY 1), q(
        2026-01-01|8.35
        2026-02-01|29.78
        2026-03-01|-69.55
        2026-04-01|33.16));
fact('a credit and its end, a tax', q(SELECT month, currency, other_effect FROM bill WHERE comparison = 'month on month' AND other_effect <> 0 ORDER BY 1), q(
        2026-03-01|USD|-150
        2026-04-01|USD|150
        2026-06-01|EUR|9.12));
fact('the euro', q(SELECT count(*) FILTER (WHERE currency_effect <> 0), round(sum(currency_effect) FILTER (WHERE comparison = 'month on month'), 4) FROM dollars), q(
        15|0.1223));
fact('an unpriced model is tokens, in no amount', q(SELECT month, unpriced_tokens FROM bill WHERE currency = 'USD' AND comparison = 'month on month' AND unpriced_tokens > 0 ORDER BY 1), q(
        2026-04-01|1605734
        2026-05-01|3392839
        2026-06-01|4464764));

# ---- what the README says of it, in its words ----
open my $readme, '<:encoding(UTF-8)', project_file('README.md') or die "README.md: $!";
my ($said) = do { local $/; <$readme> } =~ /^(The demo's company \(`make demo`\).*?)^## /ms;
is(join("\n", $said =~ /^\| (\d{4}-\d\d \|.*) \|$/mg), psql(q(
    SELECT concat_ws(' | ', to_char(p.month, 'YYYY-MM'), round(p.cost_per_mtok, 2), round(100 * p.matched_index::numeric, 1), round(g.spend),
                     (SELECT string_agg(coalesce(CASE WHEN round(e) > 0 THEN '+' END || round(e), round(e)::text, ''), ' | ' ORDER BY n)
                      FROM unnest(ARRAY[g.change, g.price_effect, g.mix_effect, g.volume_effect, g.new_effect + g.discontinued_effect, g.purchase_effect + g.other_effect]) WITH ORDINALITY x(e, n)))
    FROM unit_price_trend p JOIN bill_growth g USING (month, currency) WHERE p.scope = 'total' AND p.currency = 'USD' AND g.comparison = 'month on month' ORDER BY p.month)), 'the table of README');
my $figure = qr/([\d.]+)/;
is(join(' ', $said =~ /ends at $figure \($figure if each .*, not at $figure, and `note` says so.*\(OpenAI $figure and $figure, Anthropic $figure and $figure\)\..* $figure % of the spend of May 2025 and $figure % of that of June 2026.*of which $figure % or more was there before but in December 2025 \($figure %/s),
    psql(q(
    WITH price AS (SELECT * FROM unit_price_trend WHERE currency = 'USD'), last AS (SELECT * FROM price WHERE month = '2026-06-01'),
    counted AS (SELECT usage_ledger('month', '2025-05-01', '2026-07-01', 'Europe/Berlin') AS l),
    item AS (SELECT m.period < '2026-01-01' AS is_first, (m.provider, m.model, m.service_tier, m.above_input_tokens, m.off_peak, m.meter) AS item, sum(m.cost) AS cost
             FROM counted, meter_lines(l) m WHERE m.currency = 'USD' AND m.period IN ('2025-05-01', '2026-06-01') GROUP BY 1, 2)
    SELECT concat_ws(' ', (SELECT round(100 * geks_index::numeric) FROM last WHERE scope = 'total' AND note LIKE 'GEKS is %'),
        (SELECT round(100 * g.index::numeric) FROM counted, geks_index(l, 'fisher', 25) g WHERE g.provider IS NULL AND g.currency = 'USD' AND g.period = '2026-06-01'),
        (SELECT round(100 * matched_index::numeric, 1) FROM last WHERE scope = 'total'),
        (SELECT string_agg(concat_ws(' ', round(100 * matched_index::numeric, 1), round(100 * geks_index::numeric, 1)), ' ' ORDER BY provider DESC) FROM last WHERE provider IN ('openai', 'anthropic')),
        (SELECT string_agg(share, ' ' ORDER BY is_first DESC) FROM (
            SELECT i.is_first, round(100 * sum(i.cost) FILTER (WHERE o.cost > 0) / sum(i.cost))::text AS share FROM item i LEFT JOIN item o ON o.item = i.item AND o.is_first <> i.is_first GROUP BY 1) x),
        (SELECT round(100 * min(least(coverage, base_coverage))::numeric) FROM price WHERE scope = 'total' AND month <> '2025-12-01'),
        (SELECT round(100 * coverage::numeric) FROM price WHERE scope = 'total' AND month = '2025-12-01')))), 'what GEKS says, and why it is no drift');

# ---- at other prices ----
fact('June 2025 at its own prices, and at those of a year later: what each call would cost', q(
    SELECT r.currency, r.old_cost = t.usage_cost, r.new_cost = c.cost, r.new_cost - r.old_cost = r.difference, r.difference
    FROM (SELECT currency, sum(old_cost) AS old_cost, sum(new_cost) AS new_cost, sum(difference) AS difference FROM repriced_bill('2025-06-01', '2025-07-01', prices_at(book(), '2026-06-30')) WHERE currency IS NOT NULL GROUP BY 1) r
         JOIN trend t ON t.month = '2025-06-01' AND t.currency = r.currency
         JOIN (SELECT currency(b, provider, model, at, tokens, service_tier) AS currency, sum(cost(b, provider, model, at, tokens, service_tier)) AS cost FROM usage, (SELECT prices_at(book(), '2026-06-30') AS b OFFSET 0) b
               WHERE at >= '2025-06-01' AND at < '2025-07-01' GROUP BY 1) c ON c.currency = r.currency ORDER BY 1), q(
        EUR|t|t|t|0
        USD|t|t|t|-571.066443795));
fact('the rates that explain it', q(SELECT model, meter, old_rate, new_rate, round(difference, 2) FROM repriced_bill('2025-06-01', '2025-07-01', prices_at(book(), '2026-06-30')) WHERE difference < -20), q(
        o3|reasoning|40|8|-252.21
        o3|input|10|2|-182.86
        claude-3-opus-latest|cache_write|18.75|16.875|-32.59
        claude-3-opus-latest|input|15|13.5|-26.08
        claude-opus-4-0|input|15|13.5|-23.42
        o3|output|40|8|-22.37));
fact('the contract against the list', q(SELECT sum(difference) FILTER (WHERE provider = 'anthropic'), sum(difference) FILTER (WHERE provider <> 'anthropic') FROM repriced_bill('2026-01-01', '2026-07-01', book('list'))), q(
        2515.759163770|0));

# ---- who stops ----
psql(q{INSERT INTO seat SELECT user_id, min(team), '(,)' FROM usage WHERE user_id IS NOT NULL GROUP BY 1; INSERT INTO seat VALUES ('u999', 'lab', '[2025-05-01,)')});
psql('CREATE TABLE idle AS SELECT * FROM underuse');
fact('the lab', q(SELECT scope, owner, first_month, last_month, tokens_before, tokens, turns_before, turns, round(matched_quantity::numeric, 4), reason FROM idle WHERE scope IN ('company', 'team')), q(
        team|lab|2026-04-01|2026-06-01|4107819|2577723|446|249|0.4477|tokens -37.2 %, turns -44.2 %, while tokens of others rose +42.3 %));
fact('seats without use', q(SELECT owner, team, last_used_at, reason FROM idle WHERE scope = 'seat' ORDER BY 1), q(
        u152|legal|2026-02-18 15:20:52+01|a seat without use in the last 3 months
        u999|lab||a seat that was never used));
fact('people of whom calls fell, by a count of our own', q(
    SELECT count(*) FILTER (WHERE i.owner IS NOT NULL), count(*) FILTER (WHERE i.owner IS NOT NULL AND NOT (c.t1 < 0.9 * c.t0 AND (c.n0 = 0 OR c.n1 < 0.9 * c.n0) AND c.t1 = i.tokens AND c.n1 = i.turns))
    FROM (SELECT user_id, coalesce(total(sum(tokens) FILTER (WHERE at < '2026-04-01')), 0) AS t0, coalesce(total(sum(tokens) FILTER (WHERE at >= '2026-04-01')), 0) AS t1,
                 count(DISTINCT turn_id) FILTER (WHERE at < '2026-04-01') AS n0, count(DISTINCT turn_id) FILTER (WHERE at >= '2026-04-01') AS n1
          FROM usage WHERE at >= '2026-01-01' AND at < '2026-07-01' AND user_id IS NOT NULL GROUP BY 1) c FULL JOIN (SELECT * FROM idle WHERE scope = 'user') i ON i.owner = c.user_id), q(
        37|0));
done_testing();
