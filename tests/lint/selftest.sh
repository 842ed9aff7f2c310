#!/bin/sh
# Each check of this folder is tried: on a small clean tree it must be silent, and with one fault
# planted in that tree it must fail and name the fault.
set -u
# The real lint wants objects of the real tree; this one makes its own, and no settings come along.
unset BUILD MAKEFLAGS MAKELEVEL GIT_DIR
root=$(pwd)
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
passed=0
failed=0

# A clean tree of one file or two a folder, with the checks and their lists, and its objects.
make_tree() {
    rm -rf "$scratch/tree"
    mkdir -p "$scratch/tree/tests/abi" "$scratch/tree/mk" "$scratch/tree/include/sluice"
    cd "$scratch/tree" || exit 1
    cp -r "$root/tests/lint" tests/lint
    cp "$root/mk/layers.awk" mk/
    cp "$root/.clang-format" .
    echo 'ceiling 1' >tests/lint/ratchet.txt
    : >tests/lint/tables.txt
    for folder in base wire core driver api; do mkdir -p lib/$folder; done
    mkdir -p lib/wire/messages tests/unit
    echo 'int main(void) { return 0; }' >tests/unit/base_text_test.c
    printf 'base:\nwire: base\ncore: base wire\ndriver: base core\napi: base core driver\n' \
        >lib/layers.txt
    cp "$root/lib/sluice.map" lib/
    cat >include/sluice/sluice.h <<'END'
#ifndef SLUICE_SLUICE_H
#define SLUICE_SLUICE_H
#ifdef __cplusplus
extern "C" {
#endif

typedef void (*sluice_callback)(void *user);

/* Does a thing.
 *
 * Returns 0.
 * Thread: any.  Since: 0.1 */
__attribute__((visibility("default"))) int sluice_do(int thing);

/* Forgets a thing.
 *
 * Thread: any.  Since: 0.1 */
__attribute__((visibility("default"))) void sluice_forget(int thing);

#ifdef __cplusplus
}
#endif
#endif
END
    echo '/* Codes. */' >include/sluice/error.h
    header base/text.h 'int sl_text_length(const char *text);'
    cat >lib/base/text.c <<'END'
#include "base/text.h"

#include <string.h>

int sl_text_length(const char *text) { return (int)strlen(text); }
END
    header core/link.h 'int sl_link_count(void);'
    cat >lib/core/link.c <<'END'
#include "core/link.h"

#include "base/text.h"
#include "sluice/error.h"

static int count_links(void) {
    return sl_text_length("malloc(1) is only a word here, as is time(");
}

int sl_link_count(void) { return count_links(); }
END
    header driver/inbox.h 'int sl_inbox_room(void);'
    cat >lib/driver/inbox.c <<'END'
#include "driver/inbox.h"

#include <pthread.h>

static pthread_mutex_t inbox_lock = PTHREAD_MUTEX_INITIALIZER;

int sl_inbox_room(void) {
    pthread_mutex_lock(&inbox_lock);
    return pthread_mutex_unlock(&inbox_lock);
}
END
    cat >lib/api/do.c <<'END'
#include "core/link.h"
#include "sluice/sluice.h"

int sluice_do(int thing) { return thing + sl_link_count(); }

void sluice_forget(int thing) { (void)thing; }
END
    header wire/messages/00_produce.h 'struct sl_produce {
    int acks;
};'
    echo '#include "wire/messages/00_produce.h"' >lib/wire/messages/00_produce.c
    # What message_fields.awk looks at is a matter of its own; here it only has to be called.
    echo '/wrong_order/ { bad = 1; print "wrong order" } END { exit bad }' >tests/lint/message_fields.awk
    printf 'sluice_do\nsluice_forget\n' >tests/abi/symbols.txt
}

# $1 path below lib, $2 its text.
header() {
    guard=SL_$(echo "$1" | tr 'a-z/.' 'A-Z__')
    printf '#ifndef %s\n#define %s\n\n%s\n\n#endif\n' "$guard" "$guard" "$2" >"lib/$1"
}

build_tree() {
    for source in $(find lib -name '*.c'); do
        mkdir -p "build/obj/$(dirname "$source")"
        cc -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -Iinclude -Ilib -c "$source" \
            -o "build/obj/${source%.c}.o" || exit 1
    done
    # shellcheck disable=SC2046  # a list of files
    cc -shared -Wl,--version-script=lib/sluice.map -o build/libsluice.so.0.1.0 \
        $(find build/obj -name '*.o') || exit 1
}

# $1 the check with its arguments, $2 what it must say (nothing: it must pass), $3 which fault.
expect() {
    # shellcheck disable=SC2086
    said=$(sh tests/lint/$1 2>&1)
    code=$?
    if [ -z "$2" ] && [ $code -eq 0 ] && [ -z "$said" ]; then
        passed=$((passed + 1))
    elif [ -n "$2" ] && [ $code -ne 0 ] && echo "$said" | grep -q -e "$2"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$1: ${3:-clean tree}: exit $code, wanted '${2:-silence}', said:"
        echo "$said" | sed 's/^/    /'
    fi
}

# $1 the check, $2 what it must say, $3 a file to append to, $4 the fault.
plant() {
    cp "$3" "$scratch/before" 2>/dev/null || : >"$scratch/before"
    printf '%s\n' "$4" >>"$3"
    case $1 in symbols.sh | exports.sh | names.sh) build_tree ;; esac
    expect "$1" "$2" "$4"
    cp "$scratch/before" "$3"
}

make_tree
build_tree
for check in layers.sh sizes.sh symbols.sh exports.sh unique.sh bans.sh names.sh format.sh messages.sh \
    docs.sh rules.sh wording.sh ratchet.sh 'compile.sh gcc' 'compile.sh clang'; do
    expect "$check" ''
done

plant layers.sh 'core may not include driver/inbox.h' lib/core/link.c '#include "driver/inbox.h"'
plant layers.sh 'public header sluice/sluice.h' lib/core/link.c '#include "sluice/sluice.h"'
plant layers.sh 'public header sluice/sluice.h' lib/core/link.c '#include <sluice/sluice.h>'
plant layers.sh '<pthread.h> is not for core' lib/core/link.c '#include <pthread.h>'
plant layers.sh 'by its path from lib/' lib/core/link.c '#include "link.h"'

body=$(awk 'BEGIN { for (i = 0; i < 69; i++) print "    sl_text_length(\"x\");" }')
plant sizes.sh 'grow has 71 lines of 70' lib/core/link.c "void grow(void) {
$body
}"
plant sizes.sh 'grow has 72 lines of 70' lib/core/link.c "static void grow(int a,
                 int b) {
$body
}"
plant sizes.sh '[0-9]* lines of 700' lib/core/link.c "$(awk 'BEGIN { for (i = 0; i < 700; i++) print "" ; print "//"}')"

plant symbols.sh 'core may not use getpid' lib/core/link.c 'int getpid(void); int sl_link_pid(void);
int sl_link_pid(void) { return getpid(); }'
plant symbols.sh 'core uses sl_inbox_room of driver' lib/core/link.c 'int sl_inbox_room(void);
int sl_link_room(void); int sl_link_room(void) { return sl_inbox_room(); }'
plant symbols.sh 'sl_nowhere is defined nowhere' lib/core/link.c 'int sl_nowhere(void);
int sl_link_x(void); int sl_link_x(void) { return sl_nowhere(); }'
build_tree

plant exports.sh 'exported and not listed.*sluice_extra' lib/api/do.c \
    '__attribute__((visibility("default"))) int sluice_extra(void); int sluice_extra(void) { return 0; }'
build_tree
plant exports.sh 'no longer exported: sluice_gone' tests/abi/symbols.txt sluice_gone

plant unique.sh 'count_links is defined in' lib/base/text.c 'static int count_links(void) { return 1; }'
plant unique.sh 'count_links is defined in' lib/base/text.c '#define count_links 1'
plant unique.sh 'count_links is defined in' lib/base/text.c 'enum { count_links };'
plant unique.sh 'sl_produce is defined in' lib/base/text.h 'struct sl_produce { int x; };'
plant unique.sh 'inbox_lock is defined in' lib/base/text.c 'static int inbox_lock;'

for call in 'free(x)' 'malloc (1)' 'time(0)' 'clock_gettime(0, 0)' 'getrandom(0, 0, 0)' 'random()' \
    'pthread_self()' 'strcpy(x, y)' 'sprintf(x, y)' 'atoi(x)' 'assert(x)' 'exit(1)'; do
    plant bans.sh 'lib/core/link.c:1[0-9]: ' lib/core/link.c "    $(echo "$call" | sed 's/ (/(/');"
done
plant bans.sh 'three kinds of mutex' lib/driver/inbox_other.c 'static pthread_mutex_t lock;'
rm -f lib/driver/inbox_other.c
plant bans.sh 'shared words' lib/driver/inbox.c 'static _Atomic int shared;'
plant bans.sh 'unfinished' lib/core/link.c "/* T""ODO: later */"
plant bans.sh 'unfinished' tests/lint/toy.sh "# F""IXME"
rm -f tests/lint/toy.sh

# Tolerated once: silent with the fault, and a complaint when the fault is gone.
echo 'bans lib/driver/inbox.c 1 because' >>tests/lint/ratchet.txt
plant bans.sh 'shared words' lib/driver/inbox.c 'static _Atomic int one;
static _Atomic int two;'
expect bans.sh 'shrink it' 'a stale line of the ratchet'
echo 'static _Atomic int one;' >>lib/driver/inbox.c
expect bans.sh '' 'a tolerated violation'
plant ratchet.sh '2 lines, its ceiling is 1' tests/lint/ratchet.txt 'bans lib/x.c 1 because'
make_tree
if command -v git >/dev/null 2>&1; then
    git init -q . && git add tests/lint/ratchet.txt &&
        git -c user.name=x -c user.email=x@example.org -c core.hooksPath=/dev/null commit -qm x
    echo 'ceiling 2' >tests/lint/ratchet.txt
    expect ratchet.sh 'its ceiling was 1 in commit' 'a ceiling that rises'
    rm -rf .git
    echo 'ceiling 1' >tests/lint/ratchet.txt
fi

build_tree
plant names.sh 'sl_other_thing should begin with sl_link_' lib/core/link.c \
    'int sl_other_thing(void); int sl_other_thing(void) { return 0; }'
plant names.sh 'sluice_low should begin with sl_link_' lib/core/link.c \
    'int sluice_low(void); int sluice_low(void) { return 0; }'
plant names.sh 'shared_word should begin with sl_' lib/core/link.c \
    'extern int shared_word; int shared_word = 1;'

plant format.sh 'lib/core/link.c:' lib/core/link.c 'static int  y;'
plant messages.sh 'wrong order' lib/wire/messages/00_produce.c '/* wrong_order */'

# The real headers, with a constant that nobody has described and a size that is another.
if python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
    rm -rf include && cp -r "$root/include" include
    mkdir -p bindings && cp "$root/bindings/abi.py" bindings/ && python3 bindings/abi.py
    expect abi.sh ''
    plant abi.sh 'bindings/abi.json:1: not what the headers say' include/sluice/error.h 'enum { SLUICE_MORE = 7 };'
    sed -i 's/"sluice_row": {"size": 48/"sluice_row": {"size": 56/' bindings/abi.json
    expect abi.sh 'abi.json:1: .*sizeof(sluice_row)' 'another size'

    # Against a release: what may be added, and what may not change.
    python3 bindings/abi.py && cp bindings/abi.json tests/abi/release.json
    headers=include/sluice
    # since WHAT FILE SED-EXPRESSION [PATTERN]: the change is refused for PATTERN, or accepted.
    since() {
        cp "$2" kept && sed -i "$3" "$2"
        said=$(python3 bindings/abi.py --since tests/abi/release.json)
        if cmp -s kept "$2" || ! echo "$said" | grep -q -e "${4:-^$}"; then
            failed=$((failed + 1))
            echo "abi.py --since: $1: wanted '${4:-silence}', said: $said"
        else
            passed=$((passed + 1))
        fi
        mv kept "$2"
    }
    since 'a field at the end of a sized struct' $headers/types.h '/^} sluice_slice;/i int64_t more;'
    since 'a function more' $headers/config.h 's/^\/\* Frees a config;/\/* Looks. Blocks: no. *\/ SLUICE_API int sluice_more(int x);\n&/'
    since 'a constant more' $headers/error.h 's/SLUICE_CLASS_GONE /SLUICE_CLASS_MORE = 99, SLUICE_CLASS_GONE = 47 /'
    since 'a field in the middle' $headers/types.h 's/^    int64_t first_offset;/    int64_t more;\n&/' \
        'sluice_slice.first_offset is i64 at 32, was i64 at 24'
    since 'a field that is wider' $headers/types.h 's/int32_t leader_epoch;/int64_t leader_epoch;/' 'leader_epoch is i64 at'
    since 'a field that is gone' $headers/types.h '/^    int64_t high_watermark;/d' 'sluice_slice.high_watermark is gone'
    since 'an element of arrays that grows' $headers/types.h '/^} sluice_row;/i int64_t more;' \
        'sluice_row.more is new, and the struct is frozen'
    since 'a symbol that is gone' $headers/config.h '/^SLUICE_API const char .sluice_error_name/d' 'sluice_error_name is gone'
    since 'another prototype' $headers/config.h 's/sluice_error_class(int code)/sluice_error_class(int64_t code)/' \
        'sluice_error_class is called in another way'
    since 'a call that begins to block' $headers/config.h '/^\/\* What to do about a code/,/Blocks: no/s/Blocks: no/Blocks: up to a minute/' \
        'sluice_error_class did not block'
    sed -i 's/"SLUICE_ERR_BUSY": -105/"SLUICE_ERR_BUSY": -205/' tests/abi/release.json
    expect abi.sh 'release.json:1: SLUICE_ERR_BUSY is -105, was -205' 'a release with another value'
    since 'another value' $headers/error.h 's/SLUICE_ERR_BUSY = -105/SLUICE_ERR_BUSY = -305/' 'SLUICE_ERR_BUSY is -305'
    make_tree
    build_tree
fi

plant docs.sh 'sluice_bare has no comment' include/sluice/error.h '
int sluice_bare(void);'
plant docs.sh 'sluice_bare has no comment' include/sluice/error.h '/* Far away.

 * Returns 0. Thread: any. Since: 0.1 */

int sluice_bare(void);'
plant docs.sh 'lacks "Returns"' include/sluice/error.h '/* Thread: any. Since: 0.1 */
int sluice_bare(void);'
plant docs.sh 'lacks "Thread:"' include/sluice/error.h '/* Returns 0. Since: 0.1 */
int sluice_bare(void);'
plant docs.sh 'lacks "Since:"' include/sluice/error.h '/* Returns 0. Thread: any. */
int
sluice_bare(int x,
            int y);'
plant docs.sh 'the order is' include/sluice/error.h '/* Thread: any. Returns 0. Since: 0.1 */
int sluice_bare(void);'

plant rules.sh 'there is no tests/unit/base_gone_test.c' DESIGN.md '| A rule | why | `base_gone_test: it_holds` |'
plant rules.sh 'has no it_holds' DESIGN.md '| A rule | why | `base_text_test: it_holds` |'

plant wording.sh 'not for the text' README.md 'It lies in /wo''rk/main.'
plant wording.sh 'not for the text' README.md 'A sub''agent wrote it.'

for compiler in gcc clang; do
    plant "compile.sh $compiler" 'lib/core/link.c' lib/core/link.c 'char narrow(int x) { return x; }'
    plant "compile.sh $compiler" 'include/sluice/error.h' include/sluice/error.h \
        'enum sluice_e { SLUICE_NEW = 1 }; static int sluice_new(enum sluice_e *class) { return *class = 1; }'
    plant "compile.sh $compiler" 'include/sluice/error.h' include/sluice/error.h 'sluice_size_t sluice_x;'
done

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
