# Reports that arrive by themselves: a job of pg_cron, run by it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

$ENV{PGDATABASE} = 'postgres';
plan skip_all => 'the server has no pg_cron' unless psql("SELECT count(*) FROM pg_settings WHERE name = 'cron.use_background_workers' AND setting = 'on'");

# pg_cron works in one database of the server
psql('SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS tokenomics CASCADE; CREATE EXTENSION pg_cron');
psql(q(SET client_min_messages = warning; CALL tokenomics.install('by_cron')));
my $in = 'SET search_path = by_cron, tokenomics, public;';
psql(qq($in INSERT INTO price (provider, model, rates) VALUES ('a', 'm', '{"currency": "USD", "input": 1}');
     INSERT INTO usage (at, tokens, provider, model) SELECT date_trunc('month', now(), 'UTC') - interval '1 day', '{"input": 5000000}', 'a', 'm'));

like(psql("$in SELECT schedule_reports(1, 0, 'UTC')"), qr/^pg_cron job \d+: SELECT by_cron\.publish_due_report\(1, 0, 'UTC'\)$/, 'a job of pg_cron');
psql("$in SELECT schedule_reports(1, 0, 'UTC')");
is(psql(q(SELECT count(*), min(schedule), bool_and(active) FROM cron.job)), '1|*/15 * * * *|t', 'one job, whenever it is asked for');
psql(q(SELECT cron.alter_job(jobid, schedule => '* * * * *') FROM cron.job));

# It comes at a full minute, the next one unless the machine is busy.  pg_cron 1.4 can miss a change that
# comes while it reads the one before, and has no other until the next: it is told again.
my $published = '';
for my $n (1 .. 400) {
    psql(q(SELECT cron.alter_job(jobid, schedule => '* * * * *') FROM cron.job)) if $n % 60 == 0;
    $published = psql("$in SELECT count(*), min(version) FROM report");
    last if $published ne '0|';
    select(undef, undef, undef, 0.5);
}
is($published, '1|1', 'pg_cron published the report of the month before')
  || diag(psql(q(SELECT string_agg(backend_type || ' ' || coalesce(state, '') || ' ' || coalesce(wait_event, ''), E'\n') FROM pg_stat_activity)), "\n", `grep -i cron "$ENV{TOKENOMICS_SERVER_LOG}"`);
is(psql("$in SELECT body -> 'spend' ->> 'total', month = (date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 month')::date FROM report"), '5|t', 'of the right month, with the right sum');
like(psql(q(SELECT string_agg(DISTINCT status, ',') FROM cron.job_run_details)), qr/^(succeeded|running|starting|connecting|sending)/, 'and the job did not fail');

psql(q(SELECT cron.unschedule(jobid) FROM cron.job; DROP EXTENSION pg_cron; SET client_min_messages = warning; CALL tokenomics.uninstall('by_cron'); DROP SCHEMA by_cron; DROP EXTENSION tokenomics));
done_testing();
