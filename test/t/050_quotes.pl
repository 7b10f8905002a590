# Quotes on real measurements: what a million tokens costs on rented GPUs, by
# MLPerf and InferenceX; and a real trace under offers of all three kinds.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

my %file = map { $_ => data_file($_) } qw(bench/mlperf_inference_v5.1_llm.csv.gz bench/inferencex_gpu_tco_usd_per_gpu_hour.csv
    bench/inferencex_decode_slo_results.csv traces/azure2023_code.csv.gz);
plan skip_all => 'the folder of real data is absent' if grep { !defined } values %file;

database();

# ---- $ per million tokens of a GPU: rent by output tokens per second ----
psql('CREATE TABLE rent (seen_from text, commit_id text, gpu text, kw numeric, own_hyperscaler numeric, own_neocloud numeric, rent numeric)');
psql("\\copy rent FROM '$file{'bench/inferencex_gpu_tco_usd_per_gpu_hour.csv'}' CSV HEADER");
my @header = split /,/, (qx(gzip -dc '$file{'bench/mlperf_inference_v5.1_llm.csv.gz'}'))[0] =~ s/\s+\z//r;
psql('CREATE TABLE mlperf (' . join(', ', map { qq("c_$_" text) } @header) . ')');
psql("\\copy mlperf FROM PROGRAM 'gzip -dc ''$file{'bench/mlperf_inference_v5.1_llm.csv.gz'}''' CSV HEADER");
psql(q(CREATE TABLE pair AS
    SELECT m."c_Model" AS model, g.gpu, r.rent, max(m."c_Performance_Result"::numeric / (m."c_a#"::numeric * m."c_Nodes"::numeric)) AS per_gpu
    FROM mlperf m JOIN (VALUES ('NVIDIA H100-SXM-80GB', 'h100'), ('NVIDIA H200-SXM-141GB', 'h200'), ('NVIDIA B200-SXM-180GB', 'b200'), ('NVIDIA GB200', 'gb200'),
                               ('AMD Instinct MI300X 192GB HBM3', 'mi300x'), ('AMD Instinct MI325X 256GB HBM3e', 'mi325x')) g(accelerator, gpu) ON g.accelerator = m."c_Accelerator"
    JOIN rent r USING (gpu)
    WHERE m."c_Scenario" = 'Offline' AND m."c_Performance_Units" = 'Tokens/s' AND m."c_Category" = 'closed' GROUP BY 1, 2, 3));
my @pairs = map { [split /\|/] } split /\n/, psql('SELECT model, gpu, rent, per_gpu, cost_per_mtok(rent, per_gpu, 1), cost_per_mtok(rent, per_gpu, 0.4) FROM pair ORDER BY 1, 2');
cmp_ok(scalar @pairs, '>=', 10, scalar(@pairs) . ' pairs of model and GPU');
my $wrong = 0;
for my $p (@pairs) {
    my ($model, $gpu, $rent, $rate, $cost, $at_forty) = @$p;
    my $expected = $rent / ($rate * 3600 / 1e6);
    $wrong++ if abs($cost / $expected - 1) > 1e-12 || abs($at_forty / $expected - 2.5) > 1e-12;
}
is($wrong, 0, 'each is the rent by the million tokens of an hour');
is(psql("SELECT round(cost_per_mtok(rent, per_gpu, 1), 4) FROM pair WHERE model = 'llama2-70b-99' AND gpu = 'h100'"), '0.0925', 'llama2-70b-99 offline on H100 at its rent of three years: $0.0925');
is(psql(q(SELECT d.rent > c.rent, cost_per_mtok(d.rent, d.per_gpu, 1) < cost_per_mtok(c.rent, c.per_gpu, 1), round(cost_per_mtok(d.rent, d.per_gpu, 1), 4)
          FROM pair d, pair c WHERE d.model = 'llama2-70b-99' AND c.model = d.model AND d.gpu = 'b200' AND c.gpu = 'h100')), 't|t|0.0626', 'the hour of a B200 is dearer, and its token cheaper');
is(psql(q(SELECT count(*) FROM pair, LATERAL cost_per_mtok(rent, per_gpu, 0.4) c
          WHERE round(needed_price(c, per_gpu, 0.4), 12) <> rent OR round(needed_throughput(c, rent, 0.4) / per_gpu - 1, 12) <> 0 OR round(needed_utilization(c, rent, per_gpu) - 0.4, 12) <> 0)), '0', 'and back');
# OpenCost: $3.20 an hour, 12 million tokens in of which 0.8 cached, 3 million out, half of the time each
is(psql('SELECT round(cost_per_mtok(3.20, 15000000), 3), round(cost_per_mtok(3.20 * 0.5, 12000000 - 800000), 3), round(cost_per_mtok(3.20 * 0.5, 3000000), 3)'), '0.213|0.143|0.533', 'OpenCost\'s example');
is(psql('SELECT round(cost_per_mtok(3.20, 3000000 / 3600.0, 1), 6), round(cost_per_mtok(3.20, 3000000), 6)'), '1.066667|1.066667', 'the whole hour over output alone is another number');

# ---- cost against interactivity: three models on eight H200 ----
@header = map { "c_$_" } split /,/, do { open my $in, '<', $file{'bench/inferencex_decode_slo_results.csv'} or die $!; my $line = <$in>; $line =~ s/\s+\z//r };
psql('CREATE TABLE slo (' . join(', ', map { qq("$_" text) } @header) . ')');
psql("\\copy slo FROM '$file{'bench/inferencex_decode_slo_results.csv'}' CSV HEADER");
psql(q(CREATE TABLE point AS
    SELECT split_part("c_model_id", '/', 2) AS model, (regexp_match("c_file", 'isl(\d+)_'))[1]::numeric AS input_length, (regexp_match("c_file", 'osl(\d+)_'))[1]::numeric AS output_length,
           "c_max_concurrency"::int AS concurrency, round(1 / "c_median_tpot"::numeric, 6) AS interactivity, round("c_median_ttft"::numeric * 1000)::int AS ttft,
           round("c_input_throughput"::numeric / 8, 6) AS input_rate, round("c_output_throughput"::numeric / 8, 6) AS output_rate
    FROM slo WHERE "c_median_tpot"::numeric > 0));
psql(q(INSERT INTO quote (name, kind, vendor, quoted_at, currency, price_per_gpu_hour, gpus_min, gpus_step, utilization_ceiling)
       SELECT DISTINCT model || ' isl ' || input_length, 'gpu_hour', 'H200 of three years', '2026-03-18Z'::timestamptz, 'USD', (SELECT rent FROM rent WHERE gpu = 'h200'), 8, 8, 0.6 FROM point));
psql(q(INSERT INTO operating_point (quote, concurrency, interactivity, ttft, input_tokens_per_second, output_tokens_per_second, input_length, output_length)
       SELECT DISTINCT ON (1, 3) model || ' isl ' || input_length, concurrency, interactivity, ttft, input_rate, output_rate, input_length, output_length FROM point));
is(psql('SELECT count(DISTINCT model), count(*) > 150 FROM point'), '3|t', 'three models, all points');
# the frontier by brute force: no other point is as good in both and better in one
psql(q(CREATE TABLE frontier AS SELECT p.* FROM point p WHERE input_length = 1024 AND NOT EXISTS (
    SELECT FROM point o WHERE o.model = p.model AND o.input_length = p.input_length AND o.interactivity >= p.interactivity AND o.output_rate >= p.output_rate
    AND (o.interactivity > p.interactivity OR o.output_rate > p.output_rate))));
my $at = q((SELECT array_agg(p.interactivity) AS x, array_agg(p.output_rate) AS y, array_agg(p.input_rate) AS z FROM point p WHERE p.model = f.model AND p.input_length = f.input_length) a);
is(psql("SELECT count(*) FROM frontier f, LATERAL $at, LATERAL operating_point_at(a.x, a.y, a.z, f.interactivity) r WHERE (r.output_rate_reached, r.input_rate_reached) IS DISTINCT FROM (f.output_rate, f.input_rate)"), '0',
    'on a point of the frontier, its own rates');
psql(qq(CREATE TABLE curve AS SELECT f.model, i AS interactivity, r.output_rate_reached AS rate, cost_per_mtok(1.6, r.output_rate_reached, 1) AS cost
    FROM (SELECT DISTINCT model, 1024::numeric AS input_length FROM point) f, LATERAL $at, generate_series(5, 80, 1) i, LATERAL operating_point_at(a.x, a.y, a.z, i) r));
is(psql(q(SELECT count(*) FROM (SELECT cost - lag(cost) OVER (PARTITION BY model ORDER BY interactivity) AS step FROM curve WHERE cost IS NOT NULL) x WHERE step < 0)), '0', 'the faster for the user, the dearer the token');
is(psql(q(SELECT count(*) FROM curve c WHERE (c.rate IS NULL) <> (c.interactivity > (SELECT max(f.interactivity) FROM frontier f WHERE f.model = c.model)))), '0', 'and nothing beyond the fastest point');
is(psql(q(SELECT count(*) FROM curve c WHERE c.rate IS NOT NULL AND NOT c.rate BETWEEN
    coalesce((SELECT max(f.output_rate) FROM frontier f WHERE f.model = c.model AND f.interactivity >= c.interactivity), 0)
    AND (SELECT max(f.output_rate) FROM frontier f WHERE f.model = c.model AND f.interactivity <= greatest(c.interactivity, (SELECT min(m.interactivity) FROM frontier m WHERE m.model = c.model))
         ))), '0', 'between the neighbours on the frontier') or diag(psql('SELECT * FROM curve ORDER BY 1, 2'));
open my $in, '<', project_file('README.md') or die $!;
my $readme = do { local $/; <$in> };
for my $row (split /\n/, psql(q(SELECT model, string_agg(coalesce(round(cost, 3)::text, ''), '|' ORDER BY interactivity) FROM curve WHERE interactivity % 10 = 0 AND interactivity BETWEEN 10 AND 70 GROUP BY 1))) {
    my $line = '| ' . join(' | ', split /\|/, $row, -1) . ' |';
    like($readme, qr/^\Q$line\E$/m, "README: $line");
}

# ---- a real trace under offers of all three kinds ----
psql('CREATE TABLE trace (at timestamp, context_tokens bigint, generated_tokens bigint)');
psql("\\copy trace FROM PROGRAM 'gzip -dc ''$file{'traces/azure2023_code.csv.gz'}''' CSV HEADER");
psql(q(INSERT INTO usage (at, tokens, provider, model) SELECT at AT TIME ZONE 'UTC', tokens(input => context_tokens, output => generated_tokens), 'azure', 'gpt-4.1' FROM trace));
psql(q(INSERT INTO price (book, provider, model, service_tier, rates) VALUES
    ('list', 'azure', 'gpt-4.1', 'standard', '{"currency": "USD", "input": 2, "cache_read": 0.5, "output": 8}'), ('list', 'azure', 'gpt-4.1', 'batch', '{"currency": "USD", "input": 1, "output": 4}'),
    ('list', 'azure', 'gpt-4.1-mini', 'standard', '{"currency": "USD", "input": 0.4, "cache_read": 0.1, "output": 1.6}'),
    ('reseller', 'azure', 'gpt-4.1', 'standard', '{"currency": "EUR", "input": 1.7, "cache_read": 0.45, "output": 7}')));
psql(q(INSERT INTO price (provider, model, above_input_tokens, rates) VALUES
    ('anthropic', 'claude', 0, '{"currency": "USD", "input": 3, "output": 15}'), ('anthropic', 'claude', 4000, '{"currency": "USD", "input": 6, "output": 22.5}')));
psql(q(INSERT INTO fx_rate (base_currency, quote_currency, day, rate) VALUES ('EUR', 'USD', '2026-03-17', 1.15)));
is(psql(q(SELECT measure_workload('code', '2023-11-16 18:00Z', '2023-11-16 20:00Z'))), '8819', 'the trace, as a workload of two hours');
is(psql(q(SELECT w.tokens, span_minutes FROM workload w)), '{"input": 18059974, "output": 245896}|120', 'its tokens');
is(psql(q(SELECT capacity_need(ARRAY(SELECT m.tokens FROM minutes(w.profile) m), 1, 120, 1, 1, 1, false, 1) FROM workload w)), '1257868', 'its peak minute');
psql(q(INSERT INTO quote (name, kind, vendor, quoted_at, provider, model, book, service_tier) VALUES
    ('pay as you go', 'tokens', 'Azure', '2026-03-18Z', 'azure', 'gpt-4.1', 'list', NULL), ('batch', 'tokens', 'Azure', '2026-03-18Z', 'azure', 'gpt-4.1', 'list', 'batch'),
    ('reseller', 'tokens', 'Reseller', '2026-03-18Z', 'azure', 'gpt-4.1', 'reseller', NULL), ('mini', 'tokens', 'Azure', '2026-03-18Z', 'azure', 'gpt-4.1-mini', 'list', NULL)));
psql(q(INSERT INTO quote (name, kind, vendor, quoted_at, provider, model, book, tokenizer_factor, tokenizer_factor_assumed) VALUES
    ('claude', 'tokens', 'Anthropic', '2026-03-18Z', 'anthropic', 'claude', 'list', 1.25, false)));
psql(q(INSERT INTO quote (name, kind, vendor, quoted_at, provider, model, book, discount, commitment, commitment_discount, minimum_spend) VALUES
    ('committed', 'tokens', 'Azure', '2026-03-18Z', 'azure', 'gpt-4.1', 'list', 0.05, 10000, 0.2, 12000)));
psql(q(INSERT INTO quote (name, kind, vendor, quoted_at, provider, model, currency, units, units_min, units_increment, price_per_unit_hour, tokens_per_minute_per_unit, cache_read_weight, output_weight, spillover_book) VALUES
    ('30 PTU', 'provisioned', 'Azure', '2026-03-18Z', 'azure', 'gpt-4.1', 'USD', 30, 15, 5, 1, 3000, 0, 4, 'list'), ('PTU for the peak', 'provisioned', 'Azure', '2026-03-18Z', 'azure', 'gpt-4.1', 'USD', NULL, 15, 5, 1, 3000, 0, 4, NULL)));
psql(q(INSERT INTO quote (name, kind, vendor, quoted_at, provider, model, currency, price_per_gpu_hour, gpus_min, gpus_step, utilization_ceiling)
       SELECT 'H200', kind, vendor, quoted_at, 'azure', 'gpt-4.1', currency, price_per_gpu_hour, gpus_min, gpus_step, 0.6 FROM quote WHERE name = 'MiniMax-M2.5 isl 2048'));
psql(q(INSERT INTO operating_point SELECT 'H200', concurrency, interactivity, ttft, input_tokens_per_second, output_tokens_per_second, measured_together, input_length, output_length FROM operating_point WHERE quote = 'MiniMax-M2.5 isl 2048'));
my $ten = q('{pay as you go,batch,reseller,mini,claude,committed,30 PTU,PTU for the peak,H200}');
is(psql("SELECT count(*), count(DISTINCT kind), count(cost_per_mtok), count(*) FILTER (WHERE serves) FROM compare_quotes('code', $ten)"), '9|3|9|9', 'nine quotes of three kinds');
for my $row (split /\n/, psql("SELECT rank, quote, round(cost_per_mtok_converted, 4), round(monthly_bill_converted, 2), units, round(idle_share, 3) FROM compare_quotes('code', $ten)")) {
    my $line = '| ' . join(' | ', split /\|/, $row, -1) . ' |';
    like($readme, qr/^\Q$line\E$/m, "README: $line");
}
my %cost = map { (split /\|/)[0, 1] } split /\n/, psql("SELECT quote, monthly_bill FROM compare_quotes('code', $ten)");
# by their definition: 730 hours of a month for 2 of the span
is($cost{'pay as you go'}, psql('SELECT trim_scale(round((18.059974 * 2 + 0.245896 * 8) * 730 / 2, 12))'), 'pay as you go');
is($cost{batch}, psql('SELECT trim_scale(round((18.059974 * 1 + 0.245896 * 4) * 730 / 2, 12))'), 'batch');
is($cost{reseller}, psql('SELECT trim_scale(round((18.059974 * 1.7 + 0.245896 * 7) * 730 / 2, 12))'), 'in euros');
is(psql("SELECT monthly_bill_converted = monthly_bill * 1.15 FROM compare_quotes('code', '{reseller}')"), 't', 'and converted');
is(psql(q(SELECT abs(c.monthly_bill / (365 * sum(cost((SELECT book()), 'anthropic', 'claude', at, adjust_tokens(tokens(input => context_tokens, output => generated_tokens), 1.25)))) - 1) < 0.2, c.notes::text ~ 'approximate'
          FROM trace, compare_quotes('code', '{claude}') c GROUP BY c.monthly_bill, c.notes)), 't|t', 'a threshold that the longer tokens of another vendor move is said to be approximate');
psql(q(UPDATE quote SET tokenizer_factor = 1 WHERE name = 'claude'));
is(psql(q(SELECT sum(cost((SELECT book()), 'anthropic', 'claude', at, tokens(input => context_tokens, output => generated_tokens))) * 365 = c.monthly_bill, c.notes::text ~ 'approximate'
          FROM trace, compare_quotes('code', '{claude}') c GROUP BY c.monthly_bill, c.notes)), 't|f', 'with tokens of the same length it is that of each call');
my $paid = psql('SELECT (18.059974 * 2 + 0.245896 * 8) * 0.95 * 365');
is($cost{committed}, psql("SELECT trim_scale(round(greatest(12000, 10000 + greatest(0, $paid - 10000 / 0.8)), 12))"), 'committed');
# provisioned: 90,000 normalised tokens a minute, minute by minute in SQL
psql(q(CREATE TABLE minute AS SELECT date_trunc('minute', at) AS at, sum(context_tokens) AS input, sum(generated_tokens) AS output, sum(context_tokens) + 4 * sum(generated_tokens) AS load,
    sum(context_tokens) * 0.000002 + sum(generated_tokens) * 0.000008 AS cost FROM trace GROUP BY 1));
my $spilled = psql('SELECT sum(round(input * (load - 90000) / load)) * 0.000002 + sum(round(output * (load - 90000) / load)) * 0.000008 FROM minute WHERE load > 90000');
is(psql("SELECT s.value, s.unit FROM explain_quote('30 PTU', 'code') s WHERE what = 'capacity'"), '90000|normalised tokens/min', '30 units of gpt-4.1 are 90,000 normalised tokens a minute');
is($cost{'30 PTU'}, psql("SELECT trim_scale(round((30 * 2 + $spilled) * 365, 12))"), '30 units, and the spillover by the book');
is(psql(q(SELECT c.spillover_tokens = s.tokens, c.spillover_hours = round(s.minutes / 60.0, 6), c.achieved_utilization = round((SELECT sum(least(load, 90000)) FROM minute) / (90000 * 120), 12)
          FROM compare_quotes('code', '{30 PTU}') c, (SELECT sum(round(input * (load - 90000) / load)) + sum(round(output * (load - 90000) / load)) AS tokens, count(*) AS minutes FROM minute WHERE load > 90000) s)), 't|t|t', 'tokens, hours and utilization');
is(psql(q(SELECT c.units = 15 + 5 * ceil(((SELECT max(load) FROM minute) / 3000.0 - 15) / 5), c.units_needed = round((SELECT max(load) FROM minute) / 3000.0, 9), c.shortfall_tokens FROM compare_quotes('code', '{PTU for the peak}') c)), 't|t|0', 'units for the peak');
is(psql(q(SELECT c.shortfall_tokens > 0, c.units FROM compare_quotes('code', '{PTU for the peak}', percentile => 0.9) c)), psql(q(SELECT 't', 15 + 5 * ceil(((SELECT percentile_disc(0.9) WITHIN GROUP (ORDER BY coalesce(load, 0))
    FROM generate_series('2023-11-16 18:00'::timestamp, '2023-11-16 19:59', '1 minute') g LEFT JOIN minute m ON m.at = g) / 3000.0 - 15) / 5))), 'and for nine of ten minutes');
# on GPUs: the larger of input and output, at 60 %
is(psql(q(SELECT c.units_needed = round((SELECT max(greatest(input / o.input_tokens_per_second, output / o.output_tokens_per_second)) FROM minute) / 60 / 0.6, 9), c.units = 8 * ceil(c.units_needed / 8), c.monthly_bill = c.units * 1.6 * 730
          FROM compare_quotes('code', '{H200}') c, (SELECT * FROM operating_point WHERE quote = 'H200' ORDER BY output_tokens_per_second DESC LIMIT 1) o)), 't|t|t', 'GPUs for the peak');
is(psql(q(SELECT serves, reason ~ 'interactivity of 1000' FROM compare_quotes('code', '{H200}', 1000))), 'f|t', 'nobody is so fast');
is(psql(q(SELECT notes::text ~ 'uncached input tokens for one of output' FROM compare_quotes('code', '{H200}'))), 't', 'the ratio of input to output is another than measured');

# ---- break-even: both sides at that volume, to the cent ----
is(psql(q(SELECT bool_and(round(units * 1 * 730 * k, 2) = round(volume * payg / 1000000, 2)), count(*) > 0
    FROM (SELECT c.units, v.volume, p.cost_per_mtok AS payg, 1 AS k FROM compare_quotes('code', '{30 PTU}') c, compare_quotes('code', '{pay as you go}') p, unnest(c.break_even_volumes) v(volume)) x)), '|f', '30 units at $1 are never cheaper than $2 a million');
psql(q(UPDATE quote SET price_per_unit_hour = 0.1 WHERE kind = 'provisioned'));
my $both = q(SELECT v.volume, p.cost_per_mtok, v.volume / (c.monthly_bill / c.cost_per_mtok * 1000000) AS scale FROM compare_quotes('code', '{30 PTU}') c, compare_quotes('code', '{pay as you go}') p, unnest(c.break_even_volumes) v(volume));
is(psql("SELECT count(*), bool_and(abs(x.volume * x.cost_per_mtok / 1000000 - (30 * 0.1 * 730 + (SELECT sum(cost * (x.scale - 90000 / load)) FROM minute WHERE load * x.scale > 90000) * 365)) < 0.01) FROM ($both) x"), '1|t',
    'with spillover: the pay-as-you-go bill is that of the units and of what is over');
psql(q(UPDATE quote SET price_per_unit_hour = 0.03 WHERE name = 'PTU for the peak'));
is(psql(q(SELECT count(*) > 0, bool_and(abs(c.units_at * 0.03 * 730 - v * p.cost_per_mtok / 1000000) < 0.01) FROM (
        SELECT v, 15 + 5 * greatest(0, ceil(((SELECT max(load) FROM minute) * v / (q.monthly_bill / q.cost_per_mtok * 1000000) / 3000.0 - 15) / 5)) AS units_at
        FROM compare_quotes('code', '{PTU for the peak}') q, explain_quote('PTU for the peak', 'code') e, LATERAL (SELECT e.value AS v) x WHERE e.what = 'break-even volume' AND e.how !~ 'step') c,
        compare_quotes('code', '{pay as you go}') p)), 't|t', 'of whole units: both bills are the same at the volume');
is(psql(q(SELECT c.break_even_utilization = round(0.1 / (3000 * 60 * (p.monthly_bill / 365 / (SELECT sum(load) FROM minute))), 12) FROM compare_quotes('code', '{30 PTU}') c, compare_quotes('code', '{pay as you go}') p)), 't',
    'break-even utilization: the unit\'s hour by its normalised tokens at their pay-as-you-go price');
done_testing();
