/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training on a shop that this process has open, with a recipe that a stranger wrote.
 *
 *     vt_train_in_shop(shop, &options, &report, error);
 *
 * Networks that the recipe names are built in or files of the shop's models/ by their names, and it
 * validates on a split: nothing else of this machine is read. What came of it is promoted through
 * this handle if recall on the held-out photos rises; a promotion that is stopped is taken back,
 * for nobody has the file to go on with.
 *
 * Threads: beside searches, puts and one import of the shop, as vt_shop_promote.
 */
#ifndef VT_SHOP_TRAIN_IN_SHOP_H
#define VT_SHOP_TRAIN_IN_SHOP_H

#include "vitrine.h"

/* options->promote is not looked at. */
vt_status vt_train_in_shop(vt_shop *shop, const vt_train_options *options, vt_train_report **out,
                           vt_error *error);
/* Whether the recipe says what can be trained in the shop of that directory. */
vt_status vt_train_in_shop_check(const char *directory, const vt_train_options *options,
                                 vt_error *error);

#endif
