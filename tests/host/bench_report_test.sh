#!/bin/sh
# Goal: what `make bench` makes of its runs is right: medians and their ratios, whether a bar holds,
# the JSON and the picture.
# Method: lines of runs and bars that were written by hand go through the programs of tests/bench.
. tests/check.sh

says() { grep -qxF -e "$2" "$scratch/$1"; }    # FILE LINE
mentions() { grep -qF -e "$2" "$scratch/$1"; } # FILE TEXT

# Three runs a client of `one`, an even number of `two`, whose figure is not a rate.
cat >"$scratch/runs" <<'END'
client=sluice case=one unit=records/s figure=900 cpu_ns=10 sent=5 congestion=cubic wakes=1
client=peer case=one unit=records/s figure=100 cpu_ns=40 sent=5 congestion=cubic wakes=4
client=floor case=one unit=records/s figure=5000 cpu_ns=2 sent=0 congestion=cubic
client=peer case=one unit=records/s figure=110 cpu_ns=50 sent=5 congestion=cubic wakes=5
client=sluice case=one unit=records/s figure=100 cpu_ns=30 sent=5 congestion=cubic wakes=3
client=sluice case=one unit=records/s figure=550 cpu_ns=20 sent=5 congestion=cubic wakes=2
client=peer case=one unit=records/s figure=1000 cpu_ns=60 sent=5 congestion=cubic wakes=9
client=sluice case=two unit=us figure=10 cpu_ns=8 p50_us=10
client=sluice case=two unit=us figure=20 cpu_ns=12 p50_us=20
client=peer case=two unit=us figure=30 cpu_ns=5 p50_us=30
client=floor case=two unit=us figure=7 cpu_ns=1 p50_us=7
client=peer case=alone unit=us figure=30 cpu_ns=5
END
cat >"$scratch/targets" <<'END'
# A comment.

one  ratio         >=  5
one  ratio         >=  5.1
one  cpu_ratio     <=  2/5
one  wakes         <=  1/2 of peer_wakes
one  wakes         <=  0.3 of peer_wakes
two  p50_us        within 1.4 of one.sluice_cpu_ns
two  p50_us        within 1.3 of one.sluice_cpu_ns
two  sluice_cpu_ns <=  1/2 of one.sluice_cpu_ns
two  sluice_cpu_ns <=  1 of three.sluice_cpu_ns
END
report() { awk "$@" -f tests/bench/report.awk "$scratch/targets" "$scratch/figures"; }
awk -f tests/bench/figures.awk "$scratch/runs" >"$scratch/figures"
report -v name=one >"$scratch/one"
report -v name=two >"$scratch/two"
report -v as=bars >"$scratch/bars"
report -v as=json >"$scratch/json"
awk -f tests/bench/picture.awk "$scratch/targets" "$scratch/figures" >"$scratch/svg"

check "the median of three" says figures "one sluice 550.000000"
check "the median of two" says figures "two sluice 15.000000"
check "a ratio is that of medians" says figures "one ratio 5.000000"
check "the peer's own" says figures "one peer_wakes 5.000000"
check "the floor" says figures "one floor_cpu_ns 2.000000"
check "and its times" says figures "two floor_p50_us 7.000000"
check "a case that one client lacks has no figures" sh -c "! grep -q alone '$scratch/figures'"
check "what is not a figure is left out" sh -c "! grep -q 'sent\\|cubic' '$scratch/figures'"

check "a line a case" says one \
    "bench: one sluice=550 peer=110 ratio=5.00 cpu_ns=20.0/50.0 cpu_ratio=0.400 floor=5000 floor_cpu_ns=2.0 wakes=2/5"
check "at least, just reached" says one "bench:   holds: ratio 5 >= 5"
check "at least, missed" says one "bench:   MISSED: ratio 5 >= 5.1"
check "at most a fraction" says one "bench:   holds: cpu_ratio 0.4 <= 0.4"
check "at most of another figure" says one "bench:   holds: wakes 2 <= 2.5"
check "the same, missed" says one "bench:   MISSED: wakes 2 <= 1.5"
check "within, of another case" says two "bench:   holds: p50_us 15 within 1.4 times of 20"
check "within, when it is less" says two "bench:   MISSED: p50_us 15 within 1.3 times of 20"
check "of a case that did not run" says two "bench:   open: sluice_cpu_ns <= 1 of three.sluice_cpu_ns"
check "how many hold" says bars "bench: 5 of 9 bars hold, 1 need other cases; missed:"
check "which are missed" says bars "bench:   one: ratio 5 >= 5.1"
check "the JSON has figures" mentions json '"ratio": 5, "sluice_cpu_ns": 20, '
check "the JSON has bars" mentions json '{"bar": "ratio >= 5.1", "holds": false}'
check "the JSON has bars that are open" mentions json \
    '{"bar": "sluice_cpu_ns <= 1 of three.sluice_cpu_ns", "holds": null}'
check "the picture has the ratio" mentions svg '>5.0×</text>'
check "the picture turns round what is better when small" mentions svg '>2.0×</text>'
check "the picture marks a missed bar" mentions svg 'class="missed"/>'
check "the picture is whole" [ "$(tail -n 1 "$scratch/svg")" = "</svg>" ]

end_checks
