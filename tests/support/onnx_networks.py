# SPDX-License-Identifier: Apache-2.0
"""
Whole networks with seeded random weights, as their exporters write them: what tests hold against
another engine (small) and what benchmarks measure (at full size).

Sources: He et al. 2016 (ResNet), Dosovitskiy et al. 2021 (ViT), Radford et al. 2021 (CLIP), Zhai et
al. 2023 (SigLIP), Liu et al. 2022 (ConvNeXt), Howard et al. 2019 (MobileNetV3), Tan and Le 2019
(EfficientNet); the forms are those of timm, torchvision, transformers and PyTorch's own modules.
"""
import numpy as np
from onnx import TensorProto

from onnx_graph import Graph

# ---- attention ----


def heads_timm(g, x, batch, tokens, dim, heads):
    """timm's Attention: one qkv product, unbind, the scale on q."""
    each = dim // heads
    qkv = g.reshape(g.linear(x, dim, 3 * dim), batch, tokens, 3, heads, each)
    parts = g.op('Split', g.transpose(qkv, 2, 0, 3, 1, 4), g.integers(1, 1, 1), count=3, axis=0)
    q, k, v = (g.op('Squeeze', part, g.integers(0)) for part in parts)
    q = g.op('Mul', q, g.constant(each ** -0.5))
    scores = g.op('MatMul', q, g.transpose(k, 0, 1, 3, 2))
    mixed = g.op('MatMul', g.op('Softmax', scores, axis=-1), v)
    return g.reshape(g.transpose(mixed, 0, 2, 1, 3), batch, tokens, dim)


def heads_gather(g, x, batch, tokens, dim, heads):
    """The older spelling: qkv[0], qkv[1], qkv[2] by Gather, the scale on the scores."""
    each = dim // heads
    qkv = g.transpose(g.reshape(g.linear(x, dim, 3 * dim), batch, tokens, 3, heads, each),
                      2, 0, 3, 1, 4)
    q, k, v = (g.pick(qkv, i, 0) for i in range(3))
    scores = g.op('Mul', g.op('MatMul', q, g.transpose(k, 0, 1, 3, 2)), g.constant(each ** -0.5))
    mixed = g.op('MatMul', g.op('Softmax', scores, axis=-1), v)
    return g.reshape(g.transpose(mixed, 0, 2, 1, 3), batch, tokens, dim)


def scaled_dot_product(g, q, k, v, mask=None):
    """F.scaled_dot_product_attention: both factors times the root of the scale, itself computed."""
    last = g.op('Slice', g.op('Shape', q), g.integers(-1), g.integers(2 ** 63 - 1))
    size = g.op('Sqrt', g.op('Cast', last, to=TensorProto.FLOAT))
    scale = g.op('Sqrt', g.op('Div', g.constant([1.0]), size))
    swapped = g.op('Mul', g.transpose(k, 0, 1, 3, 2), scale)
    scores = g.op('MatMul', g.op('Mul', q, scale), swapped)
    if mask is not None:
        scores = g.op('Add', scores, mask)
    return g.op('MatMul', g.op('Softmax', scores, axis=-1), v)


def heads_sdpa(g, x, batch, tokens, dim, heads):
    """nn.MultiheadAttention, batch first, on its slow path: sequence first inside."""
    each = dim // heads
    first = g.transpose(x, 1, 0, 2)
    packed = g.reshape(g.linear(first, dim, 3 * dim), tokens, batch, 3, dim)
    packed = g.transpose(g.op('Unsqueeze', packed, g.integers(0)), 3, 1, 2, 0, 4)
    packed = g.op('Squeeze', packed, g.integers(3))
    merged = g.op('Mul', batch, g.integers(heads))
    q, k, v = (g.transpose(g.reshape(g.pick(packed, i, 0), tokens, merged, each), 1, 0, 2)
               for i in range(3))
    q, k, v = (g.reshape(part, batch, heads, tokens, each) for part in (q, k, v))
    mixed = g.transpose(scaled_dot_product(g, q, k, v), 2, 0, 1, 3)
    rows = g.reshape(mixed, g.op('Mul', batch, g.integers(tokens)), dim)
    return g.transpose(g.reshape(g.gemm(rows, dim, dim), tokens, batch, dim), 1, 0, 2)


def heads_clip(g, x, batch, tokens, dim, heads, mask=None):
    """transformers' CLIPAttention: three products, the scale on q, heads merged into the batch."""
    each = dim // heads

    def split(value):
        value = g.transpose(g.reshape(value, batch, tokens, heads, each), 0, 2, 1, 3)
        return g.reshape(value, g.op('Mul', batch, g.integers(heads)), -1, each)

    q = split(g.op('Mul', g.linear(x, dim, dim), g.constant(each ** -0.5)))
    k, v = split(g.linear(x, dim, dim)), split(g.linear(x, dim, dim))
    scores = g.op('MatMul', q, g.transpose(k, 0, 2, 1))
    if mask is not None:
        scores = g.reshape(scores, batch, heads, tokens, tokens)
        scores = g.reshape(g.op('Add', scores, mask), -1, tokens, tokens)
    mixed = g.reshape(g.op('MatMul', g.op('Softmax', scores, axis=-1), v), batch, heads, tokens,
                      each)
    return g.reshape(g.transpose(mixed, 0, 2, 1, 3), batch, tokens, dim)


def heads_clip_sdpa(g, x, batch, tokens, dim, heads, mask=None):
    """The same module since it calls scaled_dot_product_attention."""
    each = dim // heads
    q, k, v = (g.transpose(g.reshape(g.linear(x, dim, dim), batch, tokens, heads, each), 0, 2, 1, 3)
               for _ in range(3))
    mixed = g.transpose(scaled_dot_product(g, q, k, v, mask), 0, 2, 1, 3)
    return g.reshape(mixed, batch, tokens, dim)


def block(g, x, dim, attend, activation, hidden):
    """A pre-norm transformer block. attend(x) is all of the attention but its last product."""
    x = g.op('Add', x, attend(g.layer_norm(x, dim)))
    inner = activation(g.linear(g.layer_norm(x, dim), dim, hidden))
    return g.op('Add', x, g.linear(inner, hidden, dim))


# ---- transformers over pictures ----


def patches(g, image, side, patch, dim):
    """Patch embedding: (N, 3, side, side) to (N, tokens, dim)."""
    grid = g.conv(image, 3, dim, patch, stride=patch, padding=0, gain=1.0)
    shape = g.op('Slice', g.op('Shape', grid), g.integers(0), g.integers(2), g.integers(0))
    flat = g.op('Reshape', grid, g.op('Concat', shape, g.integers(-1), axis=0))
    return g.transpose(flat, 0, 2, 1), (side // patch) ** 2


def with_class_token(g, x, dim):
    """Returns the tokens and [N]."""
    batch = g.size(x, 0)
    token = g.expand(g.weight(g.normal(1, 1, dim, std=0.5)), batch, -1, -1)
    return g.op('Concat', token, x, axis=1), batch


HEADS = {'timm': heads_timm, 'gather': heads_gather, 'sdpa': heads_sdpa}


def vit(opset=17, attention='timm', dim=64, depth=2, heads=2, side=64, patch=16, classes=0, seed=1):
    """A vision transformer; classes 0: its embedding, token 0 after the last normalisation."""
    g = Graph('vit', opset, seed)
    image = g.input('image', ['batch', 3, side, side])
    x, tokens = patches(g, image, side, patch, dim)
    x, batch = with_class_token(g, x, dim)
    tokens += 1
    x = g.op('Add', x, g.weight(g.normal(1, tokens, dim, std=0.3)))

    def attend(value):
        mixed = HEADS[attention](g, value, batch, tokens, dim, heads)
        return mixed if attention == 'sdpa' else g.linear(mixed, dim, dim)

    for _ in range(depth):
        x = block(g, x, dim, attend, g.gelu, 4 * dim)
    x = g.pick(g.layer_norm(x, dim), 0, 1)
    if classes:
        x = g.gemm(x, dim, classes)
    g.output(x, 'output', ['batch', classes or dim])
    return g.model()


def clip_picture(g, image, side, patch, dim, depth, heads, out):
    x, tokens = patches(g, image, side, patch, dim)
    x, batch = with_class_token(g, x, dim)
    tokens += 1
    x = g.layer_norm(g.op('Add', x, g.weight(g.normal(1, tokens, dim, std=0.3))), dim)
    for _ in range(depth):
        x = block(g, x, dim,
                  lambda v: g.linear(heads_clip(g, v, batch, tokens, dim, heads), dim, dim),
                  g.gelu_quick, 4 * dim)
    pooled = g.layer_norm(g.pick(x, 0, 1), dim)
    return g.unit(g.linear(pooled, dim, out, bias=False), clipped=False)


def clip_words(g, ids, tokens, vocabulary, dim, depth, heads, out, pooling):
    """pooling: 'gathernd' (x[arange(N), ids.argmax(-1)]) or 'gather' (rows of a flat table)."""
    batch = g.size(ids, 0)
    sdpa = pooling == 'gather'
    x = g.op('Gather', g.weight(g.normal(vocabulary, dim, std=0.5)), ids, axis=0)
    x = g.op('Add', x, g.weight(g.normal(1, tokens, dim, std=0.3)))
    # Minus infinity is OpenAI's mask, the smallest float that of transformers.
    lowest = -np.inf if pooling == 'gathernd' else np.finfo(np.float32).min
    mask = g.weight(np.triu(np.full((1, 1, tokens, tokens), lowest, dtype=np.float32), 1))
    attention = heads_clip_sdpa if sdpa else heads_clip
    for _ in range(depth):
        x = block(g, x, dim,
                  lambda v: g.linear(attention(g, v, batch, tokens, dim, heads, mask), dim, dim),
                  g.gelu_quick, 4 * dim)
    x = g.layer_norm(x, dim)
    end = g.op('ArgMax', ids, axis=-1, keepdims=0)
    count = g.op('Squeeze', batch, g.integers(0))
    rows = g.op('Range', g.constant(0, np.int64), count, g.constant(1, np.int64))
    if pooling == 'gathernd':
        pair = g.op('Concat', g.op('Unsqueeze', rows, g.integers(-1)),
                    g.op('Unsqueeze', end, g.integers(-1)), axis=-1)
        pooled = g.op('GatherND', x, pair)
    else:
        at = g.op('Add', g.op('Mul', rows, g.constant(tokens, np.int64)), end)
        pooled = g.op('Gather', g.reshape(x, -1, dim), at, axis=0)
    return g.unit(g.linear(pooled, dim, out, bias=False), clipped=True)


def clip(opset=14, towers='both', pooling='gathernd', dim=64, depth=2, heads=2, out=32, seed=2):
    """towers: 'picture', 'words', or 'both' with the scaled similarities of all pairs."""
    g = Graph('clip', opset, seed)
    picture = words = None
    tokens, vocabulary, side = 12, 99, 64
    if towers != 'picture':
        ids = g.input('input_ids', ['words', tokens], TensorProto.INT64)
        words = clip_words(g, ids, tokens, vocabulary, dim, depth, heads, out, pooling)
    if towers != 'words':
        image = g.input('pixel_values', ['pictures', 3, side, side])
        picture = clip_picture(g, image, side, 16, dim, depth, heads, out)
    if towers == 'both':
        scale = g.op('Exp', g.weight(np.array(2.0, dtype=np.float32)))
        logits = g.op('Mul', g.op('MatMul', picture, g.transpose(words, 1, 0)), scale)
        g.output(logits, 'logits_per_image', ['pictures', 'words'])
    if words:
        g.output(words, 'text_embeds', ['words', out])
    if picture:
        g.output(picture, 'image_embeds', ['pictures', out])
    return g.model()


def siglip(opset=17, dim=64, depth=1, heads=2, seed=3):
    """SigLIP's picture tower: no class token, tanh GELU, pooled by attention from one probe."""
    g = Graph('siglip', opset, seed)
    side, patch, each = 64, 16, dim // heads
    image = g.input('pixel_values', ['batch', 3, side, side])
    x, tokens = patches(g, image, side, patch, dim)
    batch = g.size(x, 0)
    x = g.op('Add', x, g.weight(g.normal(1, tokens, dim, std=0.3)))
    for _ in range(depth):
        x = block(g, x, dim,
                  lambda v: g.linear(heads_clip_sdpa(g, v, batch, tokens, dim, heads), dim, dim),
                  g.gelu_tanh, 4 * dim)
    x = g.layer_norm(x, dim)
    # The head: nn.MultiheadAttention with one query, whose packed weights are split in two.
    repeats = g.op('Concat', batch, g.integers(1), g.integers(1), axis=0)
    probe = g.op('Tile', g.weight(g.normal(1, 1, dim, std=1.0)), repeats)
    merged = g.op('Mul', batch, g.integers(heads))
    q = g.reshape(g.linear(g.transpose(probe, 1, 0, 2), dim, dim), 1, merged, each)
    packed = g.reshape(g.linear(g.transpose(x, 1, 0, 2), dim, 2 * dim), tokens, batch, 2, dim)
    packed = g.transpose(g.op('Unsqueeze', packed, g.integers(0)), 3, 1, 2, 0, 4)
    packed = g.op('Squeeze', packed, g.integers(3))
    k, v = (g.reshape(g.pick(packed, i, 0), tokens, merged, each) for i in range(2))
    q = g.reshape(g.transpose(q, 1, 0, 2), batch, heads, 1, each)
    k, v = (g.reshape(g.transpose(part, 1, 0, 2), batch, heads, tokens, each) for part in (k, v))
    mixed = g.reshape(g.transpose(scaled_dot_product(g, q, k, v), 2, 0, 1, 3), batch, dim)
    rest = g.transpose(g.reshape(g.gemm(mixed, dim, dim), 1, batch, dim), 1, 0, 2)
    inner = g.gelu_tanh(g.linear(g.layer_norm(rest, dim), dim, 4 * dim))
    rest = g.op('Add', rest, g.linear(inner, 4 * dim, dim))
    g.output(g.pick(rest, 0, 1), 'output', ['batch', dim])
    return g.model()


# ---- convolutional networks, free in height and width ----


def picture_input(g):
    return g.input('input', ['batch', 3, 'height', 'width'])


def resnet(opset=13, depths=(3, 4, 6, 3), width=64, classes=1000, vectors=False, seed=4):
    """torchvision's ResNet with bottlenecks, BatchNormalization folded; vectors: without the
    classifier. The last convolution of a block is damped so that sums stay near one in size."""
    g = Graph('main_graph', opset, seed)
    x = g.op('Relu', g.conv(picture_input(g), 3, width, 7, stride=2))
    x = g.op('MaxPool', x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2], ceil_mode=0)
    channels = width
    for stage, depth in enumerate(depths):
        inner = width << stage
        for index in range(depth):
            stride = 2 if index == 0 and stage > 0 else 1
            y = g.op('Relu', g.conv(x, channels, inner, 1))
            y = g.op('Relu', g.conv(y, inner, inner, 3, stride=stride))
            y = g.conv(y, inner, 4 * inner, 1, gain=0.3)
            if index == 0:
                x = g.conv(x, channels, 4 * inner, 1, stride=stride, gain=1.0)
            channels = 4 * inner
            x = g.op('Relu', g.op('Add', y, x))
    x = g.op('Flatten', g.op('GlobalAveragePool', x), axis=1)
    if not vectors:
        x = g.gemm(x, channels, classes)
    g.output(x, 'output', ['batch', channels if vectors else classes])
    return g.model()


def convnext(opset=16, widths=(16, 32), depths=(1, 1), seed=5):
    g = Graph('convnext', opset, seed)

    def norm(value, size):
        """LayerNorm over channels: last, then back."""
        return g.transpose(g.layer_norm(g.transpose(value, 0, 2, 3, 1), size), 0, 3, 1, 2)

    x = norm(g.conv(picture_input(g), 3, widths[0], 4, stride=4, padding=0, gain=1.0), widths[0])
    channels = widths[0]
    for stage, (width, depth) in enumerate(zip(widths, depths)):
        if stage > 0:
            x = g.conv(norm(x, channels), channels, width, 2, stride=2, padding=0, gain=1.0)
            channels = width
        for _ in range(depth):
            y = g.conv(x, width, width, 7, groups=width, gain=1.0)
            y = g.layer_norm(g.transpose(y, 0, 2, 3, 1), width)
            y = g.linear(g.gelu(g.linear(y, width, 4 * width)), 4 * width, width)
            y = g.op('Mul', y, g.weight(g.normal(width, std=0.5)))
            x = g.op('Add', x, g.transpose(y, 0, 3, 1, 2))
    pooled = g.layer_norm(g.op('ReduceMean', x, axes=[-2, -1], keepdims=0), channels)
    g.output(pooled, 'output', ['batch', channels])
    return g.model()


def mobilenet_v3(opset=14, exploded=False, seed=6):
    """exploded: hard-swish as Add, Clip, Div, Mul in place of the operator (opset 14)."""
    g = Graph('mobilenet', opset, seed)
    swish = lambda v: g.hard_swish(v, exploded)
    x = swish(g.conv(picture_input(g), 3, 16, 3, stride=2))
    channels = 16
    # (expanded, out, kernel, stride, squeeze-and-excite, hard-swish or Relu)
    for expanded, out, kernel, stride, squeeze, hard in ((16, 16, 3, 2, True, False),
                                                         (48, 24, 3, 1, False, False),
                                                         (72, 24, 5, 1, True, True)):
        act = swish if hard else (lambda v: g.op('Relu', v))
        y = x if expanded == channels else act(g.conv(x, channels, expanded, 1))
        y = act(g.conv(y, expanded, expanded, kernel, stride=stride, groups=expanded))
        if squeeze:
            s = g.conv(g.op('GlobalAveragePool', y), expanded, 8, 1)
            s = g.conv(g.op('Relu', s), 8, expanded, 1)
            y = g.op('Mul', g.op('HardSigmoid', s, alpha=1 / 6, beta=0.5), y)
        y = g.conv(y, expanded, out, 1, gain=1.0)
        x = g.op('Add', y, x) if stride == 1 and out == channels else y
        channels = out
    x = swish(g.conv(x, channels, 64, 1))
    x = g.op('Flatten', g.op('GlobalAveragePool', x), axis=1)
    g.output(g.gemm(swish(g.gemm(x, 64, 48)), 48, 32), 'output', ['batch', 32])
    return g.model()


def efficientnet(opset=13, seed=7):
    """timm's: SiLU everywhere, squeeze-and-excite by ReduceMean over both axes and Sigmoid."""
    g = Graph('efficientnet', opset, seed)
    x = g.silu(g.conv(picture_input(g), 3, 16, 3, stride=2))
    channels = 16
    for expanded, out, kernel, stride in ((16, 16, 3, 1), (64, 24, 5, 2), (96, 24, 3, 1)):
        y = x if expanded == channels else g.silu(g.conv(x, channels, expanded, 1))
        y = g.silu(g.conv(y, expanded, expanded, kernel, stride=stride, groups=expanded))
        s = g.conv(g.op('ReduceMean', y, axes=[2, 3], keepdims=1), expanded, 4, 1)
        s = g.conv(g.silu(s), 4, expanded, 1)
        y = g.conv(g.op('Mul', y, g.op('Sigmoid', s)), expanded, out, 1, gain=1.0)
        x = g.op('Add', y, x) if stride == 1 and out == channels else y
        channels = out
    x = g.silu(g.conv(x, channels, 64, 1))
    g.output(g.op('Flatten', g.op('GlobalAveragePool', x), axis=1), 'output', ['batch', 64])
    return g.model()
