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
CREATE FUNCTION tokens_from_litellm(prompt_tokens bigint, completion_tokens bigint, metadata jsonb) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION tokens_from_litellm(bigint, bigint, jsonb) IS
    'tokens of a row of LiteLLM''s log: the prompt includes cached tokens and cache writes, the completion includes reasoning, both as "metadata" names them; an error where they contradict each other';

-- The same by the vendor's name, and without the error.
CREATE FUNCTION tokens_from(vendor text, usage jsonb) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tokens_from(text, jsonb) IS
    'tokens_from_openai(), tokens_from_anthropic(), tokens_from_gemini() or tokens_from_otel(), by the vendor''s name';
CREATE FUNCTION try_tokens_from(vendor text, usage jsonb) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION try_tokens_from(text, jsonb) IS
    'as tokens_from(), but NULL where the object contradicts itself or reports no tokens: for views of logs, where one bad row must not hide the others';
CREATE FUNCTION try_tokens_from_litellm(prompt_tokens bigint, completion_tokens bigint, metadata jsonb) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION try_tokens_from_litellm(bigint, bigint, jsonb) IS
    'as tokens_from_litellm(), but NULL where the row contradicts itself or reports no tokens';
