# Each function that a public header declares has a comment block right above it that says, in this
# order: what it Returns (unless it is void), its Thread: and since which version (Since:).
FNR == 1 { depth = 0; statement = ""; comment = ""; in_comment = 0; opened = 0 }
function finish(    name, at) {
    if (statement ~ /^typedef/ || statement !~ /sluice_[a-z0-9_]+ ?\(/ || statement ~ /^#/) return
    name = statement
    match(name, /sluice_[a-z0-9_]+ ?\(/)
    name = substr(name, RSTART, RLENGTH - 1)
    at = FILENAME ":" start ": " name
    if (comment == "" || comment_end != start - 1) { print at " has no comment block right above it"; return }
    returns = index(comment, "Returns")
    thread = index(comment, "Thread:")
    since = index(comment, "Since:")
    is_void = statement ~ /(^|[ \t])void +sluice_/
    if (!is_void && !returns) print at ": its comment lacks \"Returns\""
    if (!thread) print at ": its comment lacks \"Thread:\""
    if (!since) print at ": its comment lacks \"Since:\""
    if ((returns && thread && returns > thread) || (thread && since && thread > since))
        print at ": the order is Returns, Thread:, Since:"
}
in_comment || (/^\/\*/ && depth == 0) {
    if (!in_comment) comment = ""
    comment = comment "\n" $0
    in_comment = !/\*\//
    comment_end = FNR
    next
}
/^#/ { continued = /\\$/; next }
continued { continued = /\\$/; next }
/^extern "C"/ || /^[ \t]*$/ { next }
depth == 0 && /^}/ { next }
{
    line = $0
    gsub(/\/\*.*\*\//, "", line)
    if (statement == "") start = FNR
    statement = statement (statement == "" ? "" : " ") line
    opens = gsub(/{/, "{", line)
    depth += opens - gsub(/}/, "}", line)
    opened = opened || opens
    if (depth == 0 && (line ~ /;[ \t]*$/ || (opened && line ~ /}[ \t]*$/))) {
        finish()
        statement = ""
        opened = 0
    }
}
