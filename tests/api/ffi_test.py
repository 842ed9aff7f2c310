"""Goal: a language that reads no C headers is served by the shared library as it stands.
Method: ctypes in the loops of a binding: packed records with all columns, a group that reads rows
and waits on the client's descriptor, interrupts, and a second consumer that goes on."""
import ctypes as c
import os
import select
import signal
import struct
import sys
import threading

PRODUCER, CONSUMER, WRITTEN = 1, 2, 31
USAGE, INTERRUPTED, FULL, UNREAD, TOO_BIG = -100, -108, -109, -110, -111
COUNT, ROW_CAP, FIRST_TAG, TIME = 500, 64, 7000, 1700000000000
ROW = struct.Struct("qqiiiiiiii")  # sluice_row: offset, time, key, value, headers, how many, slice
KINDS = {"i": c.c_int32, "u": c.c_uint32, "q": c.c_int64, "Q": c.c_uint64, "z": c.c_size_t,
         "p": c.c_void_p, "s": c.c_char_p, "I": c.POINTER(c.c_int32), "L": c.POINTER(c.c_int64),
         "T": c.POINTER(c.c_uint64)}
lib, results = c.CDLL(os.path.abspath(sys.argv[1])), {}

def layout(text):
    fields = [word.split(":") for word in text.split()]
    return type("Layout", (c.Structure,), {"_fields_": [(f, KINDS[kind]) for f, kind in fields]})

Header = layout("name:p value:p name_size:u value_size:i")
Packed = layout("topic:s data:s data_size:z header_sizes:I key_sizes:I value_sizes:I times:L"
                " count:i partition:i first_tag:Q set:u reserved:u")
Delivery = layout("outcome:i code:i partition:i count:i topic:s tags:T base_offset:q time:q text:s")
Slice = layout("topic:s partition:i count:i at_end:i leader_epoch:i first_offset:q next_offset:q"
               " high_watermark:q")
# Without a declaration ctypes would pass every pointer as an int.
for line in """testbroker_create ipp, testbroker_topic psii, testbroker_bootstrap p,
        headers_write pipz, testbroker_free p, client_start ipp, client_fd p, client_close pip,
        client_free p, client_interrupt p, client_explain pipz, producer_send_packed ppzpi,
        batch_finish p, producer_deliveries pip, deliveries_next ppz, deliveries_free p,
        consumer_subscribe ppi, consumer_poll pip, batch_pack ppzpip, batch_slice pipz,
        headers_find pzsp""".split(","):
    getattr(lib, "sluice_" + line.split()[0]).argtypes = [KINDS[kind] for kind in line.split()[1]]
lib.sluice_testbroker_bootstrap.restype = c.c_char_p

def check(what, holds):  # counted once, however often it is looked at
    if not holds:
        print("FAILED:", what)
    results[what] = bool(holds) and results.get(what, True)

def must(rv, client=None, *fine):
    text = c.create_string_buffer(512)
    if rv != 0 and rv not in fine:
        lib.sluice_client_explain(client, rv, text, len(text))
        raise RuntimeError(text.value.decode())

def make(create, *arguments):
    handle = c.c_void_p()
    must(create(*arguments, c.byref(handle)))
    return handle

def open_client(role, *settings):
    settings = (b"bootstrap.servers", lib.sluice_testbroker_bootstrap(cluster), *settings, None)
    return make(lib.sluice_client_start, role, (c.c_char_p * len(settings))(*settings))

def wait_for(*fds):  # in Python, whose signal handlers never run inside a foreign call
    check("a descriptor becomes readable", select.select(fds, [], [], 30)[0])

def check_size(kind, call):
    check("a wrong size", {call(c.byref(kind()), c.sizeof(kind) + n) for n in (-8, 8)} == {USAGE})

def record(i):  # key, value, trace: each of them is missing now and then
    return (b"key %d" % i if i % 7 else None,
            None if i % 11 == 0 else b"v" * 20000 if i == 400 else b"value %d" % i,
            b"trace %d" % i if i % 3 else None)

def read_reports(producer, written):  # into written: tag -> (partition, offset)
    reports, r = make(lib.sluice_producer_deliveries, producer, 0), Delivery()
    while lib.sluice_deliveries_next(reports, c.byref(r), c.sizeof(r)) == 1:
        check("written, to our topic", (r.outcome, r.topic) == (WRITTEN, b"ffi"))
        written.update((r.tags[i], (r.partition, r.base_offset + i)) for i in range(r.count))
    lib.sluice_deliveries_free(reports)

def send_all(producer):
    columns, parts, written, at, wire = ([], [], []), [], {}, c.c_int32(0), (c.c_char * 64)()
    for key, value, trace in map(record, range(COUNT)):
        h = Header(*(c.cast(part, c.c_void_p) for part in (b"trace", trace)), 5, len(trace or b""))
        size = lib.sluice_headers_write(c.byref(h), trace is not None, wire, len(wire))
        for column, part in zip(columns, (wire[:size], key, value)):
            column.append(-1 if part is None else len(part))
            parts.append(part or b"")
    sizes, data = [(c.c_int32 * COUNT)(*column) for column in columns], b"".join(parts)
    times = (c.c_int64 * COUNT)(*range(TIME, TIME + COUNT))
    packed = Packed(b"ffi", data, len(data), *sizes, times, COUNT, 0, FIRST_TAG)
    check_size(Packed, lambda packed, size: lib.sluice_producer_send_packed(
        producer, packed, size, c.byref(at), 0))
    while len(written) < COUNT:
        must(lib.sluice_producer_send_packed(producer, c.byref(packed), c.sizeof(packed),
                                             c.byref(at), 0), producer, FULL, UNREAD)
        wait_for(lib.sluice_client_fd(producer))
        read_reports(producer, written)
    return written

def read_rows(consumer, got, until):  # appends to got what it read where
    data, rows, used = c.create_string_buffer(4096), bytearray(48 * ROW_CAP), c.c_size_t()
    place, part, found = (c.c_char * len(rows)).from_buffer(rows), Slice(), Header()
    while len(got) < until:
        batch = make(lib.sluice_consumer_poll, consumer, 0)
        if not batch:
            wait_for(lib.sluice_client_fd(consumer))
        while len(got) < until and (n := lib.sluice_batch_pack(
                batch, data, len(data), place, min(ROW_CAP, until - len(got)), c.byref(used))) > 0:
            blob = c.string_at(data, used.value)
            for offset, time, *at, _, index in ROW.iter_unpack(memoryview(rows)[:48 * n]):
                lib.sluice_batch_slice(batch, index, c.byref(part), c.sizeof(part))
                key, value, headers = (blob[a:a + size] if size >= 0 else None
                                       for a, size in zip(at[::2], at[1::2]))
                trace = lib.sluice_headers_find(headers, len(headers), b"trace", c.byref(
                    found)) and c.string_at(found.value, found.value_size) or None
                got.append(((part.partition, offset), ((key, value, trace), time)))
        check_size(Slice, lambda s, n: lib.sluice_batch_slice(batch, 0, s, n) if batch else USAGE)
        rv = lib.sluice_batch_finish(batch)  # what was handed out is done; the rest comes again
        data = c.create_string_buffer(used.value) if rv == TOO_BIG else data
        must(rv, consumer, TOO_BIG)

def check_interrupt(what, consumer, fds, act, *arguments):
    other, batch = threading.Thread(target=act, args=arguments), c.c_void_p()
    other.start()
    if fds:
        wait_for(lib.sluice_client_fd(consumer), *fds)
    check(what, lib.sluice_consumer_poll(consumer, -1, c.byref(batch)) == INTERRUPTED)
    other.join()

cluster = make(lib.sluice_testbroker_create, 1, None)
must(lib.sluice_testbroker_topic(cluster, b"ffi", 3, 1))
client = open_client(PRODUCER, b"delivery.reports", b"all")
written, got, (wake, woken) = send_all(client), [], os.pipe()
for until in (COUNT // 2, COUNT):  # the second one reads what the first one has not finished
    must(lib.sluice_client_close(client, 10000, None), client)
    lib.sluice_client_free(client)
    client = open_client(CONSUMER, b"group.id", b"ffi", b"auto.offset.reset", b"earliest")
    must(lib.sluice_consumer_subscribe(client, (c.c_char_p * 1)(b"ffi"), 1), client)
    read_rows(client, got, until)
check("what comes is what went, where the reports say", dict(got) == {
    written[FIRST_TAG + i]: (record(i), TIME + i) for i in range(COUNT)})
os.set_blocking(woken, False)
signal.set_wakeup_fd(woken)
signal.signal(signal.SIGUSR1, lambda *_: lib.sluice_client_interrupt(client))
check_interrupt("a thread interrupts a wait", client, (), lib.sluice_client_interrupt, client)
check_interrupt("a signal interrupts it", client, (wake,), os.kill, os.getpid(), signal.SIGUSR1)
must(lib.sluice_client_close(client, 10000, None), client)
lib.sluice_client_free(client)
lib.sluice_testbroker_free(cluster)
print(f"{sum(results.values())} passed, {len(results) - sum(results.values())} failed")
sys.exit(not all(results.values()))
