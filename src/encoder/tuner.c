/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a batcher runs the pictures that wait: how many together, and on how many cores.
 *
 * Two ways exist. A wide run spreads one batch over all cores: the shortest answer for few
 * pictures, but every layer waits for its slowest core. Narrow runs have one core each and share
 * nothing: the most pictures per second, once there is work for every core.
 *
 * - Fewer pictures than cores, and nothing runs: one wide run of them, unless narrow runs, by what
 *   is known of both, would answer sooner (a network so small that its cores wait for each other),
 *   or as many pictures as cores met lately. Who comes next will then meet this run, and what is
 *   done for that picture before (it is decoded) takes a core from all of the run's: two clients in
 *   turn had 300 answers a second from wide runs, one client alone the same 300, and 345 from
 *   narrow ones (two cores, SqueezeNet at 256 px in bf16).
 * - Otherwise narrow runs. Waiting pictures are shared out over the idle cores, in batches of at
 *   most the best size. Which that is is measured on the pictures themselves: sizes 1, 2, 4 ... are
 *   timed as soon as enough pictures wait to fill one, TIMED_RUNS times each, and a larger one
 *   replaces a smaller one when it takes less time per picture by GAIN or more; when one brings
 *   less than that twice in a row, larger ones are not tried. Nothing is run only to measure, so a
 *   queue that never holds 16 pictures never costs the memory of a batch of 16.
 *
 * All sizes are powers of two, so that networks plan few shapes. The fastest of the timed runs
 * counts: what disturbs a run only ever makes it slower. Runs in which a network saw a size for the
 * first time (it plans then) are not to be noted here.
 *
 * Threads: none of its own; the batcher calls it under its lock.
 */
#include "encoder/network.h"

#include <string.h>

enum { TIMED_RUNS = 2, PATIENCE = 2, CROWD_MEMORY = 32 };

static const double gain = 0.97; /* time per picture that a larger batch must fall below */

static int size_index(int count)
{
    int index = 0;
    while (index + 1 < VT_TUNER_SIZES && 2 << index <= count)
        index++;
    return index;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

void vt_tuner_init(vt_tuner *tuner, int cores, int maximum_batch)
{
    *tuner = (vt_tuner){.cores = cores, .maximum_batch = maximum_batch};
}

static bool is_timed(const vt_tuner_timing *timing)
{
    return timing->runs >= TIMED_RUNS;
}

static double per_picture(const vt_tuner *tuner, int index)
{
    return tuner->narrow[index].best_ms / (double)(1 << index);
}

/* `index`: of the largest batch that the waiting pictures fill. Narrow runs of one picture each
 * would go on side by side, so all of them take as long as one. */
static bool wide_is_sooner(const vt_tuner *tuner, int index)
{
    return !is_timed(&tuner->wide[index]) || !is_timed(&tuner->narrow[0]) ||
           tuner->wide[index].best_ms <= tuner->narrow[0].best_ms;
}

/* The size to use for so many pictures: the next one that is not known yet, if they fill it, else
 * the best one. */
static int narrow_index(const vt_tuner *tuner, int share)
{
    int filled = size_index(share);
    for (int i = 0; i <= filled && !tuner->settled; i++)
        if (!is_timed(&tuner->narrow[i]))
            return i;
    return smaller(tuner->best, filled);
}

void vt_tuner_meet(vt_tuner *tuner, int pictures)
{
    if (pictures >= tuner->cores)
        tuner->crowded = CROWD_MEMORY;
    else if (tuner->crowded > 0)
        tuner->crowded--;
}

vt_tuner_choice vt_tuner_choose(const vt_tuner *tuner, int waiting, int idle)
{
    int most = smaller(waiting, tuner->maximum_batch);
    if (most < 1)
        return (vt_tuner_choice){0};
    if (idle == tuner->cores && waiting < tuner->cores && tuner->crowded == 0 &&
        wide_is_sooner(tuner, size_index(most)))
        return (vt_tuner_choice){1 << size_index(most), true};
    /* This core's share: the others that are idle take theirs at the same moment. */
    int share = smaller((waiting + idle - 1) / idle, tuner->maximum_batch);
    return (vt_tuner_choice){1 << narrow_index(tuner, share), false};
}

/* The best size, and whether larger ones are worth trying, from everything timed so far. */
static void rank_sizes(vt_tuner *tuner)
{
    int last = size_index(tuner->maximum_batch), without_gain = 0;
    tuner->best = 0;
    for (int i = 1; i <= last && is_timed(&tuner->narrow[i - 1]); i++) {
        if (!is_timed(&tuner->narrow[i]))
            return;
        bool better = per_picture(tuner, i) < gain * per_picture(tuner, tuner->best);
        tuner->best = better ? i : tuner->best;
        without_gain = better ? 0 : without_gain + 1;
        if (without_gain == PATIENCE || i == last) {
            tuner->settled = true;
            return;
        }
    }
}

void vt_tuner_note(vt_tuner *tuner, const vt_tuner_choice *run, double took_ms)
{
    int index = size_index(run->count);
    vt_tuner_timing *timing = run->wide ? &tuner->wide[index] : &tuner->narrow[index];
    if (is_timed(timing))
        return; /* decided on: what follows would only make the choice restless */
    if (timing->runs == 0 || took_ms < timing->best_ms)
        timing->best_ms = took_ms;
    timing->runs++;
    if (!run->wide && !tuner->settled)
        rank_sizes(tuner);
}

void vt_tuner_bound(vt_tuner *tuner, int maximum_batch)
{
    if (maximum_batch >= tuner->maximum_batch)
        return;
    tuner->maximum_batch = maximum_batch < 1 ? 1 : maximum_batch;
    rank_sizes(tuner);
}
