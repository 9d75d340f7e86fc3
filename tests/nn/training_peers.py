# SPDX-License-Identifier: Apache-2.0
"""What test_training_peers.sh asks of PyTorch.

    training_peers.py STEPS_PROGRAM DIR

Makes small networks of many kinds, exports each with its loss to ONNX, takes ten steps of gradient
descent on it here and in vitrine, and compares outputs, losses, every gradient and every weight.
"""
import os
import subprocess
import sys
import warnings

import numpy
import torch
import torch.nn.functional as F
from torch import nn

warnings.filterwarnings("ignore")
STEPS, RATE, CLASSES = 10, 0.02, 5


class WithLoss(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, image, label):
        logits = self.body(image)
        return logits, F.cross_entropy(logits, label)


class Residual(nn.Module):
    def __init__(self, inside, outside, stride=1):
        super().__init__()
        self.a = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.an = nn.BatchNorm2d(outside)
        self.b = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(outside)
        self.short = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x):
        y = self.bn(self.b(F.relu(self.an(self.a(x)))))
        return F.relu(y + self.short(x))


class Squeeze(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, 4, 1), nn.Conv2d(4, channels, 1)

    def forward(self, x):
        return x * F.hardsigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1)))))


class Mobile(nn.Module):
    def __init__(self, channels, activation):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, 32, 1, bias=False), nn.BatchNorm2d(32), activation(),
            nn.Conv2d(32, 32, 3, 1, 1, groups=32, bias=False), nn.BatchNorm2d(32), activation(),
            Squeeze(32), nn.Conv2d(32, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        return x + self.body(x)


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(16 + 8 * i) for i in range(3))
        self.convs = nn.ModuleList(nn.Conv2d(16 + 8 * i, 8, 3, 1, 1, bias=False) for i in range(3))

    def forward(self, x):
        for norm, conv in zip(self.norms, self.convs):
            x = torch.cat([x, conv(F.relu(norm(x)))], 1)
        return F.avg_pool2d(x, 2)


class Shuffle(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False), nn.BatchNorm2d(8),
                                  nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU())

    def forward(self, x):
        a, b = x.chunk(2, 1)
        x = torch.cat([a, self.conv(b)], 1)
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class Block(nn.Module):
    """Of ConvNeXt."""

    def __init__(self, channels):
        super().__init__()
        self.depth = nn.Conv2d(channels, channels, 7, 1, 3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.up, self.down = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        y = self.norm(self.depth(x).permute(0, 2, 3, 1))
        y = self.scale * self.down(F.gelu(self.up(y)))
        return x + y.permute(0, 3, 1, 2)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(self.first(x)).reshape(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * (d // self.heads) ** -0.5).softmax(-1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(n, t, d))
        y = self.up(self.second(x))
        return x + self.down(y * torch.sigmoid(1.702 * y))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 32, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, 32) * 0.1)
        self.place = nn.Parameter(torch.randn(1, 17, 32) * 0.1)
        self.blocks = nn.Sequential(Attention(32, 4), Attention(32, 4))
        self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, CLASSES)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.place
        return self.head(self.norm(self.blocks(x))[:, 0])


def head(channels):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES)]


def stem(channels):
    return [nn.Conv2d(3, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)]


def pyramid():
    class Pyramid(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1)
            self.head = nn.Linear(8, CLASSES)

        def forward(self, x):
            a = F.leaky_relu(self.a(x), 0.1)
            b = F.elu(self.b(a))
            a = a + F.interpolate(b, scale_factor=2, mode="bilinear", align_corners=False)
            a = a + F.interpolate(b, scale_factor=2, mode="nearest")
            return self.head(F.normalize(a.clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3)) * 4)

    return Pyramid()


NETWORKS = {
    "residual": lambda: nn.Sequential(*stem(16), nn.ReLU(), nn.MaxPool2d(3, 2, 1), Residual(16, 32, 2), *head(32)),
    "vgg": lambda: nn.Sequential(*stem(16), nn.ReLU(), nn.MaxPool2d(2, 2), nn.Conv2d(16, 16, 3, 1, 1), nn.Tanh(),
                                 nn.AvgPool2d(2), nn.Flatten(), nn.Linear(256, 32), nn.ReLU(), nn.Linear(32, CLASSES)),
    "mobile2": lambda: nn.Sequential(*stem(16), nn.ReLU6(), Mobile(16, nn.ReLU6), *head(16)),
    "mobile3": lambda: nn.Sequential(*stem(16), nn.Hardswish(), Mobile(16, nn.Hardswish), *head(16)),
    "dense": lambda: nn.Sequential(*stem(16), nn.ReLU(), Dense(), *head(40)),
    "shuffle": lambda: nn.Sequential(*stem(16), nn.SiLU(), Shuffle(), Shuffle(), *head(16)),
    "convnext": lambda: nn.Sequential(nn.Conv2d(3, 16, 4, 4), Block(16), *head(16)),
    "transformer": Transformer,
    "pyramid": pyramid,
    "groups": lambda: nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1), nn.GroupNorm(4, 16), nn.Mish(),
                                    nn.ConvTranspose2d(16, 8, 2, 2), nn.InstanceNorm2d(8, affine=True), nn.GELU(),
                                    *head(8)),
}


def close(name, have, want, tolerance):
    have, want = numpy.asarray(have, numpy.float64), numpy.asarray(want, numpy.float64)
    if have.shape != want.shape:
        return f"{name}: shape {have.shape}, wants {want.shape}"
    if tolerance < 0.01:
        error = numpy.abs(have - want).max(initial=0.0) / max(numpy.abs(want).max(initial=0.0), 1e-4)
    else:  # rounding of bf16 is noise: its size over all numbers counts
        error = numpy.linalg.norm(have - want) / max(numpy.linalg.norm(want), 1e-4)
    return None if error <= tolerance else f"{name}: differs by {error:.2g}"


def train(module, image, label):
    """What vitrine must find: in f64, so that only its own rounding counts."""
    module = module.double().train()
    losses, first, gradients = [], None, {}
    for step in range(STEPS):
        module.zero_grad()
        output, loss = module(image.double(), label)
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            first = output.detach().numpy()
            gradients = {name: p.grad.numpy().copy() for name, p in module.named_parameters()}
        with torch.no_grad():
            for p in module.parameters():
                p -= RATE * p.grad
    return losses, first, gradients, {name: p.detach().numpy() for name, p in module.named_parameters()}


def compare(directory, wanted, tolerance):
    losses, first, gradients, values = wanted
    load = lambda kind, name: numpy.load(os.path.join(directory, f"{kind}{name}.npy"))
    faults = [close("losses", numpy.loadtxt(os.path.join(directory, "losses.txt")), losses, tolerance),
              close("output", load("output", ""), first, tolerance)]
    missing = [name for name in gradients if not os.path.exists(os.path.join(directory, f"gradient.{name}.npy"))]
    if missing:
        return faults + [f"{name}: is not trained" for name in missing]
    have = {name: load("gradient.", name) for name in gradients}
    faults += [close(name, load("value.", name), values[name], tolerance) for name in gradients]
    if tolerance >= 0.01:  # all as one vector: the smallest gradients are nothing but rounding
        join = lambda numbers: numpy.concatenate([numbers[name].ravel() for name in gradients])
        return [fault for fault in faults + [close("gradients", join(have), join(gradients), tolerance)] if fault]
    scale = max(numpy.abs(g).max() for g in gradients.values())
    for name, gradient in gradients.items():
        # One that is 0 but for rounding (of a bias in front of a normalisation) is held against the others.
        if numpy.abs(gradient).max() < 1e-3 * scale:
            error = numpy.abs(have[name] - gradient).max() / scale
            faults.append(f"gradient of {name}: differs by {error:.2g}" if error > 1e-5 else None)
        else:
            faults.append(close(f"gradient of {name}", have[name], gradient, tolerance * 2))
    return [fault for fault in faults if fault]


def check(program, directory, name, make):
    torch.manual_seed(len(name))
    module = WithLoss(make()).train()
    image, label = torch.randn(6, 3, 16, 16), torch.randint(CLASSES, (6,))
    path = os.path.join(directory, name)
    os.makedirs(path)
    torch.onnx.export(module, (image, label), os.path.join(path, "model.onnx"), opset_version=16,
                      training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False,
                      input_names=["image", "label"], output_names=["logits", "loss"])
    # The export ran the network: its statistics do not matter here, its weights do not change.
    numpy.save(os.path.join(path, "input0.npy"), image.numpy())
    numpy.save(os.path.join(path, "input1.npy"), label.numpy())
    wanted = train(module, image, label)
    faults = []
    for precision, tolerance in (("f32", 2e-3), ("bf16", 0.2)):
        run = subprocess.run([program, os.path.join(path, "model.onnx"), path, str(STEPS), str(RATE), precision],
                             capture_output=True, text=True)
        if run.returncode != 0:
            faults.append(f"{precision}: {run.stderr.strip()}")
        else:
            faults += [f"{precision}: {fault}" for fault in compare(path, wanted, tolerance)]
    print(f"[  {'FAILED' if faults else '    OK'}  ] {name}")
    for fault in faults:
        print("    " + fault)
    return not faults


def main():
    program, directory = sys.argv[1:3]
    torch.set_num_threads(1)
    results = [check(program, directory, name, make) for name, make in NETWORKS.items()]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
