# Corrections of one price by several sessions at once: none is lost, the
# history of what was known has no holes, and a killed backend leaves nothing.
# Partitions that come while a day is counted.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use IO::Handle;
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

# A partition is attached while settle_day() waits for the lock of another: the day is of
# what it then counts, and of nothing when the partition is gone.
sub until_true {
    my ($sql) = @_;
    for (1 .. 200) { return 1 if psql($sql) eq 't'; select(undef, undef, undef, 0.05) }
    return 0;
}
sub session { my $pid = open(my $out, '|-', 'psql', '-XqAt') or die "psql: $!"; $out->autoflush(1); return $out }
my $spend = "SELECT coalesce(sum(calls), 0) FROM lines(usage_ledger('day')); SELECT count(*) FROM usage";
my $attach = "ALTER TABLE usage ATTACH PARTITION usage_y2026m03 FOR VALUES FROM ('2026-03-01Z') TO ('2026-04-01Z');";
psql(q(SELECT count(*) FROM ensure_partitions('2026-03-01', '2026-03-31');
       INSERT INTO usage (at, provider, model, tokens) SELECT '2026-03-10Z'::timestamptz + i * interval '1 minute', 'v', 'm', '{"input": 1}' FROM generate_series(1, 16) i));
psql('ALTER TABLE usage DETACH PARTITION usage_y2026m03');
is(psql($spend), "0\n0", 'without the partition there are no calls');
my $other = session();
print $other "BEGIN; $attach\n";
ok(until_true("SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'usage_default'::regclass AND mode = 'AccessExclusiveLock' AND granted)"), 'a session attaches it');
my $settling = session();
print $settling "SELECT set_config('x.x', settle_day('2026-03-10Z')::text, false) \\g /dev/null\n";
ok(until_true("SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'usage_default'::regclass AND mode = 'AccessShareLock' AND NOT granted)"), 'a day is settled meanwhile');
print $other "COMMIT;\n";
close $_ for $other, $settling;
is(psql($spend), "16\n16", 'the day has the calls of the partition');
is(psql("SELECT count(*) FROM settled_units('2026-03-10Z', '2026-03-11Z', book()) WHERE problem IS NULL"), '1', 'and is settled');
is(psql("ALTER TABLE usage DETACH PARTITION usage_y2026m03; $spend"), "0\n0", 'and has none without it');

# without a default partition nothing keeps one from coming while calls are counted
psql('ALTER TABLE usage DETACH PARTITION usage_default; DELETE FROM settled; DELETE FROM stored_ledger');
for (['settle_day', 'usage_mark'], ['settle_month', 'settled']) {
    my ($settle, $table) = @$_;
    $other = session();
    print $other "BEGIN; LOCK TABLE $table;\n";
    ok(until_true("SELECT EXISTS (SELECT FROM pg_locks WHERE relation = '$table'::regclass AND mode = 'AccessExclusiveLock' AND granted)"), "nothing can be deleted from $table");
    $pid = open(my $said, '-|', qq(psql -XqAt -c "SELECT $settle('2026-03-10Z')" 2>&1)) or die "psql: $!";
    ok(until_true("SELECT EXISTS (SELECT FROM pg_locks WHERE relation = '$table'::regclass AND NOT granted)"), "$settle() is about to count");
    psql($attach);
    print $other "COMMIT;\n";
    close $other;
    like(join('', <$said>), qr/ERROR:  a partition was attached to "usage" while its calls were counted/, 'it stores nothing as if the partition were not there');
    close $said;
    is(psql("ALTER TABLE usage DETACH PARTITION usage_y2026m03; $spend"), "0\n0", 'and nothing is read so');
}
done_testing();
