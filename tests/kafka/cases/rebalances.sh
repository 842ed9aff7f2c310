# Groups of two to five members that never come to rest: members join, leave, are killed (SIGKILL),
# and are frozen (SIGSTOP) until the group has put them out, while records are written all the time;
# in the classic protocol, eager and cooperative, and from 4.0 on in KIP-848. Half of the members are
# told of rebalances, half leave it to the library. In the middle all nodes are restarted in turn.
#
# After a disturbance, or after two at once, every partition must have one member, the members as
# many each as can be, and all that was written by then must have been handed out. At the end
# rebalances.awk goes through all that happened: what members wrote down, what they were done, and
# every commit as the coordinator's log on disk has it.
. "$(dirname "$0")/common.sh"

partitions=12
limit=90 # seconds for a group to settle

note() { echo "$(date +%s%3N) $2" >>"$1.done"; }

# add: a member, in the background.
add() {
    local notices=false
    [ $((added % 2)) = 1 ] && notices=true
    added=$((added + 1))
    local name=m$added
    note "$name" started
    become_verify member --topic "$topic" --close-ms 20000 --set group.id="$topic" \
        --set auto.commit.interval.ms=500 --set rebalance.notices="$notices" \
        --set log.level=info "$@" >"$name.log" 2>"$name.err" &
    pid[$added]=$!
    members="$members $added"
}

# remove MEMBER: no longer counted among the members.
remove() { members=$(tr ' ' '\n' <<<"$members" | grep -vx "$1" | paste -sd ' '); }

# pick MEMBER...: one of them, into `picked`: a subshell would draw the same again and again.
pick() {
    local chosen=("$@")
    picked=${chosen[RANDOM % $#]}
}

# leave MEMBER: once it hears signals.
leave() {
    await_that 10 grep -q ' begins$' "m$1.log" || fail "member m$1 of $topic does not begin"
    note "m$1" leaves
    kill -TERM "${pid[$1]}"
    remove "$1"
    wait "${pid[$1]}" || fail "member m$1 of $topic: $(tail -n 5 "m$1.err")"
}

crash() {
    note "m$1" killed
    kill -KILL "${pid[$1]}"
    remove "$1"
    wait "${pid[$1]}" 2>/dev/null || true
}

# ends: the end of each partition, by a client that is not ours.
ends() {
    local queries=() partition
    for ((partition = 0; partition < partitions; partition++)); do
        queries+=(-t "$topic:$partition:-1")
    done
    kcat -Q -b "$bootstrap" "${queries[@]}" 2>/dev/null | sed 's/.*\[\([0-9]*\)\] offset /\1 /' |
        grep '^[0-9]* [0-9]*$' >ends && [ "$(wc -l <ends)" = $partitions ]
}

# is_settled: whether the members share all partitions evenly and have read up to `ends`.
is_settled() {
    local one
    for one in $members; do
        kill -0 "${pid[$one]}" 2>/dev/null || fail "member m$one of $topic: $(tail -n 5 "m$one.err")"
    done
    for one in $members; do
        tail -c 4000 "m$one.log" | grep '^[0-9]* owns' | tail -n 1
    done | awk -v members="$(wc -w <<<"$members")" -v partitions=$partitions '
        NR == FNR { end[$1] = $2; next }
        {
            share = NF - 2
            if (share < int(partitions / members) || share > int((partitions + members - 1) / members))
                bad = 1
            for (i = 3; i <= NF; i++) {
                split($i, at, ":")
                if (++owners[at[1]] > 1 || at[2] < end[at[1]]) bad = 1
                owned++
            }
        }
        END { exit bad || owned != partitions }' ends -
}

settle() {
    await_that 30 ends || fail "no ends of $topic"
    await_that $limit is_settled || {
        tail -n 3 m*.log m*.err | tail -n 60
        fail "$topic did not settle in $limit s after $rebalances rebalances; members:$members"
    }
}

# freeze MEMBER: until the others have everything, which is one rebalance, and its return another.
freeze() {
    note "m$1" frozen
    kill -STOP "${pid[$1]}"
    remove "$1"
    settle
    rebalances=$((rebalances + 1))
    note "m$1" thawed
    kill -CONT "${pid[$1]}"
    members="$members $1"
}

# disturb: one thing, by chance.
disturb() {
    local told=() one
    case $((RANDOM % 4)):$(wc -w <<<"$members") in
        0:5 | 1:[345])
            pick $members
            leave "$picked"
            ;;
        2:[345])
            pick $members
            crash "$picked"
            ;;
        3:*)
            # One that writes down when it hears that it is out.
            for one in $members; do [ $((one % 2)) = 1 ] || told+=("$one"); done
            if [ ${#told[@]} -gt 0 ]; then
                pick "${told[@]}"
                freeze "$picked"
            else
                add "$@"
            fi
            ;;
        *) add "$@" ;;
    esac
}

# tell_progress: how many rebalances there were, for those who look while it runs.
tell_progress() {
    echo "$rebalances" >progress.new
    mv progress.new progress
}

# run NAME --set NAME=VALUE...: one group, in a folder of its own.
run() {
    local topic=rebalances-$1 members='' added=0 rebalances=0 pid=() picked one
    shift
    RANDOM=29
    "$kafka" topic "$topic" $partitions
    start_load "$topic" $partitions --rate 500 --sizes small --keys --seed 29
    add "$@"
    add "$@"
    settle
    while [ "$rebalances" -lt "$each" ]; do
        disturb "$@"
        # Now and then two at once, which are one in the count.
        [ $((RANDOM % 4)) = 0 ] && disturb "$@"
        settle
        rebalances=$((rebalances + 1))
        check_load
        tell_progress
    done
    end_load
    settle
    for one in $members; do leave "$one"; done
    tell_progress
}

# half_way: every run has had half of its rebalances, or one has ended, which is told later.
half_way() {
    local name one
    for one in $plays; do kill -0 "$one" 2>/dev/null || return 0; done
    for name in $names; do
        [ "$(cat "$name/progress" 2>/dev/null || echo 0)" -ge $((each / 2)) ] || return 1
    done
}

# roll: each node is stopped in order, started again, and back in sync before the next one goes.
roll() {
    local node name
    for node in 1 2 3; do
        "$kafka" stop "$node"
        "$kafka" restart "$node"
        "$kafka" await-sync __consumer_offsets
        for name in $names; do "$kafka" await-sync "rebalances-$name"; done
    done
}

# name_lines FILE...: the lines of all files, with whose they are after the time.
name_lines() {
    awk '{ name = FILENAME; sub(/.*\//, "", name); sub(/\..*/, "", name); $1 = $1 " " name; print }' "$@"
}

# offsets_log: what the coordinators wrote, "MS - commit GROUP PARTITION OFFSET" and "MS - epoch GROUP N".
offsets_log() {
    "$kafka" await-sync __consumer_offsets
    "$kafka" dump 1 __consumer_offsets --offsets-decoder | tr -d '"{}' | sed -n \
        -e 's/.*CreateTime: \([0-9]*\) .*key: type:1,data:group:\([^,]*\),topic:[^,]*,partition:\([0-9]*\) payload: version:[0-9]*,data:offset:\([0-9]*\),.*/\1 - commit \2 \3 \4/p' \
        -e 's/.*CreateTime: \([0-9]*\) .*key: type:2,data:group:\([^ ]*\) payload: .*,generation:\([0-9]*\),.*/\1 - epoch \2 \3/p' \
        -e 's/.*CreateTime: \([0-9]*\) .*key: type:3,data:groupId:\([^ ]*\) payload: .*,data:epoch:\([0-9]*\).*/\1 - epoch \2 \3/p'
}

# audit NAME EVENTS: everything that happened, in the order of time.
audit() {
    awk -v run="$1" -v partitions=$partitions -v rebalances="$(cat "$1/progress")" \
        -f "$here/rebalances.awk" "$1/ledger" "$2"
}

# spoil WHAT COMPLAINT AWK: the audit does not pass the events of the first run with something wrong.
spoil() {
    awk "$3" eager/events >spoilt
    if cmp -s eager/events spoilt; then fail "the events were not spoilt: $1"; fi
    if audit eager spoilt >refused; then fail "the audit passed $1"; fi
    grep -q "$2" refused || fail "the audit did not see $1: $(head -n 3 refused)"
}

names="eager cooperative consumer"
case $SLUICE_KAFKA_VERSION in 3.*) names="eager cooperative" ;; esac
each=$((REBALANCES / $(wc -w <<<"$names") + 1))
start_play eager run eager --set group.protocol=classic \
    --set partition.assignment.strategy=range --set session.timeout.ms=4000 \
    --set heartbeat.interval.ms=1000
start_play cooperative run cooperative --set group.protocol=classic \
    --set partition.assignment.strategy=cooperative-sticky --set session.timeout.ms=4000 \
    --set heartbeat.interval.ms=1000
case $names in
    *consumer) start_play consumer run consumer --set group.protocol=consumer ;;
esac
await_that "$CASE_LIMIT" half_way
roll
await_plays
offsets_log >offsets
for name in $names; do
    name_lines "$name"/m*.log "$name"/m*.done | cat - offsets |
        awk -v group="rebalances-$name" '$2 != "-" || $4 == group' | sort -s -k 1,1n >"$name/events"
    audit "$name" "$name/events" || fail "see above"
done
spoil "records that nobody read" "nobody has read" '!($3 == "read" && !done++)'
spoil "a commit that goes too far" "was committed, read is up to" \
    '$3 == "commit" && !done++ { $6 += 100000 } { print }'
spoil "a commit that goes back" "was committed after" \
    '{ print } $3 == "commit" && $6 > 5 && !done++ { $6 -= 5; print }'
spoil "a second reader" "begins partition" \
    '{ print } $3 == "read" && ++reads == 50 { $2 = "other"; $5++; print }'
spoil "records read twice, though given up in order" "in order" \
    '{ print }
    $3 == "read" { reader[$4] = $2; next_of[$4] = $5 + $6 }
    $3 == "closing" { for (p in reader) if (reader[p] == $2) { print $1, "other", "read", p, next_of[p] - 1, 1; break } }'
echo "rebalances: restarts=3 rebalances=$((each * $(wc -w <<<"$names")))"
