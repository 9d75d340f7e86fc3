/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a body says of a job, and the feed that it brings:
 *
 *     {"kind":"index-build","index":"graph"}                          application/json
 *     {"kind":"index-check","sample":500}
 *     {"kind":"train","recipe":{"arch":"resnet18","epochs":30}}       the scope admin
 *     a feed                       text/csv, text/tab-separated-values, application/x-ndjson
 *     a form with a part "feed" and parts "image" whose file names are the feed's paths
 *     a form with kind=eval, a part "queries" and parts "image" whose file names are its paths
 *
 * The feed or the queries and their pictures are written below jobs/<id> of the shop, which goes
 * away with the job. A picture's name becomes a path there: segments of ordinary names only, so
 * that nothing is written anywhere else.
 */
#include "server/jobs.h"

#include "base/file.h"
#include "shop/index_report.h"

#include <stdio.h>
#include <string.h>

enum {
    SAMPLE = 200,
    SAMPLE_MAXIMUM = 10000,
    MEMORY_MAXIMUM_MB = 1 << 30,
    PATH_DEPTH = 8,
    PATH_BYTES = 512,
    FORM_BYTES = 1 << 20
};

/* ---- indexes, trainings ---- */

static vt_status read_recipe(vt_request *request, const vt_job_record *job, const vt_json *recipe,
                             vt_error *error)
{
    vt_status status = vt_request_allow(request, VT_SCOPE_ADMIN, error);
    return status == VT_OK ? vt_job_recipe(request->server->jobs, job->id, recipe, error) : status;
}

static vt_status read_build(vt_request *request, vt_job_record *job, const vt_json *object,
                            vt_error *error)
{
    const vt_json *index = vt_json_get(object, "index"), *memory = vt_json_get(object, "memory_mb");
    const char *kind = index != NULL ? vt_json_text(index, NULL) : "auto";
    if (kind == NULL)
        return vt_fail(error, VT_ERR_USAGE, "read the job: \"index\" is no text");
    vt_status status = vt_index_kind_check(kind, error);
    if (status == VT_OK)
        snprintf(job->index, sizeof(job->index), "%s", kind);
    if (status != VT_OK || memory == NULL)
        return status;
    /* More than by itself it would take is the machine's owner's to give. */
    status = vt_request_allow(request, VT_SCOPE_ADMIN, error);
    return status == VT_OK
               ? vt_member_whole(memory, "memory_mb", 1, MEMORY_MAXIMUM_MB, &job->memory_mb, error)
               : status;
}

static vt_status read_check(vt_job_record *job, const vt_json *object, vt_error *error)
{
    const vt_json *sample = vt_json_get(object, "sample");
    job->sample = SAMPLE;
    return sample != NULL
               ? vt_member_whole(sample, "sample", 1, SAMPLE_MAXIMUM, &job->sample, error)
               : VT_OK;
}

static vt_status read_kind(const vt_json *object, vt_job_kind *out, vt_error *error)
{
    const char *kind = vt_json_text(vt_json_get(object, "kind"), NULL);
    if (kind == NULL || !vt_job_kind_of(kind, out))
        return vt_fail(error, VT_ERR_USAGE,
                       "read the job: \"kind\" is none of import, index-build, index-check, "
                       "train, eval");
    return VT_OK;
}

/* Whether every member is one that jobs of this kind have. */
static vt_status check_members(const vt_json *object, vt_job_kind kind, vt_error *error)
{
    static const struct {
        const char *name;
        vt_job_kind kind;
    } members[] = {{"index", VT_JOB_INDEX_BUILD},
                   {"memory_mb", VT_JOB_INDEX_BUILD},
                   {"sample", VT_JOB_INDEX_CHECK},
                   {"recipe", VT_JOB_TRAIN}};
    for (size_t i = 0; i < vt_json_count(object); i++) {
        const vt_json *member = NULL;
        const char *name = vt_json_key_at(object, i, &member);
        bool known = vt_text_equal(name, "kind");
        for (size_t at = 0; !known && at < sizeof(members) / sizeof(members[0]); at++)
            known = members[at].kind == kind && vt_text_equal(name, members[at].name);
        if (!known)
            return vt_fail(error, VT_ERR_USAGE, "read the job: \"%.64s\" is no member of %s", name,
                           vt_job_kind_name(kind));
    }
    return VT_OK;
}

static vt_status read_members(vt_request *request, vt_job_record *job, const vt_json *object,
                              vt_error *error)
{
    switch (job->kind) {
    case VT_JOB_INDEX_BUILD:
        return read_build(request, job, object, error);
    case VT_JOB_INDEX_CHECK:
        return read_check(job, object, error);
    case VT_JOB_TRAIN:
        return read_recipe(request, job, vt_json_get(object, "recipe"), error);
    case VT_JOB_EVAL:
        return vt_fail(error, VT_ERR_USAGE,
                       "read the job: an evaluation is a form with its queries");
    case VT_JOB_IMPORT:
    case VT_JOB_KIND_COUNT:
        break;
    }
    return vt_fail(error, VT_ERR_USAGE,
                   "read the job: an import is a feed as the body, or a form with it");
}

static vt_status read_object(vt_request *request, vt_job_record *job, vt_error *error)
{
    vt_json *object = NULL;
    vt_status status = vt_body_json(request, &object, error);
    if (status != VT_OK)
        return status;
    status = read_kind(object, &job->kind, error);
    if (status == VT_OK)
        status = check_members(object, job->kind, error);
    if (status == VT_OK)
        status = read_members(request, job, object, error);
    vt_json_free(object);
    return status;
}

/* ---- files ---- */

typedef struct upload {
    const vt_jobs *jobs;
    vt_job_record *job;
} upload;

static vt_status write_below(const upload *u, const char *name, const char *bytes, size_t length,
                             vt_error *error)
{
    char *path = vt_job_path(u->jobs, u->job->id, name);
    if (path == NULL)
        return vt_fail_memory(error, "a path");
    char *slash = strrchr(path, '/');
    *slash = '\0';
    vt_status status = vt_dir_make(path, error);
    *slash = '/';
    if (status == VT_OK)
        status = vt_file_replace(path, bytes, length, false, error);
    vt_free(path);
    return status;
}

/* Ordinary names between slashes: none that is empty, hidden or the parent, no control bytes. */
static bool is_plain_path(const char *path)
{
    size_t depth = 0;
    if (strlen(path) > PATH_BYTES || !vt_utf8_valid(path, strlen(path)))
        return false;
    for (const char *at = path;; depth++) {
        size_t length = strcspn(at, "/");
        if (length == 0 || length > 255 || at[0] == '.' || depth == PATH_DEPTH)
            return false;
        for (size_t i = 0; i < length; i++)
            if ((unsigned char)at[i] < ' ' || at[i] == '\\' || at[i] == 127)
                return false;
        if (at[length] == '\0')
            return true;
        at += length + 1;
    }
}

/* One picture's name is a folder of another's. */
static bool clashes(const upload *u, char *name)
{
    bool found = false;
    for (char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        char *path = vt_job_path(u->jobs, u->job->id, name);
        *slash = '/';
        found = found || (path != NULL && vt_file_exists(path) && !vt_dir_exists(path));
        vt_free(path);
    }
    char *whole = vt_job_path(u->jobs, u->job->id, name);
    found = found || (whole != NULL && vt_dir_exists(whole));
    vt_free(whole);
    return found;
}

static vt_status write_picture(const upload *u, const vt_part *part, vt_error *error)
{
    char name[PATH_BYTES + 16];
    if (part->filename == NULL || !is_plain_path(part->filename))
        return vt_fail(error, VT_ERR_DENIED,
                       "read picture \"%.200s\": its name is no plain path below a folder",
                       part->filename != NULL ? part->filename : "");
    snprintf(name, sizeof(name), "images/%s", part->filename);
    if (clashes(u, name))
        return vt_fail(error, VT_ERR_USAGE,
                       "read picture \"%.200s\": its name is a folder of another one, or has one",
                       part->filename);
    u->job->pictures = true;
    return write_below(u, name, part->bytes, part->length, error);
}

/* For people: what stands behind the last slash, cut between characters. */
static void set_name(vt_job_record *job, const char *filename)
{
    const char *name = vt_path_base(filename);
    size_t length = strlen(name);
    if (length >= sizeof(job->name))
        for (length = sizeof(job->name) - 1; length > 0 && (name[length] & 0xC0) == 0x80;)
            length--;
    if (!vt_utf8_valid(name, length))
        length = 0;
    memcpy(job->name, name, length);
    job->name[length] = '\0';
}

/* The ending says how a feed is read; without one its content does. */
static const char *feed_name(const char *filename)
{
    static const char *const endings[] = {".csv", ".tsv", ".jsonl", ".ndjson"};
    static const char *const names[] = {"feed.csv", "feed.tsv", "feed.jsonl", "feed.ndjson"};
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        if (vt_text_ends_nocase(filename, endings[i]))
            return names[i];
    return "feed";
}

static vt_status write_feed(const upload *u, const vt_part *part, vt_error *error)
{
    bool queries = u->job->kind == VT_JOB_EVAL;
    const char *filename = part->filename != NULL ? part->filename : "feed";
    if (part->length == 0)
        return vt_fail(error, VT_ERR_USAGE, "read the job: the feed is empty");
    snprintf(u->job->feed, sizeof(u->job->feed), "%s",
             queries ? "queries.csv" : feed_name(filename));
    set_name(u->job, filename);
    return write_below(u, u->job->feed, part->bytes, part->length, error);
}

/* ---- forms ---- */

static bool is_kind(const vt_part *part, const char *kind)
{
    return strcmp(part->name, "kind") == 0 && part->length == strlen(kind) &&
           memcmp(part->bytes, kind, part->length) == 0;
}

static vt_status take_part(const upload *u, const vt_part *part, vt_error *error)
{
    if (strcmp(part->name, "image") == 0)
        return write_picture(u, part, error);
    if (is_kind(part, "import") || is_kind(part, "eval"))
        return VT_OK; /* looked at before */
    bool queries = u->job->kind == VT_JOB_EVAL;
    if (strcmp(part->name, queries ? "queries" : "feed") != 0)
        return vt_fail(error, VT_ERR_USAGE,
                       "read the job: part \"%.64s\" is none of %s, image, kind=import or eval",
                       part->name, queries ? "queries" : "feed");
    if (u->job->feed[0] != '\0')
        return vt_fail(error, VT_ERR_USAGE, "read the job: it has two feeds");
    return write_feed(u, part, error);
}

static vt_status take_form(const upload *u, vt_request *request, vt_error *error)
{
    vt_arena arena;
    vt_form form = {.arena = &arena};
    vt_arena_init(&arena, FORM_BYTES);
    vt_status status = vt_form_parse(request->content_type, vt_buf_text(&request->body),
                                     request->body.length, &form, error);
    for (size_t i = 0; status == VT_OK && i < form.count; i++)
        if (is_kind(&form.parts[i], "eval"))
            u->job->kind = VT_JOB_EVAL;
    for (size_t i = 0; status == VT_OK && i < form.count; i++)
        status = take_part(u, &form.parts[i], error);
    if (status == VT_OK && u->job->feed[0] == '\0')
        status = vt_fail(error, VT_ERR_USAGE, "read the job: it has no part \"%s\"",
                         u->job->kind == VT_JOB_EVAL ? "queries" : "feed");
    vt_arena_deinit(&arena);
    return status;
}

/* ---- the whole ---- */

static const char *name_by_type(const vt_request *request)
{
    static const struct {
        const char *type, *name;
    } types[] = {{"text/csv", "feed.csv"},
                 {"text/tab-separated-values", "feed.tsv"},
                 {"application/x-ndjson", "feed.ndjson"},
                 {"application/jsonl", "feed.jsonl"}};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (vt_content_is(request, types[i].type))
            return types[i].name;
    return NULL;
}

static vt_status take_import(const upload *u, vt_request *request, vt_error *error)
{
    const char *name = name_by_type(request);
    const vt_part whole = {
        .filename = name, .bytes = vt_buf_text(&request->body), .length = request->body.length};
    u->job->kind = VT_JOB_IMPORT;
    char *images = vt_job_path(u->jobs, u->job->id, "images");
    if (images == NULL)
        return vt_fail_memory(error, "a path");
    vt_status status = vt_dir_make(images, error);
    vt_free(images);
    if (status != VT_OK)
        return status;
    return name != NULL ? write_feed(u, &whole, error) : take_form(u, request, error);
}

vt_status vt_job_upload(vt_request *request, vt_job_record *job, vt_error *error)
{
    const upload u = {.jobs = request->server->jobs, .job = job};
    if (vt_content_is(request, "application/json")) {
        vt_status read = read_object(request, job, error);
        if (read != VT_OK)
            vt_job_clear(u.jobs, job->id, true);
        return read;
    }
    if (name_by_type(request) == NULL && !vt_content_is(request, "multipart/form-data"))
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "read the job: it is \"%.100s\"; a feed in text/csv, "
                       "text/tab-separated-values or application/x-ndjson, multipart/form-data or "
                       "application/json is needed",
                       request->content_type);
    vt_status status = take_import(&u, request, error);
    if (status != VT_OK)
        vt_job_clear(u.jobs, job->id, true);
    return status;
}
