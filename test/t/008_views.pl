# The views of a company of some size: they read the partitions of their limits
# and no other, in parallel where the planner sees fit, for whom they are granted
# and under any search_path; and nobody drops the extension under them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

database();
my $database = $ENV{PGDATABASE};
my @views = qw(cost_per_token unit_price_trend total_spend_trend daily_spend spend_by_owner unpriced_usage reconciliation);
psql(q(SELECT count(*) FROM load_default_prices(); SELECT count(*) FROM ensure_partitions('2025-01-01', '2025-06-01');
       INSERT INTO usage (at, provider, model, service_tier, tokens, team, project)
       SELECT '2025-01-01 00:00+00'::timestamptz + i * interval '84 seconds', 'openai', CASE i % 5 WHEN 0 THEN 'o3' WHEN 1 THEN 'unknown' ELSE 'gpt-4.1' END, CASE WHEN i % 9 = 0 THEN 'ptu' END,
              tokens(input => i % 9001, output => i % 77), CASE WHEN i % 4 > 0 THEN 'team' || i % 4 END, 'project' || i % 3 FROM generate_series(0, 150000) i;
       INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, sku, quantity, unit, billed_cost, currency)
       VALUES ('openai', '2025-04-01Z', '2025-05-11Z', 'Purchase', 'ptu', 100000000, 'Tokens', 400, 'USD'), ('openai', '2025-02-01Z', '2025-03-01Z', 'Usage', 'o3', NULL, NULL, 10, 'EUR');
       UPDATE setting SET fiscal_year_start = 2;));
psql('VACUUM ANALYZE usage');

# The plans of the statements inside functions, as auto_explain tells the client.
sub plans {
    my ($sql) = @_;
    return psql("LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on; SET auto_explain.log_analyze = on; SET client_min_messages = log; $sql");
}

sub partitions {
    my ($plans) = @_;
    my %seen = map { $_ => 1 } $plans =~ /Scan[^\n]* on usage_(y\d{4}m\d\d|default)/g;
    return join ' ', sort keys %seen;
}

# ---- limits: only their partitions ----
my $all = partitions(plans('SELECT count(*) FROM daily_spend'));
like($all, qr/^default y2025m01 y2025m02 y2025m03 y2025m04 y2025m05 y2025m06\b/, 'without limits all partitions are read');
for my $view (@views) {
    is(partitions(plans("SELECT count(*) FROM ${view}_between('2025-02-01Z', '2025-03-01Z')")), 'y2025m02', "${view}_between(): those of the limits alone");
}
is(partitions(plans("SELECT count(*) FROM daily_spend_between('2025-01-20Z', '2025-02-10Z')")), 'y2025m01 y2025m02', 'limits within months');
is(partitions(plans("SELECT count(*) FROM cost_per_token_between('2025-01-31 23:00Z', '2025-02-28 23:00Z', 'Europe/Berlin')")), 'y2025m01 y2025m02', 'a month of another zone');
is(partitions(plans("SELECT count(*) FROM daily_spend_between('2025-05-10Z', '2025-05-11Z')")), 'y2025m05', 'a day under a purchase: its month, for its share');
is(partitions(plans("SELECT count(*) FROM daily_spend_between('2025-03-01Z', '2025-03-01Z')")), '', 'no time, no partition');

# ---- a parallel plan, chosen by the planner, in each call of a session ----
my $plans = plans("SELECT calls(usage_ledger('month'))");
like($plans, qr/Finalize Aggregate.*Gather.*Workers Launched: [12]\n.*Partial Aggregate.*Parallel (Append|Seq Scan)/s, 'usage_ledger() is counted in parallel') or diag($plans);
for my $view (@views) {
    like(plans("SELECT count(*) FROM $view"), qr/Gather.*Workers Launched: [12]\n.*Partial Aggregate/s, "$view: in parallel");
}
my @each = split /Query Text: SELECT tokenomics.ledger/, plans(join ';', ("SELECT calls(usage_ledger('month'))") x 8);
is(scalar(grep { /Workers Launched: [12]/ } @each), 8, 'and so the eighth time');
@each = split /Query Text: SELECT tokenomics.ledger/, plans(join ';', ("SELECT calls(usage_ledger('month', '2025-02-01Z', '2025-03-01Z'))") x 8);
is(scalar(grep { partitions($_) eq 'y2025m02' } @each), 8, 'with limits too it reads theirs alone');
my $ledger = "SELECT md5(usage_ledger('day', dimension => 'team')::text)";
my $answers = q{SELECT md5(string_agg(v, E'\n' ORDER BY v COLLATE "C")) FROM (} . join(' UNION ALL ', map { "SELECT '$_' || v::text AS v FROM llm.$_ v" } @views) . ') t';
my $before = psql($answers);
is(psql("SET max_parallel_workers_per_gather = 0; $ledger; $answers"), psql($ledger) . "\n$before", 'in one process the answers are the same');

# ---- any search_path, any session ----
psql(q(CREATE SCHEMA evil; CREATE TABLE evil.usage (LIKE llm.usage); CREATE TABLE evil.charge (LIKE llm.charge); CREATE TABLE evil.setting (zone text, currency text, fiscal_year_start int, book text);
       CREATE FUNCTION evil.lines(tokenomics.ledger) RETURNS SETOF tokenomics.ledger_line LANGUAGE sql AS 'SELECT NULL::tokenomics.ledger_line'; CREATE FUNCTION evil.total(tokenomics.tokens) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
       CREATE FUNCTION evil.less(timestamptz, timestamptz) RETURNS boolean LANGUAGE sql AS 'SELECT true'; CREATE OPERATOR evil.< (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = evil.less);
       CREATE FUNCTION evil.concat(text, text) RETURNS text LANGUAGE sql AS 'SELECT ''x'''; CREATE FUNCTION evil.book() RETURNS tokenomics.price_book LANGUAGE sql AS 'SELECT NULL::tokenomics.price_book'; CREATE AGGREGATE evil.sum(numeric) (SFUNC = numeric_add, STYPE = numeric, INITCOND = '666');));
my %hostile = (
    'a hostile search_path' => "SET search_path = evil, pg_catalog, llm, tokenomics",
    'an empty search_path' => "SET search_path = ''",
    'a temporary table usage' => "CREATE TEMP TABLE usage (LIKE llm.usage)",
    'another TimeZone and IntervalStyle' => "SET timezone = 'Asia/Kathmandu'; SET intervalstyle = 'sql_standard'",
);
my $some = $answers =~ s/ FROM llm\.(\w+) v/ FROM llm.$1_between('2025-04-01Z', '2025-05-01Z') v/gr;
my $expected = psql($some);
for my $what (sort keys %hostile) {
    is(psql("$hostile{$what}; CREATE TABLE public.kept AS $some; SELECT pg_catalog.max(md5) FROM public.kept; DROP TABLE public.kept"), $expected, "$what changes nothing");
}
psql('DROP SCHEMA evil CASCADE');

# ---- an owner and a reader who are nobody special ----
psql("DROP ROLE IF EXISTS views_owner; DROP ROLE IF EXISTS views_reader; CREATE ROLE views_owner; CREATE ROLE views_reader; GRANT CREATE ON DATABASE $database TO views_owner;
      SET ROLE views_owner; CALL tokenomics.install('mine');
      SELECT mine.correct_price('v', 'm', '{\"currency\": \"USD\", \"input\": 1}', '(,)', 'x');
      INSERT INTO mine.usage (at, provider, model, tokens, team) VALUES ('2025-01-05', 'v', 'm', '{\"input\": 1000000}', 'search'), ('2025-01-06', 'v', 'm', '{\"input\": 3000000}', 'ads');
      GRANT USAGE ON SCHEMA mine TO views_reader; GRANT SELECT ON mine.cost_per_token, mine.unit_price_trend, mine.total_spend_trend, mine.daily_spend, mine.spend_by_owner, mine.unpriced_usage, mine.reconciliation, mine.price_change_log TO views_reader");
is(psql('SET ROLE views_owner; SELECT sum(total_spend) FROM mine.total_spend_trend'), '4', 'the owner reads');
my $read = 'SET ROLE views_reader; ' . join '; ', map { "SELECT count(*) FROM mine.$_" } @views, 'price_change_log';
my @tables = qw(usage charge setting price model_alias index_item fx_rate);
for my $table (@tables) {
    psql(join '; ', map { ($_ eq $table ? 'REVOKE' : 'GRANT') . " SELECT ON mine.$_ " . ($_ eq $table ? 'FROM' : 'TO') . ' views_reader' } @tables);
    # where nothing is to be converted, a server may see that before it asks for the table
    like(psql_error("$read; SELECT mine.convert_currency(1, 'EUR', 'USD', '2025-01-05')"), qr/permission denied for table $table\b/, "a reader needs SELECT on $table");
}
psql('GRANT SELECT ON mine.fx_rate TO views_reader');
is(psql($read), "1\n2\n1\n2\n4\n0\n2\n0", 'and on no more');
psql("ALTER TABLE mine.usage ENABLE ROW LEVEL SECURITY; CREATE POLICY own_team ON mine.usage TO views_reader USING (team = 'search')");
is(psql('SET ROLE views_reader; SELECT sum(total_spend) FROM mine.total_spend_trend; SELECT owner, sum(total_spend) FROM mine.spend_by_owner WHERE dimension = $$team$$ GROUP BY 1; SELECT computed FROM mine.reconciliation WHERE scope = $$model$$'),
    "1\nsearch|1\n1", 'row security is the reader\'s');
is(psql('SET ROLE views_owner; SELECT sum(total_spend) FROM mine.total_spend_trend'), '4', 'not the owner\'s');

# ---- the extension stays while an install stands ----
for my $drop ('DROP EXTENSION tokenomics', 'DROP SCHEMA tokenomics') {
    like(psql_error($drop), qr/cannot drop .*depend/s, "$drop is refused");
}
psql("CALL tokenomics.uninstall('llm')");
like(psql_error('DROP EXTENSION tokenomics'), qr/cannot drop extension tokenomics because other objects depend on it/, 'by each install');
psql("SET ROLE views_owner; CALL tokenomics.uninstall('mine')");
is(psql('DROP EXTENSION tokenomics; SELECT count(*) FROM pg_extension WHERE extname = $$tokenomics$$'), '0', 'and gone without one');
psql('DROP OWNED BY views_reader; DROP OWNED BY views_owner CASCADE; DROP ROLE views_reader; DROP ROLE views_owner');
done_testing();
