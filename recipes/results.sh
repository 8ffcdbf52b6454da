#!/usr/bin/env bash
# All that has been measured, from the ledger recipes/results: tables with intervals and paired tests, the curves, the
# speed, and what is missing.
#
#   bash recipes/results.sh                       prints all tables
#   bash recipes/results.sh --write README.md recipes/benchmark/README.md
#                                                 writes them between those files' markers, <!-- ledger: NAME --> and
#                                                 <!-- /ledger -->; NAME as printed: core, recipe, curves, speed, ...
#
# Inputs:   LEDGER, by default recipes/results, which recipes/reproduce.sh and recipes/benchmark/speed.sh write.
# Outputs:  the tables; LEDGER/curves.svg. The same ledger gives the same bytes.
# Hardware: any. Time: seconds.
# Expect:   README.md, "Results".
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

: "${LEDGER:=$SWCM_ROOT/recipes/results}"
: "${SIZE:=small}"
: "${LANGS:=kk mn ug}"
read -r -a langs <<<"$LANGS"
case $# in
0) ;;
1) usage_error "recipes/results.sh [--write README.md ...]" ;;
*) [ "$1" = --write ] || usage_error "recipes/results.sh [--write README.md ...]" ;;
esac
use_environment
exec "$SWCM_PY" -m recipes.lib.reproduce_report tables --ledger "$LEDGER" --size "$SIZE" --langs "${langs[@]}" "$@"
