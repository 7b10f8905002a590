# Two years of LiteLLM lists become a dated book that answers as each list did.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

my $history = data_file('prices/litellm_price_history_public_to_2025-12.csv.gz');
plan skip_all => 'the folder of real data is absent' unless $history;

database();
psql('CREATE TABLE history (model text, provider text, mode text, field text, written text, seen_from timestamptz, seen_to timestamptz, end_reason text, source_commit text)');
psql("\\copy history FROM PROGRAM 'gzip -dc ''$history''' CSV HEADER");
is(psql('SELECT count(*) FROM history'), 7343, '7,343 prices');
# the ranges of tiered prices are written as lists
psql(q(ALTER TABLE history ADD value numeric; UPDATE history SET value = written::numeric WHERE written !~ '^\['));
# a few models name no provider but in their name
psql(q(UPDATE history SET provider = split_part(model, '/', 1) WHERE provider IS NULL));

# each stretch in which a model's fields stood still is a list of its own
psql(q(
    CREATE TABLE stretch AS
    SELECT model, provider, from_time, lead(from_time) OVER (PARTITION BY model, provider ORDER BY from_time) AS to_time
    FROM (SELECT model, provider, seen_from AS from_time FROM history UNION SELECT model, provider, seen_to FROM history WHERE seen_to IS NOT NULL) t));
psql(q(
    CREATE TABLE listed AS
    SELECT s.model, s.provider, s.from_time, s.to_time,
           jsonb_build_object(s.model, jsonb_object_agg(h.field, h.value) || jsonb_build_object('litellm_provider', s.provider)) AS document
    FROM stretch s JOIN history h ON h.model = s.model AND h.provider = s.provider AND h.seen_from <= s.from_time AND (h.seen_to IS NULL OR h.seen_to > s.from_time)
    WHERE h.field !~ '^(tiered_pricing|search_context)'
    GROUP BY s.model, s.provider, s.from_time, s.to_time));
# all models of one moment in one document
psql(q(
    SET jit = off;
    CREATE TABLE imported AS
    SELECT i.*, l.from_time, l.to_time
    FROM (SELECT from_time, jsonb_object_agg(m.key, m.value) AS document FROM listed, jsonb_each(document) m GROUP BY from_time) d,
         tokenomics.litellm_prices(d.document) i
    JOIN listed l ON l.model = i.model AND l.provider = i.provider
    WHERE l.from_time = d.from_time));
psql(q(
    INSERT INTO price (provider, model, service_tier, above_input_tokens, rates, valid, source)
    SELECT provider, model, service_tier, above_input_tokens, rates, tstzrange(from_time, to_time), source FROM imported WHERE rates IS NOT NULL));
cmp_ok(psql('SELECT count(*) FROM price'), '>', 2500, 'a dated book');

# look up each price at the start, in the middle and at the end of its time
psql(q(
    CREATE TABLE lookup AS
    SELECT h.*, at, CASE field WHEN 'input_cost_per_token' THEN 'input' WHEN 'output_cost_per_token' THEN 'output' WHEN 'cache_read_input_token_cost' THEN 'cache_read'
                    WHEN 'cache_creation_input_token_cost' THEN 'cache_write' WHEN 'output_cost_per_reasoning_token' THEN 'reasoning' WHEN 'input_cost_per_audio_token' THEN 'audio_input'
                    WHEN 'output_cost_per_audio_token' THEN 'audio_output' WHEN 'input_cost_per_image_token' THEN 'image_input' WHEN 'output_cost_per_image_token' THEN 'image_output'
                    WHEN 'cache_creation_input_token_cost_above_1hr' THEN 'cache_write_1h' END AS meter
    FROM history h, unnest(ARRAY[seen_from, seen_from + (coalesce(seen_to, '2026-01-01') - seen_from) / 2, coalesce(seen_to, '2026-01-01') - interval '1 microsecond']) at));
psql(q(
    CREATE TABLE found AS
    SELECT l.model, l.field, l.at, l.value * 1000000 AS listed, e.rate
    FROM lookup l CROSS JOIN (SELECT book() AS book OFFSET 0) b
    LEFT JOIN LATERAL explain_cost(b.book, l.provider, l.model, l.at, format('{"%s": 1}', l.meter)::tokens) e ON true
    WHERE l.meter IS NOT NULL
      -- a model that is billed by another unit is not free: it is skipped, and said so
      AND NOT EXISTS (SELECT FROM imported i WHERE i.model = l.model AND i.from_time <= l.at AND (i.to_time IS NULL OR i.to_time > l.at)
                      AND i.field IS NULL AND i.skipped ~ '^all its token rates are 0')));
cmp_ok(psql('SELECT count(*) FROM found'), '>', 15000, 'prices looked up');
# the lists were written from floats: their noise is in the 17th digit
my $differ = 'FROM found WHERE rate IS NULL OR abs(rate - listed) > listed * 1e-15';
is(psql("SELECT count(*) $differ"), 0, 'each (model, field, time) looks up to its value');
is(psql("SELECT string_agg(f::text, E'\\n') FROM (SELECT * $differ LIMIT 5) f"), '', 'none differs');
# the prices of thresholds and service tiers, in the rows they name
psql(q(
    CREATE TABLE tiered AS
    SELECT l.*, part[1] AS base, coalesce(part[3]::bigint * 1000, 0) - (l.provider = 'xai' AND part[3] IS NOT NULL)::int AS above,
           CASE part[5] WHEN 'batches' THEN 'batch' ELSE coalesce(part[5], 'standard') END AS tier,
           CASE part[1] WHEN 'input_cost_per_token' THEN 'input' WHEN 'output_cost_per_token' THEN 'output' WHEN 'cache_read_input_token_cost' THEN 'cache_read' WHEN 'cache_creation_input_token_cost' THEN 'cache_write' END AS of_meter
    FROM lookup l, regexp_match(l.field, '^(.*?)(_above_(\d+)k_tokens)?(_(flex|priority|batches))?$') part
    WHERE part[2] IS NOT NULL OR part[4] IS NOT NULL));
my $tiered = q(SELECT t.model, t.field, t.at FROM tiered t WHERE t.of_meter IS NOT NULL
    AND NOT EXISTS (SELECT FROM price p WHERE p.model = t.model AND p.provider = t.provider AND p.service_tier = t.tier AND p.above_input_tokens = t.above
                    AND p.valid @> t.at AND abs(rate(p.rates, t.of_meter) - t.value * 1000000) <= t.value * 1000000 * 1e-15));
cmp_ok(psql('SELECT count(*) FROM tiered WHERE of_meter IS NOT NULL'), '>', 1200, 'prices of tiers looked up');
is(psql("SELECT string_agg(x::text, E'\n') FROM ($tiered LIMIT 5) x"), '', 'none of those differs');
is(psql(q(SELECT count(*) FROM lookup l, (SELECT book() AS book OFFSET 0) b WHERE l.end_reason = 'removed' AND l.meter = 'input'
          AND NOT EXISTS (SELECT FROM history h WHERE h.model = l.model AND h.seen_from <= l.seen_to AND (h.seen_to IS NULL OR h.seen_to > l.seen_to))
          AND cost(b.book, l.provider, l.model, l.seen_to, tokens(input => 1)) IS NOT NULL)), 0, 'a removed model has no price');
done_testing();
