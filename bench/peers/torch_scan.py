"""PyTorch peer: the selective scan written step by step over `unbind`, forward and backward, one thread."""
import json, statistics, sys, time
import torch

T, C, N = (int(arg) for arg in sys.argv[1:])
torch.set_num_threads(1)
u, delta = torch.sin(torch.arange(T * C).float()).view(T, C), 0.01 + 0.1 * torch.sin(torch.arange(T * C).float()).abs().view(T, C)
a = -1 - (torch.arange(C * N) % N).float().view(C, N)
b, c = (torch.sin(torch.arange(T * N).float() * f).view(T, N) for f in (1, 2))
d = torch.ones(C)
leaves = [u, delta, a, b, c, d]
for leaf in leaves: leaf.requires_grad_(True)

def scan():
    decay = (delta.unsqueeze(-1) * a).exp()
    grown = (delta * u).unsqueeze(-1) * b.unsqueeze(1)
    h, out = torch.zeros(C, N), []
    for rate, add, row in zip(decay.unbind(0), grown.unbind(0), c.unbind(0)):
        h = rate * h + add
        out.append(h @ row)
    return torch.stack(out) + d * u

forward, both = [], []
for i in range(24):
    start = time.perf_counter()
    y = scan()
    middle = time.perf_counter()
    y.sum().backward()
    end = time.perf_counter()
    if i >= 4:
        forward.append(1e3 * (middle - start)); both.append(1e3 * (end - start))
print(json.dumps(dict(torch=torch.__version__, forward_ms=statistics.median(forward), both_ms=statistics.median(both))))
