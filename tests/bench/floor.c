/* The floor under a producer on this machine: what is left when there is no client, only the work
 * that no client can leave out.
 *
 * Of throughput: each record's bytes are copied once to their place between the varints of the wire
 * format, each batch is compressed if the case has a codec, gets its CRC-32C, and is written to a TCP
 * connection of the loopback interface whose other end, a process of its own, only reads. The values
 * are those of the case (no key, no header), in batches of the size that both clients are set to, from
 * one buffer.
 *
 * Of latency: one thread writes the bytes of a request at the case's pace, a process of its own answers with
 * those of a response, and another thread waits for them: two wakes, as many as there are ends that wait.
 *
 * It has none of a client's duties: no hand-over between threads, no partitions, no budget, no
 * reports, no errors. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "process.h"
#include "record/compress.h"
#include "record/crc32c.h"

enum {
    BATCH_HEADER = 61,
    BATCH_CRC_AT = 17,
    REQUEST_HEADER = 64, /* about what precedes a batch in a request */
    RECORD_MAX = 1100,
    SINK_BYTES = 256 * 1024,
    ANSWER = 66 /* bytes of a response to Produce */
};

static uint8_t *put_varint(uint8_t *to, int32_t number) {
    return to + sl_bytes_put_uvarint(to, sl_bytes_zigzag32(number));
}

static int32_t varint_size(int32_t number) {
    uint8_t scratch[SL_VARINT_MAX];
    return (int32_t)(put_varint(scratch, number) - scratch);
}

static uint8_t *put_record(uint8_t *to, const uint8_t *value, int32_t size, int32_t index,
                           int32_t delta_ms) {
    int32_t body =
        1 + varint_size(delta_ms) + varint_size(index) + 1 + varint_size(size) + size + 1;
    to = put_varint(to, body);
    *to++ = 0; /* attributes */
    to = put_varint(to, delta_ms);
    to = put_varint(to, index);
    to = put_varint(to, -1); /* no key */
    to = put_varint(to, size);
    memcpy(to, value, (size_t)size);
    to += size;
    *to++ = 0; /* no headers */
    return to;
}

/* ---- throughput ---- */

struct floor {
    const struct bench_case *what;
    struct bench_data data;
    int fd;          /* of the connection */
    uint8_t *buffer; /* owned: a request */
    int codec;
    struct sl_compress *codecs; /* owned */
    struct sl_writer packed;
};

static void write_all(int fd, const uint8_t *from, const uint8_t *end) {
    while (from < end) {
        ssize_t written = write(fd, from, (size_t)(end - from));
        if (written <= 0) bench_fail("the floor's connection broke");
        from += written;
    }
}

/* Puts what follows the header of the batch in its compressed form. Returns its end. */
static uint8_t *pack_records(struct floor *f, uint8_t *records, const uint8_t *end) {
    int32_t level = f->what->level == 0 ? SL_COMPRESS_LEVEL_DEFAULT : f->what->level;
    f->packed.size = 0;
    if (sl_compress_encode(f->codecs, f->codec, level, records, (size_t)(end - records),
                           &f->packed) != 0 ||
        f->packed.size > (size_t)(end - records))
        bench_fail("the floor cannot compress");
    memcpy(records, f->packed.data, f->packed.size);
    return records + f->packed.size;
}

/* Fills the buffer with one batch and writes it. Returns how many records it holds. */
static uint64_t send_batch(struct floor *f, uint64_t number) {
    uint8_t *batch = f->buffer + REQUEST_HEADER;
    uint8_t *to = batch + BATCH_HEADER;
    int32_t count = 0;
    for (; to - batch < BENCH_BATCH_BYTES - RECORD_MAX; count++)
        to = put_record(to, bench_value(&f->data, number + (uint64_t)count),
                        (int32_t)f->data.value_size, count, 0);
    if (f->codec != SL_CODEC_NONE) to = pack_records(f, batch + BATCH_HEADER, to);
    uint32_t crc = sl_crc32c(0, batch + BATCH_CRC_AT + 4, (size_t)(to - batch) - BATCH_CRC_AT - 4);
    memcpy(batch + BATCH_CRC_AT, &crc, sizeof crc);
    write_all(f->fd, f->buffer, to);
    return (uint64_t)count;
}

static uint64_t send_for(struct floor *f, double seconds) {
    uint64_t records = 0;
    double end = bench_now() + seconds;
    while (bench_now() < end) records += send_batch(f, records);
    return records;
}

static void read_all(int fd) {
    static uint8_t buffer[SINK_BYTES];
    while (read(fd, buffer, sizeof buffer) > 0) continue;
}

static void measure_throughput(struct floor *f, const struct bench_setup *setup) {
    struct bench_meter meter;
    struct bench_result result = {.unit = NULL};
    const struct sl_alloc *alloc = sl_alloc_default();
    f->buffer = calloc(1, REQUEST_HEADER + BENCH_BATCH_BYTES);
    f->codec = sl_compress_find(f->what->codec);
    if (f->buffer == NULL || sl_compress_create(alloc, &f->codecs) != 0)
        bench_fail("out of memory");
    sl_writer_init(&f->packed, alloc);
    send_for(f, setup->warmup_seconds);
    bench_meter_start(&meter);
    result.records = send_for(f, setup->measured_seconds);
    bench_meter_stop(&meter);
    bench_print(setup, &meter, &result);
    sl_writer_deinit(&f->packed);
    sl_compress_destroy(f->codecs);
    free(f->buffer);
}

/* ---- latency ---- */

struct prompt {
    int fd;
    int32_t pace;
    double end;
    uint64_t sent;
    uint64_t most;
    double *stamps; /* by request: when it was sent; then how long its answer took */
};

static uint8_t request[REQUEST_HEADER + BATCH_HEADER + 128];

static void answer_all(int fd) {
    static const uint8_t answer[ANSWER];
    uint8_t buffer[sizeof request];
    while (recv(fd, buffer, sizeof buffer, MSG_WAITALL) == (ssize_t)sizeof buffer)
        write_all(fd, answer, answer + sizeof answer);
}

static void *send_requests(void *arg) {
    struct prompt *p = arg;
    for (double due = bench_now(); due < p->end && p->sent < p->most;) {
        p->stamps[p->sent++] = bench_now();
        write_all(p->fd, request, request + sizeof request);
        due += 1.0 / p->pace;
        bench_sleep_until(due);
    }
    shutdown(p->fd, SHUT_WR);
    return NULL;
}

static void measure_latency(struct floor *f, const struct bench_setup *setup) {
    struct bench_meter meter;
    struct bench_result result = {.unit = "us"};
    struct prompt p = {.fd = f->fd, .pace = f->what->pace};
    uint8_t answer[ANSWER];
    pthread_t sender;
    p.most = (uint64_t)(setup->measured_seconds * p.pace) + 1000;
    p.stamps = calloc(p.most, sizeof *p.stamps);
    if (p.stamps == NULL) bench_fail("out of memory");
    bench_meter_start(&meter);
    p.end = bench_now() + setup->measured_seconds;
    if (pthread_create(&sender, NULL, send_requests, &p) != 0) bench_fail("no thread");
    while (recv(p.fd, answer, sizeof answer, MSG_WAITALL) == (ssize_t)sizeof answer) {
        p.stamps[result.records] = bench_now() - p.stamps[result.records];
        result.records++;
    }
    pthread_join(sender, NULL);
    bench_meter_stop(&meter);
    if (result.records != p.sent) bench_fail("the floor has lost answers");
    bench_put_times(&result, p.stamps);
    bench_print(setup, &meter, &result);
    free(p.stamps);
}

/* ---- both ---- */

/* Connects to a child process that serves the connection until its end and does nothing else. */
static int connect_to_child(pid_t *child, void (*serve)(int fd)) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int at_once = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 ||
        listen(listener, 1) != 0 || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        bench_fail("the floor cannot listen");
    *child = fork();
    if (*child < 0) bench_fail("the floor cannot fork");
    if (*child == 0) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once) == 0)
            serve(fd);
        _exit(0);
    }
    close(listener);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once) != 0 ||
        connect(fd, (struct sockaddr *)&address, size) != 0)
        bench_fail("the floor cannot connect");
    return fd;
}

int main(int argc, char **argv) {
    struct bench_setup setup;
    struct floor f = {.fd = -1};
    pid_t child;
    if (argc < 2 || strcmp(argv[1], "run") != 0) bench_fail("run is wanted");
    bench_setup_read(&setup, argc, argv);
    f.what = setup.what;
    if (f.what->value_size > RECORD_MAX - 100) bench_fail("values are too large for the floor");
    signal(SIGPIPE, SIG_IGN);
    bench_data_init(&f.data, &setup);
    bool is_prompt = f.what->kind == BENCH_LATENCY;
    f.fd = connect_to_child(&child, is_prompt ? answer_all : read_all);
    if (is_prompt)
        measure_latency(&f, &setup);
    else
        measure_throughput(&f, &setup);
    close(f.fd);
    waitpid(child, NULL, 0);
    bench_data_deinit(&f.data);
    return 0;
}
