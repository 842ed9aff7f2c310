# Makes a table of the results of tests/kafka/run.sh, a row a case. A line "case VERSION NAME VERDICT
# SECONDS" begins a case; the lines up to the next one are its figures, names and values after the
# name of whom they come from.
#
# Records are those that our producer accepted, which is the sum of its outcomes, or those of text
# that went either way. Lost (written by the report, but not there), duplicate and misordered records
# are counted on each copy of the log and by our consumer, so one may count four times.

function put(version, name, verdict, seconds, records, done, written, not_written, maybe_written, \
    lost, duplicates, misordered) {
    printf "%-7s  %-15s  %-6s  %7s  %9s  %-18s  %9s  %11s  %13s  %4s  %10s  %10s\n", version, name,
        verdict, seconds, records, done, written, not_written, maybe_written, lost, duplicates,
        misordered
}
function figure(name) { return name in sum ? sum[name] : "-" }
function end_case() {
    if (name == "") return
    if ("written" in sum)
        sum["records"] = sum["written"] + sum["not_written"] + sum["maybe_written"]
    put(version, name, verdict, seconds, figure("records"), done, figure("written"),
        figure("not_written"), figure("maybe_written"), figure("missing"), figure("duplicates"),
        figure("misordered"))
}
BEGIN {
    put("version", "case", "result", "seconds", "records", "done to it", "written", "not written",
        "maybe written", "lost", "duplicates", "misordered")
}
$1 == "case" {
    end_case()
    version = $2; name = $3; verdict = $4; seconds = $5
    done = "-"
    split("", sum)
    next
}
{
    for (i = 2; i <= NF; i++) {
        if (split($i, word, "=") != 2) continue
        if (word[1] ~ /^(kills|cuts|restarts|remakes|throttled_ms)$/) done = $i
        # Records that were only read again don't count.
        if (word[1] != "records" || $1 == name ":") sum[word[1]] += word[2]
    }
}
END { end_case() }
