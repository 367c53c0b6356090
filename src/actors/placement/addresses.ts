/** The address of an actor names it in messages. Placement decides where an actor lives, never what it is called. */
import { stageRole } from '../../topology/index.ts';

export const trainerAddress = 'run/trainer';
export const recoveryAddress = 'run/recovery';
export const checkpointerAddress = 'run/checkpointer';
export const eventLogAddress = 'run/event_log';
export const agentAddress = (system: string): string => `run/agent-${system}`;
export const stageAddress = (pipelineRank: number, dataRank: number): string =>
  `run/${stageRole(pipelineRank, dataRank)}`;
export const routerAddress = (mixture: string, dataRank: number): string => `run/router-l${mixture}-d${dataRank}`;
export const groupAddress = (mixture: string, group: number): string => `run/experts-l${mixture}-g${group}`;
export const expertAddress = (mixture: string, expert: number): string => `run/expert-l${mixture}-e${expert}`;
