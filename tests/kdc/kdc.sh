#!/usr/bin/env bash
#
# A Kerberos realm of the tests' own on loopback: MIT's KDC in a scratch folder. Sourced by those who
# keep one for longer, or
#
#   kdc.sh run COMMAND [ARG]...    runs COMMAND beside one, and ends it
#   kdc.sh missing                 names what is not installed here; nothing: it can be run
#
# The realm is SLUICE.TEST. The folder, which every function takes first, holds
#
#   krb5.conf         for KRB5_CONFIG, or Java's java.security.krb5.conf
#   kdc.conf, kdc/    the KDC's own, its process id and its log
#   broker.keytab     of kafka/127.0.0.1 and kafka/localhost
#   client.keytab     of client and of other
#   stale.keytab      of client, with a key that is no longer its own
#
# COMMAND finds the folder as SLUICE_KDC_DIR, and KRB5_CONFIG. KDC_LIFETIME says how long tickets last.
# Nothing outside of the folder is read or written: neither a keytab nor a cache of the machine's.

kdc_realm=SLUICE.TEST
kdc_limit=10 # seconds until it answers

kdc_path() {
    local kegs=/opt/homebrew/opt/krb5/sbin:/usr/local/opt/krb5/sbin
    PATH=$PATH:/usr/sbin:/sbin:$kegs command -v "$1"
}

kdc_missing() {
    local name
    for name in krb5kdc kdb5_util kadmin.local kinit; do
        kdc_path "$name" >/dev/null || printf '%s ' "$name"
    done
}

# kdc_write_config FOLDER PORT: for clients, brokers and the KDC.
kdc_write_config() {
    cat >"$1/krb5.conf" <<END
[libdefaults]
    default_realm = $kdc_realm
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    udp_preference_limit = 1
    ticket_lifetime = ${KDC_LIFETIME:-3600}
    default_ccache_name = FILE:$1/nobody.ccache
    default_client_keytab_name = FILE:$1/nobody.keytab
    default_keytab_name = FILE:$1/broker.keytab
[realms]
    $kdc_realm = {
        kdc = 127.0.0.1:$2
    }
[domain_realm]
    localhost = $kdc_realm
    127.0.0.1 = $kdc_realm
END
    cat >"$1/kdc.conf" <<END
[kdcdefaults]
    kdc_listen = ""
    kdc_tcp_listen = 127.0.0.1:$2
[realms]
    $kdc_realm = {
        database_name = $1/kdc/principal
        key_stash_file = $1/kdc/stash
        acl_file = $1/kdc/acl
        max_life = 1h
        supported_enctypes = aes256-cts-hmac-sha1-96:normal
    }
[logging]
    kdc = FILE:$1/kdc/log
END
}

# kdc_create FOLDER PORT: the realm, its principals and their keytabs.
kdc_create() {
    local admin
    mkdir "$1/kdc"
    kdc_write_config "$1" "$2"
    export KRB5_CONFIG=$1/krb5.conf KRB5_KDC_PROFILE=$1/kdc.conf
    admin=$(kdc_path kadmin.local)
    {
        "$(kdc_path kdb5_util)" create -s -r "$kdc_realm" -P "$(head -c 18 /dev/urandom | base64)" &&
            "$admin" -r "$kdc_realm" <<END
addprinc -randkey kafka/127.0.0.1
addprinc -randkey kafka/localhost
addprinc -randkey client
addprinc -randkey other
ktadd -k $1/broker.keytab kafka/127.0.0.1 kafka/localhost
ktadd -k $1/stale.keytab client
ktadd -k $1/client.keytab client other
END
    } >"$1/kdc/made" 2>&1
    if [ ! -s "$1/client.keytab" ] || [ ! -s "$1/broker.keytab" ]; then
        echo "kdc: the realm could not be made: $(cat "$1/kdc/made")" >&2
        return 1
    fi
}

# kdc_start FOLDER PORT: and waits until it answers. It ends with kdc_stop.
kdc_start() {
    local deadline=$((SECONDS + kdc_limit))
    KRB5_CONFIG=$1/krb5.conf KRB5_KDC_PROFILE=$1/kdc.conf \
        "$(kdc_path krb5kdc)" -n -P "$1/kdc/pid" </dev/null >"$1/kdc/out" 2>&1 &
    disown
    until (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "kdc: it does not answer: $(cat "$1/kdc/out" "$1/kdc/log" 2>/dev/null)" >&2
            return 1
        fi
        sleep 0.05
    done
}

# kdc_pid FOLDER: of the KDC that was started there, as long as it runs.
kdc_pid() {
    local pid
    pid=$(cat "$1/kdc/pid" 2>/dev/null) || return 1
    case $(ps -o args= -p "$pid" 2>/dev/null) in
        *"krb5kdc -n -P $1/kdc/pid"*) echo "$pid" ;;
        *) return 1 ;;
    esac
}

kdc_stop() {
    local pid
    # One that a test has frozen has to go on for that.
    pid=$(kdc_pid "$1") && kill "$pid" && kill -CONT "$pid" 2>/dev/null
    return 0
}

# The folder outlives the function, for the trap.
kdc_run() {
    local port status=0
    folder=$(mktemp -d "${TMPDIR:-/tmp}/sluice-kdc.XXXXXX") || return 1
    trap 'kdc_stop "$folder"; rm -rf "$folder"' EXIT
    # Below the ports of outgoing connections, so that none of them takes it meanwhile.
    port=$((20000 + RANDOM % 12000))
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((20000 + RANDOM % 12000)); done
    kdc_create "$folder" "$port" && kdc_start "$folder" "$port" || return 1
    export SLUICE_KDC_DIR=$folder
    "$@" || status=$?
    return $status
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    verb=${1-}
    [ $# -gt 0 ] && shift
    case $verb in
        run) kdc_run "$@" ;;
        missing) kdc_missing ;;
        *)
            sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
            exit 2
            ;;
    esac
fi
