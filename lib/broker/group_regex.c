/* A regular expression becomes a small program, which is run over the text with the set of all
 * places it may be in (Thompson's way), so that no pattern takes more than its length times that of
 * the text.
 *
 * What there is: letters as themselves, `.`, sets `[a-z_]` and `[^0-9]`, `\d \w \s` and their
 * opposites, `\` before anything else, groups `(…)` and `(?:…)`, `|`, the repetitions `* + ? {m}
 * {m,} {m,n}` with or without a lazy `?` behind, and `^ $`. What there is not: named classes,
 * flags, Unicode, and bounds on words; such a pattern is refused, not misread.
 *
 * The program, whose nodes are numbered:
 *   CHAR set    takes a byte that is in the set, then the next node
 *   SPLIT a b   goes on at both
 *   JUMP a      goes on there
 *   BEGIN END   hold at the ends of the text
 *   MATCH       the pattern is over */
#include "broker/group_regex.h"

#include <stdint.h>
#include <string.h>

#include "sluice/error.h"
#include "sluice/kafka_errors.h"

enum {
    REGEX_NODES = 2000, /* of a program; arbitrary, it bounds time and memory */
    REGEX_DEPTH = 50,   /* of groups in groups; arbitrary */
    REGEX_REPEATS = 250 /* no topic's name is longer */
};
enum regex_kind { REGEX_CHAR = 1, REGEX_SPLIT, REGEX_JUMP, REGEX_BEGIN, REGEX_END, REGEX_MATCH };
struct regex_node {
    enum regex_kind kind;
    int16_t a, b;
    uint8_t set[32]; /* a bit for each byte */
};
struct sl_group_regex {
    int32_t count;
    struct regex_node nodes[];
};

struct regex_compiler {
    const char *at, *end;
    struct regex_node *nodes; /* room for REGEX_NODES */
    int32_t count;
    bool failed;
};

/* ---- building: a piece of the program is whole in itself, from its first node to the last one ---- */

/* The new node's number; 0 when there are too many. */
static int32_t add_regex_node(struct regex_compiler *c, enum regex_kind kind, int32_t a,
                              int32_t b) {
    if (c->count >= REGEX_NODES) c->failed = true;
    if (c->failed) return 0;
    c->nodes[c->count] = (struct regex_node){.kind = kind, .a = (int16_t)a, .b = (int16_t)b};
    return c->count++;
}

/* Puts a SPLIT before the piece that begins at `at`: into it, or to what a later node is. */
static void insert_regex_split(struct regex_compiler *c, int32_t at) {
    (void)add_regex_node(c, REGEX_SPLIT, 0, 0);
    if (c->failed) return;
    memmove(c->nodes + at + 1, c->nodes + at, (size_t)(c->count - 1 - at) * sizeof *c->nodes);
    for (int32_t i = at + 1; i < c->count; i++) {
        struct regex_node *node = &c->nodes[i];
        bool points = node->kind == REGEX_SPLIT || node->kind == REGEX_JUMP;
        if (points && node->a >= at) node->a++;
        if (points && node->b >= at) node->b++;
    }
    c->nodes[at] =
        (struct regex_node){.kind = REGEX_SPLIT, .a = (int16_t)(at + 1), .b = (int16_t)c->count};
}

static void copy_regex_piece(struct regex_compiler *c, int32_t start, int32_t end) {
    int32_t delta = c->count - start;
    for (int32_t i = start; i < end && !c->failed; i++) {
        const struct regex_node from = c->nodes[i];
        int32_t made = add_regex_node(c, from.kind, from.a + delta, from.b + delta);
        memcpy(c->nodes[made].set, from.set, sizeof from.set);
    }
}

static void make_regex_optional(struct regex_compiler *c, int32_t start) {
    insert_regex_split(c, start);
}

static void make_regex_star(struct regex_compiler *c, int32_t start) {
    insert_regex_split(c, start);
    (void)add_regex_node(c, REGEX_JUMP, start, 0);
    c->nodes[start].b = (int16_t)c->count;
}

static void make_regex_plus(struct regex_compiler *c, int32_t start) {
    (void)add_regex_node(c, REGEX_SPLIT, start, c->count + 1);
}

/* most -1: without end. */
static void repeat_regex_piece(struct regex_compiler *c, int32_t start, int32_t least,
                               int32_t most) {
    int32_t end = c->count, last = start;
    if (most == 0) {
        c->count = start;
        return;
    }
    for (int32_t i = 1; i < least; i++) {
        last = c->count;
        copy_regex_piece(c, start, end);
    }
    if (most < 0 && least == 0) make_regex_star(c, start);
    if (most < 0 && least > 0) make_regex_plus(c, last);
    for (int32_t i = least > 0 ? least : 1; i < most && !c->failed; i++) {
        int32_t copy = c->count;
        copy_regex_piece(c, start, end);
        make_regex_optional(c, copy);
    }
    if (most > 0 && least == 0) make_regex_optional(c, start);
}

/* ---- sets of bytes ---- */

static void add_to_set(uint8_t *set, uint8_t low, uint8_t high) {
    for (int byte = low; byte <= high; byte++)
        set[byte / 8] = (uint8_t)(set[byte / 8] | 1U << byte % 8);
}

static bool is_in_set(const uint8_t *set, uint8_t byte) {
    return (set[byte / 8] >> byte % 8 & 1) != 0;
}

static void invert_set(uint8_t *set) {
    for (int i = 0; i < 32; i++) set[i] = (uint8_t)~set[i];
}

/* What stands behind a backslash. False: it has a meaning that there is not here. */
static bool add_escape(uint8_t *set, char escape) {
    uint8_t meant[32] = {0};
    char lower = (char)(escape | 0x20);
    bool is_letter = lower >= 'a' && lower <= 'z';
    bool is_digit = escape >= '0' && escape <= '9';
    if (lower == 'd') add_to_set(meant, '0', '9');
    if (lower == 'w') {
        add_to_set(meant, '0', '9');
        add_to_set(meant, 'a', 'z');
        add_to_set(meant, 'A', 'Z');
        add_to_set(meant, '_', '_');
    }
    if (lower == 's') {
        add_to_set(meant, '\t', '\r');
        add_to_set(meant, ' ', ' ');
    }
    bool is_class = lower == 'd' || lower == 'w' || lower == 's';
    if (is_digit || (is_letter && !is_class)) return false;
    if (is_letter && escape != lower) invert_set(meant);
    if (!is_class) add_to_set(meant, (uint8_t)escape, (uint8_t)escape);
    for (int i = 0; i < 32; i++) set[i] |= meant[i];
    return true;
}

/* One item between brackets. */
static void parse_set_item(struct regex_compiler *c, uint8_t *set) {
    char low = *c->at++;
    if (low == '[' && c->at < c->end && *c->at == ':') c->failed = true; /* a named class */
    if (low == '\\') {
        if (c->at == c->end || !add_escape(set, *c->at)) c->failed = true;
        if (!c->failed) c->at++;
        return;
    }
    char high = low;
    bool is_range = c->end - c->at >= 2 && c->at[0] == '-' && c->at[1] != ']';
    if (is_range) {
        high = c->at[1];
        c->at += 2;
    }
    if ((uint8_t)high < (uint8_t)low || (is_range && high == '\\')) c->failed = true;
    if (!c->failed) add_to_set(set, (uint8_t)low, (uint8_t)high);
}

/* Behind the opening bracket; a closing one right there stands for itself. */
static void parse_set(struct regex_compiler *c, uint8_t *set) {
    bool is_inverted = c->at < c->end && *c->at == '^';
    if (is_inverted) c->at++;
    const char *first = c->at;
    while (!c->failed && c->at < c->end && (*c->at != ']' || c->at == first))
        parse_set_item(c, set);
    if (c->at == c->end) c->failed = true;
    if (c->failed) return;
    c->at++;
    if (is_inverted) invert_set(set);
}

/* ---- the pattern ---- */

static void parse_alternatives(struct regex_compiler *c, int depth);

static void parse_regex_group(struct regex_compiler *c, int depth) {
    bool is_marked = c->at < c->end && *c->at == '?';
    bool is_plain = c->end - c->at >= 2 && c->at[0] == '?' && c->at[1] == ':';
    if (depth >= REGEX_DEPTH || (is_marked && !is_plain)) c->failed = true;
    if (c->failed) return;
    if (is_plain) c->at += 2;
    parse_alternatives(c, depth + 1);
    if (c->at == c->end || *c->at != ')') c->failed = true;
    if (!c->failed) c->at++;
}

static void parse_regex_atom(struct regex_compiler *c, int depth) {
    uint8_t set[32] = {0};
    char ch = *c->at++;
    switch (ch) {
    case '(':
        parse_regex_group(c, depth);
        return;
    case '^':
        (void)add_regex_node(c, REGEX_BEGIN, 0, 0);
        return;
    case '$':
        (void)add_regex_node(c, REGEX_END, 0, 0);
        return;
    case '*':
    case '+':
    case '?':
        c->failed = true; /* nothing to repeat */
        return;
    case '.':
        add_to_set(set, '\n', '\n');
        invert_set(set);
        break;
    case '[':
        parse_set(c, set);
        break;
    case '\\':
        if (c->at == c->end || !add_escape(set, *c->at)) c->failed = true;
        if (!c->failed) c->at++;
        break;
    default:
        add_to_set(set, (uint8_t)ch, (uint8_t)ch);
        break;
    }
    int32_t node = add_regex_node(c, REGEX_CHAR, 0, 0);
    if (!c->failed) memcpy(c->nodes[node].set, set, sizeof set);
}

static int32_t parse_regex_number(struct regex_compiler *c) {
    int32_t number = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9' && number <= REGEX_REPEATS; c->at++)
        number = number * 10 + (*c->at - '0');
    if (number > REGEX_REPEATS) c->failed = true;
    return number;
}

/* Behind an opening brace that a digit follows. */
static void parse_regex_bounds(struct regex_compiler *c, int32_t start) {
    int32_t least = parse_regex_number(c), most = least;
    if (c->at < c->end && *c->at == ',') {
        c->at++;
        most = c->at < c->end && *c->at != '}' ? parse_regex_number(c) : -1;
    }
    if (c->at == c->end || *c->at != '}' || (most >= 0 && most < least)) c->failed = true;
    if (c->failed) return;
    c->at++;
    repeat_regex_piece(c, start, least, most);
}

static bool has_regex_bounds(const struct regex_compiler *c) {
    return c->end - c->at >= 2 && c->at[0] == '{' && c->at[1] >= '0' && c->at[1] <= '9';
}

static void parse_repetition(struct regex_compiler *c, int32_t start) {
    char ch = c->at < c->end ? *c->at : '\0';
    bool is_bound = has_regex_bounds(c);
    if (ch != '*' && ch != '+' && ch != '?' && !is_bound) return;
    c->at++;
    if (ch == '*') make_regex_star(c, start);
    if (ch == '+') make_regex_plus(c, start);
    if (ch == '?') make_regex_optional(c, start);
    if (is_bound) parse_regex_bounds(c, start);
    if (c->at < c->end && *c->at == '?') c->at++; /* lazy: the same for a match of all */
    bool again = c->at < c->end && (*c->at == '*' || *c->at == '+' || has_regex_bounds(c));
    if (again) c->failed = true;
}

static void parse_regex_sequence(struct regex_compiler *c, int depth) {
    while (!c->failed && c->at < c->end && *c->at != '|' && *c->at != ')') {
        int32_t start = c->count;
        parse_regex_atom(c, depth);
        if (!c->failed) parse_repetition(c, start);
    }
}

/* Each alternative but the last one has a SPLIT before it and a JUMP to the end behind it; the jumps
 * are a chain by `a` until the end is known. */
static void parse_alternatives(struct regex_compiler *c, int depth) {
    int32_t start = c->count, chain = -1;
    parse_regex_sequence(c, depth);
    while (!c->failed && c->at < c->end && *c->at == '|') {
        c->at++;
        insert_regex_split(c, start);
        chain = add_regex_node(c, REGEX_JUMP, chain, 0);
        if (c->failed) return;
        c->nodes[start].b = (int16_t)c->count;
        start = c->count;
        parse_regex_sequence(c, depth);
    }
    while (!c->failed && chain >= 0) {
        int32_t next = c->nodes[chain].a;
        c->nodes[chain].a = (int16_t)c->count;
        chain = next;
    }
}

int sl_group_regex_create(const struct sl_alloc *alloc, struct sl_str pattern,
                          struct sl_group_regex **out) {
    size_t room = REGEX_NODES * sizeof(struct regex_node);
    struct regex_compiler c = {.at = pattern.data, .end = pattern.data + pattern.size};
    int rv = SLUICE_ERR_NOMEM;
    *out = NULL;
    if (pattern.size <= 0) return SLUICE_KAFKA_INVALID_REGULAR_EXPRESSION;
    c.nodes = sl_alloc_get(alloc, room);
    if (c.nodes == NULL) return SLUICE_ERR_NOMEM;
    parse_alternatives(&c, 0);
    (void)add_regex_node(&c, REGEX_MATCH, 0, 0);
    if (c.failed || c.at != c.end) {
        rv = SLUICE_KAFKA_INVALID_REGULAR_EXPRESSION;
        goto free_nodes;
    }
    struct sl_group_regex *made =
        sl_alloc_get(alloc, sizeof *made + (size_t)c.count * sizeof *c.nodes);
    if (made == NULL) goto free_nodes;
    made->count = c.count;
    memcpy(made->nodes, c.nodes, (size_t)c.count * sizeof *c.nodes);
    *out = made;
    rv = 0;
free_nodes:
    sl_alloc_free(alloc, c.nodes, room);
    return rv;
}

void sl_group_regex_destroy(const struct sl_alloc *alloc, struct sl_group_regex *regex) {
    if (regex == NULL) return;
    sl_alloc_free(alloc, regex, sizeof *regex + (size_t)regex->count * sizeof regex->nodes[0]);
}

/* ---- running ---- */

/* The places that the run is in, each once. */
struct regex_places {
    int16_t nodes[REGEX_NODES];
    int32_t count;
    bool is_in[REGEX_NODES];
};

/* Adds a place and all that follow from it without taking a byte. */
static void enter_places(const struct sl_group_regex *regex, struct regex_places *places,
                         int32_t node, bool at_begin, bool at_end) {
    int32_t first = places->count;
    if (places->is_in[node]) return;
    places->is_in[node] = true;
    places->nodes[places->count++] = (int16_t)node;
    for (int32_t i = first; i < places->count; i++) {
        int32_t at = places->nodes[i], next[2] = {-1, -1};
        const struct regex_node *n = &regex->nodes[at];
        if (n->kind == REGEX_SPLIT || n->kind == REGEX_JUMP) next[0] = n->a;
        if (n->kind == REGEX_SPLIT) next[1] = n->b;
        if (n->kind == REGEX_BEGIN && at_begin) next[0] = at + 1;
        if (n->kind == REGEX_END && at_end) next[0] = at + 1;
        for (int k = 0; k < 2; k++) {
            if (next[k] < 0 || places->is_in[next[k]]) continue;
            places->is_in[next[k]] = true;
            places->nodes[places->count++] = (int16_t)next[k];
        }
    }
}

bool sl_group_regex_matches(const struct sl_group_regex *regex, struct sl_str text) {
    struct regex_places places[2];
    struct regex_places *now = &places[0], *next = &places[1];
    memset(now, 0, sizeof *now);
    enter_places(regex, now, 0, true, text.size <= 0);
    for (int32_t at = 0; at < text.size && now->count > 0; at++) {
        memset(next, 0, sizeof *next);
        for (int32_t i = 0; i < now->count; i++) {
            const struct regex_node *n = &regex->nodes[now->nodes[i]];
            if (n->kind == REGEX_CHAR && is_in_set(n->set, (uint8_t)text.data[at]))
                enter_places(regex, next, now->nodes[i] + 1, false, at + 1 == text.size);
        }
        struct regex_places *swap = now;
        now = next;
        next = swap;
    }
    return now->is_in[regex->count - 1];
}
