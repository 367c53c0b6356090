"""PyTorch peer over several processes: the model of `torch_switch.py` under DistributedDataParallel (gloo, loopback), one thread each.

Run: python3 torch_switch_ddp.py [--procs 2] [--batch 8] [what torch_switch.py takes]; the batch is that of all processes together.
"""
import argparse, json, os, sys, tempfile
import torch, torch.distributed as dist, torch.multiprocessing as mp


def work(rank, procs, batch, argv, meeting):
    dist.init_process_group('gloo', init_method='file://' + meeting, rank=rank, world_size=procs)
    sys.argv = ['torch_switch.py', *argv, '--threads', '1']  # It reads them when it is imported.
    import torch_switch as peer
    torch.manual_seed(1 + rank)  # Data of its own; the model is that of the first.
    mine = batch // procs
    # An expert may get no token: then its gradient is not there to wait for.
    model = torch.nn.parallel.DistributedDataParallel(peer.m, find_unused_parameters=True)
    med, cpu_s, wall_s, loss = peer.train(model, mine, dist.barrier)
    cpu = torch.tensor([cpu_s]); dist.all_reduce(cpu)
    if rank == 0:
        print(json.dumps(dict(peer=f'torch {torch.__version__} DDP gloo', blas=peer.blas, params=peer.params, procs=procs, step_s=round(med, 4), tokens_per_s=round(mine * procs * peer.a.seq / med), cpu_per_wall=round(cpu.item() / wall_s, 2), loss=round(loss, 4))))
    dist.destroy_process_group()


if __name__ == '__main__':
    p = argparse.ArgumentParser(); p.add_argument('--procs', type=int, default=2); p.add_argument('--batch', type=int, default=8)
    known, rest = p.parse_known_args()
    if known.batch % known.procs: p.error(f'--batch {known.batch} is no multiple of --procs {known.procs}')
    os.environ.setdefault('OPENBLAS_NUM_THREADS', '1'); os.environ.setdefault('OMP_NUM_THREADS', '1')
    os.environ.setdefault('TORCH_CPP_LOG_LEVEL', 'ERROR')  # Else it says of each step in which all experts got tokens that they did.
    if sys.platform == 'linux': os.environ.setdefault('GLOO_SOCKET_IFNAME', 'lo')
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(work, args=(known.procs, known.batch, rest, os.path.join(folder, 'meeting')), nprocs=known.procs)
