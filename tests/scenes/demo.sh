#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Shows an engine at work on real packets, command by command as a user types them.
# Argument: the build directory. Everything happens in a folder that is removed in the end.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "$1" && pwd)
PATH=$build/ctl:$build/daemon:$PATH:/usr/sbin:/usr/bin

folder=$(mktemp -d)
cd "$folder"
export PIPETOOL_SOCKET=$folder/control.sock
mkdir engines blocks state

children=()
finish() {
    [ ${#children[@]} -eq 0 ] || kill "${children[@]}" 2>/dev/null || true
    wait
    cd /
    rm -rf "$folder"
}
trap finish EXIT

strong=$'\e[1m' plain=$'\e[0m'
[ -t 1 ] || { strong='' plain='' NO_COLOR=1 && export NO_COLOR; }
say() { printf '\n# %s\n' "$*"; }
type() { printf '%s$ %s%s\n' "$strong" "$*" "$plain"; } # what follows is run as it stands here
show() {
    type "$*"
    eval "$*"
}

say 'A capture with IPv4, IPv6, a VLAN, ARP, TCP, UDP and ICMP, three seconds long.'
/usr/bin/python3 "$here/demo_capture.py" demo.pcap
show 'tcpdump -n -r demo.pcap -c 6 2>/dev/null'

say 'The daemon, with a socket of its own; under systemd it is just there.'
type 'pipetoold --socket control.sock &'
pipetoold --socket "$PIPETOOL_SOCKET" --config /dev/null --engines engines --blocks blocks \
    --state state >console 2>log &
children+=($!)
until ptctl list >/dev/null 2>&1; do
    kill -0 "${children[0]}" 2>/dev/null || { cat log >&2; exit 1; }
done
show 'ptctl call daemon.info'

say "Scapy's first demo: packets in, addresses replaced, packets out, as fast as they were caught."
cat >demo.pipe <<'PIPE'
source = RdpcapSource("demo.pcap", speed=1)
anon   = TransformDrain("set{['ip.src']='1.1.1.1', ['ip.dst']='2.2.2.2'}")
wire   = WrpcapSink("anonymous.pcap")
source > anon > wire
anon > ConsoleSink(name="console")
PIPE
show 'cat demo.pipe'
show 'ptctl create demo -f demo.pipe --start'

say 'It runs. Whoever wants to can look on at what its consoles print:'
type 'ptctl attach demo'
timeout -s INT 1 ptctl attach demo || true

say 'Another branch, added while the packets flow: IPv6 alone, into a file of its own.'
show "ptctl add demo 'six = FilterDrain(\"function(m) return m.ip6 end\")
                anon > six > WrpcapSink(\"six.pcap\")'"

say 'The graph as it is now; ptctl graph demo -o demo.svg draws it.'
type 'ptctl graph demo'
script -qec 'ptctl graph demo' /dev/null </dev/null | tr -d '\r' # a terminal gets a drawing

say 'A clean stop: once the source is exhausted and the files are on the disk.'
show 'ptctl stop demo --wait'

say 'Where every message went. What the ledger cannot explain would stand here too.'
show 'ptctl stats demo'

say 'The rewritten capture: addresses replaced, ARP and IPv6 as they were, checksums right.'
show 'tcpdump -n -r anonymous.pcap -c 12 2>/dev/null'
printf '%s packets in, %s out, %s of them IPv6 after the branch was added; wrong checksums: %s\n' \
    "$(tcpdump -r demo.pcap 2>/dev/null | wc -l)" \
    "$(tcpdump -r anonymous.pcap 2>/dev/null | wc -l)" \
    "$(tcpdump -r six.pcap 2>/dev/null | wc -l)" \
    "$(tcpdump -vvn -r anonymous.pcap 2>/dev/null | grep -cE 'bad|incorrect' || true)"

say 'And the end: the daemon flushes its sinks and goes.'
type 'kill %1; wait'
kill "${children[0]}"
wait "${children[0]}"
children=()
cat log
