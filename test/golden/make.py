"""
Makes the checkpoints of test/golden that this repository made itself, and what Hugging Face's classes compute with them:
`python3 make.py FOLDER` with transformers 5.18.0 and torch 2.13. Weights are from a seeded generator: matrices N(0, 0.2^2), routers and
embeddings wider, norm scales around 1; float32, eager attention, evaluation mode, one thread. Greedy words go on without a cache.
"""
import json, os, sys
import torch
from transformers import OlmoeConfig, OlmoeForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM

torch.set_num_threads(1)
B, T, NEW = 2, 24, 16
shared = dict(vocab_size=128, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=128, attn_implementation='eager')
made = {
    'olmoe/base': (OlmoeForCausalLM, OlmoeConfig(**shared, num_key_value_heads=2, intermediate_size=24, num_experts=6, num_experts_per_tok=3, rope_theta=10000.0, pad_token_id=0, eos_token_id=1), 3),
    'qwen3_moe/base': (Qwen3MoeForCausalLM, Qwen3MoeConfig(**shared, num_key_value_heads=2, head_dim=12, intermediate_size=40, moe_intermediate_size=20, num_experts=5, num_experts_per_tok=2, decoder_sparse_step=1, norm_topk_prob=True, rope_theta=1000000.0), 4),
    'qwen3_moe/every_other': (Qwen3MoeForCausalLM, Qwen3MoeConfig(**shared, num_key_value_heads=4, head_dim=8, intermediate_size=36, moe_intermediate_size=28, num_experts=4, num_experts_per_tok=2, decoder_sparse_step=2, norm_topk_prob=False, tie_word_embeddings=True), 5),
}

def rounded(tensor): return [float(f'{x:.7g}') for x in tensor.flatten().tolist()]
def flat(tensor): return dict(shape=list(tensor.shape), data=rounded(tensor))

def draw(model, generator):
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        std = 0.5 if 'embed' in name else 0.3 if name.endswith('gate.weight') else 0.2
        p.data = 1 + 0.2 * noise if p.dim() == 1 else std * noise

def router_of(model, config, logits):
    found = []
    sparse = [i for i in range(config.num_hidden_layers) if (i + 1) % getattr(config, 'decoder_sparse_step', 1) == 0]
    for layer, raw in zip(sparse, logits):
        weight, index = raw.float().softmax(-1).topk(config.num_experts_per_tok, -1)
        if config.norm_topk_prob: weight = weight / weight.sum(-1, keepdim=True)
        top = raw.sort(-1, descending=True).values
        gap = (top[:, config.num_experts_per_tok - 1] - top[:, config.num_experts_per_tok]).min().item()
        found.append((gap, dict(layer=layer, logits=flat(raw), topk_index=index.tolist(), topk_weight=flat(weight))))
    return min(gap for gap, _ in found), [entry for _, entry in found]

def case(model, config, name, ids, mask, labels):
    out = model(input_ids=ids, attention_mask=mask, labels=labels, output_router_logits=True)
    gap, router = router_of(model, config, out.router_logits)
    lm = model(input_ids=ids, attention_mask=mask, labels=labels, output_router_logits=False).loss
    model.zero_grad(); lm.backward()
    grads = {n: float(f'{(p.grad.norm().item() if p.grad is not None else 0):.7g}') for n, p in model.named_parameters()}
    return gap, dict(name=name, input_ids=ids.tolist(), attention_mask=None if mask is None else mask.tolist(), logits=flat(out.logits), labels=labels.tolist(),
        loss=lm.item(), router=router, aux_loss=out.aux_loss.item(), grad_l2=grads if name == 'plain' else None)

root = sys.argv[1]
for name, (cls, config, first_seed) in made.items():
    for seed in range(first_seed, first_seed + 1000, 10):
        generator = torch.Generator().manual_seed(seed)
        model = cls(config).eval(); draw(model, generator); model.tie_weights()
        ids = torch.randint(2, config.vocab_size, (B, T), generator=generator)
        labels = ids.clone(); labels[:, :3] = -100
        right = torch.ones(B, T, dtype=torch.long); right[1, 15:] = 0
        left = torch.ones(B, T, dtype=torch.long); left[1, :9] = 0
        # The row before a sample's first token is padding, and predicts nothing.
        of = lambda mask: labels.masked_fill((mask == 0) | (mask.roll(1, 1) == 0), -100)
        cases = [case(model, config, 'plain', ids, None, labels), case(model, config, 'right_padded', ids, right, of(right)), case(model, config, 'left_padded', ids, left, of(left))]
        text, margin = ids[:1, :6].clone(), 9.0
        with torch.no_grad():
            for _ in range(NEW):
                best = model(input_ids=text).logits[0, -1].topk(2)
                margin = min(margin, (best.values[0] - best.values[1]).item())
                text = torch.cat([text, best.indices[:1, None]], 1)
        gap = min(g for g, _ in cases)
        if gap > 1e-3 and margin > 5e-3: break
    folder = os.path.join(root, name); os.makedirs(folder, exist_ok=True)
    model.save_pretrained(folder)
    # Experts lie fused in memory; names of gradients are of the files where those say the same.
    expected = dict(family=name.split('/')[0], variant=name.split('/')[1], transformers_version='5.18.0', torch_version=torch.__version__, weights_seed=seed, min_router_gap=gap,
        cases=[{k: v for k, v in c.items() if v is not None or k == 'attention_mask'} for _, c in cases],
        generation=dict(prompt_ids=ids[0, :6].tolist(), new_tokens=text[0, 6:].tolist(), greedy=True, min_top1_top2_margin=margin))
    json.dump(expected, open(os.path.join(folder, 'expected.json'), 'w'))
    print(name, seed, gap, margin, cases[0][1]['loss'])

# Gradients of the language model's loss alone, for checkpoints whose `expected.json` has them with the balance loss.
from transformers import MixtralForCausalLM
for variant in ('base', 'sharded', 'sliding_window'):
    folder = os.path.join(root, 'mixtral', variant)
    model = MixtralForCausalLM.from_pretrained(folder, attn_implementation='eager', dtype=torch.float32).eval()
    given = json.load(open(os.path.join(folder, 'expected.json')))['cases'][0]
    model(input_ids=torch.tensor(given['input_ids']), labels=torch.tensor(given['labels']), output_router_logits=False).loss.backward()
    grads = {n: float(f'{p.grad.norm().item():.7g}') for n, p in model.named_parameters()}
    json.dump(grads, open(os.path.join(folder, 'lm_grad_l2.json'), 'w'))
    print(folder, len(grads))
