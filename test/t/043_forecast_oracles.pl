# Forecasts against published ones: R's HoltWinters, snaive and ets, and the
# books of Hyndman, by their parameters and, where a search is as good, without.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

my %file = map { $_ => data_file("oracles/$_.csv") } qw(airpassengers nile fpp_hyndman_published domain_holtwinters_expected);
plan skip_all => 'no data: set TOKENOMICS_DATA to the folder of oracles/airpassengers.csv' if grep { !defined } values %file;

database();

sub rows {
    my ($file) = @_;
    open my $in, '<', $file or die "$file: $!";
    my ($head, @lines) = <$in>;
    chomp @lines;
    return map { [split /,/] } @lines;
}

# A series as a literal, its values at the starts of months, quarters or years.
sub series {
    my ($months, @values) = @_;
    my $i = 0;
    return "'{" . join(', ', map { my $m = $months * $i++; sprintf('"%04d-%02d-01": %s', 1949 + int($m / 12), 1 + $m % 12, $_) } @values) . "}'";
}

sub close_to {
    my ($got, $expected, $tolerance, $name) = @_;
    ok(defined $got && $got ne '' && abs($got - $expected) <= $tolerance * (abs($expected) > 1 ? abs($expected) : 1), $name)
        or diag('got ' . ($got // 'nothing') . ", expected $expected");
    return;
}

my $air = series(1, map { $_->[1] } rows($file{airpassengers}));
my $nile = series(12, map { $_->[1] } rows($file{nile}));

# R 4.2.2, HoltWinters(): parameters fixed at its own optimum and elsewhere
my %expected;
$expected{"$_->[0] $_->[1]"}{$_->[2]} = $_->[3] for rows($file{domain_holtwinters_expected});
for my $kind (qw(additive multiplicative)) {
    for my $fit (qw(fixed optimised)) {
        my $e = $expected{"$kind $fit"};
        my $fixed = "model => 'holt_winters_$kind', alpha => $e->{alpha}, beta => $e->{beta}, gamma => $e->{gamma}";
        my ($sse, $level, $trend, $seasonals) = split /\|/, psql("SELECT sse, level, trend, seasonals FROM forecast_model($air, 12, $fixed)");
        close_to($sse, $e->{SSE}, 1e-6, "HoltWinters $kind $fit: SSE");
        close_to($level, $e->{a}, 1e-6, 'level');
        close_to($trend, $e->{b}, 1e-6, 'trend');
        my @seasonals = $seasonals =~ /[^{},]+/g;
        close_to($seasonals[$_ - 1], $e->{"s$_"}, 1e-6, "season $_") for 1 .. 12;
        my @forecast = split /\n/, psql("SELECT forecast FROM forecast($air, 12, 12, $fixed)");
        close_to($forecast[$_ - 1], $e->{"f$_"}, 1e-6, "forecast $_") for 1 .. 12;
    }
    # our search finds what R's does, or better
    my $sse = psql("SELECT sse FROM forecast_model($air, 12, model => 'holt_winters_$kind')");
    cmp_ok($sse, '<=', $expected{"$kind optimised"}{SSE} * (1 + 1e-8), "the search for $kind parameters is as good as R's");
}
my ($alpha, $sse, $level) = split /\|/, psql("SELECT alpha, sse, level FROM forecast_model($nile, 1, 'ses')");
cmp_ok($sse, '<=', 2038871.833 * (1 + 1e-8), "Nile: the search is as good as R's");
close_to($alpha, 0.2465579, 1e-3, 'alpha');
($sse, $level) = split /\|/, psql("SELECT sse, level FROM forecast_model($nile, 1, 'ses', alpha => 0.2465579)");
close_to($sse, 2038871.833, 1e-6, 'Nile: SSE');
close_to($level, 805.0389, 1e-6, 'level');

# forecast::snaive and forecast::ets
is(psql("SELECT round(rmse::numeric, 5), round(mae::numeric, 5), round(mape::numeric, 5), mase FROM forecast_model($air, 12, 'seasonal_naive')"),
    '36.31574|32.03030|11.24871|1', 'the seasonal naive forecast of AirPassengers');
my ($likelihood, $aic) = split /\|/, psql("SELECT log_likelihood, aic FROM forecast_model($air, 12, 'ETS(M,A,M)')");
cmp_ok($likelihood, '>=', -682.4036, 'ETS(M,A,M) is at least as likely as that of R');
my ($chosen, $aic_chosen, $aicc_chosen, $mase) = split /\|/, psql("SELECT model, aic, aicc, mase FROM forecast_model($air, 12)");
diag("AirPassengers: $chosen, AIC $aic_chosen, AICc $aicc_chosen, MASE $mase (R: ETS(M,Ad,M), AIC 1395.166)");
cmp_ok($aic_chosen, '<=', 1395.166, "the model chosen has no greater AIC than R's choice");
# R counts 18 parameters of ETS(M,Ad,M): AICc 1400.638, BIC 1448.623 of AIC 1395.166
is(psql("SELECT round((aicc - aic)::numeric, 3), round((bic - aic)::numeric, 3) FROM forecast_model($air, 12, 'ETS(M,Ad,M)')"), '5.472|53.457', 'the criteria count parameters as R does');
cmp_ok(psql("SELECT aic FROM forecast_model($air, 12, 'ETS(M,Ad,M)')"), '<=', 1395.166, 'ETS(M,Ad,M) is at least as likely as that of R');
for my $name (qw(auto backtest combined)) {
    like(psql("SELECT count(*), bool_and(lower < forecast AND forecast < upper) FROM forecast($air, 24, 12, '$name')"), qr/^24\|t$/, "$name: an interval about every forecast");
}

# Hyndman's books, by way of the tests of statsmodels; it starts from the first value, before it
my %published;
$published{$_->[0]}{$_->[1]}[$_->[2] - 1] = $_->[3] for rows($file{fpp_hyndman_published});
my %fpp = (
    oil => series(12, @{$published{oil}{y}}), ausair => series(12, @{$published{ausair}{y}}), austourists => series(3, @{$published{austourists}{y}}));
sub forecasts { my ($series, $horizon, $rest) = @_; return split /\n/, psql("SELECT forecast FROM forecast($fpp{$series}, $horizon, $rest)") }
my ($first, $second) = @{$published{ausair}{y}};

my @level = @{$published{oil}{'ses_alpha0.2_level'}};
my $oil = "model => 'ses', alpha => 0.2, initial_level => $published{oil}{y}[0]";
for my $n (1 .. 12) {
    my $head = series(12, @{$published{oil}{y}}[0 .. $n - 1]);
    close_to(psql("SELECT level FROM forecast_model($head, 1, grain => 'year', $oil)"), $level[$n - 1], 1e-6, "oil: level $n");
}
close_to((forecasts('oil', 1, "1, $oil"))[0], $published{oil}{'ses_alpha0.2_forecast'}[0], 1e-6, 'oil, alpha 0.2');
close_to((forecasts('oil', 1, "1, 'ses', alpha => 0.6, initial_level => $published{oil}{y}[0]"))[0], $published{oil}{'ses_alpha0.6_forecast'}[0], 1e-6, 'oil, alpha 0.6');
close_to((forecasts('oil', 1, "1, 'ETS(A,N,N)'"))[0], $published{oil}{ses_optim_forecast}[0], 1e-6, 'oil, fitted');
close_to(psql("SELECT alpha FROM forecast_model($fpp{oil}, 1, 'ETS(A,N,N)')"), $published{oil}{ses_optim_alpha}[0], 1e-5, 'its alpha');
close_to(psql("SELECT fitted[1] FROM forecast_model($fpp{oil}, 1, 'ETS(A,N,N)')"), $published{oil}{ses_optim_l0}[0], 1e-6, 'and first level');

my $holt = "alpha => 0.8, beta => 0.2, initial_level => $first";
my @got = forecasts('ausair', 5, "1, 'holt', $holt, initial_trend => $second - $first");
is(sprintf('%.2f', $got[$_]), sprintf('%.2f', $published{ausair}{'holt_a.8_b.2_forecast'}[$_]), "Holt, step $_") for 0 .. 4;
my @fitted = psql("SELECT fitted FROM forecast_model($fpp{ausair}, 1, 'holt', $holt, initial_trend => $second - $first)") =~ /[^{},]+/g;
@fitted = (@fitted, $got[0]);
close_to($fitted[$_], $published{ausair}{'holt_a.8_b.2_fitted_plus1'}[$_], 1e-6, "Holt, one step from $_") for 0 .. 15;
@got = forecasts('ausair', 5, "1, 'holt_exponential', $holt, initial_trend => $second / $first");
is(sprintf('%.2f', $got[$_]), sprintf('%.2f', $published{ausair}{'holt_exponential_a.8_b.2_forecast'}[$_]), "exponential trend, step $_") for 0 .. 4;
@got = forecasts('austourists', 4, "4, 'ETS(A,A,M)'");
close_to($got[$_], (grep { defined } @{(map { $published{austourists}{$_} } grep { /^hw/ } keys %{$published{austourists}})[0]})[$_], 1e-5, "a season, all fitted, step $_") for 0 .. 3;
done_testing();
