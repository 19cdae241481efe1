#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A folder is a layer: fails, with file and line, where an include goes against the arrows.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

#      layer     may include (besides itself, <pipetool/…> and the system)
arrows='
       pipetool
       base
       msg       base
       type      msg base
       packet    msg base
       capture   msg base
       lang      type base
       net       msg base
       rpc       type base
       fleet     base
       script    packet type msg base
       graph     type msg base
       engine    graph script capture packet lang net type msg base
       custom    script type msg base
       blocks    packet capture net msg base
       nats      packet capture net msg base
       ctl       docs fleet lang rpc script packet capture type base
       daemon    base msg type packet capture fleet lang rpc net script graph engine custom
'

includes() { grep -nHE '^[[:space:]]*#[[:space:]]*include' "$@" || true; }

bad=0
complain() { printf '%s\n' "$*"; bad=1; }

seen=0
while read -r layer allowed; do
    [ -n "$layer" ] || continue
    folder=lib/$layer
    [ -d "$folder" ] || folder=$layer
    mapfile -t files < <(find "$folder" -name '*.[ch]' -o -name '*.c.in' | sort)
    [ ${#files[@]} -gt 0 ] || continue
    while IFS= read -r line; do
        seen=$((seen + 1))
        [[ $line =~ ^([^:]+:[0-9]+):.*include[[:space:]]*([^[:space:]]+) ]]
        place=${BASH_REMATCH[1]}
        name=${BASH_REMATCH[2]}
        case $name in
        '"../'* | '"./'*) complain "$place: $name: write the folder, from lib/" ;;
        '<pipetool/'*) ;;
        '"pipetool/'*) complain "$place: $name: public headers are included as <pipetool/…>" ;;
        \"paths.h\" | \"*/*)
            target=${name#\"}
            target=${target%%/*}
            case " $layer $allowed paths.h\" " in
            *" $target "*) ;;
            *) complain "$place: $layer may not include $name" \
                "(it may: ${allowed:-nothing above the system})" ;;
            esac
            ;;
        \"*.inc\") ;; # the build makes it
        \"*\") [ -e "$folder/${name//\"/}" ] || complain "$place: $name: which folder?" ;;
        esac
    done < <(includes "${files[@]}")
done <<<"$arrows"

for folder in lib/*/; do
    grep -qE "^ +$(basename "$folder")( |$)" <<<"$arrows" ||
        complain "$folder: a layer without a place in $0"
done
[ "$seen" -gt 0 ] || complain "no include found: is this the tree?"
exit $bad
