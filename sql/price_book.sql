-- The type price_book: making one, and its outside forms.
SET search_path = tokenomics, public;
SET timezone = 'UTC';

-- of any table with the columns; only provider, model, rates and valid are needed
CREATE TABLE p (model text, provider varchar(20), valid tstzrange, rates rates, note int);
INSERT INTO p VALUES
    ('m1', 'a', '[2026-01-01,2026-02-01)', '{"currency": "USD", "input": 1, "output": 2}'),
    ('m1', 'a', '[2026-02-01,)', '{"currency": "USD", "input": 0.5, "output": 2}'),
    ('m2', 'a', '(,2026-01-01 12:00]', '{"currency": "EUR", "input": 4}');
ALTER TABLE p DROP COLUMN note;
SELECT price_book(p) FROM p;
SELECT price_book(p), model_aliases(p) IS NULL AS no_alias FROM p WHERE false;
SELECT books(price_book(p)), price_book(p) = (SELECT price_book(q ORDER BY q.model DESC, q.valid) FROM p q) AS any_order FROM p;

-- outside forms give the same value
CREATE TABLE b AS SELECT price_book(p) AS book FROM p;
INSERT INTO b VALUES ('{}'), ('{"books": [{"book": "empty"}], "aliases": []}'),
    ('{"books": [{"book": "c", "prices": [{"provider": "a\"b", "model": "é", "rates": {"currency": "USD", "input": 1}, "valid": [null, "2026-01-01T00:00:00+02:00"],
       "tier_basis": "uncached", "tier_mode": "graduated", "service_tier": "batch", "above_input_tokens": 5, "off_peak": [[0, 5], [100, 10080]], "off_peak_zone": "Asia/Kolkata", "source": "s"}]}],
      "aliases": [{"alias": "^x(.*)$", "is_pattern": true, "to_model": "\\1"}, {"alias": "b", "provider": "a", "to_provider": "c", "to_model": "d"}]}');
SELECT book::text::price_book = book AS text_form, book::text = book::text::price_book::text AS same_text FROM b;
-- the name is the session's own: servers side by side share the folder
COPY b TO PROGRAM 'cat > /tmp/tokenomics_regress_book.$PPID.bin' (FORMAT binary);
CREATE TABLE c (book price_book);
COPY c FROM PROGRAM 'cat /tmp/tokenomics_regress_book.$PPID.bin; rm /tmp/tokenomics_regress_book.$PPID.bin' (FORMAT binary);
SELECT count(*) FROM b JOIN c ON b.book = c.book;
SELECT book FROM c WHERE books(book) = '{c}';

-- merging parts gives the whole
SELECT price_book_final(price_book(p)) = (SELECT price_book(q) FROM p q) AS merged FROM p;
SELECT (SELECT price_book(q) FROM p q) = overlay_books((SELECT price_book(q) FROM p q WHERE model = 'm1'), (SELECT price_book(q) FROM p q WHERE model = 'm2')) AS one_layer;

-- what is known now, and what was known then
ALTER TABLE p ADD book text DEFAULT 'list', ADD recorded tstzrange;
UPDATE p SET recorded = '[2026-01-05,)';
UPDATE p SET recorded = '[2026-01-01,2026-01-05)' WHERE model = 'm2';
SELECT cost(price_book(p), 'a', 'm2', '2025-01-01', tokens(input => 1000000)) AS now,
       cost(price_book(p, '2026-01-03'), 'a', 'm2', '2025-01-01', tokens(input => 1000000)) AS then,
       cost(price_book(p, '2025-01-03'), 'a', 'm2', '2025-01-01', tokens(input => 1000000)) AS before,
       cost(price_book(p, NULL), 'a', 'm1', '2026-01-05', tokens(input => 1000000)) AS null_is_now FROM p;

-- a second book in the rows
INSERT INTO p VALUES ('m1', 'a', '(,)', '{"currency": "USD", "input": 1, "output": 2}', 'contract');
SELECT price_book(p) FROM p;

-- rows that contradict each other or themselves
CREATE FUNCTION attempt(rows jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    PERFORM jsonb_build_object('books', jsonb_build_array(jsonb_build_object('book', 'list', 'prices', rows)))::text::price_book;
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN sqlstate || ' ' || sqlerrm || coalesce(' | ' || nullif(detail, ''), '');
END $$;
CREATE FUNCTION r(model text, VARIADIC more text[] DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS
$$ SELECT jsonb_build_object('provider', 'a', 'model', model, 'rates', '{"currency": "USD", "input": 1}'::jsonb) || coalesce(jsonb_object_agg(k, more[i + 1]::jsonb), '{}')
   FROM unnest(more) WITH ORDINALITY x(k, i) WHERE i % 2 = 1 $$;
SELECT attempt(jsonb_build_array(r('m'), r('m')));
SELECT attempt(jsonb_build_array(r('m', 'valid', '[null, "2026-01-01T00:00:00Z"]'), r('m', 'valid', '["2026-01-01T00:00:00Z", null]')));
SELECT attempt(jsonb_build_array(r('m', 'valid', '["2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"]')));
SELECT attempt(jsonb_build_array(r('m'), r('m', 'above_input_tokens', '5', 'tier_mode', '"graduated"')));
SELECT attempt(jsonb_build_array(r('m'), r('m', 'above_input_tokens', '5', 'tier_basis', '"uncached"')));
SELECT attempt(jsonb_build_array(r('m'), r('m', 'above_input_tokens', '5', 'rates', '{"currency": "EUR", "input": 1}')));
SELECT attempt(jsonb_build_array(r('m'), r('m', 'off_peak', '[[0, 100]]'), r('m', 'off_peak', '[[100, 200]]')));
SELECT attempt(jsonb_build_array(r('m'), r('m', 'off_peak', '[[0, 100]]'), r('m', 'off_peak', '[[99, 200]]')));
SELECT attempt(jsonb_build_array(r('m', 'off_peak', '[[0, 100]]'), r('m', 'service_tier', '"batch"', 'off_peak', '[[0, 100]]', 'off_peak_zone', '"Asia/Tokyo"')));
SELECT attempt(jsonb_build_array(r('m', 'off_peak', '[[0, 10081]]')));
SELECT attempt(jsonb_build_array(r('m', 'off_peak', '[[5, 5]]')));
SELECT attempt(jsonb_build_array(r('m', 'off_peak', '[[5, 6]]', 'off_peak_zone', '"Mars/Olympus"')));
SELECT attempt(jsonb_build_array(r('')));
DROP TABLE p, b, c;
DROP FUNCTION attempt, r;

-- wrong columns
SELECT price_book(x) FROM (SELECT 1 AS provider) x;
SELECT price_book(x) FROM (SELECT 'a'::text AS provider, 'm'::text AS model, '{}'::text AS rates, tstzrange(NULL, NULL) AS valid) x;
SELECT price_book(x) FROM (SELECT 'a'::text AS provider, 'm'::text AS model) x;
SELECT price_book(x) FROM (SELECT 'a'::text AS provider, NULL::text AS model, '{"currency": "USD"}'::rates AS rates, tstzrange(NULL, NULL) AS valid) x;
SELECT price_book(x) FROM (SELECT 'a'::text AS provider, 'm'::text AS model, NULL::rates AS rates, tstzrange(NULL, NULL) AS valid) x;
SELECT price_book(x) FROM (SELECT 'a'::text AS provider, 'm'::text AS model, '{"currency": "USD"}'::rates AS rates, 'empty'::tstzrange AS valid) x;
SELECT price_book_add(NULL, ROW(1));
