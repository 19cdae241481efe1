#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# run.sh TARGET SEEDS SECONDS: a short run of a fuzz target that leaves the seeds as they are.
set -euo pipefail
corpus=$(mktemp -d)
TMPDIR=$(mktemp -d) # what a target makes
export TMPDIR
trap 'rm -rf "$corpus" "$TMPDIR"' EXIT
seeds=()
[ ! -d "$2" ] || seeds=("$2")
"$1" -max_total_time="$3" -max_len=65536 -timeout=60 -rss_limit_mb=2048 -verbosity=0 \
    -artifact_prefix="${PIPETOOL_BUILD:-/tmp}/" "$corpus" "${seeds[@]}" 2>&1 | tail -40
