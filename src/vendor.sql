-- From each vendor's usage object to disjoint meters.

CREATE FUNCTION tokens_from_openai(usage jsonb) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tokens_from_openai(jsonb) IS
    'tokens of an OpenAI usage object (or a response that holds one): input includes cached tokens and cache writes, output includes reasoning; an error where the object contradicts itself';
CREATE FUNCTION tokens_from_anthropic(usage jsonb) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tokens_from_anthropic(jsonb) IS
    'tokens of an Anthropic usage object (or a message that holds one): input excludes cache reads and writes; an error where the object contradicts itself';
CREATE FUNCTION tokens_from_gemini(usage jsonb) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tokens_from_gemini(jsonb) IS
    'tokens of Gemini usageMetadata (or a response that holds it): the prompt includes cached tokens, the candidates exclude thoughts; an error where the object contradicts itself';
CREATE FUNCTION tokens_from_otel(attributes jsonb) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tokens_from_otel(jsonb) IS
    'tokens of the OpenTelemetry gen_ai.usage.* attributes of a span: input includes cached tokens and cache writes, output includes reasoning; an error where they contradict each other';
