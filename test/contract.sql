-- What the catalog must say of the extension.
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS tokenomics CASCADE;
SELECT plan(12);

CREATE TEMP VIEW member AS
SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e' WHERE e.extname = 'tokenomics';

SELECT is_empty($$SELECT pg_describe_object(classid, objid, 0) FROM member m
    WHERE classid IN ('pg_proc'::regclass, 'pg_type'::regclass, 'pg_operator'::regclass) AND obj_description(objid, classid::regclass::name) IS NULL
      AND NOT EXISTS (SELECT FROM pg_type t WHERE t.oid = m.objid AND t.typelem <> 0 AND t.typcategory = 'A')$$, 'every object has a comment');
SELECT is_empty($$SELECT t.typname, a.attname FROM member m JOIN pg_type t ON t.oid = m.objid AND m.classid = 'pg_type'::regclass JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0
    WHERE t.typtype = 'c' AND col_description(a.attrelid, a.attnum) IS NULL$$, 'every column of a composite type has one');
SELECT is_empty($$SELECT 1 FROM member WHERE classid = 'pg_class'::regclass AND objid IN (SELECT oid FROM pg_class WHERE relkind <> 'c')$$, 'the extension has no tables');
SELECT is_empty($$SELECT pg_describe_object(m.classid, m.objid, 0) FROM member m JOIN pg_proc p ON p.oid = m.objid AND m.classid = 'pg_proc'::regclass WHERE p.pronamespace <> 'tokenomics'::regnamespace$$, 'all of it is in schema tokenomics');

-- what a distributed engine demands of aggregates
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid JOIN member m ON m.objid = p.oid AND m.classid = 'pg_proc'::regclass
    JOIN pg_type t ON t.oid = a.aggtranstype WHERE t.typname = 'internal' OR t.typtype = 'p' OR a.aggcombinefn = 0 OR t.typsend = 0 OR t.typreceive = 0$$, 'states are concrete types with a combine function and both forms');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid JOIN member m ON m.objid = p.oid AND m.classid = 'pg_proc'::regclass
    WHERE p.pronargs = 0 OR p.pronargdefaults > 0 OR EXISTS (SELECT FROM unnest(p.proargtypes) x JOIN pg_type t ON t.oid = x WHERE t.typname ~ '^any')$$, 'aggregates have arguments, none polymorphic, no defaults');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid JOIN member m ON m.objid = p.oid AND m.classid = 'pg_proc'::regclass
    JOIN pg_proc s ON s.oid = a.aggtransfn WHERE s.proisstrict OR a.agginitval IS NOT NULL OR p.proparallel <> 's' OR s.proparallel <> 's'$$, 'transitions are not strict, without INITCOND, and parallel safe');
SELECT is_empty($$SELECT t.typname FROM member m JOIN pg_type t ON t.oid = m.objid AND m.classid = 'pg_type'::regclass WHERE t.typtype = 'b' AND t.typcategory <> 'A' AND t.typstorage <> 'e'$$, 'values are stored external');

SELECT is_empty($$SELECT p.oid::regprocedure FROM member m JOIN pg_proc p ON p.oid = m.objid AND m.classid = 'pg_proc'::regclass JOIN pg_language l ON l.oid = p.prolang
    WHERE p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype AND l.lanname IN ('c', 'sql') AND (p.provolatile = 'v' OR p.proparallel <> 's')$$, 'C and SQL functions are immutable or stable, and parallel safe');
    WHERE p.prokind = 'f' AND l.lanname IN ('c', 'sql') AND p.prorettype <> 'trigger'::regtype AND (p.provolatile = 'v' OR p.proparallel <> 's')$$, 'C and SQL functions but triggers are immutable or stable, and parallel safe');
SELECT is_empty($$SELECT p.oid::regprocedure FROM member m JOIN pg_proc p ON p.oid = m.objid AND m.classid = 'pg_proc'::regclass JOIN pg_language l ON l.oid = p.prolang
    WHERE l.lanname = 'sql' AND p.prosqlbody IS NULL$$, 'SQL functions are bound to what they call');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p JOIN member m ON m.objid = p.oid AND m.classid = 'pg_proc'::regclass WHERE p.prosecdef$$, 'none runs with the rights of its owner');
SELECT ok(has_schema_privilege('public', 'tokenomics', 'USAGE') AND NOT has_schema_privilege('public', 'tokenomics', 'CREATE'), 'the schema is open to use and closed to change');
SELECT * FROM finish();
ROLLBACK;
