# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Completion of ptctl for bash: ptctl itself says what may follow.

_ptctl() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            compopt -o default
            continue
        fi
        [[ $line != *$'\t+' ]] || compopt -o nospace
        COMPREPLY+=("${line%%$'\t'*}")
    done < <("$1" complete --line "${COMP_LINE:0:COMP_POINT}" --word "$2" 2>/dev/null)
}

complete -F _ptctl ptctl
