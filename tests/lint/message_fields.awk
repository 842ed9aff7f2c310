# Compares a message header with its table: awk -f message_fields.awk NN_name.h NN_name.c
#
# Every struct of the header must have a table with the same members in the same order, and the
# other way round; a forgotten or misplaced line would otherwise go out on the wire as it is. The
# compiler checks types and offsets, this checks the lists. Exit status 1 on a difference, and when
# the check fails to find the faults planted in its own samples.

# Text without comments.
function strip(text,    out, at) {
    while ((at = index(text, "/*")) > 0) {
        out = out substr(text, 1, at - 1) " "
        text = substr(text, at + 2)
        at = index(text, "*/")
        text = at > 0 ? substr(text, at + 2) : ""
    }
    return out text
}

# Fills lists[tag] with the members of every struct in the text of a header.
function read_header(text, lists,    tag, body, count, parts, i, member) {
    while (match(text, /struct [a-z0-9_]+ \{/)) {
        tag = substr(text, RSTART + 7, RLENGTH - 9)
        text = substr(text, RSTART + RLENGTH)
        body = substr(text, 1, index(text, "}") - 1)
        count = split(body, parts, ";")
        lists[tag] = ""
        for (i = 1; i < count; i++) {
            member = parts[i]
            gsub(/[ \t\n]+$/, "", member)
            sub(/.*[^A-Za-z0-9_]/, "", member)
            lists[tag] = lists[tag] " " member
        }
    }
}

# Fills lists[tag] with the members of every table line in the text of a source file.
function read_table(text, lists,    call, parts) {
    while (match(text, /(FIELD|NULLABLE|ARRAY|LIST|STRUCT)\([^,()]+,[^,()]+/)) {
        call = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
        sub(/^[A-Z_]+\(/, "", call)
        gsub(/[ \t\n]+/, "", call)
        split(call, parts, ",")
        lists[parts[1]] = lists[parts[1]] " " parts[2]
    }
}

# The number of differences; says what they are unless quiet.
function compare(header, table, quiet,    tags, tables, tag, faults) {
    split("", tags)
    split("", tables)
    read_header(strip(header), tags)
    read_table(strip(table), tables)
    for (tag in tags) {
        if (tags[tag] == tables[tag]) continue
        faults++
        if (!quiet) printf "struct %s has%s\n  but its table%s\n", tag, tags[tag], tables[tag]
    }
    for (tag in tables) {
        if (tag in tags) continue
        faults++
        if (!quiet) printf "table of %s, which the header lacks\n", tag
    }
    return faults + 0
}

function self_check(    header, good) {
    header = "struct a { /* x; */\n int32_t one;\n struct sl_array two; /* of b */\n};\n" \
             "struct b { bool three; };\nextern const struct sl_type a_type;"
    good = "FIELD(a, one, ALWAYS),\nNULLABLE_ARRAY(a,\n  two, b, 3, SINCE(3)), FIELD(b, three, ALWAYS)"
    return compare(header, good, 1) == 0 && \
           compare(header, "LIST(a, two, int32_t), FIELD(a, one), FIELD(b, three)", 1) == 1 && \
           compare(header, "FIELD(a, one), FIELD(b, three)", 1) == 1 && \
           compare(header, "FIELD(a, one), ARRAY(a, two)", 1) == 1 && \
           compare(header, good ", STRUCT(c, four, d)", 1) == 1
}

FNR == 1 { file++ }
file == 1 { header_text = header_text $0 "\n" }
file == 2 { table_text = table_text $0 "\n" }

END {
    if (!self_check()) {
        print "message_fields.awk: the self-check failed"
        exit 1
    }
    if (file != 2) {
        print "usage: awk -f message_fields.awk HEADER TABLE"
        exit 1
    }
    if (compare(header_text, table_text, 0) > 0) {
        printf "%s and %s differ\n", ARGV[1], ARGV[2]
        exit 1
    }
}
