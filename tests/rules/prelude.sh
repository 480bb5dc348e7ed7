# Read by every bash of a live case (BASH_ENV), but not by one that is called sh. $D: the test's
# directory; $CONTAINER: set in one; $BASH_KIND: which bash to use.

# run NAME ARG...: a program of that name, which stays until its input ends
run() {
    local name=$1
    shift
    [ -e "$D/bin/$name" ] || ln "$D/stand-in" "$D/bin/$name" 2>/dev/null
    "$D/bin/$name" "$@"
}

# as NAME SCRIPT: a program of that name that does what the script says
as() {
    linked "$1"
    "$D/sh-$BASH_KIND/$1" -c "$2"
}

# linked NAME: makes the shell of that name, $D/sh-$BASH_KIND/NAME
linked() {
    [ -e "$D/sh-$BASH_KIND/$1" ] || ln "$D/$BASH_KIND" "$D/sh-$BASH_KIND/$1" 2>/dev/null
}

# reader NAME FILE: a program of that name that opens the file for reading and stays
reader() {
    as "$1" "exec 3<$2; read -r _"
}

# writer NAME FILE: the same for appending; nothing is written, and a new file is removed later
writer() {
    prepare "$2"
    as "$1" "exec 3>>$2; read -r _"
}

hold() {
    read -r _
}

# prepare FILE: makes its directory, and notes what the test has to remove
prepare() {
    directory "${1%/*}"
    [ -e "$1" ] || note "$1"
}

# secret FILE: makes a file to be read; its making isn't the case's doing
secret() {
    prepare "$1"
    [ -e "$1" ] || EYAS_CASE=preparation /bin/bash -c ': >"$0"' "$1"
}

directory() {
    [ -z "$1" ] || [ -d "$1" ] && return
    directory "${1%/*}"
    mkdir "$1" 2>/dev/null && note "$1"
}

note() {
    [ -n "$CONTAINER" ] || echo "$1" >>"$D/made"
}
