/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs as a client sees them, for the tests of src/server/job_*.c.
 */
#ifndef VT_TESTS_SERVER_JOBS_CLIENT_H
#define VT_TESTS_SERVER_JOBS_CLIENT_H

#include "server/client.h"

#include "server/jobs.h"

static inline vt_server_options job_options(void)
{
    vt_server_options options = server_options();
    options.jobs = true;
    return options;
}

static inline const char *text_of(const vt_json *object, const char *name)
{
    return vt_json_text(vt_json_get(object, name), "");
}

static inline double figure_of(const vt_json *job, const char *name)
{
    return vt_json_number(vt_json_get(vt_json_get(job, "result"), name), -1.0);
}

static inline vt_json *get_job(const served *s, const char *id)
{
    char path[64];
    snprintf(path, sizeof(path), "/v1/jobs/%s", id);
    return expect_json(ask_json(s, "GET", path, NULL), 200);
}

/* The job when its member of this name has this value. */
static inline vt_json *wait_until(const served *s, const char *id, const char *name,
                                  const char *value)
{
    for (int i = 0; i < 3000; i++) {
        vt_json *job = get_job(s, id);
        if (strcmp(text_of(job, name), value) == 0)
            return job;
        bool ended = strcmp(text_of(job, "state"), "failed") == 0;
        if (i == 2999 || ended)
            fail_msg("%s \"%s\" instead of \"%s\": %s", name, text_of(job, name), value,
                     text_of(job, "detail"));
        vt_json_free(job);
        usleep(20000);
    }
    return NULL;
}

static inline void take_id(reply got, char id[VT_JOB_ID_CHARS + 1])
{
    vt_json *job = expect_json(got, 202);
    snprintf(id, VT_JOB_ID_CHARS + 1, "%s", text_of(job, "id"));
    vt_json_free(job);
}

/* Asks with this key; a body is JSON. */
static inline reply ask_with(const served *s, const char *key, call what)
{
    char header[VT_KEY_TEXT + 32];
    snprintf(header, sizeof(header), "Authorization: Bearer %s\r\n", key);
    what.headers = header;
    if (what.body != NULL) {
        what.type = "application/json";
        what.length = strlen(what.body);
    }
    return ask_server(s, what);
}

/* Whether the file is there below the job's folder; NULL: the folder. */
static inline bool job_has(const served *s, const char *id, const char *name)
{
    char path[SCRATCH_PATH_BYTES + 64];
    snprintf(path, sizeof(path), "%s/jobs/%s%s%s", s->journey->shop, id, name != NULL ? "/" : "",
             name != NULL ? name : "");
    return access(path, F_OK) == 0;
}

static inline reply ask_report(const served *s, const char *id)
{
    char path[64];
    snprintf(path, sizeof(path), "/v1/jobs/%s/report", id);
    return ask_json(s, "GET", path, NULL);
}

/* ---- forms, of boundary "b" ---- */

static inline void add_part(vt_buf *form, const char *name, const char *filename, const void *bytes,
                            size_t length)
{
    vt_buf_printf(form, "--b\r\nContent-Disposition: form-data; name=\"%s\"", name);
    if (filename != NULL)
        vt_buf_printf(form, "; filename=\"%s\"", filename);
    vt_buf_append_text(form, "\r\n\r\n");
    vt_buf_append(form, bytes, length);
    vt_buf_append_text(form, "\r\n");
}

static inline void add_good(vt_buf *form, const char *filename, int index)
{
    vt_image image = {0};
    vt_buf jpeg;
    vt_buf_init(&jpeg, 1 << 20);
    assert_int_equal(goods_draw(index, 0, &image, NULL), VT_OK);
    assert_int_equal(vt_image_encode_jpeg(&image, 92, &jpeg, NULL), VT_OK);
    add_part(form, "image", filename, jpeg.data, jpeg.length);
    vt_image_deinit(&image);
    vt_buf_deinit(&jpeg);
}

static inline reply send_form(const served *s, vt_buf *form)
{
    vt_buf_append_text(form, "--b--\r\n");
    reply got = ask_server(s, (call){.method = "POST",
                                     .path = "/v1/jobs",
                                     .type = "multipart/form-data; boundary=b",
                                     .body = form->data,
                                     .length = form->length});
    vt_buf_clear(form);
    return got;
}

#endif
