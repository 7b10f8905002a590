# Several sessions load, log and make partitions at once: no call is lost, none
# is there twice.  COPY in both formats; and who may do what.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use File::Temp qw(tempdir);
use IO::Handle;
use IPC::Open3;
use Test::More;
use TokenomicsTest;

database();
my $database = $ENV{PGDATABASE};
my $dir = tempdir(CLEANUP => 1);
chmod 0777, $dir;

# Runs each statement in a session of its own, all at once; returns what they printed.
sub at_once {
    my @statements = @_;
    my @sessions = map { open my $out, '-|', 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-c', $_ or die $!; $out } @statements;
    my @printed = map { my $out = $_; my $text = do { local $/; <$out> }; close $out; ($? == 0 ? '' : 'failed ') . ($text // '') } @sessions;
    chomp @printed;
    return @printed;
}

# Waits until a query returns what it should.
sub wait_for {
    my ($query, $wanted) = @_;
    for (1 .. 600) {
        return 1 if psql($query) eq $wanted;
        select undef, undef, undef, 0.05;
    }
    return 0;
}

# two loads of the same calls, the second beginning before the first commits
psql(q(CREATE TABLE source AS SELECT timestamptz '2026-01-15 00:00+00' + i * interval '1 minute' AS at, 'p' AS provider, 'm' AS model, tokens(input => i) AS tokens, 'r' || i AS request_id FROM generate_series(1, 20000) i));
my $pid = open3(my $first, my $first_out, undef, 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1');
$first->autoflush(1);
print $first "BEGIN; SELECT rows FROM load_usage('source') WHERE outcome = 'taken';\n";
is(<$first_out>, "20000\n", 'the first takes all');
open my $second, '-|', 'psql', '-XqAt', '-c', "SELECT outcome, rows FROM load_usage('source') WHERE rows > 0" or die $!;
ok(wait_for("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'advisory'", 1), 'the second waits its turn');
is(psql("SELECT llm.log_call('openai', '{\"prompt_tokens\": 1}', 'm', at => '2026-01-15', request_id => 'logged')"), '{"input": 1}', 'while others write');
print $first "COMMIT;\n\\q\n";
close $first;
waitpid $pid, 0;
is(do { local $/; <$second> }, "skipped|20000\n", 'and then finds all of them there');
close $second;
is(psql('SELECT count(*), count(DISTINCT request_id) FROM usage'), '20001|20001', 'no call is there twice');

# four at once, with overlapping parts, in different orders
psql('TRUNCATE usage');
my @loads = at_once(map { "SELECT sum(rows) FROM load_usage('source_$_')" } map { psql("CREATE VIEW source_$_ AS SELECT * FROM source ORDER BY hashint4extended(length(request_id), $_) OFFSET ($_ * 2000)"); $_ } 0 .. 3);
is("@loads", '20000 18000 16000 14000', 'four loads at once');
is(psql('SELECT count(*), count(DISTINCT request_id) FROM usage'), '20000|20000', 'each call once');

# two runs of ensure_partitions(), with writers of the months they make
my $logger = "DO \$\$ BEGIN FOR i IN 1 .. 400 LOOP INSERT INTO llm.usage (at, provider, model, request_id) VALUES ('2026-01-15 00:00+00'::timestamptz + i * interval '1 hour', 'p', 'm', 'w%d-' || i); COMMIT; END LOOP; END \$\$";
my @made = at_once('SELECT coalesce(sum(rows_moved), 0) FROM ensure_partitions()', 'SELECT coalesce(sum(rows_moved), 0) FROM ensure_partitions()', map { sprintf $logger, $_ } 1 .. 2);
is(scalar(grep { /failed/ } @made), 0, 'two runs and two writers at once: no error') or diag("@made");
is(psql('SELECT count(*), count(DISTINCT request_id) FROM usage'), '20800|20800', 'no row is lost');
is(psql("SELECT count(*) FROM ensure_partitions()") =~ /^[01]$/ && psql('SELECT count(*) FROM usage_default'), 0, 'none is left in the default partition');
is(psql("SELECT count(*) FROM (SELECT tableoid, date_trunc('month', at, 'UTC') FROM usage GROUP BY 1, 2) m"), psql("SELECT count(DISTINCT tableoid) FROM usage"), 'a month a partition');

# a reader that goes on to write does not make it a deadlock
psql("INSERT INTO usage (at, provider, model) VALUES ('2020-05-05', 'p', 'm')");
my @both = at_once("BEGIN; SELECT count(*) FROM usage_default; SELECT count(*) >= 0 FROM usage WHERE at < '2021-01-01'; SELECT pg_sleep(1); INSERT INTO usage (at, provider, model) VALUES ('2020-05-06', 'p', 'm'); COMMIT",
    'SELECT pg_sleep(0.3); SELECT month FROM ensure_partitions()');
is(scalar(grep { /failed/ } @both), 0, 'read, then write, beside ensure_partitions()');
is(psql("SELECT count(*), count(DISTINCT tableoid), min(tableoid::regclass::text) FROM usage WHERE at < '2021-01-01'"), '2|1|usage_y2020m05', 'both rows are in the new partition');

# an error in the middle leaves everything as it was
psql("INSERT INTO usage (at, provider, model) VALUES ('2019-05-05', 'p', 'm'), ('2019-06-05', 'p', 'm'); CREATE TABLE usage_y2019m06 ()");
like(psql_error('SELECT * FROM ensure_partitions()'), qr/relation "usage_y2019m06" already exists/, 'a table in the way');
is(psql("SELECT count(*), to_regclass('usage_y2019m05') IS NULL FROM usage_default"), '2|t', 'all or nothing');
psql('DROP TABLE usage_y2019m06');

# COPY, as text and binary, out of it and into it
psql("UPDATE usage SET tags = '{\"a\": [1, null]}', billed = 0.000000000123, billed_currency = 'USD', ttft = 0, session_id = E'tab\\tand\\nline' WHERE request_id = 'r7'; UPDATE usage SET tokens = NULL WHERE request_id = 'r8'");
my $before = psql("SELECT md5(string_agg(u::text, ',' ORDER BY u::text)) FROM usage u");
for my $format (qw(text binary csv)) {
    psql("\\copy (SELECT * FROM usage) TO '$dir/copy' (FORMAT $format)");
    psql('TRUNCATE usage');
    psql("\\copy usage FROM '$dir/copy' (FORMAT $format)");
    is(psql("SELECT md5(string_agg(u::text, ',' ORDER BY u::text)) FROM usage u"), $before, "COPY as $format");
}

# who may do what
psql("DROP ROLE IF EXISTS tap_logger; DROP ROLE IF EXISTS tap_nobody; CREATE ROLE tap_logger; CREATE ROLE tap_nobody; GRANT USAGE ON SCHEMA llm TO tap_logger, tap_nobody; GRANT SELECT, INSERT ON usage TO tap_logger; GRANT SELECT ON source TO tap_logger, tap_nobody");
is(psql("SET ROLE tap_logger; SELECT log_call('openai', '{\"prompt_tokens\": 1}', 'm', at => '2026-06-01', request_id => 'by logger'); SELECT rows FROM load_usage('source') WHERE outcome = 'conflict'"), "{\"input\": 1}\n1", 'to log and load takes INSERT and SELECT');
like(psql_error("SET ROLE tap_logger; SELECT * FROM load_usage('source', 'replace')"), qr/permission denied for table usage/, 'to replace takes UPDATE');
like(psql_error("SET ROLE tap_logger; SELECT * FROM ensure_partitions()"), qr/permission denied for table usage_default/, 'to make partitions takes more');
like(psql_error("SET ROLE tap_nobody; SELECT log_call('openai', '{\"prompt_tokens\": 1}', 'm')"), qr/permission denied for table usage/, 'nobody logs without INSERT');
like(psql_error("SET ROLE tap_nobody; SELECT * FROM load_usage('source')"), qr/permission denied for table usage/, 'or loads');
# what a superuser makes belongs to the owner of the table
psql("CREATE ROLE usage_owner; GRANT CREATE ON DATABASE $database TO usage_owner; SET ROLE usage_owner; CALL tokenomics.install('owned')");
psql("INSERT INTO owned.usage (at, provider, model) VALUES ('2019-05-05', 'p', 'm'); SELECT owned.ensure_partitions()");
is(psql("SELECT count(DISTINCT relowner), count(*) > 5 FROM pg_class WHERE relnamespace = 'owned'::regnamespace AND relname LIKE 'usage%' AND relkind IN ('r', 'p')"), '1|t', 'one owner of all partitions');
# a view shows a reader what the reader may see
psql("CREATE TABLE public.my_calls (at timestamptz, provider text, model text, team text); INSERT INTO public.my_calls VALUES ('2026-01-01', 'p', 'm', 'a'), ('2026-01-01', 'p', 'm', 'b'); GRANT SELECT ON my_calls TO usage_owner;
      SET ROLE usage_owner; CALL tokenomics.install('view_of', usage => 'public.my_calls')");
psql("GRANT USAGE ON SCHEMA view_of TO tap_nobody; GRANT SELECT ON view_of.usage TO tap_nobody");
like(psql_error('SET ROLE tap_nobody; SELECT * FROM view_of.usage'), qr/permission denied for table my_calls/, 'the view has the rights of who reads it');
psql("GRANT SELECT ON my_calls TO tap_nobody; ALTER TABLE my_calls ENABLE ROW LEVEL SECURITY; CREATE POLICY own_team ON my_calls FOR SELECT TO tap_nobody USING (team = 'a')");
is(psql('SET ROLE tap_nobody; SELECT count(*) FROM view_of.usage'), 1, 'and the row security');
# a hostile search_path
psql(q(CREATE SCHEMA evil; CREATE FUNCTION evil.date_trunc(text, timestamptz) RETURNS timestamptz LANGUAGE sql AS 'SELECT ''2000-01-01''::timestamptz'; CREATE FUNCTION evil.tokens_from(text, jsonb) RETURNS tokenomics.tokens LANGUAGE sql AS 'SELECT NULL::tokenomics.tokens';
       CREATE FUNCTION evil.same(timestamptz, timestamptz) RETURNS boolean LANGUAGE sql AS 'SELECT false'; CREATE OPERATOR evil.>= (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = evil.same); CREATE TABLE evil.usage (x int);
       CREATE FUNCTION evil.jsonb_typeof(jsonb) RETURNS text LANGUAGE sql AS 'SELECT ''evil'''; CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT ''1999-01-01''::timestamptz';));
is(psql(q(SET search_path = evil, pg_catalog, tokenomics; CALL tokenomics.install('safe'); SELECT safe.log_call('openai', '{"prompt_tokens": 1}', 'm', at => '2018-01-01'); SELECT month, rows_moved FROM safe.ensure_partitions();
    CALL tokenomics.install('safe_view', usage => 'public.my_calls', mapping => '{"team": "upper(team)"}'); SELECT team FROM safe_view.usage ORDER BY team LIMIT 1; CALL tokenomics.uninstall('safe_view'); CALL tokenomics.uninstall('safe'))),
    "{\"input\": 1}\n2018-01-01|1\nA", 'a hostile search_path changes nothing');

psql("DROP OWNED BY usage_owner CASCADE; DROP OWNED BY tap_logger, tap_nobody; DROP ROLE usage_owner; DROP ROLE tap_logger; DROP ROLE tap_nobody");
done_testing();
