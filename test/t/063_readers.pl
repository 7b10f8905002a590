# Who reads what of settled days: a role under row security its own rows and never
# a stored total, a role without rights nothing, and a reader all that was spent
# and no user.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

database();
my $database = $ENV{PGDATABASE};
$ENV{PGOPTIONS} = '-c client_min_messages=warning';
sub drop_roles { psql("DO \$\$ DECLARE r text; BEGIN FOR r IN SELECT rolname FROM pg_roles WHERE rolname LIKE 'readers_%' LOOP EXECUTE format('DROP OWNED BY %I CASCADE', r); EXECUTE format('DROP ROLE %I', r); END LOOP; END \$\$"); return }
drop_roles();
psql(qq(CREATE ROLE readers_owner; CREATE ROLE readers_team; CREATE ROLE readers_all; CREATE ROLE readers_bi; CREATE ROLE readers_columns; CREATE ROLE readers_prices; CREATE ROLE readers_mallory; GRANT CREATE ON DATABASE $database TO readers_owner, readers_mallory; GRANT readers_team TO readers_all));
my $own = 'SET ROLE readers_owner; SET search_path = mine, tokenomics, public;';
psql(qq($own CALL tokenomics.install('mine');
     SELECT correct_price('v', 'm', '{"currency": "USD", "input": 1}', '(,)', 'first');
     SELECT count(*) FROM ensure_partitions('2025-01-01', '2025-03-31');
     INSERT INTO usage (at, provider, model, team, tokens, user_id, tags) SELECT '2025-01-01Z'::timestamptz + i * interval '1 hour', 'v', 'm', 't' || i % 4, '{"input": 1000000}', 'ann', '{"secret": 1}' FROM generate_series(0, 1199) i;
     INSERT INTO dimension VALUES ('secret', 'tags->>''secret''');
     GRANT USAGE ON SCHEMA mine TO readers_team, readers_all, readers_columns, readers_prices, readers_mallory;
     GRANT SELECT ON ALL TABLES IN SCHEMA mine TO readers_team, readers_all, readers_prices;
     GRANT SELECT ON setting, price, model_alias, charge, fx_rate, daily_spend TO readers_columns, readers_mallory; GRANT SELECT (at, provider, model, service_tier, tokens, calls, team) ON usage TO readers_columns));
psql('CALL mine.refresh()');
is(psql("SELECT string_agg(DISTINCT outcome, ',') FROM mine.verify()"), 'equal', 'settled by one who is not the owner, but may');
psql("$own SELECT unsettle()");
psql("SET ROLE readers_owner; SELECT count(*) FROM mine.settlement");
is(psql("SELECT count(*) FROM mine.settlement WHERE state = 'settled'"), '0', 'and unsettled');
is(system('psql', '-XqAt', '-c', 'SET ROLE readers_owner', '-c', 'CALL mine.refresh()'), 0, 'settled by the owner');

sub read_as {
    my ($role, $sql) = @_;
    return psql("SET ROLE $role; SET search_path = mine, tokenomics, public; $sql");
}
my $total = 'SELECT sum(total_spend) FROM daily_spend;';
my $stored = "SELECT calls(s.ledger), s.covered IS NULL FROM stored_usage('mine.usage', 'day', 'UTC', '-infinity', 'infinity', NULL, book()) s;";
is(read_as('readers_owner', "$total $stored"), "1200\n1200|f", 'the owner reads what is stored');
is(read_as('readers_all', "$total $stored"), "1200\n1200|f", 'so does who reads all');
is(read_as('readers_columns', "$total $stored"), "1200\n|t", 'who reads some columns reads calls');
like(psql_error("SET ROLE readers_mallory; SELECT * FROM mine.daily_spend"), qr/permission denied for table usage/, 'who reads no calls reads no totals');
is(psql("SET ROLE readers_mallory; SELECT tokenomics.calls(s.ledger), s.covered IS NULL FROM tokenomics.stored_usage('mine.usage', 'day', 'UTC', '-infinity', 'infinity', NULL, (SELECT mine.book())) s"), '|t', 'by no way');

# what is proof that it comes from there
psql("UPDATE mine.stored_ledger SET ledger = NULL WHERE starts = '2025-01-05Z'; UPDATE mine.stored_ledger SET ledger = NULL WHERE grain = 'month'");
is(read_as('readers_all', $total), '1176', 'a stored day that was tampered with shows');
is(read_as('readers_columns', $total), '1200', 'not to who reads calls');

# row security
psql("ALTER TABLE mine.usage ENABLE ROW LEVEL SECURITY; CREATE POLICY team ON mine.usage FOR SELECT TO readers_team USING (team = 't1')");
is(read_as('readers_team', "$total $stored"), "300\n|t", 'under row security calls are read, and only one\'s own');
is(read_as('readers_all', "$total $stored"), "300\n|t", 'by members of the role too');
is(read_as('readers_owner', "$total $stored"), "1176\n1176|f", 'the owner is not under it');
psql('ALTER TABLE mine.usage FORCE ROW LEVEL SECURITY');
is(read_as('readers_owner', "SELECT count(*) FROM usage; $stored"), "0\n|t", 'unless it is forced');
like(qx(psql -XqAt -c 'SET ROLE readers_owner' -c 'CALL mine.refresh()' 2>&1), qr/role "readers_owner" does not read all calls and prices/, 'and then it stores no part');
psql('ALTER TABLE mine.usage NO FORCE ROW LEVEL SECURITY; ALTER TABLE mine.usage DISABLE ROW LEVEL SECURITY');
for my $table (qw(price model_alias setting)) {
    psql("ALTER TABLE mine.$table ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON mine.$table FOR SELECT TO readers_prices USING (true)");
    is(read_as('readers_prices', $stored), '|t', "row security on $table");
    psql("ALTER TABLE mine.$table DISABLE ROW LEVEL SECURITY");
}
is(read_as('readers_prices', $stored), '1176|f', 'none');

# the tables themselves
is(psql("SET ROLE readers_all; SELECT (SELECT count(*) FROM mine.settled) + (SELECT count(*) FROM mine.stored_ledger) + (SELECT count(*) FROM mine.usage_mark)"), '0', 'a grant of all tables shows nothing of what is stored');
for my $call ("settled_ledger('day', 'UTC', '-infinity', 'infinity', NULL, mine.book())", "count_day('2025-01-01', '2025-01-02', 'UTC', mine.book())", 'verify()', 'unsettle()', "archive('2025-01-01')", "unarchive('2025-01-01')", "forget_user('ann')", "settle_day('2025-01-01')", "grant_reader('readers_mallory')", "settle_after('1 day')") {
    like(psql_error("SET ROLE readers_all; SELECT * FROM mine.$call"), qr/permission denied for function/, "mine.$call is the owner's");
}

# others cannot lend the owner's rights
is(psql("SET ROLE readers_mallory; CALL tokenomics.install('evil'); SELECT count(*) FROM evil.daily_spend"), '0', 'an install of another');
psql("SET ROLE readers_mallory; CREATE OR REPLACE FUNCTION evil.settled_ledger(grain text, zone text, from_at timestamptz, to_at timestamptz, dimension text, book tokenomics.price_book, OUT ledger tokenomics.ledger, OUT covered tstzmultirange) LANGUAGE plpgsql STABLE AS \$\$ BEGIN RAISE EXCEPTION 'runs as %', current_user; END \$\$");
psql("ALTER TABLE evil.usage OWNER TO readers_owner");
like(psql_error("SELECT evil.usage_ledger('day')"), qr/does not belong to the owner of "usage"/, 'a function of one on the table of another is not run');
psql("ALTER TABLE evil.usage OWNER TO readers_mallory");
like(psql_error("SELECT evil.usage_ledger('day')"), qr/runs as readers_mallory/, 'it runs as its owner, even for a superuser');
psql("SET ROLE readers_mallory; CREATE TABLE evil.fake (at timestamptz); CREATE TRIGGER t AFTER INSERT ON evil.fake FOR EACH ROW EXECUTE FUNCTION tokenomics.mark_usage()");
psql("ALTER TABLE evil.usage_mark OWNER TO readers_owner");
like(psql_error("SET ROLE readers_mallory; INSERT INTO evil.fake VALUES (now())"), qr/there is nowhere to mark its days/, 'the trigger writes to no table of another');

# a writer needs no right but its own
psql("GRANT INSERT ON mine.usage TO readers_columns");
is(psql("SET ROLE readers_columns; INSERT INTO mine.usage (at, provider, model, tokens) VALUES ('2025-01-05 00:30Z', 'v', 'm', '{\"input\": 1}'); RESET ROLE; SELECT count(*) FROM mine.usage_mark"), '1', 'a writer marks days without the right to');
like(psql_error("SET ROLE readers_columns; INSERT INTO mine.usage_mark VALUES (now(), now())"), qr/permission denied for table usage_mark/, 'but for the trigger');

# readers
is(psql("$own SELECT grant_reader('readers_bi')"), 'mine_reader', 'a reader');
like(psql_error("$own SELECT grant_reader('nobody_there')"), qr/role "nobody_there" does not exist/, 'of a role that there is');
is(psql("SET ROLE readers_bi; SELECT sum(total_spend) FROM mine_reader.daily_spend; SELECT sum(total_spend) FROM mine_reader.total_spend_trend_between('2025-01-01Z', '2025-02-01Z'); SELECT count(*), sum(calls) FROM mine_reader.usage"), "1200.000001\n744.000001\n1201|1201", 'sees what was spent');
is(psql("SELECT string_agg(a.attname, ',') FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'mine_reader'::regnamespace AND a.attname IN ('user_id', 'session_id', 'turn_id', 'tags')"), '', 'and no user');
like(psql_error("SET ROLE readers_bi; SELECT * FROM mine.$_"), qr/permission denied for schema mine/, "nor $_ itself") for qw(usage daily_spend stored_ledger);
like(psql_error("SET ROLE readers_mallory; SELECT * FROM mine_reader.daily_spend"), qr/permission denied for schema mine_reader/, 'others do not');
psql("ALTER TABLE mine.usage ENABLE ROW LEVEL SECURITY");
is(psql("SET ROLE readers_bi; SELECT sum(calls) FROM mine_reader.daily_spend"), '1201', 'row security is that of the owner');
is(psql("SELECT count(*) FROM pg_class c JOIN pg_class r ON r.relname = c.relname AND r.relnamespace = 'mine_reader'::regnamespace WHERE c.relnamespace = 'mine'::regnamespace AND c.relkind = 'v'"), psql("SELECT count(*) - 2 FROM pg_class WHERE relnamespace = 'mine'::regnamespace AND relkind = 'v'"), 'every view has one but settlement, and underuse, which names users');
is(psql("SELECT count(*) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 WHERE c.relnamespace = 'mine_reader'::regnamespace AND c.relkind = 'v' AND (obj_description(c.oid, 'pg_class') IS NULL OR col_description(c.oid, a.attnum) IS NULL)"), '0', 'with comments');
psql("$own INSERT INTO seat VALUES ('sue', 't1', '(,)'), ('tom', 't1', '(,)'), ('uma', NULL, '(,)'); SELECT unsettle(); SELECT publish_report('2025-02-01')");
my $seats = q(SELECT string_agg(concat_ws(' ', u ->> 'seats', u ->> 'name', u ->> 'reason'), ', ') FROM jsonb_array_elements(r.body -> 'underuse') u WHERE u ->> 'scope' = 'seat');
is(psql("SET ROLE readers_bi; SELECT ($seats) FROM (SELECT mine_reader.monthly_report('2025-02-01') AS body) r; SELECT ($seats) FROM mine_reader.report r"), join("\n", ('2 t1 a seat that was never used, 1 unallocated a seat that was never used') x 2), 'a report says how many seats are not used');
is(psql("SET ROLE readers_bi; SELECT markdown ~ 'look.*2 seats of t1 not used[;.]', markdown LIKE '%| 2 seats | t1 | a seat that was never used |%' FROM mine_reader.report"), 't|t', 'in words too');
is(psql("SET ROLE readers_bi; SELECT count(*) FROM (SELECT concat(body, markdown) AS said FROM mine_reader.report UNION ALL SELECT concat(b, tokenomics.report_markdown(b)) FROM mine_reader.monthly_report('2025-02-01') b) r WHERE said ~ '\\y(ann|sue|tom|uma)\\y'"), '0', 'and not whose');
psql(q(INSERT INTO mine.report (month, version, body, markdown) SELECT month, 2, jsonb_set(body, '{underuse}', '[{"scope": "seat", "name": "sue", "reason": "a seat that was never used"}]'), 'seat sue' FROM mine.report));
psql("CREATE FUNCTION public.readers_leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS \$\$ BEGIN IF \$1 ~ 'sue' THEN RAISE EXCEPTION 'leaked'; END IF; RETURN true; END \$\$");
is(psql("SET ROLE readers_bi; SELECT string_agg(version::text, ',') FROM mine_reader.report WHERE public.readers_leak(markdown)"), '1', 'one that an older version wrote is not shown');
psql("DROP FUNCTION public.readers_leak");
psql("SET ROLE readers_owner; REVOKE SELECT ON mine_reader.usage FROM readers_bi; GRANT USAGE ON SCHEMA mine_reader TO readers_prices; GRANT SELECT ON mine_reader.daily_spend TO readers_prices; SELECT mine.grant_reader('readers_columns')");
psql("$own CALL tokenomics.install('mine'); CALL tokenomics.install('mine')");
is(psql("SET ROLE readers_bi; SELECT sum(calls) FROM mine_reader.spend_by_owner WHERE dimension = 'team'"), '1201', 'install again keeps them');
is(psql("SELECT has_table_privilege('readers_bi', 'mine_reader.usage', 'SELECT'), has_table_privilege('readers_bi', 'mine_reader.daily_spend', 'SELECT'), has_table_privilege('readers_prices', 'mine_reader.daily_spend', 'SELECT'), has_table_privilege('readers_prices', 'mine_reader.usage', 'SELECT')"), 'f|t|t|f', 'with the rights that there are, and no more');
psql("SET ROLE readers_owner; DROP VIEW mine_reader.fan_out; DROP FUNCTION mine_reader.fan_out_between(timestamptz, timestamptz, text); CALL tokenomics.install('mine')");
is(psql("SELECT string_agg(r, ',') FROM unnest('{readers_bi,readers_prices,readers_columns}'::name[]) r WHERE has_table_privilege(r, 'mine_reader.fan_out', 'SELECT')"), 'readers_columns', 'what is new is for who reads all');
psql("CALL tokenomics.uninstall('mine')");
is(psql("SELECT count(*) FROM pg_namespace WHERE nspname = 'mine_reader'"), '0', 'uninstall drops them');
psql("$own CREATE SCHEMA mine_reader; CALL tokenomics.install('mine')");
like(psql_error("$own SELECT grant_reader('readers_bi')"), qr/schema "mine_reader" is not one that grant_reader\(\) made/, 'a schema of that name is left alone');
psql("CALL tokenomics.uninstall('mine')");
drop_roles();
done_testing();
