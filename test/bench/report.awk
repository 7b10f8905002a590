# Prints the table and the ratios of engines.sh: labels, then times and results.
# Exact ways must agree to the last digit, those of floats to 1e-9.
FNR == NR { name[++ways] = $1; label[$1] = $2; next }
{
    time[$1, ++runs[$1]] = $2
    split($3, part, "|")
    groups = $3
    sub(/\|[^|]*$/, "", groups)
    if ($1 == "count") next
    if (expected == "") { expected = groups; total = part[6] }
    if (groups != expected) wrong($1, groups, expected)
    if ($1 == "unpriced") next
    close_enough = part[6] - total < total * 1e-9 && total - part[6] < total * 1e-9
    if ($1 ~ /float8|double|people|asof|by_model/ ? !close_enough : part[6] "" != total "") wrong($1, part[6], total)
}
function wrong(way, is, should) { printf "%s: %s, but ledger(): %s\n", label[way], is, should; failed = 1 }
function median(way,    i, j, t, n) {
    n = runs[way]
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && time[way, j] < time[way, j - 1]; j--) {
            t = time[way, j]; time[way, j] = time[way, j - 1]; time[way, j - 1] = t
        }
    return time[way, int((n + 1) / 2)]
}
function best(pattern,    i, w, found) {
    for (i = 1; i <= ways; i++)
        if (name[i] ~ pattern && (found == "" || m[name[i]] < m[found])) found = name[i]
    return found
}
# A claim is about medians; the ratio of the least times, which other work on the
# machine disturbs less, stands beside.
function claim(text, way, other, least_ratio, most_ratio,    ratio) {
    if (!(way in m) || !(other in m)) { printf "  %-68s not measured\n", text; return }
    ratio = m[way] / m[other]
    printf "  %-68s %6.2f (%.2f)  %s\n", text, ratio, time[way, 1] / time[other, 1],
        (least_ratio == "" || ratio >= least_ratio) && (most_ratio == "" || ratio <= most_ratio) ? "holds" : "DOES NOT HOLD"
}
function faster(text, way, least_ratio) {
    claim(text, way, "ledger_1", least_ratio, "")
    if (way != "") printf "      %s\n", label[way]
}
END {
    for (i = 1; i <= ways; i++) m[name[i]] = median(name[i])
    printf "\n%-68s %9s %9s %9s\n", "", "median s", "least s", "x count(*)"
    for (i = 1; i <= ways; i++)
        printf "%-68s %9.3f %9.3f %9.2f\n", label[name[i]], m[name[i]], time[name[i], 1], m[name[i]] / m["count"]
    print "\nledger() in one process; ratios of medians (of least times):"
    claim("at most 3 x count(*)", "ledger_1", "count", "", 3)
    claim("at most 0.45 x plain SQL that does not price", "ledger_1", "unpriced", "", 0.45)
    faster("times faster than the best join of plain SQL, at least 10", best("^(lateral|range)_"), 10)
    faster("times faster than plain SQL with arrays of prices", best("^array_"), 1)
    faster("times faster than DuckDB's ASOF JOIN as people write it, at least 4", best("^duckdb_people 1"), 4)
    faster("times faster than DuckDB's best plan, one thread", best("^duckdb_.* 1$"), 1)
    faster("times faster than ClickHouse's best plan, one thread", best("^clickhouse_.* 1$"), 1)
    print "ledger() in two processes; parallel plan: " parallel
    claim("times faster than in one, at least 1.5", "ledger_1", "ledger_2", 1.5, "")
    if (failed) print "WAYS DISAGREE: see above"
    else printf "all ways agree: %s groups, %.10f USD\n", substr(expected, 1, index(expected, "|") - 1), total / 1e10
    exit failed
}
