# Transactions of librdkafka, with every codec, one in the other and with what is none between them: with
# isolation.level=read_committed ours prints what was committed and nothing that was undone, and
# nothing from the first open transaction on; with read_uncommitted all there is. In the order in which
# they were written, in each partition.
. "$(dirname "$0")/common.sh"

use_newest_librdkafka

parts=3 rounds=8

# make_expected CODEC: the lines of a codec's program (transactions.c), up to where one stays open.
make_expected() {
    awk -v codec="$1" -v rounds=$rounds -v parts=$parts -v OFS='\t' '
        function half(round, who, first, word,   i) {
            for (i = first; i < first + 12; i++) print i % parts, codec, round, who, i, word
        }
        BEGIN {
            for (round = 0; round < rounds; round++) {
                outer = round % 2 == 0 ? "keep" : "undo"
                inner = int(round / 2) % 2 == 0 ? "keep" : "undo"
                half(round, "outer", 0, outer)
                half(round, "inner", 0, inner)
                half(round, "outer", 12, outer)
                half(round, "inner", 12, inner)
                half(round, "plain", 0, "keep")
            }
        }'
}

# make_late CODEC: what comes then, and behind it.
make_late() {
    local who
    for who in late later; do
        awk -v codec="$1" -v who=$who -v rounds=$rounds -v parts=$parts -v OFS='\t' \
            'BEGIN { for (i = 0; i < 12; i++) print i % parts, codec, rounds, who, i, "keep" }'
    done
}

# is_read LEVEL: what ours prints is in "wanted", each partition in its order.
is_read() {
    consumer -t transactions -o beginning -e -f '%p\t%v\n' -X "isolation.level=$1" |
        sort -s -k 1,1n >got
    cmp -s wanted got
}
# expect LEVEL FILE: exactly the lines of the file. A transaction is over before the brokers of its
# partitions know of it.
expect() {
    sort -s -k 1,1n "$2" >wanted
    await_that 20 is_read "$1" || fail "$codec, $1: $(diff wanted got | head -n 4)"
}

"$kafka" topic transactions $parts
: >all
for codec in $codecs; do
    coproc writer { exec "$BUILD/kafka/transactions" "$bootstrap" transactions $parts "$codec"; }
    pid=$writer_PID
    exec 3<&"${writer[0]}" 4>&"${writer[1]}" # bash closes its own when the writer has ended
    read -r -t 120 line <&3 && [ "$line" = open ] || fail "the writer came to no end"
    make_expected "$codec" >>all
    grep -v 'undo$' all >want
    expect read_committed want
    make_late "$codec" >>all
    expect read_uncommitted all
    echo >&4
    exec 4>&-
    wait "$pid" || fail "the writer"
    grep -v 'undo$' all >want
    expect read_committed want
done
echo "transactions: records=$(wc -l <all) undone=$(grep -c 'undo$' all)"
