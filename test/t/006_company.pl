# The company of the demo: the same rows on every load and server, and every
# story that it tells, to the last digit.  COMPANY_UPDATE=1 prints each answer.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

my $company = project_file('test', 'demo', 'company.sql');

# Every row of what company.sql fills, but for when it was recorded.
my $fingerprint = q(
    SELECT md5(string_agg(digest, '' ORDER BY digest)) FROM (
        SELECT md5(string_agg(concat_ws('|', at, tokens, provider, model, service_tier, calls, request_id, user_id, session_id, turn_id, agent,
                   team, project, status, tags, ttft, duration, trim_scale(billed), billed_currency), E'\n' ORDER BY at, request_id)) AS digest
        FROM usage GROUP BY date_trunc('month', at)
        UNION ALL SELECT md5(string_agg(concat_ws('|', charge_id, provider, charge_period_start, charge_period_end, charge_category, sku, quantity, unit,
                             trim_scale(billed_cost), currency, invoice_id, scope, source, recorded_at), E'\n' ORDER BY charge_id)) FROM charge
        UNION ALL SELECT md5(string_agg(concat_ws('|', base_currency, quote_currency, kind, day, trim_scale(rate)), E'\n' ORDER BY kind, day)) FROM fx_rate
        UNION ALL SELECT md5(string_agg(concat_ws('|', book, provider, model, service_tier, above_input_tokens, rates, valid), E'\n'
                             ORDER BY book, provider, model, service_tier, above_input_tokens, valid)) FROM price WHERE source = 'demo'
        UNION ALL SELECT md5(s::text) FROM setting AS s
    ) AS part);

my $database = company_database();
psql("DROP DATABASE IF EXISTS ${database}_again");
psql("CREATE DATABASE ${database}_again TEMPLATE template0");
my $first = psql($fingerprint);
{
    local $ENV{PGDATABASE} = "${database}_again";
    psql("SET client_min_messages = warning; CREATE EXTENSION tokenomics CASCADE; ALTER DATABASE ${database}_again SET search_path = llm, tokenomics, public;"
          . "ALTER DATABASE ${database}_again SET timezone = 'Asia/Kolkata'; ALTER DATABASE ${database}_again SET datestyle = 'German'; CALL tokenomics.install('llm')");
    psql('SELECT count(*) FROM load_default_prices()');
    is(system("psql -Xq -v ON_ERROR_STOP=1 -f '$company' >/dev/null"), 0, 'company.sql runs');
    psql("ALTER DATABASE ${database}_again RESET datestyle; ALTER DATABASE ${database}_again SET timezone = 'UTC'");
    is(psql($fingerprint), $first, 'a second load, in another zone and date style, gives the same rows');
}
diag($first) if $ENV{COMPANY_UPDATE};
is($first, '0eefd688e58741fbf86bad7aa09a99de', 'and those of every other server');

# Each call with its cost; a bucket's sum takes no threshold.
psql(q(CREATE TABLE call AS
    SELECT u.*, to_char(at AT TIME ZONE 'Europe/Berlin', 'YYYY-MM') AS month, (at AT TIME ZONE 'Europe/Berlin')::date AS day,
           cost(b.book, provider, model, at, tokens, service_tier) AS cost, list_cost(b.book, provider, model, at, tokens, service_tier) AS list_cost,
           currency(b.book, provider, model, at, tokens, service_tier) AS currency
    FROM usage AS u, (SELECT book() AS complete, (SELECT price_book(p) FROM price AS p WHERE p.book = 'list' AND above_input_tokens = 0) AS base OFFSET 0) AS loaded,
         LATERAL (SELECT CASE WHEN calls = 1 THEN complete ELSE base END AS book) AS b;
    CREATE INDEX ON call (provider, model, at);
    ANALYZE call;
    CREATE FUNCTION per_million(numeric, tokens) RETURNS numeric LANGUAGE sql RETURN round($1 / total($2) * 1000000, 4)));

sub fact {
    my ($name, $sql, $expected) = @_;
    my $answer = psql($sql);
    diag("== $name\n$answer\n==") if $ENV{COMPANY_UPDATE};
    return is($answer, $expected =~ s/^\s+//mgr =~ s/\n\z//r, $name);
}

# ---- the whole ----
fact('rows and calls, from the first minute to the last',
    q(SELECT count(*), sum(calls), min(at), max(at) FROM call), '226318|264504|2025-05-01 00:09:06+00|2026-06-30 21:57:25+00');
fact('14 months, complete in Berlin and in UTC',
    q(SELECT count(DISTINCT month), count(DISTINCT date_trunc('month', at)), count(DISTINCT day) FROM call), '14|14|426');
fact('tokens by meter', 'SELECT sum(tokens) FROM call', '{"input": 3351186986, "cache_read": 6790077828, "cache_write": 966377856, "output": 295651060, "reasoning": 389705786}');
fact('by month: calls, tokens, spend in dollars',
    q(SELECT month, sum(calls), total(sum(tokens)), trim_scale(sum(cost) FILTER (WHERE currency = 'USD')) FROM call GROUP BY month ORDER BY month), q(
        2025-05|10499|351115175|3215.5742942
        2025-06|10546|359490910|2100.798704555
        2025-07|13964|398288640|1829.632177235
        2025-08|13881|401749112|1794.668506225
        2025-09|14262|402861609|1659.056783485
        2025-10|15209|427761646|1456.902764075
        2025-11|14618|410406343|1238.606356165
        2025-12|17199|739382216|2314.31459033
        2026-01|21075|998768153|2992.24039128
        2026-02|21321|1072891957|3303.767655775
        2026-03|25542|1356313113|4176.948728595
        2026-04|26747|1453035157|4512.929611215
        2026-05|28798|1638197581|5142.918817735
        2026-06|30843|1782737904|5646.950557375));
fact('people, sessions, turns',
    q(SELECT count(DISTINCT user_id), count(DISTINCT session_id), count(DISTINCT turn_id), count(DISTINCT team), count(DISTINCT project) FROM call), '238|40859|106509|9|12');
fact('a turn is of one session, person, team and project',
    q(SELECT count(*) FROM (SELECT FROM call WHERE turn_id IS NOT NULL GROUP BY turn_id
      HAVING count(DISTINCT (session_id, user_id, team, project, tags)) > 1 OR count(session_id) < count(*) OR count(user_id) < count(*)) AS t), '0');
fact('request ids are unique, and buckets have none',
    q(SELECT count(request_id) = count(DISTINCT request_id), count(*) - count(request_id) FROM call), 't|365');
fact('statuses; of what failed the vendor reports no tokens',
    q(SELECT status, count(*), count(tokens) FROM call GROUP BY status ORDER BY status), q(
        cancelled|411|411
        error|1301|0
        ok|223222|223222
        rate_limited|1019|0
        |365|365));
fact('a first token comes before the last, and of batches, buckets and failures it is not known',
    q(SELECT count(*) FROM call WHERE ttft > duration OR (ttft IS NULL) <> (tokens IS NULL OR calls > 1 OR coalesce(service_tier = 'batch', false))), '0');
fact('calls by day of the week',
    q(SELECT string_agg(calls::text, ' ' ORDER BY weekday) FROM (SELECT extract(isodow FROM day) AS weekday, count(*) AS calls FROM call GROUP BY 1) AS d), '41738 41757 40277 40431 41399 10297 10419');
fact('calls by hour in Berlin',
    q(SELECT string_agg(calls::text, ' ' ORDER BY hour) FROM (SELECT extract(hour FROM at AT TIME ZONE 'Europe/Berlin') AS hour, count(*) AS calls FROM call WHERE calls = 1 GROUP BY 1) AS h), '2407 3881 3010 5222 1534 2231 2460 2327 8771 18916 26114 20736 10635 9268 26334 19200 16683 17232 11083 3505 4477 4881 2701 2345');
fact('spend by team', q(SELECT coalesce(team, '-'), currency, count(*), trim_scale(sum(cost)) FROM call WHERE cost IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2), q(
        -|USD|5625|20.0770273
        data|USD|16502|89.746268315
        finance|USD|886|18.634707625
        lab|USD|3757|4.81805975
        legal|USD|5819|1336.6608168
        marketing|EUR|6251|30.161223
        marketing|USD|1450|558.9700005
        platform|USD|71385|25348.91836113
        research|USD|33016|7968.575986125
        search|USD|33970|811.30267386
        support|USD|33082|5227.60603684));

# ---- the stories ----
fact('a price cut: o3, two weeks before and after 2025-06-10',
    q(SELECT at >= '2025-06-10', count(*), trim_scale(sum(cost)), per_million(sum(cost), sum(tokens)) FROM call
      WHERE model = 'o3' AND at >= '2025-05-27' AND at < '2025-06-24' GROUP BY 1 ORDER BY 1), q(
        f|993|903.9519595|14.4409
        t|1070|194.910341|2.9835));
fact('a model switch: the help desk',
    q(SELECT month, model, count(*), trim_scale(sum(cost)), per_million(sum(cost), sum(tokens)) FROM call
      WHERE project = 'helpdesk' AND month BETWEEN '2025-08' AND '2025-11' GROUP BY 1, 2 ORDER BY 1, 2), q(
        2025-08|claude-3-opus-latest|1980|787.42710075|13.4073
        2025-09|claude-3-opus-latest|1481|583.57825275|13.3858
        2025-09|claude-sonnet-4-0|460|36.7778436|2.6526
        2025-10|claude-3-opus-latest|528|188.52426975|13.5735
        2025-10|claude-sonnet-4-0|1518|122.52469215|2.6714
        2025-11|claude-sonnet-4-0|1848|144.2016156|2.6631));
fact('an agent launch: calls, turns, calls a turn, spend up, unit price down',
    q(SELECT month, count(*), count(DISTINCT turn_id), round(count(*)::numeric / count(DISTINCT turn_id), 2), trim_scale(sum(cost)), per_million(sum(cost), sum(tokens))
      FROM call WHERE project = 'code' AND month BETWEEN '2025-10' AND '2026-02' GROUP BY 1 ORDER BY 1), q(
        2025-10|1193|921|1.30|452.6933385|15.8345
        2025-11|1047|812|1.29|428.04778875|15.7426
        2025-12|3892|280|13.90|1577.5971901|4.0680
        2026-01|6066|446|13.60|2165.897273085|3.6866
        2026-02|6882|514|13.39|2482.989396795|3.6548));
fact('agents and sub-agents', q(SELECT agent, model, count(*) FROM call WHERE agent LIKE 'coder%' GROUP BY 1, 2 ORDER BY 1), q(
        coder|claude-opus-4-1|48296
        coder/tests|claude-haiku-4-5|13577));
fact('a cache regression: release, days, hit rate, unit price',
    q(SELECT tags ->> 'release', min(day), max(day), count(*), round(sum(tokens -> 'cache_read') / sum(input_total(tokens)), 4), per_million(sum(cost), sum(tokens))
      FROM call WHERE project = 'answers' AND day BETWEEN '2026-01-26' AND '2026-03-08' GROUP BY 1 ORDER BY 1), q(
        41|2026-01-26|2026-02-08|948|0.8184|1.0481
        42|2026-02-09|2026-02-22|945|0.0596|3.1668
        43|2026-02-23|2026-03-08|936|0.8201|1.0671));
fact('an unpriced model, and nothing else without a price but what the purchase pays',
    q(SELECT provider, model, service_tier, count(*), total(sum(tokens)) FROM call WHERE cost IS NULL AND tokens IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1), q(
        azure|gpt-4.1|ptu-eastus|11885|833957232
        google|gemini-ultra-nightly||370|9463337));
fact('the threshold of 200,000 tokens: calls above it, and their unit price before and after it ended',
    q(SELECT model, at >= '2026-03-13', count(*), per_million(sum(cost), sum(tokens)) FROM call
      WHERE project = 'contracts' AND input_total(tokens) > 200000 GROUP BY 1, 2 ORDER BY 1, 2), q(
        claude-sonnet-4-5|f|283|4.7383
        claude-sonnet-4-6|f|43|4.4253
        claude-sonnet-4-6|t|258|2.2343
        gemini-2.5-pro|f|245|2.4053));
fact('the batch tier, at night and at half price',
    q(SELECT count(*), trim_scale(sum(cost)), trim_scale(sum(cost(book, provider, model, at, tokens))) / 2 = sum(cost), min(extract(hour FROM at AT TIME ZONE 'Europe/Berlin')), max(extract(hour FROM at AT TIME ZONE 'Europe/Berlin'))
      FROM call, (SELECT book() AS book OFFSET 0) AS b WHERE service_tier = 'batch'), '8533|66.1164364|t|1|5');
fact('a vendor that bills in euros', q(SELECT provider, currency, count(*), total(sum(tokens)), trim_scale(sum(cost)) FROM call WHERE currency <> 'USD' GROUP BY 1, 2), 'mistral|EUR|6251|46748195|30.161223');
fact('a bucket takes no threshold by its sum: rows, calls, sums above it, spend, and what it would be with it',
    q(SELECT count(*), sum(calls), count(*) FILTER (WHERE input_total(tokens) > 200000), trim_scale(sum(cost)), trim_scale(sum(cost(book, provider, model, at, tokens)))
      FROM call, (SELECT book() AS book OFFSET 0) AS b WHERE calls > 1), '365|38551|162|536.75171|699.63807625');
fact('dated names that only aliases price', q(SELECT model, count(*), count(cost) FROM call c WHERE cost IS NOT NULL AND NOT EXISTS (SELECT FROM price p WHERE p.model = c.model) GROUP BY 1 ORDER BY 1), q(
        claude-sonnet-4-20250514|8979|8979
        gpt-4o-2024-11-20|4857|4857
        gpt-5-2025-08-07|15577|15577));
fact('the contract: 10 % off one vendor from 2026 on',
    q(SELECT provider, at >= '2026-01-01', trim_scale(sum(list_cost) - sum(cost)), sum(cost) = sum(list_cost), sum(cost) = sum(list_cost) * 0.9 FROM call WHERE currency = 'USD' AND calls = 1 GROUP BY 1, 2 ORDER BY 1, 2), q(
        anthropic|f|0|t|f
        anthropic|t|2515.75916377|f|t
        deepseek|f|0|t|f
        deepseek|t|0|t|f
        google|f|0|t|f
        google|t|0|t|f
        openai|f|0|t|f
        openai|t|0|t|f));
fact('underuse: the lab', q(SELECT string_agg(calls::text, ' ' ORDER BY month) FROM (SELECT month, count(*) AS calls FROM call WHERE agent = 'notebook' GROUP BY 1) AS m), '497 464 461 388 360 343 258 208 208 169 155 117 70 45');
fact('unallocated: no team, no project', q(SELECT count(*) FILTER (WHERE team IS NULL), count(*) FILTER (WHERE project IS NULL), count(*) FILTER (WHERE turn_id IS NULL) FROM call), '5625|7115|22183');
fact('what one vendor says it charged, and the call of which it is wrong',
    q(SELECT trim_scale(billed - cost), count(*), CASE WHEN count(*) = 1 THEN min(request_id) END FROM call WHERE billed IS NOT NULL OR provider = 'deepseek' GROUP BY 1 ORDER BY 1), q(
        0|7659|
        0.25|1|r18-260114-0007-1));

# ---- charges and rates of exchange ----
fact('charges', q(SELECT charge_category, provider, currency, count(*), trim_scale(sum(billed_cost)) FROM charge GROUP BY 1, 2, 3 ORDER BY 1, 2), q(
        Credit|anthropic|USD|1|-150
        Purchase|azure|USD|14|8400
        Tax|mistral|EUR|1|9.12
        Usage|anthropic|USD|56|32098.05676363
        Usage|openai|USD|42|8468.9224572));
my $residual = q(FROM charge h LEFT JOIN LATERAL (SELECT sum(cost) AS computed, total(sum(tokens)) AS tokens FROM call c
      WHERE c.provider = h.provider AND c.model = h.sku AND c.at >= charge_period_start AND c.at < charge_period_end) c ON true WHERE charge_category = 'Usage');
fact('bills are what the book says, but for one', "SELECT provider, sku, to_char(charge_period_start AT TIME ZONE 'UTC', 'YYYY-MM'), trim_scale(billed_cost - computed) $residual AND billed_cost IS DISTINCT FROM computed", 'anthropic|claude-opus-4-1|2026-04|37.5');
fact('and count the tokens', "SELECT count(*), sum(quantity) = sum(tokens) $residual", '98|t');
fact('and leave no call out', q(SELECT trim_scale(sum(cost) - (SELECT sum(billed_cost) FROM charge WHERE charge_category = 'Usage')) FROM call WHERE provider IN ('openai', 'anthropic')), '-37.5');
fact('provisioned throughput: calls and tokens by month, within the capacity',
    q(SELECT to_char(charge_period_start AT TIME ZONE 'Europe/Berlin', 'YYYY-MM'), billed_cost, quantity, calls, tokens FROM charge, LATERAL (SELECT count(*) AS calls, total(sum(tokens)) AS tokens FROM call
      WHERE service_tier = sku AND at >= charge_period_start AND at < charge_period_end) AS c WHERE charge_category = 'Purchase' ORDER BY 1), q(
        2025-05|600|120000000|534|36462998
        2025-06|600|120000000|575|39959307
        2025-07|600|120000000|696|47743777
        2025-08|600|120000000|670|49626292
        2025-09|600|120000000|732|51193950
        2025-10|600|120000000|838|57648886
        2025-11|600|120000000|789|54033421
        2025-12|600|120000000|726|55328172
        2026-01|600|120000000|921|61437855
        2026-02|600|120000000|930|61353289
        2026-03|600|120000000|1134|75772335
        2026-04|600|120000000|1137|79825446
        2026-05|600|120000000|1136|76512544
        2026-06|600|120000000|1203|87058960));
fact('rates of exchange', q(SELECT kind, count(*), min(day), max(day), trim_scale(min(rate)), trim_scale(max(rate)) FROM fx_rate GROUP BY kind ORDER BY kind), q(
        daily|426|2025-05-01|2026-06-30|1.1176|1.1833
        month_average|14|2025-05-01|2026-06-01|1.1224|1.1782));
fact('a rate of a month is the average of its days, rounded', q(SELECT count(*) FROM fx_rate m WHERE kind = 'month_average' AND rate <> (SELECT round(avg(rate), 4) FROM fx_rate d WHERE d.kind = 'daily' AND date_trunc('month', d.day) = m.day)), '0');
fact('settings', q(SELECT zone, currency, book FROM setting), 'Europe/Berlin|USD|contract');
fact('the trend of spend is the sum of the calls', q(SELECT count(*), count(*) FILTER (WHERE usage_cost <> c.cost) FROM total_spend_trend t
      JOIN (SELECT month, currency, sum(cost) AS cost FROM call WHERE cost IS NOT NULL GROUP BY 1, 2) c ON t.month = (c.month || '-01')::date AND t.currency = c.currency), '28|0');
done_testing();
