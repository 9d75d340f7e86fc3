# SPDX-License-Identifier: Apache-2.0
# Programs that stay alive and work in turn, a round each; sourced, not run. The other end, and what
# is said between them: rounds.h.
#
#     rounds_begin                       once
#     rounds_start SLOT COMMAND...       SLOT 1 to 3; its first line is then in $rounds_said
#     rounds_ask SLOT COUNT              milliseconds for COUNT pieces of work are then in $rounds_said
#     rounds_count SLOT MILLISECONDS     how many pieces fill a round of that length (at least 1)
#     rounds_stop SLOT
#
# A slot's pipes are file descriptors 3 and 4, 5 and 6, 7 and 8, because POSIX shells name no others.
rounds_said=

rounds_begin() {
    rounds_pipes=$(mktemp -d)
    rounds_pid_1='' rounds_pid_2='' rounds_pid_3=''
    trap 'rounds_end' EXIT
    trap 'exit 1' INT TERM
}

rounds_end() {
    for slot in 1 2 3; do
        eval "pid=\$rounds_pid_$slot"
        [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    done
    rm -rf "$rounds_pipes"
}

rounds_start() {
    slot=$1
    shift
    to=$rounds_pipes/$slot.to from=$rounds_pipes/$slot.from
    rm -f "$to" "$from"
    mkfifo "$to" "$from"
    # Without the other programs' pipes: a pipe ends when its last holder lets go.
    (exec 3>&- 4<&- 5>&- 6<&- 7>&- 8<&-; exec "$@" <"$to" >"$from") &
    eval "rounds_pid_$slot=$!"
    case $slot in
    1) exec 3>"$to" 4<"$from" ;;
    2) exec 5>"$to" 6<"$from" ;;
    3) exec 7>"$to" 8<"$from" ;;
    esac
    rounds_hear "$slot" || {
        rounds_stop "$slot"
        return 1
    }
}

rounds_hear() {
    case $1 in
    1) read -r rounds_said <&4 ;;
    2) read -r rounds_said <&6 ;;
    3) read -r rounds_said <&8 ;;
    esac
}

rounds_ask() {
    case $1 in
    1) echo "$2" >&3 ;;
    2) echo "$2" >&5 ;;
    3) echo "$2" >&7 ;;
    esac
    rounds_hear "$1" || fail "a program ended in the middle of a measurement"
}

rounds_stop() {
    case $1 in
    1) exec 3>&- 4<&- ;;
    2) exec 5>&- 6<&- ;;
    3) exec 7>&- 8<&- ;;
    esac
    eval "pid=\$rounds_pid_$1 rounds_pid_$1="
    wait "$pid" || true
}

# A first piece warms up, the second tells how long one takes; long ones are not repeated.
rounds_count() {
    rounds_ask "$1" 1
    rounds_ask "$1" 1
    rounds_said=$(awk -v one="$rounds_said" -v all="$2" \
        'BEGIN { n = one > 0 ? int(all / one + 0.5) : 1; print n < 1 ? 1 : n }')
}
