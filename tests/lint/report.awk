# The end of every check: reads violations as "FILE:LINE: text" and prints those that
# tests/lint/ratchet.txt does not tolerate; exits with 1 when there are any, or when the ratchet
# tolerates more than there is (then its line must go: the file only shrinks).
#
#   … | awk -v check=NAME -f tests/lint/report.awk
BEGIN {
    while ((getline line < "tests/lint/ratchet.txt") > 0) {
        count = split(line, word, " ")
        if (count < 3 || word[1] != check) continue
        tolerated[word[2]] = word[3]
    }
    bad = 0
}
{
    file = $0
    sub(/:.*/, "", file)
    if (seen[file]++ < tolerated[file] + 0) next
    print
    bad++
}
END {
    for (file in tolerated)
        if (seen[file] + 0 < tolerated[file] + 0) {
            printf "tests/lint/ratchet.txt: %s tolerates %d in %s, there are %d: shrink it\n", \
                check, tolerated[file], file, seen[file]
            bad++
        }
    exit bad > 0
}
