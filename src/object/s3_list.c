/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/time.h"
#include "object/s3_part.h"
#include "object/s3_xml.h"

/* Pages of what is there: GET ?list-type=2 (ListObjectsV2) and GET ?uploads. */

enum {
    TOKEN_MAX = 4096,
    EMPTY_PAGES_MAX = 100, /* that say that more comes, one after the other */
};

struct page {
    const struct s3_client *client;
    s3_visit *visit;
    s3_visit_upload *visit_upload;
    void *context;
    const char *root;                    /* of a document that is the answer */
    struct buf last;                     /* the key that was visited last, with its prefix */
    struct buf key, id, after, id_after; /* `after`: where the next page begins */
    uint64_t size;
    int64_t time;
    unsigned empty; /* pages */
    bool truncated, enough, whole, disorder;
};

static void page_free(struct page *p)
{
    buf_free(&p->last);
    buf_free(&p->key);
    buf_free(&p->id);
    buf_free(&p->after);
    buf_free(&p->id_after);
}

static void set(struct buf *out, struct slice text)
{
    buf_reset(out);
    buf_append_slice(out, text);
}

/* The key without the client's prefix; false: it is none of ours. */
static bool own_key(const struct page *p, struct slice *key)
{
    size_t len = strlen(p->client->prefix);
    *key = buf_slice(&p->key);
    if (!slice_starts_with(*key, p->client->prefix) ||
        (key->len > 0 && memchr(key->data, '\0', key->len) != NULL))
        return false;
    *key = (struct slice){key->data + len, key->len - len};
    return true;
}

static bool end_of_object(struct page *p)
{
    struct s3_listed object = {.size = p->size, .modified = p->time};
    /* The order is what pages, and whoever looks for the newest, build on. */
    p->disorder = slice_compare(buf_slice(&p->key), buf_slice(&p->last)) <= 0;
    if (p->disorder)
        return false;
    set(&p->last, buf_slice(&p->key));
    p->empty = 0;
    p->enough = own_key(p, &object.key) && !p->visit(p->context, &object);
    return !p->enough;
}

static bool end_of_upload(struct page *p)
{
    struct s3_listed_upload upload = {.begun = p->time};
    if (p->id.len == 0 || p->id.len >= S3_UPLOAD_ID_MAX || !own_key(p, &upload.key))
        return true;
    upload.id = buf_text(&p->id);
    p->empty = 0;
    p->enough = !p->visit_upload(p->context, &upload);
    return !p->enough;
}

static bool take(void *context, const char *path, struct slice text)
{
    struct page *p = context;
    const char *name = strchr(path, '/');
    if (name == NULL) {
        p->whole = strcmp(path, p->root) == 0;
        return true;
    }
    name++;
    bool inner = strncmp(name, "Contents/", 9) == 0 || strncmp(name, "Upload/", 7) == 0;
    const char *leaf = inner ? strchr(name, '/') + 1 : "";
    if (strcmp(name, "Contents") == 0 && p->visit != NULL)
        return end_of_object(p);
    if (strcmp(name, "Upload") == 0 && p->visit_upload != NULL)
        return end_of_upload(p);
    if (strcmp(name, "IsTruncated") == 0)
        p->truncated = slice_is(text, "true");
    else if (strcmp(name, "NextContinuationToken") == 0 || strcmp(name, "NextKeyMarker") == 0)
        set(&p->after, text);
    else if (strcmp(name, "NextUploadIdMarker") == 0)
        set(&p->id_after, text);
    else if (strcmp(leaf, "Key") == 0)
        set(&p->key, text);
    else if (strcmp(leaf, "UploadId") == 0)
        set(&p->id, text);
    else if (strcmp(leaf, "Size") == 0 && !num_parse_u64(text, &p->size))
        p->size = 0;
    else if ((strcmp(leaf, "LastModified") == 0 || strcmp(leaf, "Initiated") == 0) &&
             !time_parse(text, &p->time))
        p->time = 0;
    return true;
}

/* Ask for a page and visit what is on it. */
static enum s3_outcome turn(struct s3_client *s, const struct s3_request *r, struct page *p,
                            struct s3_result *result, struct err *err)
{
    struct err why = {0};
    bool maybe = false;
    enum s3_outcome outcome = s3_ask(s, r, s3_deadline(s, 0), &maybe, result, err);
    p->truncated = p->whole = false;
    if (outcome != S3_DONE)
        return outcome;
    buf_reset(&p->after);
    buf_reset(&p->id_after);
    p->empty++;
    (void)!xml_walk(buf_slice(&s->answer), take, p, &why);
    if (p->disorder)
        (void)err_set(&why, ERR_UNSUPPORTED, "the store does not list in the order of keys");
    else if (!p->enough && !p->whole)
        (void)err_set(&why, ERR_PROTOCOL, "the answer is no %s", p->root);
    else if (p->truncated && p->empty > EMPTY_PAGES_MAX)
        (void)err_set(&why, ERR_PROTOCOL, "the store has sent %u pages with nothing new", p->empty);
    else if (p->after.len > TOKEN_MAX || p->id_after.len > TOKEN_MAX)
        (void)err_set(&why, ERR_LIMIT, "the mark of the next page is too long");
    if (!err_is_set(&why))
        return S3_DONE;
    (void)err_set(err, why.code, "s3://%s/%s: list: %s", s->bucket, s->prefix, why.text);
    return p->disorder ? S3_REFUSED : S3_LATER;
}

enum s3_outcome s3_list(struct s3_client *s, const char *prefix, const char *after, s3_visit *visit,
                        void *context, struct err *err)
{
    struct page p = {.client = s, .visit = visit, .context = context, .root = "ListBucketResult"};
    struct buf full = {0};
    enum s3_outcome outcome;
    buf_printf(&full, "%s%s", s->prefix, prefix);
    if (after[0] != '\0')
        buf_printf(&p.last, "%s%s", s->prefix, after);
    do {
        struct buf from = {0};
        struct s3_request r = {.operation = S3_OPERATION_LIST, .method = "GET"};
        bool token = p.after.len > 0;
        set(&from, token ? buf_slice(&p.after) : buf_slice(&p.last));
        s3_query(&r, "list-type", slice_of("2"));
        s3_query(&r, "prefix", buf_slice(&full));
        if (from.len > 0)
            s3_query(&r, token ? "continuation-token" : "start-after", buf_slice(&from));
        outcome = turn(s, &r, &p, NULL, err);
        buf_free(&from);
    } while (outcome == S3_DONE && p.truncated && !p.enough);
    page_free(&p);
    buf_free(&full);
    return outcome;
}

enum s3_outcome s3_uploads_list(struct s3_client *s, s3_visit_upload *visit, void *context,
                                struct err *err)
{
    struct page p = {.client = s,
                     .visit_upload = visit,
                     .context = context,
                     .root = "ListMultipartUploadsResult"};
    struct buf key = {0};
    struct buf id = {0};
    struct err why = {0};
    struct s3_result result;
    enum s3_outcome outcome;
    bool further; /* a store that does not go by the marks would give the same page for ever */
    do {
        struct s3_request r = {.operation = S3_OPERATION_LIST, .method = "GET"};
        s3_query(&r, "uploads", slice_of(""));
        s3_query(&r, "prefix", slice_of(s->prefix));
        if (key.len > 0)
            s3_query(&r, "key-marker", buf_slice(&key));
        if (id.len > 0)
            s3_query(&r, "upload-id-marker", buf_slice(&id));
        outcome = turn(s, &r, &p, &result, &why);
        further = !slice_equal(buf_slice(&p.after), buf_slice(&key)) ||
                  !slice_equal(buf_slice(&p.id_after), buf_slice(&id));
        set(&key, buf_slice(&p.after));
        set(&id, buf_slice(&p.id_after));
    } while (outcome == S3_DONE && p.truncated && further && key.len > 0 && !p.enough);
    page_free(&p);
    buf_free(&key);
    buf_free(&id);
    bool unable = result.status == 501 || result.status == 405 || result.status == 403;
    if (outcome == S3_REFUSED && unable)
        return S3_DONE;
    return s3_end(outcome, &why, err);
}
