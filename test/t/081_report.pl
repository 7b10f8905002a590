# Reports of the demo's company: their figures, as JSON and as people read them,
# add up to the cent.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

my $database = company_database();
psql("ALTER DATABASE $database SET jit = off");
psql("ALTER DATABASE $database SET timezone = 'UTC'");

# Budgets of a year: of all, of teams, of vendors and models, of euros, some planned by meter.
psql(<<'SQL');
SELECT set_budget('company', m::date, (m + interval '1 month')::date, 3000, alert_cost_per_mtok => 4) FROM generate_series('2025-05-01'::timestamp, '2026-06-01', '1 month') m;
SELECT set_budget(t || ' of ' || p, m::date, (m + interval '3 months')::date, 500.005, dimension => 'team', owner => t, provider => p,
                  planned_tokens => '{"input": 20000000, "cache_read": 90000000, "output": 3333333}', planned_rates => '{"currency": "USD", "input": 3, "cache_read": 0.3, "cache_write": 3.75, "output": 15, "reasoning": 15}')
FROM unnest('{platform,support,research,search,unallocated}'::text[]) t, unnest('{anthropic,openai,azure}'::text[]) p, generate_series('2025-05-01'::timestamp, '2026-05-01', '3 months') m;
SELECT set_budget('euros', '2025-05-01', '2026-07-01', 100, currency => 'EUR', provider => 'mistral', planned_tokens => '{"input": 40000000}');
SQL

# ---- JSON: exactly ----
my @months = qw(2025-05-01 2025-06-01 2025-12-01 2026-03-01 2026-04-01 2026-06-01);
psql("CREATE TABLE made AS SELECT m AS month, monthly_report(m) AS body FROM unnest('{@{[ join ',', @months ]}}'::date[]) m");
my $effects = join ' + ', map { "(b ->> '${_}_effect')::numeric" } qw(price volume mix new discontinued currency purchase other);
is(psql(qq(SELECT count(*), count(*) FILTER (WHERE $effects <> (b ->> 'change')::numeric OR (b ->> 'spend')::numeric - (b ->> 'spend_before')::numeric <> (b ->> 'change')::numeric OR (b ->> 'spend')::numeric <> (body -> 'spend' ->> 'total')::numeric)
    FROM made, unnest(ARRAY[body -> 'bridge' -> 'month', body -> 'bridge' -> 'year']) b WHERE jsonb_typeof(b) = 'object')), '6|0', 'effects are the change, the change is that of the bill');
is(psql(q(SELECT count(*), count(*) FILTER (WHERE e <> (body -> 'bridge' -> 'month' ->> 'change')::numeric) FROM made, LATERAL (SELECT sum((d ->> 'effect')::numeric) AS e FROM jsonb_array_elements(body -> 'drivers') d) x WHERE e IS NOT NULL)), '5|0', 'so are the drivers');
is(psql(q(SELECT count(*), count(*) FILTER (WHERE s <> (body -> 'spend' ->> 'total')::numeric OR c <> (body -> 'bridge' -> 'month' ->> 'change')::numeric OR p <> (body -> 'bridge' -> 'month' ->> 'price_effect')::numeric
        OR v <> (body -> 'bridge' -> 'month' ->> 'volume_effect')::numeric OR x <> (body -> 'bridge' -> 'month' ->> 'mix_effect')::numeric)
    FROM made, jsonb_each(body -> 'movers') k, LATERAL (SELECT sum((m ->> 'spend')::numeric) AS s, sum((m ->> 'change')::numeric) AS c, sum((m ->> 'price_effect')::numeric) AS p, sum((m ->> 'volume_effect')::numeric) AS v,
        sum((m ->> 'mix_effect')::numeric) AS x FROM jsonb_array_elements(k.value) m) t)), '18|0', 'and who moved it');
is(psql(q(SELECT count(*), count(*) FILTER (WHERE v <> (b ->> 'actual')::numeric - (b ->> 'due')::numeric), count(p), count(*) FILTER (WHERE p + (b ->> 'mix_variance')::numeric + (b ->> 'volume_variance')::numeric + (b ->> 'charges_variance')::numeric <> v)
    FROM made, jsonb_array_elements(body -> 'budgets') b, LATERAL (SELECT (b ->> 'variance')::numeric AS v, (b ->> 'price_variance')::numeric AS p) x)), '102|0|96|0', 'variances of budgets');
is(psql(q(SELECT count(*), count(*) FILTER (WHERE s <> (x.made -> 'spend' ->> 'total')::numeric) FROM (SELECT body AS made, (body -> 'spend' ->> 'calls')::numeric + (body -> 'spend' ->> 'charges')::numeric AS s FROM made) x)), '6|0', 'calls and charges');
is(psql(q(SELECT string_agg(DISTINCT a ->> 'kind', ' ') FROM made, jsonb_array_elements(body -> 'alerts') a)), 'amount cost_per_mtok forecast unpriced', 'alerts');
is(psql(q(SELECT count(*) FROM made, jsonb_array_elements(body -> 'budgets') b WHERE (b ->> 'actual')::numeric >= (b ->> 'amount')::numeric
    AND NOT EXISTS (SELECT FROM jsonb_array_elements(body -> 'alerts') a WHERE a ->> 'kind' = 'amount' AND a ->> 'name' = b ->> 'name' AND (a ->> 'threshold')::numeric = 1))), '0', 'of every budget that is spent');

# ---- Markdown: to the cent, as it is read ----
sub cents { my ($text) = @_; return undef if $text !~ /\d/; my $sign = $text =~ /-/ ? -1 : 1; $text =~ s/[^\d]//g; return $sign * $text }
sub sum { my $total = 0; $total += $_ // 0 for @_; return $total }

# The rows of the table under a heading, as arrays of cents behind a name.
sub table {
    my ($markdown, $heading) = @_;
    my ($section) = $markdown =~ /^#+ \Q$heading\E\n\n(.*?)(?=^#|\z)/ms or return;
    my ($lines) = $section =~ /((?:^\|.*\n?)+)/m or return;
    my @rows = map { [ map { s/^\s+|\s+$//gr } split /(?<!\\)\|/, s/^\|//r ] } split /\n/, $lines;
    return map { my ($name, @cells) = @$_; [ $name, map { cents($_) } @cells ] } @rows[ 2 .. $#rows ];
}
my %seen;
my @wrong;
sub agree { my ($where, $got, $expected) = @_; $seen{ $where =~ s/^\S+ //r }++; push @wrong, "$where: $got, not $expected" if $got != $expected; return }

for my $month (@months) {
    my $markdown = psql("SELECT tokenomics.report_markdown(body) FROM made WHERE month = '$month'");
    my ($total, $before);
    my @bridge = table($markdown, 'Why the bill moved');
    for my $column (1, 2) {
        next if !@bridge || !defined $bridge[0][$column];
        agree("$month bridge", sum(map { $_->[$column] } @bridge[ 0 .. $#bridge - 1 ]), $bridge[-1][$column]);
    }
    ($total, $before) = @{ (table($markdown, 'On one page'))[0] }[ 1, 2 ];
    agree("$month page and bridge", $bridge[-1][1], $total) if @bridge;
    if (my @drivers = table($markdown, 'Drivers')) {
        my ($change) = $markdown =~ /By drivers as by effects, the change is (\S+)\.\n/;
        agree("$month drivers", sum(map { $_->[1] } @drivers), cents($change));
        agree("$month change", cents($change), $total - $before);
    }
    for my $kind (qw(Teams Projects Models)) {
        my @rows = table($markdown, $kind);
        agree("$month spend", sum(map { $_->[1] } @rows), $total);
        next if !@bridge;
        agree("$month spend before", sum(map { $_->[2] } @rows), $before);
        for my $row (@rows) {
            agree("$month $kind row", $row->[1] - $row->[2], $row->[3]);
            agree("$month $kind effects", sum(@$row[ 4 .. 8 ]), $row->[3]);
        }
        my @effect = map { $_->[1] } @bridge[ 1 .. 8 ];
        my @of_bridge = ($total - $before, @effect[ 0, 1, 2 ], $effect[3] + $effect[4], $effect[5] + $effect[6] + $effect[7]);
        for my $column (0 .. 5) {
            agree("$month columns", sum(map { $_->[ 3 + $column ] } @rows), $of_bridge[$column]);
        }
    }
    my %variance;
    for my $row (table($markdown, 'Budgets')) {
        my ($name, undef, undef, $actual, $due, $variance) = @$row;
        $variance{$name} = $variance;
        agree("$month variance", $actual - $due, $variance);
    }
    for my $row (table($markdown, 'Why they differ')) {
        agree("$month variance again", $row->[1], $variance{ $row->[0] });
        agree("$month parts of variance", sum(@$row[ 2 .. 5 ]), $row->[1]);
    }
    my ($calls, $charges) = $markdown =~ /of this month they cost (\S+)\. Purchases, credits, adjustments and tax, here (\S+), are not in it/;
    agree("$month calls and charges", cents($calls) + cents($charges), $total);
    for my $row (table($markdown, 'Not reconciled')) {
        agree("$month residual", $row->[3] - $row->[2], $row->[4]);
    }
    # the first page is short, and before all else
    my ($page) = $markdown =~ /\A# .*?\n\n(## On one page\n.*?)^# Appendix\n/ms;
    push @wrong, "$month: a page of @{[ length($page // '') ]} characters" if length($page // '') < 500 || length($page // '') > 3000;
}
is(join("\n", @wrong), '', 'what is read adds up');
cmp_ok($seen{$_} // 0, '>', 4, "$_: seen") for ('bridge', 'drivers', 'change', 'spend', 'spend before', 'Teams row', 'Models effects', 'columns', 'variance', 'variance again', 'parts of variance', 'calls and charges');
cmp_ok($seen{residual} // 0, '>', 0, 'a residual: seen');

# ---- published again, it is the same to the byte ----
is(psql(q(SELECT publish_report('2026-06-01'))), '1', 'published once');
is(psql(q(SELECT check_budgets('2026-07-01 00:00 Europe/Berlin') > 0, publish_report('2026-06-01'))), 't|1', 'alerts that are found later change nothing');
is(psql(q(SELECT count(*), bool_and(r.body::text = m.body::text AND r.markdown = tokenomics.report_markdown(m.body)) FROM report r JOIN made m USING (month))), '1|t', 'to the byte');
done_testing();
