#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Every header compiles alone, for which one compiler is enough: the other compiles all that
# includes it. Where its .c includes it first, the build has shown that. The public ones also
# compile from outside, as users have them, with
# either.
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

is_first() { # HEADER AS-INCLUDED: its .c begins with it
    [ -f "${1%.h}.c" ] && [ "$(sed -n '/^#include/{s/^#include *//p;q}' "${1%.h}.c")" = "\"$2\"" ]
}

shown=0
while IFS= read -r header; do
    if is_first "$header" "${header#lib/}"; then
        shown=$((shown + 1))
    else
        try "$header" gcc -std=gnu11 -D_GNU_SOURCE "${flags[@]}" "${system[@]}" \
            -Ilib -I. -Itests -I"$build" -x c - <<<"#include \"${header#lib/}\""
    fi
done < <(find lib daemon ctl tests -name '*.h' | sort)

for header in lib/pipetool/*.h; do
    include="#include <pipetool/$(basename "$header")>"
    for cc in gcc clang; do
        try "$header" "$cc" -std=c11 -pedantic "${flags[@]}" -Ilib -x c - <<<"$include"
    done
    try "$header" clang -std=c++17 "${flags[@]}" -Ilib -x c++ - <<<"$include"
done

echo "$count compilations, and $shown by the build"
[ "$count" -gt 10 ] && [ "$shown" -gt 10 ] || bad=1
exit $bad
