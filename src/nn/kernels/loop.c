/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a program of elementwise operations over tensors, block by block.
 *
 * Method: a block of BLOCK elements of the result is computed by running each instruction over it
 * with every register a block in the first cache, so that a chain reads its operands and writes its
 * result once, whatever its length (as the "vectorised interpretation" of database engines, Boncz,
 * Zukowski, Nes, CIDR 2005). An operand that lies in order is read where it is; others are brought
 * into a register by runs along the innermost axis: a copy, one number repeated, or a gather.
 *
 * Threads: with gcc, whose OpenMP runtime is the one oneDNN already uses, the blocks are shared out
 * by a pragma (so that both use one set of threads); elsewhere, and under ThreadSanitizer, which
 * does not see that runtime's barriers, the calling thread does all.
 */
#include "nn/kernels/loop.h"

#include <string.h>

/* 2 KiB a register: a dozen of them leave room in 32 KiB; shorter blocks pay more for the calls. */
enum { BLOCK = 512 };
/* A thread's share, in instructions times elements, below which waking it costs more. */
static const size_t share_minimum = (size_t)1 << 18;

/* An operand's own view of the space: axes it treats alike are one. */
typedef struct operand {
    int rank; /* 1 at least */
    bool boolean;
    size_t sizes[VT_LOOP_RANK], strides[VT_LOOP_RANK];
} operand;

struct vt_loop {
    vt_elementwise program;
    operand operands[VT_ELEMENTWISE_INPUTS];
    const vt_elementwise_table *table;
    size_t count;
    bool boolean_result;
    int threads;
};

typedef struct loop_frame {
    const float *registers[VT_ELEMENTWISE_REGISTERS]; /* where each is now */
    float blocks[VT_ELEMENTWISE_REGISTERS][BLOCK] __attribute__((aligned(64)));
} loop_frame;

/* ---- making one ---- */

static void operand_init(operand *out, const vt_loop_space *space, int input)
{
    *out = (operand){.boolean = space->booleans[input]};
    for (int i = 0; i < space->rank; i++) {
        size_t size = space->sizes[i], stride = space->strides[input][i];
        int last = out->rank - 1;
        if (size == 1)
            continue;
        if (last >= 0 && out->strides[last] == stride * size) {
            out->sizes[last] *= size;
            out->strides[last] = stride;
        } else {
            out->sizes[out->rank] = size;
            out->strides[out->rank++] = stride;
        }
    }
    if (out->rank == 0) {
        out->rank = 1;
        out->sizes[0] = 1;
    }
}

vt_status vt_loop_new(const vt_elementwise *program, const vt_loop_space *space, vt_loop **out,
                      vt_error *error)
{
    const size_t maximum = (size_t)1 << 40;
    size_t count = 1;
    for (int i = 0; i < space->rank; i++)
        if (!vt_size_mul(count, space->sizes[i], &count) || count > maximum)
            return vt_fail(error, VT_ERR_LIMIT, "an elementwise result is too large");
    vt_loop *loop = vt_calloc(1, sizeof *loop);
    if (loop == NULL)
        return vt_fail_memory(error, "an elementwise loop");
    loop->program = *program;
    loop->table = vt_elementwise_table_get();
    loop->count = count;
    loop->boolean_result = space->boolean_result;
    size_t work = count * (size_t)program->instruction_count;
    size_t threads = space->threads > 1 ? (size_t)space->threads : 1;
    loop->threads = (int)(work / share_minimum < threads ? work / share_minimum : threads);
    for (int i = 0; i < program->input_count; i++)
        operand_init(&loop->operands[i], space, i);
    *out = loop;
    return VT_OK;
}

void vt_loop_free(vt_loop *loop)
{
    vt_free(loop);
}

/* ---- operands ---- */

static bool in_order(const operand *from)
{
    return from->rank == 1 && from->strides[0] == 1 && !from->boolean;
}

static bool is_single(const operand *from)
{
    return from->rank == 1 && from->strides[0] == 0;
}

static void fill(float *out, size_t count, float value)
{
    for (size_t i = 0; i < count; i++)
        out[i] = value;
}

/* One run along the innermost axis. */
static void fetch_run(const vt_loop *loop, const operand *from, const void *data, size_t at,
                      size_t count, float *out)
{
    const float *floats = data;
    const uint8_t *bytes = data;
    size_t stride = from->strides[from->rank - 1];
    if (stride == 0)
        fill(out, count, from->boolean ? (float)(bytes[at] != 0) : floats[at]);
    else if (stride == 1 && from->boolean)
        loop->table->from_bool(bytes + at, out, count);
    else if (stride == 1)
        memcpy(out, floats + at, count * sizeof *out);
    else
        for (size_t i = 0; i < count; i++, at += stride)
            out[i] = from->boolean ? (float)(bytes[at] != 0) : floats[at];
}

/* Elements start .. start + count of the result's order: in place where they lie so, else in out.
 */
static const float *fetch(const vt_loop *loop, const operand *from, const void *data, size_t start,
                          size_t count, float *out)
{
    size_t position[VT_LOOP_RANK], at = 0, rest = start;
    int inner = from->rank - 1;
    if (in_order(from))
        return (const float *)data + start;
    for (int i = inner; i >= 0; i--) {
        position[i] = rest % from->sizes[i];
        rest /= from->sizes[i];
        at += position[i] * from->strides[i];
    }
    for (size_t done = 0; done < count;) {
        size_t run = from->sizes[inner] - position[inner];
        run = run < count - done ? run : count - done;
        if (run == count && from->strides[inner] == 1 && !from->boolean)
            return (const float *)data + at;
        fetch_run(loop, from, data, at, run, out + done);
        done += run;
        at += run * from->strides[inner];
        position[inner] += run;
        for (int i = inner; i > 0 && position[i] == from->sizes[i]; i--) {
            at -= from->sizes[i] * from->strides[i];
            at += from->strides[i - 1];
            position[i] = 0;
            position[i - 1]++;
        }
    }
    return out;
}

/* ---- running ---- */

static void frame_init(const vt_loop *loop, const void *const *inputs, loop_frame *frame)
{
    const vt_elementwise *program = &loop->program;
    for (int i = 0; i < program->register_count; i++)
        frame->registers[i] = frame->blocks[i];
    for (int i = 0; i < program->input_count; i++)
        if (is_single(&loop->operands[i]))
            fetch_run(loop, &loop->operands[i], inputs[i], 0, BLOCK, frame->blocks[i]);
    for (int i = 0; i < program->constant_count; i++)
        fill(frame->blocks[program->input_count + i], BLOCK, program->constants[i]);
}

/* out: where the last instruction writes. */
static void run_block(const vt_loop *loop, loop_frame *frame, size_t count, float *out)
{
    const vt_elementwise *program = &loop->program;
    for (int i = 0; i < program->instruction_count; i++) {
        const vt_elementwise_instruction *instruction = &program->instructions[i];
        const float *sources[VT_ELEMENTWISE_READS] = {NULL, NULL, NULL};
        for (int k = 0; k < VT_ELEMENTWISE_READS && instruction->sources[k] >= 0; k++)
            sources[k] = frame->registers[instruction->sources[k]];
        loop->table->functions[instruction->code](
            sources[0], sources[1], sources[2],
            i == program->instruction_count - 1 ? out : frame->blocks[instruction->target], count);
    }
}

/* Elements start .. end of the result, by one thread. */
static void run_range(const vt_loop *loop, const void *const *inputs, void *output, size_t start,
                      size_t end)
{
    const vt_elementwise *program = &loop->program;
    int target = program->instructions[program->instruction_count - 1].target;
    loop_frame frame;
    frame_init(loop, inputs, &frame);
    for (size_t at = start; at < end; at += BLOCK) {
        size_t count = end - at < BLOCK ? end - at : BLOCK;
        for (int i = 0; i < program->input_count; i++)
            if (!is_single(&loop->operands[i]))
                frame.registers[i] =
                    fetch(loop, &loop->operands[i], inputs[i], at, count, frame.blocks[i]);
        float *out = loop->boolean_result ? frame.blocks[target] : (float *)output + at;
        run_block(loop, &frame, count, out);
        if (loop->boolean_result)
            loop->table->to_bool(out, (uint8_t *)output + at, count);
    }
}

void vt_loop_run(const vt_loop *loop, const void *const *inputs, void *output)
{
#if defined(_OPENMP)
    if (loop->threads > 1) {
        size_t blocks = (loop->count + BLOCK - 1) / BLOCK, threads = (size_t)loop->threads;
        size_t share = (blocks + threads - 1) / threads * BLOCK;
#pragma omp parallel for num_threads(loop->threads) schedule(static, 1)
        for (int i = 0; i < loop->threads; i++) {
            size_t start = (size_t)i * share;
            size_t end = start + share < loop->count ? start + share : loop->count;
            if (start < end)
                run_range(loop, inputs, output, start, end);
        }
        return;
    }
#endif
    run_range(loop, inputs, output, 0, loop->count);
}
