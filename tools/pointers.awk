# SPDX-License-Identifier: MIT
#
# Where a pointer is taken for a truth value (`!p`, `if (p)`, `p && ...`), of the syntax tree that
# `clang -Xclang -ast-dump` prints: the source says `p == NULL` and `p != NULL`. Files below src/,
# tests/ and tools/ only. Set no_fail=1 to be told and no more.
#
# Each line of the tree is a node: its depth in the bars in front, its place in <>, its type in ''.
# A place names the file or the line only where it is another one than before.

function complain(    at) {
    at = file ":" line ":" column
    if (file ~ /^(src|tests|tools)\// && !(at in told)) {
        told[at] = 1
        printf "%s: a pointer is compared with NULL, not taken for a truth value\n", at
        failed = 1
    }
}

# Follow the place: "<file:line:column, ...>", "<line:N:M, ...>", "<col:N, ...>". The end of the
# range and the name behind it move on too.
function follow(text,    n, parts, i, begin) {
    column = 0
    n = split(text, parts, /[<>, ]+/)
    for (i = 1; i <= n; i++) {
        if (parts[i] ~ /^line:[0-9]+:[0-9]+$/) {
            split(parts[i], begin, ":")
            last_line = begin[2]
            if (column == 0) { line = last_line; file = last_file; column = begin[3] }
        } else if (parts[i] ~ /^col:[0-9]+$/) {
            split(parts[i], begin, ":")
            if (column == 0) { line = last_line; file = last_file; column = begin[2] }
        } else if (parts[i] ~ /^[^:]+\.[ch]:[0-9]+:[0-9]+$/) {
            split(parts[i], begin, ":")
            last_file = begin[1]
            last_line = begin[2]
            if (column == 0) { line = last_line; file = last_file; column = begin[3] }
        }
    }
}

function is_pointer(text,    type) {
    if (!match(text, /'[^']*'/))
        return 0
    type = substr(text, RSTART + 1, RLENGTH - 2)
    return type ~ /\*( ?const| ?restrict| ?volatile)*$/
}

{
    match($0, /^[ |`-]*/)
    depth = RLENGTH / 2
    node = substr($0, RLENGTH + 1)
    kind = node
    sub(/ .*/, "", kind)
    place = ""
    if (match(node, /<[^>]*>+( (line|col):[0-9]+(:[0-9]+)?)?/))
        place = substr(node, RSTART, RLENGTH)
    rest = substr(node, RSTART + RLENGTH)
    if (place ~ /[0-9]/)
        follow(place)
    kinds[depth] = kind
    nodes[depth] = rest
    nth[depth]++
    nth[depth + 1] = 0
    if (depth == 0 || kind !~ /Expr$|Operator$/ || kind == "")
        next
    above = kinds[depth - 1]
    if (is_pointer(rest)) {
        if (above == "IfStmt" || above == "WhileStmt" || above == "ConditionalOperator")
            if (nth[depth] == 1) complain()
        if (above == "ForStmt" && nth[depth] == 3) complain()
        if (above == "DoStmt" && nth[depth] == 2) complain()
        if (above == "BinaryOperator" && nodes[depth - 1] ~ /'(&&|\|\|)'/) complain()
        if (above == "UnaryOperator" && nodes[depth - 1] ~ /prefix '!'/) complain()
        if (above == "ImplicitCastExpr" && nodes[depth - 1] ~ /<PointerToBoolean>/) complain()
    }
}

END { exit failed && !no_fail }
