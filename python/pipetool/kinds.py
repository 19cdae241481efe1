# SPDX-License-Identifier: BSD-2-Clause
"""The daemon's types that Scapy has not. Made from its tables by ./dev docs; do not edit."""
from __future__ import annotations

from typing import Any, Optional

from .natives import LEFT_OUT, NativeDrain, NativeSink, NativeSource


class FileSource(NativeSource):
    """Reads files and sends their lines, or their bytes, to the low exit.

    The file may be compressed with gzip, zstd or lz4, whatever it is called. The last line counts without a
    newline, too, and a carriage return is part of the line. A line that is longer than limit is told, counted and
    left out. The source is exhausted at the end of the last file; a file that cannot be read to its end is told,
    and the block has failed then. What is followed is read from the beginning; a last line without a newline waits
    for its rest until ptctl close.

    fname: The file; a FIFO or a device is read as it comes. A glob means all that match, by their names; a list is
        read in its order.
    by: What a message is: a line, without its newline, or whatever bytes are read at once. One of line, block.
        Default: line.
    follow: At the end wait for more there, for new files of a glob, and for a file that takes the name, as tail -F
        does, until ptctl close. Default: False.
    loop: How many rounds; 0 for ever. Default: 1.
    limit: Bytes of the longest line, longer ones are left out; and of the largest block. Default: 1MiB.
    idle: Ends a follow after so long without anything; None: does not.

    >>> FileSource("in.txt") > ConsoleSink()
    >>> FileSource("app*.log", follow=True, idle=1) >
    ... FilterDrain("function(m) return m:find('error') end") > ConsoleSink()
    """

    def __init__(self, fname: Any, by: Any = LEFT_OUT, follow: bool = LEFT_OUT, loop: int = LEFT_OUT,
                 limit: Any = LEFT_OUT, idle: Any = LEFT_OUT, *, name: Optional[str] = None) -> None:
        super().__init__(name=name, fname=fname, by=by, follow=follow, loop=loop, limit=limit, idle=idle)


class FromEngine(NativeSource):
    """Sends on what other engines of the same daemon send to its channel.

    Messages of ToEngine blocks with the same channel, of however many engines, leave on the canal on which they
    came there. A channel has one receiver. It is exhausted when every sender that is there has come to its end, and
    one has; one that is only stopped may come back. When the engine stops, what waits in the channel is sent on
    first.

    channel: The channel's name.

    >>> FromEngine('dns') > WrpcapSink('dns.pcap')
    """

    def __init__(self, channel: Any, *, name: Optional[str] = None) -> None:
        super().__init__(name=name, channel=channel)


class NatsSource(NativeSource):
    """Reads packets from a stream of NATS JetStream.

    Each NATS message is a capture, as NatsSink makes them. It is acknowledged to the stream when what came of it is
    behind a checkpoint, or, without a descriptor store, written (files), acknowledged (NatsSink), or else sent, so
    that everything comes at least once. A block that reads its consumer alone gets all in order, and with a
    descriptor store it is in files and queues once, also after kill -9. Several that name one consumer share what
    it gives. A stop settles what was sent, and gives back the rest. What is no capture counts as dropped (error),
    and the stream is told never to give it again. A server that is away is waited for, and the block has failed
    until it is back.

    url: The servers, one or several with commas; no passwords: see credentials. Default: nats://127.0.0.1:4222.
    stream: The stream, which must be there.
    consumer: The durable consumer: made if it is missing, and shared by all that name it. None: ENGINE-BLOCK.
    subject: Of a consumer that is made: what of the stream it gets, '*' and '>' included; None: all.
    credentials: A file that says who it is: a .creds file, or lines with user and password, or with token.
    tls: Encrypts, as tls:// does: files of whom to trust (ca, else as the system does), and of one's own
        certificate (cert and key).

    >>> NatsSource('nats://127.0.0.1:4222', 'packets') > WrpcapSink('all.pcapng')
    """

    def __init__(self, url: Any = LEFT_OUT, stream: Any = LEFT_OUT, consumer: Any = LEFT_OUT,
                 subject: Any = LEFT_OUT, credentials: Any = LEFT_OUT, tls: Any = LEFT_OUT, *,
                 name: Optional[str] = None) -> None:
        super().__init__(name=name, url=url, stream=stream, consumer=consumer, subject=subject,
                         credentials=credentials, tls=tls)


class PcapOverIPSource(NativeSource):
    """Reads packets that come as a capture over TCP.

    From a server such as PcapOverIPSink, or with listen from up to 64 clients at once: pcap or pcapng, compressed
    or not. A stream that is no capture, or is damaged, is told and its connection closed; others go on. The
    interface of packets is the stream's own, or the peer. At the end of the connection the source is exhausted, or
    with retry_s connects again.

    addr: The host to connect to, or the address to listen on.
    port: TCP port; of a listener 0 takes a free one, which show tells. Default: 57012.
    listen: Waits for clients that send captures, until ptctl close. Default: False.
    retry_s: Connects again after so many seconds; None: does not.

    >>> PcapOverIPSource('127.0.0.1', listen=True) > Sink()
    """

    def __init__(self, addr: Any, port: int = LEFT_OUT, listen: bool = LEFT_OUT, retry_s: Any = LEFT_OUT, *,
                 name: Optional[str] = None) -> None:
        super().__init__(name=name, addr=addr, port=port, listen=listen, retry_s=retry_s)


class ProgramPipe(NativeSource):
    """Runs a program, whose input and output are sink and source.

    What enters goes to the program's standard input, what it prints leaves: lines, bytes as they come, or packets
    as a capture. It is started with the engine, in a process group of its own and without other descriptors; a
    program that does not read, or is not read from, is waited for, both ways. Its standard error goes to the log;
    show has the last lines. When all sources that reach it are exhausted its input is closed. When it has ended the
    block is exhausted, or it starts again after restart_s, for which what comes meanwhile waits; another status
    than 0, or a signal, fails the block, and what comes then is dropped (unsent). When the engine stops its input
    is closed, and what has not ended a second later is asked to, and killed another second later, with its
    children.

    command: The program and its arguments: a list, or a text that is split as a shell does it (quotes, nothing is
        expanded). [programs] allow must name it.
    format: What goes in: lines (a newline behind each message), raw, packets as a pcap (nanoseconds) or pcapng, or
        frames, which also come out, and carry all that a message is, triggers and credits: the manual
        pipetool-blocks(7) has the format. One of lines, raw, pcap, pcapng, frames. Default: lines.
    out: What comes out, if that is another format; of captures any. One of lines, raw, pcap, pcapng.
    restart_s: Starts it again when it has ended, after so many seconds; None: does not. Set on one that has ended,
        it starts that, too.
    limit: Bytes that may wait for it before sources are held back. Default: 1MiB.
    fd: In place of a program, with frames: a socket that came with the request, counted from 0.
    label: What it is to people, in words.

    >>> RdpcapSource('in.pcap') >
    ... ProgramPipe('tshark -r -', format='pcap', out='lines') > ConsoleSink()
    >>> RdpcapSource('in.pcap') >
    ... ProgramPipe(['tshark', '-r', '-', '-w', '-'], format='pcapng') > Sink()
    """

    def __init__(self, command: Any = LEFT_OUT, format: Any = LEFT_OUT, out: Any = LEFT_OUT,
                 restart_s: Any = LEFT_OUT, limit: Any = LEFT_OUT, fd: Any = LEFT_OUT, label: Any = LEFT_OUT, *,
                 name: Optional[str] = None) -> None:
        super().__init__(name=name, command=command, format=format, out=out, restart_s=restart_s, limit=limit,
                         fd=fd, label=label)


class DedupDrain(NativeDrain):
    """Passes the first of packets that are the same.

    The others are filtered out (`duplicate`), on whichever canal they come. A copy has the same captured bytes and
    length on the wire; what pads a frame behind its packet never counts. It makes the time no longer: of three that
    are 0.8 s apart, with seconds=1 the first and the third pass. What is no packet goes by a clock.

    seconds: A copy is one that is dated at most so long behind the first, or before it. Default: 1.
    packets: In place of seconds: one that is among so many that come next.
    ignore: What does not count: the link's header, its tags, IP's time to live or hop limit, IPv4's number; with
        the last two the header's checksum. One of eth, vlan, ttl, ip.id. Default: [].
    limit: Memory for what has passed; beyond, what passed first is forgotten. Default: 64MiB.

    >>> RdpcapSource("in.pcap") > DedupDrain() > WrpcapSink("out.pcap")
    >>> RdpcapSource("in.pcap") > DedupDrain(packets=4) > Sink()
    >>> RdpcapSource("in.pcap") > DedupDrain(seconds="50ms", ignore=["eth", "vlan", "ttl"]) > Sink()
    """

    def __init__(self, seconds: Any = LEFT_OUT, packets: int = LEFT_OUT, ignore: Any = LEFT_OUT,
                 limit: Any = LEFT_OUT, *, name: Optional[str] = None) -> None:
        super().__init__(name=name, seconds=seconds, packets=packets, ignore=ignore, limit=limit)


class FilterDrain(NativeDrain):
    """Passes the messages for which a function or a filter is true.

    The function is a native predicate (always, never, equals 'bytes', bpf 'filter', between(…), every(n)) or a Lua
    function of one message: 'ptctl help functions'. The filter is tcpdump's; a message that is no packet does not
    match it.

    f: Which messages pass; either this or filter is given.
    filter: The same as a capture filter, see pcap-filter(7).

    >>> CLIFeeder() > FilterDrain(filter="tcp port 443") > QueueSink()
    >>> CLIFeeder() > FilterDrain("function(m) return #m > 3 end") > ConsoleSink()
    """

    def __init__(self, f: Any = LEFT_OUT, filter: Any = LEFT_OUT, *, name: Optional[str] = None) -> None:
        super().__init__(name=name, f=f, filter=filter)


class HeadDrain(NativeDrain):
    """Passes what comes first, of all or of each flow, host or field.

    A message passes while what has passed before is less than `count`, `bytes` and `seconds` (those that are
    given); the rest is filtered out (`beyond`). Without `per`, when it is through, sources that lead nowhere else
    are exhausted, as with tcpdump -c. A trigger begins anew, and is passed on.

    count: So many messages.
    bytes: Until so many bytes have passed; of packets, those that were captured.
    seconds: What is dated less than so long behind the first; what is no packet passes.
    per: Of each of these, in place of all: "flow" (both directions are one), "host" (the source address), or fields
        such as "ip.src"; a list: of these together.
    limit: Memory for what has passed of each; beyond, what was seen least recently is forgotten. Default: 64MiB.

    >>> RdpcapSource("in.pcap") > HeadDrain(count=10) > Sink()
    >>> RdpcapSource("in.pcap") > HeadDrain(bytes="10KiB", per="flow") > Sink()
    """

    def __init__(self, count: int = LEFT_OUT, bytes: Any = LEFT_OUT, seconds: Any = LEFT_OUT,
                 per: Any = LEFT_OUT, limit: Any = LEFT_OUT, *, name: Optional[str] = None) -> None:
        super().__init__(name=name, count=count, bytes=bytes, seconds=seconds, per=per, limit=limit)


class PaceDrain(NativeDrain):
    """Lets messages go no faster than so many, or so many bits, a second.

    What comes faster waits, that of both canals in one queue, and holds its sources back, or is dropped
    (`overflow`). A delay of the machine is caught up with, up to a tenth of a second, so that the rate is kept. The
    end of the sources is waited for; a stop sends the rest at once.

    pps: So many messages a second; either this or rate is given.
    rate: So many bits a second, of packets' lengths on the wire: "10Mbit".
    burst: So many may go at once where nothing went for as long as that takes. Default: 1.
    overflow: What happens beyond the limit: the sources are held back, or the oldest or the newest message is
        dropped. One of drop-oldest, drop-newest, block. Default: block.
    limit: Bytes that may wait. Default: 1MiB.

    >>> RdpcapSource("in.pcap") > PaceDrain(pps=1000) > Sink()
    >>> RdpcapSource("in.pcap") > PaceDrain(rate="10Mbit", burst=10) > Sink()
    """

    def __init__(self, pps: Any = LEFT_OUT, rate: Any = LEFT_OUT, burst: int = LEFT_OUT,
                 overflow: Any = LEFT_OUT, limit: Any = LEFT_OUT, *, name: Optional[str] = None) -> None:
        super().__init__(name=name, pps=pps, rate=rate, burst=burst, overflow=overflow, limit=limit)


class SampleDrain(NativeDrain):
    """Passes a part of the messages, or of the flows.

    The rest is filtered out (`sampled`). Whether a flow passes is said by its hash, which is the same everywhere:
    two daemons with the same parameters pass the same flows, both directions of each. What is no IP packet is one
    flow.

    every: One of so many passes, the last of them; either this or share is given.
    share: So large a part passes, evenly: 0.1 is a tenth.
    by: What there are so many of: packets, or flows, of which all packets pass, or none. One of packet, flow.
        Default: packet.

    >>> RdpcapSource("in.pcap") > SampleDrain(every=100) > Sink()
    >>> RdpcapSource("in.pcap") > SampleDrain(share=0.1, by="flow") > Sink()
    """

    def __init__(self, every: int = LEFT_OUT, share: Any = LEFT_OUT, by: Any = LEFT_OUT, *,
                 name: Optional[str] = None) -> None:
        super().__init__(name=name, every=every, share=share, by=by)


class ReorderDrain(NativeDrain):
    """Lets messages go in the order of their times.

    Of those with the same time, the one goes first that came first; what has no time stays behind what came before
    it. When the sources are exhausted, and at a stop, the rest goes. What comes too late, since a newer one has
    gone, passes at once, and `ptctl show` counts it (`late`). A time that is further ahead of all others than ten
    times seconds counts only when one comes that is newer still, or when those alone are more than limit: until
    then the packet waits aside, for seconds. Both canals are one order.

    seconds: Holds each until one has come that is so much newer, or so long. Default: 1.
    limit: Bytes that it may hold; beyond, the earliest goes before its time. Default: 64MiB.

    >>> RdpcapSource("in.pcap") > ReorderDrain(seconds=5) > WrpcapSink("out.pcap")
    """

    def __init__(self, seconds: Any = LEFT_OUT, limit: Any = LEFT_OUT, *, name: Optional[str] = None) -> None:
        super().__init__(name=name, seconds=seconds, limit=limit)


class UnwrapDrain(NativeDrain):
    """Passes the packet inside of tunnels.

    What has none of the kinds passes as it is, and so do fragments. Tags of VLANs, labels and PPPoE sessions in
    front of a tunnel are looked through, and go with it. Bare IP inside keeps the Ethernet header in front, with
    its type put right, so the link type stays; so it is with Linux's cooked captures, and other links become raw
    IP. Times stay, and lengths are those of the packet inside, also where it was not captured whole. m.tunnel in a
    function is the outermost id: a VXLAN's or Geneve's network, a GTP's tunnel, the tag of a VLAN, the first label
    of MPLS, the key of GRE, the session of PPPoE, L2TP and ERSPAN.

    kinds: What is taken off, one or a list; None: all. Those over UDP go by their standard ports. One of vlan,
        mpls, pppoe, gre, erspan, vxlan, geneve, gtp, tzsp, ipip, l2tp.
    depth: At most so many tunnels of a packet. Default: 8.
    note: Say the outermost tunnel in a comment of each packet, as "vxlan 42", in a pcapng. Default: False.

    >>> RdpcapSource("in.pcap") > UnwrapDrain() > WrpcapSink("out.pcap")
    >>> RdpcapSource("in.pcap") > UnwrapDrain(kinds="vxlan", note=True) > WrpcapSink("out.pcapng")
    >>> RdpcapSource("in.pcap") > UnwrapDrain(kinds=["vlan", "mpls"], depth=1) > Sink()
    """

    def __init__(self, kinds: Any = LEFT_OUT, depth: int = LEFT_OUT, note: bool = LEFT_OUT, *,
                 name: Optional[str] = None) -> None:
        super().__init__(name=name, kinds=kinds, depth=depth, note=note)


class CountDrain(NativeDrain):
    """Passes everything, and tells what there is most of.

    A report of each interval, and of the last one at the end, leaves on the higher canal: the keys that come first,
    the sum of the others, and how many were forgotten for want of memory, or by a crash. Bytes are those of the
    wire. Intervals go by the time stamps of packets, from the first on; one in which nothing came is not told.
    Where nothing comes for as long by the clock, the report does not wait. As an object: time (of the interval's
    beginning), seconds, by, top (a list of key, packets and bytes), rest (keys, packets, bytes) and evicted.

    by: What is counted: "flow" (both directions are one), "host" (the source address), or fields such as "ip.src";
        a list: these together. Default: ip.src.
    seconds: How long an interval is. Default: 10.
    top: How many of them a report names. Default: 20.
    sort: What stands first in it: those with the most, or the lowest key. One of bytes, packets, key. Default:
        bytes.
    format: Lines for people, or an object. One of text, json. Default: text.
    limit: Memory for the counts; beyond, what was seen least recently is forgotten (evicted). Default: 64MiB.

    >>> c = CountDrain(); RdpcapSource("in.pcap") > c > Sink(); c >> RawConsoleSink()
    >>> c = CountDrain(by=["ip.dst", "tcp.dport"], top=5, format="json"); RdpcapSource("in.pcap") > c > Sink(); c >> RawConsoleSink()
    """

    def __init__(self, by: Any = LEFT_OUT, seconds: Any = LEFT_OUT, top: int = LEFT_OUT, sort: Any = LEFT_OUT,
                 format: Any = LEFT_OUT, limit: Any = LEFT_OUT, *, name: Optional[str] = None) -> None:
        super().__init__(name=name, by=by, seconds=seconds, top=top, sort=sort, format=format, limit=limit)


class JsonDrain(NativeDrain):
    """Makes one line of JSON of each packet.

    A line has `time`, `wire_length` and `link_type` as messages have them in answers, and the packet's layers, each
    an object with the fields that `ptctl help fields` names: {"time": "1.000000000", "wire_length": 60,
    "link_type": 1, "eth": {…}, "ip": {"src": "192.0.2.1", …}}, without the spaces. What a packet has not is left
    out. Of what is no packet there is {"message": …}: its text, or {"base64": …}. A line has no newline (FileSink
    has `newlines`), and keeps the packet's time.

    fields: Of the layers only these fields, as "ip.src", or whole layers, as "ip"; None: all.

    >>> RdpcapSource("in.pcap") > JsonDrain() > FileSink("out.json", newlines=True)
    >>> RdpcapSource("in.pcap") > JsonDrain(fields=["ip", "tcp.dport"]) > QueueSink()
    """

    def __init__(self, fields: Any = LEFT_OUT, *, name: Optional[str] = None) -> None:
        super().__init__(name=name, fields=fields)


class FileSink(NativeSink):
    """Writes the bytes of messages of both entries to a file, or to many.

    What came is in the file within a second, and on the disk when the engine stops. With fields in the name there
    is a file for each value: {ip.src} or another field of help fields (of the outer header, and of the outermost
    tag), {flow} (both directions are one), {iface}, {canal}, {time:%Y%m%d-%H} (UTC; as strftime). What a packet has
    not is none, and what is past `values` goes to other. Bytes of a value but letters, digits and ._:@+- are
    written %XX, and so is a dot that it begins with; one over 200 bytes is cut, with a hash. {{ is a brace; folders
    in the name are made. When a write fails, what comes for that file is dropped and counted, and the others go on.
    A trigger begins the next file, which is numbered as with rotate.

    fname: The file; one that is there is overwritten when the first message comes. It may have fields:
        "{ip.src}.txt".
    newlines: Write a newline behind each message. Default: False.
    append: Go on at the end of a file that is there. Default: False.
    rotate: Write files that follow one another: out.txt becomes out.00001.txt, out.00002.txt and so on, after the
        highest number there is.
    compress: How the file is compressed. None goes by the name: .gz, .zst and .lz4, else it is not. One of none,
        gzip, zstd, lz4.
    retry_s: After a failed write, how often to try to go on; None: does not.
    open: With fields, how many files are open at once; the one that was unused longest is closed, and appended to
        when it is wanted again. Default: 64.
    values: With fields, for how many values there is a file. Default: 10000.

    >>> FileSource('in.txt') > FileSink('out.txt.gz', newlines=True)
    >>> RdpcapSource('in.pcap') > TransformDrain('function(m) return m:text() end') >
    ... FileSink('bytes.bin', rotate={'size': '100MiB', 'files': 10})
    """

    def __init__(self, fname: Any, newlines: bool = LEFT_OUT, append: bool = LEFT_OUT, rotate: Any = LEFT_OUT,
                 compress: Any = LEFT_OUT, retry_s: Any = LEFT_OUT, open: int = LEFT_OUT,
                 values: int = LEFT_OUT, *, name: Optional[str] = None) -> None:
        super().__init__(name=name, fname=fname, newlines=newlines, append=append, rotate=rotate, compress=compress,
                         retry_s=retry_s, open=open, values=values)


class NatsSink(NativeSink):
    """Publishes packets to a stream of NATS JetStream.

    Each NATS message is a whole pcapng with nanoseconds, of many packets; messages that are no packets are dropped
    (link-type). The stream must be there, and none is made. What the stream has not acknowledged is held; a subject
    has one message under way at a time, so that flows stay in order, also where one is sent again, and each has a
    Nats-Msg-Id, so that none is stored twice within the stream's duplicate window. The hash of flows and hosts is
    the same in every daemon. A server that is away, or refuses, is waited for, and the block has failed until it is
    back. When nothing was acknowledged for a second, what waits goes to the spool, is synchronised with the disk,
    and is sent first later, also after the daemon was killed; without one, or when it is full, the sources are held
    back with 16 MiB in memory. A stop waits for acknowledgements, for two seconds if need be; what has none then
    goes to the spool, too, or is dropped (unsent).

    url: The servers, one or several with commas; no passwords: see credentials. Default: nats://127.0.0.1:4222.
    subject: What it is published as; {partition} stands for the number of the partition.
    by: What goes into one partition: whole flows, all that a host has sent, or batches in turn. One of flow, host,
        round. Default: flow.
    partitions: Over so many subjects it is divided; each is in order. Default: 1.
    batch: Bytes of a NATS message, unless a packet has more; the server's limit holds. Default: 64KiB.
    linger: A batch waits so long for more, and while the one before it is under way. Default: 5ms.
    spool: A folder where what waits for a server lies, also over the end of the daemon; None: in memory alone.
    spool_limit: How much may lie there. Default: 1GiB.
    credentials: A file that says who it is: a .creds file, or lines with user and password, or with token.
    tls: Encrypts, as tls:// does: files of whom to trust (ca, else as the system does), and of one's own
        certificate (cert and key).

    >>> SniffSource('lo') > NatsSink('nats://127.0.0.1:4222', 'packets')
    """

    def __init__(self, url: Any = LEFT_OUT, subject: Any = LEFT_OUT, by: Any = LEFT_OUT,
                 partitions: int = LEFT_OUT, batch: Any = LEFT_OUT, linger: Any = LEFT_OUT,
                 spool: Any = LEFT_OUT, spool_limit: Any = LEFT_OUT, credentials: Any = LEFT_OUT,
                 tls: Any = LEFT_OUT, *, name: Optional[str] = None) -> None:
        super().__init__(name=name, url=url, subject=subject, by=by, partitions=partitions, batch=batch,
                         linger=linger, spool=spool, spool_limit=spool_limit, credentials=credentials, tls=tls)


class PcapOverIPSink(NativeSink):
    """Gives packets to whoever connects, as a capture over TCP.

    Each client gets a capture of what passes from then on, as `wireshark -k -i TCP@127.0.0.1:57012` and others read
    it. A client that reads too slowly loses what is beyond limit, and holds up nobody: its next packet tells how
    many (epb_dropcount), and so does show. What clients send is not read.

    addr: The address to listen on. Default: 127.0.0.1.
    port: TCP port; 0 takes a free one, which show tells. Default: 57012.
    format: pcap (nanoseconds, of the first packet's link type) or pcapng. One of pcap, pcapng. Default: pcapng.
    clients: So many at the same time; others are refused. Default: 64.
    limit: Bytes that may wait for a client before it loses packets. Default: 4MiB.
    public: Listens on addresses that others can reach, too. Default: False.

    >>> SniffSource('lo') > PcapOverIPSink()
    """

    def __init__(self, addr: Any = LEFT_OUT, port: int = LEFT_OUT, format: Any = LEFT_OUT,
                 clients: int = LEFT_OUT, limit: Any = LEFT_OUT, public: bool = LEFT_OUT, *,
                 name: Optional[str] = None) -> None:
        super().__init__(name=name, addr=addr, port=port, format=format, clients=clients, limit=limit,
                         public=public)


class ToEngine(NativeSink):
    """Sends messages to another engine of the same daemon, on another processor core.

    They come out of the FromEngine that has the same channel, on the canal on which they came, in order; of several
    senders, each one's are. What is sent before the receiver is there, or while it is stopped, waits for it. When
    the sources that reach all senders are exhausted, the receiver is, too. What still waits when neither end is
    there any more is lost, and counted: stop the sender first. Where descriptors are stored, what is on its way
    goes on over a restart and a crash, and comes once, but for what `drop-oldest` would drop.

    channel: The channel's name.
    limit: Bytes that may wait in the channel, of this block. Default: 16MiB.
    overflow: What happens beyond the limit: the oldest or the newest message is dropped, or the sources are held
        back. One of drop-oldest, drop-newest, block. Default: block.

    >>> RdpcapSource('in.pcap') > FilterDrain(filter='udp') > ToEngine('dns')
    """

    def __init__(self, channel: Any, limit: Any = LEFT_OUT, overflow: Any = LEFT_OUT, *,
                 name: Optional[str] = None) -> None:
        super().__init__(name=name, channel=channel, limit=limit, overflow=overflow)
