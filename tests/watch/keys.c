/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "config/keys.h"

/* What the table of keys says, as tools/share and the README have to have it:
 * build/watch/keys man|example|names|defaults */
int main(int argc, char **argv)
{
    struct buf text = {0};
    const char *what = argc == 2 ? argv[1] : "";
    if (strcmp(what, "man") == 0)
        config_append_manual(&text);
    else if (strcmp(what, "example") == 0)
        config_append_example(&text);
    for (size_t i = 0; i < config_key_count && strcmp(what, "names") == 0; i++)
        buf_printf(&text, "%s\n", config_keys[i].path);
    for (size_t i = 0; i < config_key_count && strcmp(what, "defaults") == 0; i++)
        buf_printf(&text, "%s\t%s\n", config_keys[i].path, config_keys[i].initial);
    (void)fwrite(text.data, 1, text.len, stdout); /* who reads it sees what is missing */
    buf_free(&text);
    return 0;
}
