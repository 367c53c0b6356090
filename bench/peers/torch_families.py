"""PyTorch peer: the families of configs/small written plainly, of the sizes of a model's config, which comes as JSON on standard input."""
import json, math, re, sys, time
import torch, torch.nn as nn, torch.nn.functional as F

a = json.load(sys.stdin); c = a['config']; sizes = c['mamba']; moe = c['moe']
torch.set_num_threads(a['threads']); torch.manual_seed(0)
D, H, K, d, eps = c['hidden_size'], c['num_attention_heads'], c['num_key_value_heads'], c['head_dim'], c['rms_norm_eps']
B, T = a['batch'], a['sequence']
linear = lambda i, o, bias=False: nn.Linear(i, o, bias=bias)

class Norm1P(nn.LayerNorm):
    def forward(s, x): return F.layer_norm(x, s.normalized_shape, 1 + s.weight, s.bias, s.eps)
kinds = dict(nemotron=Norm1P, moe_mamba=nn.LayerNorm)
norm = lambda: kinds.get(c['family'], nn.RMSNorm)(D, eps=eps)
acts = dict(relu=F.relu, relu2=lambda x: F.relu(x).square(), silu=F.silu, gelu=F.gelu)
act = acts[c['hidden_act'] or 'relu']
turned = int(d * c['partial_rotary_factor'])
angles = torch.arange(T)[:, None] * c['rope_theta'] ** (-torch.arange(0, turned, 2) / turned)
cos, sin = (torch.cat([f(angles)] * 2, -1) for f in (torch.cos, torch.sin))
def rotated(x):
    r, rest = x[..., :turned], x[..., turned:]
    first, second = r.chunk(2, -1)
    return torch.cat([r * cos + torch.cat([-second, first], -1) * sin, rest], -1)

class Attention(nn.Module):
    def __init__(s):
        super().__init__(); b = c['attention_bias']
        s.q, s.k, s.v, s.o = linear(D, H * d, b), linear(D, K * d, b), linear(D, K * d, b), linear(H * d, D, b)
    def forward(s, x):
        q, k, v = (p(x).view(B, T, n, d).transpose(1, 2) for p, n in ((s.q, H), (s.k, K), (s.v, K)))
        o = F.scaled_dot_product_attention(rotated(q), rotated(k), v, is_causal=True, enable_gqa=K != H)
        return s.o(o.transpose(1, 2).reshape(B, T, H * d))

class FFN(nn.Module):
    def __init__(s, width, gated=c['family'] in ('llama', 'mixtral')):
        super().__init__(); s.up, s.down = linear(D, width), linear(width, D); s.gate = linear(D, width) if gated else None
    def forward(s, x): return s.down(act(s.up(x)) if s.gate is None else act(s.gate(x)) * s.up(x))

class MoE(nn.Module):
    def __init__(s, width):
        super().__init__(); s.router = linear(D, moe['num_experts']); s.experts = nn.ModuleList(FFN(width) for _ in range(moe['num_experts']))
    def forward(s, x):
        x = x.reshape(B * T, D); E, k = moe['num_experts'], moe['top_k']
        logits = s.router(x); probs = logits.softmax(-1)
        if moe['score_order'] == 'topk_softmax': w, idx = logits.topk(k, -1); w = w.softmax(-1)
        else: w, idx = probs.topk(k, -1)
        cap = B * T if moe['overflow'] == 'dropless' else math.ceil(B * T * k / E * moe['capacity_factor'])
        out = torch.zeros_like(x)
        for e, expert in enumerate(s.experts):
            rows, slot = (idx == e).nonzero(as_tuple=True); rows, slot = rows[:cap], slot[:cap]
            if len(rows): out = out.index_add(0, rows, expert(x[rows]) * w[rows, slot, None])
        s.aux = E * (F.one_hot(idx[:, 0], E).float().mean(0) * probs.mean(0)).sum()
        return out.view(B, T, D)

class Mamba(nn.Module):
    def __init__(s):
        super().__init__(); N, k, R = sizes['state_size'], sizes['conv_kernel'], sizes['time_step_rank']; C = sizes['expand'] * D
        s.inner, s.back = linear(D, 2 * C), linear(C, D); s.conv = nn.Conv1d(C, C, k, groups=C, padding=k - 1)
        s.x, s.dt = linear(C, R + 2 * N), linear(R, C, True); s.split = (R, N, N)
        s.A_log = nn.Parameter(torch.arange(1., N + 1).log().repeat(C, 1)); s.D = nn.Parameter(torch.ones(C))
    def forward(s, x):
        u, z = s.inner(x).chunk(2, -1)
        u = F.silu(s.conv(u.transpose(1, 2))[..., :T].transpose(1, 2))
        dt, b, read = s.x(u).split(s.split, -1)
        delta = F.softplus(s.dt(dt))
        decay = (delta[..., None] * -s.A_log.exp()).exp(); grown = (delta * u)[..., None] * b[:, :, None]
        h, out = torch.zeros(B, *s.A_log.shape), []
        for rate, add, row in zip(decay.unbind(1), grown.unbind(1), read.unbind(1)):
            h = rate * h + add
            out.append((h @ row[..., None])[..., 0])
        return s.back((torch.stack(out, 1) + s.D * u) * F.silu(z))

make = dict(attention=lambda _: Attention(), mlp=FFN, moe=MoE, mamba=lambda _: Mamba())
class Layer(nn.Module):
    def __init__(s, kinds, width):
        super().__init__(); s.parts = nn.ModuleList(make[k](width) for k in kinds); s.norms = nn.ModuleList(norm() for _ in kinds)
    def forward(s, x):
        for f, n in zip(s.parts, s.norms): x = x + f(n(x))
        return x
def kinds_of(i):
    if c['layers']: return [c['layers'][i]]
    if c['family'] == 'mamba': return ['mamba']
    return ['attention', 'moe' if moe and i in moe['layers'] else 'mlp']

class LM(nn.Module):
    def __init__(s):
        super().__init__(); s.emb = nn.Embedding(c['vocab_size'], D)
        s.layers = nn.ModuleList(Layer(kinds_of(i), c['intermediate_size'][i]) for i in range(c['num_hidden_layers']))
        s.norm = nn.Identity() if c['family'] == 'moe_mamba' else norm()
        s.head = linear(D, c['vocab_size'])
        if c['tie_word_embeddings']: s.head.weight = s.emb.weight
    def forward(s, t):
        x = s.emb(t)
        for layer in s.layers: x = layer(x)
        return s.head(s.norm(x))

m = LM(); params = sum(p.numel() for p in m.parameters())
opt = torch.optim.AdamW(m.parameters(), lr=1e-3, foreach=True)
mixtures = [p for layer in m.layers for p in layer.parts if isinstance(p, MoE)]
times, cpus = [], []
for _ in range(a['steps']):
    wall = cpu = 0
    for _ in range(a['microbatches']):
        tok = torch.randint(0, c['vocab_size'], (B, T + 1)); t, p = time.perf_counter(), time.process_time()
        loss = F.cross_entropy(m(tok[:, :-1]).flatten(0, 1), tok[:, 1:].flatten()) + sum(moe['aux_loss_coef'] * x.aux for x in mixtures)
        (loss / a['microbatches']).backward()
        wall += time.perf_counter() - t; cpu += time.process_time() - p
    t, p = time.perf_counter(), time.process_time()
    nn.utils.clip_grad_norm_(m.parameters(), 1.0); opt.step(); opt.zero_grad(set_to_none=True)
    times.append(wall + time.perf_counter() - t); cpus.append(cpu + time.process_time() - p)
times, cpus = times[2:], cpus[2:]
median = sorted(times)[len(times) // 2]
blas = (re.search(r'BLAS_INFO=(\w+)', torch.__config__.show()) or ['', 'unknown'])[1]
print(json.dumps(dict(peer='torch ' + torch.__version__, blas=blas, params=params, tokens_per_s=round(B * T * a['microbatches'] / median), cpu_per_wall=round(sum(cpus) / sum(times), 2))))
