// Goal: the headers are good C++11, and an application in C++ links and runs.
// Method: handles are wrapped as C++ programs do it; a record makes its way through a test cluster.
#include <sluice/sluice.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

static_assert(sizeof(sluice_row) == 48, "rows are frozen");
static_assert(std::is_standard_layout<sluice_view>::value, "views are plain");

namespace {

struct free_handle {
    void operator()(sluice_client *c) const { sluice_client_free(c); }
    void operator()(sluice_testbroker *t) const { sluice_testbroker_free(t); }
    void operator()(sluice_offsets *o) const { sluice_offsets_free(o); }
    void operator()(sluice_batch *b) const { sluice_batch_free(b); }
};
template <typename T> using handle = std::unique_ptr<T, free_handle>;

handle<sluice_client> start(int32_t role, const char *brokers) {
    const char *const settings[] = {"bootstrap.servers", brokers, nullptr};
    sluice_client *client = nullptr;
    int rv = sluice_client_start(role, settings, &client);
    if (rv != 0) std::fprintf(stderr, "start: %s\n", sluice_error_name(rv));
    return handle<sluice_client>(client);
}

int fail(const char *what, int rv) {
    std::fprintf(stderr, "%s: %s\n", what, sluice_error_name(rv));
    return 1;
}

} // namespace

int main() {
    sluice_testbroker *made = nullptr;
    int rv = sluice_testbroker_create(1, nullptr, &made);
    handle<sluice_testbroker> cluster(made);
    if (rv == 0) rv = sluice_testbroker_topic(made, "t", 1, 1);
    if (rv != 0) return fail("cluster", rv);

    auto producer = start(SLUICE_PRODUCER, sluice_testbroker_bootstrap(made));
    const std::vector<char> empty; // data() may be null: an empty value, not a tombstone
    const std::string value = "from C++";
    rv = sluice_producer_send(producer.get(), "t", nullptr, 0, empty.data(), empty.size(), 5000);
    if (rv == 0)
        rv = sluice_producer_send(producer.get(), "t", "k", 1, value.data(), value.size(), 5000);
    if (rv == 0) rv = sluice_client_close(producer.get(), 10000, nullptr);
    if (rv != 0) return fail("produce", rv);

    auto consumer = start(SLUICE_CONSUMER, sluice_testbroker_bootstrap(made));
    handle<sluice_offsets> from(sluice_offsets_create());
    sluice_offsets_add(from.get(), "t", 0, SLUICE_OFFSET_EARLIEST);
    rv = sluice_consumer_assign(consumer.get(), from.get());
    for (int seen = 0; rv == 0 && seen < 2;) {
        sluice_batch *raw = nullptr;
        rv = sluice_consumer_poll(consumer.get(), 10000, &raw);
        handle<sluice_batch> batch(raw);
        if (rv == 0 && !batch) rv = SLUICE_ERR_TIMEOUT;
        sluice_view v;
        for (; sluice_batch_next(raw, &v, sizeof v) == 1; seen++) {
            const std::string got(static_cast<const char *>(v.value), v.value_size);
            if (v.value == nullptr || got != (seen == 0 ? "" : value)) return fail("value", -1);
        }
    }
    return rv == 0 ? 0 : fail("consume", rv);
}
