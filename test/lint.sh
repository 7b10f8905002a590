#!/bin/bash
# lint.sh: style and small rules; prints what is wrong and fails.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
complain() { echo "lint: $1" >&2; failed=1; }

for file in src/*.c src/*.h test/*/*.c; do
    [ -e "$file" ] && { test/indent.sh --check "$file" || failed=1; }
done
cppcheck --quiet --error-exitcode=1 --enable=warning,portability --inline-suppr --suppress=missingInclude \
    --suppress=unknownMacro --suppress=nullPointerArithmetic -DFLEXIBLE_ARRAY_MEMBER= -DPG_VERSION_NUM=150000 -DHAVE_INT128 src || complain "cppcheck"
codespell -q 3 -L inout,datas,te,fo,ot,fpr,mape,nam,nd README.md CHANGELOG.md src test sql Makefile || complain "spelling"

git grep -nE '[[:space:]]+$' -- '*.c' '*.h' '*.sql' '*.sh' '*.pl' '*.pm' Makefile ':!expected' && complain "space at the end of a line"
grep -ln PG_VERSION_NUM src/*.c src/*.h | grep -v compat.h && complain "PG_VERSION_NUM belongs in compat.h"
grep -nE '^CREATE (OR REPLACE )?(FUNCTION|TABLE|VIEW).*IF NOT EXISTS|^CREATE OR REPLACE' src/*.sql && complain "the extension script creates, it does not replace"
version=$(sed -n "s/^default_version = '\(.*\)'/\1/p" tokenomics.control)
grep -q "\"version\": \"$version\"" META.json || complain "META.json and tokenomics.control differ in version"
grep -q "^## $version" CHANGELOG.md || complain "CHANGELOG.md does not name version $version"
exit $failed
