# Hostile bytes through the binary input of each type: an error or a value that
# is whole, and the server alive.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use File::Temp qw(tempdir);
use Test::More;
use TokenomicsTest;

database();
psql("SELECT count(*) FROM load_default_prices()");
my $small = q({"books": [{"book": "c", "prices": [{"provider": "a", "model": "m", "rates": {"currency": "USD", "input": 1, "output": 2}, "off_peak": [[0, 5]]},
    {"provider": "a", "model": "m", "rates": {"currency": "USD", "input": 2}}, {"provider": "a", "model": "m", "above_input_tokens": 9, "rates": {"currency": "USD", "input": 3}}]}],
    "aliases": [{"alias": "^x", "is_pattern": true, "to_model": "m"}]}) =~ s/\s+/ /gr;
my $layers = $small =~ s/\}\]\}\], "aliases"/}]}, {"book": "list", "prices": [{"provider": "a", "model": "other", "rates": {"currency": "USD", "input": 1}}]}], "aliases"/r;
my %valid = (
    tokens => pack('H*', psql("SELECT encode(tokens_send(tokens(input => 1200, output => 300, cache_storage => 5)), 'hex')")),
    rates => pack('H*', psql(q(SELECT encode(rates_send('{"currency": "USD", "input": 3, "output": 15}'), 'hex')))),
    price_book => pack('H*', psql("SELECT encode(price_book_send('$small'), 'hex')")),
    ledger => pack('H*', psql("SELECT encode(ledger_send(ledger('$layers', 'day', 'Europe/Berlin', at, 'a', m, NULL, t, l)), 'hex')
        FROM (VALUES ('2026-01-05 00:02Z'::timestamptz, 'm', NULL, tokens(input => 20, output => 3)), ('2026-01-06Z', 'm', 'é', tokens(input => 5)), ('2026-01-06Z', 'x', '', tokens(input => 3, tool_calls => 2)), ('2026-01-06Z', 'y', NULL, NULL)) v(at, m, l, t)")),
    index_sums => pack('H*', psql("SELECT encode(index_sums_send(index_sums(p0, q0, p1, q1)), 'hex') FROM (VALUES (1, 2, 3, 4), (2, 1, 5, 3), (NULL, NULL, 1, 1)) v(p0, q0, p1, q1)")),
    lmdi_sums => pack('H*', psql("SELECT encode(lmdi_sums_send(lmdi_sums('{1, 2, 3}', '{2, 1, 5}')), 'hex')")),
    price_panel => pack('H*', psql("SELECT encode(price_panel_send(price_panel(at, i, p, q)), 'hex') FROM (VALUES ('2026-01-01Z'::timestamptz, 'a', 1, 2), ('2026-02-01Z', 'a', 1, 2), ('2026-02-01Z', 'é', 1, NULL)) v(at, i, p, q)")),
    demand_profile => pack('H*', psql("SELECT encode(demand_profile_send(with_span(demand_profile('Europe/Berlin', at, t, n, 'second'), '2026-01-04Z', '2026-01-07Z')), 'hex')
        FROM (VALUES ('2026-01-05 00:02:03Z'::timestamptz, tokens(input => 20, output => 3), 1), ('2026-01-05 00:02:04Z', tokens(cache_storage => 300), 200), ('2026-01-06Z', NULL, 1)) v(at, t, n)")),
    turn_tally => pack('H*', psql("SELECT encode(turn_tally_send(turn_tally('Europe/Berlin', at, t, turn, s, 'u', 'é', NULL, r, true, 5, 'x')), 'hex')
        FROM (VALUES ('2026-01-05 00:02:03Z'::timestamptz, tokens(input => 20, cache_read => 3), 'a', 's', 'r'), ('2026-01-05 02:02:04Z', tokens(cache_storage => 300), 'a', NULL, NULL), ('2026-01-06Z', NULL, 'b', 's', NULL), ('2026-01-06Z', tokens(output => 9), NULL, 's', NULL)) v(at, t, turn, s, r)")),
    time_series => pack('H*', psql(q(SELECT encode(time_series_send('{"2026-01-01": 1.5, "2026-01-02": null, "2026-01-04T12:00:00": 3}'), 'hex')))));
my %check = (
    tokens => "count(v::text::tokens), count(total(v) + input_total(v))",
    rates => "count(v::text::rates), count(cost(v, tokens(input => 5, cache_write_1h => 7)))",
    price_book => "count(v::text), count(cost(v, 'a', 'm', '2026-01-05', tokens(input => 5, output => 7))), count(cost(v, 'a', 'xy', now(), tokens(input => 50), 'batch'))",
    ledger => "1 / (v::text::ledger = v)::int, (SELECT count(*) FROM lines(v)), (SELECT count(*) FROM meter_lines(v)), zone(reprice(v, '$small', true)), (SELECT calls(merge(x)) FROM (VALUES (v)) y(x))",
    index_sums => "1 / (v::text::index_sums::text = v::text)::int, fisher_index(v), tornqvist_quantity_index(v), turnover_index(v), bennet(v)",
    lmdi_sums => "1 / (v::text::lmdi_sums::text = v::text)::int, lmdi(v), lmdi_index(v)",
    price_panel => "1 / (v::text::price_panel::text = v::text)::int, (SELECT count(*) FROM price_panel_cells(v)), (SELECT count(*) FROM chained_index(v, 'fisher')), (SELECT count(*) FROM geks_index(v, 'jevons', 2))",
    # a span may be as long as time, and takes hours to walk: not here
    demand_profile => "1 / (v::text::demand_profile = v)::int, (SELECT count(*) FROM minutes(v)), span(v), capacity_at(v, 0.5), peak_to_average(v, 'hour'), lost_tokens(v, 5), calls(side(in_zone(v, 'UTC'), 'input')), (SELECT calls(merge(x)) FROM (VALUES (v)) y(x)),
        CASE WHEN upper(span(v)) - lower(span(v)) < interval '10 years' THEN (SELECT sum(minutes) FROM hour_of_week(v)) END",
    turn_tally => "1 / (v::text::turn_tally::text = v::text)::int, (SELECT count(*) FROM counts(v, '{\"team\": \"é\"}', true)), (SELECT count(*) FROM turns(v, '-infinity', 'infinity')), (SELECT count(*) FROM fan_out(v, '-infinity', 'infinity')), (SELECT merge(x)::text FROM (VALUES (v)) y(x))",
    time_series => "count(v::text::time_series), (SELECT count(*) FROM points(v)), (SELECT count(*) FROM forecast(v, 2, model => 'naive', missing => 'null'))");

# The server reads each value from a file of its own: one of many rows would end
# at the first bad one.
my $dir = tempdir(CLEANUP => 1);
chmod 0755, $dir;

sub copy_in {
    my ($n, $bytes) = @_;
    open my $out, '>:raw', "$dir/$n" or die "$dir/$n: $!";
    print $out "PGCOPY\n\377\r\n\0", pack('NN', 0, 0), pack('n', 1), pack('N', length $bytes), $bytes, pack('n', 0xffff);
    close $out;
    chmod 0644, "$dir/$n";
    return;
}

srand 20261123;
for my $type (sort keys %valid) {
    my $bytes = $valid{$type};
    my @cases = ('', "\0", "\xff" x 4, $bytes . "\0", "\xff" x length $bytes, "\0" x length $bytes);
    push @cases, substr($bytes, 0, $_) for 1 .. length($bytes) - 1;
    for (1 .. 250) {
        my $copy = $bytes;
        for (0 .. rand 3) { substr($copy, rand length $copy, 1) = chr(rand() < 0.3 ? 255 : rand 256) }
        push @cases, $copy;
    }
    # a line whose list price is none, with the costs of the other side
    push @cases, map { my $copy = $bytes; substr($copy, $_, 1) ^= "\x02"; $copy } 0 .. length($bytes) - 1 if $type eq 'ledger';
    # lengths and counts that promise more than there is
    for my $at (0 .. length($bytes) - 4) { my $copy = $bytes; substr($copy, $at, 4) = "\x7f\xff\xff\xff"; push @cases, $copy }
    copy_in($_, $cases[$_]) for 0 .. $#cases;
    # what is taken must be whole: it is asked for all that a value of its type
    # answers, and removed by the error that ends each case
    psql("CREATE TABLE hostile_$type (v $type); CREATE TABLE outcome_$type (is_taken boolean, state text, message text)");
    psql(qq(DO \$do\$
        DECLARE
            taken boolean;
        BEGIN
            FOR n IN 0 .. $#cases LOOP
                taken := false;
                BEGIN
                    EXECUTE format('COPY hostile_$type FROM %L (FORMAT binary)', '$dir/' || n);
                    taken := true;
                    PERFORM $check{$type} FROM hostile_$type;
                    RAISE 'no more' USING ERRCODE = 'TAKEN';
                EXCEPTION WHEN OTHERS THEN
                    INSERT INTO outcome_$type VALUES (taken, SQLSTATE, SQLERRM);
                END;
            END LOOP;
        END
        \$do\$));
    my ($cases, $refused, $taken) = split /\|/, psql("SELECT count(*), count(*) FILTER (WHERE NOT is_taken), count(*) FILTER (WHERE is_taken) FROM outcome_$type");
    is($cases, scalar @cases, scalar(@cases) . " values of $type: the server is alive");
    cmp_ok($refused, '>', length($bytes), 'most are refused');
    cmp_ok($taken, '>', 0, 'some are other values');
    is(psql("SELECT DISTINCT state, message FROM outcome_$type WHERE state ~ '^(XX|22012|5)' OR message ~ 'corrupted|cache lookup|invalid memory alloc'"), '', 'no error of the server itself, and what was taken is whole');
}
# from 16 on an invalid text is an answer where one asks, and no error
if (psql('SHOW server_version_num') >= 160000) {
    is(psql(q(SELECT string_agg(pg_input_is_valid(t, 'tokens')::text || pg_input_is_valid(t, 'rates')::text, ' ')
              FROM unnest(ARRAY['{}', '{', '{"input": 1}', '{"input": -1}', '{"currency": "USD"}', '{"x": 1}']) t)),
        'truefalse falsefalse truefalse falsefalse falsetrue falsefalse', 'pg_input_is_valid');
}
done_testing();
