# Demand over time on real traces: peaks, hours, and what a capacity loses; and
# reasoning, fan-out and cache of the company of the demo.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use File::Temp qw(tempdir);
use Test::More;
use TokenomicsTest;

database();
my $dir = tempdir(CLEANUP => 1);
chmod 0755, $dir;

SKIP: {
    my $file = data_file('traces/azure2023_code.csv.gz') or skip 'no trace of Azure', 10;
    load_azure($file);
    psql(q(CREATE TABLE profile AS SELECT demand_profile('UTC', at AT TIME ZONE 'UTC', t) AS p, demand_profile('UTC', at AT TIME ZONE 'UTC', t, 1, 'second') AS s
           FROM azure, LATERAL tokens(input => context_tokens, output => generated_tokens) t));
    is(psql("SELECT at, tokens FROM profile, peak(p, 'minute')"), '2023-11-16 18:31:00+00|1257868', 'Azure: the peak minute');
    is(psql("SELECT at, tokens FROM profile, peak(s, 'minute')"), '2023-11-16 18:31:00+00|1257868', 'also of a profile by second');
    is(psql("SELECT round(100 * lost_tokens(p, tokens_per_minute(p, true)) / total(tokens(p)), 1) FROM profile"), '31.7', 'capacity at the mean active minute loses 31.7 % of the tokens');
    is(psql("SELECT lost_tokens(p, tokens_per_minute(p, true)) = (SELECT trim_scale(sum(greatest(n - m, 0))) FROM (SELECT sum(context_tokens + generated_tokens) AS n, avg(sum(context_tokens + generated_tokens)) OVER () AS m FROM azure GROUP BY date_trunc('minute', at)) x) FROM profile"), 't', 'which is what SQL says');
    is(psql("SELECT round(100 * lost_tokens(p, tokens_per_minute(p)) / total(tokens(p)), 1), lost_tokens(p, capacity_at(p, 1)) FROM profile"), '42.8|0', 'more at the mean of all minutes, nothing at the peak');
    is(psql("SELECT calls(p), tokens(p), span(p), (SELECT count(*) FROM minutes(p)) FROM profile"), '8819|{"input": 18059974, "output": 245896}|["2023-11-16 18:17:00+00","2023-11-16 19:15:00+00")|45', 'all of it, in 45 of 58 minutes');
    is(psql("SELECT (k).at, (k).tokens, round(peak_to_average(s, 'second')::numeric, 2), round(peak_to_average(s, 'minute')::numeric, 2) FROM profile, peak(s, 'second') k"), '2023-11-16 18:31:25+00|134133|25.50|3.99', 'a peak is higher the closer one looks');
    is(psql("SELECT k.tokens = (SELECT max(n) FROM (SELECT sum(context_tokens + generated_tokens) AS n FROM azure GROUP BY date_trunc('second', at)) x) FROM profile, peak(s, 'second') k"), 't', 'the busiest second is what SQL says');
    is(psql("SELECT capacity_at(p, 0.95), capacity_at(p, 0.95) = (SELECT percentile_disc(0.95) WITHIN GROUP (ORDER BY coalesce(n, 0)) FROM generate_series('2023-11-16 18:17'::timestamp, '2023-11-16 19:14', interval '1 minute') m LEFT JOIN (SELECT date_trunc('minute', at) AS m, sum(context_tokens + generated_tokens)::bigint AS n FROM azure GROUP BY 1) x USING (m)) FROM profile"), '953681|t', 'capacity for 95 % of all minutes');
    is(psql("SELECT (SELECT merge(x) FROM (SELECT demand_profile('UTC', at AT TIME ZONE 'UTC', tokens(input => context_tokens, output => generated_tokens)) AS x FROM azure GROUP BY context_tokens % 17) y) = p FROM profile"), 't', 'merged from 17 parts it is the same');
}

SKIP: {
    my $file = data_file('traces/mooncake_synthetic_trace.jsonl.gz') or skip 'no trace of Mooncake', 3;
    load_mooncake($file);
    psql("SELECT count(*) FROM load_usage('synthetic')");
    is(psql("SELECT round(100.0 * meter(t, 'cache_read') / input_total(t), 2) FROM (SELECT tokens(usage_profile()) AS t) x"), '65.12', 'Mooncake: a hit rate of 65.12 %');
    is(psql("SELECT cacheable_tokens, cache_read_tokens, round(100 * hit_rate, 2), coverage FROM cache_use"), '61194628|39852661|65.12|1', 'by model and month too');
    is(psql("SELECT calls(usage_profile()), total(tokens(usage_profile())) = (SELECT total(sum(tokens)) FROM usage), coverage FROM peak_profile LIMIT 1"), '3993|t|1', 'every call has its minute');
    psql('TRUNCATE usage');
}

SKIP: {
    my $file = data_file('traces/servegen_raw_deepseek_r1.tar.xz') or skip 'no trace of ServeGen', 7;
    is(system('tar', 'xJf', $file, '-C', $dir), 0, 'ServeGen: unpacked');
    load_servegen($dir);
    psql(q(CREATE TABLE r1 AS SELECT demand_profile('UTC', at, tokens, calls) AS p FROM reported));
    # published: 1,571,078,776 of 2,113,443,003, by another rounding of the same means
    is(psql("SELECT meter(t, 'reasoning'), output_total(t), abs(meter(t, 'reasoning') / 1571078776.0 - 1) < 1e-6, abs(output_total(t) / 2113443003.0 - 1) < 1e-6 FROM (SELECT tokens(p) AS t FROM r1) x"),
        '1571078783|2113443014|t|t', 'reasoning, and all output');
    is(psql("SELECT calls(p), span(p) FROM r1"), '1383669|["2025-03-01 00:00:00+00","2025-03-01 23:51:00+00")', 'calls, from the first to the last');
    is(psql("SELECT round(peak_to_average(with_span(p, '2025-03-01', '2025-03-02'), 'hour')::numeric, 6), (SELECT round(max(n) / sum(n) * 24, 6) FROM (SELECT sum(total(tokens)) AS n FROM reported GROUP BY extract(hour FROM at)) x) FROM r1") =~ /^(1\.\d+)\|\1$/, 1, 'the busiest hour over the average one is what SQL says');
    my $hours = q(SELECT hour, round((mean * minutes)::numeric) FROM r1, hour_of_week(side(with_span(p, '2025-03-01', '2025-03-02'), 'output')) WHERE dow = 6 ORDER BY hour);
    is(psql($hours), psql(q(SELECT h, coalesce(sum(output_total(tokens)), 0) FROM generate_series(0, 23) h LEFT JOIN reported r ON extract(hour FROM r.at) = h GROUP BY h ORDER BY h)), 'output by hour is what SQL says');
    diag(psql($hours)) if $ENV{PROFILE_SHOW};
    is(psql("SELECT count(*) FILTER (WHERE minutes = 60), count(*) FILTER (WHERE minutes > 0) FROM r1, hour_of_week(in_zone(with_span(p, '2025-03-01', '2025-03-02'), 'Asia/Kolkata'))"), '23|25', 'a day of UTC is in 25 hours of India');
    # a bucket is no call: nothing is said of how it is distributed
    psql("SELECT count(*) FROM load_usage('reported')");
    is(psql("SELECT per, count < 300, coverage < 0.001 FROM reasoning_profile"), 'call|t|t', 'of calls in buckets there is no distribution');
    psql('TRUNCATE usage');
}
done_testing();
