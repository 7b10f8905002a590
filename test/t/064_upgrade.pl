# From every released version to this one: the catalog is that of a fresh install,
# row for row, and data, stored ledgers and what the views say are what they were.
# Where this fails after a change of what is in src/*.sql: make upgrade-script.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

$ENV{PGOPTIONS} = '-c client_min_messages=warning';
my $fresh = 'tap_upgrade_fresh';
my ($this) = slurp(project_file('tokenomics.control')) =~ /^default_version = '(.*)'/m;
my @released = grep { $_ ne $this } map { m{--([^/-]+)\.sql$} && $_ !~ /--.*--/ ? $1 : () } sort(glob project_file('src', 'upgrade', 'tokenomics--*.sql'));

sub slurp {
    open my $in, '<', $_[0] or die "$_[0]: $!";
    local $/;
    return <$in>;
}

sub catalog {
    my ($database) = @_;
    my @lines;
    for my $schema ('tokenomics', 'llm') {
        my $file = project_file('test', 'catalog.psql');
        my @of = qx(psql -XqAt -v ON_ERROR_STOP=1 -v schema=$schema -d $database -f '$file' 2>&1);
        die "catalog.psql failed: $of[-1]" if $? != 0;
        push @lines, @of;
    }
    return \@lines;
}

# The first rows of each that the other has not.
sub same_catalog {
    my ($got, $expected, $name) = @_;
    my (%got, %expected);
    $got{$_}++      for @$got;
    $expected{$_}++ for @$expected;
    my @more = grep { !$expected{$_} } @$got;
    my @less = grep { !$got{$_} } @$expected;
    return ok(@more == 0 && @less == 0 && @$got == @$expected, $name)
      || diag(join "\n", 'it has', (map { substr $_, 0, 600 } @more[0 .. ($#more > 4 ? 4 : $#more)]), 'and not', (map { substr $_, 0, 600 } @less[0 .. ($#less > 4 ? 4 : $#less)]));
}

# By table what its columns hold; those that there were.  Numbers of views count by
# their value: 1.50 is 1.5.
sub data {
    my ($columns) = @_;
    return join "\n", map { my ($table, $list) = split /\|/; psql("SELECT '$table', count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM (SELECT $list FROM llm.$table) t") } split /\n/, $columns;
}
my $columns = q(SELECT c.relname, string_agg(CASE WHEN c.relkind = 'v' AND a.atttypid = 'numeric'::regtype THEN format('trim_scale(%%I)', a.attname) ELSE quote_ident(a.attname) END, ', ' ORDER BY a.attnum) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'llm'::regnamespace AND c.relkind = ANY (%s) AND NOT c.relispartition GROUP BY c.relname ORDER BY c.relname);

$ENV{PGDATABASE} = 'postgres';
psql("DROP DATABASE IF EXISTS $fresh");
psql("CREATE DATABASE $fresh");
$ENV{PGDATABASE} = $fresh;
psql("CREATE EXTENSION tokenomics CASCADE; CALL tokenomics.install('llm')");
my $expected = catalog($fresh);
cmp_ok(scalar @$expected, '>', 5000, 'a fresh install has ' . @$expected . ' rows in the catalog');

for my $version (@released) {
    my $database = database($version);
    # the company's last months, with quotes, plans and outcomes
    psql('SELECT count(*) FROM load_default_prices()');
    my $load = slurp(project_file('test', 'demo', 'company.sql'));
    $load =~ s/^(?=DO \$\$\nBEGIN\n    PERFORM ensure_partitions)/DELETE FROM use WHERE last_day < '2026-04-01'; UPDATE use SET first_day = greatest(first_day, '2026-04-01');\n/m or die 'company.sql has changed';
    $load .= join "\n", map { slurp(project_file('test', 'demo', $_)) =~ /^((?:INSERT INTO|SELECT measure_workload|SELECT set_budget).*?;)$/msg } 'quotes.sql', 'plans.sql';
    open my $psql, '|-', 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null' or die $!;
    print $psql $load;
    close $psql or die 'loading the company failed';
    # a version that does not count any more may be what is now refused
    psql(q(SELECT set_budget('old', '2026-06-01', '2026-07-01', 10, alert_at => '{0.5,NULL}'), set_budget('old', '2026-06-01', '2026-07-01', 10, alert_forecast_at => '{NaN}', alert_cost_per_mtok => 'Infinity'), set_budget('old', '2026-06-01', '2026-07-01', 10)));
    psql('CALL refresh()');
    psql("SELECT archive('2026-04-01')");
    psql(q(INSERT INTO usage (at, provider, model, team, tokens) VALUES ('2026-06-10 12:00Z', 'openai', 'gpt-5', 'search', '{"input": 7}')));
    cmp_ok(psql('SELECT count(*) FROM usage'), '>', 10000, "$version: a company");

    my $tables = psql(sprintf $columns, "'{r,p}'");
    # what any version that tells the truth says; what else the views say may be mended
    my $views = psql(sprintf $columns, "'{v}'");
    # GEKS is weighted since 0.2.0, and trend says so
    $views =~ s/^(unit_price_trend\|.*)\bgeks_index, (.*), note$/$1$2/m or die;
    my $kept_views = join "\n", grep { /^(?:cost_per_token|unit_price_trend|total_spend_trend|daily_spend|spend_by_owner|unpriced_usage|reconciliation|settlement|budget_status)\|/ } split /\n/, $views;
    my $before = data($tables);
    my $said = data($kept_views);
    my $state = q(SELECT state, count(*) FROM settlement GROUP BY 1 ORDER BY 1);
    my $settled = psql($state);

    psql('ALTER EXTENSION tokenomics UPDATE');
    is(psql("SELECT extversion FROM pg_extension WHERE extname = 'tokenomics'"), $this, "$version: ALTER EXTENSION UPDATE");
    is(data($tables), $before, "$version: leaves data as it was");
    psql("CALL tokenomics.install('llm')");
    is(data($tables), $before, "$version: as install() does");
    same_catalog(catalog($database), $expected, "$version: the catalog is that of a fresh install");
    is(psql($state), $settled, "$version: all that was settled is");
    like($settled, qr/archived.*settled.*unsettled/s, "$version: which is some of all");
    is(psql(q(SELECT string_agg(DISTINCT outcome, ',') FROM verify() WHERE outcome !~ '^unsettled')), 'equal', "$version: and equal to its calls");
    is(data($kept_views), $said, "$version: the views say what they said");
    psql('CALL refresh()');
    my ($oids) = psql(q(SELECT md5(string_agg(oid::text, ' ' ORDER BY oid)) FROM pg_class WHERE relnamespace = 'llm'::regnamespace));
    psql("CALL tokenomics.install('llm')");
    is(psql(q(SELECT md5(string_agg(oid::text, ' ' ORDER BY oid)) FROM pg_class WHERE relnamespace = 'llm'::regnamespace)), $oids, "$version: install() once more makes nothing anew");
}

# An older version that differs in all that may: what is told of it is what
# retired() would say.
my $database = database();
my $old_day = q(LANGUAGE sql STABLE SET search_path = llm, pg_temp AS $$ SELECT NULL::date, 'x'::text $$);
my $old_function = q(LANGUAGE sql STABLE SET search_path = llm, pg_temp AS $$ SELECT NULL::timestamptz, 'x'::text $$);
psql(qq(SET search_path = llm, pg_temp;
    DROP VIEW daily_spend; DROP FUNCTION daily_spend_between(timestamptz, timestamptz, text);
    CREATE FUNCTION daily_spend_between(from_at timestamptz DEFAULT NULL, to_at timestamptz DEFAULT NULL, zone text DEFAULT NULL) RETURNS TABLE (day date, provider text) $old_day;
    CREATE VIEW daily_spend AS SELECT * FROM daily_spend_between();
    DROP VIEW fan_out; DROP FUNCTION fan_out_between(timestamptz, timestamptz, text);
    CREATE FUNCTION fan_out_between(from_at timestamptz DEFAULT NULL, to_at timestamptz DEFAULT NULL, zone text DEFAULT NULL) RETURNS TABLE (other timestamptz, scope text) $old_function;
    CREATE VIEW fan_out AS SELECT * FROM fan_out_between();
    DROP FUNCTION budget_status_at(timestamptz);
    CREATE FUNCTION budget_status_at(as_of timestamptz DEFAULT now()) RETURNS TABLE (name text, version integer) LANGUAGE sql STABLE SET search_path = llm, pg_temp AS \$\$ SELECT 'x'::text, 1 \$\$;
    CREATE FUNCTION gone(a text) RETURNS text LANGUAGE sql AS 'SELECT a'; COMMENT ON FUNCTION gone(text) IS 'ours';
    CREATE VIEW gone_view AS SELECT 1 AS one; COMMENT ON VIEW gone_view IS 'ours';
    CREATE FUNCTION forget_user(user_id text, hard boolean) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'; COMMENT ON FUNCTION forget_user(text, boolean) IS 'ours'; DROP FUNCTION forget_user(text);
    ALTER TABLE fx_rate DROP CONSTRAINT fx_rate_rate_check; ALTER TABLE fx_rate ADD CONSTRAINT fx_rate_rate_check CHECK (rate > 0);
    ALTER TABLE fx_rate ALTER source SET DEFAULT 'old', ALTER source DROP NOT NULL;
    DROP INDEX charge_provider; CREATE INDEX charge_provider ON charge (provider)));
my $retired = psql(q(SET search_path = llm, pg_temp;
    SELECT string_agg(format('(%s, %L, %L, %L, %L)', row_number, kind, object, was, becomes), ', ') FROM (SELECT row_number() OVER (), x.* FROM (
        SELECT 'view' AS kind, relname::text AS object, tokenomics.shape('pg_class', oid, relname ~ 'gone') AS was, CASE WHEN relname !~ 'gone' THEN 'other' END AS becomes FROM pg_class WHERE relname IN ('fan_out', 'gone_view')
        UNION ALL SELECT 'function', format('%s(%s)', proname, array_to_string(proargtypes::oid[]::regtype[], ', ')), tokenomics.shape('pg_proc', oid, proname !~ 'between|_at$'), CASE WHEN proname ~ 'between|_at$' THEN 'other' END
            FROM pg_proc WHERE pronamespace = 'llm'::regnamespace AND proname IN ('daily_spend_between', 'fan_out_between', 'budget_status_at', 'gone', 'forget_user')
        UNION ALL VALUES ('constraint', 'fx_rate.fx_rate_rate_check', 'CHECK ((rate > (0)::numeric))', (SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE false)),
            ('default', 'fx_rate.source', '''old''::text', '''''::text'), ('not null', 'fx_rate.source', 'DROP', 'SET'), ('index', 'charge.charge_provider', 'CREATE INDEX charge_provider ON charge USING btree (provider)', NULL)) x) y));
my $rule = '((rate > (0)::numeric) AND (rate < \'Infinity\'::numeric))';
$retired =~ s/(\(rate > \(0\)::numeric\)\)', )NULL/$1'CHECK (@{[$rule =~ s{'}{''}gr]})'/ or die $retired;
psql("CREATE OR REPLACE FUNCTION tokenomics.retired(OUT step integer, OUT kind text, OUT object text, OUT was text, OUT becomes text) RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE BEGIN ATOMIC VALUES $retired; END");

# what is the user's
psql(q(DROP ROLE IF EXISTS upgrade_reader, upgrade_column));
psql(q(CREATE ROLE upgrade_reader; CREATE ROLE upgrade_column; SELECT llm.grant_reader('upgrade_reader');
    GRANT SELECT ON llm.fan_out, llm.daily_spend TO upgrade_reader WITH GRANT OPTION; GRANT SELECT (scope), UPDATE (other) ON llm.fan_out TO upgrade_column;
    CREATE FUNCTION llm.fan_out_between(mine text) RETURNS text LANGUAGE sql AS 'SELECT mine'; GRANT EXECUTE ON FUNCTION llm.daily_spend_between TO upgrade_reader; REVOKE ALL ON FUNCTION llm.fan_out_between(timestamptz, timestamptz, text) FROM PUBLIC;
    INSERT INTO llm.fx_rate (base_currency, quote_currency, day, rate) VALUES ('EUR', 'USD', '2026-01-01', 'Infinity');
    CREATE VIEW public.my_days AS SELECT day, provider FROM llm.daily_spend; CREATE VIEW public.my_calls AS SELECT * FROM llm.fan_out;
    CREATE TABLE llm.my_table (x int)));
my $error = psql_error("CALL tokenomics.install('llm')");
like($error, qr/VIEW fan_out of an older version cannot be replaced/, 'a view whose columns have changed is not dropped from under a view of the user');
like($error, qr/view public.my_calls depends on view (?:llm\.)?fan_out/, 'which is named');
is(psql('SELECT count(*) FROM public.my_calls'), '1', 'and nothing is done');
psql('DROP VIEW public.my_calls');
$error = psql_error("CALL tokenomics.install('llm')");
like($error, qr/table "fx_rate" holds what this version refuses/, 'a row that a new constraint does not allow is told');
like($error, qr/DETAIL: .*"fx_rate_rate_check" does not allow the row \{.*"rate": "Infinity".*\}\.\s*HINT: .*install\(\) again/s, 'with what to do');
psql('DELETE FROM llm.fx_rate');
psql("CALL tokenomics.install('llm')");
is(psql('SELECT count(*) FROM public.my_days'), '0', 'a view of the user stays where columns are only added');
is(psql(q(SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'public.my_days'::regclass AND attnum > 0)), '{day,provider}', 'with its columns');
is(psql(q(SELECT has_table_privilege('upgrade_reader', 'llm.fan_out', 'SELECT WITH GRANT OPTION'), has_table_privilege('upgrade_reader', 'llm.daily_spend', 'SELECT WITH GRANT OPTION'), has_function_privilege('upgrade_reader', 'llm.daily_spend_between(timestamptz, timestamptz, text)', 'EXECUTE'),
    has_function_privilege('upgrade_reader', 'llm.fan_out_between(timestamptz, timestamptz, text)', 'EXECUTE'), has_table_privilege('upgrade_reader', 'llm_reader.fan_out', 'SELECT'), has_function_privilege('upgrade_reader', 'llm_reader.fan_out_between(timestamptz, timestamptz, text)', 'EXECUTE'))),
    't|t|t|f|t|t', 'privileges are what they were');
is(psql(q(SELECT has_column_privilege('upgrade_column', 'llm.fan_out', 'scope', 'SELECT'), has_table_privilege('upgrade_column', 'llm.fan_out', 'SELECT'), has_column_privilege('upgrade_column', 'llm.fan_out', 'owner', 'SELECT'))), 't|f|f', 'those on columns too');
is(psql(q(SELECT has_function_privilege('upgrade_column', 'llm.fan_out_between(text)', 'EXECUTE'))), 't', 'and those of another function of the same name');
is(psql(q(SELECT count(*) > 2, string_agg(DISTINCT nspname, ',' ORDER BY nspname) FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace, unnest(proargnames) WHERE proname = 'budget_status_at' GROUP BY pg_get_function_result(p.oid))), 't|llm,llm_reader', 'readers have the columns of what they read');
psql(q(DROP VIEW public.my_days; DROP TABLE llm.my_table; DROP FUNCTION llm.fan_out_between(text); REVOKE ALL (scope) ON llm.fan_out FROM upgrade_column; REVOKE ALL ON llm.fan_out, llm.daily_spend FROM upgrade_reader; REVOKE ALL ON FUNCTION llm.daily_spend_between FROM upgrade_reader; GRANT EXECUTE ON FUNCTION llm.fan_out_between TO PUBLIC));
my $catalog = catalog($database);
$_ = [grep { !/\bretired\b/ } @$_] for $catalog, $expected;
s/"(?:relacl|proacl)": (?:null|\[[^]]*\])// for @$catalog, @$expected;
same_catalog($catalog, $expected, 'the rest is a fresh install');
# the user's own of the same names are his
psql(q(CREATE FUNCTION llm.gone(a text) RETURNS text LANGUAGE sql AS 'SELECT a'; CREATE VIEW llm.gone_view AS SELECT 1 AS one; CALL tokenomics.install('llm')));
is(psql("SELECT llm.gone('a'), one FROM llm.gone_view"), 'a|1', 'a function and a view of the user with the name of one that is gone stay');
psql('DROP OWNED BY upgrade_reader, upgrade_column; DROP ROLE upgrade_reader, upgrade_column');
$ENV{PGDATABASE} = 'postgres';
psql("DROP DATABASE $fresh");
done_testing();
