/* SPDX-License-Identifier: MIT */
#include "object/s3_xml.h"

#include <string.h>

#include "base/text.h"

struct xml {
    struct slice rest;
    char path[XML_PATH_MAX];
    size_t path_len;
    unsigned depth;
    size_t starts[XML_DEPTH_MAX];      /* in `path`, of the name of each open element */
    struct slice tags[XML_DEPTH_MAX];  /* their names with prefixes */
    struct buf texts;                  /* of all open elements, one behind the other */
    size_t text_starts[XML_DEPTH_MAX]; /* in `texts` */
    bool seen;                         /* the root has ended */
    bool enough;
    xml_visit *visit;
    void *context;
};

static int bad(const struct xml *x, struct slice document, const char *what, struct err *err)
{
    return err_set(err, ERR_PROTOCOL, "the answer is not sound XML, at byte %zu: %s",
                   document.len - x->rest.len, what);
}

static void skip(struct xml *x, size_t len)
{
    x->rest = (struct slice){x->rest.data + len, x->rest.len - len};
}

/* Behind the next `mark`; false if there is none. */
static bool skip_behind(struct xml *x, const char *mark)
{
    const uint8_t *at = memmem(x->rest.data, x->rest.len, mark, strlen(mark));
    if (at == NULL)
        return false;
    skip(x, (size_t)(at - x->rest.data) + strlen(mark));
    return true;
}

static void append_utf8(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_append_byte(out, (uint8_t)c);
    } else if (c < 0x800) {
        buf_append_byte(out, (uint8_t)(0xc0 | c >> 6));
        buf_append_byte(out, (uint8_t)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_append_byte(out, (uint8_t)(0xe0 | c >> 12));
        buf_append_byte(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        buf_append_byte(out, (uint8_t)(0x80 | (c & 0x3f)));
    } else {
        buf_append_byte(out, (uint8_t)(0xf0 | c >> 18));
        buf_append_byte(out, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
        buf_append_byte(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        buf_append_byte(out, (uint8_t)(0x80 | (c & 0x3f)));
    }
}

/* What stands between '&' and ';'. */
static bool append_entity(struct buf *out, struct slice name)
{
    static const struct {
        const char *name;
        char is;
    } entities[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
    for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++) {
        if (slice_is(name, entities[i].name)) {
            buf_append_byte(out, (uint8_t)entities[i].is);
            return true;
        }
    }
    if (name.len < 2 || name.data[0] != '#')
        return false;
    bool hex = name.data[1] == 'x';
    size_t i = hex ? 2 : 1;
    uint32_t c = 0;
    if (i == name.len)
        return false;
    for (; i < name.len; i++) {
        int digit = text_hex_digit(name.data[i]);
        if (digit < 0 || (!hex && digit > 9))
            return false;
        c = c * (hex ? 16 : 10) + (uint32_t)digit;
        if (c > 0x10ffff)
            return false;
    }
    if (c == 0 || (c >= 0xd800 && c < 0xe000))
        return false;
    append_utf8(out, c);
    return true;
}

/* Text up to the next tag. */
static const char *take_text(struct xml *x)
{
    const uint8_t *end = memchr(x->rest.data, '<', x->rest.len);
    size_t left = end != NULL ? (size_t)(end - x->rest.data) : x->rest.len;
    while (left > 0) {
        const uint8_t *at = x->rest.data;
        size_t used = 1;
        if (*at == '&') {
            const uint8_t *stop = memchr(at, ';', left < 12 ? left : 12);
            if (stop == NULL ||
                !append_entity(&x->texts, (struct slice){at + 1, (size_t)(stop - at) - 1}))
                return "an unknown entity";
            used = (size_t)(stop - at) + 1;
        } else if (x->depth > 0) {
            buf_append_byte(&x->texts, *at);
        } else if (*at > ' ' && *at < 0x80) {
            return "text outside of all elements";
        }
        skip(x, used);
        left -= used;
    }
    if (x->depth == 0)
        buf_reset(&x->texts);
    else if (x->texts.len - x->text_starts[x->depth - 1] > XML_TEXT_MAX)
        return "a text that is too long";
    return NULL;
}

static const char *close_element(struct xml *x)
{
    unsigned at = --x->depth;
    struct slice text = {x->texts.data + x->text_starts[at], x->texts.len - x->text_starts[at]};
    x->enough = !x->visit(x->context, x->path, text);
    x->texts.len = x->text_starts[at];
    x->path_len = x->starts[at] > 0 ? x->starts[at] - 1 : 0;
    x->path[x->path_len] = '\0';
    x->seen = x->depth == 0;
    return NULL;
}

static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
        bool digit = (c >= '0' && c <= '9') || c == '-' || c == '.';
        if (!letter && !(digit && i > 0))
            return false;
    }
    return name.len > 0;
}

static const char *open_element(struct xml *x, struct slice tag)
{
    const uint8_t *colon = memchr(tag.data, ':', tag.len);
    size_t cut = colon != NULL ? (size_t)(colon - tag.data) + 1 : 0;
    struct slice name = {tag.data + cut, tag.len - cut};
    if (name.len == 0)
        return "a name that is only a prefix";
    if (x->seen)
        return "a second root";
    if (x->depth == XML_DEPTH_MAX || x->path_len + name.len + 2 > sizeof(x->path))
        return "elements nested too deep";
    if (x->depth > 0) {
        x->texts.len = x->text_starts[x->depth - 1];
        x->path[x->path_len++] = '/';
    }
    x->starts[x->depth] = x->path_len;
    x->tags[x->depth] = tag;
    x->text_starts[x->depth] = x->texts.len;
    x->depth++;
    memcpy(x->path + x->path_len, name.data, name.len);
    x->path_len += name.len;
    x->path[x->path_len] = '\0';
    return NULL;
}

/* The end of a tag, past values of attributes, in which a '>' may stand. */
static const uint8_t *end_of_tag(struct slice s)
{
    uint8_t quote = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.data[i];
        if (quote != 0)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '>')
            return s.data + i;
    }
    return NULL;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *take_tag(struct xml *x)
{
    if (slice_starts_with(x->rest, "<?"))
        return skip_behind(x, "?>") ? NULL : "it is cut off";
    if (slice_starts_with(x->rest, "<!--"))
        return skip_behind(x, "-->") ? NULL : "it is cut off";
    if (slice_starts_with(x->rest, "<!"))
        return "a document type, or raw text";
    const uint8_t *end = end_of_tag(x->rest);
    if (end == NULL)
        return "it is cut off";
    bool closing = x->rest.len > 1 && x->rest.data[1] == '/';
    const uint8_t *start = x->rest.data + (closing ? 2 : 1);
    bool empty = !closing && end > start && end[-1] == '/';
    struct slice tag = {start, 0};
    while (start + tag.len < end - (empty ? 1 : 0) && !is_blank(start[tag.len]))
        tag.len++;
    if (!is_name(tag))
        return "a name that is none";
    skip(x, (size_t)(end - x->rest.data) + 1);
    if (closing && (x->depth == 0 || !slice_equal(tag, x->tags[x->depth - 1])))
        return "an end without a beginning";
    if (closing)
        return close_element(x);
    const char *wrong = open_element(x, tag);
    return wrong != NULL || !empty ? wrong : close_element(x);
}

int xml_walk(struct slice document, xml_visit *visit, void *context, struct err *err)
{
    static const char mark[] = "\xef\xbb\xbf";
    struct xml x = {.rest = document, .visit = visit, .context = context};
    buf_reserve(&x.texts, 1); /* a document without any text has an empty one */
    const char *wrong = NULL;
    int result = 0;
    if (slice_starts_with(document, mark))
        skip(&x, sizeof(mark) - 1);
    while (wrong == NULL && !x.enough && x.rest.len > 0)
        wrong = x.rest.data[0] == '<' ? take_tag(&x) : take_text(&x);
    if (wrong == NULL && !x.enough && !x.seen)
        wrong = "it is cut off";
    if (wrong != NULL)
        result = bad(&x, document, wrong, err);
    buf_free(&x.texts);
    return result;
}

struct wanted {
    const char *path;
    struct buf *out;
    bool found;
};

static bool look(void *context, const char *path, struct slice text)
{
    struct wanted *w = context;
    if (strcmp(path, w->path) != 0)
        return true;
    buf_append_slice(w->out, text);
    w->found = true;
    return false;
}

bool xml_find(struct slice document, const char *path, struct buf *out)
{
    struct wanted w = {path, out, false};
    struct err ignored = {0};
    return xml_walk(document, look, &w, &ignored) == 0 && w.found;
}
