#!/bin/bash
# indent.sh [--check] FILE: PostgreSQL's style, by its own pg_bsd_indent.
set -euo pipefail
check=
[ "$1" = --check ] && check=1 && shift
cd "$(dirname "$0")/.."
formatted=$(mktemp)
trap 'rm -f "$formatted"' EXIT
# pgindent, too, takes the typedefs from a list and mends the star of a
# function whose result is a pointer
pg_bsd_indent -bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 -nfc1 -i4 -l79 -lp -lpl -nip -npro -sac -tpg -ts4 \
    -Utypedefs.list <"$1" | sed -E 's/^([A-Za-z_][A-Za-z0-9_ ]*[A-Za-z0-9_])[ \t]+\*$/\1 */' >"$formatted"
if [ -n "$check" ]; then
    diff -u "$1" "$formatted" || { echo "$1: not in PostgreSQL's style; run make indent" >&2; exit 1; }
else
    cmp -s "$1" "$formatted" || { cat "$formatted" >"$1"; echo "indented $1"; }
fi
