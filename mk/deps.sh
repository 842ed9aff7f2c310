#!/bin/sh
# Sees to it that what sluice needs is on this machine (mk/deps.txt has the list).
#
#   sh mk/deps.sh [--check] GROUP...
#
# Silent and quick when nothing is missing. Otherwise it installs the missing packages with the
# system's package manager, as root or through sudo; where it can't, and always with --check, it
# prints the command to type and exits with 1.
set -u
here=$(dirname "$0")
check_only=no
if [ "${1:-}" = --check ]; then
    check_only=yes
    shift
fi
groups=" $* "

# Is this thing here? $1 kind, $2 name.
is_present() {
    case $1 in
    cmd) command -v "$2" >/dev/null 2>&1 ;;
    pc) ${PKG_CONFIG:-pkg-config} --exists "$2" 2>/dev/null ;;
    run) $(echo "$2" | tr '+' ' ') >/dev/null 2>&1 ;;
    file)
        # shellcheck disable=SC2046  # patterns
        for found in $(echo "$2" | tr '+' ' '); do [ -e "$found" ] && return 0; done
        return 1
        ;;
    try)
        probe=$(mktemp -d) || return 1
        echo 'int main(void) { return 0; }' >"$probe/probe.c"
        # shellcheck disable=SC2046  # the words of the command line
        $(echo "$2" | tr '+' ' ') "$probe/probe.c" -o "$probe/probe" >"$probe/out" 2>&1
        tried=$?
        rm -rf "$probe"
        return $tried
        ;;
    *)
        echo "mk/deps.txt: unknown kind '$1'" >&2
        exit 1
        ;;
    esac
}

# Names what is missing of the groups: lines "NAME PACKAGE" with the package for manager column $1.
list_missing() {
    while read -r group kind name apt dnf pacman apk brew; do
        case $group in '#'* | '') continue ;; esac
        case $groups in *" $group "*) ;; *) continue ;; esac
        is_present "$kind" "$name" && continue
        case $1 in
        apt-get) package=$apt ;;
        dnf) package=$dnf ;;
        pacman) package=$pacman ;;
        apk) package=$apk ;;
        brew) package=$brew ;;
        *) package=- ;;
        esac
        echo "$name $package"
    done <"$here/deps.txt"
}

find_manager() {
    for manager in apt-get dnf pacman apk brew; do
        command -v "$manager" >/dev/null 2>&1 && echo "$manager" && return
    done
    echo none
}

manager=$(find_manager)
missing=$(list_missing "$manager")
[ -z "$missing" ] && exit 0

names=$(echo "$missing" | awk '{ printf "%s%s", sep, $1; sep = " " }' | tr '+' '_')
packages=$(echo "$missing" | awk '$2 != "-" && !seen[$2]++ { printf "%s%s", sep, $2; sep = " " }')
case $manager in
apt-get) install="apt-get install -y --no-install-recommends $packages" ;;
dnf) install="dnf install -y $packages" ;;
pacman) install="pacman -S --needed --noconfirm $packages" ;;
apk) install="apk add $packages" ;;
brew) install="brew install $packages" ;;
none) install= ;;
esac
if [ -z "$packages" ] || [ -z "$install" ]; then
    echo "sluice needs, and this machine lacks: $names" >&2
    echo "No package manager that mk/deps.txt knows offers them here; install them by hand." >&2
    exit 1
fi

as_root=
if [ "$manager" != brew ] && [ "$(id -u)" -ne 0 ]; then
    as_root=sudo
    # Without a terminal sudo can't ask for a password; then only one that needs none will do.
    if ! command -v sudo >/dev/null 2>&1 || { [ ! -t 0 ] && ! sudo -n true 2>/dev/null; }; then
        check_only=yes
    fi
fi
if [ "$check_only" = yes ]; then
    echo "sluice needs, and this machine lacks: $names" >&2
    echo "Install with: ${as_root:+$as_root }$install" >&2
    exit 1
fi

echo "sluice needs, and this machine lacks: $names"
echo "+ ${as_root:+$as_root }$install"
# A fresh image has no package lists, and old lists name packages that are gone.
[ "$manager" = apt-get ] && $as_root apt-get update -q
# shellcheck disable=SC2086  # a command line
$as_root env DEBIAN_FRONTEND=noninteractive $install || {
    echo "That failed. Install by hand, then try again: ${as_root:+$as_root }$install" >&2
    exit 1
}
still=$(list_missing "$manager")
[ -z "$still" ] && exit 0
echo "Still missing after the installation: $(echo "$still" | awk '{ printf "%s ", $1 }')" >&2
exit 1
