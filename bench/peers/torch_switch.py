"""PyTorch peer: decoder-only Switch Transformer, the same model and batch as the bench config; `torch_switch_ddp.py` imports it."""
import argparse, contextlib, json, math, re, time
import torch, torch.nn as nn, torch.nn.functional as F

p = argparse.ArgumentParser()
for name, default in dict(d_model=256, layers=4, heads=4, d_ff=1024, experts=8, top_k=1, vocab=512, seq=256, batch=8, steps=12, threads=2, moe_every=2).items():
    p.add_argument('--' + name.replace('_', '-'), type=int, default=default)
p.add_argument('--capacity-factor', type=float, default=1.25)
p.add_argument('--device', default='cpu')
p.add_argument('--dtype', choices=['f32', 'f16', 'bf16'], default='f32', help='below f32 by autocast: parameters and sums stay f32, nothing is scaled')
a = p.parse_args()
torch.set_num_threads(a.threads); torch.manual_seed(0)
if a.device != 'cpu': torch.set_default_device(a.device)  # of torch 2; Debian's 1.13 has the processor only

class Attention(nn.Module):
    def __init__(s):
        super().__init__(); s.qkv = nn.Linear(a.d_model, 3 * a.d_model, bias=False); s.o = nn.Linear(a.d_model, a.d_model, bias=False)
    def forward(s, x):
        B, T, D = x.shape; H = a.heads
        q, k, v = s.qkv(x).view(B, T, 3, H, D // H).permute(2, 0, 3, 1, 4)
        w = (q @ k.transpose(-1, -2)) / math.sqrt(D // H)
        w = w.masked_fill(mask, float('-inf')).softmax(-1)
        return s.o((w @ v).transpose(1, 2).reshape(B, T, D))
mask = torch.triu(torch.ones(a.seq, a.seq, dtype=torch.bool), 1)

class FFN(nn.Module):
    def __init__(s):
        super().__init__(); s.wi = nn.Linear(a.d_model, a.d_ff, bias=False); s.wo = nn.Linear(a.d_ff, a.d_model, bias=False)
    def forward(s, x): return s.wo(F.relu(s.wi(x)))

class MoE(nn.Module):
    def __init__(s):
        super().__init__(); s.gate = nn.Linear(a.d_model, a.experts, bias=False); s.experts = nn.ModuleList(FFN() for _ in range(a.experts))
    def forward(s, x):
        shape = x.shape; x = x.reshape(-1, shape[-1]); N = x.shape[0]
        probs = s.gate(x).softmax(-1)
        w, idx = probs.topk(a.top_k, -1)
        if a.top_k > 1: w = w / w.sum(-1, keepdim=True)
        cap = int(math.ceil(N * a.top_k / a.experts * a.capacity_factor))
        out = torch.zeros_like(x)
        for e, ex in enumerate(s.experts):
            tok, slot = (idx == e).nonzero(as_tuple=True)
            tok, slot = tok[:cap], slot[:cap]
            if len(tok): out = out.index_add(0, tok, (ex(x[tok]) * w[tok, slot, None]).to(out.dtype))
        f = F.one_hot(idx[:, 0], a.experts).float().mean(0)
        s.aux = a.experts * (f * probs.mean(0)).sum()
        return out.view(shape)

class Block(nn.Module):
    def __init__(s, moe):
        super().__init__(); s.n1 = nn.LayerNorm(a.d_model); s.n2 = nn.LayerNorm(a.d_model); s.attn = Attention(); s.ff = MoE() if moe else FFN()
    def forward(s, x): x = x + s.attn(s.n1(x)); return x + s.ff(s.n2(x))

class LM(nn.Module):
    def __init__(s):
        super().__init__(); s.emb = nn.Embedding(a.vocab, a.d_model); s.pos = nn.Embedding(a.seq, a.d_model)
        s.blocks = nn.ModuleList(Block(i % a.moe_every == a.moe_every - 1) for i in range(a.layers)); s.n = nn.LayerNorm(a.d_model); s.head = nn.Linear(a.d_model, a.vocab, bias=False)
    def forward(s, t):
        x = s.emb(t) + s.pos.weight[None, :t.shape[1]]
        for b in s.blocks: x = b(x)
        return s.head(s.n(x))

m = LM(); params = sum(x.numel() for x in m.parameters())
blas = (re.search(r'BLAS_INFO=(\w+)', torch.__config__.show()) or ['', 'unknown'])[1]
def precision():
    if a.dtype == 'f32': return contextlib.nullcontext()
    return torch.autocast(a.device, dtype=torch.bfloat16 if a.dtype == 'bf16' else torch.float16)
def loss_of(model, tok):
    with precision():
        return F.cross_entropy(model(tok[:, :-1]).flatten(0, 1), tok[:, 1:].flatten()) + 0.01 * sum(b.ff.aux for b in m.blocks if hasattr(b.ff, 'aux'))
def synchronize():
    if a.device == 'cuda': torch.cuda.synchronize()
def train(model, batch, wait):
    """Times --steps steps of `batch` sequences, `wait` before and after each; without the first two: median seconds, CPU seconds of all, seconds of all, loss."""
    opt = torch.optim.AdamW(model.parameters(), lr=1e-3, foreach=True)
    times, cpus = [], []
    for _ in range(a.steps):
        tok = torch.randint(0, a.vocab, (batch, a.seq + 1))
        wait(); t, c = time.perf_counter(), time.process_time()
        loss = loss_of(model, tok)
        opt.zero_grad(set_to_none=True); loss.backward(); torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0); opt.step(); wait()
        times.append(time.perf_counter() - t); cpus.append(time.process_time() - c)
    return sorted(times[2:])[len(times[2:]) // 2], sum(cpus[2:]), sum(times[2:]), loss.item()

if __name__ == '__main__':
    med, cpu_s, wall_s, loss = train(m, a.batch, synchronize)
    print(json.dumps(dict(peer='torch ' + torch.__version__, blas=blas, params=params, step_s=round(med, 4), tokens_per_s=round(a.batch * a.seq / med), cpu_per_wall=round(cpu_s / wall_s, 2), loss=round(loss, 4))))
