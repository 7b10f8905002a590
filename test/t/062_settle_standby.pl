# A standby answers the views from settled days, as of what it has replayed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

my ($bin) = map { s/\n//r } qx($ENV{PG_CONFIG} --bindir 2>/dev/null);
plan(skip_all => 'there is no pg_basebackup') unless defined $bin && -x "$bin/pg_basebackup";
my @as_user = $> == 0 ? qw(runuser -u nobody -- env) : ('env');
my $data = "$ENV{TOKENOMICS_DATADIR}_standby";

database();
$ENV{PGOPTIONS} = '-c client_min_messages=warning';
psql(q(SELECT correct_price('v', 'm', '{"currency": "USD", "input": 1, "output": 2}', '(,)', 'first'); SELECT count(*) FROM ensure_partitions('2025-01-01', '2025-01-31');
       INSERT INTO usage (at, provider, model, team, tokens) SELECT '2025-01-01Z'::timestamptz + i * interval '17 minutes', 'v', 'm', 't' || i % 4, tokens(input => i * 7, output => i % 100) FROM generate_series(0, 2500) i));
psql('CALL refresh()');
is(system(@as_user, "HOME=$data", "$bin/pg_basebackup", '-D', $data, '-h', $ENV{PGHOST}, '-p', $ENV{PGPORT}, '-U', 'postgres', '-R', '-X', 'stream', '-c', 'fast'), 0, 'a copy of the server');
open(my $conf, '>>', "$data/postgresql.conf") or die;
print $conf "port = 5433\nhot_standby = on\n";
close $conf;
is(system(@as_user, "$ENV{TOKENOMICS_BINDIR}/pg_ctl", '-D', $data, '-l', "$data.log", '-w', '-s', 'start'), 0, 'starts as a standby') or diag(qx(tail -5 '$data.log'));

my $primary = $ENV{PGPORT};
sub on_standby { local $ENV{PGPORT} = 5433; return psql($_[0]) }
sub caught_up {
    my $at = psql('SELECT pg_current_wal_lsn()');
    for (1 .. 100) { return if on_standby("SELECT pg_last_wal_replay_lsn() >= '$at'") eq 't'; select(undef, undef, undef, 0.1) }
    return;
}
my $answers = q(SELECT md5(string_agg(t, E'\n')) FROM (SELECT usage_ledger('month')::text UNION ALL SELECT usage_ledger('day', dimension => 'team')::text UNION ALL SELECT v::text FROM daily_spend v UNION ALL SELECT v::text FROM total_spend_trend v ORDER BY 1) x(t));
my $covered = q(SELECT s.covered FROM stored_usage('usage', 'day', 'UTC', '-infinity', 'infinity', NULL, book()) s);
caught_up();
is(on_standby('SELECT pg_is_in_recovery()'), 't', 'it is a standby');
is(on_standby($covered), '{["2025-01-01 00:00:00+00","2025-02-01 00:00:00+00")}', 'it reads what is settled');
is(on_standby($answers), psql($answers), 'and answers the same');
is(on_standby("SELECT DISTINCT outcome FROM verify()"), 'equal', 'and verifies');
psql("INSERT INTO usage (at, provider, model, tokens) VALUES ('2025-01-20 12:00Z', 'v', 'm', '{\"input\": 5}')");
caught_up();
is(on_standby($covered), '{["2025-01-01 00:00:00+00","2025-01-20 00:00:00+00"),["2025-01-21 00:00:00+00","2025-02-01 00:00:00+00")}', 'it sees marks');
is(on_standby($answers), psql($answers), 'and answers the same');
psql('CALL refresh()');
psql('BEGIN; TRUNCATE usage_default; COMMIT');
caught_up();
is(on_standby($answers), psql($answers), 'and what was emptied');
{
    local $ENV{PGPORT} = 5433;
    like(qx(psql -XqAt -c 'CALL refresh()' 2>&1), qr/read-only transaction|during recovery/, 'it does not settle');
}
is(system(@as_user, "$ENV{TOKENOMICS_BINDIR}/pg_ctl", '-D', $data, '-w', '-s', 'promote'), 0, 'promoted');
is(on_standby($answers), psql($answers), 'it answers the same');
is(on_standby("INSERT INTO usage (at, provider, model, tokens) VALUES ('2025-01-05 12:00Z', 'v', 'm', '{\"input\": 5}'); SELECT count(*) FROM settlement WHERE state <> 'settled'") >= 1 ? 1 : 0, 1, 'and marks');
system(@as_user, "$ENV{TOKENOMICS_BINDIR}/pg_ctl", '-D', $data, '-m', 'immediate', '-w', '-s', 'stop');
system('rm', '-rf', $data, "$data.log");
done_testing();
