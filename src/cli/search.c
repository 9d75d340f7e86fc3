/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine search */
#include "base/mem.h"
#include "cli/cli.h"

#include <math.h>
#include <string.h>

enum { MAXIMUM_PHOTOS = 64, BAR_WIDTH = 20 };

/* Why there is nothing to show. */
static void print_nothing(const vt_answer *answer, const vt_query *query, char *out,
                          size_t capacity)
{
    if (answer->matched == 0 && query->text != NULL)
        snprintf(out, capacity, "no product%s has these words",
                 query->where != NULL ? " that passes the filter" : "");
    else if (answer->matched == 0 && query->where != NULL)
        snprintf(out, capacity, "no product passes the filter");
    else if (query->offset > 0)
        snprintf(out, capacity, "there are no products after the first %zu", query->offset);
    else if (answer->searched == 0)
        snprintf(out, capacity,
                 "this shop holds no pictures yet; bring some in with 'vitrine import'");
    else
        snprintf(out, capacity,
                 "nothing in this shop is similar enough: of %llu pictures none reaches %.3f",
                 (unsigned long long)answer->searched, query->min_similarity);
}

static void put_result(vt_json_writer *writer, const vt_result *result, size_t rank)
{
    const vt_product *product = result->product;
    vt_json_open_object(writer, NULL);
    vt_json_put_int(writer, "rank", (int64_t)rank);
    vt_json_put_text(writer, "product", product->id);
    vt_json_put_text(writer, "title", product->title);
    vt_json_put_number(writer, "similarity", result->similarity, 4);
    vt_json_put_number(writer, "text_score", result->text_score, 4);
    vt_json_put_text(writer, "image", result->picture->source);
    vt_json_put_text(writer, "category", product->category);
    vt_json_put_text(writer, "brand", product->brand);
    vt_json_put_number(writer, "price", product->price, -1);
    vt_json_put_text(writer, "currency", product->currency);
    vt_json_put_text(writer, "link", product->link);
    vt_cli_put_attributes(writer, product);
    vt_json_close(writer);
}

static int print_json(const vt_answer *answer, const vt_query *query, const char *html,
                      const char *precision)
{
    vt_buf document;
    vt_json_writer writer;
    vt_cli_begin_json(&writer, &document);
    vt_json_open_array(&writer, "results");
    for (size_t i = 0; i < answer->count; i++)
        put_result(&writer, &answer->results[i], query->offset + i + 1);
    vt_json_close(&writer);
    if (answer->count == 0) {
        char nothing[160];
        print_nothing(answer, query, nothing, sizeof(nothing));
        vt_json_put_text(&writer, "message", nothing);
    }
    if (html != NULL)
        vt_json_put_text(&writer, "html", html);
    vt_json_put_text(&writer, "precision", precision);
    vt_json_put_text(&writer, "strategy", answer->strategy);
    vt_json_put_bool(&writer, "complete", answer->complete);
    vt_json_put_int(&writer, "offset", (int64_t)query->offset);
    vt_json_put_int(&writer, "matched", (int64_t)answer->matched);
    vt_json_put_int(&writer, "searched", (int64_t)answer->searched);
    vt_json_put_int(&writer, "visited", (int64_t)answer->visited);
    vt_cli_put_facets(&writer, answer->facets, answer->facet_count);
    vt_json_open_object(&writer, "took_ms");
    vt_json_put_number(&writer, "decode", answer->decode_ms, 3);
    vt_json_put_number(&writer, "embed", answer->embed_ms, 3);
    vt_json_put_number(&writer, "filter", answer->filter_ms, 3);
    vt_json_put_number(&writer, "search", answer->search_ms, 3);
    vt_json_put_number(&writer, "total", answer->total_ms, 3);
    vt_json_close(&writer);
    vt_json_close(&writer);
    return vt_cli_print_json("search", &document);
}

static void print_part(const char *before, const char *text, const char *after)
{
    if (text == NULL || text[0] == '\0')
        return;
    printf("%s", before);
    vt_cli_print(stdout, text);
    printf("%s", after);
}

static void print_similarity(double similarity)
{
    int filled = (int)(similarity * BAR_WIDTH + 0.5);
    printf("  %.3f ", similarity);
    for (int c = 0; c < BAR_WIDTH; c++)
        putchar(c < filled ? '#' : '.');
}

static void print_result(const vt_result *result, size_t rank)
{
    const vt_product *product = result->product;
    char price[64];
    vt_cli_price(product, price, sizeof(price));
    printf("%3zu", rank);
    if (!isnan(result->similarity))
        print_similarity(result->similarity);
    print_part("  ", product->id, "");
    print_part("  ", product->title, "");
    print_part("  [", product->category, "]");
    print_part("  ", price, "\n");
    if (price[0] == '\0')
        putchar('\n');
}

static void print_comparison(const vt_answer *answer)
{
    printf("%llu pictures compared (%s%s) in %.0f ms: decode %.0f, embed %.0f, search %.1f\n",
           (unsigned long long)answer->searched, answer->strategy,
           answer->complete ? ", complete" : "", answer->total_ms, answer->decode_ms,
           answer->embed_ms, answer->search_ms);
}

static void print_text(const vt_answer *answer, const vt_query *query)
{
    for (size_t i = 0; i < answer->count; i++)
        print_result(&answer->results[i], query->offset + i + 1);
    if (answer->count == 0) {
        char nothing[160];
        print_nothing(answer, query, nothing, sizeof(nothing));
        printf("%s\n", nothing);
    }
    vt_cli_print_facets(answer->facets, answer->facet_count);
    if (query->text != NULL)
        printf("%llu product%s with these words%s; ", (unsigned long long)answer->matched,
               answer->matched == 1 ? "" : "s", query->where != NULL ? " in the filter" : "");
    else if (query->where != NULL)
        printf("%llu product%s the filter; ", (unsigned long long)answer->matched,
               answer->matched == 1 ? " passes" : "s pass");
    if (query->photo_count + query->like_count == 0)
        printf("ranked by words in %.1f ms\n", answer->total_ms);
    else
        print_comparison(answer);
}

static bool parse_crop(const char *text, vt_query *query)
{
    int *const parts[] = {&query->crop_x, &query->crop_y, &query->crop_width, &query->crop_height};
    for (int i = 0; i < 4; i++) {
        char part[16];
        size_t length = strcspn(text, ",");
        int64_t value;
        bool last = i == 3;
        if (length >= sizeof(part) || (text[length] == '\0') != last)
            return false;
        memcpy(part, text, length);
        part[length] = '\0';
        if (!vt_parse_int(part, i < 2 ? 0 : 1, 1 << 20, &value))
            return false;
        *parts[i] = (int)value;
        text += length + 1;
    }
    return true;
}

typedef struct output {
    const char *html, *precision; /* NULL: none, the shop's */
    bool json;
} output;

static int run(const char *directory, const vt_query *query, const output *how)
{
    const char *html = how->html;
    bool json = how->json;
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_answer *answer = NULL;
    vt_status status = vt_shop_open(directory, VT_OPEN_READ, &shop, &error);
    if (status == VT_OK)
        status = vt_shop_use_precision(shop, how->precision, &error);
    if (status == VT_OK)
        status = vt_shop_search(shop, query, &answer, &error);
    if (status == VT_OK && html != NULL)
        status = vt_cli_write_html(shop, query, answer, html, &error);
    int code = 0;
    if (status != VT_OK)
        code = vt_cli_fail("search", json, status, &error);
    else if (json)
        code = print_json(answer, query, html, vt_shop_precision(shop));
    else
        print_text(answer, query);
    if (code == 0 && html != NULL && !json)
        printf("page: %s\n", html);
    vt_answer_free(answer);
    vt_shop_close(shop);
    return code;
}

/* "A-17" or "A-17=-0.5": what stands after the last = is the weight when it is a number. */
static void parse_like(char *text, vt_like *out)
{
    char *mark = strrchr(text, '=');
    *out = (vt_like){text, 1.0};
    if (mark != NULL && mark != text && vt_parse_double(mark + 1, strlen(mark + 1), &out->weight))
        *mark = '\0';
}

/* What the command line holds besides the query's own fields. */
typedef struct given {
    const char *crop, *facets;
    int64_t top, offset, facet_top;
    vt_cli_list likes;
    vt_photo photos[MAXIMUM_PHOTOS];
    vt_like like[VT_CLI_LIST_CAPACITY];
    char *like_texts[VT_CLI_LIST_CAPACITY]; /* owned */
    vt_cli_names names;
} given;

static void given_deinit(given *all)
{
    for (size_t i = 0; i < all->likes.count; i++)
        vt_free(all->like_texts[i]);
    vt_free(all->names.memory);
}

/* False with the reason in *problem. */
static bool make_query(given *all, const vt_cli_arguments *arguments, vt_query *query,
                       vt_error *problem)
{
    if (all->crop != NULL && !parse_crop(all->crop, query)) {
        snprintf(problem->message, sizeof(problem->message),
                 "--crop %.64s: four whole numbers X,Y,W,H are needed", all->crop);
        return false;
    }
    if (all->facets != NULL && !vt_cli_split_names(all->facets, &all->names)) {
        snprintf(problem->message, sizeof(problem->message),
                 "--facets: more names than can be counted at once (%d)", VT_CLI_FACET_CAPACITY);
        return false;
    }
    if (arguments->count < 2 && all->likes.count == 0 && query->text == NULL) {
        snprintf(problem->message, sizeof(problem->message),
                 "a photo, --like PRODUCT or --text WORDS is needed; see 'vitrine search --help'");
        return false;
    }
    for (size_t i = 0; i < all->likes.count; i++) {
        all->like_texts[i] = vt_strdup(all->likes.items[i]);
        if (all->like_texts[i] == NULL) {
            snprintf(problem->message, sizeof(problem->message), "out of memory");
            return false;
        }
        parse_like(all->like_texts[i], &all->like[i]);
    }
    for (int i = 1; i < arguments->count; i++)
        all->photos[i - 1].path = arguments->items[i];
    query->photos = all->photos;
    query->photo_count = (size_t)arguments->count - 1;
    query->likes = all->like;
    query->like_count = all->likes.count;
    query->top = (size_t)all->top;
    query->offset = (size_t)all->offset;
    query->facets = all->names.items;
    query->facet_count = all->names.count;
    query->facet_top = (size_t)all->facet_top;
    return true;
}

int vt_cli_search(int argc, char **argv)
{
    vt_query query = vt_query_defaults();
    given all = {.top = (int64_t)query.top, .facet_top = (int64_t)query.facet_top};
    output how = {0};
    const vt_cli_option options[] = {
        {"top", "K", VT_CLI_INT, &all.top, "products wanted (default 10)", 1, 10000},
        VT_CLI_OFFSET_OPTION(&all.offset),
        VT_CLI_WHERE_OPTION(&query.where),
        VT_CLI_LIST_OPTION("like", "PRODUCT[=WEIGHT]", &all.likes,
                           "more like this product (less: a negative weight); may be repeated"),
        VT_CLI_TEXT_OPTION("text", "WORDS", &query.text,
                           "only products that have these words; alone: ranked by them"),
        VT_CLI_TEXT_OPTION("sort", "NAME", &query.sort,
                           "order what was found by this attribute, -NAME: the reverse"),
        VT_CLI_FACETS_OPTION(&all.facets),
        VT_CLI_FACET_TOP_OPTION(&all.facet_top),
        VT_CLI_FLAG_OPTION("exact", &query.exact, "compare with every picture that may answer"),
        {"min-similarity", "S", VT_CLI_NUMBER, &query.min_similarity,
         "leave out products below this cosine (-1 to 1)", -1, 1},
        VT_CLI_TEXT_OPTION("crop", "X,Y,W,H", &all.crop,
                           "look only at this part of each photo, in its pixels"),
        VT_CLI_TEXT_OPTION("html", "FILE", &how.html,
                           "write a self-contained page with the pictures"),
        VT_CLI_SHOP_PRECISION_OPTION(&how.precision),
        VT_CLI_FLAG_OPTION("json", &how.json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "search",
        "SHOP [PHOTO...]",
        "Finds the products that look like the photo, best first. Several photos are taken as\n"
        "views of one and the same thing; liked products join them with their weights. Words\n"
        "(--text) leave only products that have all of them, or find products alone.",
        "  vitrine search my.shop photo.jpg --top 5 --where \"price < 100\" --html found.html\n"
        "  vitrine search my.shop --like A-17 --like B-3=-0.5\n"
        "  vitrine search my.shop photo.jpg --text \"red mug\" --sort -price",
        1,
        1 + MAXIMUM_PHOTOS,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_error error = {0};
    code = make_query(&all, &arguments, &query, &error)
               ? run(arguments.items[0], &query, &how)
               : vt_cli_fail("search", how.json, VT_ERR_USAGE, &error);
    given_deinit(&all);
    return code;
}
