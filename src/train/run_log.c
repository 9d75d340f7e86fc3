/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs of a run: one JSON object per line in `<logdir>/log.jsonl`, and TensorBoard events beside
 * it. A resumed run cuts the lines back to its checkpoint, so that no step is in them twice.
 */
#include "train/run_state.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 1 << 20 };

static void begin_line(vt_json_writer *writer, vt_buf *line, const char *event)
{
    vt_buf_init(line, LINE_BYTES);
    vt_json_begin(writer, line, false);
    vt_json_open_object(writer, NULL);
    vt_json_put_text(writer, "event", event);
}

static void end_line(vt_run_state *run, vt_json_writer *writer, vt_buf *line)
{
    vt_json_close(writer);
    vt_buf_append_char(line, '\n');
    if (!line->failed && fwrite(line->data, 1, line->length, run->lines) == line->length)
        run->lines_bytes += line->length;
    vt_buf_deinit(line);
}

static void log_start(vt_run_state *run)
{
    vt_buf line;
    vt_json_writer writer;
    begin_line(&writer, &line, run->resumed ? "resume" : "start");
    vt_json_put_int(&writer, "step", (int64_t)run->steps);
    vt_json_put_int(&writer, "unix_ms", vt_clock_unix_ms());
    vt_json_open_object(&writer, "recipe");
    vt_recipe_print(run->recipe, &writer);
    vt_json_close(&writer);
    end_line(run, &writer, &line);
}

vt_status vt_run_log_open(vt_run_state *run, vt_error *error)
{
    const char *directory = run->options->logdir;
    if (directory == NULL)
        return VT_OK;
    vt_status status = vt_tensorboard_open(directory, &run->board, error);
    if (status != VT_OK)
        return status;
    run->lines_path = vt_path_join(directory, "log.jsonl");
    if (run->lines_path == NULL)
        return vt_fail_memory(error, "a path");
    if (!run->resumed)
        run->lines_bytes = 0;
    run->lines = fopen(run->lines_path, "abe");
    if (run->lines == NULL)
        return vt_fail_errno(error, errno, "write", run->lines_path);
    fseek(run->lines, 0, SEEK_END);
    long have = ftell(run->lines);
    if (have >= 0 && (uint64_t)have > run->lines_bytes &&
        ftruncate(fileno(run->lines), (off_t)run->lines_bytes) != 0)
        return vt_fail_errno(error, errno, "write", run->lines_path);
    if (have >= 0 && (uint64_t)have < run->lines_bytes)
        run->lines_bytes = (uint64_t)have;
    log_start(run);
    return VT_OK;
}

void vt_run_log_close(vt_run_state *run)
{
    vt_error error;
    if (run->lines != NULL && (fflush(run->lines) != 0 || ferror(run->lines)))
        vt_log(VT_LOG_WARN, "write \"%s\": %s", run->lines_path, strerror(errno));
    if (run->lines != NULL)
        fclose(run->lines);
    vt_free(run->lines_path);
    if (vt_tensorboard_close(run->board, &error) != VT_OK)
        vt_log(VT_LOG_WARN, "%s", error.message);
    run->lines = NULL;
    run->lines_path = NULL;
    run->board = NULL;
}

void vt_run_log_step(vt_run_state *run, double loss, double norm)
{
    if (run->lines == NULL)
        return;
    vt_buf line;
    vt_json_writer writer;
    begin_line(&writer, &line, "step");
    vt_json_put_int(&writer, "step", (int64_t)run->steps);
    vt_json_put_int(&writer, "epoch", (int64_t)run->epoch + 1);
    vt_json_put_number(&writer, "loss", loss, -1);
    vt_json_put_number(&writer, "rate", run->rate, -1);
    vt_json_put_number(&writer, "norm", norm, -1);
    end_line(run, &writer, &line);
    vt_tensorboard_scalar(run->board, "train/loss", run->steps, loss);
    vt_tensorboard_scalar(run->board, "train/rate", run->steps, run->rate);
    vt_tensorboard_scalar(run->board, "train/norm", run->steps, norm);
}

/* Members of the open object, and events; prefix: "color." or "". */
static void put_measures(vt_run_state *run, vt_json_writer *writer, const double *measures,
                         const char *prefix)
{
    for (int i = 0; i < VT_MEASURES; i++) {
        char tag[VT_LOSS_HEAD_BYTES + 40];
        if (isnan(measures[i]))
            continue;
        vt_json_put_number(writer, vt_measure_name((vt_measure)i), measures[i], -1);
        snprintf(tag, sizeof(tag), "val/%s%s", prefix, vt_measure_name((vt_measure)i));
        vt_tensorboard_scalar(run->board, tag, run->steps, measures[i]);
    }
}

void vt_run_log_epoch(vt_run_state *run, const vt_run_epoch *epoch)
{
    if (run->lines == NULL)
        return;
    vt_buf line;
    vt_json_writer writer;
    begin_line(&writer, &line, "epoch");
    vt_json_put_int(&writer, "step", (int64_t)run->steps);
    vt_json_put_number(&writer, "epoch", epoch->epoch, -1);
    vt_json_put_number(&writer, "train_loss", epoch->loss, -1);
    vt_json_put_number(&writer, "seconds", epoch->seconds, 3);
    put_measures(run, &writer, epoch->measures, "");
    if (run->heads.named)
        vt_json_open_object(&writer, "heads");
    for (size_t h = 0; run->heads.named && h < run->heads.count; h++) {
        char prefix[VT_LOSS_HEAD_BYTES + 2];
        snprintf(prefix, sizeof(prefix), "%s.", run->heads.items[h].name);
        vt_json_open_object(&writer, run->heads.items[h].name);
        put_measures(run, &writer, epoch->heads[h], prefix);
        vt_json_close(&writer);
    }
    if (run->heads.named)
        vt_json_close(&writer);
    end_line(run, &writer, &line);
    fflush(run->lines);
    vt_tensorboard_flush(run->board);
}
