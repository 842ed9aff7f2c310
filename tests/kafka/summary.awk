# Makes a table of the results of tests/kafka/run.sh, a row a case. A line "case VERSION NAME VERDICT
# SECONDS" begins a case; the lines up to the next one are its figures, names and values after the
# name of whom they come from.
#
# Records are those that our producer accepted, which is the sum of its outcomes, or those of text
# that went either way. Lost (written by the report, but not there), duplicate and misordered records
# are counted on each copy of the log and by our consumer, so one may count four times. Of groups,
# duplicates are records that came again because they were not committed.
#
# A line that says run=NAME is of a part of the case: it has a row of its own below that of the case.

function row(version, name, verdict, seconds, records, done, written, not_written, maybe_written, \
    lost, duplicates, misordered) {
    return sprintf("%-7s  %-26s  %-6s  %7s  %9s  %-18s  %9s  %11s  %13s  %4s  %10s  %10s\n", version,
        name, verdict, seconds, records, done, written, not_written, maybe_written, lost, duplicates,
        misordered)
}
function figure(of, name) { return name in of ? of[name] : "-" }
function row_of(of, name, verdict, seconds, done) {
    return row(version, name, verdict, seconds, figure(of, "records"), done, figure(of, "written"),
        figure(of, "not_written"), figure(of, "maybe_written"), figure(of, "missing"),
        figure(of, "duplicates"), figure(of, "misordered"))
}
function end_case() {
    if (name == "") return
    if ("written" in sum)
        sum["records"] = sum["written"] + sum["not_written"] + sum["maybe_written"]
    printf "%s%s", row_of(sum, name, verdict, seconds, done), parts
}
BEGIN {
    printf "%s", row("version", "case", "result", "seconds", "records", "done to it", "written", "not written",
        "maybe written", "lost", "duplicates", "misordered")
}
$1 == "case" {
    end_case()
    version = $2; name = $3; verdict = $4; seconds = $5
    done = "-"
    parts = ""
    split("", sum)
    next
}
{
    split("", line)
    for (i = 2; i <= NF; i++) {
        if (split($i, word, "=") != 2) continue
        line[word[1]] = word[2]
        if (word[1] ~ /^(kills|cuts|restarts|remakes|elections|rebalances|throttled_ms)$/) what = $i
        # Records that were only read again don't count.
        if (word[1] != "records" || $1 == name ":") sum[word[1]] += word[2]
    }
    if ("run" in line) parts = parts row_of(line, "  " line["run"], "", "", what == "" ? "-" : what)
    if (what != "") done = what
    what = ""
}
END { end_case() }
