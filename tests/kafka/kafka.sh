#!/usr/bin/env bash
#
# A real Apache Kafka on loopback, for tests: fetches it, runs three nodes, breaks them, stops them.
#
#   kafka.sh fetch newest|3.9|VERSION        prints the version that is in the cache now
#   kafka.sh run VERSION COMMAND [ARG]...    runs COMMAND with a cluster around it, stops it always
#
# COMMAND finds SLUICE_KAFKA (this script), SLUICE_KAFKA_DIR, SLUICE_KAFKA_VERSION and
# SLUICE_KAFKA_BOOTSTRAP in its environment. A proxy that forwards the ports of SLUICE_KAFKA_ROUTES
# ("FROM:TO ...") has the brokers behind it for those who start at SLUICE_KAFKA_PROXIED. Those who
# start at SLUICE_KAFKA_LOGIN (under TLS, SLUICE_KAFKA_SAFE) have to log in, as "bob" with "pencil" or a
# token, and at SLUICE_KAFKA_OIDC (SLUICE_KAFKA_SAFE_OIDC) with a token that SLUICE_KAFKA_PROVIDER gives, or
# SLUICE_KAFKA_SAFE_PROVIDER under https, to "me" with the secret "s3cret/+ &". SLUICE_KAFKA_REALM
# has tickets for the first two (empty: no KDC is installed). COMMAND may then call, for that cluster:
#
#   kafka.sh topic NAME PARTITIONS [SETTING=VALUE]...
#   kafka.sh delete TOPIC                      what it held stays on the disks, for `dump`
#   kafka.sh quota CLIENT_ID BYTES             per second and broker; 0: none
#   kafka.sh produce TOPIC CODEC [SEPARATOR]   lines of stdin, by the console producer
#   kafka.sh consume TOPIC COUNT [SEPARATOR]   "Partition:N", key, value, by the console consumer
#   kafka.sh member GROUP TOPIC [SETTING=VALUE]...   the console consumer in a group; takes signals
#   kafka.sh offsets TOPIC                     "partition end-offset" lines
#   kafka.sh count TOPIC                       the sum of the end offsets
#   kafka.sh dump NODE TOPIC [ARG]...          the log on the disk of one node, DumpLogSegments
#   kafka.sh tool CLASS [ARG]...               any other program in the jars
#   kafka.sh leader TOPIC PARTITION            the node that leads it
#   kafka.sh await-sync TOPIC                  until all three replicas are in sync
#   kafka.sh kill NODE, stop NODE              SIGKILL; SIGTERM, and wait until it is gone
#   kafka.sh restart NODE                      start again and wait until it serves
#   kafka.sh freeze [NODE]..., thaw [NODE]...  SIGSTOP and SIGCONT; all nodes when none is named
#
# The scratch folder of `run` is removed if COMMAND succeeds or is interrupted, and kept and named
# if it fails. The cache is $SLUICE_KAFKA_CACHE, else ${XDG_CACHE_HOME:-~/.cache}/sluice.

set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/fetch.sh"
. "$here/cluster.sh"
. "$here/tools.sh"
. "$here/../kdc/kdc.sh"

usage() {
    sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

# watch FOLDER PID: stops the cluster when the process that started it is gone without having done
# so: a SIGKILL cannot be trapped. In a session of its own, for the same reason as the nodes.
watch() {
    setsid "${BASH_SOURCE[0]}" watch "$1" "$2" </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- &
    watcher=$!
}

# finish STATUS: the one way out of `run`. What a failed command left is kept, not what an
# interrupted one did.
finish() {
    trap '' EXIT HUP INT TERM
    [ -n "$command_pid" ] && kill "$command_pid" 2>/dev/null && wait "$command_pid" 2>/dev/null
    kafka_stop "$folder"
    [ -n "$watcher" ] && kill -- "-$watcher" 2>/dev/null
    if [ "$1" -eq 0 ] || [ "$1" -ge 128 ]; then
        rm -rf "$folder"
    else
        echo "kafka: the nodes' logs and data are kept in $folder" >&2
    fi
    exit "$1"
}

run() {
    [ $# -ge 2 ] || usage
    local wanted=$1 status=0
    shift
    version=$(kafka_fetch "$wanted") || exit 1
    folder=$(mktemp -d "${TMPDIR:-/tmp}/sluice-kafka.XXXXXX") || exit 1
    command_pid= watcher=
    trap 'finish $?' EXIT
    trap 'finish 129' HUP
    trap 'finish 130' INT
    trap 'finish 143' TERM

    watch "$folder" $$
    kafka_create "$folder" "$version" || finish 1
    . "$folder/cluster.conf"
    kafka_start "$folder" || finish 1
    export SLUICE_KAFKA=$here/kafka.sh SLUICE_KAFKA_DIR=$folder
    export SLUICE_KAFKA_VERSION=$version SLUICE_KAFKA_BOOTSTRAP=$bootstrap
    export SLUICE_KAFKA_LOGIN=$login SLUICE_KAFKA_OIDC=$oidc SLUICE_KAFKA_SAFE_OIDC=$safe_oidc
    export SLUICE_KAFKA_PROVIDER=$provider SLUICE_KAFKA_SAFE_PROVIDER=$safe_provider
    export SLUICE_KAFKA_PROXIED=$proxied SLUICE_KAFKA_ROUTES=$routes
    export SLUICE_KAFKA_REALM=$realm
    export SLUICE_KAFKA_TLS=$tls SLUICE_KAFKA_MTLS=$mtls SLUICE_KAFKA_SAFE=$safe
    # In the background, because a trap only runs once the command in front of the shell has ended.
    "$@" <&0 &
    command_pid=$!
    wait "$command_pid" || status=$?
    command_pid=
    finish "$status"
}

# signal_each SIGNAL [NODE]...: signals the named nodes, or all of them.
signal_each() {
    local signal=$1 node status=0
    shift
    [ $# -gt 0 ] || set -- $kafka_nodes
    for node in "$@"; do kafka_signal "$folder" "$node" "$signal" || status=1; done
    return $status
}

verb=${1-}
[ $# -gt 0 ] && shift
case $verb in
    fetch)
        [ $# -eq 1 ] || usage
        kafka_fetch "$1"
        exit
        ;;
    run) run "$@" ;;
    watch)
        while kill -0 "$2" 2>/dev/null; do sleep 2; done
        kafka_stop "$1"
        exit
        ;;
esac

folder=${SLUICE_KAFKA_DIR-}
[ -n "$verb" ] || usage
if [ ! -r "$folder/cluster.conf" ]; then
    echo "kafka.sh: $verb works inside \`kafka.sh run\` only: SLUICE_KAFKA_DIR names no cluster" >&2
    exit 2
fi
. "$folder/cluster.conf"
case $verb in
    topic | delete | quota | produce | consume | member | offsets | count | dump | tool | leader | restart)
        "kafka_$verb" "$folder" "$@"
        ;;
    stop) kafka_stop_node "$folder" "$@" ;;
    await-sync) kafka_await_sync "$folder" "$@" ;;
    kill) signal_each KILL "${1:?which node}" ;;
    freeze) signal_each STOP "$@" ;;
    thaw) signal_each CONT "$@" ;;
    *) usage ;;
esac
