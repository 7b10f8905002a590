# The forecast of a small company whose every figure can be worked out by hand:
# constant use, a scheduled price change, thresholds, off-peak windows, models
# that are new, stopped or without a price, in a zone with daylight saving time.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

database();
psql(q{UPDATE setting SET zone = 'Europe/Berlin';
    INSERT INTO price (provider, model, service_tier, above_input_tokens, rates, valid, off_peak, off_peak_zone) VALUES
        ('v', 'steady', 'standard', 0, '{"currency": "USD", "input": 10, "output": 20}', '[2025-01-01,2025-04-14 22:00Z)', '{}', 'UTC'),
        ('v', 'steady', 'standard', 0, '{"currency": "USD", "input": 5, "output": 10}', '[2025-04-14 22:00Z,)', '{}', 'UTC'),
        ('v', 'steady', 'batch', 0, '{"currency": "USD", "input": 1}', '[2025-01-01,)', '{}', 'UTC'),
        ('v', 'tiered', 'standard', 0, '{"currency": "USD", "input": 1}', '[2025-01-01,2025-04-30 22:00Z)', '{}', 'UTC'),
        ('v', 'tiered', 'standard', 200000, '{"currency": "USD", "input": 2}', '[2025-01-01,2025-04-30 22:00Z)', '{}', 'UTC'),
        ('v', 'tiered', 'standard', 0, '{"currency": "EUR", "input": 3}', '[2025-04-30 22:00Z,)', '{}', 'UTC'),
        ('v', 'tiered', 'standard', 200000, '{"currency": "EUR", "input": 7}', '[2025-04-30 22:00Z,)', '{}', 'UTC'),
        ('v', 'night', 'standard', 0, '{"currency": "USD", "input": 10}', '[2025-01-01,2025-03-31 22:00Z)', '{}', 'Europe/Berlin'),
        ('v', 'night', 'standard', 0, '{"currency": "USD", "input": 1}', '[2025-01-01,2025-03-31 22:00Z)', '{[0,360),[1440,1800),[2880,3240),[4320,4680),[5760,6120),[7200,7560),[8640,9000)}', 'Europe/Berlin'),
        ('v', 'night', 'standard', 0, '{"currency": "USD", "input": 20}', '[2025-03-31 22:00Z,)', '{}', 'Europe/Berlin'),
        ('v', 'night', 'standard', 0, '{"currency": "USD", "input": 2}', '[2025-03-31 22:00Z,)', '{[0,360),[1440,1800),[2880,3240),[4320,4680),[5760,6120),[7200,7560),[8640,9000)}', 'Europe/Berlin'),
        ('v', 'weekly', 'standard', 0, '{"currency": "USD", "input": 1}', '[2025-01-01,2025-04-19 22:00Z)', '{}', 'UTC'),
        ('v', 'noon', 'standard', 0, '{"currency": "USD", "input": 1}', '[2025-01-01,2025-03-20 11:00Z)', '{}', 'UTC'),
        ('v', 'noon', 'standard', 0, '{"currency": "USD", "input": 2}', '[2025-03-20 11:00Z,)', '{}', 'UTC'),
        ('v', 'old', 'standard', 0, '{"currency": "USD", "input": 1}', '[2025-01-01,)', '{}', 'UTC'),
        ('v', 'new', 'standard', 0, '{"currency": "USD", "input": 1}', '[2025-01-01,)', '{}', 'UTC'),
        ('v', 'young', 'standard', 0, '{"currency": "USD", "input": 1}', '[2025-01-01,)', '{}', 'UTC');
    CREATE TABLE day AS SELECT d::date AS day, d AT TIME ZONE 'Europe/Berlin' AS at FROM generate_series('2025-01-01'::timestamp, '2025-03-10', '1 day') d;
    INSERT INTO usage (at, provider, model, service_tier, tokens)
        SELECT at + interval '9 hours', 'v', 'steady', 'standard', tokens(input => 1000, output => 100) FROM day
        UNION ALL SELECT at + interval '9 hours', 'v', 'steady', 'batch', tokens(input => 500) FROM day
        UNION ALL SELECT at + interval '9 hours', 'v', 'tiered', 'standard', tokens(input => 300000) FROM day
        UNION ALL SELECT at + interval '10 hours', 'v', 'tiered', 'standard', tokens(input => 100000) FROM day
        UNION ALL SELECT at + interval '3 hours', 'v', 'night', 'standard', tokens(input => 3000) FROM day
        UNION ALL SELECT at + interval '12 hours', 'v', 'night', 'standard', tokens(input => 1000) FROM day
        UNION ALL SELECT at + interval '9 hours', 'v', 'weekly', 'standard', tokens(input => 1000 * extract(isodow FROM day)::integer) FROM day
        UNION ALL SELECT at + interval '9 hours', 'v', 'noon', 'standard', tokens(input => 1000) FROM day
        UNION ALL SELECT at + interval '9 hours', 'v', 'unpriced', 'standard', tokens(input => 1000) FROM day
        UNION ALL SELECT at + interval '9 hours', 'v', 'old', 'standard', tokens(input => 1000) FROM day WHERE day < '2025-02-01'
        UNION ALL SELECT at + interval '9 hours', 'v', 'new', 'standard', tokens(input => 1000) FROM day WHERE day >= '2025-03-09'
        UNION ALL SELECT at + interval '9 hours', 'v', 'young', 'standard', tokens(input => (extract(day FROM day) * 100)::integer) FROM day WHERE day BETWEEN '2025-03-01' AND '2025-03-09'});

my $as_of = "to_at => '2025-03-10 17:00Z'";
psql("CREATE TABLE whole AS SELECT * FROM demand_forecast_between($as_of, months => 12); CREATE TABLE whole_by_day AS SELECT * FROM demand_forecast_between($as_of, months => 12, grain => 'day');
    CREATE VIEW by_month AS SELECT * FROM whole WHERE scope = 'meter'; CREATE VIEW by_day AS SELECT * FROM whole_by_day WHERE scope = 'meter'");
sub months { my ($columns, $where, $limit) = @_; return psql("SELECT $columns FROM by_month WHERE $where ORDER BY period, service_tier, meter LIMIT " . ($limit // 4)) }

is(psql('SELECT min(period), max(period), count(DISTINCT period), min(days), max(days) FROM by_month'), '2025-03-10|2026-03-01|13|22|31', 'the rest of the month, without today having counted, and twelve months');
is(psql('SELECT min(period), max(period), count(DISTINCT period) FROM by_day'), '2025-03-10|2026-03-31|387', 'or by day');
is(months(q(period, days, meter, tokens, currency, spend, spend_lower = spend, spend_upper = spend, is_approximate), q(model = 'steady' AND service_tier = 'standard'), 6),
    "2025-03-10|22|input|22000|USD|0.22|t|t|f\n2025-03-10|22|output|2200|USD|0.044|t|t|f\n"
  . "2025-04-01|30|input|30000|USD|0.22|t|t|f\n2025-04-01|30|output|3000|USD|0.044|t|t|f\n"
  . "2025-05-01|31|input|31000|USD|0.155|t|t|f\n2025-05-01|31|output|3100|USD|0.031|t|t|f", 'a price change scheduled for the 15th of April is in the forecast of that day')
    or diag(months('*', q(model = 'steady'), 6));
is(months('spend = 0.0005 * days, note', q(model = 'steady' AND service_tier = 'batch'), 1), 't|all values are the same', 'another service tier has its own price');
is(psql("SELECT spend FROM by_day WHERE model = 'steady' AND service_tier = 'standard' AND meter = 'input' AND period IN ('2025-04-14', '2025-04-15') ORDER BY period") =~ s/0+$//mgr, "0.01\n0.005", 'to the day');
is(months(q(tokens, currency, spend, is_approximate), q(model = 'tiered'), 3) =~ s/(\.\d*?)0+\|/$1|/gr =~ s/\.\|/|/gr, "8800000|USD|15.4|f\n12000000|USD|21|f\n12400000|EUR|74.4|f", 'three of four tokens are above the threshold, and so they stay; the new price is in another currency');
is(months(q(tokens, trim_scale(spend), is_approximate), q(model = 'night'), 2), "88000|0.286|f\n120000|0.78|f", 'three of four tokens are off-peak, and so they stay, over the change of the clocks');
is(psql(q(SELECT count(*) FROM by_day WHERE model = 'weekly' AND tokens <> 1000 * extract(isodow FROM period))), 0, 'a perfect week goes on as it was');
is(months(q(tokens, trim_scale(spend), currency, unpriced), q(model = 'weekly' AND period > '2025-04-30'), 1) , psql(q(SELECT sum(1000 * extract(isodow FROM d))::bigint || '|||no price at this time' FROM generate_series('2025-05-01'::timestamp, '2025-05-31', '1 day') d)), 'no price is no price of zero')
    or diag(months('*', q(model = 'weekly')));
is(psql(q(SELECT period, currency, tokens, unpriced FROM by_month WHERE model = 'weekly' AND period = '2025-04-01' ORDER BY currency NULLS LAST)) =~ s/\|[0-9]+\|/|N|/gr, "2025-04-01|USD|N|\n2025-04-01||N|no price at this time", 'the month in which the price ends is in two parts');
is(psql(q(SELECT string_agg(period::text, ',') FROM by_day WHERE is_approximate)), '2025-03-20', 'a price that changes at noon is a guess on that day, and is marked');
is(months(q(tokens, spend, unpriced), q(model = 'unpriced'), 1), '22000||unknown model', 'a model without a price');
is(psql(q(SELECT DISTINCT tokens, tokens_upper, spend, forecast_model, note FROM by_month WHERE model = 'old')), '0|0||stopped|no tokens since 2025-01-31', 'a model that stopped');
is(psql(q(SELECT tokens, tokens_lower IS NULL, spend, forecast_model, note FROM by_month WHERE model = 'new' AND period = '2025-04-01')) =~ s/0+\|naive/|naive/r, '30000|t|0.03|naive|short history, 1 of at least 10 values: the last one goes on; history only since 2025-03-09', 'a model of one day');
is(psql(q(SELECT tokens, tokens_lower BETWEEN 0 AND 5000, tokens_upper > 50000, forecast_model FROM by_month WHERE model = 'young' AND period = '2025-04-01')), '27000|t|t|naive', 'a model of nine days: a wide interval, and not below nothing');

# days add up to months
is(psql(q(SELECT count(*) FROM (SELECT greatest(date_trunc('month', period)::date, '2025-03-10') AS period, provider, model, service_tier, meter, currency, unpriced, sum(tokens) AS tokens, sum(spend) AS spend
        FROM by_day WHERE tokens > 0 GROUP BY 1, 2, 3, 4, 5, 6, 7) d
    FULL JOIN (SELECT * FROM by_month WHERE tokens > 0) m ON (m.period, m.provider, m.model, m.service_tier, m.meter) = (d.period, d.provider, d.model, d.service_tier, d.meter) AND m.currency IS NOT DISTINCT FROM d.currency
    WHERE (d.tokens = m.tokens AND d.spend IS NOT DISTINCT FROM m.spend AND d.unpriced IS NOT DISTINCT FROM m.unpriced) IS NOT TRUE)), 0, 'days add up to months, tokens and money');

# parts add up, their intervals do not; every forecast lies within its interval
is(psql(q(SELECT count(*) FROM (SELECT period, provider, model, service_tier, currency, sum(tokens) AS tokens, sum(spend) AS spend FROM whole WHERE scope = 'meter' AND (currency IS NOT NULL OR unpriced IS NOT NULL) GROUP BY 1, 2, 3, 4, 5) p
    FULL JOIN (SELECT * FROM whole WHERE scope = 'model' AND forecast_model <> 'stopped') m ON (m.period, m.provider, m.model, m.service_tier) = (p.period, p.provider, p.model, p.service_tier) AND m.currency IS NOT DISTINCT FROM p.currency
    WHERE (p.tokens = m.tokens AND p.spend IS NOT DISTINCT FROM m.spend) IS NOT TRUE)), 0, 'meters add up to models');
is(psql(q(SELECT count(*) FROM (SELECT period, sum(tokens) AS tokens FROM whole WHERE scope = 'model' GROUP BY 1) p FULL JOIN (SELECT * FROM whole WHERE scope = 'total') t USING (period) WHERE (p.tokens = t.tokens) IS NOT TRUE)), 0, 'models to the total');
is(psql(q(SELECT count(*) FROM (SELECT * FROM whole UNION ALL SELECT * FROM whole_by_day) x
    WHERE NOT (tokens_lower <= tokens AND tokens <= tokens_upper AND spend_lower <= spend AND spend <= spend_upper AND tokens_lower >= 0 AND spend_lower >= 0))), 0, 'lower <= forecast <= upper, tokens and money, months and days');
is(psql(q(SELECT period, trim_scale(spend), unpriced, note FROM whole WHERE scope = 'total' AND period IN ('2025-04-01', '2025-05-01') ORDER BY 1)) =~ s/\|[0-9.]+\|/|N|/r,
    "2025-04-01|N|no price at this time, unknown model|\n2025-05-01||no price at this time, unknown model|no exchange rate from EUR to USD", 'without a rate there is no total, and it is said');
psql(q(INSERT INTO fx_rate (day, kind, base_currency, quote_currency, rate, source) VALUES ('2025-03-07', 'daily', 'EUR', 'USD', 1.25, 'test'), ('2025-04-07', 'daily', 'EUR', 'USD', 9, 'test')));
is(psql("SELECT t.spend = (SELECT sum(spend * CASE currency WHEN 'EUR' THEN 1.25 ELSE 1 END) FROM whole m WHERE m.scope = 'meter' AND m.period = t.period), t.note, t.spend_lower < t.spend AND t.spend < t.spend_upper
    FROM demand_forecast_between($as_of, months => 2) t WHERE scope = 'total' AND period = '2025-05-01'"), 't|EUR at the exchange rate of 2025-03-07|t', 'with one it is that of the last day known then');
psql('DELETE FROM fx_rate');

# where from and until, and what is refused
is(psql("SELECT count(*) FROM demand_forecast_between(to_at => '2025-01-01', months => 1)"), 0, 'no calls, no forecast');
is(psql("SELECT DISTINCT note FROM demand_forecast_between(from_at => '2025-02-01 12:00Z', $as_of, months => 1) WHERE model = 'weekly' AND scope = 'meter'"), 'history only since 2025-02-02', 'a day that is cut by from_at does not count');
is(psql("SELECT min(period) FROM demand_forecast_between(to_at => '2025-03-10 17:00Z', zone => 'Pacific/Auckland', months => 1)"), '2025-03-11', 'days are those of the zone');
is(psql("SELECT count(*) FROM (SELECT * FROM demand_forecast_between($as_of) EXCEPT SELECT * FROM whole) x"), 0, 'the same every time');
is(psql('SELECT count(*) FILTER (WHERE forecast_model = $$stopped$$) = count(*) FROM demand_forecast'), 't', 'by today all of it has stopped');
like(psql_error("SELECT * FROM demand_forecast_between(grain => 'week')"), qr/there is no demand forecast by "week"/, 'no weeks');
like(psql_error('SELECT * FROM demand_forecast_between(months => 0)'), qr/cannot forecast 0 months/, 'no months');
like(psql_error('SELECT * FROM demand_forecast_between("to_at" => $$2025-03-10$$, level => 1)'), qr/level is out of range: 1/, 'nothing is certain');
done_testing();
