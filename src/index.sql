-- Index numbers over the matched items of two periods, and LMDI.

CREATE TYPE index_sums;

CREATE FUNCTION index_sums_in(cstring) RETURNS index_sums
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION index_sums_out(index_sums) RETURNS cstring
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION index_sums_recv(internal) RETURNS index_sums
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION index_sums_send(index_sums) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE index_sums (
    INPUT = index_sums_in,
    OUTPUT = index_sums_out,
    RECEIVE = index_sums_recv,
    SEND = index_sums_send,
    INTERNALLENGTH = variable,
    ALIGNMENT = double,
    STORAGE = external
);

COMMENT ON TYPE index_sums IS 'sums over the items of two periods: the state of the index aggregates';
COMMENT ON FUNCTION index_sums_in(cstring) IS 'I/O';
COMMENT ON FUNCTION index_sums_out(index_sums) IS 'I/O';
COMMENT ON FUNCTION index_sums_recv(internal) IS 'I/O';
COMMENT ON FUNCTION index_sums_send(index_sums) IS 'I/O';

CREATE FUNCTION index_sums_add(index_sums, double precision, double precision, double precision, double precision) RETURNS index_sums
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION index_sums_merge(index_sums, index_sums) RETURNS index_sums
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION index_sums_add(index_sums, double precision, double precision, double precision, double precision) IS 'transition function of the index aggregates';
COMMENT ON FUNCTION index_sums_merge(index_sums, index_sums) IS 'transition function of merge(index_sums), combine function of the index aggregates';

-- The aggregates: one row for each item, (p0, q0, p1, q1)

CREATE AGGREGATE index_sums(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE index_sums(double precision, double precision, double precision, double precision) IS
    'the sums of all index aggregates, to be kept, merged and asked for any index';
CREATE AGGREGATE merge(index_sums) (
    SFUNC = index_sums_merge,
    STYPE = index_sums,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE merge(index_sums) IS 'the sums over the items of all of them, in any order; NULL of none';

CREATE FUNCTION laspeyres_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'laspeyres_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION laspeyres_index(index_sums) IS 'the same of sums: final function of laspeyres_index()';
CREATE AGGREGATE laspeyres_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = laspeyres_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE laspeyres_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Laspeyres (1871): sum(p1 q0) / sum(p0 q0); NULL where it is not defined';

CREATE FUNCTION laspeyres_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'laspeyres_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION laspeyres_quantity_index(index_sums) IS 'the same of sums: final function of laspeyres_quantity_index()';
CREATE AGGREGATE laspeyres_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = laspeyres_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE laspeyres_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: laspeyres_index with prices and quantities exchanged, sum(q1 p0) / sum(q0 p0); NULL where it is not defined';

CREATE FUNCTION paasche_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'paasche_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION paasche_index(index_sums) IS 'the same of sums: final function of paasche_index()';
CREATE AGGREGATE paasche_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = paasche_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE paasche_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Paasche (1874): sum(p1 q1) / sum(p0 q1); NULL where it is not defined';

CREATE FUNCTION paasche_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'paasche_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION paasche_quantity_index(index_sums) IS 'the same of sums: final function of paasche_quantity_index()';
CREATE AGGREGATE paasche_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = paasche_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE paasche_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: paasche_index with prices and quantities exchanged, sum(q1 p1) / sum(q0 p1); NULL where it is not defined';

CREATE FUNCTION fisher_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'fisher_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION fisher_index(index_sums) IS 'the same of sums: final function of fisher_index()';
CREATE AGGREGATE fisher_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = fisher_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE fisher_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Fisher (1922): the root of Laspeyres times Paasche; NULL where it is not defined';

CREATE FUNCTION fisher_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'fisher_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION fisher_quantity_index(index_sums) IS 'the same of sums: final function of fisher_quantity_index()';
CREATE AGGREGATE fisher_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = fisher_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE fisher_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: fisher_index with prices and quantities exchanged, the root of both quantity indices; NULL where it is not defined';

CREATE FUNCTION marshall_edgeworth_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'marshall_edgeworth_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION marshall_edgeworth_index(index_sums) IS 'the same of sums: final function of marshall_edgeworth_index()';
CREATE AGGREGATE marshall_edgeworth_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = marshall_edgeworth_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE marshall_edgeworth_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Marshall (1887), Edgeworth (1887): sum(p1 (q0 + q1)) / sum(p0 (q0 + q1)); NULL where it is not defined';

CREATE FUNCTION marshall_edgeworth_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'marshall_edgeworth_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION marshall_edgeworth_quantity_index(index_sums) IS 'the same of sums: final function of marshall_edgeworth_quantity_index()';
CREATE AGGREGATE marshall_edgeworth_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = marshall_edgeworth_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE marshall_edgeworth_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: marshall_edgeworth_index with prices and quantities exchanged, sum(q1 (p0 + p1)) / sum(q0 (p0 + p1)); NULL where it is not defined';

CREATE FUNCTION walsh_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'walsh_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION walsh_index(index_sums) IS 'the same of sums: final function of walsh_index()';
CREATE AGGREGATE walsh_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = walsh_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE walsh_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Walsh (1901): sum(p1 sqrt(q0 q1)) / sum(p0 sqrt(q0 q1)); NULL where it is not defined';

CREATE FUNCTION walsh_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'walsh_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION walsh_quantity_index(index_sums) IS 'the same of sums: final function of walsh_quantity_index()';
CREATE AGGREGATE walsh_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = walsh_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE walsh_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: walsh_index with prices and quantities exchanged, sum(q1 sqrt(p0 p1)) / sum(q0 sqrt(p0 p1)); NULL where it is not defined';

CREATE FUNCTION geometric_laspeyres_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'geometric_laspeyres_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION geometric_laspeyres_index(index_sums) IS 'the same of sums: final function of geometric_laspeyres_index()';
CREATE AGGREGATE geometric_laspeyres_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = geometric_laspeyres_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE geometric_laspeyres_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Jevons with the shares of base spend as weights; NULL where it is not defined';

CREATE FUNCTION geometric_laspeyres_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'geometric_laspeyres_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION geometric_laspeyres_quantity_index(index_sums) IS 'the same of sums: final function of geometric_laspeyres_quantity_index()';
CREATE AGGREGATE geometric_laspeyres_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = geometric_laspeyres_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE geometric_laspeyres_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: geometric_laspeyres_index with prices and quantities exchanged, the same of quantities; NULL where it is not defined';

CREATE FUNCTION geometric_paasche_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'geometric_paasche_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION geometric_paasche_index(index_sums) IS 'the same of sums: final function of geometric_paasche_index()';
CREATE AGGREGATE geometric_paasche_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = geometric_paasche_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE geometric_paasche_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Jevons with the shares of current spend as weights; NULL where it is not defined';

CREATE FUNCTION geometric_paasche_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'geometric_paasche_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION geometric_paasche_quantity_index(index_sums) IS 'the same of sums: final function of geometric_paasche_quantity_index()';
CREATE AGGREGATE geometric_paasche_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = geometric_paasche_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE geometric_paasche_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: geometric_paasche_index with prices and quantities exchanged, the same of quantities; NULL where it is not defined';

CREATE FUNCTION tornqvist_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tornqvist_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION tornqvist_index(index_sums) IS 'the same of sums: final function of tornqvist_index()';
CREATE AGGREGATE tornqvist_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = tornqvist_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE tornqvist_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Tornqvist (1936): the mean of the logarithms of the ratios by the mean of both shares of spend; NULL where it is not defined';

CREATE FUNCTION tornqvist_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tornqvist_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION tornqvist_quantity_index(index_sums) IS 'the same of sums: final function of tornqvist_quantity_index()';
CREATE AGGREGATE tornqvist_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = tornqvist_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE tornqvist_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: tornqvist_index with prices and quantities exchanged, the same of quantities; NULL where it is not defined';

CREATE FUNCTION montgomery_vartia_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'montgomery_vartia_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION montgomery_vartia_index(index_sums) IS 'the same of sums: final function of montgomery_vartia_index()';
CREATE AGGREGATE montgomery_vartia_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = montgomery_vartia_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE montgomery_vartia_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Montgomery (1937), Vartia (1976): the logarithms of the ratios by logarithmic means of spend; NULL where it is not defined';

CREATE FUNCTION montgomery_vartia_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'montgomery_vartia_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION montgomery_vartia_quantity_index(index_sums) IS 'the same of sums: final function of montgomery_vartia_quantity_index()';
CREATE AGGREGATE montgomery_vartia_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = montgomery_vartia_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE montgomery_vartia_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: montgomery_vartia_index with prices and quantities exchanged, the same of quantities; NULL where it is not defined';

-- No sums give the index of Sato and Vartia: its state is the matched items,
-- p0, q0, p1 and q1 of each.

CREATE FUNCTION index_items_add(double precision[], double precision, double precision, double precision, double precision) RETURNS double precision[]
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION index_items_merge(double precision[], double precision[]) RETURNS double precision[]
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION index_items_add(double precision[], double precision, double precision, double precision, double precision) IS 'transition function of sato_vartia_index()';
COMMENT ON FUNCTION index_items_merge(double precision[], double precision[]) IS 'combine function of sato_vartia_index()';

CREATE FUNCTION sato_vartia_index(double precision[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'sato_vartia_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION sato_vartia_index(double precision[]) IS 'the same of matched items: final function of sato_vartia_index()';
CREATE AGGREGATE sato_vartia_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_items_add,
    STYPE = double precision[],
    FINALFUNC = sato_vartia_index,
    COMBINEFUNC = index_items_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE sato_vartia_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Sato (1976), Vartia (1976, II): the mean of the logarithms of the ratios by the logarithmic means of both shares of spend, made to add up to 1; times its quantity form exactly the ratio of spend; NULL where it is not defined';

CREATE FUNCTION sato_vartia_quantity_index(double precision[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'sato_vartia_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION sato_vartia_quantity_index(double precision[]) IS 'the same of matched items: final function of sato_vartia_quantity_index()';
CREATE AGGREGATE sato_vartia_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_items_add,
    STYPE = double precision[],
    FINALFUNC = sato_vartia_quantity_index,
    COMBINEFUNC = index_items_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE sato_vartia_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: sato_vartia_index with prices and quantities exchanged; NULL where it is not defined';

CREATE FUNCTION jevons_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'jevons_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION jevons_index(index_sums) IS 'the same of sums: final function of jevons_index()';
CREATE AGGREGATE jevons_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = jevons_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE jevons_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Jevons (1865): the geometric mean of p1 / p0, unweighted; NULL where it is not defined';

CREATE FUNCTION jevons_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'jevons_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION jevons_quantity_index(index_sums) IS 'the same of sums: final function of jevons_quantity_index()';
CREATE AGGREGATE jevons_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = jevons_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE jevons_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: jevons_index with prices and quantities exchanged, of q1 / q0; NULL where it is not defined';

CREATE FUNCTION carli_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'carli_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION carli_index(index_sums) IS 'the same of sums: final function of carli_index()';
CREATE AGGREGATE carli_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = carli_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE carli_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Carli (1764): the arithmetic mean of p1 / p0, unweighted; it is biased upwards: its chain drifts; NULL where it is not defined';

CREATE FUNCTION carli_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'carli_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION carli_quantity_index(index_sums) IS 'the same of sums: final function of carli_quantity_index()';
CREATE AGGREGATE carli_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = carli_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE carli_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: carli_index with prices and quantities exchanged, of q1 / q0; NULL where it is not defined';

CREATE FUNCTION harmonic_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'harmonic_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION harmonic_index(index_sums) IS 'the same of sums: final function of harmonic_index()';
CREATE AGGREGATE harmonic_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = harmonic_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE harmonic_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Jevons, Coggeshall: the harmonic mean of p1 / p0, unweighted; NULL where it is not defined';

CREATE FUNCTION harmonic_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'harmonic_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION harmonic_quantity_index(index_sums) IS 'the same of sums: final function of harmonic_quantity_index()';
CREATE AGGREGATE harmonic_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = harmonic_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE harmonic_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: harmonic_index with prices and quantities exchanged, of q1 / q0; NULL where it is not defined';

CREATE FUNCTION dutot_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'dutot_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION dutot_index(index_sums) IS 'the same of sums: final function of dutot_index()';
CREATE AGGREGATE dutot_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = dutot_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE dutot_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Dutot (1738): sum(p1) / sum(p0); of items in one unit; NULL where it is not defined';

CREATE FUNCTION dutot_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'dutot_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION dutot_quantity_index(index_sums) IS 'the same of sums: final function of dutot_quantity_index()';
CREATE AGGREGATE dutot_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = dutot_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE dutot_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: dutot_index with prices and quantities exchanged, sum(q1) / sum(q0); NULL where it is not defined';

CREATE FUNCTION turnover_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'turnover_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION turnover_index(index_sums) IS 'the same of sums: final function of turnover_index()';
CREATE AGGREGATE turnover_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = turnover_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE turnover_index(double precision, double precision, double precision, double precision) IS
    'what items that come and go do to the value: matched share of base spend / matched share of current spend; value ratio = fisher_index * fisher_quantity_index * turnover_index';

CREATE FUNCTION index_base_coverage(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'index_base_coverage' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION index_base_coverage(index_sums) IS 'the same of sums: final function of index_base_coverage()';
CREATE AGGREGATE index_base_coverage(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = index_base_coverage,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE index_base_coverage(double precision, double precision, double precision, double precision) IS
    'matched share of base spend; of the number of items where no quantity is known';

CREATE FUNCTION index_current_coverage(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'index_current_coverage' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION index_current_coverage(index_sums) IS 'the same of sums: final function of index_current_coverage()';
CREATE AGGREGATE index_current_coverage(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = index_current_coverage,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE index_current_coverage(double precision, double precision, double precision, double precision) IS
    'matched share of current spend; of the number of items where no quantity is known';

CREATE FUNCTION bennet(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'bennet' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION bennet(index_sums) IS 'the same of sums: final function of bennet()';
CREATE AGGREGATE bennet(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = bennet,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE bennet(double precision, double precision, double precision, double precision) IS
    'price indicator of matched items, Bennet (1920): sum((p1 - p0) (q0 + q1) / 2); with bennet_quantity it adds up to the change of their value';

CREATE FUNCTION bennet_quantity(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'bennet_quantity' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION bennet_quantity(index_sums) IS 'the same of sums: final function of bennet_quantity()';
CREATE AGGREGATE bennet_quantity(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = bennet_quantity,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE bennet_quantity(double precision, double precision, double precision, double precision) IS
    'quantity indicator of matched items, Bennet (1920): sum((q1 - q0) (p0 + p1) / 2)';

-- LMDI-I, over any number of factors

CREATE TYPE lmdi_sums;

CREATE FUNCTION lmdi_sums_in(cstring) RETURNS lmdi_sums
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION lmdi_sums_out(lmdi_sums) RETURNS cstring
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION lmdi_sums_recv(internal) RETURNS lmdi_sums
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION lmdi_sums_send(lmdi_sums) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE lmdi_sums (
    INPUT = lmdi_sums_in,
    OUTPUT = lmdi_sums_out,
    RECEIVE = lmdi_sums_recv,
    SEND = lmdi_sums_send,
    INTERNALLENGTH = variable,
    ALIGNMENT = double,
    STORAGE = external
);

COMMENT ON TYPE lmdi_sums IS 'what the factors of a sum of products add to its change: the state of lmdi()';
COMMENT ON FUNCTION lmdi_sums_in(cstring) IS 'I/O';
COMMENT ON FUNCTION lmdi_sums_out(lmdi_sums) IS 'I/O';
COMMENT ON FUNCTION lmdi_sums_recv(internal) IS 'I/O';
COMMENT ON FUNCTION lmdi_sums_send(lmdi_sums) IS 'I/O';

CREATE FUNCTION lmdi_sums_add(lmdi_sums, double precision[], double precision[]) RETURNS lmdi_sums
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION lmdi_sums_merge(lmdi_sums, lmdi_sums) RETURNS lmdi_sums
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION lmdi(lmdi_sums) RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'lmdi_effects' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION lmdi_index(lmdi_sums) RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'lmdi_indices' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmdi_sums_add(lmdi_sums, double precision[], double precision[]) IS 'transition function of lmdi()';
COMMENT ON FUNCTION lmdi_sums_merge(lmdi_sums, lmdi_sums) IS 'transition function of merge(lmdi_sums), combine function of lmdi()';
COMMENT ON FUNCTION lmdi(lmdi_sums) IS 'the same of sums: final function of lmdi()';
COMMENT ON FUNCTION lmdi_index(lmdi_sums) IS 'the same of sums: final function of lmdi_index()';

CREATE AGGREGATE lmdi(x0 double precision[], x1 double precision[]) (
    SFUNC = lmdi_sums_add,
    STYPE = lmdi_sums,
    FINALFUNC = lmdi,
    COMBINEFUNC = lmdi_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE lmdi(double precision[], double precision[]) IS
    'what each factor adds to the change of a sum of products, LMDI-I additive (Ang 2005): one row for each product, its factors before and after; they add up to the change; a factor that comes from zero, or goes to it, takes the whole change of its product';
CREATE AGGREGATE lmdi_index(x0 double precision[], x1 double precision[]) (
    SFUNC = lmdi_sums_add,
    STYPE = lmdi_sums,
    FINALFUNC = lmdi_index,
    COMBINEFUNC = lmdi_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE lmdi_index(double precision[], double precision[]) IS
    'the same as indices, LMDI-I multiplicative: their product is the ratio of the sums; NULL where one of these is zero';
CREATE AGGREGATE lmdi_sums(x0 double precision[], x1 double precision[]) (
    SFUNC = lmdi_sums_add,
    STYPE = lmdi_sums,
    COMBINEFUNC = lmdi_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE lmdi_sums(double precision[], double precision[]) IS 'the sums of lmdi() and lmdi_index(), to be kept and merged';
CREATE AGGREGATE merge(lmdi_sums) (
    SFUNC = lmdi_sums_merge,
    STYPE = lmdi_sums,
    COMBINEFUNC = lmdi_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE merge(lmdi_sums) IS 'the sums over the products of all of them, in any order; NULL of none';
