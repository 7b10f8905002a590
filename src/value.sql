-- What a token is worth: quality, speed and cost side by side, a frontier of
-- what is worth buying, cost per success, and the margin of who resells tokens.

CREATE FUNCTION pareto(VARIADIC measures numeric[]) RETURNS boolean
    AS 'MODULE_PATHNAME', 'on_frontier' LANGUAGE C WINDOW IMMUTABLE;
COMMENT ON FUNCTION pareto(numeric[]) IS
    'window function: whether no row of the partition is at least as good by every measure and better by one (the Pareto frontier); more is better: negate a cost; NULL where a measure is not known';

CREATE FUNCTION dominated_by(label text, VARIADIC measures numeric[]) RETURNS text
    AS 'MODULE_PATHNAME' LANGUAGE C WINDOW IMMUTABLE;
COMMENT ON FUNCTION dominated_by(text, numeric[]) IS
    'window function: the label of a row on the frontier that is at least as good by every measure and better by one: of several the best by the first measure, then the second; NULL on the frontier, and where a measure is not known';

CREATE FUNCTION interactivity(visible_tokens bigint, ttft integer, duration integer) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION interactivity(bigint, integer, integer) IS
    'tokens a second that a user sees once the first one is there: (visible_tokens - 1) / (duration - ttft), times in milliseconds; NULL of fewer than two tokens, and where no time went by';

CREATE FUNCTION cost_per_success(
    trials bigint,
    successes bigint,
    cost numeric,
    cost_squares numeric,
    cost_of_successes numeric,
    OUT cost_per_success numeric,
    OUT lower_95 double precision,
    OUT upper_95 double precision
)
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION cost_per_success(bigint, bigint, numeric, numeric, numeric) IS
    'the cost of all trials over their successes, NULL where none succeeded, with its 95 % interval (Fieller 1954), NULL where too few did for it to have an end; from the number of trials and successes, and the sums of the costs of the trials, of their squares, and of those that succeeded';

-- Makes the tables, views and functions in the schema that comes first in
-- search_path; called by install().
CREATE PROCEDURE install_value() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE TABLE IF NOT EXISTS model_quality (
        provider text NOT NULL,
        model text NOT NULL,
        task text NOT NULL,
        version text NOT NULL DEFAULT '',
        measured_on date NOT NULL,
        score numeric NOT NULL,
        output_factor numeric,
        tokenizer_factor numeric,
        source text NOT NULL,
        PRIMARY KEY (provider, model, task, version, measured_on),
        CONSTRAINT model_quality_names_not_empty CHECK (provider <> '' AND model <> '' AND task <> '' AND source <> ''),
        CONSTRAINT model_quality_date_finite CHECK (isfinite(measured_on)),
        CONSTRAINT model_quality_score_finite CHECK (score > '-infinity' AND score < 'infinity'),
        CONSTRAINT model_quality_factors_positive
            CHECK (output_factor > 0 AND output_factor < 'infinity' AND tokenizer_factor > 0 AND tokenizer_factor < 'infinity')
    );
    COMMENT ON TABLE model_quality IS 'tokenomics: how good a model is at a task: scores with date and source, as many as there are; the latest of each version counts';
    COMMENT ON COLUMN model_quality.provider IS 'provider of the model';
    COMMENT ON COLUMN model_quality.model IS 'model, as calls or prices name it';
    COMMENT ON COLUMN model_quality.task IS 'what was measured, such as a benchmark; scores of one task are compared with each other';
    COMMENT ON COLUMN model_quality.version IS 'version of the task; scores of different versions are not compared';
    COMMENT ON COLUMN model_quality.measured_on IS 'when';
    COMMENT ON COLUMN model_quality.score IS 'how good it was; more is better';
    COMMENT ON COLUMN model_quality.output_factor IS 'how many output tokens it needs for the task, against a model of factor 1; NULL: not measured, 1 is assumed';
    COMMENT ON COLUMN model_quality.tokenizer_factor IS 'how many tokens the same text has, against a model of factor 1; NULL: not measured, 1 is assumed';
    COMMENT ON COLUMN model_quality.source IS 'who measured it, and where it is published';

    CREATE TABLE IF NOT EXISTS turn_outcome (
        turn_id text PRIMARY KEY,
        succeeded boolean NOT NULL,
        judged_at timestamptz NOT NULL DEFAULT now(),
        judged_by text,
        CONSTRAINT turn_outcome_turn_not_empty CHECK (turn_id <> '')
    );
    COMMENT ON TABLE turn_outcome IS 'tokenomics: what came of a turn: whether the user got what was asked for';
    COMMENT ON COLUMN turn_outcome.turn_id IS 'the turn, as in usage';
    COMMENT ON COLUMN turn_outcome.succeeded IS 'whether it was of use';
    COMMENT ON COLUMN turn_outcome.judged_at IS 'when that was found';
    COMMENT ON COLUMN turn_outcome.judged_by IS 'who or what found it: a user, a test, a model';

    CREATE OR REPLACE FUNCTION priced_model(provider text, model text, at timestamptz DEFAULT now())
        RETURNS TABLE (priced_provider text, priced_model text)
        LANGUAGE sql STABLE SET search_path FROM CURRENT
    AS $$
        SELECT e.provider, e.model
        FROM tokenomics.explain_cost((SELECT book()), priced_model.provider, priced_model.model, priced_model.at, '{"input": 1}') e
        WHERE e.priced_by = 'contracted' AND e.model IS NOT NULL
        LIMIT 1
    $$;
    COMMENT ON FUNCTION priced_model(text, text, timestamptz) IS
        'the provider and model whose price a name leads to, through aliases; no row where it leads to none';

    CREATE OR REPLACE FUNCTION latest_quality(provider text, model text, on_date date)
        RETURNS SETOF model_quality
        LANGUAGE sql STABLE ROWS 3 SET search_path FROM CURRENT
    AS $$
        -- what is measured of the name itself comes before what is of the priced model
        SELECT DISTINCT ON (q.task, q.version) q.*
        FROM (SELECT 0 AS nearness, latest_quality.provider AS provider, latest_quality.model AS model
              UNION ALL
              SELECT 1, p.priced_provider, p.priced_model FROM priced_model(latest_quality.provider, latest_quality.model, latest_quality.on_date::timestamp AT TIME ZONE 'UTC') p) n
        JOIN model_quality q ON q.provider = n.provider AND q.model = n.model
        WHERE q.measured_on <= latest_quality.on_date
        ORDER BY q.task, q.version, n.nearness, q.measured_on DESC
    $$;
    COMMENT ON FUNCTION latest_quality(text, text, date) IS
        'the rows of model_quality that hold for a model on a day: for each task and version the last one of its name, else of the model whose price it has';

    CREATE OR REPLACE FUNCTION outcome_cost_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        month date,
        scope text,
        project text,
        provider text,
        model text,
        turns bigint,
        judged_turns bigint,
        unpriced_turns bigint,
        successes bigint,
        success_rate numeric,
        reporting_currency text,
        cost numeric,
        cost_per_turn numeric,
        cost_per_successful_turn numeric,
        lower_95 double precision,
        upper_95 double precision
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(outcome_cost_between.zone, (SELECT s.zone FROM setting s));
        reporting text := (SELECT s.currency FROM setting s);
        first timestamptz := coalesce(from_at, '-infinity');
        behind timestamptz := coalesce(to_at, 'infinity');
    BEGIN
        RETURN QUERY
        WITH price AS MATERIALIZED (
            SELECT book() AS book
        ), call AS MATERIALIZED (
            -- a turn lies where its first call does, and is over within 7 days
            SELECT u.turn_id, u.at, u.request_id, u.project, u.provider, u.model, u.calls, u.tokens,
                   tokenomics.cost(p.book, u.provider, u.model, u.at, u.tokens, u.service_tier) AS cost,
                   tokenomics.currency(p.book, u.provider, u.model, u.at, u.tokens, u.service_tier) AS currency
            FROM usage u, price p
            WHERE u.turn_id IS NOT NULL
              AND u.at >= first - interval '168 hours' AND u.at < behind + interval '168 hours'
        ), turn AS MATERIALIZED (
            SELECT f.turn_id, f.at, f.project, f.provider, f.model, s.cost, o.succeeded
            FROM (SELECT DISTINCT ON (c.turn_id) c.* FROM call c ORDER BY c.turn_id, c.at, c.request_id) f
            -- only what was judged has a cost here, and only another currency a rate
            LEFT JOIN (SELECT c.turn_id,
                              -- all of it or nothing: failed calls report no tokens, and cost nothing
                              CASE WHEN bool_and(c.tokens IS NULL OR x.cost IS NOT NULL) THEN coalesce(sum(x.cost), 0) END AS cost
                       FROM call c, LATERAL (SELECT CASE WHEN c.currency = reporting THEN c.cost
                                                         ELSE convert_currency(c.cost, c.currency, reporting, (c.at AT TIME ZONE in_zone)::date) END AS cost) x
                       WHERE c.turn_id IN (SELECT o.turn_id FROM turn_outcome o)
                       GROUP BY c.turn_id) s ON s.turn_id = f.turn_id
            LEFT JOIN turn_outcome o ON o.turn_id = f.turn_id
            WHERE f.at >= first AND f.at < behind
        ), grouped AS (
            SELECT (tokenomics.period_start('month', in_zone, t.at) AT TIME ZONE in_zone)::date AS month,
                   CASE WHEN grouping(t.project) = 0 THEN 'project' WHEN grouping(t.model) = 0 THEN 'model' ELSE 'total' END AS scope,
                   t.project, t.provider, t.model, count(*) AS turns, count(t.succeeded) AS judged_turns,
                   count(*) FILTER (WHERE t.succeeded IS NOT NULL AND t.cost IS NULL) AS unpriced_turns,
                   count(*) FILTER (WHERE t.succeeded IS NOT NULL AND t.cost IS NOT NULL) AS trials,
                   count(*) FILTER (WHERE t.succeeded AND t.cost IS NOT NULL) AS successes,
                   count(*) FILTER (WHERE t.succeeded) AS all_successes,
                   coalesce(sum(t.cost) FILTER (WHERE t.succeeded IS NOT NULL), 0) AS cost,
                   coalesce(sum(t.cost * t.cost) FILTER (WHERE t.succeeded IS NOT NULL), 0) AS cost_squares,
                   coalesce(sum(t.cost) FILTER (WHERE t.succeeded), 0) AS cost_of_successes
            FROM turn t
            GROUP BY GROUPING SETS ((1), (1, 3), (1, 4, 5))
        )
        SELECT g.month, g.scope, g.project, g.provider, g.model, g.turns, g.judged_turns, g.unpriced_turns, g.all_successes,
               trim_scale(round(g.all_successes::numeric / nullif(g.judged_turns, 0), 12)), reporting,
               CASE WHEN g.trials > 0 THEN g.cost END, trim_scale(round(g.cost / nullif(g.trials, 0), 12)),
               s.cost_per_success, s.lower_95, s.upper_95
        FROM grouped g, LATERAL tokenomics.cost_per_success(g.trials, g.successes, g.cost, g.cost_squares, g.cost_of_successes) s
        ORDER BY g.month, g.scope DESC, g.project, g.provider, g.model;
    END
    $$;
    COMMENT ON FUNCTION outcome_cost_between(timestamptz, timestamptz, text) IS
        'the rows of outcome_cost of the turns whose first call lies from from_at up to, not including, to_at, by the months of the zone; NULL: no limit, and the zone of "setting"';
    CREATE OR REPLACE VIEW outcome_cost WITH (security_invoker = true) AS SELECT * FROM outcome_cost_between();
    COMMENT ON VIEW outcome_cost IS
        'tokenomics: what a success costs, by month, project and model: the contracted cost of all turns with an outcome over those that succeeded; a turn lies where its first call does';
    COMMENT ON COLUMN outcome_cost.month IS 'first day of the month, in the reporting zone';
    COMMENT ON COLUMN outcome_cost.scope IS 'total, project or model';
    COMMENT ON COLUMN outcome_cost.project IS 'project of the turn''s first call; NULL in the other scopes, and where it has none';
    COMMENT ON COLUMN outcome_cost.provider IS 'provider of the turn''s first call';
    COMMENT ON COLUMN outcome_cost.model IS 'model of the turn''s first call';
    COMMENT ON COLUMN outcome_cost.turns IS 'number of turns';
    COMMENT ON COLUMN outcome_cost.judged_turns IS 'those with an outcome';
    COMMENT ON COLUMN outcome_cost.unpriced_turns IS 'those with an outcome that no cost is known of: a call has no price, or no exchange rate; they are left out of all costs';
    COMMENT ON COLUMN outcome_cost.successes IS 'turns that succeeded';
    COMMENT ON COLUMN outcome_cost.success_rate IS 'successes of judged_turns, a fraction';
    COMMENT ON COLUMN outcome_cost.reporting_currency IS 'currency of the costs, each turn converted at its day''s rate';
    COMMENT ON COLUMN outcome_cost.cost IS 'cost of the turns with an outcome';
    COMMENT ON COLUMN outcome_cost.cost_per_turn IS 'the same for one of them';
    COMMENT ON COLUMN outcome_cost.cost_per_successful_turn IS 'the same for one that succeeded: failures are paid for too; NULL where none did';
    COMMENT ON COLUMN outcome_cost.lower_95 IS 'lower end of its 95 % interval';
    COMMENT ON COLUMN outcome_cost.upper_95 IS 'upper end of its 95 % interval; NULL where too few turns succeeded for it to have one';

    CREATE OR REPLACE FUNCTION value_grid_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        month date,
        task text,
        version text,
        is_measured boolean,
        provider text,
        model text,
        score numeric,
        measured_on date,
        calls bigint,
        tokens bigint,
        reporting_currency text,
        cost_per_mtok numeric,
        cost_per_mtok_visible_output numeric,
        timed_calls bigint,
        interactivity double precision,
        interactivity_slow double precision,
        time_to_first_answer integer,
        is_on_frontier boolean,
        dominated_by text
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(value_grid_between.zone, (SELECT s.zone FROM setting s));
        reporting text := (SELECT s.currency FROM setting s);
        first timestamptz := coalesce(from_at, '-infinity');
        behind timestamptz := coalesce(to_at, 'infinity');
    BEGIN
        RETURN QUERY
        WITH spent AS MATERIALIZED (
            SELECT (l.period AT TIME ZONE in_zone)::date AS month, l.provider, l.model, sum(l.calls)::bigint AS calls,
                   tokenomics.sum(l.tokens) AS tokens,
                   -- in one currency, or not at all
                   CASE WHEN bool_and(x.cost IS NOT NULL) THEN sum(x.cost) END AS cost
            FROM spend_lines('month', from_at, to_at, in_zone) l,
                 LATERAL (SELECT convert_currency(l.effective_cost, l.currency, reporting, (l.period AT TIME ZONE in_zone)::date, 'month') AS cost) x
            WHERE l.charge_category IN ('Usage', 'Purchase') AND l.unpriced IS NULL AND l.model IS NOT NULL
            GROUP BY 1, 2, 3
        ), timed AS MATERIALIZED (
            SELECT (t.period AT TIME ZONE in_zone)::date AS month, t.provider, t.model, count(*) AS calls,
                   percentile_disc(0.5) WITHIN GROUP (ORDER BY t.speed) AS median,
                   percentile_disc(0.05) WITHIN GROUP (ORDER BY t.speed) AS slow,
                   percentile_disc(0.5) WITHIN GROUP (ORDER BY t.ttft) AS first_answer
            FROM (SELECT tokenomics.period_start('month', in_zone, u.at) AS period, u.provider, u.model, u.ttft,
                         tokenomics.interactivity(tokenomics.meter(u.tokens, 'output'), u.ttft, u.duration) AS speed
                  FROM usage u
                  WHERE u.at >= first AND u.at < behind AND u.ttft IS NOT NULL AND u.duration IS NOT NULL
                    AND u.calls = 1 AND u.service_tier IS DISTINCT FROM 'batch') t
            WHERE t.speed IS NOT NULL
            GROUP BY 1, 2, 3
        ), scored AS (
            SELECT s.*, q.task, q.version, false AS is_measured, q.score, q.measured_on
            FROM spent s, LATERAL latest_quality(s.provider, s.model, (s.month + interval '1 month')::date) q
            UNION ALL
            SELECT s.*, 'turn outcomes', '', true, o.success_rate, NULL
            FROM spent s JOIN outcome_cost_between(from_at, to_at, in_zone) o
                ON o.scope = 'model' AND o.month = s.month AND o.provider = s.provider AND o.model = s.model AND o.judged_turns > 0
        ), measured AS (
            SELECT c.*, t.calls AS timed_calls, t.median, t.slow, t.first_answer,
                   tokenomics.cost_per_mtok(c.cost, tokenomics.total(c.tokens)) AS per_mtok,
                   -- a measure that nobody has sets nobody apart
                   CASE WHEN bool_or(t.median IS NOT NULL) OVER (PARTITION BY c.month, c.task, c.version) THEN t.median::numeric ELSE 0 END AS speed
            FROM scored c LEFT JOIN timed t ON t.month = c.month AND t.provider = c.provider AND t.model = c.model
        )
        SELECT m.month, m.task, m.version, m.is_measured, m.provider, m.model, m.score, m.measured_on, m.calls, tokenomics.total(m.tokens),
               reporting, m.per_mtok,
               tokenomics.cost_per_mtok(m.cost, tokenomics.output_total(m.tokens) - coalesce(tokenomics.meter(m.tokens, 'reasoning'), 0)),
               coalesce(m.timed_calls, 0), m.median, m.slow, m.first_answer,
               tokenomics.pareto(m.score, m.speed, - m.per_mtok) OVER w,
               tokenomics.dominated_by(m.provider || '/' || m.model, m.score, m.speed, - m.per_mtok) OVER w
        FROM measured m
        WINDOW w AS (PARTITION BY m.month, m.task, m.version ORDER BY m.provider, m.model ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
        ORDER BY m.month, m.is_measured DESC, m.task, m.version, m.score DESC, m.provider, m.model;
    END
    $$;
    COMMENT ON FUNCTION value_grid_between(timestamptz, timestamptz, text) IS
        'the rows of value_grid of the calls from from_at up to, not including, to_at, by the months of the zone; NULL: no limit, and the zone of "setting"';
    CREATE OR REPLACE VIEW value_grid WITH (security_invoker = true) AS SELECT * FROM value_grid_between();
    COMMENT ON VIEW value_grid IS
        'tokenomics: what a token is worth, by month, task and model in use: quality, measured speed, and cost on this workload, with the frontier of what is worth buying; what is measured here (turn outcomes) comes before benchmarks';
    COMMENT ON COLUMN value_grid.month IS 'first day of the month, in the reporting zone';
    COMMENT ON COLUMN value_grid.task IS 'task of the score, from model_quality; "turn outcomes": the success rate of outcome_cost';
    COMMENT ON COLUMN value_grid.version IS 'version of the task';
    COMMENT ON COLUMN value_grid.is_measured IS 'whether the score was measured here, on turns';
    COMMENT ON COLUMN value_grid.provider IS 'provider of the calls';
    COMMENT ON COLUMN value_grid.model IS 'model, as the calls name it';
    COMMENT ON COLUMN value_grid.score IS 'how good it is at the task: the last score up to the end of the month; more is better';
    COMMENT ON COLUMN value_grid.measured_on IS 'when the score is from';
    COMMENT ON COLUMN value_grid.calls IS 'number of calls that have a cost';
    COMMENT ON COLUMN value_grid.tokens IS 'their tokens';
    COMMENT ON COLUMN value_grid.reporting_currency IS 'currency of the costs';
    COMMENT ON COLUMN value_grid.cost_per_mtok IS 'effective cost per million of these tokens, at the month''s exchange rate; NULL where there is none';
    COMMENT ON COLUMN value_grid.cost_per_mtok_visible_output IS 'the same, input and reasoning included, per million output tokens that are not reasoning';
    COMMENT ON COLUMN value_grid.timed_calls IS 'calls of which interactivity is known: no batch, no sums of several';
    COMMENT ON COLUMN value_grid.interactivity IS 'tokens a second that a user sees after the first one: the median call';
    COMMENT ON COLUMN value_grid.interactivity_slow IS 'the same of the slow tail: 5 % of the calls are not faster';
    COMMENT ON COLUMN value_grid.time_to_first_answer IS 'milliseconds to the first visible token: the median call';
    COMMENT ON COLUMN value_grid.is_on_frontier IS 'whether no other model of the task is at least as good, as fast and as cheap, and better by one of them; NULL where one of these is not known';
    COMMENT ON COLUMN value_grid.dominated_by IS 'a model that is, as provider/model; NULL on the frontier';

    CREATE OR REPLACE FUNCTION overspend(
        project text,
        task text,
        minimum_score numeric,
        minimum_interactivity double precision DEFAULT NULL,
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        version text DEFAULT NULL
    ) RETURNS TABLE (
        rank bigint,
        provider text,
        model text,
        meets_need boolean,
        reason text,
        score numeric,
        interactivity double precision,
        output_factor numeric,
        tokenizer_factor numeric,
        factors_assumed boolean,
        calls bigint,
        tokens bigint,
        reporting_currency text,
        actual_cost numeric,
        cost numeric,
        overspend numeric
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := (SELECT s.zone FROM setting s);
        reporting text := (SELECT s.currency FROM setting s);
        -- the last complete month, where nothing else is asked for
        first timestamptz := coalesce(from_at, tokenomics.period_start('month', in_zone, tokenomics.period_start('month', in_zone, coalesce(to_at, now())) - interval '1 microsecond'));
        behind timestamptz := coalesce(to_at, tokenomics.period_end('month', in_zone, first));
        today date := (least(behind - interval '1 microsecond', now()) AT TIME ZONE in_zone)::date;
    BEGIN
        IF overspend.task IS NULL OR overspend.minimum_score IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'null_value_not_allowed',
                MESSAGE = 'a need has a task and a minimum score',
                HINT = 'As in overspend(''helpdesk'', ''tau2-retail'', 70, minimum_interactivity => 30).';
        END IF;
        IF NOT EXISTS (SELECT FROM model_quality q WHERE q.task = overspend.task AND (overspend.version IS NULL OR q.version = overspend.version)) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'undefined_object',
                MESSAGE = format(CASE WHEN overspend.version IS NULL THEN 'no quality is known of task "%s"' ELSE 'no quality is known of task "%s", version "%s"' END, overspend.task, overspend.version),
                HINT = coalesce('The tasks are: ' || (SELECT string_agg(DISTINCT format('"%s"', q.task), ', ') FROM model_quality q) || '.', 'Add rows to model_quality.');
        END IF;
        IF overspend.version IS NULL AND (SELECT count(DISTINCT q.version) FROM model_quality q WHERE q.task = overspend.task) > 1 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('task "%s" has several versions, whose scores are not comparable', overspend.task),
                HINT = 'Name one: ' || (SELECT string_agg(DISTINCT format('version => ''%s''', q.version), ' or ') FROM model_quality q WHERE q.task = overspend.task) || '.';
        END IF;

        RETURN QUERY
        WITH price AS MATERIALIZED (
            SELECT book() AS book
        ), called AS MATERIALIZED (
            SELECT u.at, u.provider, u.model, coalesce(u.service_tier, 'standard') AS service_tier, u.tokens, u.calls
            FROM usage u
            WHERE u.at >= first AND u.at < behind AND u.project IS NOT DISTINCT FROM overspend.project AND u.tokens IS NOT NULL
        ), factor AS MATERIALIZED (
            -- what the models that served them need themselves: asked once for each
            SELECT m.provider, m.model, q.output_factor, q.tokenizer_factor, q.output_factor IS NOT NULL AND q.tokenizer_factor IS NOT NULL AS is_known
            FROM (SELECT DISTINCT c.provider, c.model FROM called c) m, LATERAL latest_quality(m.provider, m.model, today) q
            WHERE q.task = overspend.task AND (overspend.version IS NULL OR q.version = overspend.version)
        ), call AS NOT MATERIALIZED (
            SELECT c.*, coalesce(f.output_factor, 1) AS output_factor, coalesce(f.tokenizer_factor, 1) AS tokenizer_factor, f.is_known
            FROM called c LEFT JOIN factor f ON f.provider = c.provider AND f.model = c.model
        ), speed AS MATERIALIZED (
            -- measured on the calls of all
            SELECT u.provider, u.model, tokenomics.interactivity(tokenomics.meter(u.tokens, 'output'), u.ttft, u.duration) AS speed
            FROM usage u
            WHERE u.at >= first AND u.at < behind AND u.ttft IS NOT NULL AND u.duration IS NOT NULL
              AND u.calls = 1 AND u.service_tier IS DISTINCT FROM 'batch'
        ), name AS (
            SELECT DISTINCT s.provider AS called_provider, s.model AS called_model, x.provider, x.model
            FROM (SELECT DISTINCT s.provider, s.model FROM speed s) s,
                 LATERAL (SELECT s.provider, s.model
                          UNION
                          SELECT p.priced_provider, p.priced_model FROM priced_model(s.provider, s.model, behind - interval '1 microsecond') p) x
        ), candidate AS MATERIALIZED (
            SELECT DISTINCT ON (q.provider, q.model) q.*, i.speed
            FROM model_quality q
            LEFT JOIN (SELECT n.provider, n.model, percentile_disc(0.5) WITHIN GROUP (ORDER BY s.speed) AS speed
                       FROM speed s JOIN name n ON n.called_provider = s.provider AND n.called_model = s.model
                       GROUP BY 1, 2) i ON i.provider = q.provider AND i.model = q.model
            WHERE q.task = overspend.task AND (overspend.version IS NULL OR q.version = overspend.version) AND q.measured_on <= today
            ORDER BY q.provider, q.model, q.measured_on DESC
        ), tier AS MATERIALIZED (
            -- a service tier that a candidate does not offer is served as standard
            SELECT c.provider, c.model, t.service_tier,
                   CASE WHEN tokenomics.cost(p.book, c.provider, c.model, behind - interval '1 microsecond', '{"input": 1, "output": 1}', t.service_tier) IS NULL
                        THEN 'standard' ELSE t.service_tier END AS served_as
            FROM candidate c, (SELECT DISTINCT l.service_tier FROM call l) t, price p
        ), served AS (
            SELECT tokenomics.lines(tokenomics.ledger((SELECT p.book FROM price p), 'month', in_zone, l.at, c.provider, c.model, t.served_as,
                       tokenomics.adjust_tokens(l.tokens, coalesce(c.tokenizer_factor, 1) / l.tokenizer_factor,
                                        coalesce(c.output_factor, 1) / l.output_factor), NULL, l.calls)) AS line
            FROM call l, candidate c JOIN tier t ON t.provider = c.provider AND t.model = c.model
            WHERE t.service_tier = l.service_tier
        ), costed AS (
            SELECT (s.line).provider, (s.line).model, tokenomics.sum((s.line).tokens) AS tokens,
                   CASE WHEN bool_and(x.cost IS NOT NULL) THEN sum(x.cost) END AS cost, min((s.line).unpriced) AS unpriced
            FROM served s,
                 LATERAL (SELECT convert_currency((s.line).cost, (s.line).currency, reporting, ((s.line).period AT TIME ZONE in_zone)::date, 'month') AS cost) x
            GROUP BY 1, 2
        ), actual AS (
            SELECT sum((a.line).calls)::bigint AS calls, CASE WHEN bool_and(x.cost IS NOT NULL) THEN sum(x.cost) END AS cost
            FROM (SELECT tokenomics.lines(tokenomics.ledger((SELECT p.book FROM price p), 'month', in_zone, l.at, l.provider, l.model, l.service_tier, l.tokens, NULL, l.calls)) AS line
                  FROM call l) a,
                 LATERAL (SELECT convert_currency((a.line).cost, (a.line).currency, reporting, ((a.line).period AT TIME ZONE in_zone)::date, 'month') AS cost) x
        ), judged AS (
            SELECT c.*, k.tokens, k.cost,
                   CASE WHEN c.score < minimum_score THEN format('scores %s, less than %s', c.score, minimum_score)
                        WHEN minimum_interactivity IS NOT NULL AND c.speed IS NULL THEN 'its interactivity was not measured'
                        WHEN c.speed < minimum_interactivity THEN format('streams %s tokens a second, less than %s', round(c.speed::numeric, 1), minimum_interactivity)
                        WHEN k.cost IS NULL AND k.unpriced IS NOT NULL THEN k.unpriced
                        WHEN k.cost IS NULL THEN 'no exchange rate' END AS reason
            FROM candidate c JOIN costed k ON k.provider = c.provider AND k.model = c.model
        )
        SELECT row_number() OVER (ORDER BY j.reason IS NULL DESC, j.cost, j.provider, j.model), j.provider, j.model, j.reason IS NULL, j.reason,
               j.score, j.speed, coalesce(j.output_factor, 1), coalesce(j.tokenizer_factor, 1),
               j.output_factor IS NULL OR j.tokenizer_factor IS NULL OR NOT (SELECT bool_and(coalesce(l.is_known, false)) FROM call l),
               a.calls, tokenomics.total(j.tokens), reporting, a.cost, j.cost, a.cost - j.cost
        FROM judged j, actual a
        ORDER BY 1;
    END
    $$;
    COMMENT ON FUNCTION overspend(text, text, numeric, double precision, timestamptz, timestamptz, text) IS
        'what a project (NULL: calls of none) paid and what each model of model_quality would have cost on the same calls, their tokens scaled by its factors: those that meet the need (a minimum score at a task, tokens a second) first, the cheapest ahead; overspend is what the project paid more; by default of the last complete month';

    CREATE OR REPLACE FUNCTION token_margin(
        sell_book text,
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL,
        dimension text DEFAULT NULL
    ) RETURNS TABLE (
        month date,
        label text,
        provider text,
        model text,
        calls bigint,
        tokens bigint,
        unsold_tokens bigint,
        unpriced_tokens bigint,
        reporting_currency text,
        revenue numeric,
        cost numeric,
        margin numeric,
        margin_rate numeric
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(token_margin.zone, (SELECT s.zone FROM setting s));
        reporting text := (SELECT s.currency FROM setting s);
        label text := dimension_expression(dimension);
        sold tokenomics.ledger;
    BEGIN
        EXECUTE format('SELECT tokenomics.ledger((SELECT book($4)), ''month'', $1, u.at, u.provider, u.model, u.service_tier, u.tokens, %s, u.calls)
                        FROM usage u WHERE u.at >= $2 AND u.at < $3', label)
        INTO sold USING in_zone, coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity'), sell_book;

        RETURN QUERY
        WITH revenue AS (
            SELECT l.period, l.label, l.provider, l.model,
                   CASE WHEN bool_and(l.unpriced IS NOT NULL OR x.amount IS NOT NULL) THEN sum(x.amount) END AS amount,
                   coalesce(sum(tokenomics.total(l.tokens)) FILTER (WHERE l.unpriced IS NOT NULL), 0)::bigint AS unpriced
            FROM tokenomics.lines(sold) l,
                 LATERAL (SELECT convert_currency(l.cost, l.currency, reporting, (l.period AT TIME ZONE in_zone)::date, 'month') AS amount) x
            GROUP BY 1, 2, 3, 4
        ), cost AS (
            SELECT l.period, l.label, l.provider, l.model, sum(l.calls)::bigint AS calls, sum(tokenomics.total(l.tokens))::bigint AS tokens,
                   CASE WHEN bool_and(l.unpriced IS NOT NULL OR x.amount IS NOT NULL) THEN sum(x.amount) END AS amount,
                   coalesce(sum(tokenomics.total(l.tokens)) FILTER (WHERE l.unpriced IS NOT NULL), 0)::bigint AS unpriced
            FROM spend_lines('month', from_at, to_at, in_zone, dimension) l,
                 LATERAL (SELECT convert_currency(l.effective_cost, l.currency, reporting, (l.period AT TIME ZONE in_zone)::date, 'month') AS amount) x
            WHERE l.charge_category IN ('Usage', 'Purchase')
            GROUP BY 1, 2, 3, 4
        )
        SELECT (c.period AT TIME ZONE in_zone)::date, c.label, c.provider, c.model, c.calls, c.tokens, coalesce(r.unpriced, 0), c.unpriced,
               reporting, r.amount, c.amount, r.amount - c.amount, tokenomics.savings_rate(c.amount, r.amount)
        FROM cost c LEFT JOIN revenue r ON r.period = c.period AND r.label IS NOT DISTINCT FROM c.label
            AND r.provider IS NOT DISTINCT FROM c.provider AND r.model IS NOT DISTINCT FROM c.model
        ORDER BY 1, 2, 3, 4;
    END
    $$;
    COMMENT ON FUNCTION token_margin(text, timestamptz, timestamptz, text, text) IS
        'for who resells tokens: what the calls bring in by a sell book, beside what they cost, by month, model and label of a dimension (team, project, those of table "dimension"; NULL: none), in the reporting currency; idle parts of purchases are a model of their own; margin is revenue less cost where both are known, so that its sum leaves out what is unsold and what is idle';
END
$install$;
COMMENT ON PROCEDURE install_value() IS 'part of install(): quality, outcomes, value and margin, in the first schema of search_path';

CREATE PROCEDURE uninstall_value() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP VIEW IF EXISTS value_grid, outcome_cost;
    DROP FUNCTION IF EXISTS
        token_margin(text, timestamptz, timestamptz, text, text),
        overspend(text, text, numeric, double precision, timestamptz, timestamptz, text),
        value_grid_between(timestamptz, timestamptz, text),
        outcome_cost_between(timestamptz, timestamptz, text),
        latest_quality(text, text, date),
        priced_model(text, text, timestamptz);
    DROP TABLE IF EXISTS turn_outcome, model_quality;
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_value() IS 'part of uninstall(): drops what install_value() made';
