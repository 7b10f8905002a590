# Corrections of one price by several sessions at once: none is lost, the
# history of what was known has no holes, and a killed backend leaves nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

database();
psql("SELECT correct_price('v', 'm', '{\"currency\": \"USD\", \"input\": 1}', '(,)', 'first')");
my @children;
for my $session (1 .. 4) {
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        for my $n (1 .. 25) {
            my $rate = $session * 100 + $n;
            psql("SELECT correct_price('v', 'm', '{\"currency\": \"USD\", \"input\": $rate}', '[2026-01-0$session,)', 'session $session')");
        }
        exit 0;
    }
    push @children, $pid;
}
my $failed = 0;
for (@children) { waitpid $_, 0; $failed++ if $? != 0 }
is($failed, 0, 'four sessions, 100 corrections, no error');
is(psql("SELECT count(DISTINCT rate(rates, 'input')) FROM price WHERE provider = 'v'"), 101, 'all 101 prices are in the history');
is(psql("SELECT count(*) FROM price WHERE NOT upper_inf(recorded) AND closed_by IS NULL"), 0, 'each closed row says who closed it');
# at every moment since the first, each day had one price
is(psql(q(SELECT count(*) FROM (SELECT DISTINCT lower(recorded) AS t FROM price) m, generate_series('2025-12-31'::timestamptz, '2026-01-06', '1 day') day
          WHERE (SELECT count(*) FROM price p WHERE p.recorded @> m.t AND p.valid @> day) <> 1)), 0, 'what was known has no holes and no overlaps');

# a backend killed in the middle of a correction
open(my $errors, '>&', \*STDERR);
open(STDERR, '>', '/dev/null');
my $pid = open(my $psql, '-|', 'psql', '-XqAt', '-c', "BEGIN; SELECT pg_backend_pid(); SELECT correct_price('v', 'm', '{\"currency\": \"USD\", \"input\": 9}', '(,)', 'killed')", '-c', 'SELECT pg_sleep(60)');
open(STDERR, '>&', $errors);
my $backend = <$psql>;
chomp $backend;
my $before = psql("SELECT md5(string_agg(p::text, ',' ORDER BY recorded, valid)) FROM price p");
psql("SELECT pg_terminate_backend($backend, 5000)");
close $psql;
is(psql("SELECT md5(string_agg(p::text, ',' ORDER BY recorded, valid)) FROM price p"), $before, 'a killed correction leaves nothing');

# a reader in REPEATABLE READ keeps the book it began with
is(psql(q(BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT cost(book(), 'v', 'm', '2025-06-01', '{"input": 1000000}');
          SELECT 1 FROM pg_sleep(0); SELECT cost(book(), 'v', 'm', '2025-06-01', '{"input": 1000000}'); COMMIT)), "1\n1\n1", 'one snapshot, one book');
is(psql(q(BEGIN READ ONLY; SELECT cost(book(), 'v', 'm', '2025-06-01', '{"input": 1000000}'); COMMIT)), '1', 'and it is read in a read-only transaction');
done_testing();
