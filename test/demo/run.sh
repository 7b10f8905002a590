#!/bin/bash
# The main job on a server that has nothing: from a price list and one call to
# its exact cost, and from a company's calls and bills to its trends.
set -euo pipefail
cd "$(dirname "$0")"
psql -Xq -v ON_ERROR_STOP=1 -P pager=off -f price_of_a_call.sql -f company.sql -f trends.sql -f quotes.sql -f plans.sql -f report.sql
