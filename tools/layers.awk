# SPDX-License-Identifier: MIT
#
# Hold the include table: awk -f tools/layers.awk src/README.md src/*/*.[ch] src/*/*/*.[ch]
#
# The table in src/README.md says which folder may include which. Beside it: each external header
# stays in its place, what is said to have no descriptor includes none, nobody but net/ and
# base/clock waits for the network or asks what time it is, a .c includes its own header first, and
# each file names its licence.

BEGIN {
    FS = "|"
    # External headers, and where alone they may be included.
    place["yaml.h"] = "^src/config/"
    split("error md pk psa_util ssl x509_crt", tls, " ")
    for (i in tls)
        place["mbedtls/" tls[i] ".h"] = "^src/net/tls"
    place["psa/crypto.h"] = "^src/net/tls"
    place["zstd.h"] = "^src/parquet/codec\\.c$"
    place["zstd_errors.h"] = "^src/parquet/codec\\.c$"
    clock = "^src/base/clock\\.[ch]$"
    place["sodium/crypto_sign_ed25519.h"] = "^src/nats/nkey\\.c$"
    place["sodium/utils.h"] = "^src/nats/nkey\\.c$"
    place["protobuf-c/protobuf-c.h"] = "^nowhere$" # a fuzz target's, see tools/vendor
    # Folders that get bytes and give bytes.
    pure = "^src/(nats|batch|event|parquet)/"
    descriptors = "^(unistd|fcntl|sys/(stat|uio|mman))\\.h$"
    # What a simulation must be able to replace.
    network = "^(poll|netdb|ifaddrs|sys/(socket|un|select|poll|epoll|eventfd|timerfd)|" \
              "(netinet|arpa|net)/.*)\\.h$"
    # It names kinds of sockets, to refuse the others, and opens none.
    sockets_named = "^src/base/sandbox_calls\\.c$"
    time = "^(time|sys/(time|timex))\\.h$"
    waiting = "(poll|ppoll|select|pselect|epoll_[a-z0-9_]+|eventfd|timerfd_[a-z]+|" \
              "clock_gettime|clock_nanosleep|nanosleep|u?sleep|time|gettimeofday|" \
              "pthread_cond_timedwait|sem_timedwait)"
    waiting_call = "(^|[^A-Za-z0-9_>.])" waiting "\\("
}

function complain(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    failed = 1
}

# "base, batch" or "levels 0-2" or "libc": is `to` in it?
function allows(list, to,    range, parts) {
    if (match(list, /levels [0-9]+-[0-9]+/)) {
        range = substr(list, RSTART + 7, RLENGTH - 7)
        split(range, parts, "-")
        return level[to] >= parts[1] + 0 && level[to] <= parts[2] + 0
    }
    gsub(/ /, "", list)
    return index("," list ",", "," to ",") > 0
}

# A row of the table.
FILENAME ~ /README\.md$/ {
    if ($2 ~ /^ *[0-9]+ *$/ && $3 ~ /^ *(src\/)?[a-z]+\/ *$/) {
        folder = $3
        gsub(/ |src\/|\//, "", folder)
        level[folder] = $2 + 0
        may[folder] = $5
    }
    next
}

FNR == 1 {
    split(FILENAME, path, "/")
    here = path[2]
    if (!(here in level))
        complain("src/" here "/ is not in the table of src/README.md")
    if ($0 !~ /SPDX-License-Identifier: MIT/)
        complain("the first line names no licence")
    own = FILENAME ~ /\.c$/ ? substr(FILENAME, 5, length(FILENAME) - 5) "h" : ""
    if (own != "" && (getline line < ("src/" own)) < 0)
        own = ""
    close("src/" own)
}

here != "net" && FILENAME !~ clock && $0 !~ /^ ?\*|\/\*/ && match($0, waiting_call) {
    complain(substr($0, RSTART, RLENGTH) "): ask base/clock, or let net/ wait")
}

/^[ \t]*#[ \t]*include/ {
    local = match($0, /"[^"]+"/)
    if (!local && !match($0, /<[^>]+>/))
        next
    header = substr($0, RSTART + 1, RLENGTH - 2)
    if (own != "" && header != own)
        complain("includes " header " before its own " own)
    own = ""
    if (header in place && FILENAME !~ place[header])
        complain(header " does not belong here")
    if (header ~ /\.pb-c\.h$/) {
        if (here != "event")
            complain(header " belongs in src/event/")
        next
    }
    if (FILENAME ~ pure && header ~ descriptors)
        complain(header ": " here "/ has no file descriptors")
    if (!local && header ~ network && here != "net" && FILENAME !~ sockets_named)
        complain(header ": only net/ knows the network")
    if (!local && header ~ time && FILENAME !~ clock)
        complain(header ": only base/clock knows the time")
    if (!local || header in place)
        next
    split(header, path, "/")
    to = path[1]
    if (header !~ /^[a-z]+(\/[a-z]+)?\/[a-z0-9_]+\.h$/ || !(to in level))
        complain(header " is not written from src/")
    else if (to != here && !allows(may[here], to))
        complain(here "/ may not include " header " (src/README.md)")
}

END {
    exit failed
}
