-- The type rates, and the cost of tokens at rates.
SET search_path = tokenomics, public;

SELECT r::rates FROM (VALUES
    ('{"currency": "USD"}'), ('{"currency": "USD", "input": 3, "cache_read": 0.3, "output": 15}'),
    ('{"output": 1.5e1, "input": 3e-9, "currency": "EUR"}'), ('{"currency": "CREDITS_", "input": 0, "output": null}'),
    ('{"currency": "USD", "input": 9223372036.854775807}'), ('{"currency": "USD", "input": 0.000000001000}')) v(r);
SELECT '{"currency": "USD", "input": 0.0000000001}'::rates;
SELECT '{"currency": "USD", "input": 9223372036.854775808}'::rates;
SELECT '{"currency": "usd", "input": 1}'::rates;
SELECT '{"input": 1}'::rates;
SELECT '{"currency": "USD", "input": -1}'::rates;

SELECT currency(r), r -> 'input' AS input, r -> 'cache_read' AS none, rate(r, 'output'), effective_rate(r, 'cache_read'),
       effective_rate(r, 'reasoning'), effective_rate(r, 'tool_calls')
FROM (SELECT '{"currency": "USD", "input": 3, "output": 15}'::rates AS r) x;

-- jsonb and binary
SELECT '{"currency": "USD", "input": 0.15}'::rates::jsonb, '{"currency": "USD", "output": 0.60, "input": 1e-9}'::jsonb::rates;
SELECT rates_send('{"currency": "USD", "input": 3, "output": 15}');

-- cost: exact, in the currency of the rates
SELECT cost('{"currency": "USD", "input": 3, "cache_read": 0.3, "output": 15}'::rates, tokens(input => 800, cache_read => 200, output => 500));
SELECT cost('{"currency": "USD", "input": 3, "cache_write": 3.75, "output": 15}'::rates,
            tokens_from_anthropic('{"input_tokens": 3, "cache_creation_input_tokens": 12304, "cache_read_input_tokens": 0, "output_tokens": 550}'));
SELECT cost('{"currency": "USD", "input": 0.000000001}'::rates, tokens(input => 1)),
       cost('{"currency": "USD", "input": 0.000000001}'::rates, tokens(input => 9223372036854775807)),
       cost('{"currency": "USD", "input": 9223372036.854775807}'::rates, tokens(input => 9223372036854775807));
SELECT cost('{"currency": "USD", "input": 9223372036.854775807, "output": 9223372036.854775807}'::rates,
            '{"input": 9223372036854775807, "output": 9223372036854775807, "cache_read": 9223372036854775807}');

-- fallbacks: each meter without a rate takes its next, or the call has no price
SELECT m.meter, cost('{"currency": "USD", "input": 1, "output": 2}'::rates, format('{"%s": 1000000}', m.meter)::tokens) AS base,
       cost('{"currency": "USD", "input": 1, "cache_write": 3, "output": 2}'::rates, format('{"%s": 1000000}', m.meter)::tokens) AS with_write,
       cost('{"currency": "USD"}'::rates, format('{"%s": 1}', m.meter)::tokens) AS none,
       cost('{"currency": "USD"}'::rates, format('{"%s": 0}', m.meter)::tokens) AS none_of_zero
FROM meters() m;
-- a rate of 0 is a price, a missing rate is not
SELECT cost('{"currency": "USD", "input": 0, "output": 0}'::rates, tokens(input => 5, output => 7)) AS free,
       cost('{"currency": "USD", "input": 0}'::rates, tokens(input => 5, output => 7)) AS unpriced,
       cost('{"currency": "USD", "input": 1, "output": 0}'::rates, tokens(tool_calls => 1)) AS unpriced_tool,
       cost('{"currency": "USD"}'::rates, '{}') AS nothing, cost(NULL::rates, '{}');

-- factors: exact or refused
SELECT '{"currency": "USD", "input": 3, "output": 15}'::rates * 0.85 AS discounted, 1.100 * '{"currency": "USD", "input": 0.000000001}'::rates;
SELECT '{"currency": "USD", "input": 3}'::rates * 0, 2 * '{"currency": "USD", "input": 3}'::rates, '{"currency": "USD", "input": 3}'::rates * 1.100;
SELECT '{"currency": "USD", "input": 3}'::rates * (1.0 / 3);
SELECT '{"currency": "USD", "input": 9000000000}'::rates * 2;
SELECT '{"currency": "USD", "input": 3}'::rates * -1;
SELECT '{"currency": "USD", "input": 3}'::rates * 'NaN';
SELECT '{"currency": "USD", "input": 3}'::rates * 1e-30;

-- comparison, btree and hash
SELECT array_agg(r ORDER BY r) FROM (VALUES ('{"currency": "USD", "input": 2}'::rates), ('{"currency": "EUR", "input": 9}'), ('{"currency": "USD"}'), ('{"currency": "USD", "input": 0}')) v(r);
SELECT r, count(*) FROM (VALUES ('{"currency": "USD", "input": 2.0}'::rates), ('{"input": 2, "currency": "USD"}')) v(r) GROUP BY r;
CREATE TEMP TABLE k (r rates PRIMARY KEY);
INSERT INTO k VALUES ('{"currency": "USD", "input": 2}');
INSERT INTO k VALUES ('{"currency": "USD", "input": 2.0}');
SELECT rates_hash(r) = rates_hash('{"currency": "USD", "input": 2}') AS same_hash,
       rates_hash_extended(r, 7) = rates_hash_extended('{"currency": "USD", "input": 2}', 7) AS extended FROM k;

-- numbers of documents: 15 significant digits
SELECT round_float_noise(0.30000000000000004), round_float_noise(0.0000001), round_float_noise(3e-7), fits_rate(0.083333333333), fits_rate(0.3), fits_rate(-1), fits_rate(NULL),
       document_number('2.5000000000000002e-06', 1000000), document_number('"3e-7"', 1000000), document_number('"x"', 1), document_number('{}', 1);
