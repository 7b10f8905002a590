# Index numbers against published values: IndexNumR, Balk (2008), gpindex, LMDIR.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;
use Time::HiRes qw(time);

my $oracles = data_file('oracles/ces_sigma_2.csv');
plan skip_all => 'the folder of real data is absent' unless $oracles;
$oracles =~ s/ces_sigma_2\.csv$//;

sub load {
    my ($table, $columns, $file) = @_;
    psql("CREATE TABLE $table ($columns)");
    my $source = $file =~ /gz$/ ? "PROGRAM 'gzip -dc ''$oracles$file'''" : "'$oracles$file'";
    psql("\\copy $table FROM $source CSV HEADER NULL 'NA'");
    return;
}

database();

# IndexNumR: 12 periods of 4 items
load('ces', 'time integer, prices float8, quantities float8, item text', 'ces_sigma_2.csv');
load('ces_price', 'series text, period integer, value float8', 'indexnumr_price_index_expected.csv');
load('ces_quantity', 'series text, period integer, value float8', 'indexnumr_quantity_index_expected.csv');
psql(q(CREATE FUNCTION day(integer) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$ SELECT make_timestamptz(2000, 1, $1, 0, 0, 0, 'UTC') $$;
    CREATE TABLE ces_panel AS SELECT price_panel(day(time), item, prices, quantities) AS panel FROM ces;
    CREATE TABLE method (ours text, theirs text, of_rounded boolean DEFAULT true);
    INSERT INTO method VALUES ('laspeyres', 'laspeyres'), ('paasche', 'paasche'), ('fisher', 'fisher'), ('tornqvist', 'tornqvist'), ('walsh', 'walsh'), ('jevons', 'jevons'), ('carli', 'carli'),
        ('harmonic', 'harmonic'), ('dutot', 'dutot'), ('marshall_edgeworth', 'marshalledgeworth'), ('geometric_laspeyres', 'geomLaspeyres'), ('geometric_paasche', 'geomPaasche'), ('sato_vartia', 'satovartia');
    -- most of their figures are of quantities of 7 decimals: those are met within 1e-14
    UPDATE method SET of_rounded = false WHERE ours = 'marshall_edgeworth';
    CREATE TABLE ces_rounded AS SELECT true AS of_rounded, price_panel(day(time), item, prices, round(quantities::numeric, 7)::float8) AS panel FROM ces UNION ALL SELECT false, panel FROM ces_panel;
    CREATE TABLE ces_ours AS
    SELECT m.theirs || s.suffix AS series, extract(day FROM c.period)::integer AS period,
           CASE s.suffix WHEN '_pop' THEN coalesce(c.link, 1) WHEN '_chained' THEN c.index ELSE f.index END AS price,
           CASE s.suffix WHEN '_pop' THEN coalesce(c.quantity_link, 1) WHEN '_chained' THEN c.quantity_index ELSE f.quantity_index END AS quantity
    FROM ces_rounded JOIN method m USING (of_rounded), chained_index(panel, m.ours) c JOIN LATERAL fixed_base_index(panel, m.ours) f USING (period), unnest('{_pop,_chained,_fixedbase}'::text[]) s(suffix)));
for my $form ('price', 'quantity') {
    is(psql("SELECT count(*) FROM ces_ours o JOIN ces_$form e USING (series, period)"), 468, "13 methods, 3 ways, 12 periods of $form");
    my $far = psql("SELECT string_agg(format('%s %s: %s, not %s', series, period, o.$form, e.value), '; ') FROM ces_ours o JOIN ces_$form e USING (series, period) WHERE abs(o.$form - e.value) > 1e-8 OR o.$form IS NULL");
    is($far, '', "each within 1e-8");
}
load('indicator', 'kind text, method text, period integer, value float8', 'indexnumr_indicators.csv');
is(psql(q(SELECT count(*) FROM (SELECT b.time, bennet(a.prices, a.quantities, b.prices, b.quantities) AS price, bennet_quantity(a.prices, a.quantities, b.prices, b.quantities) AS quantity
                                FROM ces a JOIN ces b ON b.item = a.item AND b.time = a.time + 1 GROUP BY b.time) o
          JOIN indicator e ON e.period = o.time AND e.method = 'bennet' AND abs(e.value - CASE e.kind WHEN 'price' THEN o.price ELSE o.quantity END) < 1e-8)), 22, 'Bennet indicators of prices and quantities');
is(psql(q(SELECT string_agg(round(g.index::numeric, 9)::text, ' ' ORDER BY m.method) FROM ces_panel, unnest('{fisher,tornqvist,walsh}'::text[]) m(method), geks_index(panel, m.method) g WHERE period = day(12))),
    '1.115273136 1.132820453 1.137003058', 'GEKS of Fisher, Tornqvist and Walsh');
# the base R figures of all periods
load('other', 'dataset text, method text, output text, period integer, value float8', 'domain_index_expected.csv');
is(psql(q(SELECT count(*) FROM ces_panel, unnest('{fisher,tornqvist,walsh}'::text[]) m(method), geks_index(panel, m.method) g, other e
          WHERE e.dataset = 'ces_sigma_2' AND e.method = 'geks_' || m.method AND day(e.period) = g.period AND abs(e.value - g.index) < 1e-10)), 36, 'of each period');
is(psql(q(SELECT count(*) FROM ces_panel, (SELECT DISTINCT method FROM other WHERE output = 'chained') m, chained_index(panel, m.method) c JOIN LATERAL fixed_base_index(panel, m.method) f USING (period), other e
          WHERE e.dataset = 'ces_sigma_2' AND e.method = m.method AND day(e.period) = c.period
          AND abs(e.value - CASE e.output WHEN 'chained' THEN c.index WHEN 'fixedbase' THEN f.index ELSE coalesce(c.link, 1) END) < 1e-10)), 8 * 3 * 12, 'eight methods against base R');
is(psql(q(SELECT round(c.index::numeric, 9) || ' ' || round(f.index::numeric, 9) FROM ces_panel, chained_index(panel, 'laspeyres') c, fixed_base_index(panel, 'laspeyres') f WHERE c.period = day(12) AND f.period = day(12))),
    '2.200047359 1.326923077', 'a chained Laspeyres drifts by 66 %');

# Balk (2008), tables 3.4 to 3.12
load('balk_price', 'item text, t1 float8, t2 float8, t3 float8, t4 float8, t5 float8', 'gpindex_price6.csv');
load('balk_quantity', 'item text, t1 float8, t2 float8, t3 float8, t4 float8, t5 float8', 'gpindex_quantity6.csv');
my %balk = (
    laspeyres => '1.4200 1.3450 1.3550 1.4400', paasche => '1.3824 1.2031 1.0209 0.7968', fisher => '1.4011 1.2721 1.1762 1.0712', tornqvist => '1.4052 1.2890 1.2268 1.2477',
    walsh => '1.4017 1.2850 1.2193 1.1850', marshall_edgeworth => '1.4010 1.2656 1.1438 0.9801', montgomery_vartia => '1.4024 1.2907 1.2392 1.2678', sato_vartia => '1.4018 1.2897 1.2335 1.2540');
for my $method (sort keys %balk) {
    is(psql("SELECT string_agg(round(index::numeric, 4)::text, ' ' ORDER BY t) FROM (SELECT t, ${method}_index(p.t1, q.t1, CASE t WHEN 2 THEN p.t2 WHEN 3 THEN p.t3 WHEN 4 THEN p.t4 ELSE p.t5 END,
             CASE t WHEN 2 THEN q.t2 WHEN 3 THEN q.t3 WHEN 4 THEN q.t4 ELSE q.t5 END) AS index FROM balk_price p JOIN balk_quantity q USING (item), generate_series(2, 5) t GROUP BY t) x"), $balk{$method}, "Balk: $method");
}

# gpindex: prices 1 to 10, quantities 10 to 1, 5 periods of 2 products
psql('CREATE TABLE small_panel AS SELECT price_panel(day((n - 1) % 5 + 1), ((n - 1) / 5)::text, n, 11 - n) AS panel FROM generate_series(1, 10) n');
is(psql("SELECT string_agg(round(index::numeric, 6)::text, ' ' ORDER BY period) FROM small_panel, geks_index(panel, 'tornqvist')"), '1.000000 1.413257 1.835676 2.284565 2.789856', 'GEKS over all periods');
is(psql("SELECT string_agg(round(index::numeric, 6)::text, ' ' ORDER BY period) FROM small_panel, geks_index(panel, 'tornqvist', 3)"), '1.000000 1.391443 1.801142 2.230521 2.689833', 'over windows of 3, by movement splice');

# LMDIR: additive and multiplicative
load('ang', 'year integer, item text, x float8, y float8, z float8', 'lmdi_ang_simple.csv');
load('ang_expected', 'year_from integer, year_to integer, kind text, x float8, y float8, z float8', 'lmdi_ang_simple_expected.csv');
is(psql(q(SELECT count(*) FROM (SELECT a.year, lmdi(ARRAY[a.x, a.y, a.z], ARRAY[b.x, b.y, b.z]) AS additive, lmdi_index(ARRAY[a.x, a.y, a.z], ARRAY[b.x, b.y, b.z]) AS multiplicative,
                                       sum(b.x * b.y * b.z) - sum(a.x * a.y * a.z) AS change, sum(b.x * b.y * b.z) / sum(a.x * a.y * a.z) AS ratio
                                FROM ang a JOIN ang b ON b.item = a.item AND b.year = a.year + 1 GROUP BY a.year) o
          JOIN ang_expected e ON e.year_from = o.year, LATERAL (SELECT CASE e.kind WHEN 'additive' THEN o.additive ELSE o.multiplicative END AS v) c
          WHERE abs(v[1] - e.x) < 1e-8 AND abs(v[2] - e.y) < 1e-8 AND abs(v[3] - e.z) < 1e-8
            AND CASE e.kind WHEN 'additive' THEN abs(v[1] + v[2] + v[3] - change) < 1e-10 ELSE abs(v[1] * v[2] * v[3] - ratio) < 1e-12 END)), 6, 'LMDI, additive and multiplicative');

# three products: price, mix and volume of a bill that grows from 32,000 to 39,900
psql(q(CREATE TABLE bill (item text, p0 float8, q0 float8, p1 float8, q1 float8);
    INSERT INTO bill VALUES ('A', 10, 1000, 11, 1000), ('B', 15, 800, 15, 700), ('C', 20, 500, 23, 800)));
is(psql('SELECT bennet(p0, q0, p1, q1) || ' . "' ' || bennet_quantity(p0, q0, p1, q1) FROM bill"), '2950 4950', 'Bennet');
is(psql(q(SELECT string_agg(round(e::numeric, 6)::text, ' ' ORDER BY n) || ' ' || round(sum(e)::numeric, 9)::text FROM (SELECT lmdi(ARRAY[p0, q0 / t0, t0], ARRAY[p1, q1 / t1, t1]) AS effects
          FROM bill, (SELECT sum(q0) AS t0, sum(q1) AS t1 FROM bill) t) x, unnest(effects) WITH ORDINALITY u(e, n))), '2925.330603 2014.525708 2960.143688 7900.000000000', 'LMDI of price, mix and volume');

# scanner data: many items that come and go
for my $product ('milk', 'coffee') {
    load($product, 'time date, prices float8, quantities float8, product text, retailer text, description text', "priceindices_$product.csv.gz");
    psql("CREATE TABLE ${product}_panel AS SELECT price_panel(date_trunc('month', time), product, prices, quantities) AS panel FROM $product");
    for my $method ('fisher', 'tornqvist') {
        my $start = time;
        my $rows = psql("SELECT count(*), count(index) FROM ${product}_panel, geks_index(panel, '$method')");
        diag(sprintf('%s, GEKS of %s: %s in %.3f s with psql', $product, $method, $rows =~ s/\|/ months, an index in /r, time - $start));
        like($rows, qr/^(\d+)\|\1$/, "$product: each month has an index");
    }
    is(psql("SELECT count(*) FROM ${product}_panel, chained_index(panel, 'fisher') c JOIN LATERAL geks_index(panel, 'fisher') g USING (period) WHERE abs(ln(c.index / g.index)) > 0.2"), 0, "$product: the chained Fisher is near it");
    is(psql("SELECT count(*) FROM ${product}_panel, chained_index(panel, 'fisher') WHERE abs(index * quantity_index * turnover_index / value_index - 1) < 1e-12"), psql("SELECT count(*) FROM ${product}_panel, chained_index(panel, 'fisher')"), "$product: price, quantity and turnover make the value");
}
done_testing();
