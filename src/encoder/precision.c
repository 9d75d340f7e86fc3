/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which precision an encoder computes in.
 *
 * f32, bf16 and int8 are taken as asked. AUTO tries what this machine computes faster than f32
 * (int8 only where the file holds quantised operators, then bf16), fastest first, and keeps the
 * first whose vector of the golden picture has cosine 0.999 or more with the reference vector. The
 * reference is the vector stored in the file, which was made in f32; such a comparison is at the
 * same time the check that a file with a golden picture gets anyway, so that a file whose fastest
 * precision holds is opened with one run of one picture, as before. A file without one is first run
 * in f32 on a picture of ours. Where nothing is faster than f32 nothing is compared.
 *
 * A verdict that is known from before saves the runs of what was refused. It is not believed
 * blindly: a golden picture that contradicts it makes AUTO decide anew.
 */
#include "encoder/network.h"

#include "base/cpu.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CANDIDATES = 2 };

void vt_precision_machine(char *out, size_t capacity)
{
    snprintf(out, capacity, "%s%s%s", vt_cpu_name(vt_cpu()),
             vt_precision_is_fast(VT_PRECISION_BF16) ? " bf16" : "",
             vt_precision_is_fast(VT_PRECISION_INT8) ? " int8" : "");
}

/* What is worth trying instead of f32, fastest first. */
static int list_candidates(const vt_encoder *encoder, vt_precision out[CANDIDATES])
{
    int count = 0;
    if (vt_precision_is_fast(VT_PRECISION_INT8) && vt_model_is_quantized(encoder->model))
        out[count++] = VT_PRECISION_INT8;
    if (vt_precision_is_fast(VT_PRECISION_BF16))
        out[count++] = VT_PRECISION_BF16;
    return count;
}

/* What does not fit ends in "...". */
static void note_refusal(vt_precision_verdict *verdict, vt_precision precision, const char *reason)
{
    size_t used = strlen(verdict->refused), room = sizeof(verdict->refused) - used;
    int length = snprintf(verdict->refused + used, room, "%s%s: %s", used > 0 ? "; " : "",
                          vt_precision_name(precision), reason);
    if (length >= 0 && (size_t)length >= room)
        memcpy(verdict->refused + sizeof(verdict->refused) - 4, "...", 4);
}

/* Takes it when it gives the golden vector. A run that fails, other than for want of memory, only
 * refuses it. */
static vt_status try_candidate(const vt_encoder *encoder, vt_golden *golden, vt_precision precision,
                               vt_precision_verdict *verdict, vt_error *error)
{
    vt_error reason = {0};
    double similarity = NAN;
    char text[64];
    vt_status status = vt_golden_compare(encoder, golden, precision, &similarity, &reason);
    if (status == VT_ERR_NO_MEMORY)
        return vt_fail_memory(error, "the golden picture's run");
    if (status == VT_OK && vt_golden_holds(similarity)) {
        verdict->precision = precision;
        verdict->similarity = similarity;
    } else if (status == VT_OK) {
        snprintf(text, sizeof(text), "similarity %.6f", similarity);
        note_refusal(verdict, precision, text);
    } else {
        note_refusal(verdict, precision, reason.message);
    }
    return VT_OK;
}

/* AUTO from the beginning. Ends with f32 when no candidate holds. */
static vt_status compare(const vt_encoder *encoder, vt_golden *golden,
                         const vt_precision candidates[CANDIDATES], int count,
                         vt_precision_verdict *verdict, vt_error *error)
{
    vt_status status = VT_OK;
    *verdict = (vt_precision_verdict){.precision = VT_PRECISION_F32, .similarity = NAN};
    if (!golden->stored && count > 0)
        status = vt_golden_embed(encoder, golden, VT_EXECUTOR_ONEDNN, VT_PRECISION_F32,
                                 golden->want, error);
    for (int i = 0; status == VT_OK && i < count && isnan(verdict->similarity); i++)
        status = try_candidate(encoder, golden, candidates[i], verdict, error);
    if (status != VT_OK || !isnan(verdict->similarity))
        return status;
    if (golden->stored)
        return vt_golden_compare(encoder, golden, VT_PRECISION_F32, &verdict->similarity, error);
    if (count > 0)
        verdict->similarity = 1.0; /* it is the reference */
    return VT_OK;
}

/* Whether an earlier verdict names a precision that could come out here. */
static bool is_usable(const vt_precision_verdict *known, const vt_precision *candidates, int count)
{
    if (known == NULL)
        return false;
    for (int i = 0; i < count; i++)
        if (known->precision == candidates[i])
            return true;
    return known->precision == VT_PRECISION_F32;
}

/* Known from before and, where there is a stored vector, still true; else decided anew. */
static vt_status settle_auto(const vt_encoder *encoder, vt_golden *golden,
                             const vt_precision candidates[CANDIDATES], int count,
                             vt_precision_verdict *verdict, vt_error *error)
{
    if (verdict->precision != VT_PRECISION_AUTO) {
        vt_status status =
            vt_golden_compare(encoder, golden, verdict->precision, &verdict->similarity, error);
        if (status != VT_OK || vt_golden_holds(verdict->similarity))
            return status;
    }
    return compare(encoder, golden, candidates, count, verdict, error);
}

vt_status vt_precision_settle(vt_encoder *encoder, const vt_encoder_options *options,
                              vt_error *error)
{
    bool automatic = options->precision == VT_PRECISION_AUTO;
    vt_precision candidates[CANDIDATES];
    int count = automatic ? list_candidates(encoder, candidates) : 0;
    bool known = automatic && is_usable(options->known, candidates, count);
    bool check = options->check_golden && encoder->own_contract &&
                 vt_model_metadata(encoder->model, VT_METADATA_GOLDEN) != NULL;
    vt_precision_verdict verdict = {.precision = options->precision, .similarity = NAN};
    if (known)
        verdict = *options->known;
    vt_status status = VT_OK;
    if (check || (count > 0 && !known)) {
        vt_golden golden;
        status = vt_golden_init(encoder, &golden, error);
        if (status == VT_OK)
            status = automatic ? settle_auto(encoder, &golden, candidates, count, &verdict, error)
                               : vt_golden_compare(encoder, &golden, verdict.precision,
                                                   &verdict.similarity, error);
        if (status == VT_OK && check && !vt_golden_holds(verdict.similarity))
            status = vt_golden_fail(encoder, verdict.precision, verdict.similarity, error);
        vt_golden_deinit(&golden);
    } else if (automatic && !known) {
        verdict.precision = VT_PRECISION_F32;
    }
    encoder->golden_checked = check;
    encoder->verdict = verdict;
    return status;
}
