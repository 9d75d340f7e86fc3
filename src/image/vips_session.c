/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets libvips up and keeps it on a short lead.
 *
 * Method: initialised on the first call that needs it (76 ms, mostly loading its modules; a shop of
 * JPEG files never pays it). Pixels are pulled strip by strip through a region of the calling
 * thread, straight into our memory, so libvips starts no threads and makes no second copy.
 *
 * libvips has one error text for the whole process, to which every failing thread appends. Copying
 * and clearing it is atomic, but the text may then be another thread's. So calls are counted: a
 * call that ran alone reports what libvips said, a call that overlapped with another one does not.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "image/vips_session.h"

enum { STRIP_ROWS = 64, MESSAGE_BYTES = 300 };

static pthread_once_t session_once = PTHREAD_ONCE_INIT;
static bool session_ready;
static atomic_uint session_running;
static atomic_uint session_overlaps; /* how often a call began while another was running */

static void session_log(const gchar *domain, GLogLevelFlags level, const gchar *text, gpointer user)
{
    (void)level;
    (void)user;
    vt_log(VT_LOG_DEBUG, "%s: %s", domain ? domain : "vips", text);
}

static void session_init(void)
{
    if (VIPS_INIT("vitrine") != 0)
        return;
    g_log_set_handler("VIPS", (GLogLevelFlags)(G_LOG_LEVEL_MASK & ~G_LOG_FLAG_FATAL), session_log,
                      NULL);
    vips_block_untrusted_set(TRUE);
    vips_cache_set_max(0);
    vips_concurrency_set(1);
    session_ready = true;
}

vt_status vt_vips_begin(vt_vips_call *call, vt_error *error)
{
    pthread_once(&session_once, session_init);
    if (!session_ready)
        return vt_fail(error, VT_ERR_INTERNAL, "set up libvips: it refused to start");
    if (atomic_fetch_add(&session_running, 1) > 0) {
        atomic_fetch_add(&session_overlaps, 1);
        call->overlapped = true;
    } else {
        call->overlapped = false;
        vips_error_clear(); /* what successful calls complained about is nobody's any more */
    }
    call->overlaps_at_begin = atomic_load(&session_overlaps);
    return VT_OK;
}

void vt_vips_end(vt_vips_call *call)
{
    (void)call;
    atomic_fetch_sub(&session_running, 1);
}

static bool session_contains(const char *text, size_t length, const char *word)
{
    size_t word_length = strlen(word);
    for (size_t i = 0; i + word_length <= length; i++) {
        if (g_ascii_strncasecmp(text + i, word, word_length) == 0)
            return true;
    }
    return false;
}

vt_status vt_vips_fail(const vt_vips_call *call, vt_status status, const char *action,
                       vt_error *error)
{
    char *said = vips_error_buffer_copy();
    bool alone = !call->overlapped && call->overlaps_at_begin == atomic_load(&session_overlaps);
    const char *text = alone && said ? said : "";
    size_t length = vt_text_trim(&text, strlen(text));
    const char *line_end = memchr(text, '\n', length);
    if (line_end)
        length = (size_t)(line_end - text);
    length = length < MESSAGE_BYTES ? length : MESSAGE_BYTES;
    while (length > 0 && !vt_utf8_valid(text, length))
        length--;
    if (session_contains(text, length, "unsupported"))
        status = VT_ERR_UNSUPPORTED;
    else if (session_contains(text, length, "out of memory"))
        status = VT_ERR_NO_MEMORY;
    if (length > 0)
        status = vt_fail(error, status, "%s: %.*s", action, (int)length, text);
    else
        status = vt_fail(error, status, "%s: the data is damaged or cut off", action);
    g_free(said);
    return status;
}

void vt_vips_step(VipsImage **image, VipsImage *next)
{
    g_object_unref(*image);
    *image = next;
}

bool vt_vips_read_rgb(VipsImage *image, uint8_t *rgb)
{
    int width = vips_image_get_width(image), height = vips_image_get_height(image);
    size_t row_bytes = (size_t)width * 3;
    VipsRegion *region = vips_region_new(image);
    if (!region)
        return false;
    bool good = true;
    for (int y = 0; y < height && good; y += STRIP_ROWS) {
        VipsRect strip = {.left = 0, .top = y, .width = width, .height = STRIP_ROWS};
        if (strip.height > height - y)
            strip.height = height - y;
        good = vips_region_prepare(region, &strip) == 0;
        for (int row = y; row < y + strip.height && good; row++) {
            const uint8_t *from = region->data +
                                  (ptrdiff_t)(row - region->valid.top) * region->bpl -
                                  (ptrdiff_t)region->valid.left * 3;
            memcpy(rgb + (size_t)row * row_bytes, from, row_bytes);
        }
    }
    g_object_unref(region);
    return good;
}
