#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Every test is run, and every source built: fails where a file stands in no list of its
# meson.build, and where a list is made twice, so that the second hides the first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bad=0
complain() { printf '%s\n' "$*"; bad=1; }

# FILE LIST NAME: NAME, in quotes, stands in LIST, once.
listed() {
    local times
    times=$(grep -oF "'$3'" "$2" | wc -l) || true
    [ "$times" -ge 1 ] || complain "$1 is in no list of $2"
    [ "$times" -le "${4:-1}" ] || complain "$1 stands $times times in $2"
}

for file in tests/e2e/test_*.py; do
    name=${file##*/test_}
    name=${name%.py}
    # a second time among the long ones
    [ "$name" = service ] || listed "$file" tests/e2e/meson.build "$name" 2
done
for file in lib/*/*.c daemon/*.c ctl/*.c; do
    name=${file##*/}
    case $file in
    lib/blocks/*) listed "$file" lib/meson.build "${name%.c}" ;;
    */main.c) ;;
    *) listed "$file" "${file%/*}/meson.build" "$name" ;;
    esac
done
for file in tests/*/*.c; do
    name=${file##*/}
    [ -f "${file%/*}/meson.build" ] || continue # a test's own material
    grep -qE "'${name%.c}(\.c)?'" "${file%/*}/meson.build" ||
        complain "$file is in no list of ${file%/*}/meson.build"
done
for list in lib/meson.build {lib,tests}/*/meson.build; do
    twice=$(sed -n 's/^\([a-z_0-9]*\) = \[.*/\1/p' "$list" | sort | uniq -d)
    [ -z "$twice" ] || complain "$list makes the list '$twice' twice"
done
exit $bad
