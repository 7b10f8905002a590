-- All that an extension "tokenomics" and its install in schema "llm" consist of,
-- one JSON object a line, for make.pl.
SET search_path = pg_catalog, pg_temp;
SET client_min_messages = warning;

CREATE TEMP VIEW member AS
SELECT d.classid, d.objid, i.type, i.identity
FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid,
     pg_identify_object(d.classid, d.objid, 0) i
WHERE d.deptype = 'e' AND e.extname = 'tokenomics'
  AND NOT EXISTS (SELECT FROM pg_type t WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid AND t.typcategory = 'A')
  AND NOT EXISTS (SELECT FROM pg_class c WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind = 'c')
  -- a family that came with its class goes with it
  AND d.classid <> 'pg_opfamily'::regclass;

-- The SQL that makes it.
CREATE FUNCTION pg_temp.function_sql(oid) RETURNS text LANGUAGE sql
AS $$ SELECT replace(pg_get_functiondef($1), E'AS ''$libdir/tokenomics''', 'AS ''MODULE_PATHNAME''') || ';' $$;

CREATE FUNCTION pg_temp.aggregate_sql(oid) RETURNS text LANGUAGE sql
AS $$
    SELECT format(E'CREATE OR REPLACE AGGREGATE %s(%s) (\n    %s\n);', p.oid::regproc, pg_get_function_arguments(p.oid),
        concat_ws(E',\n    ',
            'SFUNC = ' || a.aggtransfn::regproc,
            'STYPE = ' || format_type(a.aggtranstype, NULL),
            CASE WHEN a.aggtransspace <> 0 THEN 'SSPACE = ' || a.aggtransspace END,
            CASE WHEN a.aggfinalfn <> 0 THEN 'FINALFUNC = ' || a.aggfinalfn::regproc END,
            CASE WHEN a.aggfinalextra THEN 'FINALFUNC_EXTRA' END,
            CASE WHEN a.aggfinalfn <> 0 THEN 'FINALFUNC_MODIFY = ' || CASE a.aggfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END END,
            CASE WHEN a.aggcombinefn <> 0 THEN 'COMBINEFUNC = ' || a.aggcombinefn::regproc END,
            CASE WHEN a.aggserialfn <> 0 THEN 'SERIALFUNC = ' || a.aggserialfn::regproc END,
            CASE WHEN a.aggdeserialfn <> 0 THEN 'DESERIALFUNC = ' || a.aggdeserialfn::regproc END,
            'INITCOND = ' || quote_literal(a.agginitval),
            CASE WHEN a.aggsortop <> 0 THEN 'SORTOP = ' || a.aggsortop::regoper END,
            'PARALLEL = ' || CASE p.proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED' ELSE 'UNSAFE' END))
        || CASE WHEN a.aggkind <> 'n' OR a.aggmtransfn <> 0 THEN ' an ordered or moving aggregate, which make.pl cannot write' ELSE '' END
    FROM pg_proc p JOIN pg_aggregate a ON a.aggfnoid = p.oid WHERE p.oid = $1
$$;

CREATE FUNCTION pg_temp.type_sql(oid) RETURNS text LANGUAGE sql
AS $$
    SELECT CASE t.typtype
        WHEN 'c' THEN format(E'CREATE TYPE %s AS (\n    %s\n);', format_type(t.oid, NULL),
            (SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), E',\n    ' ORDER BY a.attnum)
             FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped))
        WHEN 'b' THEN format(E'CREATE TYPE %s (\n    %s\n);', format_type(t.oid, NULL),
            concat_ws(E',\n    ',
                'INPUT = ' || t.typinput::regproc, 'OUTPUT = ' || t.typoutput::regproc,
                CASE WHEN t.typreceive <> 0 THEN 'RECEIVE = ' || t.typreceive::regproc END, CASE WHEN t.typsend <> 0 THEN 'SEND = ' || t.typsend::regproc END,
                CASE WHEN t.typmodin <> 0 THEN 'TYPMOD_IN = ' || t.typmodin::regproc END, CASE WHEN t.typmodout <> 0 THEN 'TYPMOD_OUT = ' || t.typmodout::regproc END,
                CASE WHEN t.typanalyze <> 0 THEN 'ANALYZE = ' || t.typanalyze::regproc END,
                'INTERNALLENGTH = ' || CASE t.typlen WHEN -1 THEN 'variable' ELSE t.typlen::text END,
                CASE WHEN t.typbyval THEN 'PASSEDBYVALUE' END,
                'ALIGNMENT = ' || CASE t.typalign WHEN 'c' THEN 'char' WHEN 's' THEN 'int2' WHEN 'i' THEN 'int4' ELSE 'double' END,
                'STORAGE = ' || CASE t.typstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' THEN 'main' ELSE 'extended' END,
                'CATEGORY = ' || quote_literal(t.typcategory::text), CASE WHEN t.typispreferred THEN 'PREFERRED = true' END,
                'DELIMITER = ' || quote_literal(t.typdelim::text), CASE WHEN t.typcollation <> 0 THEN 'COLLATABLE = true' END))
        END
    FROM pg_type t WHERE t.oid = $1
$$;

CREATE FUNCTION pg_temp.operator_sql(oid) RETURNS text LANGUAGE sql
AS $$
    SELECT format(E'CREATE OPERATOR %s.%s (\n    %s\n);', n.nspname, o.oprname,
        concat_ws(E',\n    ',
            'FUNCTION = ' || o.oprcode::regproc,
            CASE WHEN o.oprleft <> 0 THEN 'LEFTARG = ' || format_type(o.oprleft, NULL) END, CASE WHEN o.oprright <> 0 THEN 'RIGHTARG = ' || format_type(o.oprright, NULL) END,
            (SELECT format('COMMUTATOR = OPERATOR(%s.%s)', m.nspname, c.oprname) FROM pg_operator c JOIN pg_namespace m ON m.oid = c.oprnamespace WHERE c.oid = o.oprcom),
            (SELECT format('NEGATOR = OPERATOR(%s.%s)', m.nspname, c.oprname) FROM pg_operator c JOIN pg_namespace m ON m.oid = c.oprnamespace WHERE c.oid = o.oprnegate),
            CASE WHEN o.oprrest <> 0 THEN 'RESTRICT = ' || o.oprrest::regproc END, CASE WHEN o.oprjoin <> 0 THEN 'JOIN = ' || o.oprjoin::regproc END,
            CASE WHEN o.oprcanhash THEN 'HASHES' END, CASE WHEN o.oprcanmerge THEN 'MERGES' END))
    FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE o.oid = $1
$$;

CREATE FUNCTION pg_temp.class_sql(oid) RETURNS text LANGUAGE sql
AS $$
    SELECT format(E'CREATE OPERATOR CLASS %s.%I %sFOR TYPE %s USING %I AS\n    %s;', n.nspname, o.opcname,
        CASE WHEN o.opcdefault THEN 'DEFAULT ' ELSE '' END, format_type(o.opcintype, NULL), m.amname,
        (SELECT string_agg(part, E',\n    ' ORDER BY part)
         FROM (SELECT format('OPERATOR %s %s.%s (%s, %s)', a.amopstrategy, s.nspname, r.oprname, format_type(a.amoplefttype, NULL), format_type(a.amoprighttype, NULL))
               FROM pg_amop a JOIN pg_operator r ON r.oid = a.amopopr JOIN pg_namespace s ON s.oid = r.oprnamespace WHERE a.amopfamily = o.opcfamily
               UNION ALL
               SELECT format('FUNCTION %s %s', a.amprocnum, a.amproc::regprocedure) FROM pg_amproc a WHERE a.amprocfamily = o.opcfamily) AS x(part)))
        || CASE WHEN o.opckeytype <> 0 THEN ' of another storage type, which make.pl cannot write' ELSE '' END
    FROM pg_opclass o JOIN pg_namespace n ON n.oid = o.opcnamespace JOIN pg_am m ON m.oid = o.opcmethod WHERE o.oid = $1
$$;

CREATE FUNCTION pg_temp.cast_sql(oid) RETURNS text LANGUAGE sql
AS $$
    SELECT format('CREATE CAST (%s AS %s) %s%s;', format_type(c.castsource, NULL), format_type(c.casttarget, NULL),
        CASE c.castmethod WHEN 'f' THEN 'WITH FUNCTION ' || c.castfunc::regprocedure WHEN 'i' THEN 'WITH INOUT' ELSE 'WITHOUT FUNCTION' END,
        CASE c.castcontext WHEN 'a' THEN ' AS ASSIGNMENT' WHEN 'i' THEN ' AS IMPLICIT' ELSE '' END)
    FROM pg_cast c WHERE c.oid = $1
$$;

-- shape() is that of src/renew.sql.
SELECT json_build_object('part', 'extension', 'oid', m.objid::bigint, 'class', m.classid::regclass, 'kind', m.type, 'identity', m.identity,
    'sql', CASE m.classid
        WHEN 'pg_proc'::regclass THEN CASE m.type WHEN 'aggregate' THEN pg_temp.aggregate_sql(m.objid) ELSE pg_temp.function_sql(m.objid) END
        WHEN 'pg_type'::regclass THEN pg_temp.type_sql(m.objid)
        WHEN 'pg_operator'::regclass THEN pg_temp.operator_sql(m.objid)
        WHEN 'pg_opclass'::regclass THEN pg_temp.class_sql(m.objid)
        WHEN 'pg_cast'::regclass THEN pg_temp.cast_sql(m.objid) END,
    'signature', CASE WHEN m.classid = 'pg_proc'::regclass THEN tokenomics.shape(m.classid, m.objid, false) END,
    'types', (SELECT concat_ws(' ', coalesce(p.proallargtypes, p.proargtypes)::regtype[], p.prorettype::regtype, p.proretset) FROM pg_proc p WHERE m.classid = 'pg_proc'::regclass AND p.oid = m.objid),
    'symbol', (SELECT p.prosrc FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE m.classid = 'pg_proc'::regclass AND p.oid = m.objid AND l.lanname = 'c'),
    'comment', obj_description(m.objid, m.classid::regclass::name),
    'is_public', (SELECT p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0) FROM pg_proc p WHERE m.classid = 'pg_proc'::regclass AND p.oid = m.objid),
    'columns', (SELECT json_agg(json_build_array(quote_ident(a.attname), format_type(a.atttypid, a.atttypmod), col_description(a.attrelid, a.attnum)) ORDER BY a.attnum)
                FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped WHERE m.classid = 'pg_type'::regclass AND t.oid = m.objid),
    'io', (SELECT greatest(t.typinput::oid, t.typoutput::oid, t.typreceive::oid, t.typsend::oid, t.typmodin::oid, t.typmodout::oid, t.typanalyze::oid)::bigint
           FROM pg_type t WHERE m.classid = 'pg_type'::regclass AND t.oid = m.objid AND t.typtype = 'b'),
    -- who depends on it: members by number, others by name
    'users', (SELECT json_agg(DISTINCT CASE WHEN u.objid IS NULL THEN pg_describe_object(d.classid, d.objid, 0) ELSE u.objid::text END)
              FROM pg_depend d LEFT JOIN member u ON u.classid = d.classid AND u.objid = d.objid
              WHERE d.refclassid = m.classid AND d.refobjid = m.objid AND d.deptype IN ('n', 'a')))
FROM member m ORDER BY m.objid;

SELECT json_build_object('part', 'schema', 'comment', obj_description('tokenomics'::regnamespace, 'pg_namespace'));

-- The install, as it sees itself.
SET search_path = llm, pg_temp;
SELECT json_build_object('part', 'function', 'identity', format('%s(%s)', p.proname, pg_catalog.array_to_string(p.proargtypes::oid[]::regtype[], ', ')),
    'shape', tokenomics.shape('pg_proc', p.oid, false), 'shape_and_comment', tokenomics.shape('pg_proc', p.oid, true))
FROM pg_proc p WHERE p.pronamespace = 'llm'::regnamespace ORDER BY 1::text;
SELECT json_build_object('part', 'view', 'identity', c.relname,
    'shape', tokenomics.shape('pg_class', c.oid, false), 'shape_and_comment', tokenomics.shape('pg_class', c.oid, true),
    'columns', (SELECT json_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0))
FROM pg_class c WHERE c.relnamespace = 'llm'::regnamespace AND c.relkind = 'v' ORDER BY c.relname;
SELECT json_build_object('part', 'table', 'identity', c.relname,
    'columns', (SELECT json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid), a.attnotnull, a.attidentity::text || a.attgenerated::text) ORDER BY a.attnum)
                FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'constraints', (SELECT json_object_agg(o.conname, pg_get_constraintdef(o.oid)) FROM pg_constraint o WHERE o.conrelid = c.oid AND o.contype IN ('c', 'f', 'p', 'u', 'x')),
    'indexes', (SELECT json_object_agg(x.relname, replace(pg_get_indexdef(x.oid), ' ON llm.', ' ON '))
                FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                WHERE i.indrelid = c.oid AND NOT EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = x.oid)))
FROM pg_class c WHERE c.relnamespace = 'llm'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname !~ '^usage_y\d' ORDER BY c.relname;
