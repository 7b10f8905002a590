# An ordinary user installs and uses it; hostile search paths and planted
# objects change nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

database();
my $database = $ENV{PGDATABASE};
psql("DROP ROLE IF EXISTS tap_user; DROP ROLE IF EXISTS tap_reader; DROP ROLE IF EXISTS tap_mallory; CREATE ROLE tap_user; CREATE ROLE tap_reader; CREATE ROLE tap_mallory; GRANT CREATE ON DATABASE $database TO tap_user");

# an ordinary user
is(psql("SET ROLE tap_user; CALL tokenomics.install('mine'); SELECT count(*) > 200 FROM mine.load_default_prices(); SELECT tokenomics.cost((SELECT mine.book()), 'openai', 'o3', '2026-01-01', '{\"input\": 1000000}')"), "t\n2", 'an ordinary user installs, loads and prices');
like(psql_error("SET ROLE tap_reader; SELECT mine.book()"), qr/permission denied for schema mine/, 'others do not read it');
is(psql("SET ROLE tap_user; GRANT USAGE ON SCHEMA mine TO tap_reader; GRANT SELECT ON ALL TABLES IN SCHEMA mine TO tap_reader; RESET ROLE; SET ROLE tap_reader; SELECT tokenomics.cost((SELECT mine.book()), 'openai', 'o3', '2026-01-01', '{\"input\": 1000000}')"), '2', 'unless they are let');
like(psql_error("SET ROLE tap_reader; SELECT mine.correct_price('openai', 'o3', NULL, '(,)', 'x')"), qr/permission denied for table price/, 'and then only read');
like(psql_error("SET ROLE tap_reader; CALL tokenomics.install('theirs')"), qr/permission denied for database/, 'no schema without the right to make one');

# row security on prices is the reader's
psql("SET ROLE tap_user; ALTER TABLE mine.price ENABLE ROW LEVEL SECURITY; CREATE POLICY only_some ON mine.price FOR SELECT TO tap_reader USING (provider = 'anthropic')");
is(psql("SET ROLE tap_reader; SELECT tokenomics.cost((SELECT mine.book()), 'openai', 'o3', '2026-01-01', '{\"input\": 1000000}') IS NULL"), 't', 'row security applies to the book');

# what others planted in the schema is not taken for ours
psql("CREATE SCHEMA trap; GRANT ALL ON SCHEMA trap TO tap_mallory; SET ROLE tap_mallory; CREATE TABLE trap.price (provider text)");
like(psql_error("CALL tokenomics.install('trap')"), qr/schema trap holds objects of others.*Table trap.price belongs to "tap_mallory"/s, 'a planted table is refused');
psql("DROP TABLE trap.price; SET ROLE tap_mallory; CREATE FUNCTION trap.price_book(int) RETURNS text LANGUAGE sql AS 'SELECT 1::text'");
like(psql_error("CALL tokenomics.install('trap')"), qr/schema trap holds objects of others/, 'a planted function is refused');

# a search path with stand-ins for what we call
psql(q(CREATE SCHEMA evil; CREATE FUNCTION evil.format(text, text) RETURNS text LANGUAGE sql AS 'SELECT ''evil''::text'; CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT ''2000-01-01''::timestamptz';
       CREATE FUNCTION evil.upper_inf(anyrange) RETURNS boolean LANGUAGE sql AS 'SELECT false'; CREATE FUNCTION evil.same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'; CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.same);
       CREATE FUNCTION evil.round_float_noise(numeric) RETURNS numeric LANGUAGE sql AS 'SELECT 666::numeric'; CREATE TABLE evil.price (x int); CREATE TABLE evil.setting (book text);));
my $evil = 'SET search_path = evil, pg_catalog, llm, tokenomics';
is(psql("$evil; CALL tokenomics.install('safe'); SELECT pg_catalog.count(*) OPERATOR(pg_catalog.>) 200 FROM safe.load_default_prices();
         SELECT safe.correct_price('openai', 'o3', '{\"currency\": \"USD\", \"input\": 7, \"output\": 8}'::tokenomics.rates, '[2026-01-01,)'::tstzrange, 'x');
         SELECT tokenomics.cost((SELECT safe.book()), 'openai', 'o3', '2026-01-01', '{\"input\": 1000000}');
         SELECT tokenomics.document_number('3e-7', 1000000);
         SELECT pg_catalog.count(*) FROM safe.price WHERE pg_catalog.upper_inf(recorded) AND pg_catalog.lower(recorded) OPERATOR(pg_catalog.<) '2020-01-01'"), "t\n1\n7\n0.3\n0", 'a hostile search_path changes nothing');
is(psql("$evil; CALL tokenomics.uninstall('safe'); SELECT count(*) FROM pg_catalog.pg_class WHERE relnamespace OPERATOR(pg_catalog.=) 'safe'::regnamespace"), '0', 'nor does it hinder uninstall');

# the extension does not move into a schema that is not empty
psql("CREATE DATABASE tap_planted");
$ENV{PGDATABASE} = 'tap_planted';
psql("CREATE SCHEMA tokenomics; CREATE FUNCTION tokenomics.cost() RETURNS int LANGUAGE sql AS 'SELECT 1'");
like(psql_error("SET client_min_messages = warning; CREATE EXTENSION tokenomics CASCADE"), qr/schema "tokenomics" is not empty/, 'a planted schema is refused');
psql("DROP SCHEMA tokenomics CASCADE");
like(psql_error("SET client_min_messages = warning; SET search_path = llm, tokenomics, public; CREATE EXTENSION tokenomics CASCADE"),
    qr/HINT: .*CREATE EXTENSION btree_gist SCHEMA public/, 'where search_path names our schema the error says what to do');
is(psql("SET search_path = llm, tokenomics, public; CREATE EXTENSION btree_gist SCHEMA public; CREATE EXTENSION tokenomics; SELECT count(*) FROM pg_extension WHERE extname = 'tokenomics'"), '1', 'and that helps');
$ENV{PGDATABASE} = $database;
psql("DROP DATABASE tap_planted");

psql("DROP OWNED BY tap_mallory; DROP OWNED BY tap_reader; DROP OWNED BY tap_user CASCADE; DROP ROLE tap_mallory; DROP ROLE tap_reader; DROP ROLE tap_user");
done_testing();
