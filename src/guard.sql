\echo Use "CREATE EXTENSION tokenomics" to load this file. \quit

-- The schema must be ours alone: a function planted in it beforehand could
-- stand in for one of ours.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace = '@extschema@'::pg_catalog.regnamespace)
        OR EXISTS (SELECT FROM pg_catalog.pg_type WHERE typnamespace = '@extschema@'::pg_catalog.regnamespace)
        OR EXISTS (SELECT FROM pg_catalog.pg_operator WHERE oprnamespace = '@extschema@'::pg_catalog.regnamespace)
    THEN
        RAISE EXCEPTION USING
            ERRCODE = 'duplicate_object',
            MESSAGE = 'schema "tokenomics" is not empty',
            -- CASCADE puts what we need where search_path says, and that is here where it names us
            HINT = CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extnamespace = '@extschema@'::pg_catalog.regnamespace AND extname = 'btree_gist')
                        THEN 'CASCADE put "btree_gist" into it, as search_path names it first: CREATE EXTENSION btree_gist SCHEMA public, and create the extension again.'
                        ELSE 'Drop the schema, or move what is in it elsewhere, and create the extension again.' END;
    END IF;
END
$$;

GRANT USAGE ON SCHEMA @extschema@ TO PUBLIC;
COMMENT ON SCHEMA @extschema@ IS 'tokenomics: values, functions and aggregates; tables are made elsewhere, by install()';

