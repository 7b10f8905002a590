# What a benchmark's runs cost, as its authors published it, for the seven runs
# whose tokens were all billed at list prices: recomputed from their tokens to the
# last digit published.  And what a solved case cost: all cases over those solved.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

my $runs = data_file('traces/aider_leaderboards.csv');
plan skip_all => 'the folder of real data is absent' unless $runs;

# dollars for a million input and output tokens on the day of the run
my @lists = (
    ['claude-opus-4-20250514 (no think)',         '15',   '75'],
    ['claude-opus-4-20250514 (32k thinking)',     '15',   '75'],
    ['gemini-2.5-flash-preview-05-20 (no think)', '0.15', '0.6'],
    ['o3-pro (high)',                             '20',   '80'],
    ['grok-4 (high)',                             '3',    '15'],
    ['gemini-2.5-pro-preview-06-05 (32k think)',  '1.25', '10'],
    ['DeepSeek-V3.2-Exp (Chat)',                  '0.28', '0.42']);

database();
psql('CREATE TABLE run (file text, dirname text, model text, edit_format text, editor_model text, reasoning_effort text, thinking_tokens_budget text,
      test_cases text, total_tests text, pass_rate_1 text, pass_rate_2 text, pass_num_2 text, percent_cases_well_formed text, prompt_tokens text,
      completion_tokens text, thinking_tokens text, seconds_per_case text, total_cost text, date text, versions text, command text)');
psql("\\copy run FROM '$runs' CSV HEADER");
for (@lists) {
    my ($model, $input, $output) = @$_;
    my ($published, $cost, $solved, $per_case) = split /\|/, psql(qq(
        SELECT r.total_cost, round(c.cost, 4), s.cost_per_success * r.pass_num_2::integer - c.cost < 1e-12, s.cost_per_success > c.cost / r.test_cases::integer
        FROM run r,
             LATERAL (SELECT cost(rates('{"currency": "USD", "input": $input, "output": $output}'),
                                  tokens(input => r.prompt_tokens::bigint, output => r.completion_tokens::bigint)) AS cost) c,
             LATERAL cost_per_success(r.test_cases::bigint, r.pass_num_2::bigint, c.cost, 0, 0) s
        WHERE r.model = '$model'));
    is($cost, $published, "$model: the cost that was published");
    is("$solved$per_case", 'tt', "$model: a solved case pays for the others");
}
done_testing();
