/* SPDX-License-Identifier: Apache-2.0 */
/* search SHOP PHOTO: the five products that look most like the photo.
 *     cc search.c -o search -lvitrine */
#include <stdio.h>
#include <vitrine.h>

static int fail(const vt_error *error)
{
    fprintf(stderr, "search: %s\n", error->message);
    return vt_status_exit_code(error->status);
}

int main(int argc, char **argv)
{
    vt_error error;
    vt_shop *shop;
    vt_answer *answer;
    if (argc != 3) {
        fprintf(stderr, "usage: search SHOP PHOTO\n");
        return 2;
    }
    if (vt_shop_open(argv[1], VT_OPEN_READ, &shop, &error) != VT_OK)
        return fail(&error);
    vt_photo photo = {.path = argv[2]};
    vt_query query = vt_query_defaults();
    query.photos = &photo;
    query.photo_count = 1;
    query.top = 5;
    int code = 0;
    if (vt_shop_search(shop, &query, &answer, &error) == VT_OK) {
        for (size_t i = 0; i < answer->count; i++)
            printf("%.3f %s\n", answer->results[i].similarity, answer->results[i].product->id);
        vt_answer_free(answer);
    } else {
        code = fail(&error);
    }
    vt_shop_close(shop);
    return code;
}
