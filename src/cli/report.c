/* SPDX-License-Identifier: Apache-2.0 */
/* How commands say what happened: failures, JSON documents, products, prices, strangers' texts. */
#include "cli/cli.h"

#include <math.h>
#include <string.h>

static const char *status_name(vt_status status)
{
    static const char *const names[] = {
#define VT_STATUS_NAME(name, text, http, exit_code) #name,
        VT_STATUS_TABLE(VT_STATUS_NAME)
#undef VT_STATUS_NAME
    };
    return (unsigned)status < (unsigned)VT_STATUS_COUNT ? names[status] : "?";
}

void vt_cli_complain(const char *command, vt_status status, const vt_error *error)
{
    fprintf(stderr, "vitrine %s: ", command);
    vt_cli_print(stderr, vt_cli_or(error->message, vt_status_text(status)));
    fputc('\n', stderr);
}

void vt_cli_put_error(vt_json_writer *writer, vt_status status, const vt_error *error)
{
    vt_json_open_object(writer, "error");
    vt_json_put_text(writer, "status", status_name(status));
    vt_json_put_text(writer, "message", vt_cli_or(error->message, vt_status_text(status)));
    vt_json_close(writer);
}

int vt_cli_fail(const char *command, bool json, vt_status status, const vt_error *error)
{
    if (json) {
        vt_buf document;
        vt_json_writer writer;
        vt_cli_begin_json(&writer, &document);
        vt_cli_put_error(&writer, status, error);
        vt_json_close(&writer);
        vt_cli_print_json(command, &document);
    }
    vt_cli_complain(command, status, error);
    return vt_status_exit_code(status);
}

int vt_cli_finish(int code)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return code;
    if (code == vt_status_exit_code(VT_ERR_IO))
        return code; /* said already */
    fprintf(stderr, "vitrine: not everything could be written to standard output\n");
    return code != 0 ? code : vt_status_exit_code(VT_ERR_IO);
}

void vt_cli_begin_json(vt_json_writer *writer, vt_buf *document)
{
    vt_buf_init(document, VT_CLI_DOCUMENT_BYTES);
    vt_json_begin(writer, document, true);
    vt_json_open_object(writer, NULL);
}

int vt_cli_print_json(const char *command, vt_buf *document)
{
    bool failed = document->failed;
    if (!failed)
        failed = printf("%s\n", vt_buf_text(document)) < 0 || fflush(stdout) != 0;
    vt_buf_deinit(document);
    if (!failed)
        return 0;
    fprintf(stderr, "vitrine %s: the answer could not be written\n", command);
    return vt_status_exit_code(VT_ERR_IO);
}

const char *vt_cli_or(const char *text, const char *fallback)
{
    return text != NULL && text[0] != '\0' ? text : fallback;
}

const char *vt_cli_run_precision(const char *asked, vt_onnx_executor executor)
{
    bool given = asked != NULL && strcmp(asked, "auto") != 0 && executor == VT_ONNX_ONEDNN;
    return given ? asked : "f32";
}

/* Bytes of the control character that starts here, 0: none. C1 controls are two bytes in UTF-8. */
static size_t control_length(const char *text)
{
    unsigned char c = (unsigned char)text[0], next = c != '\0' ? (unsigned char)text[1] : 0;
    if (c < 0x20 || c == 0x7f)
        return 1;
    return c == 0xc2 && next >= 0x80 && next <= 0x9f ? 2 : 0;
}

/* Prints one character and moves behind it. */
static void print_character(FILE *stream, const char **text)
{
    size_t control = control_length(*text);
    if (control > 0) {
        char c = **text;
        fputc(c == '\n' || c == '\t' || c == '\r' ? ' ' : '?', stream);
        *text += control;
        return;
    }
    do
        fputc(*(*text)++, stream);
    while (((unsigned char)**text & 0xc0) == 0x80);
}

void vt_cli_print(FILE *stream, const char *text)
{
    while (text != NULL && *text != '\0')
        print_character(stream, &text);
}

int vt_cli_print_cut(FILE *stream, const char *text, int width)
{
    for (; width > 0 && text != NULL && *text != '\0'; width--)
        print_character(stream, &text);
    return width;
}

void vt_cli_print_column(FILE *stream, const char *text, int width)
{
    int left = vt_cli_print_cut(stream, text, width);
    fprintf(stream, "%*s", left, "");
}

void vt_cli_price(const vt_product *product, char *out, size_t capacity)
{
    out[0] = '\0';
    if (!isnan(product->price))
        snprintf(out, capacity, "%.2f%s%s", product->price, product->currency != NULL ? " " : "",
                 vt_cli_or(product->currency, ""));
}

void vt_cli_put_attributes(vt_json_writer *writer, const vt_product *product)
{
    vt_json_open_object(writer, "attributes");
    for (size_t i = 0; i < product->attribute_count; i++) {
        const vt_attribute *attribute = &product->attributes[i];
        if (attribute->kind == VT_ATTRIBUTE_NUMBER) {
            vt_json_put_number(writer, attribute->name, attribute->number, -1);
        } else if (attribute->kind == VT_ATTRIBUTE_TEXT) {
            vt_json_put_text(writer, attribute->name, attribute->text);
        } else {
            vt_json_open_array(writer, attribute->name);
            for (size_t j = 0; j < attribute->item_count; j++)
                vt_json_put_text(writer, NULL, attribute->items[j]);
            vt_json_close(writer);
        }
    }
    vt_json_close(writer);
}

static void put_picture(vt_json_writer *writer, const vt_picture *picture)
{
    char hash[65], phash[17];
    vt_hex(picture->hash.bytes, sizeof(picture->hash.bytes), hash);
    snprintf(phash, sizeof(phash), "%016llx", (unsigned long long)picture->phash);
    vt_json_open_object(writer, NULL);
    vt_json_put_text(writer, "image", picture->source);
    vt_json_put_int(writer, "width", picture->width);
    vt_json_put_int(writer, "height", picture->height);
    vt_json_put_int(writer, "bytes", (int64_t)picture->file_bytes);
    vt_json_put_text(writer, "hash", hash);
    vt_json_put_text(writer, "phash", phash);
    vt_json_close(writer);
}

void vt_cli_put_product(vt_json_writer *writer, const vt_product *product)
{
    vt_json_put_text(writer, "product", product->id);
    vt_json_put_text(writer, "title", product->title);
    vt_json_put_text(writer, "description", product->description);
    vt_json_put_text(writer, "category", product->category);
    vt_json_put_text(writer, "brand", product->brand);
    vt_json_put_number(writer, "price", product->price, -1);
    vt_json_put_text(writer, "currency", product->currency);
    vt_json_put_text(writer, "link", product->link);
    vt_cli_put_attributes(writer, product);
    vt_json_open_array(writer, "images");
    for (size_t i = 0; i < product->picture_count; i++)
        put_picture(writer, &product->pictures[i]);
    vt_json_close(writer);
    vt_json_put_int(writer, "change", (int64_t)product->change);
}
