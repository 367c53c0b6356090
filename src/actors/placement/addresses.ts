/** The address of an actor names it in messages. Placement decides where an actor lives, never what it is called. */
import { stageRole } from '../../topology/index.ts';

export const trainerAddress = 'run/trainer';
export const recoveryAddress = 'run/recovery';
export const checkpointerAddress = 'run/checkpointer';
export const eventLogAddress = 'run/event_log';
export const agentAddress = (system: string): string => `run/agent-${system}`;
export const stageAddress = (pipelineRank: number, dataRank: number): string =>
  `run/${stageRole(pipelineRank, dataRank)}`;
export const routerAddress = (layer: number, dataRank: number): string => `run/router-l${layer}-d${dataRank}`;
export const groupAddress = (layer: number, group: number): string => `run/experts-l${layer}-g${group}`;
export const expertAddress = (layer: number, expert: number): string => `run/expert-l${layer}-e${expert}`;
