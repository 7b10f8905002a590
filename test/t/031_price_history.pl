# Two years of list prices as a market without quantities: what a chained Carli
# makes of them, and what a chained Jevons does.
#
# The selection: chat models that a vendor sells under its own name, with the
# rates of input and output tokens above zero; fine-tuned models are left out, whose
# price is a surcharge.  A price counts for a month when it is listed at its
# first instant, UTC.  Nobody knows what was bought, so every item weighs the same.
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
psql(q(
    CREATE TABLE listed AS
    SELECT m.month AT TIME ZONE 'UTC' AS month, h.provider || '/' || h.model || ' ' || h.field AS item, h.written::float8 AS price
    FROM generate_series('2024-02-01'::timestamp, '2025-12-01', '1 month') m(month)
    JOIN history h ON h.seen_from <= m.month AT TIME ZONE 'UTC' AND (h.seen_to IS NULL OR h.seen_to > m.month AT TIME ZONE 'UTC')
    WHERE h.mode = 'chat' AND h.provider IN ('openai', 'anthropic', 'gemini', 'mistral', 'deepseek', 'xai', 'cohere_chat', 'ai21', 'moonshot', 'zai', 'minimax')
      AND h.field IN ('input_cost_per_token', 'output_cost_per_token') AND h.model !~ '^ft:' AND h.written::float8 > 0;
    CREATE TABLE market AS SELECT price_panel(month, item, price, NULL) AS panel FROM listed));
diag(psql(q(SELECT string_agg(format('%s: %s of %s items, Jevons %s, Carli %s, drift %s', to_char(j.period, 'YYYY-MM'), j.matched_items, (SELECT count(*) FROM listed l WHERE l.month = j.period),
                                     round(j.index::numeric, 4), round(c.index::numeric, 4), round((c.index / j.index - 1)::numeric, 4)), E'\n' ORDER BY j.period)
            FROM market, chained_index(panel, 'jevons') j JOIN LATERAL chained_index(panel, 'carli') c USING (period))));
# the same in plain SQL, matched month by month
psql(q(
    CREATE TABLE by_hand AS
    SELECT month, exp(sum(jevons) OVER w) AS jevons, exp(sum(ln(carli)) OVER w) AS carli, items
    FROM (SELECT b.month, avg(ln(b.price / a.price)) AS jevons, avg(b.price / a.price) AS carli, count(*) AS items
          FROM listed a JOIN listed b ON b.item = a.item AND b.month = a.month + interval '1 month' GROUP BY b.month) x
    WINDOW w AS (ORDER BY month)));
is(psql('SELECT count(*), min(items), max(items) FROM by_hand'), '22|48|428', '22 months follow one another');
is(psql(q(SELECT count(*) FROM market, chained_index(panel, 'jevons') j JOIN LATERAL chained_index(panel, 'carli') c USING (period) JOIN by_hand h ON h.month = j.period
          WHERE abs(j.index - h.jevons) < 1e-12 AND abs(c.index - h.carli) < 1e-12 AND j.matched_items = h.items)), 22, 'both indices are those of plain SQL');
is(psql(q(SELECT round(j.index::numeric, 4) || ' ' || round(c.index::numeric, 4) || ' ' || round((c.index / j.index - 1)::numeric, 3) FROM market, chained_index(panel, 'jevons') j JOIN LATERAL chained_index(panel, 'carli') c USING (period) ORDER BY j.period DESC LIMIT 1)),
    '0.8443 1.2027 0.424', 'prices fell by 16 %, which Carli makes a rise by 20 %');
is(psql(q(SELECT count(*) FROM (SELECT j.index, c.link >= j.link AS is_above FROM market, chained_index(panel, 'jevons') j JOIN LATERAL chained_index(panel, 'carli') c USING (period) WHERE j.link IS NOT NULL) x WHERE is_above)), 22, 'no link of Carli is below that of Jevons');
is(psql(q(SELECT count(*), count(index) FROM market, fixed_base_index(panel, 'jevons'))), '23|23', 'some model of the first month is listed in the last');
is(psql(q(SELECT count(index), count(turnover_index), count(value_index) FROM market, chained_index(panel, 'fisher'))), '1|1|1', 'without quantities there is no Fisher index');
# the drift of the multilateral index is nothing
is(psql(q(SELECT count(*), count(index) FROM market, geks_index(panel, 'jevons'))), '23|23', 'GEKS of Jevons');
done_testing();
