# A dump restored elsewhere answers the same, whole and in parallel; so does
# the schema alone with the data loaded afterwards.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use File::Temp qw(tempdir);
use Test::More;
use TokenomicsTest;

my $database = database();
psql("SELECT count(*) FROM load_default_prices();
      SELECT correct_price('openai', 'o3', '{\"currency\": \"USD\", \"input\": 1.9, \"output\": 8}', '[2026-01-01,)', 'our invoice says so');
      SELECT correct_price('openai', 'o3', '{\"currency\": \"USD\", \"input\": 1.5, \"output\": 6}', '[2026-01-01,)', 'signed', book => 'contract');
      SELECT set_alias('our-o3', 'o3', 'gateway'); UPDATE setting SET zone = 'Asia/Kolkata', book = 'contract';
      INSERT INTO fx_rate VALUES ('EUR', 'USD', 'daily', '2026-01-02', 1.0812, 'ecb');
      CREATE TABLE call AS SELECT i, tokens(input => i, cache_read => i * 7, output => i % 100, reasoning => CASE i % 3 WHEN 0 THEN i END) AS tokens, '{\"currency\": \"USD\", \"input\": 0.000000001}'::rates AS rates FROM generate_series(1, 1000) i;
      CREATE TABLE kept AS SELECT book() AS book;
      CREATE VIEW spans AS SELECT timestamptz '2024-03-31 23:30+00' + i * interval '5 hours' AS at, 'openai' AS provider, 'o3' AS model, tokens, 'r' || i AS request_id, i % 7 AS ttft FROM call;
      SELECT rows FROM load_usage('spans'); SELECT * FROM ensure_partitions('2024-04-01', '2024-06-30'); UPDATE usage SET tags = '[1]' WHERE request_id = 'r7';
      SET client_min_messages = warning; CALL tokenomics.install('own', usage => 'llm.spans', mapping => '{\"team\": \"upper(request_id)\"}');
      INSERT INTO usage (at, provider, model, service_tier, tokens, request_id, team, project, billed, billed_currency)
      SELECT '2025-01-30'::timestamptz + i * interval '2 hours', CASE i % 3 WHEN 0 THEN 'gateway' ELSE 'openai' END, (ARRAY['our-o3', 'o3', 'gpt-4.1', 'unknown'])[i % 4 + 1], CASE i % 9 WHEN 0 THEN 'ptu' WHEN 1 THEN 'batch' END,
             CASE WHEN i % 50 > 0 THEN tokens(input => i * 7, output => i % 100, reasoning => CASE i % 3 WHEN 0 THEN i END) END, 's' || i, CASE WHEN i % 5 > 0 THEN 'team' || i % 5 END, 'project' || i % 2, CASE i % 10 WHEN 0 THEN 0.01 END, CASE i % 10 WHEN 0 THEN 'USD' END
      FROM generate_series(1, 500) i;
      INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, sku, quantity, unit, billed_cost, currency, scope) VALUES
          ('openai', '2025-01-31 12:00Z', '2025-03-11Z', 'Purchase', 'ptu', 1000000, 'Tokens', 100, 'USD', NULL), ('openai', '2025-02-01Z', '2025-03-01Z', 'Usage', 'o3', NULL, NULL, 1.23, 'EUR', NULL),
          ('openai', '2025-02-01Z', '2025-03-01Z', 'Credit', NULL, NULL, NULL, -1, 'EUR', '{\"team\": \"team1\"}');
      CREATE TABLE stored AS SELECT usage_ledger('day', dimension => 'team') AS ledger;");
my $answers = q(SELECT md5(string_agg(t::text, E'\n')) FROM (
    SELECT p::text FROM price p UNION ALL SELECT a::text FROM model_alias a UNION ALL SELECT s::text FROM setting s UNION ALL SELECT f::text FROM fx_rate f UNION ALL SELECT c::text FROM call c
    UNION ALL SELECT u.tableoid::regclass::text || u::text FROM usage u UNION ALL SELECT u::text FROM own.usage u
    UNION ALL SELECT i.inhrelid::regclass::text || pg_get_expr(c.relpartbound, c.oid) || obj_description(c.oid, 'pg_class') FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'usage'::regclass
    UNION ALL SELECT h::text FROM charge h UNION ALL SELECT ledger::text FROM stored UNION ALL SELECT usage_ledger('day', dimension => 'team')::text
    UNION ALL SELECT v::text FROM cost_per_token v UNION ALL SELECT v::text FROM unit_price_trend v UNION ALL SELECT v::text FROM total_spend_trend v UNION ALL SELECT v::text FROM daily_spend v UNION ALL SELECT v::text FROM spend_by_owner v
    UNION ALL SELECT v::text FROM unpriced_usage v UNION ALL SELECT v::text FROM reconciliation v UNION ALL SELECT v::text FROM own.cost_per_token v UNION ALL SELECT v::text FROM spend_lines('hour', '2025-02-20Z', '2025-02-22Z', dimension => 'project') v
    UNION ALL SELECT book()::text UNION ALL SELECT book(as_known_at => (SELECT min(lower(recorded)) FROM price))::text UNION ALL SELECT book::text FROM kept
    UNION ALL SELECT e::text FROM explain_cost((SELECT book()), 'openai', 'our-o3', '2026-06-01', (SELECT sum(tokens) FROM call)) e ORDER BY 1) t);
my $before = psql($answers);
my $dir = tempdir(CLEANUP => 1);

sub restored {
    my ($name, @commands) = @_;
    $ENV{PGDATABASE} = 'postgres';
    psql("DROP DATABASE IF EXISTS $name");
    psql("CREATE DATABASE $name");
    for (@commands) {
        is(system("$_ >$dir/log 2>&1"), 0, $_ =~ s/\Q$dir\E/DIR/gr) or diag(qx(cat $dir/log));
    }
    $ENV{PGDATABASE} = $name;
    psql("ALTER DATABASE $name SET search_path = llm, tokenomics, public; ALTER DATABASE $name SET timezone = 'UTC'");
    is(psql($answers), $before, "$name: the same answers");
    is(psql('SELECT ledger = usage_ledger(\'day\', dimension => \'team\') FROM stored'), 't', "$name: a stored ledger is the one that is counted");
    like(psql_error('DELETE FROM price'), qr/would change history/, "$name: history is kept");
    is(psql("SELECT count(*) FROM usage_default; SELECT sum(rows_moved) > 0 FROM ensure_partitions(); SELECT outcome FROM load_usage('spans') WHERE rows = 1000"), "1064\nt\nskipped", "$name: calls find their partitions, and are known");
    return;
}
restored('restored_plain', "pg_dump -f $dir/plain.sql $database", "psql -XqAt -v ON_ERROR_STOP=1 -f $dir/plain.sql restored_plain");
restored('restored_parallel', "pg_dump -j 2 -Fd -f $dir/dir $database", "pg_restore -j 2 -d restored_parallel $dir/dir");
restored('restored_data', "pg_dump -s -f $dir/schema.sql $database", "pg_dump -a --disable-triggers -f $dir/data.sql $database",
    "psql -XqAt -v ON_ERROR_STOP=1 -f $dir/schema.sql restored_data", "psql -XqAt -v ON_ERROR_STOP=1 -f $dir/data.sql restored_data");
my $after = psql($answers);
is(psql("SET client_min_messages = warning; CALL tokenomics.install('llm'); CALL tokenomics.install('own'); $answers"), $after, 'install again keeps everything');
$ENV{PGDATABASE} = 'postgres';
psql("DROP DATABASE $_") for qw(restored_plain restored_parallel restored_data);
done_testing();
