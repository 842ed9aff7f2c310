# What became of one group (cases/rebalances.sh): awk -v run=NAME -v partitions=N -v rebalances=N -f this LEDGER EVENTS
#
# LEDGER is that of `verify produce`. EVENTS are in the order of time, a line each:
#
#   MS MEMBER begins|owns|assigned|revoking|lost|read|stale|closing|closed …  as `verify member` writes them
#   MS MEMBER started|leaves|killed|frozen|thawed                 what was done to the member
#   MS - commit GROUP PARTITION OFFSET                            as the coordinator's log has them
#   MS - epoch GROUP N                                            generation, or epoch
#
# A stretch is what one member reads of a partition in one go. What must hold, per partition:
#
#   - every record that was written is read: no stretch begins, or goes on, behind what was read
#   - a stretch begins exactly at what the group had committed by then (0 before the first commit): so
#     what is read twice was not committed when the one who read it first lost the partition
#   - what is read twice was not given up in order, by a notice or by leaving: that is committed
#   - a commit is of what was read, and is not lower than one before
#   - once another member has begun a stretch, the one before reads no more
#   - at the end all is committed
#
# A member that was frozen until the group had put it out cannot know that before it has asked: what it
# reads until it is told of its loss is only counted, as late. None of it may be committed.
#
# A line of figures goes to stdout; what is wrong before it, and the status is 1.

function complain(text) {
    if (++complaints <= 20) print run ": " $1 ": " text
}
# The end of a stretch: whose it was, and whether it was given up in order.
function give_up(partition, member) {
    if (reader[partition] == member) orderly[partition] = 1
}
function begin(member, partition, first) {
    if (first != committed[partition] + 0)
        complain(member " begins partition " partition " at " first ", committed is " committed[partition] + 0)
    if (first < high[partition]) {
        duplicates += high[partition] - first
        if (orderly[partition])
            complain(member " reads partition " partition " again from " first " to " high[partition] ", though " reader[partition] " gave it up in order")
    }
    reader[partition] = member
    orderly[partition] = 0
    stretches++
}

FNR == NR {
    if ($2 == "W") { written++; if ($4 + 1 > end[$3]) end[$3] = $4 + 1 }
    next
}
$3 == "read" && frozen[$2] { late += $6; next }
$3 == "read" {
    first = $5 + 0
    key = $2 " " $4
    if (!(key in next_of) || first != next_of[key]) begin($2, $4, first)
    else if (reader[$4] != $2) complain($2 " reads partition " $4 " at " first ", which is " reader[$4] "'s")
    next_of[key] = first + $6
    if (first > high[$4]) {
        missing += first - high[$4]
        complain($2 " reads partition " $4 " at " first ", nobody has read from " high[$4] + 0)
    }
    if (next_of[key] > high[$4]) high[$4] = next_of[key]
    records += $6
    next
}
# What is not owned any more is begun anew when it comes again.
$3 == "owns" {
    split("", owned)
    for (i = 4; i <= NF; i++) { split($i, at, ":"); owned[at[1]] = 1 }
    for (p = 0; p < partitions; p++) if (!(p in owned)) delete next_of[$2 " " p]
    next
}
$3 == "revoking" || $3 == "lost" {
    for (i = 4; i <= NF; i++) {
        if ($3 == "revoking") give_up($i, $2)
        else if (reader[$i] == $2) orderly[$i] = 0
        delete next_of[$2 " " $i]
    }
    if ($3 == "lost") frozen[$2] = 0
    next
}
$3 == "closing" { for (p = 0; p < partitions; p++) if (($2 " " p) in next_of) give_up(p, $2) }
$3 == "closed" && $4 != 0 { complain($2 " closed with " $4) }
$3 == "frozen" { frozen[$2] = 1 }
$3 ~ /^(started|leaves|killed|frozen)$/ { done[$3]++ }
$3 == "commit" {
    if ($6 > high[$5] + 0) complain("partition " $5 ": " $6 " was committed, read is up to " high[$5] + 0)
    if ($6 < committed[$5] + 0) complain("partition " $5 ": " $6 " was committed after " committed[$5])
    committed[$5] = $6
    commits++
}
$3 == "epoch" && !(($4 " " $5) in epochs) { epochs[$4 " " $5] = 1; epoch_count++ }
END {
    for (p = 0; p < partitions; p++) {
        if (high[p] + 0 < end[p]) {
            missing += end[p] - high[p]
            complain("partition " p " was read up to " high[p] + 0 ", it ends at " end[p])
        }
        if (committed[p] + 0 != end[p] + 0)
            complain("partition " p " ends at " end[p] + 0 ", committed is " committed[p] + 0)
    }
    if (stretches == 0 || commits == 0 || written == 0) complain("nothing has happened")
    printf "rebalances: run=%s rebalances=%d records=%d missing=%d duplicates=%d late=%d joined=%d left=%d killed=%d frozen=%d stretches=%d commits=%d generations=%d\n",
        run, rebalances, records, missing, duplicates, late, done["started"], done["leaves"], done["killed"],
        done["frozen"], stretches, commits, epoch_count
    exit complaints > 0
}
