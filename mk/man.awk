# Man pages from the comments of the public headers: one a function in man3, and sluice(3), which lists them.
#
#   awk -f mk/man.awk -v to=FOLDER -v version=0.1.0 -v library=sluice HEADER...
#
# A comment has prose, then lines "name   what it is" of arguments, whose continuation is indented, then
# "Returns …", then "Thread: …  Blocks: …" and so on; tests/lint/docs.awk sees to that.
FNR == 1 {
    header = FILENAME
    sub(/.*include\//, "", header)
    title = $0
    sub(/^\/\* sluice: /, "", title)
    sub(/ \*\/$/, "", title)
    comment = ""
    depth = 0
}
/^\/\*/ && depth == 0 { in_comment = 1; comment = "" }
in_comment {
    line = $0
    sub(/^ ?\/?\*+ ?/, "", line)
    is_last = line ~ /\*\/$/
    sub(/ ?\*?\*\/$/, "", line)
    comment = comment line "\n"
    if (is_last || $0 ~ /\*\/$/) in_comment = 0
    statement = ""
    next
}
/^SLUICE_API/ { statement = ""; inside = 1 }
inside {
    line = $0
    sub(/^ +/, "", line)
    statement = statement (statement == "" ? "" : " ") line
    if ($0 ~ /;$/) {
        inside = 0
        page()
    }
}
END { overview() }

function escape(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    sub(/^[.']/, "\\\\\\&&", text)
    return text
}
# The first sentence, without its end.
function sentence(text,    at) {
    gsub(/\n/, " ", text)
    at = match(text, /[.:;](  *[A-Z]|  *$)/)
    if (at > 0) text = substr(text, 1, at - 1)
    sub(/ +$/, "", text)
    return text
}
function page(    name, out, count, line, i, part, text, prose, arguments, result, facts) {
    sub(/^SLUICE_API /, "", statement)
    sub(/^SLUICE_MUST /, "", statement)
    name = statement
    sub(/\(.*/, "", name)
    sub(/.*[ *]/, "", name)
    count = split(comment, line, "\n")
    part = "prose"
    prose = arguments = result = facts = ""
    for (i = 1; i <= count; i++) {
        text = line[i]
        if (text ~ /^Returns/) part = "result"
        else if (text ~ /^(Thread|Blocks|Owns|Since):/) part = "facts"
        else if (part != "result" && part != "facts" && text ~ /^[a-z_]+(, [a-z_]+)*   *[^ ]/) part = "arguments"
        if (part == "result" && text ~ /Thread:/) {
            result = result substr(text, 1, index(text, "Thread:") - 1) "\n"
            text = substr(text, index(text, "Thread:"))
            part = "facts"
        }
        if (part == "prose") prose = prose text "\n"
        else if (part == "arguments") arguments = arguments text "\n"
        else if (part == "result") result = result text "\n"
        else facts = facts " " text
    }
    out = to "/" name ".3"
    summary[++names] = name
    what[name] = sentence(prose)
    head(out, name, what[name])
    print ".SH SYNOPSIS\n.nf\n.B #include <sluice/sluice.h>\n.PP\n.B \"" escape(statement) "\"\n.fi" > out
    print ".SH DESCRIPTION" > out
    put(out, prose)
    if (arguments != "") put_arguments(out, arguments)
    if (result != "") {
        print ".SH RETURN VALUE" > out
        put(out, result)
    }
    print ".SH ATTRIBUTES" > out
    put_facts(out, facts)
    see(out, name, comment)
    close(out)
    statement = ""
}
function head(out, name, text) {
    printf ".\\\" Written by mk/man.awk from the comments of %s.\n", header > out
    printf ".TH %s 3 \"\" \"sluice %s\" \"sluice\"\n.SH NAME\n%s \\- %s\n", toupper(name), version, name,
        escape(text) > out
}
function put(out, text,    i, n, line) {
    n = split(text, line, "\n")
    for (i = 1; i <= n; i++) if (line[i] ~ /[^ ]/) {
        sub(/^ +/, "", line[i])
        print escape(line[i]) > out
    }
}
function put_arguments(out, text,    i, n, line, name) {
    n = split(text, line, "\n")
    for (i = 1; i <= n; i++) {
        if (line[i] ~ /^[a-z_]/ && match(line[i], /^[a-z_]+(, [a-z_]+)*  */)) {
            name = substr(line[i], 1, RLENGTH)
            sub(/ +$/, "", name)
            print ".TP\n.I \"" escape(name) "\"" > out
            line[i] = substr(line[i], RLENGTH + 1)
        }
        sub(/^ +/, "", line[i])
        if (line[i] != "") print escape(line[i]) > out
    }
}
function put_facts(out, text,    i, n, word, key) {
    n = split(text, word, " ")
    for (i = 1; i <= n; i++) {
        if (word[i] ~ /^(Thread|Blocks|Owns|Since):$/) {
            key = word[i]
            sub(/:/, "", key)
            print ".TP\n.B " key > out
        } else print escape(word[i]) > out
    }
}
# The functions that a comment names, and the overview.
function see(out, name, text,    found, list) {
    list = ""
    while (match(text, /sluice_[a-z_]+/)) {
        found = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
        if (found != name && found !~ /_$/ && index(list, ".BR " found " ") == 0 && (found in is_function))
            list = list ".BR " found " (3),\n"
    }
    print ".SH SEE ALSO\n" list ".BR sluice (3)" > out
}
BEGIN {
    for (i = 1; i < ARGC; i++) {
        if (ARGV[i] !~ /\.h$/) continue
        while ((getline text < ARGV[i]) > 0)
            if (match(text, /(^| |\*)sluice_[a-z_]+\(/) && text !~ /^ ?\/?\*/) {
                text = substr(text, RSTART, RLENGTH - 1)
                sub(/^[ *]/, "", text)
                is_function[text] = 1
            }
        close(ARGV[i])
    }
}
function overview(    out, i) {
    out = to "/sluice.3"
    header = "sluice/sluice.h"
    head(out, "sluice", "a client library for the Apache Kafka protocol")
    print ".SH SYNOPSIS\n.nf\n.B #include <sluice/sluice.h>\n.PP\n.B \"cc app.c $(pkg\\-config \\-\\-cflags \\-\\-libs sluice)\"\n.fi" > out
    print ".SH FUNCTIONS" > out
    for (i = 1; i <= names; i++) print ".TP\n.BR " summary[i] " (3)\n" escape(what[summary[i]]) > out
    close(out)
}
