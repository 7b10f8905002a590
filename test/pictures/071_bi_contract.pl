# The contract with BI tools: every view gives the same values through psql, ODBC and
# node-postgres, as text and in the binary protocol, in types that tools understand, and
# says of each column what it is.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;
use TokenomicsTest;

$ENV{TOKENOMICS_REPORT_BUILD} //= project_file('build', 'report');
is(system(project_file('report', 'run.sh')), 0, 'node-postgres is there');
my $database = company_database();
# some days of two months are enough, with every kind of charge; settled, with budgets and quotes
psql(q(DELETE FROM usage WHERE at < '2026-05-25' OR at >= '2026-06-12'));
psql('VACUUM ANALYZE usage');
{
    local $ENV{PGOPTIONS} = '-c client_min_messages=error';
    psql('CALL refresh()');
}
is(system('psql -Xq -v ON_ERROR_STOP=1 ' . join(' ', map { "-f '" . project_file('test', 'demo', "$_.sql") . "'" } qw(quotes plans)) . ' >/dev/null'), 0, 'quotes.sql and plans.sql run');

my @views = split /\n/, psql(q(SELECT relname FROM pg_class WHERE relnamespace = 'llm'::regnamespace AND relkind = 'v' ORDER BY 1));
cmp_ok(scalar @views, '>=', 8, scalar(@views) . ' views');

# ---- words and types ----
is(psql(q(SELECT string_agg(c.relname || '.' || a.attname, ' ') FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'llm'::regnamespace AND c.relkind IN ('v', 'm', 'r', 'p') AND NOT c.relispartition AND col_description(c.oid, a.attnum) IS NULL)), '', 'every column of every view and table has a description');
is(psql(q(SELECT string_agg(c.relname, ' ') FROM pg_class c WHERE c.relnamespace = 'llm'::regnamespace AND c.relkind IN ('v', 'm', 'r', 'p') AND NOT c.relispartition AND obj_description(c.oid, 'pg_class') IS NULL)), '', 'and every view and table');
is(psql(q(SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p WHERE p.pronamespace = 'llm'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL)), '', 'and every function');
is(psql(q(SELECT string_agg(c.relname, ' ') FROM pg_class c WHERE c.relnamespace = 'llm'::regnamespace AND c.relkind = 'v' AND NOT coalesce(c.reloptions, '{}') @> '{security_invoker=true}' AND c.relname !~ '_reader$')), '', 'views run with the rights of who reads them');
# what tools know by itself: text, numbers, dates, times, JSON, and arrays of text or numbers
is(psql(q(SELECT string_agg(DISTINCT format_type(a.atttypid, NULL), ', ') FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relnamespace = 'llm'::regnamespace AND c.relkind = 'v' AND c.relname <> 'usage' AND format_type(a.atttypid, NULL) NOT IN
    ('text', 'bigint', 'integer', 'numeric', 'double precision', 'boolean', 'date', 'timestamp with time zone', 'interval', 'jsonb', 'text[]', 'numeric[]', 'bigint[]'))), '', 'columns are of types that tools know');
is(psql(q(SELECT string_agg(c.relname || '.' || a.attname, ' ') FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relnamespace = 'llm'::regnamespace AND c.relkind = 'v' AND a.attname ~ '(spend|cost|charges|billed|invoiced|computed|residual)$|Cost$|Price$' AND format_type(a.atttypid, NULL) <> 'numeric')), '', 'money is numeric');
is(psql(q(SELECT string_agg(c.relname || '.' || a.attname, ' ') FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relnamespace = 'llm'::regnamespace AND c.relkind = 'v' AND a.attname IN ('month', 'day') AND format_type(a.atttypid, NULL) <> 'date')), '', 'months and days are dates');

# ---- values ----
my $folder = tempdir(CLEANUP => 1);
my @told = map { $_ eq 'usage' ? () : $_ } @views;
my $answer = decode_json(qx(node '@{[ project_file('test', 'pictures', 'values.mjs') ]}' @told));

my ($driver) = glob('/usr/lib/*/odbc/psqlodbcw.so');
ok($driver, 'the ODBC driver is there');
open my $ini, '>', "$folder/odbc.ini" or die $!;
print $ini "[tokenomics]\nDriver=$driver\nServername=$ENV{PGHOST}\nPort=$ENV{PGPORT}\nDatabase=$database\nUsername=$ENV{PGUSER}\nMaxLongVarcharSize=8190\nBoolsAsChar=0\n";
close $ini;
$ENV{ODBCINI} = "$folder/odbc.ini";

# What differs in writing only: digits behind the point that are zero, t and 1, times.
sub plain {
    my ($value) = @_;
    return '' if !defined $value;
    return $value if $value !~ /[.\s]/;
    $value =~ s/^(-?\d+)\.(\d*?)0+$/length $2 ? "$1.$2" : $1/e;
    return $value =~ s/^\s+|\s+$//gr;
}
sub rows { return [ sort map { join "\x1f", map { plain($_) } @$_ } @{ $_[0] } ] }
sub same {
    my ($got, $expected, $name) = @_;
    my @differ = grep { ($got->[$_] // 'none') ne ($expected->[$_] // 'none') } 0 .. ($#$got > $#$expected ? $#$got : $#$expected);
    diag('got:      ' . ($got->[$differ[0]] // 'none') . "\nexpected: " . ($expected->[$differ[0]] // 'none')) if @differ;
    return is(scalar(@differ), 0, $name);
}

for my $view (@told) {
    my @columns = map { $_->[0] } @{ $answer->{$view}{columns} };
    open my $out, '-|', 'psql', '-XqAt', '-F', "\x1f", '-R', "\x1e", '-c', qq(SELECT * FROM "$view") or die $!;
    binmode $out, ':utf8';
    my $text = do { local $/; <$out> } =~ s/\n\z//r;
    close $out;
    my @read = map { [ split /\x1f/, $_, -1 ] } split /\x1e/, $text;
    my $psql = rows(\@read);
    is(join(' ', @columns), psql(qq(SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = '$view'::regclass AND attnum > 0)), "$view: columns");
    same(rows($answer->{$view}{text}), $psql, "$view: " . @$psql . ' rows through node-postgres');
    same(rows($answer->{$view}{binary}), $psql, "$view: and in the binary protocol");

    # A TIMESTAMP of ODBC has no zone: it is in that of the session, here UTC; a BIT is 1 or 0.
    my %is_bit = map { $_ => 1 } grep { $answer->{$view}{columns}[$_][1] == 16 } 0 .. $#columns;
    my %is_time = map { $_ => 1 } grep { $answer->{$view}{columns}[$_][1] == 1184 } 0 .. $#columns;
    my $local = rows([ map { my $row = $_; [ map { $is_time{$_} ? $row->[$_] =~ s/\+00$//r : $is_bit{$_} ? $row->[$_] =~ tr/tf/10/r : $row->[$_] } 0 .. $#columns ] } @read ]);
    open my $isql, '-|', 'sh', '-c', qq(echo 'SELECT * FROM "$view"' | isql -b -x0x1f tokenomics) or die $!;
    binmode $isql, ':utf8';
    my @fetched = map { chomp; [ (split /\x1f/, $_, -1)[0 .. $#columns] ] } <$isql>;
    close $isql;
    same(rows(\@fetched), $local, "$view: through ODBC");
}
done_testing();
