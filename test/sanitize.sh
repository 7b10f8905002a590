#!/bin/bash
# sanitize.sh: builds a copy under AddressSanitizer and UndefinedBehaviorSanitizer
# and runs the pg_regress tests (SANITIZE_TESTS: some of them); fails on a failed
# test and on any report.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
copy=$(mktemp -d "${TMPDIR:-/tmp}/tokenomics-sanitize.XXXXXX")
trap 'rm -rf "$copy"' EXIT
chmod 755 "$copy"
tar -C "$source" --exclude=.git --exclude=build --exclude='*.o' --exclude='*.so' -cf - . | tar -C "$copy" -xf -
cd "$copy"
# Under libasan the PostgreSQL programs of Debian wait for themselves in
# bindtextdomain(); messages need no translation here.
echo 'char *bindtextdomain(const char *domain, const char *dir) { (void) domain; return (char *) dir; }' |
    gcc -shared -fPIC -x c -w -o "$copy/no_bindtextdomain.so" -
export PROFILE="-fsanitize=address,undefined -fno-omit-frame-pointer -O1 -g"
# the server itself is not instrumented: the runtime is loaded first, leaks are the contexts' business
export TOKENOMICS_SERVER_ENV="LD_PRELOAD=$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so):$copy/no_bindtextdomain.so ASAN_OPTIONS=detect_leaks=0:log_path=$copy/sanitizer.log UBSAN_OPTIONS=print_stacktrace=1:log_path=$copy/sanitizer.log"
chmod 777 "$copy"
make -s -j2 with_llvm=no PROFILE="$PROFILE" ${PG_CONFIG:+PG_CONFIG="$PG_CONFIG"} all
status=0
timeout 3000 test/with_server.sh bash -c 'make -s with_llvm=no PROFILE="$PROFILE" PG_CONFIG="$PG_CONFIG" ${SANITIZE_TESTS:+REGRESS="$SANITIZE_TESTS"} installcheck >build.log 2>&1 || { cat build.log; cat build/regress/regression.diffs; exit 1; }
    tail -5 build.log; ! grep -E "runtime error|AddressSanitizer" "$TOKENOMICS_SERVER_LOG"' || status=1
if ls sanitizer.log* >/dev/null 2>&1; then
    cat sanitizer.log*
    status=1
fi
[ $status = 0 ] && echo "no report of AddressSanitizer or UndefinedBehaviorSanitizer"
exit $status
