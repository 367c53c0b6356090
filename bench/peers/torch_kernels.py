"""PyTorch peer: the operations that `bench/kernels` names on standard input, as JSON; prints milliseconds by name.

Many calls are launched between two CUDA events; the median of several such batches. fp32 is without TF32."""
import argparse, json, statistics, sys, time
import torch, torch.nn.functional as F

p = argparse.ArgumentParser()
p.add_argument('--device', default='cuda', help='cpu only to try this script out')
p.add_argument('--dtype', choices=['f32', 'f16', 'bf16'], default='f32')
p.add_argument('--batch-ms', type=float, default=60)
a = p.parse_args()
device, on_gpu = torch.device(a.device), a.device == 'cuda'
if on_gpu and not torch.cuda.is_available(): sys.exit('torch ' + torch.__version__ + ' sees no CUDA')
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
torch.manual_seed(0)

def noise(*shape, dtype): return torch.rand(*shape, device=device, dtype=torch.float32).mul_(2).sub_(1).to(dtype)
def numbers(n, below): return torch.arange(n, device=device) * 7919 % below

def back(y, leaves):
    """The way back of `y` alone: the way there has been."""
    dy = torch.rand_like(y)
    return lambda: torch.autograd.grad(y, leaves, dy, retain_graph=True)

def there_or_back(case, leaves, f):
    if not case['backward']:
        def there():
            with torch.no_grad(): return f(*leaves)
        return there
    for leaf in leaves: leaf.requires_grad_(True)
    return back(f(*leaves), leaves)

def matmul(c, dtype):
    x, y = noise(*c['shape'], dtype=dtype), noise(*c['shape'], dtype=dtype)
    if c['form'] == 'NT': y = y.transpose(-1, -2)
    if c['form'] == 'TN': x = x.transpose(-1, -2)
    return lambda: torch.matmul(x, y)

def experts(c, dtype):
    x = noise(c['count'], c['rows'], c['hidden'], dtype=dtype)
    up, down = noise(c['count'], c['inner'], c['hidden'], dtype=dtype), noise(c['count'], c['hidden'], c['inner'], dtype=dtype)
    return there_or_back(c, [x, up, down], lambda x, up, down: torch.bmm(F.relu(torch.bmm(x, up.mT)), down.mT))

def attention(c, dtype):
    leaves = [noise(*c['shape'], dtype=dtype) for _ in range(3)]
    return there_or_back(c, leaves, lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True))

def cross_entropy(c, dtype):
    x, w = noise(c['rows'], c['hidden'], dtype=dtype), noise(c['vocabulary'], c['hidden'], dtype=dtype)
    targets = numbers(c['rows'], c['vocabulary'])
    return there_or_back(c, [x, w], lambda x, w: F.cross_entropy(x @ w.mT, targets, reduction='none'))

def copy(c, dtype):
    x = noise(c['elements'], dtype=dtype); y = torch.empty_like(x)
    return lambda: y.copy_(x)

def negation(c, dtype):
    x = noise(c['elements'], dtype=dtype)
    return lambda: torch.neg(x)

def chain(c, dtype):
    x, y = noise(c['elements'], dtype=dtype), noise(c['elements'], dtype=dtype)
    return lambda: (torch.maximum(-(((x + y) - x) * y), x) + y) * x - y

def rms_norm(c, dtype):
    width = c['width']
    return there_or_back(c, [noise(c['count'], width, dtype=dtype), noise(width, dtype=dtype)], lambda x, w: F.rms_norm(x, (width,), w, 1e-6))

def layer_norm(c, dtype):
    width = c['width']
    leaves = [noise(c['count'], width, dtype=dtype), noise(width, dtype=dtype), noise(width, dtype=dtype)]
    return there_or_back(c, leaves, lambda x, w, b: F.layer_norm(x, (width,), w, b, 1e-5))

def softmax(c, dtype):
    return there_or_back(c, [noise(c['count'], c['width'], dtype=dtype)], lambda x: F.softmax(x, -1))

def gather(c, dtype):
    table, ids = noise(c['vocabulary'], c['width'], dtype=dtype), numbers(c['tokens'], c['vocabulary'])
    return lambda: table.index_select(0, ids)

def combine(c, dtype):
    rows, gates = noise(2 * c['tokens'], c['width'], dtype=dtype), noise(c['tokens'], 2, dtype=dtype)
    slots = numbers(2 * c['tokens'], 2 * c['tokens']).view(-1, 2)
    return lambda: (rows[slots] * gates.unsqueeze(-1)).sum(1)

def embedding_gradient(c, dtype):
    dy, ids = noise(c['tokens'], c['width'], dtype=dtype), numbers(c['tokens'], c['vocabulary'])
    return lambda: torch.ops.aten.embedding_dense_backward(dy, ids, c['vocabulary'], -1, False)

def adamw(c, dtype):
    # Mixed precision keeps parameters and moments in fp32, too.
    if dtype != torch.float32: return None
    parameter = noise(c['parameters'], dtype=dtype).requires_grad_(True)
    parameter.grad = noise(c['parameters'], dtype=dtype)
    return torch.optim.AdamW([parameter], lr=1e-4, fused=True).step

def synchronize():
    if on_gpu: torch.cuda.synchronize()

def batch_ms(run, count):
    if not on_gpu:
        start = time.perf_counter()
        for _ in range(count): run()
        return 1e3 * (time.perf_counter() - start)
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(count): run()
    end.record(); end.synchronize()
    return start.elapsed_time(end)

def time_of(run):
    for _ in range(3): run()
    synchronize()
    count = 1
    for _ in range(2): count = min(2000, max(1, round(count * a.batch_ms / max(batch_ms(run, count), 1e-3))))
    return statistics.median(batch_ms(run, count) / count for _ in range(5))

dtype = dict(f32=torch.float32, f16=torch.float16, bf16=torch.bfloat16)[a.dtype]
kernels = {}
for case in json.load(sys.stdin):
    try:
        run = globals()[case['op']](case, dtype)
        kernels[case['name']] = None if run is None else time_of(run)
    except Exception as error:
        print(f"{case['name']}: {error}", file=sys.stderr)
        kernels[case['name']] = None
    run = None
    if on_gpu: torch.cuda.empty_cache()
gpu = torch.cuda.get_device_name() if on_gpu else 'cpu'
print(json.dumps(dict(torch=torch.__version__, gpu=gpu, kernels=kernels)))
