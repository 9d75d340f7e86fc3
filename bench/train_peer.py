# SPDX-License-Identifier: Apache-2.0
"""PyTorch's side of bench/train: the same ResNet-18, pictures per second.

    train_peer.py PX BATCH STEPS THREADS f32|bf16
"""
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


def conv(inside, outside, kernel, stride):
    return nn.Sequential(nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outside))


class Block(nn.Module):
    def __init__(self, inside, outside):
        super().__init__()
        self.a, self.b = conv(inside, outside, 3, 1 if inside == outside else 2), conv(outside, outside, 3, 1)
        self.short = conv(inside, outside, 1, 2) if inside != outside else None

    def forward(self, x):
        y = self.b(F.relu(self.a(x)))
        return F.relu(y + (x if self.short is None else self.short(x)))


def main():
    px, batch, steps, threads = map(int, sys.argv[1:5])
    half = sys.argv[5] == "bf16"
    if threads:
        torch.set_num_threads(threads)
    widths = [64, 64, 64, 128, 128, 256, 256, 512, 512]
    model = nn.Sequential(conv(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
                          *[Block(a, b) for a, b in zip(widths, widths[1:])],
                          nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)).train()
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    image = torch.rand(batch, 3, px, px).to(memory_format=torch.channels_last)
    label = torch.randint(1000, (batch,))
    best = float("inf")
    for step in range(steps + 1):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.cpu.amp.autocast(enabled=half, dtype=torch.bfloat16):
            output = model(image)
        F.cross_entropy(output.float(), label).backward()
        optimizer.step()
        if step:
            best = min(best, time.perf_counter() - start)
    print(f"{batch / best:.1f} pictures/s, {best * 1000:.0f} ms a step")


if __name__ == "__main__":
    main()
