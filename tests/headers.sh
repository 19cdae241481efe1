#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Every header compiles alone, for which one compiler is enough: the other compiles all that includes it. The public
# ones also from outside, as users have them, with either.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${PIPETOOL_BUILD:?the build directory, for paths.h}

flags=(-fsyntax-only -Wall -Wextra -Werror -Wno-unused-parameter)
# shellcheck disable=SC2207 # words
system=($(pkg-config --cflags libuv jansson libpcap lua5.4 libsystemd))
bad=0
count=0

try() { # NAME COMMAND…
    count=$((count + 1))
    local name=$1
    shift
    "$@" || { printf '%s does not compile alone: %s\n' "$name" "$*"; bad=1; }
}

while IFS= read -r header; do
    try "$header" gcc -std=gnu11 -D_GNU_SOURCE "${flags[@]}" "${system[@]}" \
        -Ilib -I. -Itests -I"$build" -x c - <<<"#include \"${header#lib/}\""
done < <(find lib daemon ctl tests -name '*.h' | sort)

for header in lib/pipetool/*.h; do
    include="#include <pipetool/$(basename "$header")>"
    for cc in gcc clang; do
        try "$header" "$cc" -std=c11 -pedantic "${flags[@]}" -Ilib -x c - <<<"$include"
    done
    try "$header" clang -std=c++17 "${flags[@]}" -Ilib -x c++ - <<<"$include"
done

echo "$count compilations"
[ "$count" -gt 10 ] || bad=1
exit $bad
