/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the binary files that test_cli.sh needs into a directory: pictures and networks, sound
 * ones and broken ones.
 *
 *     fixtures DIRECTORY
 */
#include "support/goods.h"
#include "support/onnx_builder.h"

#include "base/file.h"

#include <sys/stat.h>
#include <turbojpeg.h>

enum { GOODS = 6, CUT = 3 };

static const char *root;
static bool failed;

static const char *at(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    return path;
}

static void note(bool done, const char *name)
{
    if (!done)
        fprintf(stderr, "fixtures: cannot write \"%s\"\n", name);
    failed = failed || !done;
}

static void make_directory(const char *name)
{
    note(mkdir(at(name), 0700) == 0, name);
}

static void write_bytes(const char *name, const void *bytes, size_t length)
{
    note(goods_write_bytes(at(name), bytes, length), name);
}

static void write_buf(const char *name, vt_buf *file)
{
    note(!file->failed && goods_write_bytes(at(name), vt_buf_text(file), file->length), name);
    vt_buf_deinit(file);
}

/* ---- pictures ---- */

static void write_goods(void)
{
    for (int i = 0; i < GOODS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "good%d.jpg", i);
        note(goods_write(at(name), i, 0), name);
        snprintf(name, sizeof(name), "photo%d.jpg", i);
        note(goods_write(at(name), i, 4), name);
    }
}

static uint32_t png_crc(const uint8_t *bytes, size_t length)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ UINT32_C(0xedb88320) : crc >> 1;
    }
    return ~crc;
}

static void put_be32(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void png_chunk(vt_buf *out, const char *type, const void *data, size_t length)
{
    uint8_t number[4];
    put_be32(number, (uint32_t)length);
    vt_buf_append(out, number, 4);
    size_t start = out->length;
    vt_buf_append(out, type, 4);
    vt_buf_append(out, data, length);
    put_be32(number, png_crc((const uint8_t *)out->data + start, 4 + length));
    vt_buf_append(out, number, 4);
}

/* A PNG that says it is this large: whoever trusts it before asking for a limit allocates it all.
 */
static void write_png_claim(const char *name, uint32_t width, uint32_t height)
{
    uint8_t head[13] = {0};
    vt_buf png;
    vt_buf_init(&png, 1024);
    put_be32(head, width);
    put_be32(head + 4, height);
    head[8] = 8; /* bits, of RGB */
    head[9] = 2;
    vt_buf_append(&png, "\x89PNG\r\n\x1a\n", 8);
    png_chunk(&png, "IHDR", head, sizeof(head));
    png_chunk(&png, "IDAT", "\x78\x9c\x03\x00\x00\x00\x00\x01", 8); /* nothing, deflated */
    png_chunk(&png, "IEND", "", 0);
    write_buf(name, &png);
}

static void write_cmyk(const char *name)
{
    static uint8_t pixels[GOODS_SIDE * GOODS_SIDE * 4];
    unsigned char *jpeg = NULL;
    unsigned long length = 0;
    for (size_t i = 0; i < sizeof(pixels); i++)
        pixels[i] = (uint8_t)(i / 4 % GOODS_SIDE + i % 4 * 40);
    tjhandle handle = tjInitCompress();
    note(handle != NULL && tjCompress2(handle, pixels, GOODS_SIDE, 0, GOODS_SIDE, TJPF_CMYK, &jpeg,
                                       &length, TJSAMP_444, 90, 0) == 0,
         name);
    write_bytes(name, jpeg, length);
    tjFree(jpeg);
    tjDestroy(handle);
}

/* Two frames of one pixel. */
static void write_animation(const char *name)
{
    static const uint8_t gif[] =
        "GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\x40\x40\x00\x00\x00"
        "!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
        "!\xf9\x04\x00\x0a\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00"
        "!\xf9\x04\x00\x0a\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x4c\x01\x00;";
    write_bytes(name, gif, sizeof(gif) - 1);
}

static void write_odd_pictures(void)
{
    vt_image image = {0}, pixel = {0};
    vt_buf jpeg, png;
    static const uint8_t zeros[4096];
    static const char svg[] = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\">"
                              "<rect width=\"9\" height=\"9\"/></svg>";
    vt_buf_init(&jpeg, 1 << 20);
    vt_buf_init(&png, 1 << 20);
    note(goods_draw(1, 0, &image, NULL) == VT_OK &&
             vt_image_encode_jpeg(&image, 92, &jpeg, NULL) == VT_OK &&
             vt_image_encode_png(&image, &png, NULL) == VT_OK,
         "pictures");
    write_bytes("truncated.jpg", vt_buf_text(&jpeg), jpeg.length / CUT);
    write_bytes("truncated.png", vt_buf_text(&png), png.length / CUT);
    write_bytes("renamed.jpg", vt_buf_text(&png), png.length);
    write_bytes("empty.jpg", "", 0);
    write_bytes("zeros.jpg", zeros, sizeof(zeros));
    write_bytes("drawing.jpg", svg, sizeof(svg) - 1);
    note(vt_image_init(&pixel, 1, 1, NULL) == VT_OK, "onepixel.png");
    memset(pixel.rgb, 90, 3);
    note(goods_write_image(at("onepixel.png"), &pixel), "onepixel.png");
    write_png_claim("huge.png", 30000, 30000);
    write_png_claim("bomb.png", 2147483647, 2147483647);
    write_cmyk("cmyk.jpg");
    write_animation("animated.gif");
    vt_buf_deinit(&jpeg);
    vt_buf_deinit(&png);
    vt_image_deinit(&image);
    vt_image_deinit(&pixel);
}

/* ---- networks ---- */

static vt_buf increment(void)
{
    onnx_builder b;
    onnx_begin(&b);
    onnx_input(&b, "x", VT_F32, 2, (int64_t[]){2, 3});
    onnx_weight(&b, "one", 1, (int64_t[]){1}, (float[]){1.0f});
    onnx_node(&b, "Add", "x,one", "y");
    onnx_output(&b, "y", VT_F32, 2, (int64_t[]){2, 3});
    return onnx_finish(&b);
}

static void write_network(const char *name, vt_buf file)
{
    write_buf(name, &file);
}

static void write_broken_networks(void)
{
    onnx_builder b;
    tiny_options tiny = tiny_defaults();
    vt_buf whole = tiny_build(&tiny);
    write_bytes("truncated.onnx", vt_buf_text(&whole), whole.length / 2);
    vt_buf_deinit(&whole);

    onnx_begin(&b);
    onnx_input(&b, "x", VT_F32, 4, (int64_t[]){1, 3, 8, 8});
    onnx_node(&b, "Add", "x,loop_b", "loop_a");
    onnx_node(&b, "Relu", "loop_a", "loop_b");
    onnx_output(&b, "loop_b", VT_F32, 4, (int64_t[]){1, 3, 8, 8});
    write_network("cycle.onnx", onnx_finish(&b));

    onnx_begin(&b);
    onnx_input(&b, "x", VT_F32, 4, (int64_t[]){1, 3, 8, 8});
    onnx_node(&b, "FrobnicateImage", "x", "y");
    onnx_output(&b, "y", VT_F32, 4, (int64_t[]){1, 3, 8, 8});
    write_network("unknown.onnx", onnx_finish(&b));

    onnx_begin(&b);
    onnx_input(&b, "x", VT_F32, 4, (int64_t[]){1, 3, 8, 8});
    onnx_raw(&b, "w", VT_F32, 4, (int64_t[]){1 << 20, 1 << 20, 1 << 20, 1 << 20}, "1234", 4);
    onnx_node(&b, "Conv", "x,w", "y");
    onnx_output(&b, "y", VT_F32, 4, (int64_t[]){1, 1 << 20, 1, 1});
    write_network("absurd.onnx", onnx_finish(&b));

    onnx_begin(&b);
    onnx_input(&b, "x", VT_F32, 4, (int64_t[]){1, 3, 8, 8});
    onnx_external(&b, "w", 4, (int64_t[]){8, 3, 3, 3}, "../../../../../etc/passwd");
    onnx_node(&b, "Conv", "x,w", "y");
    onnx_output(&b, "y", VT_F32, 4, (int64_t[]){1, 8, 6, 6});
    write_network("external.onnx", onnx_finish(&b));
}

static void write_tensor(const char *name, float first)
{
    float values[6];
    vt_tensor tensor = {.dtype = VT_F32,
                        .shape = vt_shape_of(2, (int64_t[]){2, 3}),
                        .data = values,
                        .bytes = sizeof(values)};
    vt_buf file;
    vt_buf_init(&file, 1 << 16);
    for (int i = 0; i < 6; i++)
        values[i] = first + (float)i;
    vt_status status = vt_text_ends_nocase(name, ".npy")
                           ? vt_tensor_write_npy(&tensor, &file, NULL)
                           : vt_tensor_write_pb(&tensor, "x", &file, NULL);
    note(status == VT_OK, name);
    write_buf(name, &file);
}

/* Folders as the ONNX backend test suite has them: y = x + 1. */
static void write_case(const char *name, float first_expected)
{
    char path[256];
    make_directory(name);
    snprintf(path, sizeof(path), "%s/test_data_set_0", name);
    make_directory(path);
    snprintf(path, sizeof(path), "%s/model.onnx", name);
    write_network(path, increment());
    snprintf(path, sizeof(path), "%s/test_data_set_0/input_0.pb", name);
    write_tensor(path, 0.0f);
    snprintf(path, sizeof(path), "%s/test_data_set_0/output_0.pb", name);
    write_tensor(path, first_expected);
}

static void write_networks(void)
{
    tiny_options tiny = tiny_defaults();
    write_network("tiny.onnx", tiny_build(&tiny));
    tiny.seed = 2;
    write_network("other.onnx", tiny_build(&tiny));
    write_network("increment.onnx", increment());
    write_tensor("x.npy", 0.0f);
    write_tensor("x.pb", 0.0f);
    make_directory("cases");
    write_case("cases/passes", 1.0f);
    make_directory("wrong");
    write_case("wrong/fails", 7.0f);
    make_directory("unsupported");
    write_case("unsupported/unknown", 1.0f);
    onnx_builder b;
    onnx_begin(&b);
    onnx_input(&b, "x", VT_F32, 2, (int64_t[]){2, 3});
    onnx_node(&b, "FrobnicateImage", "x", "y");
    onnx_output(&b, "y", VT_F32, 2, (int64_t[]){2, 3});
    write_network("unsupported/unknown/model.onnx", onnx_finish(&b));
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: fixtures DIRECTORY\n");
        return 2;
    }
    root = argv[1];
    write_goods();
    write_odd_pictures();
    write_networks();
    write_broken_networks();
    return failed ? 1 : 0;
}
