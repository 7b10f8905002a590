# The whole LiteLLM list: each token rate in it is in the table, or named.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

my $list = data_file('prices/litellm_prices_2026-08-01.json.gz');
plan skip_all => 'the folder of real data is absent' unless $list;

database();
import_document($list);
psql("CREATE TABLE import_report AS SELECT r.* FROM document, import_litellm_prices(body, '2026-08-01Z') r");
psql("CREATE TABLE before AS SELECT * FROM price");
my $taken = psql("SELECT count(*) FROM import_report WHERE outcome = 'taken'");
cmp_ok($taken, '>', 2900, "$taken rows taken");
is(psql("SELECT outcome || count(*) FROM document, import_litellm_prices(body, '2026-08-01Z') r WHERE outcome <> 'skipped' GROUP BY outcome"),
    "unchanged$taken", 'a second import takes nothing');
is(psql('SELECT count(*) FROM (SELECT * FROM price EXCEPT ALL SELECT * FROM before) x') + psql('SELECT count(*) FROM (SELECT * FROM before EXCEPT ALL SELECT * FROM price) x'),
    0, 'and changes nothing');

# Every field that names a cost of tokens, spelled out here by hand: found in
# the table at the tier and threshold it names, or named in the report.
psql(q(
    CREATE TABLE field AS
    SELECT m.key AS model, f.key AS field, (f.value #>> '{}')::numeric AS value
    FROM document, jsonb_each(body) m, jsonb_each(m.value) f
    WHERE jsonb_typeof(m.value) = 'object' AND m.key <> 'sample_spec' AND f.key ~ 'cost' AND f.key ~ 'token' AND jsonb_typeof(f.value) = 'number'));
cmp_ok(psql('SELECT count(*) FROM field'), '>', 7500, 'token rates in the list');
my $unaccounted = psql(q(
    WITH wanted AS (
        SELECT *, CASE
                WHEN field ~ '^input_cost_per_token_cache_hit' THEN 'cache_read'
                WHEN field ~ '^input_cost_per_token' THEN 'input'
                WHEN field ~ '^output_cost_per_token' THEN 'output'
                WHEN field ~ '^cache_read_input_token_cost' THEN 'cache_read'
                WHEN field ~ '^cache_creation_input_token_cost_above_1hr' THEN 'cache_write_1h'
                WHEN field ~ '^cache_creation_input_token_cost' THEN 'cache_write'
                WHEN field ~ '^output_cost_per_reasoning_token' THEN 'reasoning'
                WHEN field ~ '^input_cost_per_audio_token' THEN 'audio_input'
                WHEN field ~ '^output_cost_per_audio_token' THEN 'audio_output'
                WHEN field ~ '^input_cost_per_image_token' THEN 'image_input'
                WHEN field ~ '^output_cost_per_image_token' THEN 'image_output' END AS meter,
            CASE WHEN field ~ '_flex$' THEN 'flex' WHEN field ~ '_priority$' THEN 'priority' WHEN field ~ '_batches$' THEN 'batch' ELSE 'standard' END AS tier,
            coalesce((regexp_match(field, '_above_(\d+)k_'))[1]::bigint * 1000, 0) AS above
        FROM field)
    SELECT string_agg(w.model || '.' || w.field, E'\n')
    FROM wanted w
    WHERE NOT EXISTS (SELECT FROM price p
                      WHERE w.meter IS NOT NULL AND p.model = w.model AND p.service_tier = w.tier
                        AND p.above_input_tokens = w.above - (p.provider = 'xai' AND w.above > 0)::int
                        -- the list was written from floats: their noise is in the 17th digit
                        AND abs(rate(p.rates, w.meter) - w.value * 1000000) <= w.value * 1e-15 * 1000000)
      AND NOT EXISTS (SELECT FROM import_report r WHERE r.outcome = 'skipped' AND r.model = w.model AND split_part(r.detail, ':', 1) = w.field)
      AND NOT EXISTS (SELECT FROM import_report r WHERE r.outcome = 'skipped' AND r.model = w.model AND r.detail ~ '^(all its token rates are 0|it has no token rate)')
      -- a cache read that is listed twice: the newer name counts
      AND NOT (w.field = 'input_cost_per_token_cache_hit'
               AND EXISTS (SELECT FROM field n WHERE n.model = w.model AND n.field = 'cache_read_input_token_cost'))));
is($unaccounted, '', 'every token rate is in the table or named as skipped');
is(psql(q(SELECT count(*) FROM import_report WHERE outcome = 'skipped' AND coalesce(detail, '') = '')), 0, 'every skipped row says why');

# gpt-5.4 and Gemini, as the list has them: tiers are no multiples of each other
is(psql(q(SELECT rates -> 'cache_read' FROM price WHERE model = 'gpt-5.4' AND service_tier = 'flex' AND above_input_tokens = 0)), '0.13', 'a flex cache read of 0.13');
is(psql(q(SELECT string_agg(cost((SELECT book()), 'xai', 'xai/grok-4-fast-reasoning', '2026-08-02', tokens(input => n))::text, ' ' ORDER BY n) FROM unnest('{127999,128000}'::bigint[]) n)),
    '0.0255998 0.0512', 'xAI counts from its threshold on');
done_testing();
