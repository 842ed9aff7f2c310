# Gets a released Apache Kafka with Maven. Sourced by kafka.sh, which sets `here`.
#
# The jars of the broker, of its command line tools and of a logger go into one folder per version,
# outside the tree: $SLUICE_KAFKA_CACHE, else ${XDG_CACHE_HOME:-$HOME/.cache}/sluice. A folder
# appears under its final name only when it is complete, so an interrupted download is never used.
#
#   kafka-4.3.0/*.jar     the jars of that version
#   newest-4, newest-3.9  the version that the series resolved to, asked again after a week
#   maven/                Maven's own repository, for Maven alone
#
# Series and versions: "newest" is the newest 4.x whose artifacts all resolve (a release is listed
# before every artifact of it is), "3.9" the newest 3.9.x, and "4.2.1" exactly that.

kafka_cache=${SLUICE_KAFKA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice}

# How many of the newest listed releases of a series are tried before giving up.
kafka_tries=5

# kafka_write_pom VERSION FILE: what to resolve; VERSION may be a range.
#
# The logger of the 3.x jars is left out: with two of them on the class path SLF4J takes either.
kafka_write_pom() {
    local artifact
    {
        echo '<project><modelVersion>4.0.0</modelVersion><groupId>sluice</groupId>'
        echo '<artifactId>kafka-under-test</artifactId><version>1</version>'
        echo '<packaging>pom</packaging>'
        echo '<dependencies>'
        for artifact in kafka_2.13 kafka-tools; do
            echo "<dependency><groupId>org.apache.kafka</groupId><artifactId>$artifact</artifactId>"
            echo "<version>$1</version><exclusions><exclusion><groupId>org.slf4j</groupId>"
            echo '<artifactId>slf4j-reload4j</artifactId></exclusion></exclusions></dependency>'
        done
        echo '<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId>'
        echo '<version>1.7.36</version></dependency>'
        echo '</dependencies></project>'
    } >"$2"
}

# kafka_copy_jars VERSION FOLDER: resolves VERSION and puts its jars into FOLDER.
kafka_copy_jars() {
    local pom=$kafka_cache/maven/pom-$$.xml rv=0
    mkdir -p "$kafka_cache/maven"
    kafka_write_pom "$1" "$pom"
    mvn -B -q -f "$pom" -Dmaven.repo.local="$kafka_cache/maven/repository" \
        dependency:copy-dependencies -DoutputDirectory="$2" \
        >"$kafka_cache/maven/last.log" 2>&1 </dev/null || rv=$?
    rm -f "$pom"
    return $rv
}

# kafka_get VERSION: true when the jars of exactly VERSION are in the cache, downloading if need be.
kafka_get() {
    local folder=$kafka_cache/kafka-$1 partial=$kafka_cache/.kafka-$1-$$
    [ -d "$folder" ] && return 0
    echo "kafka: fetching Apache Kafka $1 into $folder" >&2
    if kafka_copy_jars "$1" "$partial" && [ -e "$partial/kafka_2.13-$1.jar" ]; then
        # Another run may have been faster; then its folder is as good as this one.
        mv -T "$partial" "$folder" 2>/dev/null || rm -rf "$partial"
        return 0
    fi
    rm -rf "$partial"
    return 1
}

# kafka_listed SERIES: the released versions of a series ("4" or "3.9"), newest first.
#
# Resolving a range makes Maven fetch the list of versions, whether the range resolves or not.
kafka_listed() {
    local scrap=$kafka_cache/.range-$$
    local list=$kafka_cache/maven/repository/org/apache/kafka/kafka_2.13
    rm -f "$list"/maven-metadata-*.xml
    kafka_copy_jars "[$1.0,$1.9999)" "$scrap" || true
    rm -rf "$scrap"
    cat "$list"/maven-metadata-*.xml 2>/dev/null |
        sed -n "s|.*<version>\($1\.[0-9.]*\)</version>.*|\1|p" | sort -u -V -r
}

# kafka_newest SERIES: prints the newest version of a series that is or gets into the cache.
kafka_newest() {
    local series=$1 note=$kafka_cache/newest-$1 version
    if [ -n "$(find "$note" -mtime -7 2>/dev/null)" ] &&
        [ -d "$kafka_cache/kafka-$(cat "$note")" ]; then
        cat "$note"
        return 0
    fi
    for version in $(kafka_listed "$series" | head -n "$kafka_tries"); do
        if kafka_get "$version"; then
            echo "$version" >"$note"
            cat "$note"
            return 0
        fi
        echo "kafka: $version is listed but does not resolve, trying the one before it" >&2
    done
    # Without a list (no network), what was fetched before is better than nothing.
    version=$(find "$kafka_cache" -maxdepth 1 -name "kafka-$series.*" -printf '%f\n' 2>/dev/null |
        sed 's/^kafka-//' | sort -V -r | head -n 1)
    if [ -z "$version" ]; then
        echo "kafka: no version of the $series series could be fetched; Maven said:" >&2
        tail -n 5 "$kafka_cache/maven/last.log" >&2
        return 1
    fi
    echo "$version"
}

# kafka_fetch newest|3.9|VERSION: prints the version that is now in the cache. Java, Maven and kcat
# are installed first where they are missing.
kafka_fetch() {
    mkdir -p "$kafka_cache" || return 1
    sh "$here/../../mk/deps.sh" test kafka >&2 || return 1
    case $1 in
        newest) kafka_newest 4 ;;
        [0-9].[0-9] | [0-9].[0-9][0-9]) kafka_newest "$1" ;;
        *)
            if ! kafka_get "$1"; then
                echo "kafka: version $1 could not be fetched; Maven said:" >&2
                tail -n 5 "$kafka_cache/maven/last.log" >&2
                return 1
            fi
            echo "$1"
            ;;
    esac
}
