#!/bin/bash
# run.sh SECONDS: libFuzzer on each parser for so long, inside a backend; prints
# what it ran, and fails with the input where it finds something.
set -euo pipefail
seconds=$1
source=$(cd "$(dirname "$0")/../.." && pwd)
targets="tokens_text rates_text tokens_binary rates_binary usage book_text book_binary ledger_text ledger_binary
    profile_text profile_binary index_sums_text index_sums_binary lmdi_sums_text lmdi_sums_binary price_panel_text price_panel_binary time_series_text time_series_binary"

if [ -z "${TOKENOMICS_LIBDIR:-}" ]; then
    exec "$source/test/with_server.sh" "$0" "$seconds"
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/tokenomics-fuzz.XXXXXX")
chmod 777 "$work"
runtime=$(clang -print-runtime-dir)/libclang_rt.fuzzer_no_main-x86_64.a
clang -w -O1 -g -fPIC -shared -fsanitize=fuzzer-no-link,undefined -fsanitize-undefined-trap-on-error -fno-sanitize=function -Wl,-Bsymbolic \
    -DEXTVERSION='"fuzz"' -I"$("$PG_CONFIG" --includedir-server)" -o "$TOKENOMICS_LIBDIR/tokenomics_fuzz.so" \
    "$source/test/fuzz/fuzz.c" $(ls "$source"/src/*.c | grep -v module.c) "$runtime" -lstdc++ -lm -lpthread

psql -Xq -c "SET client_min_messages = warning; CREATE EXTENSION tokenomics CASCADE" \
    -c "CREATE FUNCTION fuzz(text, int, text) RETURNS int AS '\$libdir/tokenomics_fuzz' LANGUAGE C STRICT"

# seeds: one good value for each, and the bodies of the regression tests
for target in $targets; do
    mkdir -m 777 "$work/$target"
done
printf '{"input": 1200, "cache_read": 800, "output": 3e2, "reasoning": null}' >"$work/tokens_text/seed"
printf '{"currency": "USD", "input": 3, "cache_read": 0.3, "output": 1.5e1}' >"$work/rates_text/seed"
book='{"books": [{"book": "c", "prices": [{"provider": "a", "model": "m", "tier_mode": "graduated", "rates": {"currency": "USD", "input": 1, "output": 2}, "valid": [null, "2026-01-01T00:00:00Z"]}, {"provider": "a", "model": "m", "tier_mode": "graduated", "above_input_tokens": 5, "rates": {"currency": "USD", "input": 3}}, {"provider": "a", "model": "m", "off_peak": [[0, 500]], "off_peak_zone": "Asia/Kolkata", "tier_mode": "graduated", "rates": {"currency": "USD", "input": 1}}]}, {"book": "list"}], "aliases": [{"alias": "^x", "is_pattern": true, "to_model": "m"}]}'
printf '%s' "$book" >"$work/book_text/seed"
psql -XqAt -c "SELECT encode(tokenomics.price_book_send('$book'), 'hex')" | xxd -r -p >"$work/book_binary/seed"
psql -XqAt -c "SELECT encode(tokenomics.tokens_send('{\"input\": 1200, \"output\": 3}'), 'hex')" | xxd -r -p >"$work/tokens_binary/seed"
psql -XqAt -c "SELECT encode(tokenomics.rates_send('{\"currency\": \"USD\", \"input\": 3, \"output\": 15}'), 'hex')" | xxd -r -p >"$work/rates_binary/seed"
calls="VALUES ('2026-01-05'::timestamptz, 'm', NULL, tokens(input => 20, output => 3)), ('2026-01-06', 'm', NULL, tokens(input => 5, tool_calls => 1)), ('2026-03-29', 'x', 'é', NULL), ('4714-11-24 BC', 'y', '', '{}')"
for k in day quarter_hour; do
    ledger="SELECT ledger('$book', '$k', 'Asia/Kolkata', at, 'a', m, NULL, t, label) FROM ($calls) v(at, m, label, t)"
    psql -XqAt -c "SET search_path = tokenomics, public" -c "$ledger" >"$work/ledger_text/$k"
    psql -XqAt -c "SET search_path = tokenomics, public" -c "SELECT encode(ledger_send(l), 'hex') FROM ($ledger) x(l)" | xxd -r -p >"$work/ledger_binary/$k"
done
# NAME TYPE QUERY: a value of a type, in both forms
seed() {
    printf '%s' "$(psql -XqAt -c "SET search_path = tokenomics, public; SET timezone = 'UTC'" -c "$3")" >"$work/$1_text/seed"
    psql -XqAt -c "SET search_path = tokenomics, public; SET timezone = 'UTC'" -c "SELECT encode($2_send(v), 'hex') FROM ($3) x(v)" | xxd -r -p >"$work/$1_binary/seed"
}
seed profile demand_profile "SELECT with_span(demand_profile('Europe/Berlin', at, t, n, 'second'), '2026-01-04Z', '2026-01-07Z')
    FROM (VALUES ('2026-01-05 00:02:03Z'::timestamptz, tokens(input => 20, output => 3), 1), ('2026-01-05 00:02:04Z', tokens(cache_storage => 300), 200), ('2026-01-06Z', NULL, 1)) v(at, t, n)"
seed index_sums index_sums "SELECT index_sums(p0, q0, p1, q1) FROM (VALUES (1, 2, 3, 4), (2, 1, 5, 3), (NULL, NULL, 1, 1)) v(p0, q0, p1, q1)"
seed lmdi_sums lmdi_sums "SELECT lmdi_sums('{1, 2, 3}', '{2, 1, 5}')"
seed price_panel price_panel "SELECT price_panel(at, i, p, q) FROM (VALUES ('2026-01-01Z'::timestamptz, 'a', 1, 2), ('2026-02-01Z', 'a', 1, 2), ('2026-02-01Z', 'é', 1, NULL)) v(at, i, p, q)"
seed time_series time_series "SELECT '{\"2026-01-01\": 1.5, \"2026-01-02\": null, \"2026-01-04T12:00:00\": 3}'::time_series"
n=0
grep -oE "tokens_from_[a-z]+\('\{[^']*\}'" "$source/sql/vendor.sql" | while read -r call; do
    n=$((n + 1))
    case $call in *openai*) k=0 ;; *anthropic*) k=1 ;; *gemini*) k=2 ;; *) k=3 ;; esac
    printf "\\x$k%s" "$(sed "s/^[^']*'//; s/'\$//" <<<"$call")" >"$work/usage/seed$n"
done

status=0
for target in ${TOKENOMICS_FUZZ_TARGETS:-$targets}; do
    rm -f "$work/$target.log"
    # libFuzzer ends the process it runs in: the backend, and with it the server
    psql -XqAt -c "SELECT fuzz('$target', $seconds, '$work/$target')" >/dev/null 2>&1 || true
    for _ in $(seq 50); do psql -XqAt -c 'SELECT 1' >/dev/null 2>&1 && break; sleep 0.2; done
    cp "$TOKENOMICS_SERVER_LOG" "$work/$target.log"
    finding=$(find "$work/$target" -name 'crash-*' -o -name 'timeout-*' -o -name 'oom-*' | head -1)
    runs=$(grep -oE 'stat::number_of_executed_units: *[0-9]+' "$work/$target.log" | tail -1 | grep -oE '[0-9]+$' || true)
    coverage=$(grep -oE 'cov: [0-9]+' "$work/$target.log" | tail -1 || true)
    if [ -n "$finding" ] || [ -z "$runs" ]; then
        echo "$target: FINDING ${finding:-the run did not end}"
        tail -40 "$work/$target.log"
        mkdir -p "$source/build/fuzz" && cp "${finding:-$work/$target.log}" "$source/build/fuzz/"
        status=1
    else
        echo "$target: $runs runs, $coverage, no finding"
    fi
    : >"$TOKENOMICS_SERVER_LOG"
done
rm -rf "$work"
exit $status
