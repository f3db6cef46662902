# SPDX-License-Identifier: MIT
#
# Hold what src/README.md says of the way the source is written, as far as it can be seen line by
# line: awk -f tools/dialect.awk FILE... (pointers.awk sees the rest)

BEGIN {
    FILE_LINES = 450
    FUNCTION_LINES = 60
}

function complain(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    failed = 1
}

function end_of_file() {
    if (is_source && lines > FILE_LINES) {
        printf "%s: %d lines, and a file has at most %d\n", name, lines, FILE_LINES
        failed = 1
    }
}

FNR == 1 {
    end_of_file()
    name = FILENAME
    is_source = FILENAME ~ /^(src|tools)\//
    body = 0
}

{ lines = FNR }

/^\{/ { body = FNR }

/^\}/ {
    if (is_source && body > 0 && FNR - body - 1 > FUNCTION_LINES)
        complain("a function of " FNR - body - 1 " lines, and " FUNCTION_LINES " are allowed")
    body = 0
}

/(^|[^A-Za-z0-9_])sizeof [A-Za-z_*]/ { complain("sizeof takes parentheses: sizeof(x)") }

/err\) < 0/ {
    complain("a result of 0 or -1 is compared != 0; keep one of more values in a variable first")
}

/(scanf|strto[a-z]+|ato[a-z]+|strlen|strdup|strn?str|strr?chr)\(\((const )?char \*\)/ {
    complain("bytes are no text: this would read on to a NUL that need not be there")
}

/^\/\* ?[-=][-=][-=]/ { complain("a comment marks a section: files and functions have names") }

/TODO|FIXME|XXX:/ { complain("an issue, or done, but no TODO") }

END {
    end_of_file()
    exit failed
}
