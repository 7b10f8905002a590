# The 960 prices that the genai-prices library computes, from its own list:
# o3's cut, DeepSeek's off-peak hours, Gemini at its threshold.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

my $vectors = data_file('prices/genai_prices_npm_0.1.8_vectors.csv');
my $list = data_file('prices/genai_prices_data_v2_2026-08-21.json.gz');
plan skip_all => 'the folder of real data is absent' unless $vectors && $list;

database();
psql("CREATE TABLE vector (provider text, model text, at timestamptz, input bigint, cache_read bigint, cache_write bigint,
      output bigint, matched text, input_price float8, output_price float8, total_price float8, prices jsonb)");
psql("\\copy vector FROM '$vectors' CSV HEADER");
is(psql('SELECT count(*) FROM vector'), 960, '960 vectors');
import_document($list);

# The library is a little newer than the list: it knows a threshold of one
# model that the list lacks.  That model's prices are taken from the vectors.
is(psql(q(
    WITH listed AS (
        SELECT p ->> 'id' AS provider, m ->> 'id' AS model,
               CASE jsonb_typeof(m -> 'prices') WHEN 'array' THEN m -> 'prices' ELSE jsonb_build_array(jsonb_build_object('prices', m -> 'prices')) END AS prices
        FROM document, jsonb_array_elements(body) p, jsonb_array_elements(p -> 'models') m)
    SELECT string_agg(DISTINCT v.provider || '/' || v.matched, ' ')
    FROM vector v JOIN listed l ON l.provider = v.provider AND l.model = v.matched
    WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(l.prices) e WHERE (e -> 'prices') - '{storage_searches_kcount,web_searches_kcount}'::text[] = v.prices - '{storage_searches_kcount,web_searches_kcount}'::text[]))),
    'openai/gpt-5.5', 'one model differs between list and library');
psql(q(
    UPDATE document SET body = (
        SELECT jsonb_agg(p || jsonb_build_object('models', (
            SELECT jsonb_agg(CASE WHEN p ->> 'id' = 'openai' AND m ->> 'id' = 'gpt-5.5'
                             THEN m || jsonb_build_object('prices', (SELECT prices FROM vector WHERE matched = 'gpt-5.5' LIMIT 1)) ELSE m END)
            FROM jsonb_array_elements(p -> 'models') m)))
        FROM jsonb_array_elements(body) p)));
psql("CREATE TABLE import_report AS SELECT r.* FROM document, import_genai_prices(body, '-infinity') r");
is(psql("SELECT count(*) FROM import_report WHERE outcome = 'taken'") > 1300, 1, 'prices taken');
is(psql("SELECT string_agg(DISTINCT r.detail, '; ' ORDER BY r.detail) FROM import_report r JOIN vector v ON v.provider = r.provider AND v.matched = r.model WHERE r.outcome = 'skipped'"),
    'cache_audio_read_mtok: there is no meter for this unit; storage_searches_kcount: there is no meter for this unit',
    'what has no meter is named');

my $priced = q(
    SELECT v.*, cost(b.book, v.provider, v.model, v.at, tokens(input => v.input - coalesce(v.cache_read, 0) - coalesce(v.cache_write, 0),
                     cache_read => v.cache_read, cache_write => v.cache_write, output => v.output)) AS cost
    FROM vector v, (SELECT book() AS book OFFSET 0) b);
is(psql("SELECT count(*) FROM ($priced) p WHERE round(cost, 12) = round(total_price::numeric, 12)"), 960, 'all 960 equal');
is(psql("SELECT string_agg(provider || ' ' || model || ' ' || at || ' ' || cost || ' ' || total_price, E'\\n') FROM ($priced) p
         WHERE round(cost, 12) IS DISTINCT FROM round(total_price::numeric, 12)"), '', 'none differs');

is(psql("SELECT outcome || count(*) FROM document, import_genai_prices(body, '-infinity') r WHERE outcome <> 'skipped' GROUP BY outcome"),
    'unchanged' . psql("SELECT count(*) FROM import_report WHERE outcome = 'taken'"), 'a second import changes nothing');
done_testing();
