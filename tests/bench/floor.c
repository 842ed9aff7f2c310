/* The floor under a producer on this machine: what is left when there is no client, only the work
 * that no client can leave out. Each record's bytes are copied once to their place between the
 * varints of the wire format, each batch gets its CRC-32C, and the batch is written to a TCP
 * connection of the loopback interface whose other end, a process of its own, only reads.
 *
 * It has none of a client's duties: no hand-over between threads, no partitions, no budget, no
 * reports, no answers, no errors. It sends the values of the case as it stands (no key, no header,
 * no codec), in batches of the size that both clients are set to, from one buffer. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "record/crc32c.h"

enum {
    BATCH_HEADER = 61,
    BATCH_CRC_AT = 17,
    REQUEST_HEADER = 64, /* about what precedes a batch in a request */
    RECORD_MAX = 1100,
    SINK_BYTES = 256 * 1024
};

static uint8_t *put_varint(uint8_t *to, int32_t number) {
    uint32_t left = ((uint32_t)number << 1) ^ (uint32_t)(number >> 31);
    for (; left >= 0x80; left >>= 7) *to++ = (uint8_t)(left | 0x80);
    *to++ = (uint8_t)left;
    return to;
}

static int32_t varint_size(int32_t number) {
    uint8_t scratch[5];
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

/* Fills the buffer with one batch and writes it. Returns how many records it holds. */
static uint64_t send_batch(int fd, uint8_t *buffer, const struct bench_data *data,
                           uint64_t number) {
    uint8_t *batch = buffer + REQUEST_HEADER;
    uint8_t *to = batch + BATCH_HEADER;
    int32_t count = 0;
    for (; to - batch < BENCH_BATCH_BYTES - RECORD_MAX; count++)
        to = put_record(to, bench_value(data, number + (uint64_t)count), (int32_t)data->value_size,
                        count, 0);
    uint32_t crc = sl_crc32c(0, batch + BATCH_CRC_AT + 4, (size_t)(to - batch) - BATCH_CRC_AT - 4);
    memcpy(batch + BATCH_CRC_AT, &crc, sizeof crc);
    for (const uint8_t *at = buffer; at < to;) {
        ssize_t written = write(fd, at, (size_t)(to - at));
        if (written <= 0) bench_fail("the floor's connection broke");
        at += written;
    }
    return (uint64_t)count;
}

/* Connects to a child process that reads until the end and does nothing else. */
static int connect_to_sink(pid_t *sink) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 ||
        listen(listener, 1) != 0 || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        bench_fail("the floor cannot listen");
    *sink = fork();
    if (*sink < 0) bench_fail("the floor cannot fork");
    if (*sink == 0) {
        static uint8_t buffer[SINK_BYTES];
        int fd = accept(listener, NULL, NULL);
        while (fd >= 0 && read(fd, buffer, sizeof buffer) > 0) continue;
        _exit(0);
    }
    close(listener);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, size) != 0)
        bench_fail("the floor cannot connect");
    return fd;
}

static uint64_t send_for(int fd, uint8_t *buffer, const struct bench_data *data, double seconds) {
    uint64_t records = 0;
    double end = bench_now() + seconds;
    while (bench_now() < end) records += send_batch(fd, buffer, data, records);
    return records;
}

int main(int argc, char **argv) {
    struct bench_setup setup;
    struct bench_data data;
    struct bench_meter meter;
    struct bench_result result = {.unit = NULL};
    pid_t sink;
    if (argc < 2 || strcmp(argv[1], "run") != 0) bench_fail("run is wanted");
    bench_setup_read(&setup, argc, argv);
    if (setup.what->value_size > RECORD_MAX - 100) bench_fail("values are too large for the floor");
    signal(SIGPIPE, SIG_IGN);
    bench_data_init(&data, &setup);
    uint8_t *buffer = calloc(1, REQUEST_HEADER + BENCH_BATCH_BYTES);
    if (buffer == NULL) bench_fail("out of memory");
    int fd = connect_to_sink(&sink);
    send_for(fd, buffer, &data, setup.warmup_seconds);
    bench_meter_start(&meter);
    result.records = send_for(fd, buffer, &data, setup.measured_seconds);
    bench_meter_stop(&meter);
    bench_print(&setup, &meter, &result);
    close(fd);
    waitpid(sink, NULL, 0);
    free(buffer);
    bench_data_deinit(&data);
    return 0;
}
