# The 359 weekly series of the M4 competition: what our automatic choice forecasts
# from each series' past against the 13 weeks that were held out, and against the
# organisers' own benchmarks.  Prints the figures.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

my $series = data_file('oracles/m4_weekly.csv.gz');
my $official = data_file('oracles/m4_weekly_official_forecasts.csv.gz');
plan skip_all => 'no data: set TOKENOMICS_DATA to the folder of oracles/m4_weekly.csv.gz' if !$series || !$official;

database();
psql("CREATE TABLE m4 (id text, t integer, y double precision, part text); CREATE TABLE benchmark (id text, method text, h integer, forecast double precision)");
is(system("gzip -dc '$series' | psql -Xqc '\\copy m4 FROM stdin CSV HEADER'"), 0, 'the series are loaded');
is(system("gzip -dc '$official' | psql -Xqc '\\copy benchmark FROM stdin CSV HEADER'"), 0, 'and the official forecasts');
psql(q(CREATE TABLE past AS SELECT id, time_series(date '1970-01-05' + 7 * t, y) AS series FROM m4 WHERE part = 'train' GROUP BY id;
    CREATE TABLE future AS SELECT id, row_number() OVER (PARTITION BY id ORDER BY t) AS h, y FROM m4 WHERE part = 'test';
    CREATE TABLE scale AS SELECT id, avg(abs(d)) AS error FROM (SELECT id, y - lag(y) OVER (PARTITION BY id ORDER BY t) AS d FROM m4 WHERE part = 'train') x GROUP BY id));
is(psql('SELECT count(*) FROM past'), 359, '359 series');

# processor time of one core, which does not depend on what else the machine does
my $ticks = qx(getconf CLK_TCK);
my $seconds = psql(q(SET max_parallel_workers_per_gather = 0;
    CREATE TEMP TABLE started AS SELECT split_part(pg_read_file(format('/proc/%s/stat', pg_backend_pid())), ' ', 14)::integer AS at;
    CREATE TABLE ours AS SELECT id, f.* FROM past, forecast(series, 13, 52) f;
    SELECT split_part(pg_read_file(format('/proc/%s/stat', pg_backend_pid())), ' ', 14)::integer - at FROM started)) / $ticks;
diag(sprintf('%.1f s of one core for 359 series, %.1f s for 1,000', $seconds, $seconds * 1000 / 359));
cmp_ok($seconds * 1000 / 359, '<', 10, '1,000 weekly series in less than 10 seconds of one core');

# sMAPE and MASE as the competition defines them, for which a week has no season
my $figures = q(SELECT method, avg(200 * abs(y - forecast) / (abs(y) + abs(forecast))), avg(abs(y - forecast) / error)
    FROM (SELECT id, method, h, forecast FROM benchmark UNION ALL SELECT id, 'ours', step, forecast FROM ours) f JOIN future USING (id, h) JOIN scale USING (id) GROUP BY 1 ORDER BY 1);
my %of;
for (split /\n/, psql($figures)) {
    my ($method, $smape, $mase) = split /\|/;
    $of{$method} = [$smape, $mase];
    diag(sprintf('%-7s sMAPE %.3f MASE %.3f', $method, $smape, $mase));
}
is(sprintf('%.3f %.3f', @{$of{Naive2}}), '9.161 2.777', 'Naive2 has the figures that the competition published');
is(sprintf('%.3f %.3f', @{$of{SES}}), '9.012 2.685', 'and SES');
for my $method (qw(SES Naive2)) {
    cmp_ok($of{ours}[0], '<', $of{$method}[0], "smaller sMAPE than $method");
    cmp_ok($of{ours}[1], '<', $of{$method}[1], "smaller MASE than $method");
}
cmp_ok($of{ours}[0], '<', 7.8, 'sMAPE');
cmp_ok($of{ours}[1], '<', 2.45, 'MASE');
my $coverage = psql('SELECT avg((y BETWEEN lower AND upper)::integer) FROM ours JOIN future USING (id) WHERE step = h');
diag(sprintf('the 95 %% interval holds %.1f %%', 100 * $coverage));
ok($coverage >= 0.90 && $coverage <= 0.97, '95 % intervals hold 90 to 97 %');
diag(psql('SELECT string_agg(format($$%s: %s$$, model, n), $$, $$ ORDER BY n DESC) FROM (SELECT model, count(*) AS n FROM ours WHERE step = 1 GROUP BY 1) x'));

# the same input gives the same output, whatever the order of rows and parts
is(psql(q(SELECT count(*) FROM (SELECT f.*, o.forecast AS before, o.lower AS lower_before FROM (
        SELECT id, merge(part) AS series FROM (
            SELECT id, t % 3, time_series(date '1970-01-05' + 7 * t, y ORDER BY md5(t::text)) AS part FROM m4 WHERE part = 'train' AND id < 'W12' GROUP BY 1, 2) p GROUP BY 1) s
        JOIN ours o USING (id), forecast(s.series, 13, 52) f WHERE f.step = o.step) x WHERE forecast IS DISTINCT FROM before OR lower IS DISTINCT FROM lower_before)), 0, 'in any order and in parts, to the last bit');
done_testing();
