# SPDX-License-Identifier: BSD-2-Clause
# Completion of ptctl for fish: ptctl itself says what may follow.

function __ptctl_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct | string replace -r '^[\'"]' '' | string collect)
    set -l lines ($words[1] complete -- $words[2..-1] "$current" 2>/dev/null)
    if test "$lines" = :files
        __fish_complete_path "$current"
        return
    end
    # fish closes quotes behind the only candidate: where more follows there are two
    if test (count $lines) = 1; and string match -qr '\t\+$' -- $lines[1]
        string replace -r '\t.*' '…' -- $lines[1]
    end
    string replace -r '\t\+$' '' -- $lines
end

complete -c ptctl -f -a '(__ptctl_complete)'
