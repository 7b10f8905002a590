-- Periods of the calendar of a time zone.

CREATE FUNCTION period_start(grain text, zone text, at timestamptz) RETURNS timestamptz
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION period_start(text, text, timestamptz) IS
    'when the period that holds a time begins: grain is quarter_hour, hour, day or month, by the calendar of the zone; the session''s TimeZone changes nothing';

CREATE FUNCTION period_end(grain text, zone text, at timestamptz) RETURNS timestamptz
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION period_end(text, text, timestamptz) IS
    'when the period that holds a time ends: the instant at which the next one begins';

CREATE FUNCTION periods(grain text, zone text, from_at timestamptz, to_at timestamptz, OUT period_start timestamptz, OUT period_end timestamptz)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 30;
COMMENT ON FUNCTION periods(text, text, timestamptz, timestamptz) IS
    'the periods that hold any of the time from from_at up to, not including, to_at, in their order';
