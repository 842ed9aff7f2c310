# The Python and the Node package: each makes a topic and writes to it in all its ways, each reads both
# topics in all its ways, value by value, commits, goes on, seeks; then one group has a member of each,
# which end by signals. What they have committed is what Kafka's own tool says. Which languages there
# are is a figure; without any it fails.
. "$(dirname "$0")/common.sh"

count=$((RECORDS / 20 / 4 * 4)) root=$(cd "$here/../.." && pwd)
export SLUICE_LIBRARY=$BUILD/libsluice.so PYTHONPATH=$root/bindings/python PYTHONDONTWRITEBYTECODE=1
languages=
python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null && languages=python
[ -d "$root/bindings/node/node_modules/koffi" ] && languages="$languages node"
[ -n "$languages" ] || fail "there is neither Python 3.9 nor Node with what 'make node-deps' installs"

# become LANGUAGE VERB ARGUMENT...
become() {
    local verb=$2
    case $1 in
    python) exec python3 "$here/bindings.py" "$verb" "$bootstrap" "${@:3}" ;;
    node) exec node "$here/bindings.mjs" "$verb" "$bootstrap" "${@:3}" ;;
    esac
}

topics=
for language in $languages; do
    topics="$topics bindings-$language"
    start_play "write-$language" become "$language" write "bindings-$language" "$count"
done
await_plays
for language in $languages; do
    [ "$("$kafka" count "bindings-$language")" = "$count" ] || fail "bindings-$language does not hold $count records"
    # shellcheck disable=SC2086  # topics are words
    start_play "read-$language" become "$language" read "bindings-$language" "$count" $topics
done
await_plays
groups=
for language in $languages; do groups="$groups --group bindings-$language"; done
# shellcheck disable=SC2086
group_tool $groups --describe --offsets >told 2>&1
awk -v want="$(wc -w <<<"$topics")" '$2 ~ /^bindings-/ { lag += $6; of[$1 " " $2]++ }
    END { for (one in of) n++; exit !(lag == 0 && n == want * want) }' told || fail "Kafka says: $(cat told)"
echo "bindings: records=$((count * $(wc -w <<<"$topics")))"

# One group of both. They have to share before anything is written.
"$kafka" topic bindings-shared 6
members=
for language in $languages; do
    (become "$language" member bindings-shared bindings-shared) >"$language.out" 2>"$language.err" &
    members="$members $!"
done
has_partitions() { grep -q '^assigned [1-6]' "$1.err"; }
for language in $languages; do
    await_that 30 has_partitions "$language" || fail "the member in $language got no partitions: $(cat "$language.err")"
done
make_lines 0 "$count" 0 >lines
producer -t bindings-shared -X partitioner=random lines
has_all() { [ "$(cat ./*.out | wc -l)" -ge "$count" ]; }
await_that 30 has_all || fail "$(cat ./*.out | wc -l) of $count records were read"
for language in $languages; do [ -s "$language.out" ] || fail "the member in $language has read nothing"; done
[ "$(sort -u ./*.out | wc -l)" = "$count" ] && has_all || fail "records came twice"
# shellcheck disable=SC2086
kill $members
for member in $members; do wait "$member" || fail "a member ended badly: $(cat ./*.err)"; done
for language in $languages; do (become "$language" remove "bindings-$language"); done
echo "bindings: run=shared records=$count"
