-- Written by "make upgrade-script"; do not edit.

CREATE FUNCTION retired(OUT step integer, OUT kind text, OUT object text, OUT was text, OUT becomes text) RETURNS SETOF record
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
SELECT NULL::integer, NULL::text, NULL::text, NULL::text, NULL::text WHERE false;
END;
COMMENT ON FUNCTION retired() IS
    'part of install(): what released versions made otherwise in an install, or this one makes no more';
