/** A plan as one JSON object, with the keys that docs/reference/command-line.md lists. Bytes and FLOPs are whole numbers. */
import type { Plan } from '../run/plan.ts';
import type { Traffic } from '../topology/index.ts';
import { heaviest, mostLinks } from './plan_tables.ts';
import { nameOf } from './plan_verdict.ts';
import type { StepEstimate } from './step_estimate.ts';

export function planJson(
  { runSpec, parameters, workers, traffic }: Plan,
  estimate: StepEstimate | null = null,
): string {
  const { topology, mesh, vocabulary } = runSpec;
  const { nodes, workers_per_node, memory_per_worker } = topology.cluster;
  const { denseFfn, ...parts } = parameters;
  const flops = workers.reduce((sum, worker) => sum + worker.flops, 0);
  const object = {
    name: topology.name,
    fits: workers.every(({ fits }) => fits),
    nodes,
    workers_per_node,
    memory_per_worker,
    stage_ranks: mesh.stages.length,
    expert_groups: mesh.expertGroups.length,
    vocabulary,
    tokens_per_step: topology.training.global_batch_size * topology.training.sequence_length,
    flops_per_step: flops,
    estimated_compute: estimate && { seconds: estimate.seconds, gflops_per_thread: estimate.gflops },
    parameters: { ...parts, dense_ffn: denseFfn },
    workers: workers.map((worker) => ({
      worker: nameOf(worker.worker),
      device: worker.device,
      fits: worker.fits,
      limit_bytes: worker.limitBytes,
      roles: worker.roles,
      slice_bytes: worker.sliceBytes,
      scratch_bytes: worker.scratchBytes,
      hole_bytes: worker.holeBytes,
      total_bytes: worker.totalBytes,
      flops: worker.flops,
      flops_share: worker.flops / flops,
      actors: worker.actors.map(({ owner, role, memory, flops: work }) => ({
        owner,
        role,
        parameter_bytes: memory.parameters,
        gradient_bytes: memory.gradients,
        moment_bytes: memory.moments,
        activation_bytes: memory.activations,
        flops: work,
      })),
    })),
    links: heaviest(traffic.links, mostLinks).map((link) => ({
      from: nameOf(link.from),
      to: nameOf(link.to),
      transport: link.transport,
      ...trafficOf(link),
    })),
    links_left_out: Math.max(traffic.links.length - mostLinks, 0),
    by_transport: Object.fromEntries(
      Object.entries(traffic.byTransport).map(([transport, total]) => [transport, trafficOf(total)]),
    ),
  };
  return JSON.stringify(object, null, 2);
}

const trafficOf = ({ messages, dispatchEven, dispatchMost, handOver, pipeline, allReduce }: Traffic) => ({
  messages,
  dispatch_bytes_even: dispatchEven,
  dispatch_bytes_most: dispatchMost,
  hand_over_bytes: handOver,
  pipeline_bytes: pipeline,
  all_reduce_bytes: allReduce,
});
