# Settled days under everything that may happen to them: whatever eight sessions
# do to calls, partitions, prices and settings, and wherever the server is killed,
# stored plus raw is never another ledger than raw, in any digit and snapshot.
#
# SETTLE_STEPS=10000 is the full form; the default is for every day.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use File::Temp qw(tempdir);
use IPC::Open2;
use Test::More;
use TokenomicsTest;

my $steps = $ENV{SETTLE_STEPS} || 640;
my $seed = $ENV{SETTLE_SEED} || int(rand(1_000_000));
my $sessions = 8;
my $per_round = 40;    # steps of a session between two restarts
srand($seed);
diag("SETTLE_SEED=$seed SETTLE_STEPS=$steps");

my $database = database();
my $dir = tempdir(CLEANUP => 1);
chmod 0755, $dir;
psql(q(
CREATE FUNCTION raw_ledger(grain text, first timestamptz, behind timestamptz, zone text, label text) RETURNS ledger LANGUAGE plpgsql STABLE AS $$
DECLARE
    l ledger;
BEGIN
    EXECUTE format('SELECT ledger($1, $2, $3, u.at, u.provider, u.model, u.service_tier, u.tokens, (%s)::text, u.calls) FROM usage u WHERE u.at >= $4 AND u.at < $5', coalesce(label, 'NULL'))
    INTO l USING book(), grain, coalesce(zone, (SELECT s.zone FROM setting s)), coalesce(first, '-infinity'), coalesce(behind, 'infinity');
    RETURN l;
END
$$;
CREATE FUNCTION without_index(grain text, first timestamptz, behind timestamptz, zone text, dimension text) RETURNS text LANGUAGE plpgsql STABLE SET enable_bitmapscan = off AS $$
BEGIN
    RETURN calls(usage_ledger(grain, first, behind, zone, dimension));
END
$$;
-- both under the snapshot of the query; partitions that come in between would be in one of them
CREATE FUNCTION difference(grain text, first timestamptz, behind timestamptz, zone text, dimension text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    stored ledger;
    raw ledger;
    label text := (SELECT d.expression FROM dimension d WHERE d.name = dimension);
    stamps text;
BEGIN
    FOR attempt IN 1 .. 20 LOOP
        SELECT string_agg(coalesce(p.stamp, p.partition::oid::text), ' ' ORDER BY p.partition) INTO stamps FROM usage_partitions('usage', '-infinity', 'infinity') p;
        stored := usage_ledger(grain, first, behind, zone, dimension);
        raw := raw_ledger(grain, first, behind, zone, label);
        IF stamps IS NOT DISTINCT FROM (SELECT string_agg(coalesce(p.stamp, p.partition::oid::text), ' ' ORDER BY p.partition) FROM usage_partitions('usage', '-infinity', 'infinity') p) THEN
            RETURN CASE WHEN stored IS DISTINCT FROM raw THEN format('DIFFERENT %s: stored %s, raw %s calls, such as %s', concat_ws(' ', grain, first, behind, zone, dimension), calls(stored), calls(raw),
                (SELECT format('covered %s; again stored %s, raw %s, without index %s; zone %s; partitions %s; ', s.covered, calls(usage_ledger(grain, first, behind, zone, dimension)), calls(raw_ledger(grain, first, behind, zone, label)), without_index(grain, first, behind, zone, dimension), (SELECT t.zone FROM setting t), (SELECT string_agg(p.partition::text || ' ' || coalesce(p.stamp, 'none'), ', ') FROM usage_partitions('usage', '-infinity', 'infinity') p))
                 || (SELECT string_agg(x::text, ' ') FROM (SELECT tableoid::regclass, count(*), sum(calls), array_agg(DISTINCT at::date) FROM usage GROUP BY 1) x) FROM stored_usage('usage', grain, coalesce(zone, (SELECT t.zone FROM setting t)), coalesce(first, '-infinity'), coalesce(behind, 'infinity'), dimension, book()) s) ||
                (SELECT min(l::text) FROM (SELECT 'stored' AS by, s.* FROM lines(stored) s EXCEPT SELECT 'stored', r.* FROM lines(raw) r) l)
                || (SELECT min(l::text) FROM (SELECT 'raw' AS by, r.* FROM lines(raw) r EXCEPT SELECT 'raw', s.* FROM lines(stored) s) l)) END;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
-- what row security is active for reads nothing that is stored
CREATE ROLE settle_raw;
GRANT USAGE ON SCHEMA llm, tokenomics TO settle_raw;
GRANT SELECT ON ALL TABLES IN SCHEMA llm TO settle_raw;
ALTER TABLE usage ENABLE ROW LEVEL SECURITY;
CREATE POLICY every_row ON usage USING (true);
CREATE FUNCTION rows_of(view text, first timestamptz, behind timestamptz, zone text) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    found text[];
BEGIN
    EXECUTE format('SELECT array_agg(v::text ORDER BY v::text) FROM %I($1, $2, $3) v', view || '_between') INTO found USING first, behind, zone;
    RETURN found;
END
$$;
CREATE FUNCTION raw_rows_of(view text, first timestamptz, behind timestamptz, zone text) RETURNS text[] LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = llm, tokenomics, public AS $$
BEGIN
    RETURN rows_of(view, first, behind, zone);
END
$$;
GRANT CREATE ON SCHEMA public TO settle_raw;
ALTER FUNCTION raw_rows_of(text, timestamptz, timestamptz, text) OWNER TO settle_raw;
CREATE FUNCTION view_difference(view text, first timestamptz, behind timestamptz, zone text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    stored text[];
    raw text[];
    stamps text;
BEGIN
    FOR attempt IN 1 .. 20 LOOP
        SELECT string_agg(coalesce(p.stamp, p.partition::oid::text), ' ' ORDER BY p.partition) INTO stamps FROM usage_partitions('usage', '-infinity', 'infinity') p;
        stored := rows_of(view, first, behind, zone);
        raw := raw_rows_of(view, first, behind, zone);
        IF stamps IS NOT DISTINCT FROM (SELECT string_agg(coalesce(p.stamp, p.partition::oid::text), ' ' ORDER BY p.partition) FROM usage_partitions('usage', '-infinity', 'infinity') p) THEN
            RETURN CASE WHEN stored IS DISTINCT FROM raw THEN format('DIFFERENT %s: %s rows, raw %s, stored such as %s, raw such as %s', concat_ws(' ', view, first, behind, zone), cardinality(stored), cardinality(raw),
                (SELECT min(r) FROM (SELECT unnest(stored) EXCEPT SELECT unnest(raw)) x(r)), (SELECT min(r) FROM (SELECT unnest(raw) EXCEPT SELECT unnest(stored)) x(r))) END;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
SELECT count(*) FROM ensure_partitions('2026-02-01', '2026-03-31');
UPDATE setting SET zone = 'America/New_York';
INSERT INTO dimension VALUES ('feature', 'tags->>''feature''');
INSERT INTO usage (at, provider, model, agent, team, tokens)
SELECT '2026-02-24Z'::timestamptz + i * interval '7 minutes', 'v', 'm' || i % 3, '0', 't' || i % 2, tokens(input => i, output => 10) FROM generate_series(1, 2000) i;
SELECT correct_price('v', 'm0', '{"currency": "USD", "input": 1, "output": 2}', '(,)', 'first');
SELECT correct_price('v', 'm1', '{"currency": "EUR", "input": 3, "output": 4}', '(,)', 'first');
));

sub pick { return $_[ int(rand(@_)) ] }
sub at { return sprintf("'2026-%s %02d:%02d:%02dZ'", pick('02-25', '02-26', '02-27', '02-28', '03-01', '03-02', '03-03', '04-01'), int(rand(24)), int(rand(60)), int(rand(60))) }
sub day { return "'" . pick('2026-02-25', '2026-02-26', '2026-02-27', '2026-02-28', '2026-03-01', '2026-03-02') . " 05:00Z'" }
sub rates { return sprintf(q('{"currency": "%s", "input": %d.%d, "output": %d}'), pick('USD', 'USD', 'EUR'), rand(9), rand(99), rand(20)) }

my @views = qw(demand_drivers fan_out reasoning_profile cache_by_session_depth cache_use peak_profile);

sub check {
    if (rand() < 0.3) {
        my ($first, $behind) = @{ pick(['NULL', 'NULL'], ['NULL', 'NULL'], ["'2026-02-01 05:00Z'", 'NULL'], [at(), at()]) };
        return sprintf("SELECT view_difference('%s', %s, %s, %s);", pick(@views), $first, $behind, pick('NULL', 'NULL', 'NULL', "'Asia/Kolkata'"));
    }
    my ($grain, $zone, $dimension) = @{ pick(['month', 'NULL', 'NULL'], ['month', 'NULL', "'team'"], ['day', 'NULL', "'feature'"], ['day', 'NULL', 'NULL'], ['hour', "'Asia/Kolkata'", 'NULL'], ['quarter_hour', "'UTC'", 'NULL'], ['day', "'UTC'", "'team'"]) };
    my ($first, $behind) = @{ pick(['NULL', 'NULL'], ['NULL', 'NULL'], [day(), 'NULL'], [at(), at()], ["'2026-02-26 09:15Z'", "'2026-03-02 10:30Z'"]) };
    return "SELECT difference('$grain', $first, $behind, $zone, $dimension);";
}

sub change {
    my ($me, $repeatable) = @_;
    my $insert = sub { sprintf("INSERT INTO usage (at, provider, model, agent, team, tags, tokens, user_id, session_id, turn_id, calls) SELECT %s::timestamptz + i * interval '%d seconds', 'v', 'm%d', '%s', 't%d', '{\"feature\": \"f%d\"}', tokens(input => %d + i, cache_read => i %% 7, output => %d, reasoning => i %% 5), 'u%d', 's%d', 't%d' || i %% 5, %d FROM generate_series(1, %d) i;", at(), pick(1, 60, 40000), rand(4), $me, rand(3), rand(2), rand(1000), rand(100), rand(3), rand(9), rand(99), pick(1, 1, 1, 5), pick(1, 1, 1, 3, 50)) };
    my @mine = ("agent = '$me'", "agent = '$me' AND at >= '2026-02-20Z' AND ctid IN (SELECT ctid FROM usage WHERE agent = '$me' LIMIT " . int(rand(20)) . ")");
    my $mine = "$mine[0] AND request_id IS NULL AND extract(minute FROM at)::int % 10 = " . int(rand(10));
    my @kinds = (
        [20, $insert],
        [6, sub { "COPY usage (at, provider, model, agent, team, tokens) FROM stdin;\n" . join('', map { at() =~ s/'//gr . "\tv\tm" . int(rand(3)) . "\t$me\tt1\t{\"input\": " . int(rand(999)) . "}\n" } 1 .. 1 + rand(30)) . "\\.\n" }],
        [8, sub { "UPDATE usage SET tokens = tokens(input => " . int(rand(999)) . ") WHERE $mine;" }],
        [5, sub { "UPDATE usage SET at = at + interval '" . pick(1, 30, 800, -900) . " hours' WHERE $mine AND at < '2026-03-20Z';" }],
        [3, sub { "UPDATE usage SET user_id = NULL, session_id = 's' WHERE $mine;" }],
        [3, sub { "UPDATE usage SET turn_id = 't" . int(rand(99)) . "', request_id = '" . int(rand(1e9)) . "-' || random() WHERE $mine[1];" }],
        [3, sub { "UPDATE usage SET team = 't9', tags = NULL WHERE $mine;" }],
        [8, sub { "DELETE FROM usage WHERE $mine;" }],
        [4, sub { "DO \$\$ BEGIN FOR k IN 1 .. 5 LOOP BEGIN " . $insert->() . " IF k % 2 = 0 THEN RAISE division_by_zero; END IF; EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END \$\$;" }],
    );
    push @kinds, (
        [8, sub { "SELECT set_config('x.x', correct_price('v', 'm" . int(rand(4)) . "', " . rates() . ", tstzrange(" . pick('NULL', day(), at()) . ", NULL), 'x')::text, false) \\g /dev/null" }],
        [3, sub { "SELECT set_config('x.x', set_alias('" . pick('m2', 'm3') . "', '" . pick('m0', 'm1', 'nothing') . "', 'x')::text, false) \\g /dev/null" }],
        [2, sub { "SELECT set_config('x.x', set_alias('" . pick('^m[23]$', '^m.$') . "', '" . pick('m0', 'm1') . "', 'x', is_pattern => true)::text, false) \\g /dev/null" }],
        [3, sub { my $t = pick('usage_y2026m02', 'usage_y2026m03', 'usage_default'); pick("TRUNCATE $t;", "BEGIN; DELETE FROM $t WHERE agent = '$me'; TRUNCATE $t; " . $insert->() . ' ' . check() . ' ' . pick('COMMIT;', 'ROLLBACK;')) }],
        [4, sub { my ($n, $to) = @{ pick(['2', '3'], ['3', '4']) }; my $t = "usage_y2026m0$n"; my $attach = "ALTER TABLE usage ATTACH PARTITION $t FOR VALUES FROM ('2026-0$n-01Z') TO ('2026-0$to-01Z');";
                my $change = "INSERT INTO $t (at, provider, model, agent, tokens) VALUES ('2026-0$n-" . pick('01', '02') . " 12:00Z', 'v', 'm0', '$me', '{\"input\": 7}'); " . check();
                # rows of its month that went to the default partition meanwhile keep it out; they are others' too,
                # and to delete them would be 40001 for those in plain PostgreSQL as well
                pick("BEGIN; ALTER TABLE usage DETACH PARTITION $t; $change $attach COMMIT;", "ALTER TABLE usage DETACH PARTITION $t;\n$change\nBEGIN; TRUNCATE usage_default; $attach COMMIT;") }],
        [1, sub { "BEGIN; ALTER TABLE usage DISABLE TRIGGER mark_usage; UPDATE usage SET tokens = tokens(input => 1) WHERE agent = '$me' AND at < '2026-02-28Z'; ALTER TABLE usage ENABLE ALWAYS TRIGGER mark_usage; COMMIT;" }],
        [1, sub { "BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM usage WHERE $mine; COMMIT;" }],
        [1, sub { "UPDATE setting SET zone = '" . pick('America/New_York', 'America/New_York', 'Asia/Kolkata') . "';" }],
        [1, sub { "UPDATE dimension SET expression = '" . pick("tags->>''feature''", "agent") . "' WHERE name = 'feature';" }],
        [1, sub { "VACUUM FULL usage_y2026m02;" }],
        [1, sub { "SELECT count(*) FROM ensure_partitions() \\g /dev/null" }],
        [1, sub { "SELECT unsettle(" . day() . ") \\g /dev/null" }],
        [25, sub { pick('CALL refresh();', 'CALL refresh();', "CALL refresh('0.01 s');") }],
    ) unless $repeatable;
    my $total = 0;
    $total += $_->[0] for @kinds;
    my $n = rand($total);
    for (@kinds) { return $_->[1]->() if ($n -= $_->[0]) < 0 }
    return $insert->();
}

sub step {
    my ($me) = @_;
    my $kind = rand();
    my $sql;
    if ($kind < 0.12) {
        # one snapshot: what others do must not show, and nothing may fail
        $sql = 'BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL lock_timeout = 0; ' . check() . " SELECT pg_sleep(0.0" . int(rand(9)) . ") \\g /dev/null\n" . check() . "\n"
          . (rand() < 0.5 ? change($me, 1) . "\n" . check() . "\n" : '') . check() . ' COMMIT;';
    } elsif ($kind < 0.25) {
        $sql = 'BEGIN; ' . change($me, 1) . "\nSAVEPOINT a; " . change($me, 1) . "\n" . check() . ' ROLLBACK TO a; ' . check() . "\n" . change($me, 1) . "\nSAVEPOINT b; " . change($me, 1) . "\nRELEASE b; " . check() . "\n"
          . (rand() < 0.3 ? 'SELECT pg_sleep(0.05) \g /dev/null' . "\n" : '') . pick('COMMIT;', 'COMMIT;', 'ROLLBACK;');
    } else {
        $sql = change($me, 0);
    }
    return "\\echo step: " . substr($sql =~ s/\s+/ /gr =~ tr/'"\\//dr, 0, 250) . "\n$sql\nROLLBACK;\n" . check() . "\n";
}

# The server, killed and started again as the user that it runs as.
my @as_user = $> == 0 ? qw(runuser -u nobody --) : ();

sub postmaster {
    open(my $file, '<', "$ENV{TOKENOMICS_DATADIR}/postmaster.pid") or return;
    my $pid = <$file>;
    return $pid + 0;
}

sub kill_and_start {
    my $pid = postmaster();
    my @children = split ' ', qx(cat /proc/$pid/task/$pid/children 2>/dev/null);
    end_session();
    kill 'KILL', $pid, @children;
    # its file stays: by it a new one finds out whether a process of the old is left
    for (1 .. 120) {
        select(undef, undef, undef, 0.5);
        return if system("@as_user $ENV{TOKENOMICS_BINDIR}/pg_ctl -D $ENV{TOKENOMICS_DATADIR} -l $ENV{TOKENOMICS_SERVER_LOG} -w -s start >/dev/null 2>&1") == 0;
    }
    BAIL_OUT('the server does not start');
}

# What plain PostgreSQL may say where eight sessions lock tables and rows; of
# all else, 40001 above all, there must be nothing.
my %allowed = map { $_ => 1 } qw(25P02 3B001 42601 40P01 55P03 57P01 57P02 57P03 42P01 42P07 42P16 42809 42704 55000 23514 22003 2BP01);
my (@different, %errors, %seen, $checks);
my $rounds = int($steps / ($sessions * $per_round));
$rounds = 2 if $rounds < 2;    # one of them is killed
for my $round (1 .. $rounds) {
    my @pids;
    for my $session (1 .. $sessions) {
        my $script = "$dir/$round.$session";
        open(my $file, '>', "$script.sql") or die;
        print $file "\\set VERBOSITY verbose\nSET client_min_messages = error; SET lock_timeout = '1 s'; SET deadlock_timeout = '200 ms';\n";
        print $file step($session) for 1 .. $per_round;
        close $file;
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            open(STDIN, '<', '/dev/null');
            open(STDOUT, '>', "$script.out");
            open(STDERR, '>&', \*STDOUT);
            exec 'psql', '-XqAt', '-f', "$script.sql";
        }
        push @pids, $pid;
    }
    my $is_kill = $round % 2 == 0;
    if ($is_kill) {
        select(undef, undef, undef, 1 + rand(4));
        kill_and_start();
    }
    waitpid $_, 0 for @pids;
    for my $session (1 .. $sessions) {
        open(my $out, '<', "$dir/$round.$session.out") or die;
        my $step = '';
        while (<$out>) {
            $step = $_ if /^step: /;
            $checks++ if /^$/;
            push @different, "$_   after $step" if /DIFFERENT/;
            $seen{$1}++ if /ERROR:  (\w{5})/;
            $errors{"$1$2 after $step"}++ if /ERROR:  (\w{5})(: .*)/ && !$allowed{$1} && !($is_kill && $1 =~ /^(57|08)/);
        }
    }
    for my $grain (qw(month day)) {
        my $after = psql("SELECT difference('$grain', NULL, NULL, NULL, NULL), difference('$grain', NULL, NULL, NULL, 'team')");
        push @different, "$after at the end of round $round" if $after ne '|';
    }
    for my $view (@views) {
        my $after = psql("SELECT view_difference('$view', NULL, NULL, NULL)");
        push @different, "$after at the end of round $round" if $after ne '';
    }
    last if @different;
}
diag('errors: ' . join(', ', map { "$_ x $seen{$_}" } sort keys %seen));
cmp_ok($checks, '>', $rounds * $sessions * $per_round / 4, "$checks comparisons in " . $rounds * $sessions * $per_round . ' steps');
is_deeply([map { chomp; $_ } @different], [], 'stored plus raw is raw, in every snapshot');
is(join('', sort keys %errors), '', 'no error that plain PostgreSQL would not give');

# In the end all of it can be settled.
for my $n (2, 3) {
    psql("ALTER TABLE usage ATTACH PARTITION usage_y2026m0$n FOR VALUES FROM ('2026-0$n-01Z') TO ('2026-0" . ($n + 1) . "-01Z')") if psql("SELECT count(*) FROM pg_inherits WHERE inhrelid = 'usage_y2026m0$n'::regclass") eq '0'
      && psql("DELETE FROM usage_default WHERE at >= '2026-0$n-01Z' AND at < '2026-0" . ($n + 1) . "-01Z'") eq '';
}
$ENV{PGOPTIONS} = '-c client_min_messages=warning';
psql('CALL refresh()');
psql('CALL refresh()');
is(psql('SELECT string_agg(DISTINCT outcome, \',\') FROM verify()'), 'equal', 'all stored days verify');
is(psql("SELECT count(*) FROM settlement WHERE state <> 'settled' AND day < current_date"), '0', 'every day is settled');
is(psql('SELECT count(*) FROM usage u WHERE NOT EXISTS (SELECT FROM settled s WHERE s.grain = \'month\' AND u.at >= s.starts AND u.at < s.ends)'), '0', 'every call is in a stored month');
is(psql("SELECT usage_ledger('month') = raw_ledger('month', NULL, NULL, NULL, NULL)"), 't', 'which is what it is');
is(psql('SELECT count(*) FROM usage_mark'), '0', 'no mark is left');
is(psql('SELECT string_agg(n::text, \',\') FROM (SELECT count(*) AS n FROM settled_units(\'-infinity\', \'infinity\', book()) u, measure_kinds() k WHERE u.grain = \'month\' AND u.problem IS NULL AND k.is_stored
    AND NOT EXISTS (SELECT FROM measure_problems(\'-infinity\', \'infinity\', book()) p WHERE p.what = k.what AND p.zone = u.zone AND p.starts = u.starts AND p.problem IS NULL)) x'), '0', 'all of each month is measured');
is(psql("SELECT view_difference('$_', NULL, NULL, NULL)"), '', "$_ is what it is") for @views;

# Sessions side by side, step by step.
package Session {
    sub new {
        my ($class) = @_;
        my $pid = IPC::Open2::open2(my $out, my $in, 'sh', '-c', 'exec psql -XqAt -v VERBOSITY=sqlstate 2>&1');
        return bless { in => $in, out => $out, pid => $pid }, $class;
    }

    sub send {
        my ($self, $sql) = @_;
        print { $self->{in} } "$sql\n\\echo --done--\n";
        $self->{in}->flush;
        return;
    }

    sub wait {
        my ($self) = @_;
        my @lines;
        while (defined(my $line = readline $self->{out})) {
            chomp $line;
            return join '|', grep { $_ ne '' } @lines if $line eq '--done--';
            push @lines, $line;
        }
        return 'gone';
    }
    sub run { my ($self, $sql) = @_; $self->send($sql); return $self->wait }
}
my ($a, $b, $c) = map { Session->new } 1 .. 3;
$_->run("SET client_min_messages = warning; SET lock_timeout = '100 ms';") for $a, $b, $c;
my $call = "INSERT INTO usage (at, provider, model, team, tokens) VALUES ('2026-02-26 12:00Z', 'v', 'm0', 't1', '{\"input\": 1000}');";
my $same = "SELECT coalesce(difference('day', NULL, NULL, NULL, 'team'), 'same');";
my $state = "SELECT state FROM settlement WHERE day = '2026-02-26';";
$a->run("UPDATE setting SET zone = 'America/New_York'; CALL refresh();");
is($a->run($state), 'settled', 'a settled day');

is($a->run("BEGIN; $call $same"), 'same', 'a transaction reads what it wrote itself');
is($b->run("BEGIN; $call $call $same COMMIT;"), 'same', 'another writes to the same day without waiting');
is($b->run($state), 'unsettled', 'which is unsettled by what is committed');
is($b->run("CALL refresh(); $state $same"), 'settled|same', 'and settled again while the first transaction is open');
is($c->run("BEGIN ISOLATION LEVEL REPEATABLE READ; $same"), 'same', 'a snapshot');
is($a->run("COMMIT; $state $same"), 'unsettled|same', 'until that commits, with a mark that refresh() could not see');
is($c->run("$state $same"), 'settled|same', 'not so in the older snapshot');
is($b->run("CALL refresh(); $state $same"), 'settled|same', 'it is settled again');
is($c->run("$state $same $call $same $state ROLLBACK; $state $same"), 'settled|same|same|unsettled|settled|same', 'the older snapshot keeps to its calls and ledgers, and to its own writes');

is($a->run("$call BEGIN; SELECT settle_day('2026-02-26 12:00Z');"), 't', 'a day that is being settled');
is($b->run("$call $call $same $state"), 'same|unsettled', 'holds up no writer and no reader');
is($b->run("SELECT count(*) FROM (SELECT correct_price('v', 'm0', '{\"currency\": \"USD\", \"input\": 5}', '[2026-02-26,)', 'x')) x;"), '1', 'nor who corrects a price');
is($a->run("COMMIT; $state $same"), 'unsettled|same', 'and what came meanwhile is not lost');
is($a->run("CALL refresh(); $state"), 'settled', 'settled');

is($a->run("BEGIN; SAVEPOINT s; $call ROLLBACK TO s; $same $call COMMIT; $state $same"), 'same|unsettled|same', 'a mark that went with a savepoint is made again');
is($a->run("CALL refresh(); BEGIN; SAVEPOINT s; SAVEPOINT t; $call RELEASE t; $call RELEASE s; $call COMMIT; SELECT count(*) FROM usage_mark; $state"), '1|unsettled', 'one mark for a day, whatever the savepoints');
is($a->run("CALL refresh(); BEGIN; $call PREPARE TRANSACTION 'settle';") =~ /^(ERROR:  55000)?$/ ? 1 : 0, 1, 'a prepared transaction, where there may be any');
$a->run('ROLLBACK;');
is($a->run("SELECT count(*) FROM usage_mark; CALL refresh(); BEGIN ISOLATION LEVEL REPEATABLE READ; CALL refresh(); ROLLBACK;"), '0|ERROR:  25000', 'refresh() needs READ COMMITTED');
is($a->run("BEGIN; UPDATE usage SET user_id = 'x', session_id = 'x', turn_id = 'x' WHERE team = 't1'; SELECT coalesce(view_difference('demand_drivers', NULL, NULL, NULL), 'same'); COMMIT; SELECT coalesce(view_difference('demand_drivers', NULL, NULL, NULL), 'same');"), 'same|same', 'a change of ids is seen by what counts them');
is($a->run("CALL refresh(); SELECT count(*) FROM usage_id_mark; SELECT coalesce(view_difference('demand_drivers', NULL, NULL, NULL), 'same');"), '0|same', 'and counted again');
is($a->run("BEGIN; UPDATE usage SET user_id = 'x' WHERE team = 't1'; COMMIT; $state UPDATE usage SET user_id = 'x', team = 't7' WHERE at = '2026-02-26 12:00Z'; $state $same"), 'settled|unsettled|same', 'a change of ids alone is none');
$a->run('CALL refresh();');
is($a->run("BEGIN ISOLATION LEVEL SERIALIZABLE; $same $call COMMIT; $state"), 'same|unsettled', 'in a serializable transaction too');
{
    my $before = $a->run('SELECT month, users FROM demand_drivers;');
    $a->run("CALL refresh();");
    is($a->run("SELECT month, users FROM demand_drivers; SELECT forget_user('x') > 0; SELECT month, users FROM demand_drivers; SELECT DISTINCT outcome FROM verify() ORDER BY 1 DESC;"), "$before|t|$before|ids of calls have been blanked|equal", 'who is forgotten was there, and nothing else differs');
    is($a->run("CALL refresh(); SELECT month, users FROM demand_drivers;"), $before, 'refresh() does not count them again');
}
is($a->run("CALL refresh(); SELECT unsettle(); $same CALL refresh(); $state") =~ /^\d+\|same\|settled$/ ? 1 : 0, 1, 'unsettle()');
psql('DROP OWNED BY settle_raw');
psql('DROP ROLE settle_raw');
done_testing();
