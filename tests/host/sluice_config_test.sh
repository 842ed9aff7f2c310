#!/bin/sh
# Goal: CONFIGURATION.md says what the property table says; sluice-config tells what a file comes to,
# every mistake of a wrong one, and never a secret.
# Method: the manual is printed anew and compared; files are checked for each role.
. tests/check.sh
config=$BUILD/sluice-config

ends_with() { # STATUS OPTION...
    wanted=$1
    shift
    "$config" "$@" >"$scratch/out" 2>"$scratch/errors"
    [ $? = "$wanted" ]
}
says() { grep -qxF -e "$2" "$scratch/$1"; } # out|errors LINE

"$config" >"$scratch/manual"
check "CONFIGURATION.md is what make docs writes" cmp -s "$scratch/manual" CONFIGURATION.md
check "the manual has the aliases" grep -q '`linger.ms`.*`queue.buffering.max.ms`' "$scratch/manual"
check "the manual has values" grep -q '^| `acks` | `all` | `all`, `0`, `1` | ' "$scratch/manual"

cat >"$scratch/good" <<'END'
bootstrap.servers=one:9092
queue.buffering.max.kbytes=100
END
check "a good file is fine" ends_with 0 producer "$scratch/good"
check "what is set has its place" says out "buffer.memory=102400 ($scratch/good:2 as queue.buffering.max.kbytes)"
check "what is not set is a default" says out "linger.ms=5 (default)"
check "a consumer has no such property" ends_with 1 consumer "$scratch/good"

cat >"$scratch/bad" <<'END'
bootstrap.servers=one:9092
lingr.ms=5
sasl.password=s3cret
acks=2
END
check "a bad file is told" ends_with 1 producer "$scratch/bad"
check "the first mistake" says errors "$scratch/bad:2: lingr.ms: no such property; did you mean linger.ms?"
check "the last mistake" says errors "$scratch/bad:4: acks: \"2\" is not one of all|0|1"
check "no secret is shown" sh -c "! grep -q s3cret '$scratch/errors' '$scratch/out'"
check "a missing file is told" ends_with 1 admin "$scratch/none"

check "--help" ends_with 0 --help
check "an unknown role" ends_with 2 manager "$scratch/good"
check "too few words" ends_with 2 producer

end_checks
