-- The type tokens.
SET search_path = tokenomics, public;

-- text form
SELECT t::tokens FROM (VALUES
    ('{}'), ('{"input": 0}'), (' { "output" : 300 , "input":1200 } '), ('{"input": 1e3}'), ('{"input": 12.0}'),
    ('{"input": null, "output": 1}'), ('{"input": 9223372036854775807}'),
    ('{"tool_calls": 2, "cache_storage": 7, "reasoning": 5, "cache_read": 1}')) v(t);

-- absent and zero differ
SELECT '{"input": 1}'::tokens = '{"input": 1, "output": 0}'::tokens AS same,
       '{"input": 1, "output": 0}'::tokens -> 'output' AS zero, '{"input": 1}'::tokens -> 'output' AS absent;

-- constructor: its arguments are the meters, in the order of the list
SELECT tokens(input => 1200, cache_read => 800, output => 300), tokens(), tokens(reasoning => 5, input => NULL);
SELECT array_agg(meter) = (SELECT proargnames FROM pg_proc WHERE oid = 'tokens(bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint)'::regprocedure) AS arguments_are_meters
FROM (SELECT meter FROM meters() WITH ORDINALITY ORDER BY ordinality) m;
SELECT * FROM meters();

-- accessors
SELECT total(t), input_total(t), output_total(t), meter(t, 'reasoning'), t -> 'tool_calls' AS tool_calls
FROM (SELECT '{"input": 1, "cache_read": 2, "cache_write": 4, "cache_write_1h": 8, "audio_input": 16, "image_input": 32,
               "output": 64, "reasoning": 128, "audio_output": 256, "image_output": 512,
               "tool_calls": 1024, "cache_storage": 2048}'::tokens AS t) x;
SELECT total('{}'), total(NULL), input_total('{"output": 3}');
SELECT tokens(input => 1) -> 'inputs';
SELECT total('{"input": 9223372036854775807, "output": 1}');

-- arithmetic
SELECT tokens(input => 5) + tokens(input => 1, output => 2) AS plus,
       tokens(input => 5, output => 2) - tokens(input => 5) AS minus,
       tokens(input => 5) - tokens(output => 0) AS minus_absent;
SELECT tokens(input => 5) - tokens(input => 6);
SELECT tokens(input => 5) - tokens(output => 1);
SELECT tokens(input => 9223372036854775807) + tokens(input => 1);
SELECT tokens(input => -1);

-- aggregate
SELECT sum(t) FROM (VALUES ('{"input": 1}'::tokens), ('{"output": 2}'), (NULL), ('{"input": 3, "output": 0}')) v(t);
SELECT sum(t) FROM (SELECT NULL::tokens AS t WHERE false) v;
SELECT sum(NULL::tokens);
SELECT sum(t) FROM (VALUES ('{"input": 9223372036854775807}'::tokens), ('{"input": 1}')) v(t);
SELECT i, sum(tokens(input => i)) OVER (ORDER BY i) FROM generate_series(1, 3) i;
SELECT i, sum(tokens(input => i)) OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM generate_series(1, 3) i;
SELECT tokens_accum(tokens(input => 1), tokens(input => 1));

-- jsonb
SELECT '{"input": 5, "output": 0}'::tokens::jsonb, '{"output": 7.0, "input": null}'::jsonb::tokens;
SELECT '[1]'::jsonb::tokens;
SELECT '{"input": true}'::jsonb::tokens;

-- binary
SELECT tokens_send('{"input": 1200, "cache_read": 800, "output": 300}');
CREATE TEMP TABLE b (t tokens);
INSERT INTO b VALUES ('{}'), ('{"input": 0}'), ('{"input": 9223372036854775807, "cache_storage": 1}'), (NULL);
-- the name is the session's own: servers side by side share the folder
COPY b TO PROGRAM 'cat > /tmp/tokenomics_regress_tokens.$PPID.bin' (FORMAT binary);
CREATE TEMP TABLE c (t tokens);
COPY c FROM PROGRAM 'cat /tmp/tokenomics_regress_tokens.$PPID.bin; rm /tmp/tokenomics_regress_tokens.$PPID.bin' (FORMAT binary);
SELECT count(*) FROM b JOIN c ON b.t = c.t OR (b.t IS NULL AND c.t IS NULL);

-- a typical call takes less than 20 bytes in a row
INSERT INTO b VALUES ('{"input": 1200, "cache_read": 80000, "output": 300, "reasoning": 1200}');
SELECT pg_column_size(t) AS bytes, pg_column_size(t) < 20 AS small FROM b WHERE t -> 'reasoning' IS NOT NULL;

-- every set of common meters, alone and with another meter, in every width: out of a row and not
CREATE TEMP TABLE stored AS
SELECT j, j::tokens AS t
FROM generate_series(0, 31) common, unnest(ARRAY[0, 32, 2048]) other, generate_series(1, 8) width,
    LATERAL (SELECT coalesce(jsonb_object_agg(meter, (2 ^ (8 * width - 2))::bigint + n), '{}') AS j
             FROM meters() WITH ORDINALITY m (meter, side, fallback, n) WHERE (common | other) >> (n - 1)::int & 1 = 1) x;
SELECT count(*), count(DISTINCT pg_column_size(t)) AS sizes, count(*) FILTER (WHERE t::jsonb = j) AS out_of_a_row,
       count(*) FILTER (WHERE (j::tokens)::jsonb = j) AS made
FROM stored;

-- comparison, btree and hash
SELECT array_agg(t ORDER BY t) FROM (VALUES ('{"input": 2}'::tokens), ('{}'), ('{"input": 0}'), ('{"output": 1}'), ('{"input": 2, "output": 1}')) v(t);
SELECT t FROM (VALUES ('{"input": 2}'::tokens), ('{"input": 2}'), ('{"input": 2, "output": 0}')) v(t) GROUP BY t ORDER BY t;
CREATE TEMP TABLE k (t tokens PRIMARY KEY);
INSERT INTO k VALUES ('{"input": 1}');
INSERT INTO k VALUES ('{"input": 1}');
SELECT tokens_hash('{"input": 1}') = tokens_hash(tokens(input => 1)) AS same_hash,
       tokens_hash_extended('{"input": 1}', 0) & 4294967295 = tokens_hash('{"input": 1}')::bigint & 4294967295 AS extended;
SET enable_hashjoin = on; SET enable_mergejoin = off; SET enable_nestloop = off;
SELECT count(*) FROM k a JOIN k b USING (t);
SET enable_hashjoin = off; SET enable_mergejoin = on;
SELECT count(*) FROM k a JOIN k b USING (t);
RESET ALL;
