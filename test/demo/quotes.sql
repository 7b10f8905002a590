\echo 'What would the agent cost elsewhere? Its work of June 2026, minute by minute, is kept by name, so that offers'
\echo 'of today and of next year are judged on the same work:'
SELECT measure_workload('coder in June', '2026-06-01 00:00 Europe/Berlin', '2026-07-01 00:00 Europe/Berlin', agent => 'coder') AS calls;
SELECT turns, sessions, users, tokens, round(peak_to_average(profile, 'minute')::numeric, 1) AS peak_to_average FROM workload;

INSERT INTO quote (name, kind, vendor, quoted_at, provider, model, book, tokenizer_factor, tokenizer_factor_assumed, commitment, commitment_discount, source) VALUES
    ('Opus, list', 'tokens', 'Anthropic', '2026-06-30 12:00Z', 'anthropic', 'claude-opus-4-1', 'list', 1, false, NULL, NULL, 'price list'),
    ('Opus, our contract', 'tokens', 'Anthropic', '2026-06-30 12:00Z', 'anthropic', 'claude-opus-4-1', 'contract', 1, false, NULL, NULL, 'contract'),
    ('Opus, committed', 'tokens', 'Anthropic', '2026-06-30 12:00Z', 'anthropic', 'claude-opus-4-1', 'list', 1, false, 1000, 0.15, 'offer of June'),
    ('Sonnet', 'tokens', 'Anthropic', '2026-06-30 12:00Z', 'anthropic', 'claude-sonnet-4-5', 'list', 1, false, NULL, NULL, 'price list'),
    ('GPT-5', 'tokens', 'OpenAI', '2026-06-30 12:00Z', 'openai', 'gpt-5', 'list', 0.85, true, NULL, NULL, 'price list');
INSERT INTO quote (name, kind, vendor, quoted_at, provider, model, currency, units, units_min, units_increment, price_per_unit_month, tokens_per_minute_per_unit, cache_read_weight, output_weight, spillover_book) VALUES
    ('15 units', 'provisioned', 'Azure', '2026-06-30 12:00Z', 'openai', 'gpt-4.1', 'USD', 15, 15, 5, 260, 3000, 0, 4, 'list'),
    ('units for the peak', 'provisioned', 'Azure', '2026-06-30 12:00Z', 'openai', 'gpt-4.1', 'USD', NULL, 15, 5, 260, 3000, 0, 4, NULL);
INSERT INTO quote (name, kind, vendor, quoted_at, currency, price_per_gpu_hour, gpus_min, gpus_step, utilization_ceiling, source) VALUES
    ('H200 with GLM-5', 'gpu_hour', 'Neocloud', '2026-06-30 12:00Z', 'USD', 1.60, 8, 8, 0.6, 'InferenceX, February 2026: FP8, 8,192 tokens in and 128 out'),
    ('H200 with MiniMax', 'gpu_hour', 'Neocloud', '2026-06-30 12:00Z', 'EUR', 1.45, 8, 8, 0.6, 'InferenceX, February 2026: 1,024 tokens in and 128 out');
INSERT INTO operating_point (quote, concurrency, interactivity, input_tokens_per_second, output_tokens_per_second) VALUES
    ('H200 with GLM-5', 4, 22.2, 717.3, 9.0), ('H200 with GLM-5', 8, 13.9, 860.4, 10.8), ('H200 with GLM-5', 16, 7.1, 954.2, 11.9),
    ('H200 with MiniMax', 4, 73.4, 211.7, 26.5), ('H200 with MiniMax', 8, 61.7, 373.4, 46.7), ('H200 with MiniMax', 48, 41.2, 1162.0, 145.2), ('H200 with MiniMax', 64, 34.8, 1335.8, 167.0);

\echo 'Nine offers by the token, by the GPU-hour and of provisioned throughput, against the list:'
SELECT rank, quote, kind, round(cost_per_mtok_converted, 3) AS usd_per_mtok, round(monthly_bill_converted, 2) AS usd_a_month, round(cost_per_turn, 4) AS per_turn, currency, round(units_needed, 2) AS needed, units,
       round(idle_share, 3) AS idle, spillover_tokens AS spillover, break_even_volumes[1] AS break_even
FROM compare_quotes('coder in June', baseline => 'Opus, list');

\echo 'One of them, step by step:'
SELECT * FROM explain_quote('15 units', 'coder in June');
