# The report and the dashboard in a browser, on a screen, on a telephone and on paper: of
# the demo company, of an empty install, and of a single call with hostile names.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use File::Path qw(make_path);
use JSON::PP;
use Test::More;
use TokenomicsTest;

my $built = $ENV{TOKENOMICS_REPORT_BUILD} //= project_file('build', 'report');
my $shots = "$built/shots";
make_path($shots);

sub page {
    my ($script, $name, $month) = @_;
    my $file = "$shots/$name.html";
    is(system(project_file('report', 'run.sh') . " $script.mjs $month >'$file'"), 0, "$name is written");
    return $file;
}

my $run = project_file('report', 'run.sh');
my @pages;
database();
push @pages, page('report', 'report-empty', ''), page('dashboard', 'dashboard-empty', '');

# One month, one call, and names that would be markup, in another schema than usual,
# read by a connection string.
my $odd = '"token "" spend"';
psql(qq(CALL tokenomics.install('token " spend')));
psql(qq(SET search_path = $odd, tokenomics, public;) . q(
    SELECT correct_price('acme', 'big|<b>model</b>', '{"currency": "USD", "input": 3, "output": 15}', '(,)', 'x');
    SELECT ensure_partitions('2026-03-01', '2026-03-31');
    INSERT INTO usage (at, tokens, provider, model, team) VALUES
        ('2026-03-05 12:00+00', '{"input": 1000000, "output": 100000}', 'acme', 'big|<b>model</b>', '</script><script>throw 1</script>'),
        ('2026-03-05 12:00+00', '{"input": 10}', 'acme', '**x** <img src=x onerror=alert(1)>', 'b');
));
{
    local $ENV{PGOPTIONS} = '-c search_path=public';
    like(qx('$run' report.mjs 2>&1), qr/^report: this database has installs in "llm", "token " spend": name one in TOKENOMICS_SCHEMA\n\z/, 'of two installs one is to be named');
    like(qx(TOKENOMICS_SCHEMA=nowhere '$run' report.mjs 2>&1), qr/^report: there is no install of tokenomics in schema "nowhere"/, 'a schema without an install is an error that says so');
    local $ENV{TOKENOMICS_SCHEMA} = 'token " spend';
    local $ENV{DATABASE_URL} = "postgresql://$ENV{PGUSER}\@/$ENV{PGDATABASE}?host=$ENV{PGHOST}&port=$ENV{PGPORT}";
    local @ENV{qw(PGHOST PGDATABASE)} = ('/nowhere', 'nowhere');
    push @pages, page('report', 'report-single', ''), page('dashboard', 'dashboard-single', '2026-03'), page('report', 'report-other-month', '2024-01');
}
like(qx('$run' report.mjs 2026-13 2>&1), qr/^report: "2026-13" is no month/, 'what is no month is an error that says so');
like(qx(PGDATABASE=postgres '$run' report.mjs 2>&1), qr/^report: this database has no install of tokenomics/, 'and so is a database without an install');
like(qx(PGPORT=1 '$run' report.mjs 2>&1), qr/^report: .*ENOENT|^report: connect/, 'and no server');

my $company = company_database();
{
    local $ENV{PGOPTIONS} = '-c client_min_messages=error';
    psql('CALL refresh()');
}
is(system('psql -Xq -v ON_ERROR_STOP=1 ' . join(' ', map { "-f '" . project_file('test', 'demo', "$_.sql") . "'" } qw(quotes plans)) . ' >/dev/null'), 0, 'the company has quotes and plans');
push @pages, my $report = page('report', 'report', '2026-06');
cmp_ok(-s $report, '<', 1_000_000, 'the report is fit to be mailed');
is(psql(q(SELECT publish_report('2026-06-01'))), 1, 'the month is published');
push @pages, page('dashboard', 'dashboard', '2026-06');

# A reader, without a search_path, has what the owner has.
psql('DROP ROLE IF EXISTS tap_pictures_reader; CREATE ROLE tap_pictures_reader LOGIN');
is(psql(q(SELECT grant_reader('tap_pictures_reader'))), 'llm_reader', 'there is a reader');
my $markdown;
{
    local @ENV{qw(PGUSER PGOPTIONS)} = ('tap_pictures_reader', '-c search_path=public');
    $markdown = decode_json(psql(q(SELECT json_build_array(tokenomics.report_markdown(llm_reader.monthly_report('2026-06-01'))))))->[0];
    my $read = qx('$run' report.mjs 2026-06);
    ok($read =~ s{\n<p class="note">Text and headline as published on .*, version 1; the pictures are of what is known now\.</p>}{}, 'its page says what is published');
    is($read, qx(cat '$report'), 'and is else the same bytes as that of the owner');
}
psql('DROP OWNED BY tap_pictures_reader; DROP ROLE tap_pictures_reader');

my $script = project_file('test', 'pictures', 'browser.mjs');
my $json = qx(node '$script' '$shots' @pages);
is($?, 0, 'the browser ran');
my %seen;
for my $seen (@{ decode_json($json) }) {
    my $name = "$seen->{page} at $seen->{width}";
    $seen{$seen->{page}}{$seen->{width}} = $seen;
    is_deeply($seen->{said}, [], "$name: no errors and warnings");
    is_deeply($seen->{asked}, [], "$name: nothing is loaded");
    is($seen->{overflow}, 0, "$name: as wide as its window");
    is_deeply($seen->{printed}, [], "$name: nothing is cut off in print") if $seen->{page} =~ /^report/;
    unlike($seen->{text}, qr/NaN|undefined|\bnull\b|Infinity|\[object/, "$name: words where there are no figures");
    is($seen->{scripts}, 0, "$name: no script") if $seen->{page} =~ /^report/;
    is_deeply($seen->{figures}{$_}{outside}, [], "$name: no text of $_ is cut off") for sort keys %{ $seen->{figures} };
    is_deeply([ grep { /NaN|undefined|null|Infinity/ } map { @{ $_->{labels} } } values %{ $seen->{figures} } ], [], "$name: no label is NaN");
    for my $id (sort keys %{ $seen->{figures} }) {
        my $figure = $seen->{figures}{$id};
        if ($figure->{missing}) { like($figure->{missing}, qr/^no data: ./, "$name: $id says why it is missing: $figure->{missing}") }
        else { cmp_ok($figure->{marks}, '>', 0, "$name: $id has marks") }
    }
}
for my $kind ('report', 'dashboard') {
    like($seen{"$kind-empty"}{1400}{text}, qr/No data: there were no calls and no charges( yet)?\./, "an empty $kind says so");
    like($seen{"$kind-single"}{1400}{text}, qr/\$4\.50/, "the $kind of a single call has its cost");
}
like($seen{'report-other-month'}{1400}{text}, qr/No data: there were no calls and no charges\./, 'so does one of a month without any');
like($seen{'report-single'}{1400}{text}, qr/<img src=x onerror=alert\(1\)>/, 'names are text');

# Charts that need no view of another room have marks.
my @ours = qw(two_lines total_spend unit_price models owners daily_spend);
for my $width (1400, 400) {
    is_deeply([ grep { $seen{dashboard}{$width}{figures}{$_}{missing} } @ours ], [], "all are drawn at $width");
}

# ---- the figures on the page are those of SQL ----
my $dashboard = $seen{dashboard}{1400};
my %card = map { $_->[0] => $_ } @{ $dashboard->{cards} };
is($card{'Total spend'}[1], psql(q(SELECT to_char(sum(total_spend_converted), 'FM$999,999,990.00') FROM total_spend_trend WHERE month = '2026-06-01')), 'total spend');
is($card{'Total spend'}[1], '$6,260.97', 'which is this');
is($card{'A million tokens cost'}[1], psql(q(SELECT to_char(cost_per_mtok, 'FM$999,999,990.0000') FROM unit_price_trend WHERE month = '2026-06-01' AND scope = 'total' AND currency = 'USD')), 'unit price');
is($card{'Without a price'}[1], psql(q(SELECT round(sum(tokens) / 1e6, 2) || 'M' FROM unpriced_usage WHERE month = '2026-06-01')), 'unpriced tokens');
is_deeply($seen{report}{1400}{cards}, $dashboard->{cards}, 'the report has the same cards');

sub sum { my $total = 0; $total += $_ // 0 for @_; return sprintf '%.6f', $total }
my %charts = %{ $dashboard->{charts} };
is(sum(map { $_->{value} } grep { $_->{month} eq '2026-03-01' } @{ $charts{total_spend} }), psql(q(SELECT round(sum(total_spend_converted), 6) FROM total_spend_trend WHERE month = '2026-03-01')), 'the bars of a month add up to its spend');
is(scalar(@{ $charts{total_spend} }), 42, 'of three kinds in 14 months');
is(sum(map { $_->{value} } grep { $_->{day} eq '2026-06-16' } @{ $charts{daily_spend} }), psql(q(SELECT round(sum(total_spend_converted), 6) FROM daily_spend WHERE day = '2026-06-16')), 'the bars of a day to its');
is(sum(map { $_->{value} } @{ $charts{owners} }), psql(q(SELECT round(sum(total_spend_converted), 6) FROM spend_by_owner WHERE dimension = 'team' AND month = '2026-06-01')), 'the teams to the month');
is(sum(map { $_->{value} } @{ $charts{models} }), psql(q(SELECT round(sum(effective_cost_converted), 6) FROM cost_per_token WHERE month = '2026-06-01')), 'the models to its usage and purchases');
is(sum(map { $_->{value} } grep { $_->{series} eq 'Paid' && $_->{month} eq '2025-12-01' } @{ $charts{unit_price} }), psql(q(SELECT round(cost_per_mtok, 6) FROM unit_price_trend WHERE scope = 'total' AND currency = 'USD' AND month = '2025-12-01')), 'a point of the unit price');
my ($spend) = grep { $_->{series} eq 'Total spend' && $_->{month} eq '2026-06-01' } @{ $charts{two_lines} };
is(sprintf('%.4f', $spend->{index}), psql(q(SELECT round(100 * sum(total_spend_converted) FILTER (WHERE month = '2026-06-01') / sum(total_spend_converted) FILTER (WHERE month = '2025-05-01'), 4) FROM total_spend_trend)), 'the index of spend');

# A bar is as long as its figure, and labelled with it.
my @bars = @{ $dashboard->{figures}{owners}{bars} };
my @owners = grep { $_->{value} > 0 } @{ $charts{owners} };
is(scalar(@bars), scalar(@{ $charts{owners} }), 'a bar for each team');
my $scale = $bars[0]{width} / $owners[0]{value};
is_deeply([ grep { abs($bars[$_]{width} - $owners[$_]{value} * $scale) > 1.5 } 0 .. $#owners ], [], 'as long as what it spent');
is(scalar(grep { $_ eq '$447.47' } @{ $dashboard->{figures}{owners}{labels} }), 1, 'and labelled with it');

# ---- what came with budgets, quality and quotes ----
sub points { my ($chart, @columns) = @_; return join ' ', map { my $row = $_; join '|', map { ($row->{$_} // '') =~ /^-?[\d.]+(e-?\d+)?$/ ? sprintf '%.6f', $row->{$_} : $row->{$_} // '' } @columns } @{ $charts{$chart} } }
my $june = q('2026-06-01 00:00 Europe/Berlin', '2026-07-01 00:00 Europe/Berlin');
is(points('budgets', qw(name actual amount value)), psql(q(SELECT string_agg(concat_ws('|', name, round(actual, 6), round(amount, 6), round(actual / amount, 6)), ' ' ORDER BY actual / amount DESC)
    FROM budget_status_at('2026-07-01 00:00 Europe/Berlin') WHERE period_start = '2026-06-01')), 'budgets');
is(points('value_grid', qw(model score value)), psql(qq(SELECT string_agg(concat_ws('|', model, round(score::numeric, 6), round(cost_per_mtok, 6)), ' ' ORDER BY cost_per_mtok) FROM value_grid_between($june) WHERE task = 'code')), 'the value grid');
is(points('quotes', qw(name value)), psql(q(SELECT string_agg(concat_ws('|', quote || ' (' || replace(kind, '_', ' ') || ')', round(cost_per_mtok_converted, 6)), ' ' ORDER BY rank) FROM quote_comparison)), 'quotes');
is(points('bill_bridge', qw(step value)), psql(q(SELECT string_agg(concat_ws('|', step, round(value, 6)), ' ' ORDER BY place)
    FROM bill_growth_between('2026-05-01 00:00 Europe/Berlin', '2026-07-01 00:00 Europe/Berlin', in_currency => 'USD'),
         LATERAL (VALUES ('Before', 0, spend_before), ('Price', 1, price_effect), ('Volume', 2, volume_effect), ('Mix', 3, mix_effect), ('New models', 4, new_effect), ('Ended models', 5, discontinued_effect), ('Currency', 6, currency_effect),
                         ('Purchases', 7, purchase_effect), ('Other', 8, other_effect), ('Now', 9, spend)) AS v(step, place, value)
    WHERE month = '2026-06-01' AND comparison = 'month on month' AND value <> 0)), 'the bridge');
my @steps = @{ $charts{bill_bridge} };
is(sprintf('%.2f', $steps[-1]{value}), '6260.97', 'to the bill of the month');
is(sprintf('%.6f', $steps[-2]{ends}), sprintf('%.6f', $steps[-1]{value}), 'where its effects end');
is_deeply([ grep { abs($steps[$_]{starts} - $steps[$_ - 1]{ends}) > 1e-6 } 1 .. $#steps - 1 ], [], 'each from where the one before ended');
is(points('forecast', qw(value lower upper)) =~ s/(?:[\d.]+\|\|\s?){13}//r, psql(q(SELECT string_agg(concat_ws('|', round(spend, 6), round(spend_lower, 6), round(spend_upper, 6)), ' ' ORDER BY period)
    FROM demand_forecast_between(to_at => '2026-07-01 00:00 Europe/Berlin') WHERE scope = 'total' AND currency = 'USD')), 'the forecast and its band, after thirteen months');
is(points('peak_week', qw(day hour value)), psql(q(SELECT string_agg(concat_ws('|', (ARRAY['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'])[dow], hour || '.000000', round(mean::numeric, 6)), ' ' ORDER BY dow, hour)
    FROM peak_profile_between('2026-04-01 00:00 Europe/Berlin', '2026-07-01 00:00 Europe/Berlin') WHERE side = 'total')), 'the hours of the week');
is(scalar(grep { /\x{25c6} 263M and 417M a month/ } @{ $dashboard->{figures}{quotes}{labels} }), 1, 'with where they break even');
for my $id (qw(bill_bridge peak_week forecast value_grid budgets quotes)) {
    is_deeply([ map { $seen{$_}{400}{figures}{$id}{missing} } qw(report dashboard) ], [ undef, undef ], "$id is drawn in both");
}

# ---- the text is that of the database ----
sub cells { my @rows; for (split /\n/, $_[0]) { push @rows, join "\x1f", map { s/^\s+|\s+$|\*\*//gr =~ s/\\([\\`*_|<>\[\]])/$1/gr } split /(?<!\\)\|/, substr($_, 2, -2) if /^\| / } return \@rows }
is_deeply([ map { join "\x1f", @$_ } map { @$_ } @{ $seen{report}{1400}{tables} } ], cells($markdown), 'every figure of every table is that of report_markdown()');
my ($movers) = grep { $_->[0][0] eq 'Team' } @{ $seen{report}{1400}{tables} };
is(join('|', @{ $movers->[1] }[0 .. 3]), psql(q(
    SELECT owner, to_char(now, 'FM$999,990.00'), to_char(before, 'FM$999,990.00'), '+' || to_char(round(now, 2) - round(before, 2), 'FM$999,990.00')
    FROM (SELECT owner, sum(total_spend_converted) FILTER (WHERE month = '2026-06-01') AS now, sum(total_spend_converted) FILTER (WHERE month = '2026-05-01') AS before
          FROM spend_by_owner WHERE dimension = 'team' GROUP BY owner) AS o ORDER BY abs(now - before) DESC LIMIT 1)), 'the first of the top movers');
my ($unpriced) = grep { $_->[0][3] && $_->[0][3] eq 'Nearest priced model' } @{ $seen{report}{1400}{tables} };
is(join('|', @{ $unpriced->[1] }), 'google|gemini-ultra-nightly|unknown model|google/gemini-3-pro-preview|180|4,464,764', 'what has no price');
is(scalar(@{ $dashboard->{opened}[0] }), 1 + @{ $charts{two_lines} }, 'the figures behind a chart open');
done_testing();
