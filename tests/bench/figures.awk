# Turns the lines of runs into figures: the median over a client's runs of one case, each metric by
# itself; a ratio is that of two medians.
#
#   awk -f figures.awk runs    a line per figure: CASE NAME VALUE, cases in the order of their runs
#
# A case has: unit; sluice, peer (in that unit) and their ratio; sluice_cpu_ns, peer_cpu_ns and
# cpu_ratio; where the floor was measured floor, floor_cpu_ns and its times (floor_p50_us). Whatever
# else the runs have is named as there for sluice, and with peer_ before it for the peer.

BEGIN {
    split("case client unit records seconds cpu_seconds rss_kib sent arrived congestion", words)
    for (i in words) plain[words[i]] = 1
}

{
    for (i = 1; i <= NF; i++) {
        at = index($i, "=")
        label[i] = substr($i, 1, at - 1)
        field[label[i]] = substr($i, at + 1)
    }
    name = field["case"]
    client = field["client"]
    if (!(name in unit)) order[++cases] = name
    unit[name] = field["unit"]
    n = ++runs[name, client]
    for (i = 1; i <= NF; i++) {
        key = label[i]
        if (key in plain) continue
        value[name, client, key, n] = field[key] + 0
        if (!(key in known)) keys[++key_count] = key
        known[key] = 1
        has[name, client, key] = 1
    }
    split("", field)
}

function median(name, client, key,    n, i, j, swap, sorted) {
    n = runs[name, client]
    for (i = 1; i <= n; i++) sorted[i] = value[name, client, key, i]
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && sorted[j - 1] > sorted[j]; j--) {
            swap = sorted[j]
            sorted[j] = sorted[j - 1]
            sorted[j - 1] = swap
        }
    if (n % 2 == 1) return sorted[(n + 1) / 2]
    return (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

function put(name, figure, number) { printf "%s %s %.6f\n", name, figure, number }

function put_ratio(name, figure, ours, peer) { if (peer > 0) put(name, figure, ours / peer) }

function put_case(name,    i, ours, peer, cpu, peer_cpu) {
    ours = median(name, "sluice", "figure")
    peer = median(name, "peer", "figure")
    cpu = median(name, "sluice", "cpu_ns")
    peer_cpu = median(name, "peer", "cpu_ns")
    print name, "unit", unit[name]
    put(name, "sluice", ours)
    put(name, "peer", peer)
    put_ratio(name, "ratio", ours, peer)
    put(name, "sluice_cpu_ns", cpu)
    put(name, "peer_cpu_ns", peer_cpu)
    put_ratio(name, "cpu_ratio", cpu, peer_cpu)
    if ((name, "floor") in runs) {
        put(name, "floor", median(name, "floor", "figure"))
        put(name, "floor_cpu_ns", median(name, "floor", "cpu_ns"))
    }
    for (i = 1; i <= key_count; i++) {
        if (keys[i] == "figure" || keys[i] == "cpu_ns") continue
        if ((name, "sluice", keys[i]) in has) put(name, keys[i], median(name, "sluice", keys[i]))
        if ((name, "peer", keys[i]) in has) put(name, "peer_" keys[i], median(name, "peer", keys[i]))
        if (keys[i] ~ /_us$/ && (name, "floor", keys[i]) in has)
            put(name, "floor_" keys[i], median(name, "floor", keys[i]))
    }
}

END {
    for (c = 1; c <= cases; c++)
        if (runs[order[c], "sluice"] > 0 && runs[order[c], "peer"] > 0) put_case(order[c])
}
