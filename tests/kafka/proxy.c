/* proxy: stands between a client and the brokers of a cluster, and cuts connections.
 *
 *     proxy --cuts N [--every MS] [--seed S] LISTEN:TARGET...
 *
 * Each LISTEN:TARGET is a pair of ports on loopback; the brokers advertise the LISTEN ports to
 * those who come through here. About every MS milliseconds one connection is cut, N of them in
 * all; then "cut enough" is printed and the rest goes on uncut. On SIGTERM it prints what it did
 * and ends. Only a connection that bytes have passed both ways on is cut: one that is cut before
 * that has had nothing to lose.
 *
 * Four ways of cutting take turns, by chance, because they leave the two ends knowing different
 * things:
 *
 *   CUT_NOW       both sides are reset, and what is on its way in here is lost
 *   CUT_ORDERLY   both sides are closed, after what is here was passed on
 *   CUT_REQUEST   of the next bytes from the client a part goes on; then reset
 *   CUT_ANSWER    of the next bytes from the broker a part goes on, mostly none; then reset: the
 *                 broker has done what the client will never hear of
 *
 * One thread, poll, a buffer of a fixed size in each direction: who is not read from is not written
 * to for long, as without a proxy. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROUTES_MAX = 8, PAIRS_MAX = 64, BUFFER_SIZE = 65536 };
enum { CLIENT, BROKER };
enum cut { CUT_NONE, CUT_NOW, CUT_ORDERLY, CUT_REQUEST, CUT_ANSWER, CUT_KINDS };

/* What goes from one side to the other. */
struct way {
    uint8_t bytes[BUFFER_SIZE];
    size_t begin, end;
    uint64_t passed;
};

/* One connection of a client, and its counterpart to the broker. */
struct pair {
    int sockets[2];     /* by side; -1: the place is free */
    struct way ways[2]; /* by the side that the bytes come from */
    enum cut armed;     /* how it will end with the next bytes, or CUT_NONE */
};

struct route {
    int listener;
    uint16_t target;
};

static struct route routes[ROUTES_MAX];
static int route_count;
static struct pair pairs[PAIRS_MAX];
static uint64_t cuts[CUT_KINDS], cuts_wanted, connections, passed_total;
static volatile sig_atomic_t stop_wanted;
static uint64_t chance = 1;

static void on_term(int signal_number) {
    (void)signal_number;
    stop_wanted = 1;
}

/* xorshift64*: the same cuts in the same order for the same seed, though not at the same bytes. */
static uint64_t draw_below(uint64_t limit) {
    chance ^= chance >> 12;
    chance ^= chance << 25;
    chance ^= chance >> 27;
    return (chance * 0x2545f4914f6cdd1du >> 16) % limit;
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint64_t count_cuts(void) {
    uint64_t sum = 0;
    for (int kind = CUT_NOW; kind < CUT_KINDS; kind++) sum += cuts[kind];
    return sum;
}

static struct sockaddr_in loopback(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void fail_with(const char *what) {
    fprintf(stderr, "proxy: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void add_route(const char *text) {
    char *colon = NULL;
    unsigned long from = strtoul(text, &colon, 10);
    unsigned long to = *colon == ':' ? strtoul(colon + 1, NULL, 10) : 0;
    int on = 1;
    if (from == 0 || from > 65535 || to == 0 || to > 65535 || route_count == ROUTES_MAX) {
        fprintf(stderr, "proxy: not a route, or one too many: %s\n", text);
        exit(2);
    }
    struct sockaddr_in address = loopback((uint16_t)from);
    struct route *route = &routes[route_count++];
    route->target = (uint16_t)to;
    route->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (route->listener < 0) fail_with("socket");
    setsockopt(route->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(route->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(route->listener, 64) != 0) {
        fail_with(text);
    }
}

static void reset_on_close(int socket) {
    struct linger linger = {.l_onoff = 1};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static void end_pair(struct pair *pair, bool reset) {
    for (int side = CLIENT; side <= BROKER; side++) {
        if (reset) reset_on_close(pair->sockets[side]);
        close(pair->sockets[side]);
        pair->sockets[side] = -1;
    }
}

static void accept_one(const struct route *route) {
    struct sockaddr_in address = loopback(route->target);
    int client = accept(route->listener, NULL, NULL);
    int broker, on = 1;
    size_t place = 0;
    if (client < 0) return;
    while (place < PAIRS_MAX && pairs[place].sockets[CLIENT] >= 0) place++;
    broker = socket(AF_INET, SOCK_STREAM, 0);
    /* On loopback it is refused or stands at once. */
    if (place == PAIRS_MAX || broker < 0 ||
        connect(broker, (struct sockaddr *)&address, sizeof address) != 0) {
        if (broker >= 0) close(broker);
        reset_on_close(client);
        close(client);
        return;
    }
    struct pair *pair = &pairs[place];
    pair->sockets[CLIENT] = client;
    pair->sockets[BROKER] = broker;
    pair->armed = CUT_NONE;
    for (int side = CLIENT; side <= BROKER; side++) {
        pair->ways[side].begin = pair->ways[side].end = 0;
        pair->ways[side].passed = 0;
        setsockopt(pair->sockets[side], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        fcntl(pair->sockets[side], F_SETFL, O_NONBLOCK);
    }
    connections++;
}

/* Cuts one of the connections that can be cut, or arms it; false when there is none. */
static bool cut_one(void) {
    struct pair *chosen[PAIRS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        struct pair *pair = &pairs[i];
        if (pair->sockets[CLIENT] >= 0 && pair->armed == CUT_NONE &&
            pair->ways[CLIENT].passed > 0 && pair->ways[BROKER].passed > 0) {
            chosen[count++] = pair;
        }
    }
    if (count == 0) return false;
    struct pair *pair = chosen[draw_below(count)];
    pair->armed = CUT_NOW + (enum cut)draw_below(CUT_KINDS - CUT_NOW);
    if (pair->armed == CUT_NOW) {
        cuts[CUT_NOW]++;
        end_pair(pair, true);
    }
    return true;
}

/* What of the bytes that just came an armed cut lets through. */
static size_t cut_bytes(const struct pair *pair, int from, size_t size) {
    if (pair->armed == CUT_REQUEST && from == CLIENT) return draw_below(size);
    if (pair->armed == CUT_ANSWER && from == BROKER) {
        return draw_below(4) == 0 ? draw_below(size) : 0;
    }
    return size;
}

/* Sends what waits; false when that side is gone. */
static bool push(struct pair *pair, int from) {
    struct way *way = &pair->ways[from];
    while (way->begin < way->end) {
        ssize_t n = send(pair->sockets[1 - from], way->bytes + way->begin, way->end - way->begin,
                         MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN || errno == EINTR;
        way->begin += (size_t)n;
        way->passed += (uint64_t)n;
        passed_total += (uint64_t)n;
    }
    way->begin = way->end = 0;
    return true;
}

/* Takes what came from one side, and passes it on. The pair may be over afterwards. */
static void pull(struct pair *pair, int from) {
    struct way *way = &pair->ways[from];
    ssize_t n = recv(pair->sockets[from], way->bytes, BUFFER_SIZE, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        /* What the other side said first still goes out, as without a proxy. */
        push(pair, 1 - from);
        end_pair(pair, n < 0);
        return;
    }
    way->end = cut_bytes(pair, from, (size_t)n);
    bool cut = way->end < (size_t)n;
    bool alive = push(pair, from);
    if (cut || (alive && pair->armed == CUT_ORDERLY && way->end == 0)) {
        cuts[pair->armed]++;
        end_pair(pair, cut);
    } else if (!alive) {
        end_pair(pair, true);
    }
}

static void serve_pair(struct pair *pair, const struct pollfd *polled) {
    for (int side = CLIENT; side <= BROKER; side++) {
        if (pair->sockets[side] < 0) return;
        if (polled[side].revents & POLLOUT && !push(pair, 1 - side)) {
            end_pair(pair, true);
            return;
        }
        if (polled[side].revents & (POLLIN | POLLHUP | POLLERR) && pair->ways[side].end == 0) {
            pull(pair, side);
        }
    }
}

/* One round of poll: at most timeout_ms. */
static void serve(int timeout_ms) {
    struct pollfd polled[ROUTES_MAX + 2 * PAIRS_MAX];
    for (int i = 0; i < route_count; i++) {
        polled[i] = (struct pollfd){.fd = routes[i].listener, .events = POLLIN};
    }
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        for (int side = CLIENT; side <= BROKER; side++) {
            struct pollfd *entry = &polled[(size_t)route_count + 2 * i + (size_t)side];
            /* poll passes over negative descriptors. */
            *entry = (struct pollfd){.fd = pairs[i].sockets[side]};
            if (pairs[i].ways[side].end == 0) entry->events |= POLLIN;
            if (pairs[i].ways[1 - side].end != 0) entry->events |= POLLOUT;
        }
    }
    if (poll(polled, (nfds_t)route_count + 2 * PAIRS_MAX, timeout_ms) <= 0) return;
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        if (pairs[i].sockets[CLIENT] >= 0)
            serve_pair(&pairs[i], &polled[(size_t)route_count + 2 * i]);
    }
    for (int i = 0; i < route_count; i++) {
        if (polled[i].revents & POLLIN) accept_one(&routes[i]);
    }
}

static void run(uint64_t every_ms) {
    int64_t due_ms = now_ms() + (int64_t)every_ms;
    bool enough = false;
    while (!stop_wanted) {
        int64_t left_ms = due_ms - now_ms();
        serve(enough ? 1000 : left_ms < 1 ? 1 : (int)left_ms);
        if (!enough && count_cuts() >= cuts_wanted) {
            enough = true;
            puts("cut enough");
            fflush(stdout);
        }
        if (enough || now_ms() < due_ms || !cut_one()) continue;
        /* Between half and one and a half of the wanted time. */
        due_ms = now_ms() + (int64_t)(every_ms / 2 + draw_below(every_ms + 1));
    }
    printf("proxy: cuts=%" PRIu64 " resets=%" PRIu64 " orderly=%" PRIu64 " in_request=%" PRIu64
           " in_answer=%" PRIu64 " connections=%" PRIu64 " bytes=%" PRIu64 "\n",
           count_cuts(), cuts[CUT_NOW], cuts[CUT_ORDERLY], cuts[CUT_REQUEST], cuts[CUT_ANSWER],
           connections, passed_total);
}

int main(int argc, char **argv) {
    static const struct option names[] = {{"cuts", required_argument, NULL, 'c'},
                                          {"every", required_argument, NULL, 'e'},
                                          {"seed", required_argument, NULL, 's'},
                                          {NULL, 0, NULL, 0}};
    struct sigaction action = {.sa_handler = on_term};
    uint64_t every_ms = 100;
    int letter;
    while ((letter = getopt_long(argc, argv, "", names, NULL)) != -1) {
        uint64_t value = letter == '?' ? 0 : strtoull(optarg, NULL, 10);
        if (letter == 'c') {
            cuts_wanted = value;
        } else if (letter == 'e') {
            every_ms = value;
        } else if (letter == 's') {
            chance += value;
        } else {
            return 2;
        }
    }
    if (optind == argc || every_ms == 0) {
        fputs("proxy --cuts N [--every MS] [--seed S] LISTEN:TARGET...\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < PAIRS_MAX; i++) pairs[i].sockets[CLIENT] = pairs[i].sockets[BROKER] = -1;
    for (; optind < argc; optind++) add_route(argv[optind]);
    sigaction(SIGTERM, &action, NULL);
    run(every_ms);
    return 0;
}
