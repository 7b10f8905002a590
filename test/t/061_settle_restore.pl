# A dump has the settled days in it: restored elsewhere they are believed by nobody
# until refresh() has counted them again and found them equal; archived ones are
# believed at once.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use File::Temp qw(tempdir);
use Test::More;
use TokenomicsTest;

my $database = database();
$ENV{PGOPTIONS} = '-c client_min_messages=warning';
psql(q(SELECT correct_price('v', 'm0', '{"currency": "USD", "input": 1.25, "output": 2}', '(,)', 'first'); SELECT correct_price('v', 'm1', '{"currency": "EUR", "input": 3, "output": 4}', '(,)', 'first');
       UPDATE setting SET zone = 'America/New_York'; INSERT INTO dimension VALUES ('feature', 'tags->>''feature''');
       SELECT count(*) FROM ensure_partitions('2025-01-01', '2025-03-31');
       INSERT INTO usage (at, provider, model, team, user_id, session_id, turn_id, tags, tokens) SELECT '2025-01-01Z'::timestamptz + i * interval '17 minutes', 'v', 'm' || i % 3, 't' || i % 4, 'u' || i % 9, 's' || i / 9, 't' || i / 3, jsonb_build_object('feature', 'f' || i % 5), tokens(input => i * 7, output => i % 100) FROM generate_series(0, 7000) i));
psql('CALL refresh()');
psql("SELECT archive('2025-01-01')");
psql('DROP TABLE usage_y2025m01');
psql("INSERT INTO usage (at, provider, model, tokens) VALUES ('2025-02-20 12:00Z', 'v', 'm0', '{\"input\": 5}')");
my $answers = q(SELECT md5(string_agg(t, E'\n')) FROM (SELECT usage_ledger('month')::text UNION ALL SELECT usage_ledger('day', dimension => 'team')::text UNION ALL SELECT usage_ledger('day', dimension => 'feature')::text
    UNION ALL SELECT usage_ledger('hour', zone => 'Asia/Kolkata')::text UNION ALL SELECT v::text FROM cost_per_token v UNION ALL SELECT v::text FROM spend_by_owner v ORDER BY 1) x(t));
my $measures = q(SELECT md5(string_agg(t, E'\n')) FROM (SELECT v::text FROM demand_drivers v UNION ALL SELECT v::text FROM fan_out v UNION ALL SELECT v::text FROM peak_profile v ORDER BY 1) x(t));
my $before = psql($answers);
my $stored = q(SELECT md5(string_agg(l::text, E'\n' ORDER BY zone, grain, starts, dimension)) FROM stored_ledger l WHERE grain <> 'month');
psql('CALL refresh()');
is(psql($answers), $before, 'refresh() changes no answer');
my $measured = psql($measures);
my $ledgers = psql($stored);
psql("INSERT INTO usage (at, provider, model, tokens) VALUES ('2025-02-20 12:01Z', 'v', 'm0', '{\"input\": 5}'); DELETE FROM usage WHERE at = '2025-02-20 12:01Z'");
my $dir = tempdir(CLEANUP => 1);

for (['settle_plain', "pg_dump -f $dir/plain.sql $database", "psql -XqAt -v ON_ERROR_STOP=1 -f $dir/plain.sql settle_plain"],
    ['settle_parallel', "pg_dump -j 2 -Fd -f $dir/dir $database", "pg_restore -j 2 -d settle_parallel $dir/dir"],
    ['settle_data', "pg_dump -s -f $dir/schema.sql $database", "pg_dump -a --disable-triggers -f $dir/data.sql $database",
        "psql -XqAt -v ON_ERROR_STOP=1 -f $dir/schema.sql settle_data", "psql -XqAt -v ON_ERROR_STOP=1 -f $dir/data.sql settle_data"]) {
    my ($name, @commands) = @$_;
    $ENV{PGDATABASE} = 'postgres';
    psql("DROP DATABASE IF EXISTS $name");
    psql("CREATE DATABASE $name");
    is(system("$_ >$dir/log 2>&1"), 0, $_ =~ s/\Q$dir\E/DIR/gr) or diag(qx(cat $dir/log)) for @commands;
    $ENV{PGDATABASE} = $name;
    psql("ALTER DATABASE $name SET search_path = llm, tokenomics, public; ALTER DATABASE $name SET timezone = 'UTC'");
    is(psql($answers), $before, "$name: the same answers");
    is(psql("SELECT string_agg(DISTINCT state, ',' ORDER BY state) FROM settlement"), 'archived,unsettled', "$name: but for archived days, none of it from what is stored");
    # --disable-triggers leaves the trigger enabled, but not always
    psql("CALL tokenomics.install('llm')") if $name eq 'settle_data';
    psql('CALL refresh()');
    is(psql($answers), $before, "$name: refresh() changes no answer");
    is(psql($measures), $measured, "$name: nor what was measured of months, archived ones among them");
    is(psql("SELECT string_agg(DISTINCT state, ',' ORDER BY state) FROM settlement"), 'archived,settled', "$name: all is settled");
    is(psql($stored), $ledgers, "$name: and what was stored was right");
    is(psql("SELECT string_agg(DISTINCT outcome, ',' ORDER BY outcome) FROM verify()"), 'archived: calls are gone,equal', "$name: verify() of everything");
    like(psql_error("INSERT INTO usage (at, provider, model, tokens) VALUES ('2025-01-20 12:00Z', 'v', 'm0', '{\"input\": 5}')"), qr/are archived/, "$name: archived days stay so");
    is(psql("UPDATE usage SET tokens = '{\"input\": 8}' WHERE at = '2025-02-20 12:00Z'; SELECT day FROM settlement WHERE state = 'unsettled'"), '2025-02-20', "$name: changes are marked");
}
$ENV{PGDATABASE} = 'postgres';
psql("DROP DATABASE $_") for qw(settle_plain settle_parallel settle_data);

# A copy of the database as it is has other numbers of everything.
psql("CREATE DATABASE settle_copy TEMPLATE $database");
$ENV{PGDATABASE} = 'settle_copy';
psql("ALTER DATABASE settle_copy SET search_path = llm, tokenomics, public; ALTER DATABASE settle_copy SET timezone = 'UTC'");
is(psql($answers), $before, 'a copy of the database answers the same');
is(psql("SELECT string_agg(DISTINCT state, ',' ORDER BY state) FROM settlement"), 'archived,unsettled', 'and believes nothing either');
$ENV{PGDATABASE} = 'postgres';
psql('DROP DATABASE settle_copy');
done_testing();
