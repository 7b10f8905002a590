# Every SQL block of the README runs, in order, and prints what the README
# says.  README_UPDATE=1 writes what it printed into the README.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use File::Temp qw(tempfile);
use Test::More;
use TokenomicsTest;

my $file = project_file('README.md');
open my $in, '<', $file or die "$file: $!";
my $readme = do { local $/; <$in> };
close $in;

$ENV{PGDATABASE} = 'postgres';
psql('DROP DATABASE IF EXISTS tap_readme');
psql('CREATE DATABASE tap_readme');
$ENV{PGDATABASE} = 'tap_readme';

my @blocks = $readme =~ /^```sql\n(.*?)^```\n(?=```text\n)/msg;
cmp_ok(scalar @blocks, '>=', 9, 'SQL blocks with output');
is(scalar(() = $readme =~ /^```sql/mg), scalar @blocks, 'every SQL block has its output');
my ($script, $name) = tempfile(UNLINK => 1);
print $script "SET client_min_messages = warning;\n", map({ "$blocks[$_]\\echo == end $_\n" } 0 .. $#blocks);
close $script;
my @printed = split /^== end \d+\n/m, qx(psql -Xq -P pager=off -f $name 2>&1);
s/[ \t]+$//mg, s/\s+\z/\n/ for @printed;

for my $n (0 .. $#blocks) {
    my ($said) = $readme =~ /^```sql\n\Q$blocks[$n]\E```\n```text\n(.*?)^```$/ms;
    is($said, $printed[$n], 'block ' . ($n + 1) . ' prints what it says');
    $readme =~ s/(^```sql\n\Q$blocks[$n]\E```\n```text\n).*?(?=^```$)/$1$printed[$n]/ms;
}
if ($ENV{README_UPDATE}) {
    open my $out, '>', $file or die "$file: $!";
    print $out $readme;
    close $out;
}

# every public object is in the reference
$readme =~ s/^## In 60.*?^## Reference//ms;
for my $object (split /\n/, psql(q(
    SELECT DISTINCT p.proname FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'tokenomics'
    JOIN pg_proc p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass
    WHERE obj_description(p.oid) !~ '^(I/O|implementation of|less-equal-greater|hash$|part of uninstall)'
    UNION SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'llm'::regnamespace
    UNION SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'llm'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
    UNION SELECT a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 WHERE c.oid = 'llm.price'::regclass
    ORDER BY 1))) {
    like($readme, qr/\b\Q$object\E\b/, "$object is in the reference");
}
done_testing();
